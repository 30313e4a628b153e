"""Where somebody's parcels go and how they pay: addresses and cards, one of each the default."""

from msgspec import Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from mercat.accounts import Address, AddressChange, CardToken, NewAddress, PaymentMethod
from mercat.ids import AddressId, PaymentMethodId
from mercat.kit.refusals import Invalid, Refusal
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.account import AccountPages
from mercat.web.forms import Form, FormErrors, errors_of, id_of, read_form
from mercat.web.pages import Pages
from mercat.web.places import served_places
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit, page_of
from mercat.web.session import member_of


class AddressesShown(Struct, frozen=True):
    addresses: list[Address]
    next_cursor: AddressId | None


class PaymentMethodsShown(Struct, frozen=True):
    payment_methods: list[PaymentMethod]
    next_cursor: PaymentMethodId | None


class AddressAsk(NewAddress, frozen=True, kw_only=True):
    """An address to keep; `default`: it is suggested first from now on."""

    default: bool = False


class AddressMade(Struct, frozen=True):
    address_id: AddressId


class Removed(Struct, frozen=True):
    """Nothing more is said."""


class PaymentMethodAsk(Struct, frozen=True):
    token: CardToken
    default: bool = False


class PaymentMethodChange(Struct, frozen=True):
    default: bool


class PaymentMethodMade(Struct, frozen=True):
    payment_method_id: PaymentMethodId


class AddressBookApi:
    """Where somebody lives and how they pay."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def addresses(
        self, caller: Caller, limit: PageLimit | None = None, cursor: AddressId | None = None
    ) -> AddressesShown:
        """List one's own addresses, the newest first: all, or so many at a time."""
        found = (await self._shop.accounts.addresses(caller.user_id))[::-1]
        return AddressesShown(*page_of(found, lambda each: each.address_id, limit, cursor))

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

    async def payment_methods(
        self, caller: Caller, limit: PageLimit | None = None, cursor: PaymentMethodId | None = None
    ) -> PaymentMethodsShown:
        """List one's own ways to pay, the newest first: all, or so many at a time."""
        found = (await self._shop.accounts.payment_methods(caller.user_id))[::-1]
        return PaymentMethodsShown(*page_of(found, lambda each: each.payment_method_id, limit, cursor))

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
    PublicRoute("GET", "/addresses", AddressBookApi.addresses, tag="People", needs="guest"),
    PublicRoute(
        "POST",
        "/addresses",
        AddressBookApi.add_address,
        tag="People",
        needs="guest",
        refuses=["too_many"],
    ),
    PublicRoute(
        "PATCH", "/addresses/{address_id}", AddressBookApi.change_address, tag="People", needs="guest"
    ),
    PublicRoute(
        "DELETE", "/addresses/{address_id}", AddressBookApi.remove_address, tag="People", needs="guest"
    ),
    PublicRoute("GET", "/payment-methods", AddressBookApi.payment_methods, tag="People", needs="guest"),
    PublicRoute(
        "POST",
        "/payment-methods",
        AddressBookApi.add_payment_method,
        tag="People",
        needs="guest",
        refuses=["too_many"],
    ),
    PublicRoute(
        "PATCH",
        "/payment-methods/{payment_method_id}",
        AddressBookApi.change_payment_method,
        tag="People",
        needs="guest",
    ),
    PublicRoute(
        "DELETE",
        "/payment-methods/{payment_method_id}",
        AddressBookApi.remove_payment_method,
        tag="People",
        needs="guest",
    ),
]


class AddressBookPages:
    """Addresses and cards on the account's page, and an address on one of its own."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._page = AccountPages(pages, shop)

    async def add_address(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        new = read_form(form, AddressAsk)
        if isinstance(new, FormErrors):
            return await self._page.account(request, Form(NewAddress, form, new))
        try:
            await self._shop.accounts.add_address(caller.user_id, new, new.default)
        except Refusal as refused:
            if wrong := errors_of(refused):
                return await self._page.account(request, Form(NewAddress, form, wrong))
            return await self._page.account(request, Form(NewAddress, form), refused)
        return self._pages.redirect(request, "/account?said=address#addresses")

    async def address(self, request: Request, form: Form | None = None) -> Response:
        """Show an address to change."""
        caller = await member_of(request)
        address_id = id_of(request.path_params["address_id"], AddressId)
        address = await self._shop.accounts.address(caller.user_id, address_id)
        given = {name: value or "" for name, value in structs.asdict(address).items()}
        form = form or Form(NewAddress, given)
        return await self._pages.page(
            request,
            "account_address.html",
            422 if form.errors else 200,
            address=address,
            form=form,
            countries=await served_places(self._shop),
        )

    async def change_address(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        address_id = id_of(request.path_params["address_id"], AddressId)
        new = read_form(form, NewAddress)
        if isinstance(new, FormErrors):
            return await self.address(request, Form(NewAddress, form, new))
        change = AddressChange(**structs.asdict(new))
        try:
            await self._shop.accounts.change_address(caller.user_id, address_id, change)
        except Invalid as refused:
            return await self.address(request, Form(NewAddress, form, errors_of(refused)))
        return self._pages.redirect(request, "/account?said=address#addresses")

    async def choose_address(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await member_of(request)
        address_id = id_of(request.path_params["address_id"], AddressId)
        await self._shop.accounts.change_address(caller.user_id, address_id, AddressChange(default=True))
        return self._pages.redirect(request, "/account?said=default#addresses")

    async def remove_address(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await member_of(request)
        address_id = id_of(request.path_params["address_id"], AddressId)
        await self._shop.accounts.remove_address(caller.user_id, address_id)
        return self._pages.redirect(request, "/account?said=removed#addresses")

    async def add_method(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        method = read_form(form, PaymentMethodAsk)
        if isinstance(method, FormErrors):
            return await self._page.account(request, refused=Invalid("Choose a card."))
        try:
            await self._shop.checkout.keep_card(caller, method.token)
        except Refusal as refused:
            return await self._page.account(request, refused=refused)
        return self._pages.redirect(request, "/account?said=card#methods")

    async def choose_method(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await member_of(request)
        method_id = id_of(request.path_params["method_id"], PaymentMethodId)
        await self._shop.accounts.choose_payment_method(caller.user_id, method_id, True)
        return self._pages.redirect(request, "/account?said=default#methods")

    async def remove_method(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await member_of(request)
        method_id = id_of(request.path_params["method_id"], PaymentMethodId)
        await self._shop.accounts.remove_payment_method(caller.user_id, method_id)
        return self._pages.redirect(request, "/account?said=removed#methods")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    book = AddressBookPages(pages, shop)
    return [
        pages.route("/account/addresses", book.add_address, "POST"),
        pages.route("/account/addresses/{address_id}", book.address),
        pages.route("/account/addresses/{address_id}", book.change_address, "POST"),
        pages.route("/account/addresses/{address_id}/default", book.choose_address, "POST"),
        pages.route("/account/addresses/{address_id}/remove", book.remove_address, "POST"),
        pages.route("/account/methods", book.add_method, "POST"),
        pages.route("/account/methods/{method_id}/default", book.choose_method, "POST"),
        pages.route("/account/methods/{method_id}/remove", book.remove_method, "POST"),
    ]
