"""What is known of one request, from the middleware to the handler that answers it."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request

from mercat.kit.rpc import Caller

Authenticate = Callable[[Request], Awaitable[Caller | None]]


class RequestContext:
    """What the middleware read of a request, and what was found out since."""

    __slots__ = (
        "asked",
        "authenticate",
        "bearer",
        "caller",
        "cookie",
        "counted",
        "directives",
        "request_id",
        "secure",
        "token",
    )

    def __init__(
        self, request_id: bytes, token: str, authenticate: Authenticate, *, bearer: bool, secure: bool
    ) -> None:
        self.request_id = request_id
        self.token = token
        self.authenticate = authenticate
        self.bearer = bearer
        self.secure = secure
        self.counted = False
        self.asked = False
        self.caller: Caller | None = None
        self.directives: Mapping[str, str] = {}
        """Of this page's Content-Security-Policy, in place of the usual ones."""
        self.cookie = ""


def context_of(request: Request) -> RequestContext:
    context: RequestContext = request.scope["mercat.context"]
    return context


def allow(request: Request, directives: Mapping[str, str]) -> None:
    """Let somebody else's script into this page, by these directives of its content policy."""
    context_of(request).directives = directives
