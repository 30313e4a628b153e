"""Who may keep an answer, for how long, and what takes it out again; the pages that this process keeps."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import ProductId
from mercat.kit import clock, codec
from mercat.kit.http import Answer

Handler = Callable[[Request], Awaitable[Response]]
PRIVATE = "private, no-store"
"""Of every answer that says nothing else."""
PUBLIC = "public, max-age=2, stale-while-revalidate=2"
"""Four seconds in all: what is said of price and stock may be five seconds old at most."""
_PUBLIC_S = 4.0
FLASH_SALE = "public, max-age=1, stale-while-revalidate=1"
"""What all who wait read once a second."""
SELDOM_CHANGED = "public, max-age=300"
DRAWN = "public, max-age=86400"
"""A picture that its address describes."""
VERSIONED = "public, max-age=31536000, immutable"
"""A file whose address changes when it does."""

COUNTRY = "country"
"""The cookie by which a visitor says where they are."""
_FRESH_S = 1.0
_PAGES_MAX = 1_000


def public_headers(*keys: object, policy: str = PUBLIC, until: datetime | None = None) -> dict[str, str]:
    """Headers of what is everybody's: any cache may keep it for a moment, and purge it by these keys.

    `until`: when it is not true any more, for a sale begins or ends."""
    if until is not None:
        policy = _kept_until(until) or policy
    return {"Cache-Control": policy, "Surrogate-Key": " ".join(map(str, keys))}


def public_answer(
    shown: object, *keys: object, policy: str = PUBLIC, until: datetime | None = None
) -> Answer:
    """Answer with what is everybody's; `until`: when it is not true any more."""
    return Answer(raw=codec.encode(shown), headers=public_headers(*keys, policy=policy, until=until))


def soonest(*times: datetime | None) -> datetime | None:
    """Return the first of times that may not be known."""
    return min((each for each in times if each is not None), default=None)


def _kept_until(until: datetime) -> str:
    """Say how long what holds until a time may be kept; nothing where that is longer than usual."""
    left = (until - clock.now()).total_seconds()
    if left >= _PUBLIC_S:
        return ""
    return f"public, max-age={min(max(int(left), 0), 2)}, must-revalidate"


class _Page(NamedTuple):
    body: bytes
    headers: dict[str, str]
    until: float
    holds_until: datetime | None
    """When what it says of prices is not true any more."""


class PageCache:
    """Pages for everybody, each rendered once a second however many ask for it.

    Who asks while a page is being rendered waits for that one. A product that changes takes every page that
    shows it along. Who has said where they are is shown pages of their own."""

    def __init__(self) -> None:
        self._pages: dict[str, _Page] = {}
        self._showing: defaultdict[str, set[str]] = defaultdict(set)
        self._rendering: dict[str, asyncio.Future[Response]] = {}

    def wrap(self, handler: Handler) -> Handler:
        """Make a handler that answers from the cache what this one answered a moment ago."""

        async def answer(request: Request) -> Response:
            if COUNTRY in request.cookies:
                return await handler(request)
            url = str(request.url)
            page = self._pages.get(url)
            if page and monotonic() < page.until and _holds(page):
                return Response(page.body, headers=page.headers)
            rendering = self._rendering.get(url)
            if rendering is None:
                rendering = self._rendering[url] = asyncio.ensure_future(self._render(url, handler, request))
            # A visitor who goes away must not take the page along that others wait for.
            return _copy(await asyncio.shield(rendering))

        return answer

    async def _render(self, url: str, handler: Handler, request: Request) -> Response:
        try:
            response = await handler(request)
        finally:
            self._rendering.pop(url, None)
        keys = response.headers.get("surrogate-key")
        if keys and response.status_code == 200:
            if len(self._pages) >= _PAGES_MAX:
                self._pages.clear()
                self._showing.clear()
            until, holds_until = monotonic() + _FRESH_S, getattr(request.state, "holds_until", None)
            self._pages[url] = _Page(bytes(response.body), dict(response.headers), until, holds_until)
            for key in keys.split():
                self._showing[key].add(url)
        return response

    def forget(self, product_id: ProductId) -> None:
        """Forget every page that shows this product."""
        for url in self._showing.pop(str(product_id), ()):
            self._pages.pop(url, None)


def _holds(page: _Page) -> bool:
    return page.holds_until is None or clock.now() < page.holds_until


def _copy(response: Response) -> Response:
    """Copy the answer for a visitor: the middleware writes into it."""
    return Response(bytes(response.body), response.status_code, dict(response.headers))
