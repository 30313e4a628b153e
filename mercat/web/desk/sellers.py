"""Becoming a seller."""

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import SellerId
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.sellers import SellerName, SellerStatus
from mercat.shop import Shop
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.session import caller_of, member_of


class NewSeller(Struct, frozen=True):
    name: SellerName


class SellerMade(Struct, frozen=True):
    seller_id: SellerId
    name: str
    status: SellerStatus


class SellersApi:
    """Becoming a seller."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def register_seller(self, caller: Caller, seller: NewSeller) -> SellerMade:
        """Make this account a seller's, in this session too. Their goods are for sale once an operator lets
        them in, or at once where the shop lets everybody in (`status`)."""
        seller_id = await self._shop.membership.become_seller(caller, seller.name)
        made = await self._shop.sellers.seller(seller_id)
        return SellerMade(seller_id, made.name, made.status)


API = [
    PublicRoute(
        "POST", "/sellers", SellersApi.register_seller, tag="Selling", needs="member", refuses=["name_taken"]
    ),
]


class SellerPages:
    """Becoming a seller."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def sell(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        form = form or Form(NewSeller)
        caller = await caller_of(request)
        if caller and caller.seller_id is not None:
            return self._pages.redirect(request, "/desk")
        return await self._pages.page(
            request,
            "sell.html",
            refused.status if refused else (422 if form.errors else 200),
            caller=caller,
            form=form,
            refused=message_of(refused) if refused else None,
        )

    async def open_shop(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        asked = read_form(form, NewSeller)
        if isinstance(asked, FormErrors):
            return await self.sell(request, Form(NewSeller, form, asked))
        try:
            await self._shop.membership.become_seller(caller, asked.name)
        except Refusal as refused:
            return await self.sell(request, Form(NewSeller, form), refused)
        return self._pages.redirect(request, "/desk")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    sellers = SellerPages(pages, shop)
    return [
        pages.route("/sell", sellers.sell),
        pages.route("/sell", sellers.open_shop, "POST"),
    ]
