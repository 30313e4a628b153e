"""What visitors look at, gathered beside the requests: none waits for it, and what is too much is dropped.

Nobody is known by it. A visitor is a number made of network, browser and a salt that all workers share for a
day and that Valkey then forgets. Who says no (`DNT: 1` or `Sec-GPC: 1`), who says that it is a robot, and who
does not say what it is, is not counted. Words that look like an address or a long number are not kept.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import parse_qs

import structlog
from starlette.types import Scope

from mercat.events import Device, Look, LookKind
from mercat.ids import OrderId, ProductId, parse
from mercat.kit import metrics
from mercat.kit.valkey import Store
from mercat.web.networks import network_of

log = structlog.get_logger("mercat.looks")
SHOWN = "mercat-shown"
"""The header by which a search tells the middleware how many products it found and which it shows; it is
taken out before the answer leaves."""
_WAITING_MAX = 5_000
_BATCH_MAX = 1_000
_KEPT_VISITORS_MAX = 20_000
_REST_S = 2.0
_SALT_S = 2 * 86_400
_WORDS_MAX = 100
_SHOWN_MAX = 48
_MICROS_MAX = 2_000_000_000
_PRODUCT = re.compile(r"/p/(prod_[0-9a-z]{13})(?:/[^/]*)?|/api/v1/products/(prod_[0-9a-z]{13})")
_ORDER = re.compile(rb"/orders/(ord_[0-9a-z]{13})")
_ROBOT = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|preview|monitor|pingdom|lighthouse|scrap|facebookexternal", re.IGNORECASE
)
_PHONE = re.compile(r"Mobi|iPhone")
_TABLET = re.compile(r"iPad|Tablet|Android")
_PRIVATE = re.compile(r"@|\d{6}")
Tell = Callable[[list[Look]], Awaitable[None]]
ProductsOf = Callable[[list[OrderId]], Awaitable[dict[str, list[ProductId]]]]
"""Answers which products are in orders, by the ids of these as they are shown."""


class _Seen(NamedTuple):
    """A look that waits to be told, before what it says is read."""

    at: int
    what: LookKind
    visitor: int
    device: Device
    detail: str
    query: bytes = b""


class Looks:
    """What the visitors of this worker did in the last two seconds."""

    def __init__(self, store: Store, tell: Tell, products_of: ProductsOf) -> None:
        self._store = store
        self._tell = tell
        self._products_of = products_of
        self._waiting: list[_Seen] = []
        self._salt: bytes = secrets.token_bytes(16)
        self._day = ""
        self._visitors: dict[tuple[str, bytes], tuple[int, Device | None]] = {}

    def note(self, scope: Scope, status: int, shown: bytes, location: bytes) -> None:
        """Note what a request was, if it is something to count: some microseconds, and never a wait."""
        what, detail = _kind(scope["method"], scope["path"], status, shown, location)
        if what is None:
            return
        if len(self._waiting) >= _WAITING_MAX:
            metrics.looks_dropped.inc()
            return
        if who := self.visitor_of(scope):
            query = scope["query_string"] if what == "search" else b""
            self._waiting.append(_Seen(int(time.time()), what, *who, detail, query))

    def visitor_of(self, scope: Scope) -> tuple[int, Device] | None:
        """Answer which visitor of the day asks, and on what; None: a robot, or somebody who says no."""
        agent = b""
        for name, value in scope["headers"]:
            if name == b"user-agent":
                agent = value
            elif name in (b"dnt", b"sec-gpc") and value.strip() == b"1":
                return None
        visitor, device = self._visitor(scope["mercat.address"], agent)
        return None if device is None else (visitor, device)

    def note_exposed(self, who: tuple[int, Device], way: str, took_s: float) -> None:
        """Note that somebody was shown a way of an experiment, and how long that took."""
        if len(self._waiting) >= _WAITING_MAX:
            metrics.looks_dropped.inc()
            return
        micros = min(int(took_s * 1_000_000), _MICROS_MAX)
        self._waiting.append(_Seen(int(time.time()), "exposed", *who, f"{way};{micros}"))

    async def keep_telling(self) -> None:
        """Tell what was gathered and rest: a duty of every worker."""
        await self._take_salt()
        await self.tell()
        await asyncio.sleep(_REST_S)

    async def tell(self) -> None:
        """Tell what was gathered; what cannot be told is dropped."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            orders = [parse(OrderId, seen.detail) for seen in waiting if seen.what == "order"]
            bought = await self._products_of(orders) if orders else {}
            looks = [look for seen in waiting for look in _looks(seen, bought)]
            for first in range(0, len(looks), _BATCH_MAX):
                await self._tell(looks[first : first + _BATCH_MAX])
        except Exception as error:
            metrics.looks_dropped.inc(len(waiting))
            log.warning("looks were dropped", count=len(waiting), reason=repr(error))

    def _visitor(self, address: str, agent: bytes) -> tuple[int, Device | None]:
        key = network_of(address), agent
        known = self._visitors.get(key)
        if known is None:
            if len(self._visitors) >= _KEPT_VISITORS_MAX:
                self._visitors.clear()
            digest = blake2b(key[0].encode() + b"\0" + agent, digest_size=8, key=self._salt).digest()
            known = self._visitors[key] = int.from_bytes(digest, "big") >> 1, device_of(agent)
        return known

    async def _take_salt(self) -> None:
        """Take the salt of today, which the first worker of the day makes for all."""
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        if day == self._day:
            return
        key, fresh = f"looks:salt:{day}", secrets.token_hex(16)
        try:
            await self._store.do("SET", key, fresh, "NX", "EX", _SALT_S)
            kept = await self._store.do("GET", key)
        except Exception as error:  # this worker's own salt will do until then
            log.warning("the salt of the day could not be had", reason=repr(error))
            return
        self._salt, self._day = bytes(kept) if kept else fresh.encode(), day
        self._visitors.clear()


def device_of(agent: bytes) -> Device | None:
    """Say what kind of device a browser says it is on; None: a robot, or nothing that says what it is."""
    text = agent.decode("latin-1")
    if not text or _ROBOT.search(text):
        return None
    if _PHONE.search(text):
        return "phone"
    return "tablet" if _TABLET.search(text) else "desktop"


def _kind(method: str, path: str, status: int, shown: bytes, location: bytes) -> tuple[LookKind | None, str]:
    """Say what a request was; None: nothing that is counted."""
    if method == "GET":
        if shown:
            return "search", shown.decode()
        if status in (200, 304) and (found := _PRODUCT.fullmatch(path)):
            return "view", found[1] or found[2]
        if path == "/checkout" and status == 200:
            return "checkout", ""
    elif status < 400:
        if "/cart/items" in path:
            return "cart", ""
        if path.endswith("/quotes"):
            return "checkout", ""
    if location and "/checkout" in path and (order := _ORDER.search(location)):
        return "order", order[1].decode()
    return None, ""


def _looks(seen: _Seen, bought: dict[str, list[ProductId]]) -> list[Look]:
    """Read a look that waited; an order is one look of each of its products."""
    at, what, visitor, device, detail, query = seen
    if what == "view":
        return [Look(at, what, visitor, device, parse(ProductId, detail))]
    if what == "order":
        return [Look(at, what, visitor, device, product_id) for product_id in bought.get(detail, [])]
    if what == "exposed":
        way, _, micros = detail.partition(";")
        return [Look(at, what, visitor, device, None, way, int(micros))]
    if what != "search":
        return [Look(at, what, visitor, device)]
    words = words_of(query)
    if words is None:
        return []
    found, _, shown = detail.partition(";")
    products = [ProductId(int(each)) for each in shown.split(",") if each]
    return [Look(at, what, visitor, device, None, words, int(found), products)]


def words_of(query: bytes) -> str | None:
    """Read what was searched for; None where it is a further page, or no words were."""
    asked = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    if asked.get("page", ["1"])[0] not in ("", "1") or asked.get("cursor"):
        return None
    words = " ".join(asked.get("q", [""])[0].lower().split())
    if not words:
        return None
    return "…" if _PRIVATE.search(words) else words[:_WORDS_MAX]


def shown_header(found: int, products: Sequence[int]) -> str:
    """Write what a search tells the middleware."""
    return f"{found};{','.join(str(int(each)) for each in products[:_SHOWN_MAX])}"
