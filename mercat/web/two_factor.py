"""The second step of signing in: a code of an authenticator app."""

import io

import segno
from markupsafe import Markup
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.accounts import Code, TwoFactorStart
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.session import member_of, network_of


class TwoFactorCode(Struct, frozen=True):
    """A code of the app, or a recovery code."""

    code: Code


class TwoFactorState(Struct, frozen=True):
    two_factor: bool


class TwoFactorApi:
    """A second step of signing in."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def begin_two_factor(self, caller: Caller) -> TwoFactorStart:
        """Begin a second step: the secret for an authenticator app and recovery codes, shown once. It counts
        once it is confirmed by a code of the app."""
        return await self._shop.accounts.begin_two_factor(caller.user_id)

    async def confirm_two_factor(
        self, caller: Caller, request: Request, given: TwoFactorCode
    ) -> TwoFactorState:
        """Switch the second step on, by a first code of the app."""
        await self._shop.accounts.confirm_two_factor(caller.user_id, given.code, network_of(request))
        return TwoFactorState(True)

    async def end_two_factor(self, caller: Caller, request: Request, given: TwoFactorCode) -> TwoFactorState:
        """Switch the second step off, by a code of the app or a recovery code."""
        await self._shop.accounts.end_two_factor(caller.user_id, given.code, network_of(request))
        return TwoFactorState(False)


API = [
    PublicRoute(
        "POST",
        "/account/two-factor",
        TwoFactorApi.begin_two_factor,
        tag="People",
        needs="member",
        refuses=["two_factor_on"],
    ),
    PublicRoute(
        "POST",
        "/account/two-factor/confirm",
        TwoFactorApi.confirm_two_factor,
        tag="People",
        needs="member",
        status=200,
        refuses=["wrong_code", "two_factor_on", "two_factor_off"],
    ),
    PublicRoute(
        "DELETE",
        "/account/two-factor",
        TwoFactorApi.end_two_factor,
        tag="People",
        needs="member",
        refuses=["wrong_code", "two_factor_off"],
    ),
]


class TwoFactorPages:
    """Setting up the second step, and switching it off."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def two_factor(self, request: Request) -> Response:
        return await self._page(request)

    async def _page(
        self,
        request: Request,
        started: TwoFactorStart | None = None,
        form: Form | None = None,
        refused: Refusal | None = None,
        *,
        confirming: bool = False,
    ) -> Response:
        caller = await member_of(request)
        form = form or Form(TwoFactorCode)
        person = await self._shop.accounts.person(caller.user_id)
        return await self._pages.page(
            request,
            "two_factor.html",
            refused.status if refused else (422 if form.errors else 200),
            on=person.two_factor,
            started=started,
            picture=_picture(started.otpauth_url) if started else None,
            confirming=confirming or started is not None,
            form=form,
            refused=message_of(refused) if refused else None,
        )

    async def begin(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await member_of(request)
        try:
            started = await self._shop.accounts.begin_two_factor(caller.user_id)
        except Refusal as refused:
            return await self._page(request, refused=refused)
        return await self._page(request, started)

    async def confirm(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        given = read_form(form, TwoFactorCode)
        if isinstance(given, FormErrors):
            return await self._page(request, form=Form(TwoFactorCode, form, given), confirming=True)
        try:
            await self._shop.accounts.confirm_two_factor(caller.user_id, given.code, network_of(request))
        except Refusal as refused:
            return await self._wrong(request, form, refused, confirming=True)
        return self._pages.redirect(request, "/account?said=two-steps#sign-in")

    async def end(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        given = read_form(form, TwoFactorCode)
        if isinstance(given, FormErrors):
            return await self._page(request, form=Form(TwoFactorCode, form, given))
        try:
            await self._shop.accounts.end_two_factor(caller.user_id, given.code, network_of(request))
        except Refusal as refused:
            return await self._wrong(request, form, refused)
        return self._pages.redirect(request, "/account?said=one-step#sign-in")

    async def _wrong(
        self, request: Request, form: dict[str, str], refused: Refusal, *, confirming: bool = False
    ) -> Response:
        """Say at the field that a code was wrong; anything else above the form."""
        if wrong := errors_of(refused):
            return await self._page(request, form=Form(TwoFactorCode, form, wrong), confirming=confirming)
        return await self._page(request, refused=refused, confirming=confirming)


def _picture(url: str) -> Markup:
    """Draw an address as a QR code, dark on light in both colour schemes: that is what cameras read."""
    drawn = io.BytesIO()
    segno.make(url, micro=False, error="m").save(
        drawn, kind="svg", scale=5, border=4, dark="#000", light="#fff", xmldecl=False, svgns=True, nl=False
    )
    return Markup(drawn.getvalue().decode().replace("<svg", '<svg role="img" aria-label="QR code"', 1))


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    steps = TwoFactorPages(pages, shop)
    return [
        pages.route("/account/two-factor", steps.two_factor),
        pages.route("/account/two-factor", steps.begin, "POST"),
        pages.route("/account/two-factor/confirm", steps.confirm, "POST"),
        pages.route("/account/two-factor/end", steps.end, "POST"),
    ]
