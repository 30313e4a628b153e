"""The cart: what is in it, what it costs, what stands between it and buying."""

from collections import Counter
from datetime import timedelta
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.cart import LINES_MAX, CartView, with_held
from mercat.checkout import WaitingPurchase
from mercat.ids import CartId, OfferId, ProductId
from mercat.kit import clock
from mercat.kit.refusals import Conflict, Invalid, NotFound, Refusal
from mercat.kit.rpc import Caller
from mercat.orders import OrderSummary
from mercat.quantity import QUANTITY_MAX, Quantity
from mercat.shop import Shop
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, number_in, read_form
from mercat.web.pages import Pages
from mercat.web.rendering import label
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount
from mercat.web.session import caller_of, guest_session

_JUST_NOW = timedelta(minutes=10)


class AddItem(Struct, frozen=True):
    quantity: Quantity
    product_id: ProductId | None = None
    offer_id: OfferId | None = None


class ChangeItem(Struct, frozen=True):
    quantity: Annotated[int, Meta(ge=0, le=QUANTITY_MAX, description="0 takes the line out.")]


class CartLineShown(Struct, frozen=True, kw_only=True):
    product_id: ProductId
    offer_id: OfferId
    title: str
    quantity: int
    price: Amount
    price_at_add: Amount
    line_total: Amount
    image_url: str


class CartProblem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    code: str
    offer_id: OfferId
    detail: str
    available: int | None = None
    price: Amount | None = None


class CartShown(Struct, frozen=True, kw_only=True):
    cart_id: CartId
    items: list[CartLineShown]
    subtotal: Amount
    currency: str
    item_count: int
    problems: list[CartProblem]


class CartApi:
    """The cart."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def cart(self, caller: Caller) -> CartShown:
        """Show the cart with today's prices, and what stands between it and buying."""
        return await self._shown(caller, await self._shop.cart.show(caller.user_id))

    async def add_item(self, caller: Caller, item: AddItem) -> CartShown:
        """Add to what is in the cart already. A product means its featured offer."""
        offer_id = item.offer_id
        if offer_id is None:
            if item.product_id is None:
                raise Invalid("Say which product or offer.", pointer="/product_id")
            offer_id = await self._shop.catalog.featured(item.product_id)
        view = await self._shop.cart.add(caller.user_id, offer_id, item.quantity)
        return await self._shown(caller, view)

    async def change_item(self, caller: Caller, item: str, change: ChangeItem) -> CartShown:
        """Set a line's quantity; 0 removes it. The line is named by its product or its offer."""
        view = await self._shop.cart.change(caller.user_id, item, change.quantity)
        return await self._shown(caller, view)

    async def remove_item(self, caller: Caller, item: str) -> CartShown:
        """Remove a line from the cart."""
        return await self._shown(caller, await self._shop.cart.remove(caller.user_id, item))

    async def _shown(self, caller: Caller, view: CartView) -> CartShown:
        waiting = await self._shop.checkout.waiting(caller.user_id) if view.problems else []
        return _cart_shown(with_held(view, held_for(waiting)))


def held_for(waiting: list[WaitingPurchase]) -> dict[OfferId, int]:
    """Add up what is held for purchases that wait for their shopper."""
    held: Counter[OfferId] = Counter()
    for purchase in waiting:
        for line in purchase.goods:
            held[line.offer_id] += line.quantity
    return held


def _cart_shown(view: CartView) -> CartShown:
    currency = view.currency
    return CartShown(
        cart_id=view.cart_id,
        items=[
            CartLineShown(
                product_id=item.product_id,
                offer_id=item.offer_id,
                title=item.title,
                quantity=item.quantity,
                price=money.shown(item.price, currency),
                price_at_add=money.shown(item.price_at_add, currency),
                line_total=money.shown(item.line_total, currency),
                image_url=item.image_url,
            )
            for item in view.items
        ],
        subtotal=money.shown(view.subtotal, currency),
        currency=currency,
        item_count=view.item_count,
        problems=[
            CartProblem(
                code=problem.code,
                offer_id=problem.offer_id,
                detail=problem.detail,
                available=problem.available,
                price=None if problem.price is None else money.shown(problem.price, currency),
            )
            for problem in view.problems
        ],
    )


API = [
    PublicRoute("GET", "/cart", CartApi.cart, tag="Buying", needs="guest"),
    PublicRoute(
        "POST",
        "/cart/items",
        CartApi.add_item,
        tag="Buying",
        needs="guest",
        status=200,
        refuses=["not_found", "cart_full"],
    ),
    PublicRoute("PATCH", "/cart/items/{item}", CartApi.change_item, tag="Buying", needs="guest"),
    PublicRoute("DELETE", "/cart/items/{item}", CartApi.remove_item, tag="Buying", needs="guest"),
]


class CartProblemText(NamedTuple):
    words: str
    short: str


class CartPages:
    """The cart as a page."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def cart(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        form = form or Form(ChangeItem)
        caller = await caller_of(request)
        view, waiting = None, []
        if caller:
            waiting = await self._shop.checkout.waiting(caller.user_id)
            view = with_held(await self._shop.cart.show(caller.user_id), held_for(waiting))
        ordered = await self._just_ordered(caller) if caller and view and not view.items else None
        response = await self._pages.page(
            request,
            "cart.html",
            refused.status if refused else (422 if form.errors else 200),
            form=form,
            cart=view or {"items": []},
            problems=problem_texts(view) if view else {},
            waiting=waiting,
            ordered=ordered,
            left_out=number_in(request.query_params.get("left_out"), 0, 0, LINES_MAX),
            refused=message_of(refused) if refused else None,
        )
        if request.headers.get("hx-request"):
            response.headers["HX-Trigger"] = "cart-changed"
        return response

    async def _just_ordered(self, caller: Caller) -> OrderSummary | None:
        """Find the order that emptied the cart a moment ago, perhaps from another tab."""
        orders = (await self._shop.orders.list_of([caller.user_id], limit=1)).orders
        return next((each for each in orders if clock.now() - each.created_at < _JUST_NOW), None)

    async def add(self, request: Request) -> Response:
        form = await self._pages.form(request, public=True)
        item = read_form(form, AddItem)
        if isinstance(item, FormErrors):
            words = "; ".join(f"{label(name)}: {words}" for name, words in item.items())
            return await self._not_added(request, Invalid(words))
        offer_id = item.offer_id
        if offer_id is None:
            if item.product_id is None:
                raise NotFound
            offer_id = await self._shop.catalog.featured(item.product_id)
        caller = await caller_of(request) or await guest_session(request, self._shop.accounts)
        try:
            view = await self._shop.cart.add(caller.user_id, offer_id, item.quantity)
        except Conflict as refused:
            return await self._not_added(request, refused)
        if not request.headers.get("hx-request"):
            return self._pages.redirect(request, "/cart")
        response = self._pages.fragment(request, "added.html", cart=view)
        response.headers["HX-Trigger"] = "cart-changed"
        return response

    async def _not_added(self, request: Request, refused: Refusal) -> Response:
        """Say why in the pressed page's script, or in the cart: the page itself is everybody's."""
        if request.headers.get("hx-request"):
            raise refused
        return await self.cart(request, refused=refused)

    async def change(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await caller_of(request)
        if caller is None:
            return self._pages.redirect(request, "/cart")
        item = request.path_params["item"]
        change = read_form(form, ChangeItem)
        if isinstance(change, FormErrors):
            return await self.cart(request, Form(ChangeItem, form, change, at=item))
        try:
            await self._shop.cart.change(caller.user_id, item, change.quantity)
        except Refusal as refused:
            return await self.cart(request, Form(ChangeItem, form, at=item), refused)
        return self._pages.redirect(request, "/cart")


def problem_texts(view: CartView) -> dict[OfferId, CartProblemText]:
    """Say by offer what stands between a cart and buying it."""
    titles = {item.offer_id: item for item in view.items}
    found: dict[OfferId, CartProblemText] = {}
    for each in view.problems:
        item = titles.get(each.offer_id)
        title = item.title if item else "Something in your cart"
        match each.code:
            case "price_changed" if item and each.price is not None:
                was, is_now = (
                    money.words(item.price_at_add, view.currency),
                    money.words(each.price, view.currency),
                )
                found[each.offer_id] = CartProblemText(
                    f"{title}: the price went from {was} to {is_now}.", "Price changed"
                )
            case "sold_out":
                found[each.offer_id] = CartProblemText(
                    f"{title} is sold out. Remove it to go on.", "Sold out"
                )
            case "not_enough":
                left = f"only {each.available} left" if each.available else "not that many left"
                found[each.offer_id] = CartProblemText(
                    f"{title}: {left}. Lower the quantity to go on.", left.capitalize()
                )
            case "not_for_sale":
                words = f"{title} is not for sale any more. Remove it to go on."
                found[each.offer_id] = CartProblemText(words, "Not for sale any more")
            case _:
                found[each.offer_id] = CartProblemText(each.detail, each.detail)
    return found


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    cart = CartPages(pages, shop)
    return [
        pages.route("/cart", cart.cart),
        pages.route("/cart/items", cart.add, "POST"),
        pages.route("/cart/items/{item}", cart.change, "POST"),
    ]
