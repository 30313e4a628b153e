"""What every request passes: an id, who asks, how often, and what every answer carries.

Plain ASGI around the whole application, so that pages and the API share it. It costs no round trip
where nobody is signed in and the address is not limited, and else one to each Valkey, shared by all requests
of the moment.
"""

import re
import secrets
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from math import ceil
from typing import Protocol

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mercat.ids import UserId
from mercat.kit.batching import Coalescer
from mercat.kit.breaker import Breaker
from mercat.kit.http import BODY, problem
from mercat.kit.limits import Allowance, Limit, Limits
from mercat.kit.refusals import (
    BadRequest,
    MisdirectedRequest,
    Overloaded,
    Refusal,
    TooManyRequests,
)
from mercat.kit.rpc import Caller
from mercat.kit.valkey import Store
from mercat.settings import Settings
from mercat.web.bodies import Bodies, RequestTimeout, whole
from mercat.web.context import RequestContext, context_of, network
from mercat.web.origin import host_name
from mercat.web.session import COOKIE

log = structlog.get_logger("mercat.access")

_COOKIE_START = f"{COOKIE}=".encode()
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_TOKENS_MAX = 50_000
_ETAG_BYTES_MAX = 1_000_000
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost", ""})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""What may have a body in HTTP/2 without saying how long it is."""
_ALWAYS_OPEN = frozenset({"/health", "/ready", "/metrics"})
_KEPT_BY_304 = frozenset({b"cache-control", b"etag", b"vary", b"surrogate-key", b"set-cookie", b"date"})

_DIRECTIVES = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: https: http:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
_SECURITY = {
    "content-security-policy": "; ".join(f"{name} {sources}" for name, sources in _DIRECTIVES.items()),
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
}

Headers = list[tuple[bytes, bytes]]
Bucket = tuple[str, Limit]
TurnAway = Callable[[Scope, Refusal], ASGIApp]
"""How a request that may not come in is told so."""


def _as_problem(scope: Scope, refusal: Refusal) -> ASGIApp:
    return problem(refusal)


class Who(Protocol):
    async def __call__(self, token: str, /) -> Caller | None: ...


class Middleware:
    """Ask the application behind it only what may come in.

    `who` says whose a session's token is; `cache` counts requests; `turn_away` tells who may not come in."""

    def __init__(
        self, app: ASGIApp, settings: Settings, who: Who, cache: Store, turn_away: TurnAway = _as_problem
    ) -> None:
        self._app = app
        self._account = Limit(settings.account_rate, settings.account_burst)
        self._address = Limit(settings.address_rate, settings.address_burst)
        self._limit_loopback = settings.limit_loopback
        self._proxies = frozenset(settings.proxies.split())
        self._hosts = settings.allowed_hosts()
        self._bodies = Bodies(settings)
        self._requests = 0
        self._requests_max = settings.requests_at_once
        self._ids = count()
        self._process = secrets.token_hex(6)
        self._secure = settings.secure_cookies
        self._logs_requests = settings.log_level.lower() == "debug"
        headers = dict(_SECURITY)
        if self._secure:
            headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
        self._headers: Headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._policies: dict[str, bytes] = {
            name: f'"{name}";q={limit.burst};w={ceil(limit.burst / limit.rate)}'.encode()
            for name, limit in (("account", self._account), ("address", self._address))
        }
        self._turn_away = turn_away
        self._who = who
        self._take = RequestLimits(Limits(cache)).take
        self._users: dict[str, UserId] = {}
        self._authenticate = self.authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = _RequestHeaders(scope["headers"])
        request_id = given.request_id or f"{self._process}-{next(self._ids):x}".encode()
        context = scope["mercat.context"] = RequestContext(
            request_id, given.token, self._authenticate, bearer=given.bearer, secure=self._secure
        )
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id.decode())
        reply = _Reply(self._headers, context, scope["method"], given.if_none_match, send)
        began = time.perf_counter()
        if refusal := self._host_refusal(scope, given.hosts):
            await self._turn_away(scope, refusal)(scope, receive, reply)
            return
        address = scope["mercat.address"] = self._address_of(scope, given)
        if given.length or (scope["http_version"] == "2" and scope["method"] in _WITH_BODY):
            try:
                body = scope[BODY] = await self._bodies.read(
                    receive, network(address), given.length, loopback=address in LOOPBACK
                )
            except (RequestTimeout, TooManyRequests, Overloaded) as refusal:
                reply.more.append((b"connection", b"close"))
                await self._turn_away(scope, refusal)(scope, receive, reply)
                return
            receive = whole(body, receive)
        if self._requests >= self._requests_max and scope["path"] not in _ALWAYS_OPEN:
            await self._turn_away(scope, Overloaded())(scope, receive, reply)
            return
        self._requests += 1
        try:
            try:
                await self._count(context, address, reply)
            except TooManyRequests as refusal:
                await self._turn_away(scope, refusal)(scope, receive, reply)
                return
            await self._app(scope, receive, reply)
        finally:
            self._requests -= 1
            if self._logs_requests:
                log.debug(
                    "answered",
                    method=scope["method"],
                    path=scope["path"],
                    status=reply.status,
                    ms=round((time.perf_counter() - began) * 1000, 1),
                )

    async def authenticate(self, request: Request) -> Caller | None:
        """Say who asks: by the bearer token, else by the cookie. Asked again it remembers."""
        context = context_of(request)
        if context.asked:
            return context.caller
        caller = await self._who(context.token) if context.token else None
        if caller and not context.counted:
            # The first request with this token in this process: from now on its account is known above.
            if len(self._users) >= _TOKENS_MAX:
                self._users.clear()
            self._users[context.token] = caller.user_id
            context.counted = True
            _refuse_empty(await self._take([self._account_bucket(caller.user_id)]))
        context.caller, context.asked = caller, True
        return caller

    def _host_refusal(self, scope: Scope, hosts: list[bytes]) -> Refusal | None:
        """Say why a request's host is not answered, if it is not; probes may ask by any name."""
        if len(hosts) != 1:
            return (
                BadRequest("A request names one host.") if hosts or scope["http_version"] == "1.1" else None
            )
        name = host_name(hosts[0])
        if not name:
            return BadRequest("The Host header is malformed.")
        known = not self._hosts or name in self._hosts or scope["path"] in _ALWAYS_OPEN
        return None if known else MisdirectedRequest()

    def _account_bucket(self, user_id: UserId) -> Bucket:
        return f"account:{int(user_id)}", self._account

    def _address_of(self, scope: Scope, given: "_RequestHeaders") -> str:
        client = scope.get("client")
        address = client[0] if client else ""
        if address in self._proxies and given.forwarded_for:
            address = given.forwarded_for.decode("latin-1").rpartition(",")[2].strip()
        return address

    async def _count(self, context: RequestContext, address: str, reply: "_Reply") -> None:
        buckets: list[Bucket] = []
        names: list[str] = []
        if self._limit_loopback or address not in LOOPBACK:
            buckets.append((f"address:{network(address)}", self._address))
            names.append("address")
        user_id = self._users.get(context.token) if context.token else None
        if user_id is not None:
            context.counted = True
            buckets.append(self._account_bucket(user_id))
            names.append("account")
        if not buckets:
            return
        verdicts = await self._take(buckets)
        if not verdicts:
            return
        for name, verdict in zip(names, verdicts, strict=True):
            remaining = f'"{name}";r={verdict.remaining};t={ceil(verdict.retry_after_s)}'.encode()
            reply.more.append((b"ratelimit-policy", self._policies[name]))
            reply.more.append((b"ratelimit", remaining))
        _refuse_empty(verdicts)


class RequestLimits:
    """Take tokens from the buckets of all requests of the moment in one round trip; none while Valkey
    does not answer, since a shop without limits is better than no shop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._breaker = Breaker("limits", timeout_s=0.5)
        self._together: Coalescer[Sequence[Bucket], list[Allowance]] = Coalescer(
            self._flush, weigh=len, turns=False
        )

    async def take(self, buckets: Sequence[Bucket]) -> list[Allowance]:
        try:
            return await self._together(buckets)
        except Overloaded:
            return []

    async def _flush(self, asks: list[Sequence[Bucket]]) -> list[list[Allowance]]:
        none: list[Allowance] = []
        wanted = [bucket for ask in asks for bucket in ask]
        verdicts = iter(await self._breaker.ask(self._limits.take(*wanted), none))
        return [[verdict for _, verdict in zip(ask, verdicts, strict=False)] for ask in asks]


def _refuse_empty(verdicts: Sequence[Allowance]) -> None:
    waits = [verdict.retry_after_s for verdict in verdicts if not verdict.allowed]
    if waits:
        raise TooManyRequests(retry_after=max(1, ceil(max(waits))))


class _RequestHeaders:
    """The few request headers that the middleware itself looks at."""

    __slots__ = ("bearer", "forwarded_for", "hosts", "if_none_match", "length", "request_id", "token")

    def __init__(self, headers: Headers) -> None:  # noqa: C901  - one loop, no call a header
        self.token = ""
        self.bearer = False
        self.request_id = self.if_none_match = self.forwarded_for = b""
        self.hosts: list[bytes] = []
        self.length = b""
        """Of the body in bytes; empty: there is none, `chunked`: it is not said."""
        cookie = b""
        for name, value in headers:
            if name == b"authorization":
                if value[:7].lower() == b"bearer ":
                    self.bearer = True
                    self.token = value[7:].strip().decode("latin-1")
            elif name == b"cookie":
                if _COOKIE_START in value:
                    cookie = value
            elif name == b"if-none-match":
                self.if_none_match = value
            elif name == b"x-request-id":
                if _REQUEST_ID.fullmatch(value):
                    self.request_id = value
            elif name == b"host":
                self.hosts.append(value)
            elif name == b"content-length":
                if value != b"0":
                    self.length = value
            elif name == b"transfer-encoding":
                self.length = b"chunked"
            elif name == b"x-forwarded-for":
                self.forwarded_for = value
        if cookie and not self.bearer:
            self.token = _session_token(cookie)


def _session_token(cookies: bytes) -> str:
    token = ""
    for cookie in cookies.split(b";"):
        cookie = cookie.strip()
        if cookie.startswith(_COOKIE_START):
            token = cookie[len(_COOKIE_START) :].strip(b'"').decode("latin-1")
    return token


class _Reply:
    """Send the answer with the headers of every answer; a short one to a read gets an ETag, and is not
    sent to who has it."""

    __slots__ = ("_base", "_context", "_head", "_if_none_match", "_read", "_send", "_start", "more", "status")

    def __init__(
        self, base: Headers, context: RequestContext, method: str, if_none_match: bytes, send: Send
    ) -> None:
        self._base = base
        self._context = context
        self._head = method == "HEAD"
        self._read = method == "GET" or self._head
        self._if_none_match = if_none_match
        self._send = send
        self._start: Message | None = None
        self.more: Headers = []
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message["headers"],
                *(_with(self._context.directives, self._base) if self._context.directives else self._base),
                (b"x-request-id", self._context.request_id),
            ]
            if self.more and not _is_public(message["headers"]):
                message["headers"] += self.more
            if self._context.cookie:
                message["headers"].append((b"set-cookie", self._context.cookie.encode()))
            if self._read and self.status == 200:
                self._start = message
            else:
                await self._send(message)
            return
        start, self._start = self._start, None
        body: bytes = message.get("body", b"")
        if start is not None:
            if not message.get("more_body") and len(body) <= _ETAG_BYTES_MAX and self._known(start, body):
                self.status = 304
                await self._send(start)
                await self._send({"type": "http.response.body", "body": b""})
                return
            await self._send(start)
        if self._head and body:
            message = {**message, "body": b""}
        await self._send(message)

    def _known(self, start: Message, body: bytes) -> bool:
        """Tag the answer; True when the asker has it already, and `start` says so now."""
        etag = b""
        for name, value in start["headers"]:
            if name == b"etag":
                etag = value
        if not etag:
            # CRC-32 finds every change within four bytes, and the length goes with it.
            etag = b'W/"%x-%x"' % (len(body), zlib.crc32(body))
            start["headers"].append((b"etag", etag))
        if not self._if_none_match or not _has(self._if_none_match, etag):
            return False
        own = {name for name, _ in self._base} | _KEPT_BY_304 | {b"x-request-id"}
        start["status"] = 304
        start["headers"] = [(name, value) for name, value in start["headers"] if name in own]
        return True


def _with(directives: Mapping[str, str], base: Headers) -> Headers:
    policy = "; ".join(f"{name} {sources}" for name, sources in {**_DIRECTIVES, **directives}.items())
    return [(name, policy.encode() if name == b"content-security-policy" else value) for name, value in base]


def _is_public(headers: Headers) -> bool:
    """Say whether caches may keep an answer: then nothing of who asked for it goes along."""
    return any(name == b"cache-control" and value.startswith(b"public") for name, value in headers)


def _has(if_none_match: bytes, etag: bytes) -> bool:
    """Compare weakly (RFC 9110, 8.8.3.2)."""
    if if_none_match.strip() == b"*":
        return True
    wanted = etag.removeprefix(b"W/")
    return any(tag.strip().removeprefix(b"W/") == wanted for tag in if_none_match.split(b","))
