"""The wishlist: what somebody keeps to find again."""

from datetime import datetime

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import ProductId, WishlistId
from mercat.kit.refusals import Unavailable
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.forms import Form, FormErrors, id_of, read_form
from mercat.web.here import ChosenCountry, chosen_country, documents_in
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit, ProductCardShown, card, page_of
from mercat.web.session import caller_of, member_of
from mercat.wishlist import FIRST_NAME, Item, NamedList, PriceSeen, WishlistName


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
    next_cursor: ProductId | None


class NamedListShown(Struct, frozen=True):
    wishlist_id: WishlistId
    name: str
    item_count: int
    share_url: str
    """Who has this link sees the list."""
    alerts: bool
    """Whether one hears of better prices, and of what is there again."""


class ListsShown(Struct, frozen=True):
    wishlists: list[NamedListShown]
    next_cursor: WishlistId | None


class NewList(Struct, frozen=True):
    name: WishlistName


class ListAlerts(Struct, frozen=True):
    alerts: bool


class ListItemsShown(Struct, frozen=True):
    wishlist_id: WishlistId
    items: list[WishShown]


class ListRemoved(Struct, frozen=True):
    wishlist_id: WishlistId


class SharedListShown(Struct, frozen=True):
    name: str
    items: list[WishShown]


class WishlistApi:
    """What somebody keeps."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def wishlist(
        self,
        caller: Caller,
        country: ChosenCountry = "",
        limit: PageLimit | None = None,
        cursor: ProductId | None = None,
    ) -> WishlistShown:
        """List what one keeps to find again, the newest first: all, or so many at a time."""
        found = await _items(self._shop, caller)
        page, after = page_of(found, lambda each: each.product_id, limit, cursor)
        return WishlistShown(await _shown(self._shop, page, country), after)

    async def wish(self, caller: Caller, product_id: ProductId) -> Wished:
        """Keep a product. Once more changes nothing."""
        await _keep(self._shop, caller, product_id)
        return Wished(product_id, True)

    async def unwish(self, caller: Caller, product_id: ProductId) -> Wished:
        """Keep a product no longer."""
        await self._shop.wishlist.drop(caller.user_id, product_id)
        return Wished(product_id, False)

    async def wishlists(
        self, caller: Caller, limit: PageLimit | None = None, cursor: WishlistId | None = None
    ) -> ListsShown:
        """List one's wishlists: all, or so many at a time. The first is there for everybody."""
        found = await self._shop.wishlist.lists(caller.user_id)
        page, after = page_of(found, lambda each: each.wishlist_id, limit, cursor)
        return ListsShown([_list_shown(self._shop, each) for each in page], after)

    async def add_wishlist(self, caller: Caller, wishlist: NewList) -> NamedListShown:
        """Make another list."""
        return _list_shown(self._shop, await self._shop.wishlist.add(caller.user_id, wishlist.name))

    async def rename_wishlist(
        self, caller: Caller, wishlist_id: WishlistId, wishlist: NewList
    ) -> NamedListShown:
        """Call a list something else."""
        named = await self._shop.wishlist.rename(caller.user_id, wishlist_id, wishlist.name)
        return _list_shown(self._shop, named)

    async def alert_wishlist(
        self, caller: Caller, wishlist_id: WishlistId, wishlist: ListAlerts
    ) -> NamedListShown:
        """Say whether one hears of better prices on a list, and of what is there again."""
        await self._shop.wishlist.alert(caller.user_id, wishlist_id, wishlist.alerts)
        found = await self._shop.wishlist.lists(caller.user_id)
        return _list_shown(self._shop, next(each for each in found if each.wishlist_id == wishlist_id))

    async def remove_wishlist(self, caller: Caller, wishlist_id: WishlistId) -> ListRemoved:
        """Remove a list with what is on it."""
        await self._shop.wishlist.remove(caller.user_id, wishlist_id)
        return ListRemoved(wishlist_id)

    async def wishlist_items(
        self, caller: Caller, wishlist_id: WishlistId, country: ChosenCountry = ""
    ) -> ListItemsShown:
        """List what is on a wishlist, the newest first."""
        items = await self._shop.wishlist.items_of(caller.user_id, wishlist_id)
        return ListItemsShown(wishlist_id, await _shown(self._shop, items, country))

    async def put_on_wishlist(self, caller: Caller, wishlist_id: WishlistId, product_id: ProductId) -> Wished:
        """Put a product on a list. Once more changes nothing."""
        product = await self._shop.catalog.product(product_id)  # raises NotFound
        seen = PriceSeen(product.price, product.in_stock)
        await self._shop.wishlist.put_into(caller.user_id, wishlist_id, product_id, seen)
        return Wished(product_id, True)

    async def take_off_wishlist(
        self, caller: Caller, wishlist_id: WishlistId, product_id: ProductId
    ) -> Wished:
        """Take a product off a list."""
        await self._shop.wishlist.drop_from(caller.user_id, wishlist_id, product_id)
        return Wished(product_id, False)

    async def shared_wishlist(self, token: str, country: ChosenCountry = "") -> SharedListShown:
        """Show a list to who has its link."""
        shared = await self._shop.wishlist.shared(token)
        return SharedListShown(shared.name, await _shown(self._shop, shared.items, country))


def _list_shown(shop: Shop, named: NamedList) -> NamedListShown:
    url = shop.settings.link(f"/wishlists/shared/{named.share_token}")
    return NamedListShown(named.wishlist_id, named.name, named.items, url, named.alerts)


async def _shown(shop: Shop, items: list[Item], country: str) -> list[WishShown]:
    found = await shop.catalog.cards([item.product_id for item in items])
    documents = await documents_in(shop, country, found)
    cards = {document.product_id: card(document) for document in documents}
    return [WishShown(item.product_id, item.added_at, cards.get(item.product_id)) for item in items]


async def _items(shop: Shop, caller: Caller) -> list[Item]:
    """Read a wishlist; raise Unavailable while it is away."""
    nothing: list[Item] | None = None
    items = await shop.breakers["wishlist"].ask(shop.wishlist.items(caller.user_id), nothing)
    if items is None:
        raise Unavailable("Wishlists are not there at the moment. Nothing is lost; try again shortly.")
    return items


async def _keep(shop: Shop, caller: Caller, product_id: ProductId) -> None:
    product = await shop.catalog.product(product_id)  # raises NotFound
    await shop.wishlist.put(caller.user_id, product_id, PriceSeen(product.price, product.in_stock))


_PATH = "/wishlists/{wishlist_id}"
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
    PublicRoute("GET", "/wishlists", WishlistApi.wishlists, tag="Opinions", needs="guest"),
    PublicRoute(
        "POST",
        "/wishlists",
        WishlistApi.add_wishlist,
        tag="Opinions",
        needs="guest",
        location="/wishlists/{wishlist_id}",
        refuses=["wishlist_limit"],
    ),
    PublicRoute("GET", "/wishlists/shared/{token}", WishlistApi.shared_wishlist, tag="Opinions"),
    PublicRoute(
        "PATCH",
        _PATH,
        WishlistApi.rename_wishlist,
        tag="Opinions",
        needs="guest",
        refuses=["first_wishlist"],
    ),
    PublicRoute("PUT", f"{_PATH}/alerts", WishlistApi.alert_wishlist, tag="Opinions", needs="guest"),
    PublicRoute(
        "DELETE",
        _PATH,
        WishlistApi.remove_wishlist,
        tag="Opinions",
        needs="guest",
        refuses=["first_wishlist"],
    ),
    PublicRoute("GET", _PATH, WishlistApi.wishlist_items, tag="Opinions", needs="guest"),
    PublicRoute(
        "PUT",
        f"{_PATH}/items/{{product_id}}",
        WishlistApi.put_on_wishlist,
        tag="Opinions",
        needs="guest",
        refuses=["wishlist_full"],
    ),
    PublicRoute(
        "DELETE",
        f"{_PATH}/items/{{product_id}}",
        WishlistApi.take_off_wishlist,
        tag="Opinions",
        needs="guest",
    ),
]


class WishlistPages:
    """The wishlist as a page."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def wishlist(self, request: Request) -> Response:
        caller = await member_of(request)
        return await self._page(request, caller, WishlistId(caller.user_id), await _items(self._shop, caller))

    async def named(self, request: Request) -> Response:
        caller = await member_of(request)
        wishlist_id = id_of(request.path_params["wishlist_id"], WishlistId)
        items = await self._shop.wishlist.items_of(caller.user_id, wishlist_id)
        return await self._page(request, caller, wishlist_id, items)

    async def add(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        asked = read_form(form, NewList)
        if isinstance(asked, FormErrors):
            items = await _items(self._shop, caller)
            return await self._page(
                request, caller, WishlistId(caller.user_id), items, Form(NewList, form, asked)
            )
        made = await self._shop.wishlist.add(caller.user_id, asked.name)
        return self._pages.redirect(request, f"/wishlists/{made.wishlist_id}")

    async def remove(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await member_of(request)
        wishlist_id = id_of(request.path_params["wishlist_id"], WishlistId)
        await self._shop.wishlist.remove(caller.user_id, wishlist_id)
        return self._pages.redirect(request, "/wishlist")

    async def take_off(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        wishlist_id = id_of(request.path_params["wishlist_id"], WishlistId)
        product_id = id_of(form.get("product_id", ""), ProductId)
        await self._shop.wishlist.drop_from(caller.user_id, wishlist_id, product_id)
        return self._pages.redirect(request, f"/wishlists/{wishlist_id}")

    async def alert(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        wishlist_id = id_of(request.path_params["wishlist_id"], WishlistId)
        await self._shop.wishlist.alert(caller.user_id, wishlist_id, "on" in form)
        return self._pages.redirect(request, f"/wishlists/{wishlist_id}")

    async def shared(self, request: Request) -> Response:
        shared = await self._shop.wishlist.shared(request.path_params["token"])
        return await self._pages.page(
            request,
            "wishlist_shared.html",
            name=shared.name,
            products=await documents_in(
                self._shop,
                chosen_country(request),
                await self._shop.catalog.cards([item.product_id for item in shared.items]),
            ),
        )

    async def _page(
        self,
        request: Request,
        caller: Caller,
        wishlist_id: WishlistId,
        items: list[Item],
        form: Form | None = None,
    ) -> Response:
        lists = await self._shop.wishlist.lists(caller.user_id)
        here = next(each for each in lists if each.wishlist_id == wishlist_id)
        products = await self._shop.catalog.cards([item.product_id for item in items])
        products = await documents_in(self._shop, chosen_country(request), products)
        there = {product.product_id for product in products}
        away = [item.product_id for item in items if item.product_id not in there]
        return await self._pages.page(
            request,
            "wishlist.html",
            422 if form and form.errors else 200,
            products=products,
            away=await self._shop.catalog.names(away) if away else [],
            lists=lists,
            here=here,
            first=here.name == FIRST_NAME and here is lists[0],
            share_url=self._shop.settings.link(f"/wishlists/shared/{here.share_token}"),
            form=form or Form(NewList),
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
        pages.route("/wishlists", wishlist.add, "POST"),
        pages.route("/wishlists/shared/{token}", wishlist.shared),
        pages.route("/wishlists/{wishlist_id}", wishlist.named),
        pages.route("/wishlists/{wishlist_id}/remove", wishlist.remove, "POST"),
        pages.route("/wishlists/{wishlist_id}/items", wishlist.take_off, "POST"),
        pages.route("/wishlists/{wishlist_id}/alerts", wishlist.alert, "POST"),
    ]
