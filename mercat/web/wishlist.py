"""The wishlist: what somebody keeps to find again."""

from datetime import datetime

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.events import Document
from mercat.ids import ProductId
from mercat.kit.refusals import Unavailable
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.forms import id_of
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import ProductCardShown, card
from mercat.web.session import caller_of, member_of
from mercat.wishlist import Item


class WishShown(Struct, frozen=True):
    product_id: ProductId
    added_at: datetime
    product: ProductCardShown | None
    """None: it is not for sale any more."""


class Wished(Struct, frozen=True):
    product_id: ProductId
    wished: bool


class WishlistShown(Struct, frozen=True):
    items: list[WishShown]


class WishlistApi:
    """What somebody keeps."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def wishlist(self, caller: Caller) -> WishlistShown:
        """List what one keeps to find again, the newest first."""
        items, documents = await _items(self._shop, caller)
        cards = {document.product_id: card(document) for document in documents}
        return WishlistShown(
            [WishShown(item.product_id, item.added_at, cards.get(item.product_id)) for item in items]
        )

    async def wish(self, caller: Caller, product_id: ProductId) -> Wished:
        """Keep a product. Once more changes nothing."""
        await _keep(self._shop, caller, product_id)
        return Wished(product_id, True)

    async def unwish(self, caller: Caller, product_id: ProductId) -> Wished:
        """Keep a product no longer."""
        await self._shop.wishlist.drop(caller.user_id, product_id)
        return Wished(product_id, False)


async def _items(shop: Shop, caller: Caller) -> tuple[list[Item], list[Document]]:
    """Read a wishlist, and of its products those that are for sale; raise Unavailable while it is away."""
    nothing: list[Item] | None = None
    items = await shop.breakers["wishlist"].ask(shop.wishlist.items(caller.user_id), nothing)
    if items is None:
        raise Unavailable("Wishlists are not there at the moment. Nothing is lost; try again shortly.")
    return items, await shop.catalog.cards([item.product_id for item in items])


async def _keep(shop: Shop, caller: Caller, product_id: ProductId) -> None:
    await shop.catalog.product(product_id)  # raises NotFound
    await shop.wishlist.put(caller.user_id, product_id)


API = [
    PublicRoute("GET", "/wishlist", WishlistApi.wishlist, tag="Opinions", needs="guest"),
    PublicRoute(
        "PUT",
        "/wishlist/{product_id}",
        WishlistApi.wish,
        tag="Opinions",
        needs="guest",
        refuses=["wishlist_full"],
    ),
    PublicRoute("DELETE", "/wishlist/{product_id}", WishlistApi.unwish, tag="Opinions", needs="guest"),
]


class WishlistPages:
    """The wishlist as a page."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def wishlist(self, request: Request) -> Response:
        caller = await member_of(request)
        items, products = await _items(self._shop, caller)
        there = {product.product_id for product in products}
        away = [item.product_id for item in items if item.product_id not in there]
        return await self._pages.page(
            request,
            "wishlist.html",
            products=products,
            away=await self._shop.catalog.names(away) if away else [],
        )

    async def wish(self, request: Request) -> Response:
        form = await self._pages.form(request, public=True)
        product_id = id_of(form.get("product_id", ""), ProductId)
        caller = await caller_of(request)
        if caller is None or caller.guest:
            to = f"/signin?next=/p/{product_id}"
            if request.headers.get("hx-request"):
                return self._pages.message(
                    request, "warn", "Your wishlist is kept in your account.", to, "Sign in"
                )
            return self._pages.redirect(request, to)
        if form.get("drop"):
            await self._shop.wishlist.drop(caller.user_id, product_id)
            return self._pages.redirect(request, "/wishlist")
        await _keep(self._shop, caller, product_id)
        if request.headers.get("hx-request"):
            return self._pages.message(request, "good", "Saved to your wishlist.", "/wishlist", "See it")
        return self._pages.redirect(request, "/wishlist")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    wishlist = WishlistPages(pages, shop)
    return [
        pages.route("/wishlist", wishlist.wishlist),
        pages.route("/wishlist", wishlist.wish, "POST"),
    ]
