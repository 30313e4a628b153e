"""The operator's desk: how the shop does, everybody's orders, and whether its laws hold."""

import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from time import monotonic
from typing import Any, NamedTuple, Protocol

import asyncpg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mercat.ids import OrderId
from mercat.kit import metrics, sql
from mercat.services import Services
from mercat.web import rendering as render
from mercat.web.pages import Visits, shown_id
from mercat.web.table_query import as_csv, choice, link

_A_PAGE = 100
_EXPORT_PAGE, _EXPORT_PAGES_MAX = 1_000, 50
_ORDERS = {"status": ("confirmed", "partially_shipped", "shipped", "delivered", "cancelled")}
_LOOKS_MAX = 61
_PLACED = re.compile(rb"^mercat_orders_placed_total (\S+)", re.MULTILINE)
queries = sql.load("mercat.kit")


class Finding(Protocol):
    """What the audit says of a law."""

    @property
    def law(self) -> str: ...
    @property
    def checked(self) -> int: ...
    @property
    def violations(self) -> int: ...


Audit = Callable[[], Awaitable[Sequence[Finding]]]


class Following(NamedTuple):
    """How far a follower of the event log has come."""

    name: str
    position: int
    lag: int
    parked: int


class Pulse:
    """Orders a second between the looks that somebody took at this process, the latest few."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=_LOOKS_MAX)
        self.total = 0

    def beat(self) -> list[float]:
        found = _PLACED.search(metrics.metrics())
        self.total = int(float(found[1])) if found else 0
        self._seen.append((monotonic(), self.total))
        looks = list(self._seen)
        return [
            (total - before) / max(at - earlier, 0.001) for (earlier, before), (at, total) in pairwise(looks)
        ]


class OperatorDesk:
    def __init__(self, visits: Visits, shop: Services, events: asyncpg.Pool, audit: Audit) -> None:
        self._visits = visits
        self._shop = shop
        self._events = events
        self._audit = audit
        self._pulse = Pulse()

    async def overview(self, request: Request) -> Response:
        await self._visits.with_role(request, "operator")
        rows = await self._events.fetch(queries.lags)
        followers = [Following(row["follower"], row["at"], row["behind"], row["parked"]) for row in rows]
        rates = self._pulse.beat()
        worst = max((each.lag for each in followers), default=0)
        tallies = [
            ("Orders a second", f"{rates[-1]:,.1f}" if rates else "…"),
            ("Orders since the shop opened", f"{self._pulse.total:,}"),
            ("Slowest follower is behind by", f"{worst:,} facts"),
            ("Parked facts", f"{sum(each.parked for each in followers):,}"),
            ("Parked purchases and cancellations", str(len(await self._shop.checkout.parked()))),
            ("Open cases of money", str(len(await self._shop.payments.cases()))),
            ("Open breakers", str(sum(each.state == "open" for each in self._shop.breakers.values()))),
        ]
        breakers = sorted((name, each.state) for name, each in self._shop.breakers.items())
        return await self._page(
            request,
            "overview",
            "operator.html",
            tallies=tallies,
            followers=followers,
            curve=_curve(rates),
            highest=f"{max(rates, default=0):,.1f}",
            breakers=breakers,
        )

    async def orders(self, request: Request) -> Response:
        await self._visits.with_role(request, "operator")
        chosen, before = choice(request.query_params, _ORDERS), request.query_params.get("before")
        page = await self._shop.orders.newest(
            shown_id(before, OrderId) if before else None, _A_PAGE, chosen.get("status")
        )
        return await self._page(
            request,
            "orders",
            "operator_orders.html",
            orders=page.orders,
            chosen=chosen,
            statuses=_ORDERS["status"],
            more=link("/operator/orders", chosen, before=page.next_cursor) if page.next_cursor else None,
            file=link("/operator/orders.csv", chosen),
        )

    async def export(self, request: Request) -> Response:
        """The newest orders as a CSV file: those that the table would show."""
        await self._visits.with_role(request, "operator")
        chosen = choice(request.query_params, _ORDERS)
        rows, before = list[list[Any]](), None
        for _ in range(_EXPORT_PAGES_MAX):
            page = await self._shop.orders.newest(before, _EXPORT_PAGE, chosen.get("status"))
            for each in page.orders:
                total = render.decimal(each.total, each.currency)
                rows.append([each.order_id, each.created_at, each.status, total, each.currency])
            if page.next_cursor is None:
                break
            before = page.orders[-1].order_id
        return as_csv("orders.csv", ["order_id", "placed_at", "status", "total", "currency"], rows)

    async def laws(self, request: Request) -> Response:
        return await self._page(request, "laws", "operator_laws.html", laws=None, broken=0)

    async def check_laws(self, request: Request) -> Response:
        await self._visits.form(request)
        await self._visits.with_role(request, "operator")
        found = await self._audit()
        broken = sum(each.violations for each in found)
        return await self._page(request, "laws", "operator_laws.html", laws=found, broken=broken)

    async def _page(self, request: Request, here: str, name: str, **shown: Any) -> Response:
        caller = await self._visits.with_role(request, "operator")
        base: dict[str, Any] = {"desk": "operator", "desk_name": caller.name, "here": here}
        return await self._visits.page(request, name, **(base | shown))


def pages(visits: Visits, shop: Services, events: asyncpg.Pool, audit: Audit) -> list[Route]:
    desk = OperatorDesk(visits, shop, events, audit)
    return [
        visits.route("/operator", desk.overview),
        visits.route("/operator/orders", desk.orders),
        visits.route("/operator/orders.csv", desk.export),
        visits.route("/operator/laws", desk.laws),
        visits.route("/operator/laws", desk.check_laws, "POST"),
    ]


def _curve(rates: Sequence[float]) -> str:
    """Points of a line in a field of 60 by 20, the latest at the right."""
    highest = max(rates, default=0) or 1
    first = _LOOKS_MAX - 1 - len(rates)
    return " ".join(f"{first + n},{19 - 18 * rate / highest:.1f}" for n, rate in enumerate(rates))
