"""How a page, a fragment or a refusal is rendered and sent, for one person or for everybody."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Scope

from mercat.catalog import PricesByCountry
from mercat.kit.db_errors import AWAY
from mercat.kit.http import problem
from mercat.kit.refusals import BadRequest, Refusal, SignInFirst
from mercat.payments import ProviderDeclaration
from mercat.vat_numbers import is_in_eu
from mercat.web import rendering
from mercat.web.cache import COUNTRY, PRIVATE, AnswerCache, Handler, public_headers, set_holds_until
from mercat.web.category_tree import CategoryTree
from mercat.web.context import context_of
from mercat.web.errors import error_page, title_of, wait_s
from mercat.web.exposure import Experiments
from mercat.web.forms import read_body
from mercat.web.origin import Csrf, Origins
from mercat.web.router import API, Endpoint

_TURNED_AWAY_MAX = 50
"""Of ways to tell so, that are kept: when the shop is full there is no time to write them."""
_TURNED_AWAY_S = 3
"""The least after which a page that was turned away comes again by itself."""


class Pages:
    """Pages for people: `categories` stand in the head of each."""

    def __init__(
        self,
        categories: CategoryTree,
        secret: bytes,
        provider: ProviderDeclaration,
        *,
        origins: Origins | None = None,
        secure: bool = False,
    ) -> None:
        self.categories = categories
        self.origin = origins or Origins()
        self.cache = AnswerCache()
        self.csrf = Csrf(secret, secure=secure)
        self.statics = rendering.Statics([provider.card_field.script] if provider.card_field else [])
        self.prices: PricesByCountry | None = None
        """Which markets there are to choose from; None: nobody is asked."""
        self.home = ""
        self.experiments: Experiments | None = None
        """Which ways visitors are shown; None: nobody takes part in any."""
        self._templates = rendering.environment(self.statics, self.csrf.token, provider)
        self._bare = lru_cache(maxsize=_TURNED_AWAY_MAX)(self._render_bare)
        self._turned_away = lru_cache(maxsize=_TURNED_AWAY_MAX)(self._problem_of)

    def route(self, path: str, handler: Handler, verb: str = "GET", *, shared: bool = False) -> Endpoint:
        """Make the route of a page; `shared`: it is the same for all and rendered once a second."""
        return Endpoint(verb, path, self.cache.wrap(handler) if shared else handler)

    # -- what they sent

    async def form(self, request: Request, *, public: bool = False) -> dict[str, str]:
        """Read a form's fields, once it is known to be ours; `public`: of a page for everybody."""
        form = await read_body(request)
        given = {name: value for name, value in form.items() if isinstance(value, str)}
        self.csrf.check(request, given.pop("csrf", ""), public=public)
        if any("\0" in value for value in given.values()):
            raise BadRequest("A field has a character (NUL) that no text may have.")
        return given

    async def upload(self, request: Request, name: str) -> bytes:
        """Read a form's file."""
        form = await read_body(request)
        given = form.get("csrf")
        self.csrf.check(request, given if isinstance(given, str) else "")
        file = form.get(name)
        return await file.read() if isinstance(file, UploadFile) else b""

    async def uploads(self, request: Request, name: str) -> list[UploadFile]:
        """Read the files of a form's field; `form` reads its others."""
        form = await read_body(request)
        given = form.get("csrf")
        self.csrf.check(request, given if isinstance(given, str) else "")
        files = [each for each in form.getlist(name) if isinstance(each, UploadFile)]
        return [each for each in files if each.filename or each.size]

    # -- what they get

    async def page(self, request: Request, name: str, /, status: int = 200, **shown: Any) -> Response:
        """Send a page for this person only."""
        return self._private(request, HTMLResponse(await self._render(request, name, shown), status))

    async def public(
        self,
        request: Request,
        name: str,
        /,
        keys: Sequence[str],
        status: int = 200,
        until: datetime | None = None,
        **shown: Any,
    ) -> Response:
        """Send a page that is the same for all: caches may keep it, and purge it by any of `keys`.

        `until`: when a price on it is another one."""
        content = await self._render(request, name, {"request": None, **shown})
        set_holds_until(request, until)
        return HTMLResponse(content, status, await self.headers(request, *keys, until=until))

    async def headers(self, request: Request, *keys: object, until: datetime | None = None) -> dict[str, str]:
        """Say who may keep what shows prices: nobody, where it is for who has chosen a country."""
        if COUNTRY in request.cookies:
            return {"Cache-Control": PRIVATE}
        headers = public_headers(*keys, until=until)
        if self.prices and await self.prices.all():
            headers["Vary"] = "Cookie"  # else a cache would give it to who has chosen a country
        return headers

    def fragment(self, request: Request, name: str, /, status: int = 200, **shown: Any) -> Response:
        """Send a piece of a page, for this person only."""
        content = self.render_fragment(name, request=request, **shown)
        return self._private(request, HTMLResponse(content, status))

    def render_fragment(self, name: str, /, **shown: Any) -> str:
        """Render a piece of a page, for who sends it in a way of their own."""
        return self._templates.get_template(f"fragments/{name}").render(**shown)

    def message(
        self, request: Request, tone: str, words: str, url: str = "", link: str = "", *, status: int = 200
    ) -> Response:
        """Send a sentence where the script asked for one; `tone` is good, warn or bad."""
        return self.fragment(request, "message.html", status, tone=tone, words=words, url=url, link=link)

    def redirect(self, request: Request, url: str) -> Response:
        """Send the browser on. (After a form: 303, so that a reload sends nothing twice.)"""
        return self._private(request, RedirectResponse(url, 303))

    async def _render(self, request: Request, name: str, shown: dict[str, Any]) -> str:
        base: dict[str, Any] = {
            "request": request,
            "departments": await self.categories.departments(),
            "origin": self.origin(request),
            "refused": None,
            "problems": {},
            "q": "",
            "home_country": self.home,
            "asks_vat": is_in_eu(self.home),
            "countries_of_markets": await self._countries(),
            "country_chosen": request.cookies.get(COUNTRY, ""),
        }
        return self._templates.get_template(name).render(**(base | shown))

    async def _countries(self) -> list[tuple[str, str]]:
        """List the countries of all markets, to choose from."""
        markets = await self.prices.all() if self.prices else ()
        codes = {country for market in markets for country in market.countries} - {self.home}
        return sorted(((code, rendering.country(code)) for code in codes), key=lambda each: each[1])

    def _private(self, request: Request, response: Response) -> Response:
        self.csrf.keep(request, response)
        return response

    # -- what goes wrong

    async def refused(self, request: Request, refusal: Refusal) -> Response:
        """Send a page that says why there is none, and where to go on; who has to sign in is sent there."""
        if request.headers.get("content-type", "").startswith("application/json"):
            return problem(refusal)  # a program asks
        if isinstance(refusal, SignInFirst):
            here = request.url.path if request.method == "GET" else "/"
            return self.redirect(request, f"/signin?next={quote(here)}")
        if request.headers.get("hx-request"):
            response = self.message(request, "bad", str(refusal), status=refusal.status)
        else:
            response = await self._error_page(request, refusal)
        if wait := wait_s(refusal):
            response.headers["Retry-After"] = str(wait)
        return response

    async def _error_page(self, request: Request, refusal: Refusal) -> Response:
        request_id = context_of(request).request_id.decode()
        reading = request.method == "GET"
        shown = error_page(refusal, request.url.path, reading=reading, request_id=request_id)
        try:
            return await self.page(request, "error.html", refusal.status, **shown._asdict())
        except (Refusal, *AWAY):  # the departments in the page's head could not be had either
            return HTMLResponse(self._bare(shown.title, shown.words), refusal.status)

    def turn_away(self, scope: Scope, refusal: Refusal) -> Response:
        """Tell who may not come in at all: people by a page that comes back by itself, programs by a problem
        document. It asks nobody, since there is no room."""
        if scope["path"].startswith(API) or "text/html" not in Headers(scope=scope).get("accept", ""):
            return self._turned_away(type(refusal), str(refusal), wait_s(refusal))
        again_s = max(_TURNED_AWAY_S, wait_s(refusal))
        reading = scope["method"] == "GET"
        page = self._bare(title_of(refusal), str(refusal), again_s if reading else 0)
        return HTMLResponse(page, refusal.status, {"Cache-Control": PRIVATE, "Retry-After": str(again_s)})

    @staticmethod
    def _problem_of(kind: type[Refusal], words: str, again_s: int) -> Response:
        """Make the problem document that many are told in the same moment."""
        return problem(kind(words, retry_after=again_s) if again_s else kind(words))

    def _render_bare(self, title: str, words: str, again_s: int = 0) -> str:
        return self._templates.get_template("bare.html").render(title=title, words=words, again=again_s)
