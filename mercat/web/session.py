"""Who sent a request, and the start and the end of a session, for both faces."""

from starlette.requests import Request

from mercat.accounts import AGENT_MAX, Accounts, Session
from mercat.kit import clock
from mercat.kit.refusals import Forbidden, SignInFirst
from mercat.kit.rpc import Caller
from mercat.web.context import context_of, cookie_name
from mercat.web.networks import network_of as network_at

COOKIE = "mercat_session"


async def caller_of(request: Request) -> Caller | None:
    """Say who came: somebody signed in, a guest with a session, or nobody we know. Pages know no keys."""
    caller = await context_of(request).authenticate(request)
    return None if caller and caller.scopes is not None else caller


async def api_caller(request: Request) -> Caller | None:
    """Say who asks the API: also a program with a key, which a route lets in by its scopes."""
    return await context_of(request).authenticate(request)


async def member_of(request: Request) -> Caller:
    """Say who came; raise SignInFirst unless it is somebody signed in."""
    caller = await caller_of(request)
    if caller is None or caller.guest:
        raise SignInFirst
    return caller


async def with_role(request: Request, role: str) -> Caller:
    """Say who came; raise Forbidden unless they have the role."""
    caller = await member_of(request)
    if role not in caller.roles:
        raise Forbidden(f"Only a {role} may see this page.")
    return caller


async def guest_session(request: Request, accounts: Accounts) -> Caller:
    """Start a guest's session for somebody who has none: what they do must stay theirs."""
    return start_session(request, await new_guest(request, accounts))


async def new_guest(request: Request, accounts: Accounts) -> Session:
    """Make a guest; TooManyRequests where their network makes more than its share."""
    await context_of(request).charge(request, "guests")
    return await accounts.guest()


def start_session(request: Request, session: Session) -> Caller:
    """Make this the session of the request and of the browser that sent it."""
    context = context_of(request)
    lifetime_s = int((session.expires_at - clock.now()).total_seconds())
    context.cookie = _cookie(session.token, lifetime_s, secure=context.secure)
    context.token = session.token
    context.caller, context.asked = Caller(session.user_id), True
    return context.caller


def end_session(request: Request) -> None:
    """Make the browser forget its session."""
    context = context_of(request)
    context.cookie = _cookie("", 0, secure=context.secure)


def network_of(request: Request) -> str:
    """Say where a request comes from: the address, or of IPv6 the network of one customer."""
    return network_at(request.scope["mercat.address"])


def agent_of(request: Request) -> str:
    """Say which program sent a request, as it says itself."""
    return "".join(each for each in request.headers.get("user-agent", "")[:AGENT_MAX] if each.isprintable())


def token_of(request: Request) -> str:
    """Return the session's token, from wherever it came."""
    return context_of(request).token


def _cookie(token: str, lifetime_s: int, *, secure: bool) -> str:
    name = cookie_name(COOKIE, secure=secure)
    return f"{name}={token}; Path=/; Max-Age={lifetime_s}; HttpOnly; SameSite=Lax" + (
        "; Secure" if secure else ""
    )
