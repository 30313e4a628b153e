"""What the links of letters lead to: a new password, and a confirmed e-mail address."""

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.accounts import Email, LinkExpired, Password, PasswordReset, ResetAsk
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.session import network_of


class ForgottenPassword(Struct, frozen=True):
    email: Email


class NewPassword(Struct, frozen=True):
    password: Password


class Done(Struct, frozen=True):
    """Nothing more is said."""


class ConfirmedEmail(Struct, frozen=True):
    email: str
    email_verified: bool


class RecoveryApi:
    """The way back into an account."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def ask_reset(self, request: Request, asked: ForgottenPassword) -> Done:
        """Send a link that sets a new password, if somebody has this address; the answer is always alike."""
        await self._shop.accounts.ask_reset(ResetAsk(asked.email, network_of(request)))
        return Done()

    async def reset_password(self, token: str, new: NewPassword) -> Done:
        """Set a new password by the token of a letter's link, good once and for an hour. All sessions end."""
        await self._shop.accounts.reset_password(PasswordReset(token, new.password))
        return Done()

    async def ask_confirmation(self, caller: Caller) -> Done:
        """Send the letter again that confirms an e-mail address."""
        await self._shop.accounts.ask_confirmation(caller.user_id)
        return Done()

    async def confirm_email(self, token: str) -> ConfirmedEmail:
        """Confirm an e-mail address by the token of a letter's link; a new one is the account's now."""
        person = await self._shop.accounts.confirm_email(token)
        return ConfirmedEmail(person.email, person.email_verified)


API = [
    PublicRoute("POST", "/accounts/password-reset", RecoveryApi.ask_reset, tag="People", status=202),
    PublicRoute(
        "POST",
        "/accounts/password-reset/{token}",
        RecoveryApi.reset_password,
        tag="People",
        status=200,
        refuses=["link_expired"],
    ),
    PublicRoute(
        "POST", "/accounts/verify", RecoveryApi.ask_confirmation, tag="People", needs="member", status=202
    ),
    PublicRoute(
        "POST",
        "/accounts/verify/{token}",
        RecoveryApi.confirm_email,
        tag="People",
        status=200,
        refuses=["link_expired", "email_taken"],
    ),
]


class RecoveryPages:
    """The way back into an account, as pages."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def forgot(self, request: Request) -> Response:
        return await self._page(request, "forgot", Form(ForgottenPassword))

    async def ask_reset(self, request: Request) -> Response:
        form = await self._pages.form(request)
        asked = read_form(form, ForgottenPassword)
        if isinstance(asked, FormErrors):
            return await self._page(request, "forgot", Form(ForgottenPassword, form, asked))
        try:
            await self._shop.accounts.ask_reset(ResetAsk(asked.email, network_of(request)))
        except Refusal as refused:
            return await self._page(request, "forgot", Form(ForgottenPassword, form), refused)
        return await self._page(request, "forgot", Form(ForgottenPassword), done=asked.email)

    async def reset(self, request: Request) -> Response:
        try:
            await self._shop.accounts.check_reset_link(request.path_params["token"])
        except LinkExpired as refused:
            return await self._page(request, "reset", Form(NewPassword), refused)
        return await self._page(request, "reset", Form(NewPassword))

    async def reset_password(self, request: Request) -> Response:
        form = await self._pages.form(request)
        new = read_form(form, NewPassword)
        if isinstance(new, FormErrors):
            return await self._page(request, "reset", Form(NewPassword, form, new))
        try:
            token = request.path_params["token"]
            await self._shop.accounts.reset_password(PasswordReset(token, new.password))
        except Refusal as refused:
            wrong = errors_of(refused)
            return await self._page(
                request, "reset", Form(NewPassword, form, wrong), None if wrong else refused
            )
        return await self._page(request, "reset", Form(NewPassword), done="changed")

    async def verify(self, request: Request) -> Response:
        """Ask for one press more: programs that look through mail follow links by themselves."""
        return await self._page(request, "verify", Form(Done))

    async def confirm_email(self, request: Request) -> Response:
        await self._pages.form(request)
        try:
            person = await self._shop.accounts.confirm_email(request.path_params["token"])
        except Refusal as refused:
            return await self._page(request, "verify", Form(Done), refused)
        return await self._page(request, "verify", Form(Done), done=person.email)

    async def _page(
        self, request: Request, step: str, form: Form, refused: Refusal | None = None, done: str = ""
    ) -> Response:
        return await self._pages.page(
            request,
            "recovery.html",
            refused.status if refused else (422 if form.errors else 200),
            step=step,
            here=request.url.path,
            form=form,
            done=done,
            refused=message_of(refused) if refused else None,
            expired=step == "reset" and isinstance(refused, LinkExpired),
        )


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    recovery = RecoveryPages(pages, shop)
    return [
        pages.route("/forgot", recovery.forgot),
        pages.route("/forgot", recovery.ask_reset, "POST"),
        pages.route("/reset/{token}", recovery.reset),
        pages.route("/reset/{token}", recovery.reset_password, "POST"),
        pages.route("/verify/{token}", recovery.verify),
        pages.route("/verify/{token}", recovery.confirm_email, "POST"),
    ]
