"""Addresses that programs and browsers look for by convention, and the pages that problem types lead to."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mercat.kit import clock
from mercat.kit.refusals import NotFound, Refusal
from mercat.shop import Shop
from mercat.web.cache import SELDOM_CHANGED
from mercat.web.errors import wait_s
from mercat.web.pages import Pages
from mercat.web.router import Endpoint

_SECURITY_TXT_DAYS = 180


class WellKnownPages:
    """What is not linked from anywhere, and asked for all the same."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def problem(self, request: Request) -> Response:
        """Explain a problem type: the address in `type` of a problem document (RFC 9457, 3.1.1)."""
        code = request.path_params["code"]
        kind = Refusal.named(code)
        if kind.code() != code:
            raise NotFound
        refusal = kind()
        return await self._pages.public(
            request, "problem.html", ["problems"], code=code, problem=refusal, wait_s=wait_s(refusal)
        )

    async def favicon(self, request: Request) -> Response:
        headers = {"Cache-Control": SELDOM_CHANGED}
        return RedirectResponse("/static/favicon.svg", 308, headers)

    async def change_password(self, request: Request) -> Response:
        """Lead password managers on (https://w3c.github.io/webappsec-change-password-url/)."""
        return RedirectResponse("/account", 303, {"Cache-Control": SELDOM_CHANGED})

    async def security(self, request: Request) -> Response:
        """Say whom to tell of a weakness (RFC 9116)."""
        settings = self._shop.settings
        expires = (clock.now() + timedelta(days=_SECURITY_TXT_DAYS)).strftime("%Y-%m-%dT00:00:00Z")
        lines = [f"Contact: mailto:{settings.mail_from}", f"Expires: {expires}", "Preferred-Languages: en"]
        if origin := settings.origin():
            lines.append(f"Canonical: {origin}/.well-known/security.txt")
        headers = {"Cache-Control": SELDOM_CHANGED}
        return Response("\n".join(lines) + "\n", headers=headers, media_type="text/plain; charset=utf-8")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    known = WellKnownPages(pages, shop)
    return [
        pages.route("/problems/{code}", known.problem, shared=True),
        pages.route("/favicon.ico", known.favicon),
        pages.route("/.well-known/security.txt", known.security),
        pages.route("/.well-known/change-password", known.change_password),
    ]
