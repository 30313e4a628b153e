"""What is known of one request, from the middleware to the handler that answers it."""

from collections.abc import Awaitable, Callable

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
        "card_field",
        "cookie",
        "counted",
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
        self.card_field = False
        self.cookie = ""


def context_of(request: Request) -> RequestContext:
    context: RequestContext = request.scope["mercat.context"]
    return context


def allow_card_field(request: Request) -> None:
    """Let the payment provider's own field into this page's content policy."""
    context_of(request).card_field = True
