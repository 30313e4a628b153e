"""An account: name and sign-in, addresses, ways to pay, and where one is signed in."""

from typing import Annotated

from msgspec import Meta, Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from mercat.accounts import (
    PASSWORD_MAX,
    AccountDetails,
    Address,
    AddressChange,
    CardToken,
    Email,
    NewAddress,
    Password,
    PaymentMethod,
    PersonChange,
    PersonName,
)
from mercat.ids import AddressId, PaymentMethodId
from mercat.kit.refusals import Invalid, Refusal
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.session import member_of, token_of


class AddressesShown(Struct, frozen=True):
    addresses: list[Address]


class PaymentMethodsShown(Struct, frozen=True):
    payment_methods: list[PaymentMethod]


class AddressAsk(NewAddress, frozen=True, kw_only=True):
    """An address to keep; `default`: it is suggested first from now on."""

    default: bool = False


class AddressMade(Struct, frozen=True):
    address_id: AddressId


class Removed(Struct, frozen=True):
    """Nothing more is said."""


CurrentPassword = Annotated[str, Meta(max_length=PASSWORD_MAX)]


class PaymentMethodAsk(Struct, frozen=True):
    token: CardToken
    default: bool = False


class PaymentMethodChange(Struct, frozen=True):
    default: bool


class PaymentMethodMade(Struct, frozen=True):
    payment_method_id: PaymentMethodId


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


def _person_change(change: AccountChange, token: str) -> PersonChange:
    return PersonChange(change.name, change.email, change.password, change.current_password, token)


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

    async def addresses(self, caller: Caller) -> AddressesShown:
        """List one's own addresses."""
        return AddressesShown(await self._shop.accounts.addresses(caller.user_id))

    async def add_address(self, caller: Caller, address: AddressAsk) -> AddressMade:
        """Keep an address to send to. A region is known by its code or its name where a country has a list of
        them; postal codes have the country's form."""
        kept = self._shop.accounts.add_address(caller.user_id, address, address.default)
        return AddressMade(await kept)

    async def change_address(self, caller: Caller, address_id: AddressId, change: AddressChange) -> Address:
        """Change an address; what is not given stays. Orders keep the one they were sent to."""
        return await self._shop.accounts.change_address(caller.user_id, address_id, change)

    async def remove_address(self, caller: Caller, address_id: AddressId) -> Removed:
        """Remove an address. Orders keep the one they were sent to."""
        await self._shop.accounts.remove_address(caller.user_id, address_id)
        return Removed()

    async def payment_methods(self, caller: Caller) -> PaymentMethodsShown:
        """List one's own ways to pay."""
        return PaymentMethodsShown(await self._shop.accounts.payment_methods(caller.user_id))

    async def add_payment_method(self, caller: Caller, method: PaymentMethodAsk) -> PaymentMethodMade:
        """Keep a way to pay, by the provider's token: never a card's number. Where a token works once, a
        guest's is for one purchase, and is not listed."""
        kept = self._shop.checkout.keep_card(caller, method.token, default=method.default)
        return PaymentMethodMade(await kept)

    async def change_payment_method(
        self, caller: Caller, payment_method_id: PaymentMethodId, change: PaymentMethodChange
    ) -> PaymentMethod:
        """Make a way to pay the one that is suggested first, or no longer."""
        return await self._shop.accounts.choose_payment_method(
            caller.user_id, payment_method_id, change.default
        )

    async def remove_payment_method(self, caller: Caller, payment_method_id: PaymentMethodId) -> Removed:
        """Remove a way to pay. What was paid by it stays paid, and refunds still reach it."""
        await self._shop.accounts.remove_payment_method(caller.user_id, payment_method_id)
        return Removed()


API = [
    PublicRoute("GET", "/account", AccountApi.account, tag="People", needs="member"),
    PublicRoute(
        "PATCH",
        "/account",
        AccountApi.change_account,
        tag="People",
        needs="member",
        refuses=["wrong_password"],
    ),
    PublicRoute("GET", "/addresses", AccountApi.addresses, tag="People", needs="guest"),
    PublicRoute("POST", "/addresses", AccountApi.add_address, tag="People", needs="guest"),
    PublicRoute(
        "PATCH",
        "/addresses/{address_id}",
        AccountApi.change_address,
        tag="People",
        needs="guest",
    ),
    PublicRoute("DELETE", "/addresses/{address_id}", AccountApi.remove_address, tag="People", needs="guest"),
    PublicRoute("GET", "/payment-methods", AccountApi.payment_methods, tag="People", needs="guest"),
    PublicRoute("POST", "/payment-methods", AccountApi.add_payment_method, tag="People", needs="guest"),
    PublicRoute(
        "PATCH",
        "/payment-methods/{payment_method_id}",
        AccountApi.change_payment_method,
        tag="People",
        needs="guest",
    ),
    PublicRoute(
        "DELETE",
        "/payment-methods/{payment_method_id}",
        AccountApi.remove_payment_method,
        tag="People",
        needs="guest",
    ),
]


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
        changing = changing or Form(AccountChange)
        return await self._pages.page(
            request,
            "account.html",
            refused.status if refused else (422 if form.errors or changing.errors else 200),
            caller=caller,
            person=await self._shop.accounts.person(caller.user_id),
            changing=changing,
            done=done,
            addresses=await self._shop.accounts.addresses(caller.user_id),
            methods=await self._shop.accounts.payment_methods(caller.user_id),
            cards=rendering.cards(self._shop.settings),
            countries=rendering.COUNTRIES,
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
            return await self.account(request, changing=_changing(kind, form, asked))
        change = _person_change(AccountChange(**structs.asdict(asked)), token_of(request))
        try:
            await self._shop.accounts.change(caller.user_id, change)
        except Refusal as refused:
            if not (wrong := errors_of(refused)):
                return await self.account(request, refused=refused)
            return await self.account(request, changing=_changing(kind, form, wrong))
        return await self.account(request, done=done)

    async def ask_confirmation(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await member_of(request)
        await self._shop.accounts.ask_confirmation(caller.user_id)
        return await self.account(request, done="The letter is on its way again.")

    async def add_address(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        new = read_form(form, NewAddress)
        if isinstance(new, FormErrors):
            return await self.account(request, Form(NewAddress, form, new))
        try:
            await self._shop.accounts.add_address(caller.user_id, new)
        except Refusal as refused:
            return await self.account(request, Form(NewAddress, form), refused)
        return self._pages.redirect(request, "/account")

    async def add_method(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        method = read_form(form, PaymentMethodAsk)
        if isinstance(method, FormErrors):
            return await self.account(request, refused=Invalid("Choose a card."))
        try:
            await self._shop.checkout.keep_card(caller, method.token)
        except Refusal as refused:
            return await self.account(request, refused=refused)
        return self._pages.redirect(request, "/account")


def _changing(kind: type[Struct], given: dict[str, str], wrong: FormErrors) -> Form:
    """Make the form of which one part was sent: that part has what was typed, and what is wrong with it."""
    return Form(AccountChange, given, wrong, at=kind.__name__)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    account = AccountPages(pages, shop)
    return [
        pages.route("/account", account.account),
        pages.route("/account/name", account.change_name, "POST"),
        pages.route("/account/email", account.change_email, "POST"),
        pages.route("/account/password", account.change_password, "POST"),
        pages.route("/account/verify", account.ask_confirmation, "POST"),
        pages.route("/account/addresses", account.add_address, "POST"),
        pages.route("/account/methods", account.add_method, "POST"),
    ]
