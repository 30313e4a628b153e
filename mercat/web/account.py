"""What an account keeps: addresses and ways to pay."""

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.accounts import Address, NewAddress, PaymentMethod
from mercat.ids import AddressId, PaymentMethodId
from mercat.kit.refusals import Invalid, Refusal
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.session import member_of


class AddressesShown(Struct, frozen=True):
    addresses: list[Address]


class PaymentMethodsShown(Struct, frozen=True):
    payment_methods: list[PaymentMethod]


class AddressMade(Struct, frozen=True):
    address_id: AddressId


CARD_TOKEN_MAX = 100
CardToken = Annotated[str, Meta(min_length=1, max_length=CARD_TOKEN_MAX)]


class PaymentMethodAsk(Struct, frozen=True):
    token: CardToken


class PaymentMethodMade(Struct, frozen=True):
    payment_method_id: PaymentMethodId


class AccountApi:
    """Where somebody lives and how they pay."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def addresses(self, caller: Caller) -> AddressesShown:
        """List one's own addresses."""
        return AddressesShown(await self._shop.accounts.addresses(caller.user_id))

    async def add_address(self, caller: Caller, address: NewAddress) -> AddressMade:
        """Keep an address to send to."""
        return AddressMade(await self._shop.accounts.add_address(caller.user_id, address))

    async def payment_methods(self, caller: Caller) -> PaymentMethodsShown:
        """List one's own ways to pay."""
        return PaymentMethodsShown(await self._shop.accounts.payment_methods(caller.user_id))

    async def add_payment_method(self, caller: Caller, method: PaymentMethodAsk) -> PaymentMethodMade:
        """Keep a way to pay, by the provider's token: never a card's number. Where a token works once, a
        guest's is for one purchase, and is not listed."""
        return PaymentMethodMade(await self._shop.checkout.keep_card(caller, method.token))


API = [
    PublicRoute("GET", "/addresses", AccountApi.addresses, tag="People", needs="guest"),
    PublicRoute("POST", "/addresses", AccountApi.add_address, tag="People", needs="guest"),
    PublicRoute("GET", "/payment-methods", AccountApi.payment_methods, tag="People", needs="guest"),
    PublicRoute("POST", "/payment-methods", AccountApi.add_payment_method, tag="People", needs="guest"),
]


class AccountPages:
    """The account as a page."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def account(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        caller = await member_of(request)
        form = form or Form(NewAddress)
        return await self._pages.page(
            request,
            "account.html",
            refused.status if refused else (422 if form.errors else 200),
            caller=caller,
            addresses=await self._shop.accounts.addresses(caller.user_id),
            methods=await self._shop.accounts.payment_methods(caller.user_id),
            cards=rendering.cards(self._shop.settings),
            countries=rendering.COUNTRIES,
            form=form,
            refused=message_of(refused) if refused else None,
        )

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


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    account = AccountPages(pages, shop)
    return [
        pages.route("/account", account.account),
        pages.route("/account/addresses", account.add_address, "POST"),
        pages.route("/account/methods", account.add_method, "POST"),
    ]
