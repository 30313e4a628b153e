"""From the cart to an order: delivery, quote, buying, and waiting for the bank."""

import uuid
from datetime import date, datetime
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Raw, Struct, field, structs
from starlette.requests import Request
from starlette.responses import Response

from mercat import addresses as places
from mercat import money
from mercat.accounts import CARD_TOKEN_MAX, Address, Email, NewAddress, is_same_address
from mercat.cart import CartView, TypedGiftCard, with_held
from mercat.checkout import (
    FLASH_PASS_MAX,
    Buy,
    BuyWith,
    CheckoutAnswer,
    CheckoutInProgress,
    CheckoutKey,
    CheckoutOutcome,
    Confirmed,
    Destination,
    GiftMessage,
    GiftName,
    GiftTo,
    MethodCode,
    NewCard,
    PayingValue,
    Pending,
    PriceChanged,
    QuoteId,
    Refused,
    destination_of,
)
from mercat.events import AppliedDiscount
from mercat.fulfilment import PickupPoint, ShippingMethod
from mercat.ids import AddressId, CheckoutId, OrderId, PaymentMethodId, SellerId
from mercat.kit import codec
from mercat.kit.http import Answer
from mercat.kit.refusals import BadRequest, NotFound, Refusal
from mercat.kit.rpc import Caller
from mercat.payments import GiftCode, NextAction, declaration
from mercat.pricing import TaxNote, Totals
from mercat.sellers import issuers
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.cart import held_for, problem_texts, savings
from mercat.web.checkout_messages import UNMOVED, checkout_message
from mercat.web.context import allow
from mercat.web.errors import RefusalMessage
from mercat.web.forms import Form, FormErrors, id_of, read_form
from mercat.web.here import chosen_country
from mercat.web.idempotency import FORM_KEY_MAX, form_key, key_of
from mercat.web.optional import unless_away
from mercat.web.pages import Pages
from mercat.web.places import served_places
from mercat.web.prices import (
    CodeShown,
    DiscountShown,
    PartPriceShown,
    codes_shown,
    discounts_shown,
    parts_priced,
)
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, Price, is_given, minor
from mercat.web.session import caller_of, network_of

_ASK_KEPT_S = 86_400
_NOTHING_BEGAN = (400, 401, 403, 404, 409, 422)
"""Refusals that checkout raises rather than stores: the same form may be mended and sent again."""
_IN_PROGRESS = CheckoutAnswer(Pending(), 202, b"")
_CARD_POINTER = "/token"
"""What checkout points to where it does not take a new card."""
_NO_CARD = "none"
"""What a form says where gift cards and store credit pay all."""
_NEW_CARD = "new:"
"""How a form begins what it says of a card from the provider's own field; the token follows."""


class PartMethodShown(Struct, frozen=True, kw_only=True):
    """How one seller's part travels: where the seller does not have the method, by their cheapest."""

    seller_id: SellerId
    code: str
    name: str
    price: Amount
    estimated_delivery: date
    pickup: PickupPoint | None


class MethodShown(Struct, frozen=True, kw_only=True):
    code: str
    name: str
    price: Amount
    currency: str
    estimated_delivery: date
    parts: list[PartMethodShown]
    pickup: PickupPoint | None


class MethodsShown(Struct, frozen=True):
    methods: list[MethodShown]


class QuoteAsk(Struct, frozen=True):
    shipping_address_id: AddressId
    shipping_method: MethodCode


class QuoteShown(Struct, frozen=True, kw_only=True):
    quote_id: str
    subtotal: Amount
    discount: Amount
    shipping: Amount
    tax: Amount
    tax_included: bool
    tax_note: TaxNote
    """Why there is no tax: nobody knows the rate, the buyer owes it (reverse charge), or is free of it."""
    total: Amount
    currency: str
    discounts: list[DiscountShown]
    codes: list[CodeShown]
    parts: list[PartPriceShown]
    expires_at: datetime


class CheckoutAsk(Struct, frozen=True, kw_only=True):
    shipping_address_id: AddressId
    payment_method_id: PaymentMethodId | None = None
    """May be left out where gift cards and store credit pay all of it."""
    shipping_method: MethodCode
    use_store_credit: bool = False
    """What gift cards leave is paid from store credit before the card."""
    quote_id: QuoteId | None = None
    email: Email | None = None
    gift_to: GiftTo | None = None
    """Who gets the gift cards of the cart, by letter; who buys does, where nobody is named."""
    expected_total: Price = field(default_factory=lambda: Raw(b"null"))


class AbandonAsk(Struct, frozen=True):
    """`key`: the `Idempotency-Key` of the checkout."""

    key: CheckoutKey


class NextActionShown(Struct, frozen=True):
    type: str
    url: str


class CheckoutShown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    order_id: OrderId
    status: Literal["confirmed", "pending"]
    total: Amount | None = None
    currency: str | None = None
    estimated_delivery: date | None = None
    next_action: NextActionShown | None = None


class CheckoutApi:
    """The way from the cart to an order."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def shipping_methods(self, caller: Caller, address_id: AddressId) -> MethodsShown:
        """List how what is in the cart can reach an address, for how much, and when."""
        address = await self._shop.accounts.address(caller.user_id, address_id)
        methods = await self._shop.checkout.shipping_methods(caller, destination_of(address))
        return MethodsShown(
            [
                MethodShown(
                    code=method.code,
                    name=method.name,
                    price=money.shown(method.price, method.currency),
                    currency=method.currency,
                    estimated_delivery=method.estimated_delivery,
                    parts=[
                        PartMethodShown(
                            seller_id=part.seller_id,
                            code=part.code,
                            name=part.name,
                            price=money.shown(part.price, method.currency),
                            estimated_delivery=part.estimated_delivery,
                            pickup=part.pickup,
                        )
                        for part in method.parts
                    ],
                    pickup=method.pickup,
                )
                for method in methods
            ]
        )

    async def quote(self, caller: Caller, ask: QuoteAsk) -> QuoteShown:
        """Quote what the cart costs, sent there that way: honoured until it expires."""
        quote = await self._shop.checkout.quote(caller, ask.shipping_address_id, ask.shipping_method)
        totals, currency = quote.totals, quote.currency
        return QuoteShown(
            quote_id=quote.quote_id,
            subtotal=money.shown(totals.subtotal, currency),
            discount=money.shown(totals.discount, currency),
            shipping=money.shown(totals.shipping, currency),
            tax=money.shown(totals.tax, currency),
            tax_included=totals.tax_included,
            tax_note=totals.tax_note,
            total=money.shown(totals.total, currency),
            currency=currency,
            discounts=discounts_shown(totals.discounts, currency),
            codes=codes_shown(quote.codes),
            parts=parts_priced(totals, currency),
            expires_at=quote.expires_at,
        )

    async def buy(self, caller: Caller, request: Request, ask: CheckoutAsk) -> Answer:
        """Buy the cart, once a key. A 202 is followed by asking again with the same key and body."""
        key = key_of(request)
        if key is None:
            raise BadRequest("Send an Idempotency-Key of your own making: the same one when you try again.")
        expected, currency = ask.expected_total, self._shop.settings.currency
        buy = Buy(
            shipping_address_id=ask.shipping_address_id,
            payment_method_id=ask.payment_method_id,
            shipping_method=ask.shipping_method,
            quote_id=ask.quote_id,
            email=ask.email,
            flash_pass=_flash_pass(request),
            expected_total=minor(expected, currency, "/expected_total") if is_given(expected) else None,
            use_store_credit=ask.use_store_credit,
            gift_to=ask.gift_to,
        )
        try:
            return _checkout_answer(await self._shop.checkout.buy(caller, key, buy))
        except PriceChanged as changed:
            amounts = {name: money.shown(amount, currency) for name, amount in changed.facts.items()}
            raise PriceChanged(str(changed), **amounts) from None

    async def follow(self, caller: Caller, key: str) -> Answer:
        """Look what a purchase came to, by its `Idempotency-Key`; while it waits, what its shopper does."""
        answer = _checkout_answer(await self._shop.checkout.follow(caller, key))
        return structs.replace(answer, status=200) if answer.status == 201 else answer

    async def abandon(self, caller: Caller, ask: AbandonAsk) -> Answer:
        """End a purchase that waits for its bank: nothing is charged, and its goods are free at once.

        Answers as the purchase then does: 402 `payment_declined` with the reason `abandoned`, or what it came
        to before."""
        return _checkout_answer(await self._shop.checkout.abandon(caller, ask.key))


def _flash_pass(request: Request) -> str | None:
    given = request.headers.get("flash-pass")
    return given[:FLASH_PASS_MAX] if given else None


def _checkout_answer(answer: CheckoutAnswer) -> Answer:
    headers: dict[str, str] = {}
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
    if isinstance(answer.outcome, Pending):
        headers["Retry-After"] = "1"
    kind = "application/problem+json" if isinstance(answer.outcome, Refused) else "application/json"
    return Answer(raw=answer.body, status=answer.status, headers=headers, media_type=kind)


_ENDS_IN = ["not_found", "payment_declined", "payment_unavailable", "out_of_stock", "checkout_in_progress"]

API = [
    PublicRoute(
        "GET",
        "/shipping-methods",
        CheckoutApi.shipping_methods,
        tag="Buying",
        needs="guest",
        refuses=["not_found", "address_not_served"],
    ),
    PublicRoute(
        "POST",
        "/quotes",
        CheckoutApi.quote,
        tag="Buying",
        needs="guest",
        refuses=[
            "not_found",
            "cart_empty",
            "address_not_served",
            "quantity_refused",
            "customer_limit",
            "other_currency",
        ],
    ),
    PublicRoute(
        "POST",
        "/orders/checkout",
        CheckoutApi.buy,
        location="/orders/{order_id}",
        tag="Buying",
        needs="guest",
        shows=CheckoutShown,
        also=[202],
        keyed=True,
        headers={"Flash-Pass": "For what is sold in a flash sale: the pass that its queue gave."},
        refuses=[
            "bad_request",
            "flash_pass_required",
            "flash_pass_invalid",
            "flash_pass_expired",
            "buyer_limit",
            "not_started",
            "sold_out",
            "payment_declined",
            "payment_unavailable",
            "not_found",
            "out_of_stock",
            "quantity_refused",
            "customer_limit",
            "gift_card_spent",
            "other_currency",
            "price_changed",
            "quote_expired",
            "checkout_in_progress",
            "cart_empty",
            "address_not_served",
            "key_reused",
        ],
    ),
    PublicRoute(
        "GET",
        "/orders/checkout/{key}",
        CheckoutApi.follow,
        tag="Buying",
        needs="guest",
        shows=CheckoutShown,
        also=[202],
        refuses=[
            "not_found",
            "payment_declined",
            "payment_unavailable",
            "out_of_stock",
            "quantity_refused",
            "customer_limit",
            "gift_card_spent",
            "other_currency",
            "checkout_in_progress",
        ],
    ),
    PublicRoute(
        "POST",
        "/orders/checkout/abandon",
        CheckoutApi.abandon,
        tag="Buying",
        needs="guest",
        shows=CheckoutShown,
        also=[202],
        refuses=[
            "not_found",
            "payment_declined",
            "payment_unavailable",
            "out_of_stock",
            "quantity_refused",
            "customer_limit",
            "gift_card_spent",
            "other_currency",
            "checkout_in_progress",
        ],
    ),
]


class CheckoutTotals(NamedTuple):
    """What a page says an order would cost; without an address `tax` is None and not in the total."""

    subtotal: int
    discount: int
    discounts: list[AppliedDiscount]
    shipping: int
    tax: int | None
    tax_included: bool
    total: int
    currency: str
    quote_id: str | None = None
    tax_note: str = ""


class Paying(NamedTuple):
    """What gift cards and store credit pay, and what is left for the card; `credit`: store credit may."""

    parts: list[PayingValue]
    by_card: int | None
    credit: bool


class CheckoutForm(Struct, frozen=True, kw_only=True):
    """What the page asks, beside an address that is new. `card` is a saved way to pay, a test card's token,
    or `new:` and the token of the provider's own field."""

    address: AddressId | None = None
    method: Annotated[MethodCode, Meta(extra={"words": "Choose a delivery."})]
    card: Annotated[str, Meta(max_length=CARD_TOKEN_MAX + len(_NEW_CARD), extra={"words": "Choose a card."})]
    keep: bool = False
    quote_id: QuoteId | None = None
    seen_total: Annotated[int, Meta(ge=0, le=money.MINOR_MAX)] | None = None
    credit: bool = False
    """Whether store credit pays what it can."""
    seen_by_card: Annotated[int, Meta(ge=0, le=money.MINOR_MAX)] | None = None
    gift_email: Email | None = None
    """Who gets the gift cards of the cart."""
    gift_name: GiftName | None = None
    gift_message: GiftMessage | None = None

    @property
    def gift_to(self) -> GiftTo | None:
        return GiftTo(self.gift_email, self.gift_name, self.gift_message) if self.gift_email else None


class GiftCodeForm(Struct, frozen=True):
    gift_code: Annotated[GiftCode, Meta(extra={"words": "Type the code of the gift card."})]


class GuestCheckoutForm(CheckoutForm, frozen=True, kw_only=True):
    email: Email


_FORM = (GuestCheckoutForm, NewAddress, GiftCodeForm)


class CheckoutPages:
    """Checkout on one page."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._store = shop.host.store
        provider = declaration(shop.settings)
        self._cards = rendering.cards(shop.settings)
        self._card_field = provider.card_field

    async def checkout(self, request: Request) -> Response:
        caller = await caller_of(request)
        if caller is None:
            return self._pages.redirect(request, "/cart")
        given: dict[str, str] = {}
        refused: RefusalMessage | None = None
        if after := request.query_params.get("after"):
            ask = await self._asked(caller, after)
            if ask:
                outcome = (await self._buy(caller, after, ask)).outcome
                if not isinstance(outcome, Refused):
                    return self._follow(request, after, outcome)
                given, refused = await self._filled(caller, ask, outcome), checkout_message(outcome)
        return await self._page(
            request, caller, given, refused=refused, status=200 if refused is None else 402
        )

    async def totals(self, request: Request) -> Response:
        """Show the page again for what was chosen so far: the script takes delivery and totals out of it."""
        form = await self._pages.form(request)
        caller = await caller_of(request)
        if caller is None:
            return self._pages.redirect(request, "/cart")
        return await self._page(request, caller, form, key=form_key(form))

    async def add_gift_card(self, request: Request) -> Response:
        """Let a gift card pay, and show the page again with what was filled in so far."""
        form = await self._pages.form(request)
        caller = await caller_of(request)
        if caller is None:
            return self._pages.redirect(request, "/cart")
        return await self._with_gift_card(request, caller, form)

    async def _with_gift_card(self, request: Request, caller: Caller, form: dict[str, str]) -> Response:
        asked = read_form(form, GiftCodeForm)
        errors, status = None, 200
        if isinstance(asked, FormErrors):
            errors, status = asked, 422
        else:
            try:
                typed = TypedGiftCard(asked.gift_code, network_of(request))
                await self._shop.cart.add_gift_card(caller.user_id, typed)
                form.pop("gift_code", None)
            except Refusal as refused:
                errors, status = FormErrors(gift_code=str(refused)), refused.status
        return await self._page(request, caller, form, errors=errors, key=form.get("key"), status=status)

    async def buy(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await caller_of(request)
        if caller is None:
            return self._pages.redirect(request, "/cart")
        key = form_key(form)
        ask = await self._asked(caller, key)
        if ask is None and form.get("gift_code", "").strip():  # typed, and not used yet
            return await self._with_gift_card(request, caller, form)
        if ask is None:
            ask = await self._ask(caller, form)
            if isinstance(ask, FormErrors):
                return await self._page(request, caller, form, errors=ask, key=key, status=422)
            if ask.expected_total is None:
                refused = RefusalMessage(
                    "Please check the total", "Here is what delivery and tax come to.", UNMOVED
                )
                return await self._page(request, caller, form, refused=refused, key=key)
            ask = await self._remember(caller, key, ask)
        answer = await self._buy(caller, key, ask)
        if not isinstance(answer.outcome, Refused):
            return self._follow(request, key, answer.outcome)
        if answer.outcome.facts.get("pointer") == _CARD_POINTER:
            form.pop("card", None)
            errors = FormErrors(card=f"{answer.outcome.detail} {UNMOVED}")
            return await self._page(request, caller, form, errors=errors, key=key, status=answer.status)
        given = form | await self._filled(caller, ask, answer.outcome)
        refused = checkout_message(answer.outcome)
        return await self._page(request, caller, given, refused=refused, status=answer.status)

    async def pending(self, request: Request) -> Response:
        caller = await caller_of(request)
        key = request.path_params["key"]
        if caller is None:
            return self._pages.redirect(request, "/orders")
        outcome = await self._followed(caller, key)
        if outcome is None:
            return self._pages.redirect(request, "/orders")
        if isinstance(outcome, Pending):
            return await self._wait(request, outcome, f"/checkout/pending/{key}", key)
        url = order_url(outcome) if isinstance(outcome, Confirmed) else f"/checkout?after={key}"
        if not request.headers.get("hx-request"):
            return self._pages.redirect(request, url)
        return Response(headers={"HX-Redirect": url})

    async def _followed(self, caller: Caller, key: str) -> CheckoutOutcome | None:
        """Ask again what this key was used for; one that the API began is known by its key alone."""
        if ask := await self._asked(caller, key):
            return (await self._buy(caller, key, ask)).outcome
        try:
            return (await self._shop.checkout.follow(caller, key)).outcome
        except CheckoutInProgress:
            return _IN_PROGRESS.outcome
        except NotFound:
            return None

    async def abandon(self, request: Request) -> Response:
        """Leave the bank: the purchase ends, and the page says so."""
        await self._pages.form(request)
        caller = await caller_of(request)
        if caller is None:
            return self._pages.redirect(request, "/cart")
        key = request.path_params["key"]
        try:
            outcome = (await self._shop.checkout.abandon(caller, key)).outcome
        except CheckoutInProgress:
            return self._pages.redirect(request, f"/checkout/pending/{key}")
        if isinstance(outcome, Confirmed):
            return self._pages.redirect(request, order_url(outcome))
        return self._pages.redirect(request, f"/checkout?after={key}")

    async def back(self, request: Request) -> Response:
        """Go on where a shopper comes back from their bank's own page."""
        checkout_id = id_of(request.path_params["checkout"], CheckoutId)
        try:
            answer = await self._shop.checkout.resume(checkout_id)
        except CheckoutInProgress:
            answer = _IN_PROGRESS
        outcome = answer.outcome
        if isinstance(outcome, Pending):
            return await self._wait(request, outcome, f"/checkout/back/{checkout_id}")
        if isinstance(outcome, Confirmed):
            return self._pages.redirect(request, order_url(outcome))
        caller = await caller_of(request)
        if caller is None:
            return self._pages.redirect(request, "/cart")
        return await self._page(request, caller, {}, refused=checkout_message(outcome), status=answer.status)

    async def _wait(self, request: Request, pending: Pending, url: str, key: str = "") -> Response:
        if "seen" in request.query_params:
            return Response(status_code=204)
        step = _with_way_back(pending.next_action, key)
        return await self._pages.page(request, "pending.html", next_action=step, url=url, key=key)

    async def _has_gift_cards(self, view: CartView) -> bool:
        """Say whether any of this comes by letter."""
        listed_by = (line.seller_id for line in view.items if line.is_gift_card)
        return bool(await unless_away(issuers(self._shop.sellers, listed_by)))

    async def _page(
        self,
        request: Request,
        caller: Caller,
        given: dict[str, str],
        *,
        refused: RefusalMessage | None = None,
        errors: FormErrors | None = None,
        key: str | None = None,
        status: int = 200,
    ) -> Response:
        """Show the page, filled with what was given."""
        waiting = await self._shop.checkout.waiting(caller.user_id)
        addresses = await self._shop.accounts.addresses(caller.user_id)
        saved = await self._shop.accounts.payment_methods(caller.user_id)
        form = self._untouched(request, addresses) | given
        offered = [*(str(each.payment_method_id) for each in saved), *(token for token, _, _ in self._cards)]
        form["card"], entered = self._chosen_card(form.get("card", ""), offered, tried=status == 402)
        chosen = next((each for each in addresses if str(each.address_id) == form["address"]), None)
        form["address"] = form["address"] if chosen else ""
        place = destination_of(chosen) if chosen else _typed_destination(form)
        view = with_held(await self._shop.cart.show(caller.user_id, place.country), held_for(waiting))
        if not view.items:
            return self._pages.redirect(request, "/cart")
        methods, unserved = await self._methods(caller, place)
        if form["method"] not in {method.code for method in methods}:
            form["method"] = methods[0].code if methods else ""
        method = next((each for each in methods if each.code == form["method"]), None)
        due = await self._due(caller, view, chosen, method, place) if method else None
        paying = await self._paying(caller, due, credit=form.get("credit", "" if "key" in given else "yes"))
        if paying.by_card == 0 and due and due.tax is not None:
            form["card"] = _NO_CARD
        if self._card_field:
            allow(request, self._card_field.policy)
        return await self._pages.page(
            request,
            "checkout.html",
            status,
            cart=view,
            problems=problem_texts(view),
            waiting=waiting,
            form=Form(_FORM, form, errors),
            chosen=form,
            refused=refused,
            person=None if caller.guest else caller.email,
            addresses=addresses,
            methods=methods,
            unserved=unserved,
            sellers=await self._senders(methods),
            saved=saved,
            cards=[each for each in self._cards if each[0] not in {card.token for card in saved}],
            entered=entered,
            card_field=self._card_field,
            countries=await served_places(self._shop),
            quote=due,
            savings=await savings(self._shop, caller, "checkout", place.country),
            by_letter=await self._has_gift_cards(view),
            paying=paying,
            key=key or uuid.uuid4().hex,
        )

    def _untouched(self, request: Request, addresses: list[Address]) -> dict[str, str]:
        """Fill in what is known before anything is typed."""
        country = chosen_country(request) or self._shop.settings.home_country
        return {
            "address": str(addresses[0].address_id) if addresses else "",
            "country": country,
            "method": "",
        }

    async def _paying(self, caller: Caller, due: CheckoutTotals | None, *, credit: str) -> Paying:
        total = due.total if due else 0
        parts = await self._shop.checkout.payable(caller, total, bool(credit))
        return Paying(parts, total - sum(each.amount for each in parts) if due else None, bool(credit))

    def _chosen_card(self, card: str, offered: list[str], *, tried: bool) -> tuple[str, str]:
        """Choose the card that is shown as chosen, and what was typed into the card field: it is offered
        until it was tried, since it may be good for one purchase."""
        entered = (
            card if self._card_field and card not in ("", _NEW_CARD, _NO_CARD, *offered) and not tried else ""
        )
        if entered or card in offered or card == _NEW_CARD:
            return card, entered
        return next(iter(offered), _NEW_CARD), ""

    async def _methods(
        self, caller: Caller, place: Destination
    ) -> tuple[list[ShippingMethod], Refusal | None]:
        """List the ways to a place; or none, and why: the page says so beside the country."""
        try:
            return await self._shop.checkout.shipping_methods(caller, place), None
        except Refusal as refused:
            return [], refused

    async def _senders(self, methods: list[ShippingMethod]) -> dict[SellerId, str]:
        """Name the sellers of a cart, where there are several."""
        sellers = [part.seller_id for part in methods[0].parts] if methods else []
        return await self._shop.sellers.names(sellers) if len(sellers) > 1 else {}

    async def _due(
        self,
        caller: Caller,
        view: CartView,
        chosen: Address | None,
        method: ShippingMethod,
        place: Destination,
    ) -> CheckoutTotals | None:
        """Quote for an address that is known, which is honoured; else add up what it comes to now."""
        if chosen and not view.problems:
            try:
                quote = await self._shop.checkout.quote(caller, chosen.address_id, method.code)
            except Refusal:
                return None
            return _due_of(quote.totals, view.currency, quote.quote_id)
        due = _due_of(await self._shop.checkout.estimate(caller, place, method.code), view.currency)
        needs_region = bool(places.regions(place.country))
        if chosen or place.region or not needs_region:
            return due
        return due._replace(tax=None, total=due.total if due.tax_included else due.total - (due.tax or 0))

    async def _ask(self, caller: Caller, form: dict[str, str]) -> BuyWith | FormErrors:
        """Read the form as checkout takes it."""
        asked = read_form(form, GuestCheckoutForm if caller.guest else CheckoutForm)
        new = None if form.get("address") else read_form(form, NewAddress)
        errors = FormErrors(_errors(asked) | _errors(new))
        if form.get("card") == _NEW_CARD:
            errors["card"] = (
                f"The card did not come through. Enter it again, or choose another one. {UNMOVED}"
            )
        if errors or isinstance(asked, FormErrors) or isinstance(new, FormErrors):
            return errors
        card = self._card(asked)
        if card is None and asked.card != _NO_CARD:
            form.pop("card")
            return FormErrors(card="Choose a card.")
        return BuyWith(
            shipping_address_id=asked.address,
            new_address=new,
            payment_method_id=card if isinstance(card, PaymentMethodId) else None,
            new_card=card if isinstance(card, NewCard) else None,
            shipping_method=asked.method,
            quote_id=asked.quote_id if new is None else None,
            email=asked.email if isinstance(asked, GuestCheckoutForm) else None,
            flash_pass=await self._flash_pass(caller),
            expected_total=asked.seen_total,
            use_store_credit=asked.credit and not caller.guest,
            expected_by_card=asked.seen_by_card,
            gift_to=asked.gift_to,
        )

    def _card(self, asked: CheckoutForm) -> NewCard | PaymentMethodId | None:
        """Read the chosen card: a kept one, a new one, or none that could be."""
        new = bool(self._card_field) and asked.card.startswith(_NEW_CARD)
        if new or asked.card in {token for token, _, _ in self._cards}:
            return NewCard(asked.card.removeprefix(_NEW_CARD), single_use=new and not asked.keep)
        try:
            return id_of(asked.card, PaymentMethodId)
        except NotFound:
            return None

    async def _filled(self, caller: Caller, ask: BuyWith, refused: Refused) -> dict[str, str]:
        """Fill in what was asked for; what was new may be kept by now, and is chosen then. A card that was
        declined is not."""
        given = {"method": ask.shipping_method, "email": ask.email or ""}
        given["credit"] = "yes" if ask.use_store_credit else ""
        if ask.gift_to:
            said = msgspec.structs.asdict(ask.gift_to).items()
            given |= {f"gift_{name}": value for name, value in said if value}
        address, card = ask.shipping_address_id, str(ask.payment_method_id or "")
        if ask.new_address:
            given |= {name: value or "" for name, value in msgspec.structs.asdict(ask.new_address).items()}
            known = await self._shop.accounts.addresses(caller.user_id)
            same = (each.address_id for each in known if is_same_address(each, ask.new_address))
            address = next(same, None)
        if ask.new_card:
            token = ask.new_card.token
            saved = await self._shop.accounts.payment_methods(caller.user_id)
            kept = (str(each.payment_method_id) for each in saved if each.token == token)
            card = next(kept, f"{_NEW_CARD}{token}" if self._card_field else token)
        if refused.facts.get("reason") == "card_declined":
            card = ""
        return given | {"address": str(address or ""), "card": card}

    async def _flash_pass(self, caller: Caller) -> str | None:
        """Find the pass of whoever's turn it is, where the cart has something of a flash sale."""
        offers = await self._shop.flashsale.sale_offers()
        watched = {each.offer_id: each.sale_id for each in offers if each.queue}
        if not watched:
            return None
        for line in (await self._shop.cart.basket(caller.user_id)).lines:
            if line.offer_id in watched:
                try:
                    place = await self._shop.flashsale.place(caller, watched[line.offer_id])
                except NotFound:
                    return None
                return place.pass_ if isinstance(place.pass_, str) else None
        return None

    async def _buy(self, caller: Caller, key: str, ask: BuyWith) -> CheckoutAnswer:
        """Ask checkout; a refusal that it had no need to store is an answer like any other."""
        try:
            return await self._shop.checkout.buy_with(caller, key, ask)
        except CheckoutInProgress:
            return _IN_PROGRESS
        except Refusal as refusal:
            if refusal.status in _NOTHING_BEGAN:
                await self._store.do("DEL", _stored_name(caller, key))
            return CheckoutAnswer(Refused.by(refusal), refusal.status, b"")

    def _follow(self, request: Request, key: str, outcome: Confirmed | Pending) -> Response:
        if isinstance(outcome, Confirmed):
            return self._pages.redirect(request, order_url(outcome))
        step = _with_way_back(outcome.next_action, key)
        # Another house's page is a link on ours: a form of ours may lead to our own addresses only.
        ours = step is not None and step.url.startswith("/")
        return self._pages.redirect(request, step.url if step and ours else f"/checkout/pending/{key}")

    # A page's key and what was asked with it stay together: pressed twice, or followed up later, the same key
    # comes with the same ask, whatever the second form said. Only what checkout can take is remembered.

    async def _remember(self, caller: Caller, key: str, ask: BuyWith) -> BuyWith:
        name = _stored_name(caller, key)
        await self._store.do("SET", name, codec.encode(ask), "NX", "EX", _ASK_KEPT_S)
        return await self._asked(caller, key) or ask

    async def _asked(self, caller: Caller, key: str) -> BuyWith | None:
        kept = (
            await self._store.do("GET", _stored_name(caller, key)) if 0 < len(key) <= FORM_KEY_MAX else None
        )
        try:
            return codec.decode(kept, BuyWith) if kept else None
        except msgspec.ValidationError:  # an earlier release remembered what no checkout takes
            await self._store.do("DEL", _stored_name(caller, key))
            return None


def _due_of(totals: Totals, currency: str, quote_id: str | None = None) -> CheckoutTotals:
    return CheckoutTotals(
        totals.subtotal,
        totals.discount,
        totals.discounts,
        totals.shipping,
        totals.tax,
        totals.tax_included,
        totals.total,
        currency,
        quote_id,
        totals.tax_note,
    )


def _typed_destination(form: dict[str, str]) -> Destination:
    return Destination(form["country"], form.get("region", ""), form.get("postal_code", ""))


def _errors(read: object) -> dict[str, str]:
    return read if isinstance(read, FormErrors) else {}


def _stored_name(caller: Caller, key: str) -> str:
    return f"ask:{caller.user_id}:{key}"


def order_url(confirmed: Confirmed) -> str:
    return f"/orders/{confirmed.order_id}?placed=1"


def _with_way_back(step: NextAction | None, key: str) -> NextAction | None:
    """Where the shopper has to go; the sandbox bank is a page of this shop, and is told the way back."""
    path = urlsplit(step.url).path if step else ""
    if step is None or not path.startswith("/sandbox/3ds/"):
        return step
    return NextAction(step.type, f"{path}?back=/checkout/pending/{key}")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    checkout = CheckoutPages(pages, shop)
    return [
        pages.route("/checkout", checkout.checkout),
        pages.route("/checkout", checkout.buy, "POST"),
        pages.route("/checkout/totals", checkout.totals, "POST"),
        pages.route("/checkout/gift-cards", checkout.add_gift_card, "POST"),
        pages.route("/checkout/pending/{key}", checkout.pending),
        pages.route("/checkout/pending/{key}/abandon", checkout.abandon, "POST"),
        pages.route("/checkout/back/{checkout}", checkout.back),
    ]
