"""A page for everybody is written once a second, whatever the crowd; and never kept when it must not be."""

import asyncio
from typing import cast

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import ProductId
from mercat.kit.refusals import Overloaded
from mercat.kit.valkey import Store
from mercat.settings import Settings
from mercat.web import cache
from mercat.web.cache import AnswerCache
from mercat.web.middleware import Middleware
from mercat.web.router import Endpoint, Router


def ask(query: str = "") -> Request:
    scope = {"type": "http", "method": "GET", "path": "/p", "headers": [], "query_string": query.encode()}
    return Request({**scope, "server": ("shop.example", 80), "scheme": "http"})


async def nobody(token: str) -> None:
    return None


class Pen:
    """Writes pages, and counts."""

    def __init__(self, keys: str = "", status: int = 200) -> None:
        self.written = 0
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.keys, self.status = keys, status

    async def __call__(self, request: Request) -> Response:
        self.written += 1
        await self.may_go_on.wait()
        if self.status == 503:
            raise Overloaded
        headers = {"Surrogate-Key": self.keys} if self.keys else {}
        return Response(f"page {self.written}", self.status, headers, "text/html")


async def test_a_crowd_gets_one_page():
    pen = Pen("home")
    pen.may_go_on.clear()
    page = AnswerCache().wrap(pen)
    crowd = [asyncio.ensure_future(page(ask())) for _ in range(500)]
    await asyncio.sleep(0)
    crowd[0].cancel()  # who asked first goes away; the others still get theirs
    pen.may_go_on.set()
    answers = await asyncio.gather(*crowd[1:])
    assert pen.written == 1
    assert {bytes(each.body) for each in answers} == {b"page 1"}
    assert (await page(ask("page=2"))).body == b"page 2"


async def test_what_is_kept_is_not_written_into_by_who_sends_it():
    page = AnswerCache().wrap(Pen("home"))
    app = Middleware(Router([Endpoint("GET", "/p", page)]), Settings(), nobody, cast(Store, None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        first, again = [(await http.get("/p")).headers.multi_items() for _ in range(2)]
    assert [name for name, _ in first] == [name for name, _ in again]
    assert "etag" in dict(first)


async def test_a_page_is_kept_for_a_moment_only(monkeypatch):
    now = 100.0
    monkeypatch.setattr(cache, "monotonic", lambda: now)
    page = AnswerCache().wrap(pen := Pen("home"))
    for _ in range(3):
        kept = await page(ask())
    assert (kept.body, kept.headers["content-type"]) == (b"page 1", "text/html; charset=utf-8")
    now += 1.01
    assert (await page(ask())).body == b"page 2"
    assert pen.written == 2


async def test_a_product_that_changes_takes_its_pages_along():
    cup, tea = ProductId(7), ProductId(8)
    shelves = AnswerCache()
    page = shelves.wrap(pen := Pen(f"products {cup}"))
    await page(ask())
    shelves.forget(tea)
    await page(ask())
    assert pen.written == 1
    shelves.forget(cup)
    assert not shelves._kept
    assert not shelves._showing
    assert shelves._bytes == 0
    await page(ask())
    assert pen.written == 2


async def test_what_is_made_while_its_product_changes_is_not_kept_and_who_asks_later_does_not_wait_for_it():
    cup, tea = ProductId(7), ProductId(8)
    shelves = AnswerCache()
    page = shelves.wrap(pen := Pen(f"products {cup}"))
    pen.may_go_on.clear()
    before = asyncio.ensure_future(page(ask()))
    while pen.written < 1:
        await asyncio.sleep(0)
    shelves.forget(cup)
    after = asyncio.ensure_future(page(ask()))
    while pen.written < 2:
        await asyncio.sleep(0)
    pen.may_go_on.set()
    await asyncio.gather(before, after)
    shelves.forget(tea)
    assert (await page(ask())) is after.result()
    assert not shelves._making


@pytest.mark.parametrize("pen", [{"keys": ""}, {"keys": "home", "status": 404}])
async def test_what_is_not_for_everybody_is_not_kept(pen):
    page = AnswerCache().wrap(made := Pen(**pen))
    await page(ask())
    await page(ask())
    assert made.written == 2


async def test_a_failure_is_not_kept():
    page = AnswerCache().wrap(made := Pen("home", 503))
    for _ in range(2):
        with pytest.raises(Overloaded):
            await page(ask())
    assert made.written == 2


async def test_what_is_kept_is_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr(cache, "_BYTES_MAX", 50)
    monkeypatch.setattr(cache, "_BODY_MAX", 7)
    shelves = AnswerCache()
    page = shelves.wrap(pen := Pen("home"))
    for number in range(30):
        await page(ask(f"page={number}"))
        assert sum(len(each.response.body) for each in shelves._kept.values()) == shelves._bytes <= 50
    pen.written = 98
    for query in ("large", "large", "too large", "too large"):
        await page(ask(query))
    assert pen.written == 101


async def test_pages_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(cache, "_ANSWERS_MAX", 10)
    shelves = AnswerCache()
    page = shelves.wrap(Pen("home"))
    for number in range(100):
        await page(ask(f"page={number}"))
    assert len(shelves._kept) <= 10
