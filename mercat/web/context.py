"""What is known of one request, from the middleware to the handler that answers it."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request

from mercat.kit.rpc import Caller

Authenticate = Callable[[Request], Awaitable[Caller | None]]
Charge = Callable[[Request, str], Awaitable[None]]
"""Count a request against a limit of its network, by the limit's name; raise TooManyRequests."""


class RequestContext:
    """What the middleware read of a request, and what was found out since."""

    __slots__ = (
        "asked",
        "authenticate",
        "bearer",
        "caller",
        "charge",
        "cookie",
        "counted",
        "directives",
        "request_id",
        "secure",
        "token",
        "without_cookies",
    )

    def __init__(
        self,
        request_id: bytes,
        token: str,
        authenticate: Authenticate,
        charge: Charge,
        *,
        bearer: bool,
        secure: bool,
    ) -> None:
        self.request_id = request_id
        self.token = token
        self.authenticate = authenticate
        self.charge = charge
        self.bearer = bearer
        self.secure = secure
        self.counted = False
        self.asked = False
        self.caller: Caller | None = None
        self.directives: Mapping[str, str] = {}
        """Of this page's Content-Security-Policy, in place of the usual ones."""
        self.cookie = ""
        """Of the session that this answer starts or ends, as a header."""
        self.without_cookies = False
        """Whether another site's page asks that may, which sends no cookie of ours and is given none."""

    def go_without_cookies(self) -> None:
        """Take the request for one without cookies, and give none: another site's page sends it, and may."""
        self.without_cookies = True
        if not self.bearer:
            self.token = ""


def cookie_name(name: str, *, secure: bool) -> str:
    """Name a cookie as browsers see it: over TLS none that another host or plain HTTP has set can be taken
    for ours (RFC 6265bis, `__Host-`)."""
    return f"__Host-{name}" if secure else name


def context_of(request: Request) -> RequestContext:
    context: RequestContext = request.scope["mercat.context"]
    return context


def allow(request: Request, directives: Mapping[str, str]) -> None:
    """Let somebody else's script into this page, by these directives of its content policy."""
    context_of(request).directives = directives
