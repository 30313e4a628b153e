"""More than the shop can do: who would wait too long is told at once, and nobody else notices."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import httpx
import pytest
from attack.conftest import Open

from mercat.search import SearchQuery, SearchResults
from mercat.web import lanes
from mercat.web.lanes import LaneRules

CROWD = 300


async def test_a_crowd_at_search_keeps_neither_carts_nor_probes_waiting(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = {**lanes.RULES, "search": LaneRules(at_once=2, wait_s=0.05, answer_s=0.5)}
    monkeypatch.setattr(lanes, "RULES", rules)
    port, shop = await opened()
    find, let_go = shop.search.find, asyncio.Event()

    async def held(query: SearchQuery) -> SearchResults:
        await let_go.wait()
        return await find(query)

    monkeypatch.setattr(shop.search, "find", held)
    limits = httpx.Limits(max_connections=CROWD + 20)
    base = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=base, limits=limits, timeout=60))
        token = (await http.post("/api/v1/sessions/guest")).json()["token"]
        bearer = {"authorization": f"Bearer {token}"}
        crowd = [
            asyncio.ensure_future(http.get("/api/v1/search", params={"q": f"lamp {n}", "limit": 100}))
            for n in range(CROWD)
        ]
        others = await asyncio.gather(
            *(http.get(path, headers=bearer) for path in ("/api/v1/cart", "/health", "/api/v1/categories"))
        )
        assert [said.status_code for said in others] == [200, 200, 200]
        await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
        let_go.set()
        answers = await asyncio.gather(*crowd)
        statuses = Counter(said.status_code for said in answers)
        assert statuses.keys() == {200, 503}, statuses
        refused = next(said for said in answers if said.status_code == 503)
        assert refused.json()["code"] == "overloaded"
        assert int(refused.headers["retry-after"]) >= 1
        assert (await http.get("/api/v1/search?q=lamp")).status_code == 200, "and at once it is open again"


async def test_people_are_told_by_a_page_that_comes_back_by_itself(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "RULES", {**lanes.RULES, "pages": LaneRules(0, 0.05, 0.5, 0)})
    port, _ = await opened()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        said = await http.get("/help", headers={"accept": "text/html"})
        assert said.status_code == 503
        assert said.headers["content-type"].startswith("text/html")
        assert said.headers["retry-after"] == "3"
        assert 'http-equiv="refresh"' in said.text
        assert (await http.get("/ready")).status_code == 200
        assert (await http.get("/api/v1/categories")).status_code == 200
