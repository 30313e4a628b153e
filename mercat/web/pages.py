"""How a page, a fragment or a refusal is rendered and sent, for one person or for everybody."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec
import structlog
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Match, Route

from mercat.kit.refusals import BadRequest, MethodNotAllowed, NotFound, Refusal, SignInFirst
from mercat.kit.rpc import malformed, problem
from mercat.payments import ProviderDeclaration
from mercat.web import rendering
from mercat.web.cache import PRIVATE, PageCache, public_headers
from mercat.web.category_tree import CategoryTree
from mercat.web.context import context_of
from mercat.web.errors import TITLES
from mercat.web.forms import read_body
from mercat.web.origin import Csrf
from mercat.web.router import Handler

log = structlog.get_logger("mercat.web")


class Pages:
    """Pages for people: `categories` stand in the head of each."""

    def __init__(
        self,
        categories: CategoryTree,
        secret: bytes,
        provider: ProviderDeclaration,
        *,
        secure: bool = False,
    ) -> None:
        self.categories = categories
        self.cache = PageCache()
        self.csrf = Csrf(secret, secure=secure)
        self.statics = rendering.Statics([provider.card_field.script] if provider.card_field else [])
        self._templates = rendering.environment(self.statics, self.csrf.token, provider)

    # -- what they sent

    async def form(self, request: Request, *, public: bool = False) -> dict[str, str]:
        """The form's fields, once it is known to be ours."""
        form = await read_body(request)
        given = {name: value for name, value in form.items() if isinstance(value, str)}
        self.csrf.check(request, given.pop("csrf", ""), public=public)
        if any("\0" in value for value in given.values()):
            raise BadRequest("A field has a character (NUL) that no text may have.")
        return given

    async def upload(self, request: Request, name: str) -> bytes:
        """A form's file."""
        form = await read_body(request)
        given = form.get("csrf")
        self.csrf.check(request, given if isinstance(given, str) else "")
        file = form.get(name)
        return await file.read() if isinstance(file, UploadFile) else b""

    # -- what they get

    async def page(self, request: Request, name: str, /, status: int = 200, **shown: Any) -> Response:
        """A page for this person only."""
        response = HTMLResponse(await self._render(request, name, shown), status)
        self._finish(request, response)
        return response

    async def public(
        self, request: Request, name: str, /, keys: Sequence[str], status: int = 200, **shown: Any
    ) -> Response:
        """A page that is the same for all: caches may keep it, and purge it by any of `keys`."""
        content = await self._render(request, name, {"request": None, **shown})
        return HTMLResponse(content, status, public_headers(*keys))

    def fragment(self, request: Request, name: str, /, status: int = 200, **shown: Any) -> Response:
        """A piece of a page, for this person only."""
        content = self._templates.get_template(f"fragments/{name}").render(request=request, **shown)
        response = HTMLResponse(content, status)
        self._finish(request, response)
        return response

    def render_fragment(self, name: str, /, **shown: Any) -> str:
        """A fragment's text, for who sends it in a way of their own."""
        return self._templates.get_template(f"fragments/{name}").render(**shown)

    def message(
        self, request: Request, tone: str, words: str, url: str = "", link: str = "", *, status: int = 200
    ) -> Response:
        """A sentence where the script asked for one; `tone` is good, warn or bad."""
        return self.fragment(request, "said.html", status, tone=tone, words=words, url=url, link=link)

    def redirect(self, request: Request, url: str) -> Response:
        """Done; look there. (After a form: 303, so that a reload sends nothing twice.)"""
        response = RedirectResponse(url, 303)
        self._finish(request, response)
        return response

    async def _render(self, request: Request, name: str, shown: dict[str, Any]) -> str:
        base: dict[str, Any] = {
            "request": request,
            "departments": await self.categories.departments(),
            "origin": f"{request.url.scheme}://{request.url.netloc}",
            "refused": None,
            "problems": {},
            "q": "",
        }
        return self._templates.get_template(name).render(**(base | shown))

    def _finish(self, request: Request, response: Response) -> None:
        response.headers["Cache-Control"] = PRIVATE
        self.csrf.keep(request, response)

    # -- routes, and what goes wrong on them

    def route(self, path: str, handler: Handler, *methods: str, shared: bool = False) -> Route:
        if shared:
            handler = self.cache.wrap(handler)

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except SignInFirst:
                here = request.url.path if request.method == "GET" else "/"
                return self.redirect(request, f"/signin?next={quote(here)}")
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
        title = TITLES.get(refusal.status, "This page could not be shown")
        if 400 <= refusal.status < 500 and refusal.status not in TITLES:
            title = "That did not work"
        words = str(refusal)
        if refusal.status >= 500:
            words += " If you were paying: look at your orders first, a payment is never taken twice."
        if request.headers.get("hx-request"):
            response = self.message(request, "bad", str(refusal), status=refusal.status)
        else:
            links = [("/", "To the shop"), ("/orders", "Your orders")]
            if request.method == "GET" and refusal.status in (429, 500, 503):
                links.insert(0, (request.url.path, "Try again"))
            try:
                response = await self.page(
                    request,
                    "error.html",
                    refusal.status,
                    code=refusal.status,
                    title=title,
                    words=words,
                    links=links,
                    request_id=context_of(request).request_id.decode() if refusal.status >= 500 else "",
                )
            except Refusal:  # the departments in the page's head could not be had either
                response = HTMLResponse(self._bare(title, words), refusal.status)
        if refusal.retry_after:
            response.headers["Retry-After"] = str(refusal.facts.get("retry_after", refusal.retry_after))
        return response

    def _bare(self, title: str, words: str) -> str:
        return self._templates.get_template("bare.html").render(title=title, words=words, again=0)

    async def not_found(self, request: Request) -> Response:
        """What no page answers. Only an address that takes other methods matches in part."""
        for route in request.app.routes:
            if isinstance(route, Route) and route.matches(request.scope)[0] is Match.PARTIAL:
                answer = await self.refused(request, MethodNotAllowed("This page is only looked at."))
                answer.headers["Allow"] = ", ".join(sorted(route.methods or ()))
                return answer
        raise NotFound("The address may be mistyped, or the product is no longer listed.")
