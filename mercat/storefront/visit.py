"""What every page shares: who came, what form they sent, how a page, a fragment or a refusal goes back."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
import structlog
from jinja2 import Environment
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from mercat.ids import Id
from mercat.kit import codec
from mercat.kit.refusals import (
    BadRequest,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    Refusal,
    SignInFirst,
    TooLarge,
)
from mercat.kit.rpc import BODY_BYTES_MAX, Authenticate, Caller, malformed, problem
from mercat.payments import ProviderDeclaration
from mercat.storefront import render
from mercat.storefront.csrf import Csrf

Handler = Callable[[Request], Awaitable[Response]]
_PRIVATE = "private, no-store"
# Four seconds in all: what a page says of price and stock may be five seconds old at most.
_PUBLIC = "public, max-age=2, stale-while-revalidate=2"
_FIELDS_MAX = 1_200
log = structlog.get_logger("mercat.storefront")


class Department(NamedTuple):
    slug: str
    name: str
    product_count: int


class Trouble(NamedTuple):
    """A refusal as a page says it: what happened, whether money moved, what to do."""

    title: str
    what: str = ""
    money: str = ""
    todo: str = ""


_WORDS = {
    401: "Please sign in",
    403: "This is not yours to do",
    404: "There is nothing here",
    405: "That cannot be done here",
    409: "That does not go together",
    413: "That is too large",
    429: "One moment, please",
    503: "The shop is full at the moment",
}


class Visits:
    """Pages for people. `authenticate` says who came; `departments` what stands in the head of each page."""

    def __init__(
        self,
        *,
        authenticate: Authenticate,
        departments: Callable[[], Awaitable[Sequence[Department]]],
        session_cookie: Callable[[str, int], str],
        secret: bytes,
        secure: bool = False,
        provider: ProviderDeclaration,
    ) -> None:
        self._authenticate = authenticate
        self._departments = departments
        self._session_cookie = session_cookie
        self.csrf = Csrf(secret, secure=secure)
        field = provider.card_field
        self.statics = render.Statics([field.script] if field else [])
        self._templates = render.environment(self.statics, self.csrf.token, provider)

    # -- who

    async def caller(self, request: Request) -> Caller | None:
        """Who came: somebody signed in, a guest with a session, or nobody we know."""
        started: Caller | None = request.scope.get("mercat.started")
        return started or await self._authenticate(request)

    async def member(self, request: Request) -> Caller:
        """Somebody signed in; everybody else is sent to sign in."""
        caller = await self.caller(request)
        if caller is None or caller.guest:
            raise SignInFirst
        return caller

    async def with_role(self, request: Request, role: str) -> Caller:
        caller = await self.member(request)
        if role not in caller.roles:
            raise Forbidden(f"Only a {role} may see this page.")
        return caller

    def allow(self, request: Request, directives: Mapping[str, str]) -> None:
        """Let somebody else's script into this page, by these directives of its policy."""
        if visit := request.scope.get("mercat.visit"):
            visit.directives = directives

    def token(self, request: Request) -> str:
        """The session's token, as the door read it."""
        visit = request.scope.get("mercat.visit")
        return visit.token if visit else ""

    def start(self, request: Request, caller: Caller, token: str, lifetime_s: int) -> None:
        """From this request on the browser has this session."""
        request.scope["mercat.started"] = caller
        request.scope["mercat.cookie"] = self._session_cookie(token, lifetime_s)

    def end(self, request: Request) -> None:
        request.scope["mercat.cookie"] = self._session_cookie("", 0)

    # -- what they sent

    async def form(self, request: Request, *, everybodys: bool = False) -> dict[str, str]:
        """The form's fields, once it is known to be ours."""
        form = await self._read(request)
        given = {name: value for name, value in form.items() if isinstance(value, str)}
        self.csrf.check(request, given.pop("csrf", ""), everybodys=everybodys)
        if any("\0" in value for value in given.values()):
            raise BadRequest("A field has a character (NUL) that no text may have.")
        return given

    async def upload(self, request: Request, name: str) -> bytes:
        """A form's file."""
        form = await self._read(request)
        given = form.get("csrf")
        self.csrf.check(request, given if isinstance(given, str) else "")
        file = form.get(name)
        return await file.read() if isinstance(file, UploadFile) else b""

    async def _read(self, request: Request) -> FormData:
        length = request.headers.get("content-length", "")
        if not length.isdigit():
            raise BadRequest("A form says how long it is.")
        if int(length) > BODY_BYTES_MAX:
            raise TooLarge
        return await request.form(max_files=1, max_fields=_FIELDS_MAX, max_part_size=BODY_BYTES_MAX)

    # -- what they get

    async def page(self, request: Request, name: str, /, status: int = 200, **shown: Any) -> Response:
        """A page for this person only."""
        response = HTMLResponse(await self._written(request, name, shown), status)
        self._finish(request, response)
        return response

    async def everybodys(
        self, request: Request, name: str, /, keys: Sequence[str], status: int = 200, **shown: Any
    ) -> Response:
        """A page that is the same for all: caches may keep it, and purge it by any of `keys`."""
        headers = {"Cache-Control": _PUBLIC, "Surrogate-Key": " ".join(keys)}
        return HTMLResponse(await self._written(request, name, {"request": None, **shown}), status, headers)

    def fragment(self, request: Request, name: str, /, status: int = 200, **shown: Any) -> Response:
        """A piece of a page, for this person only."""
        content = self._templates.get_template(f"fragments/{name}").render(request=request, **shown)
        response = HTMLResponse(content, status)
        self._finish(request, response)
        return response

    def written(self, name: str, /, **shown: Any) -> str:
        """A fragment's text, for who sends it in a way of their own."""
        return self._templates.get_template(f"fragments/{name}").render(**shown)

    def say(
        self, request: Request, tone: str, words: str, url: str = "", link: str = "", *, status: int = 200
    ) -> Response:
        """A sentence where the script asked for one; `tone` is good, warn or bad."""
        return self.fragment(request, "said.html", status, tone=tone, words=words, url=url, link=link)

    def go(self, request: Request, url: str) -> Response:
        """Done; look there. (After a form: 303, so that a reload sends nothing twice.)"""
        response = RedirectResponse(url, 303)
        self._finish(request, response)
        return response

    async def _written(self, request: Request, name: str, shown: dict[str, Any]) -> str:
        base: dict[str, Any] = {
            "request": request,
            "departments": await self._departments(),
            "origin": f"{request.url.scheme}://{request.url.netloc}",
            "refused": None,
            "problems": {},
            "q": "",
        }
        return self._templates.get_template(name).render(**(base | shown))

    def _finish(self, request: Request, response: Response) -> None:
        response.headers["Cache-Control"] = _PRIVATE
        self.csrf.keep(request, response)
        if cookie := request.scope.get("mercat.cookie"):
            response.headers.append("Set-Cookie", cookie)

    # -- routes, and what goes wrong on them

    def route(self, path: str, handler: Handler, *methods: str) -> Route:
        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except SignInFirst:
                here = request.url.path if request.method == "GET" else "/"
                return self.go(request, f"/signin?next={quote(here)}")
            except Refusal as refusal:
                return await self.refused(request, refusal)
            except msgspec.ValidationError as error:
                return await self.refused(request, malformed(error))
            except ClientDisconnect:
                return Response(status_code=499)
            except Exception:
                log.exception("a page failed", path=request.url.path)
                return await self.refused(request, Refusal())

        return Route(path, answered, methods=list(methods or ("GET",)))

    async def refused(self, request: Request, refusal: Refusal) -> Response:
        """A page that says why there is none, and where to go on."""
        if request.headers.get("content-type", "").startswith("application/json"):
            return problem(refusal)  # a program asks
        title = _WORDS.get(refusal.status, "This page could not be shown")
        if 400 <= refusal.status < 500 and refusal.status not in _WORDS:
            title = "That did not work"
        words = str(refusal)
        if refusal.status >= 500:
            words += " If you were paying: look at your orders first, a payment is never taken twice."
        if request.headers.get("hx-request"):
            response = self.say(request, "bad", str(refusal), status=refusal.status)
        else:
            links = [("/", "To the shop"), ("/orders", "Your orders")]
            if request.method == "GET" and refusal.status in (429, 500, 503):
                links.insert(0, (request.url.path, "Try again"))
            visit = request.scope.get("mercat.visit")
            try:
                response = await self.page(
                    request,
                    "error.html",
                    refusal.status,
                    code=refusal.status,
                    title=title,
                    words=words,
                    links=links,
                    request_id=visit.request_id.decode() if visit and refusal.status >= 500 else "",
                )
            except Refusal:  # the departments in the page's head could not be had either
                response = HTMLResponse(self._bare(title, words), refusal.status)
        if refusal.retry_after:
            response.headers["Retry-After"] = str(refusal.facts.get("retry_after", refusal.retry_after))
        return response

    def _bare(self, title: str, words: str) -> str:
        return self._templates.get_template("bare.html").render(title=title, words=words, again=0)

    async def nowhere(self, request: Request) -> Response:
        """What no page answers. Only an address that takes other methods matches in part."""
        for route in request.app.routes:
            if isinstance(route, Route) and route.matches(request.scope)[0] is Match.PARTIAL:
                answer = await self.refused(request, MethodNotAllowed("This page is only looked at."))
                answer.headers["Allow"] = ", ".join(sorted(route.methods or ()))
                return answer
        raise NotFound("The address may be mistyped, or the product is no longer listed.")


def refuse(scope: Scope, refusal: Refusal) -> Response:
    """What the door turns away before a page is asked: for people a page that comes back by itself, for
    machines the problem document."""
    headers = Headers(scope=scope)
    if scope["path"].startswith("/api/") or "text/html" not in headers.get("accept", ""):
        return problem(refusal)
    again = max(3, int(refusal.facts.get("retry_after", refusal.retry_after) or 0))
    shown = {"title": _WORDS.get(refusal.status, "One moment, please"), "words": str(refusal), "again": again}
    if scope["method"] != "GET":
        shown["again"] = 0
    page = _plain().get_template("bare.html").render(**shown)
    return HTMLResponse(page, refusal.status, {"Cache-Control": _PRIVATE, "Retry-After": str(again)})


@cache
def _plain() -> Environment:
    return render.environment(render.Statics(), lambda _: "")


def shown_id(given: str, kind: type[Any]) -> Any:
    """An id out of an address or a form; an impossible one names nothing."""
    try:
        found: Id = codec.convert(given, kind)
    except msgspec.ValidationError:
        raise NotFound from None
    return found


def number(given: str | None, otherwise: int, least: int, most: int) -> int:
    """A number out of an address; nonsense is as good as nothing."""
    if given and given.isascii() and given.isdigit() and len(given) < 10:
        return min(max(int(given), least), most)
    return otherwise


def inside(url: str) -> str:
    """A path of this shop to go on to; never another site."""
    parts = urlsplit(url)
    safe = url.startswith("/") and not url.startswith(("//", "/\\")) and not parts.netloc and "\\" not in url
    return url if safe and url.isprintable() else "/"


def trouble(refusal: Refusal) -> Trouble:
    """A refusal of a form that moves no money."""
    return Trouble(str(refusal))
