"""Taking along what the shop keeps of one, and being forgotten."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.accounts import (
    PASSWORD_MAX,
    AccountDetails,
    Address,
    ApiKey,
    HasAccount,
    PaymentMethod,
    RunningSession,
)
from mercat.ids import OrderId, SellerId, number_shown
from mercat.kit import codec
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.orders import Order
from mercat.reviews import Review
from mercat.shop import Shop
from mercat.web.account import (
    AccountPages,
    LeaveForm,
    StoreCreditShown,
    changing_form,
    letter_choices,
    store_credit_shown,
)
from mercat.web.cart import CartApi, CartShown
from mercat.web.errors import message_of
from mercat.web.forms import FormErrors, errors_of, id_of, read_form
from mercat.web.imported_orders import ImportedOrderShown, bought_before, imported_shown
from mercat.web.order_shown import OrderKey, order_of
from mercat.web.orders import OrdersApi, OrderShown
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import LIMIT_MAX
from mercat.web.session import caller_of, end_session, member_of, token_of
from mercat.web.wishlist import WishlistApi, WishShown

_LETTERS_MAX = 200


class LeaveAsk(Struct, frozen=True):
    current_password: Annotated[str, Meta(max_length=PASSWORD_MAX)]


class Forgotten(Struct, frozen=True):
    """Nothing more is said."""


class LetterExported(Struct, frozen=True):
    at: datetime
    to: str
    subject: str
    text: str


class SellerExported(Struct, frozen=True):
    seller_id: SellerId
    name: str
    since: datetime
    api_keys: list[ApiKey]


class AccountExported(Struct, frozen=True, kw_only=True):
    """All that is kept of a person. Of a card that is its last four digits."""

    account: AccountDetails
    roles: list[str]
    sessions: list[RunningSession]
    addresses: list[Address]
    payment_methods: list[PaymentMethod]
    store_credit: StoreCreditShown
    orders: list[OrderShown]
    imported_orders: list[ImportedOrderShown]
    reviews: list[Review]
    wishlist: list[WishShown]
    cart: CartShown
    letters: list[LetterExported]
    letters_wanted: dict[str, bool]
    """Of the kinds that one can do without."""
    seller: SellerExported | None


class LeavingApi:
    """What the shop keeps of somebody."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._orders = OrdersApi(shop)
        self._cart = CartApi(shop)
        self._wishlist = WishlistApi(shop)

    async def export(self, caller: Caller, request: Request) -> AccountExported:
        """Export all that is kept of oneself: orders, addresses, cards, reviews, lists, sessions, letters."""
        return await self.exported(caller, token_of(request))

    async def exported(self, caller: Caller, token: str) -> AccountExported:
        """Collect it; `token` says which session is the current one."""
        shop, user_id = self._shop, caller.user_id
        person = await shop.accounts.person(user_id)
        people = await shop.checkout.people(caller)
        letters = await shop.notifications.mailbox(_LETTERS_MAX, person.email)
        return AccountExported(
            account=person,
            roles=sorted(caller.roles),
            sessions=await shop.accounts.sessions(user_id, token),
            addresses=await shop.accounts.addresses(user_id),
            payment_methods=await shop.accounts.payment_methods(user_id),
            store_credit=store_credit_shown(await shop.payments.store_credit(user_id)),
            orders=await self._all_orders(caller),
            imported_orders=[imported_shown(each) for each in await bought_before(shop, caller)],
            reviews=await shop.reviews.of_people(people),
            wishlist=(await self._wishlist.wishlist(caller)).items,
            cart=await self._cart.cart(caller),
            letters=[LetterExported(each.at, each.recipient, each.subject, each.body) for each in letters],
            letters_wanted={each.kind: each.wanted for each in await letter_choices(shop, caller)},
            seller=await self._seller(caller),
        )

    async def _all_orders(self, caller: Caller) -> list[OrderShown]:
        people = await self._shop.checkout.people(caller)
        found: list[OrderShown] = []
        cursor: str | None = None
        while True:
            page = await self._shop.orders.list_of(people, limit=LIMIT_MAX, cursor=cursor)
            found += [await self._orders.order(caller, each.order_id) for each in page.orders]
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def _seller(self, caller: Caller) -> SellerExported | None:
        if caller.seller_id is None:
            return None
        seller = await self._shop.sellers.seller(caller.seller_id)
        keys = await self._shop.accounts.api_keys(caller.seller_id)
        return SellerExported(seller.seller_id, seller.name, seller.since, keys)

    async def leave(self, caller: Caller, request: Request, asked: LeaveAsk) -> Forgotten:
        """Erase one's own account: it, its addresses, cards, sessions, carts, lists and the names on reviews
        are gone at once. Orders keep amounts and tax, and lose the person after the legal term."""
        await self._shop.accounts.leave(caller.user_id, asked.current_password)
        end_session(request)
        return Forgotten()

    async def forget_guest(
        self, request: Request, caller: Caller | None, order_id: OrderId, key: OrderKey | None = None
    ) -> Forgotten:
        """Erase who bought without an account, by the key of any of their orders: addresses, cards, cart,
        lists, session and the name on reviews are gone at once. Orders keep amounts and tax, and lose the
        person after the legal term."""
        await forget_guest(self._shop, request, caller, order_id, key)
        return Forgotten()


async def forget_guest(
    shop: Shop, request: Request, caller: Caller | None, order_id: OrderId, key: str | None
) -> None:
    order = await order_of(shop, caller, order_id, key)
    await shop.accounts.erase_guest(order.user_id, order.email)
    if caller and caller.user_id == order.user_id:
        end_session(request)


API = [
    PublicRoute("GET", "/account/export", LeavingApi.export, tag="People", needs="member"),
    PublicRoute(
        "DELETE",
        "/account",
        LeavingApi.leave,
        tag="People",
        needs="member",
        refuses=["wrong_password", "last_operator"],
    ),
    PublicRoute(
        "DELETE",
        "/orders/{order_id}/person",
        LeavingApi.forget_guest,
        tag="People",
        refuses=["sign_in_first", "has_account", "not_found"],
    ),
]


class LeavingPages:
    """The file with all that is kept, and the end of an account."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._api = LeavingApi(shop)
        self._page = AccountPages(pages, shop)

    async def export(self, request: Request) -> Response:
        caller = await member_of(request)
        content = codec.encode(await self._api.exported(caller, token_of(request)))
        headers = {"content-disposition": 'attachment; filename="mercat-account.json"'}
        return Response(content, headers=headers, media_type="application/json")

    async def leave(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        asked = read_form(form, LeaveForm)
        if isinstance(asked, FormErrors):
            return await self._page.account(request, changing=changing_form(LeaveForm, form, asked))
        try:
            await self._shop.accounts.leave(caller.user_id, asked.current_password)
        except Refusal as refused:
            if wrong := errors_of(refused):
                return await self._page.account(request, changing=changing_form(LeaveForm, form, wrong))
            return await self._page.account(request, refused=refused)
        end_session(request)
        return self._pages.redirect(request, "/account/left")

    async def forget(self, request: Request) -> Response:
        """Ask a guest once more before they are forgotten."""
        caller, (order_id, key) = await caller_of(request), _named(request)
        order = await order_of(self._shop, caller, order_id, key)
        if caller and not caller.guest and key is None:
            return self._pages.redirect(request, "/account")
        return await self._pages.page(request, "forget.html", **_shown(order, request))

    async def do_forget(self, request: Request) -> Response:
        await self._pages.form(request)
        caller, (order_id, key) = await caller_of(request), _named(request)
        order = await order_of(self._shop, caller, order_id, key)
        try:
            await forget_guest(self._shop, request, caller, order_id, key)
        except HasAccount as refused:
            shown = _shown(order, request)
            return await self._pages.page(
                request, "forget.html", refused.status, refused=message_of(refused), **shown
            )
        return self._pages.redirect(request, "/account/left")

    async def left(self, request: Request) -> Response:
        return await self._pages.page(request, "left.html")


def _named(request: Request) -> tuple[OrderId, str | None]:
    return id_of(request.path_params["order_id"], OrderId), request.query_params.get("key")


def _shown(order: Order, request: Request) -> dict[str, Any]:
    key = request.query_params.get("key")
    at = f"/orders/{order.order_id}"
    query = f"?key={quote(key)}" if key else ""
    return {"number": number_shown(order.number) or str(order.order_id), "at": at, "key": query}


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    leaving = LeavingPages(pages, shop)
    return [
        pages.route("/account/export", leaving.export),
        pages.route("/account/leave", leaving.leave, "POST"),
        pages.route("/account/left", leaving.left),
        pages.route("/orders/{order_id}/forget", leaving.forget),
        pages.route("/orders/{order_id}/forget", leaving.do_forget, "POST"),
    ]
