"""The operator's desk: how the shop does, everybody's orders, and whether its laws hold."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, Protocol

import asyncpg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mercat.ids import OrderId
from mercat.kit import clock, sql
from mercat.storefront.services import Services
from mercat.storefront.visit import Visits, shown_id

_A_PAGE = 100
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


class OperatorDesk:
    def __init__(self, visits: Visits, shop: Services, events: asyncpg.Pool, audit: Audit) -> None:
        self._visits = visits
        self._shop = shop
        self._events = events
        self._audit = audit

    async def overview(self, request: Request) -> Response:
        await self._visits.with_role(request, "operator")
        rows = await self._events.fetch(queries.lags)
        followers = [Following(row["follower"], row["at"], row["behind"], row["parked"]) for row in rows]
        newest = (await self._shop.orders.newest(None, _A_PAGE)).orders
        since = clock.now() - timedelta(minutes=1)
        lately = [order for order in newest if order.created_at > since]
        recent = f"{len(lately)}+" if len(lately) == _A_PAGE else str(len(lately))
        worst = max((each.lag for each in followers), default=0)
        tallies = [
            ("Orders in the last minute", recent),
            ("Slowest follower is behind by", f"{worst:,} facts"),
            ("Parked facts", f"{sum(each.parked for each in followers):,}"),
            ("Open breakers", str(sum(each.state == "open" for each in self._shop.breakers.values()))),
        ]
        breakers = sorted((name, each.state) for name, each in self._shop.breakers.items())
        return await self._page(
            request, "overview", "operator.html", tallies=tallies, followers=followers, breakers=breakers
        )

    async def orders(self, request: Request) -> Response:
        await self._visits.with_role(request, "operator")
        before = request.query_params.get("before")
        page = await self._shop.orders.newest(shown_id(before, OrderId) if before else None, _A_PAGE)
        last = page.orders[-1].order_id if len(page.orders) == _A_PAGE else None
        return await self._page(request, "orders", "operator_orders.html", orders=page.orders, before=last)

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
        visits.route("/operator/laws", desk.laws),
        visits.route("/operator/laws", desk.check_laws, "POST"),
    ]
