"""The cart: what is in it, what it costs, what stands between it and buying."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.cart import LINES_MAX, CartLine, CartView, TypedGiftCard, with_discount, with_gifts, with_held
from mercat.catalog import QuantityRules
from mercat.checkout import GiftInCart, WaitingPurchase
from mercat.events import AppliedDiscount
from mercat.ids import CartId, GiftCardId, OfferId, ProductId, UserId
from mercat.kit import clock
from mercat.kit.refusals import Conflict, Invalid, NotFound, Refusal
from mercat.kit.rpc import Caller
from mercat.kit.signing import seal, unseal
from mercat.orders import OrderSummary
from mercat.payments import GiftCode
from mercat.promotions import Code, Reduced
from mercat.quantity import QUANTITY_MAX, Quantity
from mercat.shop import Shop
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, number_in, read_form
from mercat.web.here import ChosenCountry, chosen_country, country_of, remember_country, tiles_in
from mercat.web.pages import Pages
from mercat.web.prices import CodeShown, DiscountShown, codes_shown, discounts_shown
from mercat.web.rendering import label
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount
from mercat.web.session import caller_of, guest_session, network_of
from mercat.web.tiles import ProductTile, shelf

_A_SHELF = 5
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
    was_price: Amount | None
    """What one cost before a reduction."""
    quantity_rules: QuantityRules | None
    gift: bool
    """It comes along for nothing: its price is a part of the discount."""


class CartProblem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    code: str
    offer_id: OfferId
    detail: str
    available: int | None = None
    price: Amount | None = None
    quantity_rules: QuantityRules | None = None


class GiftCardGiven(Struct, frozen=True):
    code: GiftCode


class GiftCardInCart(Struct, frozen=True, kw_only=True):
    gift_card_id: GiftCardId
    last4: str
    balance: Amount
    applies: Amount
    """What of the goods it pays; of delivery and tax too, at checkout."""


class CartShown(Struct, frozen=True, kw_only=True):
    cart_id: CartId
    items: list[CartLineShown]
    subtotal: Amount
    discount: Amount
    discounts: list[DiscountShown]
    codes: list[CodeShown]
    gift_cards: list[GiftCardInCart]
    shipping: None = None
    """Known with an address."""
    tax: None = None
    total: Amount
    """Before delivery and tax."""
    currency: str
    item_count: int
    problems: list[CartProblem]
    free_delivery_in: Amount | None
    """How much more has to be bought for a delivery that is free; `null` where nothing offers that."""


class AddCode(Struct, frozen=True):
    code: Code


class CartApi:
    """The cart."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def cart(self, caller: Caller, country: ChosenCountry = "") -> CartShown:
        """Show the cart with today's prices, and what stands between it and buying."""
        return await self._shown(caller, await self._shop.cart.show(caller.user_id, country), country)

    async def add_item(self, caller: Caller, item: AddItem, country: ChosenCountry = "") -> CartShown:
        """Add to what is in the cart already. A product means its featured offer."""
        offer_id = item.offer_id
        if offer_id is None:
            if item.product_id is None:
                raise Invalid("Say which product or offer.", pointer="/product_id")
            offer_id = await self._shop.catalog.featured(item.product_id)
        view = await self._shop.cart.add(caller.user_id, offer_id, item.quantity, country)
        return await self._shown(caller, view, country)

    async def change_item(
        self, caller: Caller, item: str, change: ChangeItem, country: ChosenCountry = ""
    ) -> CartShown:
        """Set a line's quantity; 0 removes it. The line is named by its product or its offer."""
        view = await self._shop.cart.change(caller.user_id, item, change.quantity, country)
        return await self._shown(caller, view, country)

    async def remove_item(self, caller: Caller, item: str, country: ChosenCountry = "") -> CartShown:
        """Remove a line from the cart."""
        return await self._shown(caller, await self._shop.cart.remove(caller.user_id, item, country), country)

    async def add_code(self, caller: Caller, ask: AddCode, country: ChosenCountry = "") -> CartShown:
        """Give a code. Whether it takes something off, and why not, stands in `codes[]`."""
        await self._shop.cart.add_code(caller.user_id, ask.code.strip())
        return await self.cart(caller, country)

    async def drop_code(self, caller: Caller, code: str, country: ChosenCountry = "") -> CartShown:
        """Take a code out of the cart."""
        await self._shop.cart.drop_code(caller.user_id, code)
        return await self.cart(caller, country)

    async def add_gift_card(
        self, caller: Caller, request: Request, given: GiftCardGiven, country: ChosenCountry = ""
    ) -> CartShown:
        """Let a gift card pay, before the card: named by its code, however it is typed. Again changes
        nothing."""
        typed = TypedGiftCard(given.code, network_of(request))
        view = await self._shop.cart.add_gift_card(caller.user_id, typed, country)
        return await self._shown(caller, view, country)

    async def remove_gift_card(self, caller: Caller, card: str, country: ChosenCountry = "") -> CartShown:
        """Take a gift card out, named by its id or the last four letters of its code."""
        view = await self._shop.cart.remove_gift_card(caller.user_id, card, country)
        return await self._shown(caller, view, country)

    async def _shown(self, caller: Caller, view: CartView, country: str) -> CartShown:
        waiting = await self._shop.checkout.waiting(caller.user_id) if view.problems else []
        found = await self._shop.checkout.reduced(caller, country)
        view = with_gifts(with_held(view, held_for(waiting)), gift_lines(found.gifts))
        return _cart_shown(view, found.reduced)


def gift_lines(gifts: list[GiftInCart]) -> list[CartLine]:
    """Show what comes along as lines of a cart."""
    return [
        CartLine(
            product_id=each.product_id,
            offer_id=each.offer_id,
            title=each.title,
            quantity=1,
            price=each.price,
            price_at_add=each.price,
            line_total=each.price,
            image_url=each.image_url,
            seller_name=each.seller_name,
            is_gift=True,
        )
        for each in gifts
    ]


def held_for(waiting: list[WaitingPurchase]) -> dict[OfferId, int]:
    """Add up what is held for purchases that wait for their shopper."""
    held: Counter[OfferId] = Counter()
    for purchase in waiting:
        for line in purchase.goods:
            held[line.offer_id] += line.quantity
    return held


def _cart_shown(view: CartView, reduced: Reduced) -> CartShown:
    currency = view.currency
    discounts = [each.discount for each in reduced.reductions]
    discount = sum(each.amount for each in discounts)
    view = with_discount(view, discount)
    missing = reduced.free_from
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
                was_price=None if item.was_price is None else money.shown(item.was_price, currency),
                quantity_rules=item.quantity_rules,
                gift=item.is_gift,
            )
            for item in view.items
        ],
        subtotal=money.shown(view.subtotal, currency),
        discount=money.shown(discount, currency),
        discounts=discounts_shown(discounts, currency),
        codes=codes_shown(reduced.codes),
        gift_cards=[
            GiftCardInCart(
                gift_card_id=each.gift_card_id,
                last4=each.last4,
                balance=money.shown(each.balance, currency),
                applies=money.shown(each.applies, currency),
            )
            for each in view.gift_cards
        ],
        total=money.shown(view.subtotal - discount, currency),
        free_delivery_in=None if missing is None else money.shown(missing, currency),
        currency=currency,
        item_count=sum(item.quantity for item in view.items),
        problems=[
            CartProblem(
                code=problem.code,
                offer_id=problem.offer_id,
                detail=problem.detail,
                available=problem.available,
                price=None if problem.price is None else money.shown(problem.price, currency),
                quantity_rules=problem.quantity_rules,
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
        refuses=["not_found", "cart_full", "other_currency"],
    ),
    PublicRoute("PATCH", "/cart/items/{item}", CartApi.change_item, tag="Buying", needs="guest"),
    PublicRoute("DELETE", "/cart/items/{item}", CartApi.remove_item, tag="Buying", needs="guest"),
    PublicRoute(
        "POST",
        "/cart/codes",
        CartApi.add_code,
        tag="Buying",
        needs="guest",
        status=200,
        refuses=["too_many_codes"],
    ),
    PublicRoute(
        "DELETE",
        "/cart/codes/{code:path}",
        CartApi.drop_code,
        tag="Buying",
        needs="guest",
        refuses=["not_found"],
    ),
    PublicRoute(
        "POST",
        "/cart/gift-cards",
        CartApi.add_gift_card,
        tag="Buying",
        needs="guest",
        status=200,
        refuses=["gift_card_unknown", "gift_card_not_usable", "other_currency", "gift_cards_full"],
    ),
    PublicRoute(
        "DELETE",
        "/cart/gift-cards/{card}",
        CartApi.remove_gift_card,
        tag="Buying",
        needs="guest",
        refuses=["not_found"],
    ),
]


_FORMS = (ChangeItem, GiftCardGiven)


CODE_WORDS: dict[str, str] = {
    "code_unknown": "No promotion has this code. Look at how it is written.",
    "code_expired": "This promotion is over.",
    "code_used_up": "It has been used as often as it may be.",
    "below_minimum": "There is not enough in your cart for it yet.",
    "not_for_these_goods": "It is not for what is in your cart.",
    "does_not_combine": "It does not go together with what you save already, which saves you more.",
    "not_for_you": "It is not for your account, or not for where this goes.",
}


class CodeText(NamedTuple):
    """A code that was given, and in words why it takes nothing off where it does not."""

    code: str
    words: str


class Savings(NamedTuple):
    """What a page says of promotions: codes with a field for more, reductions, how far free delivery is."""

    form: Form
    codes: list[CodeText]
    discounts: list[AppliedDiscount]
    free_from: int | None
    back: str
    gifts: list[CartLine]

    @property
    def discount(self) -> int:
        return sum(each.amount for each in self.discounts)


class CodeForm(AddCode, frozen=True):
    """What the field for a code asks; `back`: the page that it stands on."""

    back: Literal["cart", "checkout"] = "cart"


async def savings(shop: Shop, caller: Caller, back: Literal["cart", "checkout"], country: str) -> Savings:
    """Look up what promotions do for a cart, at the prices of a country."""
    found = await shop.checkout.reduced(caller, country)
    reduced = found.reduced
    codes = [CodeText(each.code, CODE_WORDS[each.why] if each.why else "") for each in reduced.codes]
    discounts = [each.discount for each in reduced.reductions]
    return Savings(Form(CodeForm), codes, discounts, reduced.free_from, back, gift_lines(found.gifts))


class CartProblemText(NamedTuple):
    words: str
    short: str


class SealedLine(Struct, frozen=True, array_like=True):
    """What an address says was just taken out, signed by us: by whom, and how many."""

    user_id: UserId
    offer_id: OfferId
    quantity: int


class JustRemoved(NamedTuple):
    """What was just taken out of a cart."""

    title: str
    offer_id: OfferId
    quantity: int


class CartPages:
    """The cart as a page."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._key = shop.settings.key("taken out of carts")

    async def cart(
        self,
        request: Request,
        form: Form | None = None,
        refused: Refusal | None = None,
        status: int | None = None,
    ) -> Response:
        form = form or Form(_FORMS)
        caller = await caller_of(request)
        country = await country_of(self._shop, request, caller)
        view, waiting = None, []
        if caller:
            waiting = await self._shop.checkout.waiting(caller.user_id)
            view = with_held(await self._shop.cart.show(caller.user_id, country), held_for(waiting))
        saved = await savings(self._shop, caller, "cart", country) if caller and view and view.items else None
        if view and saved:
            view = with_discount(with_gifts(view, saved.gifts), saved.discount)
        ordered = await self._just_ordered(caller) if caller and view and not view.items else None
        response = await self._pages.page(
            request,
            "cart.html",
            status or (refused.status if refused else (422 if form.errors else 200)),
            form=form,
            cart=view or {"items": []},
            problems=problem_texts(view) if view else {},
            waiting=waiting,
            savings=saved,
            ordered=ordered,
            goes_with=await self._goes_with(caller, view, country),
            removed=await self._removed(request, caller),
            left_out=number_in(request.query_params.get("left_out"), 0, 0, LINES_MAX),
            refused=message_of(refused) if refused else None,
        )
        if country != chosen_country(request):
            remember_country(response, country, secure=self._shop.settings.secure_cookies)
        if request.headers.get("hx-request"):
            response.headers["HX-Trigger"] = "cart-changed"
        return response

    async def _removed(self, request: Request, caller: Caller | None) -> JustRemoved | None:
        """Name what this person just took out, as the address says it, so that it can be put back."""
        asked = request.query_params.get("removed") if request.method == "GET" else None
        taken = unseal(self._key, asked, SealedLine) if asked else None
        if taken is None or caller is None or taken.user_id != caller.user_id:
            return None
        offer = (await self._shop.catalog.offers([taken.offer_id])).get(taken.offer_id)
        if offer is None or offer.status != "active":
            return None
        return JustRemoved(offer.title, taken.offer_id, taken.quantity)

    async def _goes_with(
        self, caller: Caller | None, view: CartView | None, country: str
    ) -> list[ProductTile]:
        """Show what is bought with what is in the cart; for an empty one, what is popular."""
        given = [item.product_id for item in view.items] if view else []
        owner = caller.user_id if caller else None
        shown = await shelf(self._shop, self._shop.recommendations.goes_with(given, _A_SHELF, owner))
        [shown] = await tiles_in(self._shop, country, shown)
        return shown

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
            country = await country_of(self._shop, request, caller)
            view = await self._shop.cart.add(caller.user_id, offer_id, item.quantity, country)
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
            return await self.cart(request, Form(_FORMS, form, change, at=item))
        stood: list[CartLine] = []
        if change.quantity == 0:
            lines = (await self._shop.cart.show(caller.user_id)).items
            stood = [each for each in lines if item == str(each.offer_id)]
        try:
            await self._shop.cart.change(caller.user_id, item, change.quantity)
        except Refusal as refused:
            return await self.cart(request, Form(_FORMS, form, at=item), refused)
        taken = [SealedLine(caller.user_id, each.offer_id, each.quantity) for each in stood]
        gone = "".join(f"?removed={seal(self._key, each)}" for each in taken)
        return self._pages.redirect(request, f"/cart{gone}")

    async def add_gift_card(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await caller_of(request)
        if caller is None:
            return self._pages.redirect(request, "/cart")
        given = read_form(form, GiftCardGiven)
        if isinstance(given, FormErrors):
            return await self.cart(request, Form(_FORMS, form, given))
        try:
            typed = TypedGiftCard(given.code, network_of(request))
            await self._shop.cart.add_gift_card(caller.user_id, typed)
        except Refusal as refused:
            errors = FormErrors(code=str(refused))
            return await self.cart(request, Form(_FORMS, form, errors), status=refused.status)
        return self._pages.redirect(request, "/cart")

    async def remove_gift_card(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await caller_of(request)
        if caller is not None:
            with suppress(NotFound):
                await self._shop.cart.remove_gift_card(caller.user_id, request.path_params["card"])
        return self._pages.redirect(request, "/cart")

    async def add_code(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await caller_of(request)
        asked = read_form(form, CodeForm)
        if caller is None or isinstance(asked, FormErrors):
            return self._pages.redirect(request, "/checkout" if form.get("back") == "checkout" else "/cart")
        try:
            await self._shop.cart.add_code(caller.user_id, asked.code)
        except Refusal as refused:
            return await self.cart(request, refused=refused)
        return self._pages.redirect(request, f"/{asked.back}")

    async def drop_code(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await caller_of(request)
        asked = read_form(form, CodeForm)
        if caller is not None and not isinstance(asked, FormErrors):
            with suppress(NotFound):  # another tab was first
                await self._shop.cart.drop_code(caller.user_id, asked.code)
        return self._pages.redirect(request, "/checkout" if form.get("back") == "checkout" else "/cart")


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
        pages.route("/cart/codes", cart.add_code, "POST"),
        pages.route("/cart/codes/remove", cart.drop_code, "POST"),
        pages.route("/cart/items/{item}", cart.change, "POST"),
        pages.route("/cart/gift-cards", cart.add_gift_card, "POST"),
        pages.route("/cart/gift-cards/{card}/remove", cart.remove_gift_card, "POST"),
    ]
