"""Who may keep an answer, for how long, and what takes it out again; the answers that this process keeps."""

import asyncio
import zlib
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

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
_COUNTRY = COUNTRY.encode()
_FRESH_S = 1.0
_ANSWERS_MAX = 1_000
_BODY_MAX = 1_000_000
_BYTES_MAX = 64_000_000
"""Of all bodies that are kept."""
_CHANGED_MAX = 10_000


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
    """Say how long what holds until a time may be kept by who gets it after it was kept here; nothing where
    that is longer than usual."""
    left = (until - clock.now()).total_seconds() - _FRESH_S
    if left >= _PUBLIC_S:
        return ""
    return f"public, max-age={min(max(int(left), 0), 2)}, must-revalidate"


class _Kept(NamedTuple):
    response: Response
    products: list[str]
    """Which it shows, by their ids."""
    until: float
    holds_until: datetime | None
    """When what it says of prices is not true any more."""


class AnswerCache:
    """Answers for everybody, pages and JSON, each made once a second however many ask for it.

    Who asks while one is being made waits for that one. A product that changes takes every answer that shows
    it along. Who has said where they are is shown pages of their own."""

    def __init__(self) -> None:
        self._kept: dict[_Asked, _Kept] = {}
        self._bytes = 0
        self._showing: defaultdict[str, set[_Asked]] = defaultdict(set)
        self._making: dict[tuple[_Asked, int], asyncio.Future[Response]] = {}
        """By what is asked for, and how many changes there had been when it was begun."""
        self._changes = 0
        self._changed: dict[str, int] = {}
        """Products that changed lately, each with the number of its last change."""

    def wrap(self, handler: Handler) -> Handler:
        """Make a handler that answers from the cache what this one answered a moment ago."""

        async def answer(request: Request) -> Response:
            asked = _asked(request.scope)
            if asked is None:
                return await handler(request)
            kept = self._kept.get(asked)
            if kept and monotonic() < kept.until and _holds(kept):
                return kept.response
            # What was begun before a change may not show it: who asks later does not wait for that.
            begun = asked, self._changes
            making = self._making.get(begun)
            if making is None:
                making = self._making[begun] = asyncio.ensure_future(self._make(begun, handler, request))
            # A visitor who goes away must not take the answer along that others wait for.
            return await asyncio.shield(making)

        return answer

    async def _make(self, begun: "tuple[_Asked, int]", handler: Handler, request: Request) -> Response:
        asked, changes = begun
        try:
            response = await handler(request)
        finally:
            del self._making[begun]
        keys = response.headers.get("surrogate-key", "").split()
        if keys and response.status_code == 200:
            response.headers.setdefault("etag", weak_etag(bytes(response.body)).decode())
            products = [key for key in keys if key.startswith(f"{ProductId.prefix}_")]
            if not any(self._changed.get(key, 0) > changes for key in products):
                holds_until = getattr(request.state, "holds_until", None)
                self._keep(asked, _Kept(response, products, monotonic() + _FRESH_S, holds_until))
        return response

    def _keep(self, asked: "_Asked", kept: _Kept) -> None:
        size = len(kept.response.body)
        if size > _BODY_MAX:
            return
        self._drop(asked)
        if len(self._kept) >= _ANSWERS_MAX or self._bytes + size > _BYTES_MAX:
            self._kept.clear()
            self._showing.clear()
            self._bytes = 0
        self._kept[asked] = kept
        self._bytes += size
        for product in kept.products:
            self._showing[product].add(asked)

    def forget(self, product_id: ProductId) -> None:
        """Forget every answer that shows this product; none that is being made is kept."""
        key = str(product_id)
        self._changes += 1
        self._changed.pop(key, None)
        self._changed[key] = self._changes
        if len(self._changed) > _CHANGED_MAX:
            del self._changed[next(iter(self._changed))]
        for asked in list(self._showing.get(key, ())):
            self._drop(asked)

    def _drop(self, asked: "_Asked") -> None:
        kept = self._kept.pop(asked, None)
        if kept is None:
            return
        self._bytes -= len(kept.response.body)
        for product in kept.products:
            self._showing[product].discard(asked)
            if not self._showing[product]:
                del self._showing[product]


_Asked = tuple[str, bytes, str, bytes]
"""The scheme, the host, the path, and the query."""


def _asked(scope: Scope) -> _Asked | None:
    """Say what is asked for; None where the answer is for who asks alone, who has chosen a country."""
    host = b""
    for name, value in scope["headers"]:
        if name == b"host":
            host = value
        elif name == b"cookie" and _COUNTRY in value:
            return None
    return scope["scheme"], host, scope["path"], scope["query_string"]


def _holds(kept: _Kept) -> bool:
    return kept.holds_until is None or clock.now() < kept.holds_until


def set_holds_until(request: Request, until: datetime | None) -> None:
    """Say when the answer to a request is not true any more, for a price changes."""
    request.state.holds_until = until


def weak_etag(body: bytes) -> bytes:
    """Tag an answer by what is in it: CRC-32 finds every change within four bytes, and the length goes with
    it."""
    return b'W/"%x-%x"' % (len(body), zlib.crc32(body))
