"""From the cart to an order: delivery, quote, buying, and waiting for the bank."""

import uuid
from datetime import date, datetime
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from msgspec import Meta, Raw, Struct, field
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.accounts import Address, Email, NewAddress, email_problem
from mercat.cart import CartView
from mercat.checkout import (
    Buy,
    CheckoutAnswer,
    CheckoutInProgress,
    Confirmed,
    Pending,
    PriceChanged,
    Refused,
)
from mercat.fulfilment import ShippingMethod
from mercat.ids import AddressId, CheckoutId, OrderId, PaymentMethodId
from mercat.kit import codec
from mercat.kit.refusals import BadRequest, Invalid, NotFound, Refusal
from mercat.kit.rpc import Answer, Caller
from mercat.kit.text import normal_text
from mercat.kit.valkey import Store
from mercat.payments import NextAction, declaration
from mercat.pricing import PricedBasket, PricedLine
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.account import ADDRESS_FIELDS, new_address
from mercat.web.cart import problem_texts
from mercat.web.context import allow
from mercat.web.errors import RefusalMessage
from mercat.web.forms import id_of
from mercat.web.idempotency import key_of
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, Price, is_given, minor
from mercat.web.session import caller_of

_ASK_KEPT_S = 86_400
_KEY_MAX = 64
_UNMOVED = "Nothing was charged."
_IN_PROGRESS = CheckoutAnswer(Pending(), 202, b"")
_NEW_CARD = "new:"
"""How a form begins what it says of a card from the provider's own field; the token follows."""


class MethodShown(Struct, frozen=True, kw_only=True):
    code: str
    name: str
    price: Amount
    currency: str
    estimated_delivery: date


class MethodsShown(Struct, frozen=True):
    methods: list[MethodShown]


class QuoteAsk(Struct, frozen=True):
    shipping_address_id: AddressId
    shipping_method: Annotated[str, Meta(min_length=1, max_length=40)]


class QuoteShown(Struct, frozen=True, kw_only=True):
    quote_id: str
    subtotal: Amount
    discount: Amount
    shipping: Amount
    tax: Amount
    total: Amount
    currency: str
    expires_at: datetime


class CheckoutAsk(Struct, frozen=True):
    shipping_address_id: AddressId
    payment_method_id: PaymentMethodId
    shipping_method: Annotated[str, Meta(min_length=1, max_length=40)]
    quote_id: Annotated[str, Meta(max_length=60_000)] | None = None
    email: Email | None = None
    expected_total: Price = field(default_factory=lambda: Raw(b"null"))


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
        """List how an order can reach an address, for how much, and when."""
        address = await self._shop.accounts.address(caller.user_id, address_id)
        methods = await self._shop.fulfilment.methods(address.country, address.region or "")
        return MethodsShown(
            [
                MethodShown(
                    code=method.code,
                    name=method.name,
                    price=money.shown(method.price, method.currency),
                    currency=method.currency,
                    estimated_delivery=method.estimated_delivery,
                )
                for method in methods
            ]
        )

    async def quote(self, caller: Caller, ask: QuoteAsk) -> QuoteShown:
        """Quote what the cart costs, sent there that way: honoured until it expires."""
        quote = await self._shop.checkout.quote(caller, ask.shipping_address_id, ask.shipping_method)
        shown = quote.currency
        return QuoteShown(
            quote_id=quote.quote_id,
            subtotal=money.shown(quote.subtotal, shown),
            discount=money.shown(quote.discount, shown),
            shipping=money.shown(quote.shipping, shown),
            tax=money.shown(quote.tax, shown),
            total=money.shown(quote.total, shown),
            currency=shown,
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
        )
        try:
            return _checkout_answer(await self._shop.checkout.buy(caller, key, buy))
        except PriceChanged as changed:
            amounts = {name: money.shown(amount, currency) for name, amount in changed.facts.items()}
            raise PriceChanged(str(changed), **amounts) from None


def _flash_pass(request: Request) -> str | None:
    given = request.headers.get("flash-pass")
    return given[:2_000] if given else None


def _checkout_answer(answer: CheckoutAnswer) -> Answer:
    headers: dict[str, str] = {}
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
    if isinstance(answer.outcome, Pending):
        headers["Retry-After"] = "1"
    kind = "application/problem+json" if isinstance(answer.outcome, Refused) else "application/json"
    return Answer(raw=answer.body, status=answer.status, headers=headers, media_type=kind)


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
        refuses=["not_found", "cart_empty", "address_not_served"],
    ),
    PublicRoute(
        "POST",
        "/orders/checkout",
        CheckoutApi.buy,
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
            "price_changed",
            "quote_expired",
            "checkout_in_progress",
            "cart_empty",
            "address_not_served",
            "key_reused",
        ],
    ),
]


class CheckoutTotals(NamedTuple):
    """What a page says an order would cost."""

    subtotal: int
    discount: int
    shipping: int
    tax: int
    total: int
    currency: str
    quote_id: str | None


class _Wrong(Exception):
    """The form cannot be used as it is: what is wrong, by field."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors


class CheckoutPages:
    """Checkout on one page."""

    def __init__(self, pages: Pages, shop: Shop, store: Store) -> None:
        self._pages = pages
        self._shop = shop
        self._store = store
        provider = declaration(shop.settings)
        self._cards = rendering.cards(provider)
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
                given, refused = _filled(ask), _trouble(outcome)
        return await self._desk(
            request, caller, given, refused=refused, status=200 if refused is None else 402
        )

    async def totals(self, request: Request) -> Response:
        """Show the page again for what was chosen so far: the script takes delivery and totals out of it."""
        form = await self._pages.form(request)
        caller = await caller_of(request)
        if caller is None:
            return self._pages.redirect(request, "/cart")
        return await self._desk(request, caller, form, key=_key(form))

    async def buy(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await caller_of(request)
        if caller is None:
            return self._pages.redirect(request, "/cart")
        key = _key(form)
        ask = await self._asked(caller, key)
        if ask is None:
            try:
                ask = await self._ask(caller, form)
            except _Wrong as wrong:
                return await self._desk(request, caller, form, errors=wrong.errors, key=key, status=422)
            except Refusal as refusal:
                return await self._desk(
                    request, caller, form, refused=_words(refusal), key=key, status=refusal.status
                )
            if ask.expected_total is None:
                given = form | _filled(ask)
                refused = RefusalMessage(
                    "Please check the total", "Here is what delivery and tax come to.", _UNMOVED
                )
                return await self._desk(request, caller, given, refused=refused, key=key)
            ask = await self._remember(caller, key, ask)
        answer = await self._buy(caller, key, ask)
        if not isinstance(answer.outcome, Refused):
            return self._follow(request, key, answer.outcome)
        refused = _trouble(answer.outcome)
        return await self._desk(request, caller, form | _filled(ask), refused=refused, status=answer.status)

    async def pending(self, request: Request) -> Response:
        caller = await caller_of(request)
        key = request.path_params["key"]
        ask = await self._asked(caller, key) if caller else None
        if caller is None or ask is None:
            return self._pages.redirect(request, "/orders")
        outcome = (await self._buy(caller, key, ask)).outcome
        if isinstance(outcome, Pending):
            return await self._wait(request, outcome, f"/checkout/pending/{key}", key)
        url = order_url(outcome) if isinstance(outcome, Confirmed) else f"/checkout?after={key}"
        if not request.headers.get("hx-request"):
            return self._pages.redirect(request, url)
        return Response(headers={"HX-Redirect": url})

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
        return await self._desk(request, caller, {}, refused=_trouble(outcome), status=answer.status)

    async def _wait(self, request: Request, pending: Pending, url: str, key: str = "") -> Response:
        if "seen" in request.query_params:
            return Response(status_code=204)
        step = _with_way_back(pending.next_action, key)
        return await self._pages.page(request, "pending.html", next_action=step, url=url)

    async def _desk(
        self,
        request: Request,
        caller: Caller,
        given: dict[str, str],
        *,
        refused: RefusalMessage | None = None,
        errors: dict[str, str] | None = None,
        key: str | None = None,
        status: int = 200,
    ) -> Response:
        """Show the page, filled with what was given."""
        view = await self._shop.cart.show(caller.user_id)
        if not view.items:
            return self._pages.redirect(request, "/cart")
        addresses = await self._shop.accounts.addresses(caller.user_id)
        saved = await self._shop.accounts.payment_methods(caller.user_id)
        form = {
            "address": str(addresses[0].address_id) if addresses else "",
            "country": "US",
            "method": "",
        } | given
        offered = [*(str(each.payment_method_id) for each in saved), *(token for token, _, _ in self._cards)]
        # What was typed into the card field is offered until it was tried: it may be good for one purchase.
        card = form.get("card", "")
        entered = card if self._card_field and card not in ("", _NEW_CARD, *offered) and status != 402 else ""
        if not entered and card not in offered and card != _NEW_CARD:
            form["card"] = next(iter(offered), _NEW_CARD)
        chosen = next((each for each in addresses if str(each.address_id) == form["address"]), None)
        if chosen:
            country, region = chosen.country, chosen.region or ""
        else:
            form["address"] = ""
            country, region = form["country"], form.get("region", "")
        methods = await self._methods(country, region)
        if form["method"] not in {method.code for method in methods}:
            form["method"] = methods[0].code if methods else ""
        method = next((each for each in methods if each.code == form["method"]), None)
        due = await self._due(caller, view, chosen, method, country, region) if method else None
        if self._card_field:
            allow(request, self._card_field.policy)
        return await self._pages.page(
            request,
            "checkout.html",
            status,
            cart=view,
            problems=problem_texts(view),
            form=form,
            errors=errors or {},
            refused=refused,
            person=None if caller.guest else caller.email,
            addresses=addresses,
            methods=methods,
            saved=saved,
            cards=[each for each in self._cards if each[0] not in {card.token for card in saved}],
            entered=entered,
            card_field=self._card_field,
            countries=rendering.COUNTRIES,
            quote=due,
            key=key or uuid.uuid4().hex,
        )

    async def _methods(self, country: str, region: str) -> list[ShippingMethod]:
        try:
            return list(await self._shop.fulfilment.methods(country, region))
        except Refusal:
            return []  # not served: the page says so beside the country

    async def _due(
        self,
        caller: Caller,
        view: CartView,
        chosen: Address | None,
        method: ShippingMethod,
        country: str,
        region: str,
    ) -> CheckoutTotals | None:
        """Quote for an address that is known, which is honoured; else add up what it comes to now."""
        if chosen and not view.problems:
            try:
                quote = await self._shop.checkout.quote(caller, chosen.address_id, method.code)
            except Refusal:
                return None
            return CheckoutTotals(
                quote.subtotal,
                quote.discount,
                quote.shipping,
                quote.tax,
                quote.total,
                quote.currency,
                quote.quote_id,
            )
        lines = [PricedLine(item.offer_id, item.quantity, item.price) for item in view.items]
        basket = PricedBasket(lines, method.price, view.currency, country, region)
        due = await self._shop.pricing.total(basket)
        return CheckoutTotals(
            due.subtotal, due.discount, due.shipping, due.tax, due.total, view.currency, None
        )

    async def _ask(self, caller: Caller, form: dict[str, str]) -> Buy:
        """Read the form as checkout takes it. What is new in it is saved first: address, card."""
        errors: dict[str, str] = {}
        email = None
        if caller.guest:
            email = normal_text(form.get("email", ""))
            if problem := email_problem(email):
                errors["email"] = problem
        if not form.get("method"):
            errors["method"] = "Choose a delivery."
        if not form.get("card"):
            errors["card"] = "Choose a card."
        elif form["card"] == _NEW_CARD:
            errors["card"] = (
                f"The card did not come through. Enter it again, or choose another one. {_UNMOVED}"
            )
        new = None
        if not form.get("address"):
            new, wrong = new_address(form)
            errors |= wrong
        if errors:
            raise _Wrong(errors)
        if new:
            address_id = await self._saved_address(caller, new)
        else:
            address_id = id_of(form["address"], AddressId)
        total = form.get("seen_total", "")
        return Buy(
            shipping_address_id=address_id,
            payment_method_id=await self._saved_card(caller, form),
            shipping_method=form["method"],
            quote_id=form.get("quote_id") if form.get("address") else None,
            email=email,
            flash_pass=await self._flash_pass(caller),
            expected_total=int(total) if total.isascii() and total.isdigit() and len(total) < 16 else None,
        )

    async def _flash_pass(self, caller: Caller) -> str | None:
        """Find the pass of whoever's turn it is, where the cart has something of a flash sale."""
        watched = {each.offer_id: each.sale_id for each in await self._shop.flashsale.watched() if each.queue}
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

    async def _saved_address(self, caller: Caller, new: NewAddress) -> AddressId:
        for known in await self._shop.accounts.addresses(caller.user_id):
            if all((getattr(known, name) or "") == (getattr(new, name) or "") for name in ADDRESS_FIELDS):
                return known.address_id
        return await self._shop.accounts.add_address(caller.user_id, new)

    async def _saved_card(self, caller: Caller, form: dict[str, str]) -> PaymentMethodId:
        card = form["card"]
        new = bool(self._card_field) and card.startswith(_NEW_CARD)
        if not new and card not in {token for token, _, _ in self._cards}:
            return id_of(card, PaymentMethodId)
        try:
            token = card.removeprefix(_NEW_CARD)
            return await self._shop.checkout.keep_card(caller, token, once=new and "keep" not in form)
        except Invalid as no:
            form.pop("card")
            raise _Wrong({"card": f"{no} {_UNMOVED}"}) from no

    async def _buy(self, caller: Caller, key: str, ask: Buy) -> CheckoutAnswer:
        """Ask checkout; a refusal that it had no need to store is an answer like any other."""
        try:
            return await self._shop.checkout.buy(caller, key, ask)
        except CheckoutInProgress:
            return _IN_PROGRESS
        except Refusal as refusal:
            return CheckoutAnswer(Refused.by(refusal), refusal.status, b"")

    def _follow(self, request: Request, key: str, outcome: Confirmed | Pending) -> Response:
        if isinstance(outcome, Confirmed):
            return self._pages.redirect(request, order_url(outcome))
        step = _with_way_back(outcome.next_action, key)
        # Another house's page is a link on ours: a form of ours may lead to our own addresses only.
        ours = step is not None and step.url.startswith("/")
        return self._pages.redirect(request, step.url if step and ours else f"/checkout/pending/{key}")

    # A page's key and what was asked with it stay together: pressed twice, or followed up later, the same key
    # comes with the same ask, whatever the second form said.

    async def _remember(self, caller: Caller, key: str, ask: Buy) -> Buy:
        name = _stored_name(caller, key)
        await self._store.do("SET", name, codec.encode(ask), "NX", "EX", _ASK_KEPT_S)
        kept = await self._store.do("GET", name)
        return codec.decode(kept, Buy) if kept else ask

    async def _asked(self, caller: Caller, key: str) -> Buy | None:
        kept = await self._store.do("GET", _stored_name(caller, key)) if 0 < len(key) <= _KEY_MAX else None
        return codec.decode(kept, Buy) if kept else None


def _key(form: dict[str, str]) -> str:
    key = form.get("key", "")
    return key if 0 < len(key) <= _KEY_MAX and key.isascii() and key.isalnum() else uuid.uuid4().hex


def _stored_name(caller: Caller, key: str) -> str:
    return f"ask:{caller.user_id}:{key}"


def _filled(ask: Buy) -> dict[str, str]:
    return {
        "address": str(ask.shipping_address_id),
        "card": str(ask.payment_method_id),
        "method": ask.shipping_method,
        "email": ask.email or "",
    }


def order_url(confirmed: Confirmed) -> str:
    return f"/orders/{confirmed.order_id}?placed=1"


def _with_way_back(step: NextAction | None, key: str) -> NextAction | None:
    """Where the shopper has to go; the sandbox bank is a page of this shop, and is told the way back."""
    path = urlsplit(step.url).path if step else ""
    if step is None or not path.startswith("/sandbox/3ds/"):
        return step
    return NextAction(step.type, f"{path}?back=/checkout/pending/{key}")


def _trouble(refused: Refused) -> RefusalMessage:
    return _say(refused.code, refused.detail, refused.facts.get("reason", ""))


def _words(refusal: Refusal) -> RefusalMessage:
    return _say(refusal.code(), str(refusal))


_WHY = {
    "insufficient_funds": "The bank says that there is not enough money on this card.",
    "expired_card": "The bank says that this card has expired.",
    "incorrect_cvc": "The bank says that the card's security code is wrong.",
    "authentication_failed": "You or your bank did not approve this payment.",
    "payment_intent_authentication_failure": "You or your bank did not approve this payment.",
    "card_used_up": "You gave this card for one purchase, and it was used for that.",
    "not_confirmed": "The payment was not approved in time.",
}


def _say(code: str, detail: str, reason: str = "") -> RefusalMessage:
    """Say of a refused checkout what happened, whether money moved, and what to do."""
    match code:
        case "payment_declined":
            return RefusalMessage(
                "Your bank declined the card",
                _WHY.get(reason, "The bank said no to this payment."),
                _UNMOVED,
                "Choose another card and press the button again. Your cart is as it was.",
            )
        case "payment_unavailable":
            return RefusalMessage(
                "The bank could not be reached",
                "It did not answer in time. We asked again, and it knows of no payment.",
                _UNMOVED,
                "Try again, or choose another card. Your cart is as it was.",
            )
        case "flash_pass_required" | "flash_pass_expired" | "flash_pass_invalid" | "not_started":
            return RefusalMessage(
                "Something in your cart is in a flash sale, and it is not your turn",
                detail,
                _UNMOVED,
                "Join the queue on the page of the sale, which you find under Flash sales below; "
                "or take it out of your cart to buy the rest.",
            )
        case "buyer_limit" | "sold_out":
            return RefusalMessage(
                "Not from this flash sale", detail, _UNMOVED, "Take it out of your cart to buy the rest."
            )
        case "out_of_stock":
            return RefusalMessage(
                "Something sold out while you were here",
                detail,
                _UNMOVED,
                "Lower the quantity or remove it in your cart, then come back.",
            )
        case "price_changed":
            return RefusalMessage(
                "The total has changed",
                "The total you saw is not the total of now: a price, the tax or the delivery changed.",
                _UNMOVED,
                "Look at the new total below. If you agree, press the button again.",
            )
        case "quote_expired":
            return RefusalMessage(
                "The total was held for ten minutes",
                "That time is over, or the cart changed, so it was worked out anew.",
                _UNMOVED,
                "Look at the total below. If you agree, press the button again.",
            )
        case "address_not_served":
            return RefusalMessage(
                "We do not deliver to this address yet",
                "",
                _UNMOVED,
                "Choose another address. Your cart is as it was.",
            )
        case "cart_empty":
            return RefusalMessage(
                "Your cart is empty",
                detail,
                "Nothing more was charged.",
                "If you pressed the button before, your order is among your orders.",
            )
        case "overloaded" | "unavailable" | "refusal":
            return RefusalMessage(
                "Something went wrong on our side",
                detail,
                "If anything was charged without an order, it is paid back by itself.",
                "Press the button again: you cannot be charged twice.",
            )
        case _:
            return RefusalMessage(
                "This order was not placed", detail, _UNMOVED, "Change what it says, then press again."
            )


def page_routes(pages: Pages, shop: Shop, store: Store) -> list[Endpoint]:
    checkout = CheckoutPages(pages, shop, store)
    return [
        pages.route("/checkout", checkout.checkout),
        pages.route("/checkout", checkout.buy, "POST"),
        pages.route("/checkout/totals", checkout.totals, "POST"),
        pages.route("/checkout/pending/{key}", checkout.pending),
        pages.route("/checkout/back/{checkout}", checkout.back),
    ]
