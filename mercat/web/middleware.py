"""What every request passes: an id, who asks, how often, and what every answer carries.

Plain ASGI around the whole application, so that pages and the API share it. It costs no round trip
where nobody is signed in and the address is not limited, and else one to each Valkey, shared by all requests
of the moment.
"""

import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from math import ceil
from typing import Any, Protocol

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mercat.ids import UserId
from mercat.kit import metrics
from mercat.kit.batching import Coalescer
from mercat.kit.breaker import Breaker
from mercat.kit.http import BODY, problem
from mercat.kit.limits import Allowance, Limit, Limits
from mercat.kit.refusals import (
    BadRequest,
    Forbidden,
    MisdirectedRequest,
    Overloaded,
    Refusal,
    TooManyRequests,
)
from mercat.kit.rpc import Caller
from mercat.kit.valkey import Store
from mercat.settings import Settings
from mercat.web.access_log import AccessLog
from mercat.web.acting import Act
from mercat.web.bodies import Bodies, RequestTimeout, whole
from mercat.web.cache import weak_etag
from mercat.web.compression import BYTES_MIN, Compressor, coding_for, is_compressible
from mercat.web.context import RequestContext, context_of, cookie_name
from mercat.web.cors import Cors
from mercat.web.lanes import DEAR, Lane, Lanes, lane_of
from mercat.web.looks import Looks
from mercat.web.networks import Proxies, is_loopback, network_of
from mercat.web.origin import from_our_page, host_name
from mercat.web.session import COOKIE

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_TOKENS_MAX = 50_000
_ETAG_BYTES_MAX = 1_000_000
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FILES = frozenset(
    {"/api/v1/seller/imports", "/api/v1/media", "/desk/upload", "/desk/new", "/desk/new/pictures"}
)
_PICTURES_OF = re.compile(r"/desk/products/[^/]+/pictures/new")
"""Where files are sent, which may be large."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""What may have a body in HTTP/2 without saying how long it is."""
_ALWAYS_OPEN = frozenset({"/health", "/ready", "/metrics"})
_VARIES = (b"vary", b"Accept-Encoding")
_KEPT_BY_304 = frozenset({b"cache-control", b"etag", b"vary", b"surrogate-key", b"set-cookie", b"date"})

_DIRECTIVES = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: https:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
_SECURITY = {
    "content-security-policy": "; ".join(f"{name} {sources}" for name, sources in _DIRECTIVES.items()),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
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

    `who` says whose a session's token is, `act` for whom they act; `cache` counts requests, `looks` what is
    looked at; `turn_away` tells who may not come in."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        who: Who,
        cache: Store,
        turn_away: TurnAway = _as_problem,
        act: Act | None = None,
        looks: Looks | None = None,
    ) -> None:
        self._app = app
        self._looks = looks
        self._account = Limit(settings.account_rate, settings.account_burst)
        self._address = Limit(settings.address_rate, settings.address_burst)
        self._dear = Limit(settings.dear_rate, settings.dear_burst)
        self._charged = {"guests": Limit(settings.guest_rate, settings.guest_burst)}
        self._limit_loopback = settings.limit_loopback
        self._proxies = Proxies(settings.proxies)
        self._hosts = settings.allowed_hosts()
        self._bodies = Bodies(settings)
        self._lanes = Lanes()
        self._compressor = Compressor()
        self._requests = 0
        self._requests_max = settings.requests_at_once
        self._ids = count()
        self._process = secrets.token_hex(6)
        self._secure = settings.secure_cookies
        self._cookie_start = f"{cookie_name(COOKIE, secure=self._secure)}=".encode()
        self._cors = Cors(settings.cors_origins)
        headers = dict(_SECURITY)
        if self._secure:
            headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
        self._headers: Headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._policies: dict[str, bytes] = {
            name: f'"{name}";q={limit.burst};w={ceil(limit.burst / limit.rate)}'.encode()
            for name, limit in (
                ("account", self._account),
                ("address", self._address),
                ("dear", self._dear),
            )
        }
        self._turn_away = _counted(turn_away)
        self._pages = _PageCounts()
        self._access = AccessLog() if settings.access_log else None
        self._who = who
        self._act = act
        self._take = RequestLimits(Limits(cache)).take
        self._users: dict[str, UserId] = {}
        self._authenticate = self.authenticate
        self._charge = self.charge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = _RequestHeaders(scope["headers"], self._cookie_start)
        request_id = given.request_id or f"{self._process}-{next(self._ids):x}".encode()
        context = scope["mercat.context"] = RequestContext(
            request_id,
            given.token,
            self._authenticate,
            self._charge,
            bearer=given.bearer,
            secure=self._secure,
        )
        structlog.contextvars.bind_contextvars(request_id=request_id.decode())
        reply = _Reply(self._headers, context, scope["method"], given, self._compressor, send)
        if refusal := self._host_refusal(scope, given.hosts) or given.malformed():
            await self._turn_away(scope, refusal)(scope, receive, reply)
            return
        client = scope.get("client")
        address = scope["mercat.address"] = self._proxies.client(
            client[0] if client else "", given.forwarded_for
        )
        if given.length or (scope["http_version"] == "2" and scope["method"] in _WITH_BODY):
            try:
                body = scope[BODY] = await self._bodies.read(
                    receive,
                    network_of(address),
                    given.length,
                    loopback=is_loopback(address),
                    is_file=scope["path"] in _FILES or bool(_PICTURES_OF.fullmatch(scope["path"])),
                )
            except (RequestTimeout, BadRequest, TooManyRequests, Overloaded) as refusal:
                reply.more.append((b"connection", b"close"))
                await self._turn_away(scope, refusal)(scope, receive, reply)
                return
            receive = whole(body, receive)
        else:
            scope[BODY] = b""
        if at_once := self._answered_at_once(scope, given, context, reply):
            await at_once(scope, receive, reply)
            return
        path = scope["path"]
        lane = None if path in _ALWAYS_OPEN else self._lanes.of(path, reading=reply.reading)
        if lane and (self._requests >= self._requests_max or lane.refuses()):
            await self._turn_away(scope, Overloaded())(scope, receive, reply)
            return
        await self._serve(scope, receive, reply, lane)

    async def _serve(self, scope: Scope, receive: Receive, reply: "_Reply", lane: Lane | None) -> None:
        """Ask the application, once the limits allow it and the lane has room."""
        self._requests += 1
        arrived = time.perf_counter()
        try:
            try:
                await self._count(scope, reply, dear=lane is not None and lane.name in DEAR)
                if lane and not lane.begin():
                    await lane.wait()
            except (TooManyRequests, Overloaded) as refusal:
                await self._turn_away(scope, refusal)(scope, receive, reply)
                return
            reply.lane, reply.began = lane, time.perf_counter()
            await self._app(scope, receive, reply)
        finally:
            self._requests -= 1
            reply.leave()
            if self._looks:
                self._looks.note(scope, reply.status, reply.shown, reply.location)
            if lane and scope["path"][:5] != "/api/" and reply.began:  # a route of the API counts itself
                self._pages.note(lane.name, reply.status, time.perf_counter() - arrived)
            if self._access:
                self._access.write(scope, reply.status, time.perf_counter() - arrived)

    def _answered_at_once(
        self, scope: Scope, given: "_RequestHeaders", context: RequestContext, reply: "_Reply"
    ) -> ASGIApp | None:
        """Answer what another site's page asks and may not, or asks whether it may."""
        if self._cors.concerns(scope["path"]):
            reply.shared = self._cors.headers(given.origin)
            if self._cors.allows(given.origin):
                if preflight := self._cors.preflight(scope):
                    return Response(status_code=204, headers=_shown(preflight))
                context.go_without_cookies()
        refusal = self._site_refusal(scope, context)
        return self._turn_away(scope, refusal) if refusal else None

    def _site_refusal(self, scope: Scope, context: RequestContext) -> Refusal | None:
        """Refuse what another site's page sends: it could use the visitor's cookie, or give them one of its
        own. A client that says nothing of where a request comes from is no browser."""
        if scope["method"] in _SAFE or context.bearer or context.without_cookies:
            return None
        if from_our_page(Request(scope)) is False:
            return Forbidden("This came from another site's page. Use a bearer token instead of the cookie.")
        return None

    async def charge(self, request: Request, name: str) -> None:
        """Count a request against a limit of its network's own; raise TooManyRequests."""
        address: str = request.scope["mercat.address"]
        if self._limit_loopback or not is_loopback(address):
            _refuse_empty(await self._take([(f"{name}:{network_of(address)}", self._charged[name])]))

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
        if caller and self._act:
            context.caller = await self._act(request, caller)
        return context.caller

    def _host_refusal(self, scope: Scope, hosts: list[bytes]) -> Refusal | None:
        """Say why a request's host is not answered, if it is not; probes may ask by any name."""
        if scope["path"] in _ALWAYS_OPEN and scope["http_version"] not in ("1.1", "2") and not any(hosts):
            return None  # the plainest of probes speak HTTP/1.0 and name none
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

    async def _count(self, scope: Scope, reply: "_Reply", *, dear: bool) -> None:
        context: RequestContext = scope["mercat.context"]
        address: str = scope["mercat.address"]
        buckets: list[Bucket] = []
        names: list[str] = []
        if self._limit_loopback or not is_loopback(address):
            buckets.append((f"address:{network_of(address)}", self._address))
            names.append("address")
            if dear:
                buckets.append((f"dear:{network_of(address)}", self._dear))
                names.append("dear")
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


def _counted(turn_away: TurnAway) -> TurnAway:
    """Count what the door refuses."""

    def told(scope: Scope, refusal: Refusal) -> ASGIApp:
        reading = scope["method"] in _SAFE
        metrics.turned_away.labels(lane_of(scope["path"], reading=reading), refusal.code()).inc()
        return turn_away(scope, refusal)

    return told


class _PageCounts:
    """Metrics of pages, each looked up once."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, int], Any] = {}
        self._seconds: dict[str, Any] = {}

    def note(self, kind: str, status: int, seconds: float) -> None:
        """Count an answer."""
        answers = self._answers.get((kind, status))
        if answers is None:
            answers = self._answers[kind, status] = metrics.pages.labels(kind, str(status))
            self._seconds[kind] = metrics.page_seconds.labels(kind)
        answers.inc()
        self._seconds[kind].observe(seconds)


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

    __slots__ = (
        "accept_encoding",
        "bearer",
        "codings",
        "cookie",
        "fetch_site",
        "forwarded_for",
        "hosts",
        "if_none_match",
        "length",
        "origin",
        "request_id",
        "token",
    )

    def __init__(self, headers: Headers, cookie_start: bytes) -> None:  # noqa: C901  - one loop, no call a header
        self.token = ""
        self.bearer = False
        self.request_id = self.if_none_match = self.accept_encoding = b""
        self.fetch_site = self.origin = b""
        self.hosts: list[bytes] = []
        self.forwarded_for: list[bytes] = []
        self.codings: list[bytes] = []
        self.length = b""
        """Of the body in bytes; empty: there is none, `chunked`: it is not said."""
        self.cookie = False
        cookie = b""
        for name, value in headers:
            if name == b"authorization":
                if value[:7].lower() == b"bearer ":
                    self.bearer = True
                    self.token = value[7:].strip().decode("latin-1")
            elif name == b"accept-encoding":
                self.accept_encoding = value
            elif name == b"cookie":
                self.cookie = True
                if cookie_start in value:
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
                self.codings.append(value.strip().lower())
            elif name == b"x-forwarded-for":
                self.forwarded_for.append(value)
            elif name == b"origin":
                self.origin = value
            elif name == b"sec-fetch-site":
                self.fetch_site = value
        if self.codings:
            self.length = b"chunked"
        if cookie and not self.bearer:
            self.token = _session_token(cookie, cookie_start)

    def malformed(self) -> Refusal | None:
        """Refuse a body of which two readers might see two ends (RFC 9112, 6.3)."""
        if self.codings in ([], [b"chunked"]):
            return None
        return BadRequest("Send a body with its Content-Length, or with Transfer-Encoding: chunked alone.")


def _session_token(cookies: bytes, cookie_start: bytes) -> str:
    token = ""
    for cookie in cookies.split(b";"):
        cookie = cookie.strip()
        if cookie.startswith(cookie_start):
            token = cookie[len(cookie_start) :].strip(b'"').decode("latin-1")
    return token


class _Reply:
    """Send the answer with the headers of every answer; a whole one to a read gets an ETag, is compressed for
    who reads that, and is not sent to who has it."""

    __slots__ = (
        "_base",
        "_compressor",
        "_context",
        "_encoded",
        "_etag",
        "_given",
        "_head",
        "_public",
        "_send",
        "_start",
        "_type",
        "began",
        "lane",
        "location",
        "more",
        "reading",
        "shared",
        "shown",
        "status",
    )

    def __init__(
        self,
        base: Headers,
        context: RequestContext,
        method: str,
        given: "_RequestHeaders",
        compressor: Compressor,
        send: Send,
    ) -> None:
        self._base = base
        self._context = context
        self._head = method == "HEAD"
        self.reading = method == "GET" or self._head
        self._given = given
        self._compressor = compressor
        self._send = send
        self._start: Message | None = None
        self._etag = self._type = b""
        self._encoded = self._public = False
        self.more: Headers = []
        self.shared: Headers = []
        """What other sites' pages are told of whether they may read this."""
        self.status = 0
        self.shown = self.location = b""
        """What a search showed, and where an answer leads: for who counts what visitors look at."""
        self.lane: Lane | None = None
        self.began = 0.0

    def leave(self) -> None:
        """Give the lane's turn to the next: the answer is made, whatever time its way to the client takes."""
        if self.lane:
            self.lane.end(self.began)
            self.lane = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.leave()
            self._begin(message)
            if self.reading and self.status == 200:
                self._start = message
            else:
                await self._send(message)
            return
        start, self._start = self._start, None
        body: bytes = message.get("body", b"")
        if start is not None:
            if not message.get("more_body"):
                coding = self._finish(start, body)
                if self.status == 304:
                    body = b""
                elif coding:
                    body = await self._compressed(start, body, coding)
                message = {"type": "http.response.body", "body": body}
            await self._send(start)
        if self._head and body:
            message = {**message, "body": b""}
        await self._send(message)

    def _begin(self, start: Message) -> None:
        """Note what the answer says of itself, and add what every answer carries."""
        self.status = start["status"]
        for name, value in start["headers"]:
            if name == b"mercat-shown":
                self.shown = value
            elif name == b"location":
                self.location = value
            elif name == b"etag":
                self._etag = value
            elif name == b"content-type":
                self._type = value
            elif name == b"content-encoding":
                self._encoded = True
            elif name == b"cache-control":
                self._public = value.startswith(b"public")
        context = self._context
        if self.shown:
            start["headers"] = [each for each in start["headers"] if each[0] != b"mercat-shown"]
        start["headers"] = [
            *start["headers"],
            *(_with(context.directives, self._base) if context.directives else self._base),
            (b"x-request-id", context.request_id),
        ]
        if self.more and not self._public:  # nothing of who asked goes into what caches keep
            start["headers"] += self.more
        if self.shared:
            start["headers"] += self.shared
        if context.cookie and not context.without_cookies:
            start["headers"].append((b"set-cookie", context.cookie.encode()))

    def _finish(self, start: Message, body: bytes) -> str:
        """Tag the whole answer, status 304 for who has it already; return the coding to compress it in."""
        # A strong ETag is of these very bytes (RFC 9110, 8.8.3.3): such an answer stays as it is.
        may_be_small = (
            len(body) >= BYTES_MIN
            and not self._encoded
            and not self._etag.startswith(b'"')
            and is_compressible(self._type)
        )
        if may_be_small:
            start["headers"].append(_VARIES)
        if self._known(start, body) or not may_be_small or not self._given.accept_encoding:
            return ""
        return coding_for(self._given.accept_encoding) if self._public or self._is_asked_by_ours() else ""

    async def _compressed(self, start: Message, body: bytes, coding: str) -> bytes:
        body = await self._compressor.compress(body, coding, public=self._public)
        start["headers"] = [
            *(pair for pair in start["headers"] if pair[0] != b"content-length"),
            (b"content-encoding", coding.encode()),
            (b"content-length", b"%d" % len(body)),
        ]
        return body

    def _is_asked_by_ours(self) -> bool:
        """Say whether no other site can have made a browser ask for this with its cookie, so that the length
        of a compressed answer tells nobody of the secrets in it."""
        given = self._given
        return given.bearer or not given.cookie or given.fetch_site in (b"same-origin", b"none")

    def _known(self, start: Message, body: bytes) -> bool:
        """Tag the answer; True when the asker has it already, and `start` says so now."""
        etag = self._etag
        if not etag:
            if len(body) > _ETAG_BYTES_MAX:
                return False
            etag = weak_etag(body)
            start["headers"].append((b"etag", etag))
        if not self._given.if_none_match or not _has(self._given.if_none_match, etag):
            return False
        self.status = start["status"] = 304
        own = {name for name, _ in [*self._base, *self.shared]} | _KEPT_BY_304 | {b"x-request-id"}
        start["headers"] = [(name, value) for name, value in start["headers"] if name in own]
        return True


def _shown(headers: Headers) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}


def _with(directives: Mapping[str, str], base: Headers) -> Headers:
    policy = "; ".join(f"{name} {sources}" for name, sources in {**_DIRECTIVES, **directives}.items())
    return [(name, policy.encode() if name == b"content-security-policy" else value) for name, value in base]


def _has(if_none_match: bytes, etag: bytes) -> bool:
    """Compare weakly (RFC 9110, 8.8.3.2)."""
    if if_none_match.strip() == b"*":
        return True
    wanted = etag.removeprefix(b"W/")
    return any(tag.strip().removeprefix(b"W/") == wanted for tag in if_none_match.split(b","))
