"""Requests between processes of a shop: each is signed, says how long it is waited for, and fails fast.

A request carries an HMAC-SHA-256 (RFC 2104) over its method, address, time, patience, caller and the digest
of its body, by a key derived from the shop's secret. One without it, or of another time than now, is refused,
so that who reaches an internal port is nobody. Who can read the wire can send a request again for a minute,
which does nothing new, as every ask bears to come twice; against readers use TLS."""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from starlette.requests import ClientDisconnect, Request
from yarl import URL

from mercat.kit import deadline, tracing
from mercat.kit.breaker import Breaker
from mercat.kit.db_errors import unavailable
from mercat.kit.http import BODY_BYTES_MAX, problem, read_bytes
from mercat.kit.refusals import Refusal, SignInFirst, Unavailable
from mercat.kit.stand_ins import Replied
from mercat.settings import Settings

SIGNATURE, TIME, PATIENCE = "x-mercat-signature", "x-mercat-time", "x-mercat-patience"
_CALLER = "x-mercat-caller"
_STALE_S = 60
_CONNECTS_WITHIN_S = 2.0
_CONNECTIONS = 64
_IDLE_S = 15.0
"""Granian closes an idle connection after 30 s: we do so before it."""
_FAIR_S = 2.0
"""Who was given less and did not answer is not thought to hang."""
_SECOND_MS = 1_000


class NotANeighbour(SignInFirst):
    """This is answered to processes of this shop only."""


def call_key(settings: Settings) -> bytes:
    """Return the key that requests between processes are signed with."""
    return settings.key("requests between processes")


def sign(key: bytes, verb: str, target: str, at: str, patience: str, caller: str, body: bytes) -> str:
    """Sign a request; `target` is its path with its query, percent-encoded as it is sent."""
    said = "\n".join((verb, target, at, patience, caller, sha256(body).hexdigest()))
    return hmac.digest(key, said.encode(), sha256).hex()


class Neighbour:
    """The process at an address, or behind a socket of this machine, that has a service."""

    def __init__(self, name: str, url: str, key: bytes, socket: str = "") -> None:
        self.breaker = Breaker(name, failures=3)
        self._base = url.rstrip("/")
        self._prefix = urlsplit(self._base).path
        self._key = key
        self._socket = socket
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}
        self._trying = False

    async def __call__(self, path: str, body: bytes, seconds: float) -> Replied:
        """Post to a path; Unavailable at once while it does not answer, but to one who tries now and then."""
        breaker = self.breaker
        if breaker.state != "closed" or (breaker.suspicious and self._trying):
            raise Unavailable
        self._trying = True
        try:
            reply = await self._send(path, body, seconds)
        except (aiohttp.ClientError, OSError) as error:  # also TimeoutError
            if not isinstance(error, TimeoutError) or seconds >= _FAIR_S:
                breaker.failed(error)
            raise unavailable(error) from error
        finally:
            self._trying = False
        breaker.worked()
        return reply

    async def close(self) -> None:
        """Close its connections."""
        if self._session:
            await self._session.close()

    async def _send(self, path: str, body: bytes, seconds: float) -> Replied:
        session = self._session or self._open()
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(self._base + path)
        at, patience = str(int(time.time())), str(int(seconds * _SECOND_MS))
        signature = sign(self._key, "POST", self._prefix + path, at, patience, "", body)
        headers = {SIGNATURE: signature, TIME: at, PATIENCE: patience, **tracing.headers()}
        async with asyncio.timeout(seconds), session.post(url, data=body, headers=headers) as response:
            return Replied(response.status, await response.read())

    def _open(self) -> aiohttp.ClientSession:
        more: dict[str, Any] = {"limit": _CONNECTIONS, "keepalive_timeout": _IDLE_S}
        kind: Any = aiohttp.UnixConnector if self._socket else aiohttp.TCPConnector
        self._session = aiohttp.ClientSession(
            connector=kind(path=self._socket, **more) if self._socket else kind(**more),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECTS_WITHIN_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Content-Type"),
        )
        return self._session


class NeighbourDoor:
    """An internal application, for those who sign their requests."""

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        key: bytes,
        open_to_all: frozenset[str] = frozenset(),
        bytes_max: Mapping[str, int] | None = None,
    ) -> None:
        """`open_to_all`: paths that need no signature, such as those of probes. `bytes_max`: how large a
        body may be, where that is not what the public may send."""
        self._app = app
        self._bytes_max = bytes_max or {}
        self._key = key
        self._open = open_to_all

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] in self._open:
            await self._app(scope, receive, send)
            return
        try:
            seconds = await self._checked(Request(scope, receive))
        except ClientDisconnect:
            return
        except Refusal as refusal:
            await problem(refusal)(scope, receive, send)
            return
        try:
            async with deadline.within(seconds):
                await self._app(scope, receive, send)
        except TimeoutError:
            await problem(Unavailable())(scope, receive, send)  # nobody waits for it any more

    async def _checked(self, request: Request) -> float:
        """Return how long it is waited for; NotANeighbour unless it was signed by one of us, just now."""
        said = request.headers
        at, patience = said.get(TIME, ""), said.get(PATIENCE, "")
        if not (at.isdigit() and patience.isdigit() and abs(time.time() - int(at)) <= _STALE_S):
            raise NotANeighbour
        scope = request.scope
        most = self._bytes_max.get(scope["path"], BODY_BYTES_MAX)
        body = await read_bytes(request, most, discards=False)
        target = scope["raw_path"].decode("latin-1")
        if query := scope["query_string"].decode("latin-1"):
            target = f"{target}?{query}"
        right = sign(self._key, scope["method"], target, at, patience, said.get(_CALLER, ""), body)
        if not hmac.compare_digest(right.encode(), said.get(SIGNATURE, "").encode()):
            raise NotANeighbour
        return int(patience) / _SECOND_MS
