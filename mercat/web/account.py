"""An account: name and sign-in, and where one is signed in; the page that shows all of it."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.accounts import (
    PASSWORD_MAX,
    AccountDetails,
    Email,
    NewAddress,
    Password,
    PersonChange,
    PersonName,
)
from mercat.ids import SessionId
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.notifications import Choices
from mercat.payments import StoreCredit
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, id_of, read_form
from mercat.web.pages import Pages
from mercat.web.places import served_places
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount
from mercat.web.session import member_of, token_of
from mercat.web.tiles import shelf

_A_SHELF = 5
CurrentPassword = Annotated[str, Meta(max_length=PASSWORD_MAX)]


class AccountChange(Struct, frozen=True):
    """What is to change; what is not given stays. E-mail and password need the present password."""

    name: PersonName | None = None
    email: Email | None = None
    password: Password | None = None
    current_password: CurrentPassword = ""


class NameForm(Struct, frozen=True):
    name: PersonName


class EmailForm(Struct, frozen=True):
    email: Email
    current_password: CurrentPassword


class PasswordForm(Struct, frozen=True):
    password: Password
    current_password: CurrentPassword


class LeaveForm(Struct, frozen=True):
    current_password: CurrentPassword


class AccountForm(Struct, frozen=True):
    """All fields of the page's forms about the account itself."""

    name: PersonName
    email: Email
    password: Password
    current_password: CurrentPassword


_SAID = {
    "address": "The address is saved.",
    "card": "The card is saved.",
    "default": "It is suggested first from now on.",
    "ended": "Signed out there.",
    "letters": "Saved. From now on you get the letters that you chose.",
    "removed": "It is removed.",
    "two-steps": "Signing in has a second step from now on.",
    "one-step": "Signing in has one step again.",
}


CREDIT_WORDS = {
    "issued": "From the shop",
    "held": "For an order",
    "given_back": "The order was not placed",
    "refunded": "Paid back",
}
"""Why store credit changed."""


def _person_change(change: AccountChange, token: str) -> PersonChange:
    return PersonChange(change.name, change.email, change.password, change.current_password, token)


class ValueEntryShown(Struct, frozen=True, kw_only=True):
    at: datetime
    kind: str
    amount: Amount
    note: str


class StoreCreditShown(Struct, frozen=True, kw_only=True):
    balance: Amount
    currency: str
    entries: list[ValueEntryShown]


def store_credit_shown(credit: StoreCredit) -> StoreCreditShown:
    """Show somebody's store credit, the newest change first."""
    return StoreCreditShown(
        balance=money.shown(credit.balance, credit.currency),
        currency=credit.currency,
        entries=[
            ValueEntryShown(
                at=each.at, kind=each.kind, amount=money.shown(each.amount, credit.currency), note=each.note
            )
            for each in credit.entries
        ],
    )


class AccountApi:
    """An account, where somebody lives and how they pay."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def account(self, caller: Caller) -> AccountDetails:
        """Show one's own account."""
        return await self._shop.accounts.person(caller.user_id)

    async def change_account(self, caller: Caller, request: Request, change: AccountChange) -> AccountDetails:
        """Change name, password or e-mail. A new password ends other sessions; a new e-mail address holds
        once the link in its letter was followed, and the old one is told."""
        return await self._shop.accounts.change(caller.user_id, _person_change(change, token_of(request)))

    async def store_credit(self, caller: Caller) -> StoreCreditShown:
        """Show what one may spend here besides money, and how that came about."""
        return store_credit_shown(await self._shop.payments.store_credit(caller.user_id))


API = [
    PublicRoute("GET", "/account/store-credit", AccountApi.store_credit, tag="People", needs="member"),
    PublicRoute("GET", "/account", AccountApi.account, tag="People", needs="member"),
    PublicRoute(
        "PATCH",
        "/account",
        AccountApi.change_account,
        tag="People",
        needs="member",
        refuses=["wrong_password"],
    ),
]


async def letter_choices(shop: Shop, caller: Caller) -> list[Choices]:
    """List what somebody can do without, of the letters that they get at all."""
    person = await shop.accounts.person(caller.user_id)
    nothing: list[Choices] = []
    asked = shop.notifications.choices(caller.user_id, person.email)
    choices = await shop.breakers["notifications"].ask(asked, nothing)
    return [each for each in choices if not each.role or each.role in caller.roles]


class AccountPages:
    """The account as a page."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def account(
        self,
        request: Request,
        form: Form | None = None,
        refused: Refusal | None = None,
        changing: Form | None = None,
        done: str = "",
    ) -> Response:
        caller = await member_of(request)
        form = form or Form(NewAddress)
        changing = changing or Form(AccountForm)
        accounts = self._shop.accounts
        return await self._pages.page(
            request,
            "account.html",
            refused.status if refused else (422 if form.errors or changing.errors else 200),
            caller=caller,
            person=await accounts.person(caller.user_id),
            changing=changing,
            done=done or _SAID.get(request.query_params.get("said", "")),
            sessions=await accounts.sessions(caller.user_id, token_of(request)),
            addresses=await accounts.addresses(caller.user_id),
            methods=await accounts.payment_methods(caller.user_id),
            cards=rendering.cards(self._shop.settings),
            credit=await self._shop.payments.store_credit(caller.user_id),
            credit_words=CREDIT_WORDS,
            countries=await served_places(self._shop),
            letters=await letter_choices(self._shop, caller),
            mine=await shelf(self._shop, self._shop.recommendations.for_you(caller.user_id, _A_SHELF)),
            form=form,
            refused=message_of(refused) if refused else None,
        )

    async def change_name(self, request: Request) -> Response:
        return await self._change(request, NameForm, "Your name is changed.")

    async def change_email(self, request: Request) -> Response:
        words = "A letter is on its way to the new address: it holds once you follow its link."
        return await self._change(request, EmailForm, words)

    async def change_password(self, request: Request) -> Response:
        return await self._change(
            request, PasswordForm, "Your password is changed, and other devices were signed out."
        )

    async def _change(
        self, request: Request, kind: type[NameForm | EmailForm | PasswordForm], done: str
    ) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        asked = read_form(form, kind)
        if isinstance(asked, FormErrors):
            return await self.account(request, changing=changing_form(kind, form, asked))
        change = _person_change(AccountChange(**structs.asdict(asked)), token_of(request))
        try:
            await self._shop.accounts.change(caller.user_id, change)
        except Refusal as refused:
            if not (wrong := errors_of(refused)):
                return await self.account(request, refused=refused)
            return await self.account(request, changing=changing_form(kind, form, wrong))
        return await self.account(request, done=done)

    async def end_session(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await member_of(request)
        session_id = id_of(request.path_params["session_id"], SessionId)
        await self._shop.accounts.end_session(caller.user_id, session_id)
        return self._pages.redirect(request, "/account?said=ended#sessions")

    async def end_others(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await member_of(request)
        await self._shop.accounts.end_others(caller.user_id, token_of(request))
        return self._pages.redirect(request, "/account?said=ended#sessions")

    async def ask_confirmation(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await member_of(request)
        await self._shop.accounts.ask_confirmation(caller.user_id)
        return await self.account(request, done="The letter is on its way again.")


def changing_form(kind: type[Struct], given: dict[str, str], wrong: FormErrors) -> Form:
    """Make the form of which one part was sent: that part has what was typed, and what is wrong with it."""
    return Form(AccountForm, given, wrong, at=kind.__name__)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    account = AccountPages(pages, shop)
    return [
        pages.route("/account", account.account),
        pages.route("/account/name", account.change_name, "POST"),
        pages.route("/account/email", account.change_email, "POST"),
        pages.route("/account/password", account.change_password, "POST"),
        pages.route("/account/verify", account.ask_confirmation, "POST"),
        pages.route("/account/sessions/{session_id}/end", account.end_session, "POST"),
        pages.route("/account/sessions/end-others", account.end_others, "POST"),
    ]
