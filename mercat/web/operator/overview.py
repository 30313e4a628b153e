"""How the shop does: orders a second, followers, breakers."""

import re
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from time import monotonic
from typing import NamedTuple

import asyncpg
from starlette.requests import Request
from starlette.responses import Response

from mercat.kit import metrics, sql
from mercat.shop import Shop
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.session import with_role

_LOOKS_MAX = 61
_PLACED = re.compile(rb"^mercat_orders_placed_total (\S+)", re.MULTILINE)
queries = sql.load("mercat.kit")


class FollowerLag(NamedTuple):
    """How far a follower of the event log has come."""

    name: str
    position: int
    lag: int
    parked: int


class OrderRate:
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


class OverviewPages:
    """How the shop does."""

    def __init__(self, pages: Pages, shop: Shop, events: asyncpg.Pool) -> None:
        self._pages = pages
        self._shop = shop
        self._events = events
        self._rate = OrderRate()

    async def overview(self, request: Request) -> Response:
        await with_role(request, "operator")
        rows = await self._events.fetch(queries.lags)
        followers = [FollowerLag(row["follower"], row["at"], row["behind"], row["parked"]) for row in rows]
        rates = self._rate.beat()
        worst = max((each.lag for each in followers), default=0)
        parked = await self._shop.checkout.parked_counts()
        tallies = [
            ("Orders a second", f"{rates[-1]:,.1f}" if rates else "…"),
            ("Orders since the shop opened", f"{self._rate.total:,}"),
            ("Slowest follower is behind by", f"{worst:,} facts"),
            ("Parked facts", f"{sum(each.parked for each in followers):,}"),
            (
                "Parked purchases and cancellations",
                f"{sum(parked.values()):,}",
            ),
            ("Open cases of money", f"{(await self._shop.payments.case_counts()).open:,}"),
            ("Open breakers", str(sum(each.state == "open" for each in self._shop.breakers.values()))),
        ]
        breakers = sorted((name, each.state) for name, each in self._shop.breakers.items())
        return await operator_page(
            self._pages,
            request,
            "overview",
            "operator.html",
            tallies=tallies,
            followers=followers,
            curve=_curve(rates),
            highest=f"{max(rates, default=0):,.1f}",
            breakers=breakers,
        )


def _curve(rates: Sequence[float]) -> str:
    """Draw points of a line in a field of 60 by 20, the latest at the right."""
    highest = max(rates, default=0) or 1
    first = _LOOKS_MAX - 1 - len(rates)
    return " ".join(f"{first + n},{19 - 18 * rate / highest:.1f}" for n, rate in enumerate(rates))


def page_routes(pages: Pages, shop: Shop, events: asyncpg.Pool) -> list[Endpoint]:
    overview = OverviewPages(pages, shop, events)
    return [
        pages.route("/operator", overview.overview),
    ]
