"""Three times as many requests as the shop can answer, of each kind: who is answered is answered soon, the
others are told at once, and it is over as soon as they are gone."""

import asyncio
import itertools
import multiprocessing
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import httpx

from mercat.lab.bench.checkout import ShopperPool, invite, stock_shelves
from mercat.lab.bench.load import Load, Result, request
from mercat.lab.bench.report import Report
from mercat.lab.bench.shop import audited, memory_mb, opened, staff

_TIMES = 3
_AT_ONCE = 512
_CROWD = 3_000
"""Connections of a crowd: enough for all who are answered within a second."""
_BUYERS = 4_500
_BEST_S = 8.0
_LEAD_S = 2
"""Until the crowd is there; neither counted as answers nor as refusals."""
_AFTER_S = 6.0
_RECOVERED_S = 2.0
_BESIDE_S = 10.0
_BESIDE_TIMES = 10
_RATE_MAX = 20_000.0
"""What the load generator can offer beside the shop, on the same processors."""
_NO_LIMIT = {
    "MERCAT_CONNECTIONS_OF_NETWORK": "0",
    "MERCAT_ACCOUNT_RATE": "1000000",
    "MERCAT_ACCOUNT_BURST": "1000000",
}
_MEMBER = {"email": "ann@overload.example.com", "password": "a crowd of shoppers"}
Run = Callable[[int, float, float], Coroutine[Any, Any, Result]]
"""So many connections, seconds, and requests a second (0: as many as are answered)."""


async def overload(seconds: float) -> Report:
    """Offer search, pages and checkout three times what they can, one after another; then search ten times
    beside a checkout at half of its best."""
    async with opened(demo=True, more=_NO_LIMIT) as shop, staff(shop) as at_work:
        crowd = ShopperPool(at_work, await invite(at_work, _BUYERS), await stock_shelves(at_work))
        while await crowd.fill():
            pass
        filling = asyncio.create_task(crowd.keep_filling())
        try:
            found = await _measured(shop.port, partial(crowd.run, shop.port), seconds)
        finally:
            filling.cancel()
        findings = await audited(shop)
    return _report(found, sum(finding.violations for finding in findings))


def _report(found: dict[str, Any], violations: int) -> Report:
    """Tell of the orders at three times what checkout can; the floor is that."""
    checkout = found["checkout"]
    return Report(
        name="overload",
        rate_per_s=checkout["good_per_s"],
        floor_per_s=checkout["best_per_s"],
        ratio=checkout["share_of_best"],
        p50_ms=checkout["p50_ms"],
        p99_ms=checkout["p99_ms"],
        audit_violations=violations,
        more=found,
    )


async def _measured(port: int, buying: Run, seconds: float) -> dict[str, Any]:
    found = {
        "search": await _overloaded(_asking(port, _searches()), seconds),
        "pages": await _overloaded(_asking(port, await _pages(port)), seconds),
        "checkout": await _overloaded(buying, seconds),
    }
    best = found["checkout"]["best_per_s"]
    alone = await buying(_AT_ONCE, _BESIDE_S, best / 2)
    rate = min(_RATE_MAX, _BESIDE_TIMES * found["search"]["best_per_s"])
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as another:
        crowd_at_search = asyncio.get_running_loop().run_in_executor(
            another, _search_at, port, _CROWD, _LEAD_S + _BESIDE_S, rate
        )
        beside = await buying(_AT_ONCE, _BESIDE_S, best / 2)
        refused = await crowd_at_search
    return {
        **found,
        "checkout_p50_ms_at_half": round(alone.good_percentile(0.5), 1),
        "checkout_p99_ms_at_half": round(alone.good_percentile(0.99), 1),
        "checkout_p99_ms_beside_ten_times_search": round(beside.good_percentile(0.99), 1),
        "checkouts_beside": {str(status): count for status, count in sorted(beside.statuses.items())},
        "searches_beside": {str(status): count for status, count in sorted(refused.items())},
    }


async def _overloaded(run: Run, seconds: float) -> dict[str, Any]:
    """Find the best rate of a kind, offer three times that, then half of it."""
    await run(_AT_ONCE, _LEAD_S, 0.0)
    best = (await run(_AT_ONCE, _BEST_S, 0.0)).rate
    before = memory_mb()
    offered = min(_RATE_MAX, _TIMES * best)
    over = await run(_CROWD, _LEAD_S + seconds, offered)
    after = await run(_AT_ONCE, _AFTER_S, best / 2)
    good = over.rate_between(_LEAD_S, _LEAD_S + seconds)
    return {
        "best_per_s": round(best, 1),
        "offered_per_s": round(offered, 1),
        "good_per_s": round(good, 1),
        "share_of_best": round(good / best, 3),
        "p50_ms": round(over.good_percentile(0.5, _LEAD_S), 1),
        "p99_ms": round(over.good_percentile(0.99, _LEAD_S), 1),
        "statuses": {str(status): count for status, count in sorted(over.statuses.items())},
        "memory_mb": [round(before), round(memory_mb())],
        "rate_2_s_after": round(after.rate_between(_RECOVERED_S, _AFTER_S), 1),
        "p99_ms_2_s_after": round(after.good_percentile(0.99, _RECOVERED_S), 1),
    }


def _asking(port: int, requests: list[bytes]) -> Run:
    endless = itertools.cycle(requests)

    async def run(connections: int, seconds: float, rate: float) -> Result:
        return await Load(port, endless).run(connections, seconds, rate)

    return run


def _search_at(port: int, connections: int, seconds: float, rate: float) -> dict[int, int]:
    """Search from a process of its own: who measures others does not wait for this."""
    return asyncio.run(_asking(port, _searches())(connections, seconds, rate)).statuses


def _searches() -> list[bytes]:
    """Write searches of which no two in a row are remembered."""
    words = ("lamp", "headphones", "mug", "chair", "tea", "shoes", "phone", "bag")
    return [
        request("GET", f"/api/v1/search?q={word}&limit={limit}&filters[price_max]={price}")
        for price in range(20, 2_000, 20)
        for limit in (10, 20)
        for word in words
    ]


async def _pages(port: int) -> list[bytes]:
    """Write the page of somebody's wishlist, which is made anew for each who asks."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1") as http:
        await http.post("/accounts", json={**_MEMBER, "name": "Ann"})
        token = (await http.post("/sessions", json=_MEMBER)).json()["token"]
        http.headers["authorization"] = f"Bearer {token}"
        for product in (await http.get("/products", params={"limit": 12})).json()["products"]:
            (await http.put(f"/wishlist/{product['product_id']}")).raise_for_status()
    return [request("GET", "/wishlist", {"Cookie": f"mercat_session={token}"})]
