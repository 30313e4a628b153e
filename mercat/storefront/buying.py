"""The cart, checkout on one page, the sandbox bank's page, and waiting for it."""

import uuid
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mercat import money
from mercat.accounts import Accounts, Address, NewAddress
from mercat.cart import Cart, CartView
from mercat.catalog import Catalog
from mercat.checkout import Buy, Checkout, CheckoutInProgress, Said
from mercat.flashsale import FlashSales
from mercat.fulfilment import Fulfilment, ShippingMethod
from mercat.ids import AddressId, CheckoutId, OfferId, OrderId, PaymentMethodId, ProductId
from mercat.kit import clock, codec
from mercat.kit.refusals import Invalid, NotFound, Refusal
from mercat.kit.rpc import Caller, answered, read
from mercat.kit.valkey import Store
from mercat.payments import CardField, ChallengeOutcome, NextAction, Payments
from mercat.pricing import Basket, PricedLine, Pricing
from mercat.storefront import render
from mercat.storefront.visit import Trouble, Visits, inside, shown_id, trouble

_ASK_KEPT_S = 86_400
_KEY_MAX = 64
_ADDRESS = ("name", "line1", "line2", "city", "region", "postal_code", "country", "phone")
_UNMOVED = "Nothing was charged."
_NEW_CARD = "new:"
"""How a form begins what it says of a card from the provider's own field; the token follows."""


class Totals(NamedTuple):
    """What a page says an order would cost."""

    subtotal: int
    discount: int
    shipping: int
    tax: int
    total: int
    currency: str
    quote_id: str | None


class Problem(NamedTuple):
    words: str
    short: str


class _Answer(msgspec.Struct):
    """What a checkout's answer says that a page needs."""

    order_id: OrderId | None = None
    next_action: NextAction | None = None


class _Refused(msgspec.Struct):
    code: str = ""
    detail: str = ""
    reason: str = ""
    total: float | None = None
    expected_total: float | None = None


class _Wrong(Exception):
    """The form cannot be used as it is: what is wrong, by field."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors


class Buying:
    def __init__(
        self,
        visits: Visits,
        *,
        accounts: Accounts,
        cart: Cart,
        catalog: Catalog,
        checkout: Checkout,
        flashsale: FlashSales,
        fulfilment: Fulfilment,
        payments: Payments,
        pricing: Pricing,
        cards: list[tuple[str, str, str]],
        card_field: CardField | None,
        store: Store,
    ) -> None:
        self._visits = visits
        self._accounts = accounts
        self._cart = cart
        self._catalog = catalog
        self._checkout = checkout
        self._flashsale = flashsale
        self._fulfilment = fulfilment
        self._payments = payments
        self._pricing = pricing
        self._cards = cards
        self._card_field = card_field
        self._store = store

    # -- the cart

    async def cart(self, request: Request, refused: Refusal | None = None) -> Response:
        caller = await self._visits.caller(request)
        view = await self._cart.show(caller.user_id) if caller else None
        response = await self._visits.page(
            request,
            "cart.html",
            refused.status if refused else 200,
            cart=view or {"items": []},
            problems=problems(view) if view else {},
            refused=trouble(refused) if refused else None,
        )
        if request.headers.get("hx-request"):
            response.headers["HX-Trigger"] = "cart-changed"
        return response

    async def add(self, request: Request) -> Response:
        form = await self._visits.form(request, everybodys=True)
        quantity = _quantity(form.get("quantity", "1"), least=1)
        if "offer_id" in form:
            offer_id = shown_id(form["offer_id"], OfferId)
        else:
            offer_id = await self._catalog.featured(shown_id(form.get("product_id", ""), ProductId))
        caller = await self._visits.caller(request) or await self._welcome(request)
        view = await self._cart.add(caller.user_id, offer_id, quantity)
        if not request.headers.get("hx-request"):
            return self._visits.go(request, "/cart")
        response = self._visits.fragment(request, "added.html", cart=view)
        response.headers["HX-Trigger"] = "cart-changed"
        return response

    async def change(self, request: Request) -> Response:
        form = await self._visits.form(request)
        caller = await self._visits.caller(request)
        if caller is None:
            return self._visits.go(request, "/cart")
        try:
            quantity = _quantity(form.get("quantity", ""), least=0)
            await self._cart.change(caller.user_id, request.path_params["item"], quantity)
        except Refusal as refused:
            return await self.cart(request, refused)
        return self._visits.go(request, "/cart")

    async def _welcome(self, request: Request) -> Caller:
        """A session for somebody who has none: what they put in a cart must stay somewhere."""
        session = await self._accounts.guest()
        caller = Caller(session.user_id)
        lifetime = (session.expires_at - clock.now()).total_seconds()
        self._visits.start(request, caller, session.token, int(lifetime))
        return caller

    # -- checkout

    async def checkout(self, request: Request) -> Response:
        caller = await self._visits.caller(request)
        if caller is None:
            return self._visits.go(request, "/cart")
        given: dict[str, str] = {}
        refused: Trouble | None = None
        if after := request.query_params.get("after"):
            ask = await self._asked(caller, after)
            if ask:
                said = await self._buy(caller, after, ask)
                if said.status < 400:
                    return self._follow(request, after, said)
                given, refused = _filled(ask), _trouble(said)
        return await self._desk(
            request, caller, given, refused=refused, status=200 if refused is None else 402
        )

    async def totals(self, request: Request) -> Response:
        """The page again for what was chosen so far: the script takes delivery and totals out of it."""
        form = await self._visits.form(request)
        caller = await self._visits.caller(request)
        if caller is None:
            return self._visits.go(request, "/cart")
        return await self._desk(request, caller, form, key=_key(form))

    async def buy(self, request: Request) -> Response:
        form = await self._visits.form(request)
        caller = await self._visits.caller(request)
        if caller is None:
            return self._visits.go(request, "/cart")
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
                refused = Trouble(
                    "Please check the total", "Here is what delivery and tax come to.", _UNMOVED
                )
                return await self._desk(request, caller, given, refused=refused, key=key)
            ask = await self._remember(caller, key, ask)
        said = await self._buy(caller, key, ask)
        if said.status < 400:
            return self._follow(request, key, said)
        return await self._desk(
            request, caller, form | _filled(ask), refused=_trouble(said), status=said.status
        )

    async def pending(self, request: Request) -> Response:
        caller = await self._visits.caller(request)
        key = request.path_params["key"]
        ask = await self._asked(caller, key) if caller else None
        if caller is None or ask is None:
            return self._visits.go(request, "/orders")
        said = await self._buy(caller, key, ask)
        if said.status == 202:
            return await self._wait(request, said, f"/checkout/pending/{key}", key)
        url = _order_url(said) if said.status < 400 else f"/checkout?after={key}"
        if not request.headers.get("hx-request"):
            return self._visits.go(request, url)
        return Response(headers={"HX-Redirect": url, "Cache-Control": "private, no-store"})

    async def back(self, request: Request) -> Response:
        """Where a shopper comes back to from their bank's own page."""
        checkout_id = shown_id(request.path_params["checkout"], CheckoutId)
        try:
            said = await self._checkout.resume(checkout_id)
        except CheckoutInProgress:
            said = Said(202, b"{}")
        if said.status == 202:
            return await self._wait(request, said, f"/checkout/back/{checkout_id}")
        if said.status >= 400:
            caller = await self._visits.caller(request)
            if caller is None:
                return self._visits.go(request, "/cart")
            return await self._desk(request, caller, {}, refused=_trouble(said), status=said.status)
        return self._visits.go(request, _order_url(said))

    async def _wait(self, request: Request, said: Said, url: str, key: str = "") -> Response:
        if "seen" in request.query_params:
            return Response(status_code=204, headers={"Cache-Control": "private, no-store"})
        step = _with_way_back(codec.decode(said.body, _Answer).next_action, key)
        return await self._visits.page(request, "pending.html", next_action=step, url=url)

    async def bank(self, request: Request) -> Response:
        await self._payments.challenged(request.path_params["ticket"])
        ticket, back = request.path_params["ticket"], request.query_params.get("back", "")
        return await self._visits.page(request, "bank.html", ticket=ticket, back=inside(back) if back else "")

    async def tell_bank(self, request: Request) -> Response:
        """The shopper's yes or no; a program sends it as JSON."""
        ticket = request.path_params["ticket"]
        if request.headers.get("content-type", "").startswith("application/json"):
            return await answered(self._bank_is_told, request)
        form = await self._visits.form(request)
        outcome = codec.convert({"outcome": form.get("outcome")}, ChallengeOutcome)
        back = inside(form.get("back") or "/orders")
        try:
            said = await self._checkout.challenge(ticket, outcome)
        except CheckoutInProgress:
            return self._visits.go(request, back)
        if said.status < 400 and said.status != 202:
            return self._visits.go(request, _order_url(said))
        return self._visits.go(request, back)

    async def _bank_is_told(self, request: Request) -> Response:
        outcome = codec.decode(await read(request), ChallengeOutcome)
        said = await self._checkout.challenge(request.path_params["ticket"], outcome)
        kind = "application/json" if said.status < 400 else "application/problem+json"
        return Response(said.body, said.status, {"Cache-Control": "private, no-store"}, kind)

    async def _desk(
        self,
        request: Request,
        caller: Caller,
        given: dict[str, str],
        *,
        refused: Trouble | None = None,
        errors: dict[str, str] | None = None,
        key: str | None = None,
        status: int = 200,
    ) -> Response:
        """The page, filled with what was given."""
        view = await self._cart.show(caller.user_id)
        if not view.items:
            return self._visits.go(request, "/cart")
        addresses = await self._accounts.addresses(caller.user_id)
        saved = await self._accounts.payment_methods(caller.user_id)
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
            self._visits.allow(request, self._card_field.policy)
        return await self._visits.page(
            request,
            "checkout.html",
            status,
            cart=view,
            problems=problems(view),
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
            countries=render.COUNTRIES,
            quote=due,
            key=key or uuid.uuid4().hex,
        )

    async def _methods(self, country: str, region: str) -> list[ShippingMethod]:
        try:
            return list(await self._fulfilment.methods(country, region))
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
    ) -> Totals | None:
        """A quote, which is honoured, for an address that is known; else what it comes to as things stand."""
        if chosen and not view.problems:
            try:
                quote = await self._checkout.quote(caller, chosen.address_id, method.code)
            except Refusal:
                return None
            return Totals(
                quote.subtotal,
                quote.discount,
                quote.shipping,
                quote.tax,
                quote.total,
                quote.currency,
                quote.quote_id,
            )
        lines = [PricedLine(item.offer_id, item.quantity, item.price) for item in view.items]
        basket = Basket(lines, method.price, view.currency, country, region)
        due = await self._pricing.total(basket)
        return Totals(due.subtotal, due.discount, due.shipping, due.tax, due.total, view.currency, None)

    async def _ask(self, caller: Caller, form: dict[str, str]) -> Buy:
        """The form as checkout takes it. What is new in it is saved first: address, card."""
        errors: dict[str, str] = {}
        email = None
        if caller.guest:
            email = form.get("email", "").strip()
            if "@" not in email[1:-1] or " " in email:
                errors["email"] = "Write an e-mail address, such as ann@example.com."
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
            address_id = shown_id(form["address"], AddressId)
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
        """The pass of whoever's turn it is, where the cart has something of a flash sale."""
        watched = {each.offer_id: each.sale_id for each in await self._flashsale.watched() if each.queue}
        if not watched:
            return None
        for line in (await self._cart.basket(caller.user_id)).lines:
            if line.offer_id in watched:
                try:
                    place = await self._flashsale.place(caller, watched[line.offer_id])
                except NotFound:
                    return None
                return place.pass_ if isinstance(place.pass_, str) else None
        return None

    async def _saved_address(self, caller: Caller, new: NewAddress) -> AddressId:
        for known in await self._accounts.addresses(caller.user_id):
            if all((getattr(known, name) or "") == (getattr(new, name) or "") for name in _ADDRESS):
                return known.address_id
        return await self._accounts.add_address(caller.user_id, new)

    async def _saved_card(self, caller: Caller, form: dict[str, str]) -> PaymentMethodId:
        card = form["card"]
        new = bool(self._card_field) and card.startswith(_NEW_CARD)
        if not new and card not in {token for token, _, _ in self._cards}:
            return shown_id(card, PaymentMethodId)
        try:
            token = card.removeprefix(_NEW_CARD)
            return await self._checkout.keep_card(caller, token, once=new and "keep" not in form)
        except Invalid as no:
            form.pop("card")
            raise _Wrong({"card": f"{no} {_UNMOVED}"}) from no

    async def _buy(self, caller: Caller, key: str, ask: Buy) -> Said:
        """What checkout says; a refusal it had no need to store is an answer like any other."""
        try:
            return await self._checkout.buy(caller, key, ask)
        except CheckoutInProgress:
            return Said(202, b"{}")
        except Refusal as refusal:
            return Said(refusal.status, codec.encode(refusal.problem()))

    def _follow(self, request: Request, key: str, said: Said) -> Response:
        if said.status != 202:
            return self._visits.go(request, _order_url(said))
        step = _with_way_back(codec.decode(said.body, _Answer).next_action, key)
        # Another house's page is a link on ours: a form of ours may lead to our own addresses only.
        ours = step is not None and step.url.startswith("/")
        return self._visits.go(request, step.url if step and ours else f"/checkout/pending/{key}")

    # A page's key and what was asked with it stay together: pressed twice, or followed up later, the same key
    # comes with the same ask, whatever the second form said.

    async def _remember(self, caller: Caller, key: str, ask: Buy) -> Buy:
        name = _name(caller, key)
        await self._store.do("SET", name, codec.encode(ask), "NX", "EX", _ASK_KEPT_S)
        kept = await self._store.do("GET", name)
        return codec.decode(kept, Buy) if kept else ask

    async def _asked(self, caller: Caller, key: str) -> Buy | None:
        kept = await self._store.do("GET", _name(caller, key)) if 0 < len(key) <= _KEY_MAX else None
        return codec.decode(kept, Buy) if kept else None


def pages(visits: Visits, **services: Any) -> list[Route]:
    buying = Buying(visits, **services)
    return [
        visits.route("/cart", buying.cart),
        visits.route("/cart/items", buying.add, "POST"),
        visits.route("/cart/items/{item}", buying.change, "POST"),
        visits.route("/checkout", buying.checkout),
        visits.route("/checkout", buying.buy, "POST"),
        visits.route("/checkout/totals", buying.totals, "POST"),
        visits.route("/checkout/pending/{key}", buying.pending),
        visits.route("/checkout/back/{checkout}", buying.back),
        visits.route("/sandbox/3ds/{ticket}", buying.bank),
        visits.route("/sandbox/3ds/{ticket}", buying.tell_bank, "POST"),
    ]


def problems(view: CartView) -> dict[OfferId, Problem]:
    """What stands between a cart and buying it, in words, by offer."""
    titles = {item.offer_id: item for item in view.items}
    found: dict[OfferId, Problem] = {}
    for each in view.problems:
        item = titles.get(each.offer_id)
        title = item.title if item else "Something in your cart"
        match each.code:
            case "price_changed" if item and each.price is not None:
                was, is_now = (
                    money.words(item.price_at_add, view.currency),
                    money.words(each.price, view.currency),
                )
                found[each.offer_id] = Problem(
                    f"{title}: the price went from {was} to {is_now}.", "Price changed"
                )
            case "sold_out":
                found[each.offer_id] = Problem(f"{title} is sold out. Remove it to go on.", "Sold out")
            case "not_enough":
                left = f"only {each.available} left" if each.available else "not that many left"
                found[each.offer_id] = Problem(
                    f"{title}: {left}. Lower the quantity to go on.", left.capitalize()
                )
            case "not_for_sale":
                words = f"{title} is not for sale any more. Remove it to go on."
                found[each.offer_id] = Problem(words, "Not for sale any more")
            case _:
                found[each.offer_id] = Problem(each.detail, each.detail)
    return found


def new_address(form: dict[str, str]) -> tuple[NewAddress | None, dict[str, str]]:
    """The address in a form, or what is wrong with it."""
    given = {name: form[name].strip() for name in _ADDRESS if form.get(name, "").strip()}
    needed = {
        "name": "Write the name on the door.",
        "line1": "Write street and number.",
        "city": "Write the city.",
        "postal_code": "Write the postal code.",
        "country": "Choose a country.",
    }
    errors = {name: words for name, words in needed.items() if name not in given}
    if errors:
        return None, errors
    try:
        return codec.convert(given, NewAddress), {}
    except msgspec.ValidationError as error:
        said = str(error)
        field = next((name for name in _ADDRESS if f"$.{name}`" in said), "line1")
        long = "of length <=" in said
        return None, {field: "This is too long." if long else "This does not look right."}


def _quantity(given: str, *, least: int) -> int:
    if not (given.isascii() and given.isdigit() and len(given) < 6 and least <= int(given) <= 9_999):
        raise Invalid(f"A quantity is a whole number from {least} to 9,999.")
    return int(given)


def _key(form: dict[str, str]) -> str:
    key = form.get("key", "")
    return key if 0 < len(key) <= _KEY_MAX and key.isascii() and key.isalnum() else uuid.uuid4().hex


def _name(caller: Caller, key: str) -> str:
    return f"ask:{caller.user_id}:{key}"


def _filled(ask: Buy) -> dict[str, str]:
    return {
        "address": str(ask.shipping_address_id),
        "card": str(ask.payment_method_id),
        "method": ask.shipping_method,
        "email": ask.email or "",
    }


def _order_url(said: Said) -> str:
    return f"/orders/{codec.decode(said.body, _Answer).order_id}?placed=1"


def _with_way_back(step: NextAction | None, key: str) -> NextAction | None:
    """Where the shopper has to go; the sandbox bank is a page of this shop, and is told the way back."""
    path = urlsplit(step.url).path if step else ""
    if step is None or not path.startswith("/sandbox/3ds/"):
        return step
    return NextAction(step.type, f"{path}?back=/checkout/pending/{key}")


def _trouble(said: Said) -> Trouble:
    try:
        problem = codec.decode(said.body, _Refused)
    except msgspec.DecodeError:
        problem = _Refused()
    return _say(problem.code, problem.detail, problem.reason)


def _words(refusal: Refusal) -> Trouble:
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


def _say(code: str, detail: str, reason: str = "") -> Trouble:
    """A refused checkout: what happened, whether money moved, what to do."""
    match code:
        case "payment_declined":
            return Trouble(
                "Your bank declined the card",
                _WHY.get(reason, "The bank said no to this payment."),
                _UNMOVED,
                "Choose another card and press the button again. Your cart is as it was.",
            )
        case "payment_unavailable":
            return Trouble(
                "The bank could not be reached",
                "It did not answer in time. We asked again, and it knows of no payment.",
                _UNMOVED,
                "Try again, or choose another card. Your cart is as it was.",
            )
        case "flash_pass_required" | "flash_pass_expired" | "flash_pass_invalid" | "not_started":
            return Trouble(
                "Something in your cart is in a flash sale, and it is not your turn",
                detail,
                _UNMOVED,
                "Join the queue on the page of the sale, which you find under Flash sales below; "
                "or take it out of your cart to buy the rest.",
            )
        case "buyer_limit" | "sold_out":
            return Trouble(
                "Not from this flash sale", detail, _UNMOVED, "Take it out of your cart to buy the rest."
            )
        case "out_of_stock":
            return Trouble(
                "Something sold out while you were here",
                detail,
                _UNMOVED,
                "Lower the quantity or remove it in your cart, then come back.",
            )
        case "price_changed":
            return Trouble(
                "The total has changed",
                "The total you saw is not the total of now: a price, the tax or the delivery changed.",
                _UNMOVED,
                "Look at the new total below. If you agree, press the button again.",
            )
        case "quote_expired":
            return Trouble(
                "The total was held for ten minutes",
                "That time is over, or the cart changed, so it was worked out anew.",
                _UNMOVED,
                "Look at the total below. If you agree, press the button again.",
            )
        case "address_not_served":
            return Trouble(
                "We do not deliver to this address yet",
                "",
                _UNMOVED,
                "Choose another address. Your cart is as it was.",
            )
        case "cart_empty":
            return Trouble(
                "Your cart is empty",
                detail,
                "Nothing more was charged.",
                "If you pressed the button before, your order is among your orders.",
            )
        case "overloaded" | "unavailable" | "refusal":
            return Trouble(
                "Something went wrong on our side",
                detail,
                "If anything was charged without an order, it is paid back by itself.",
                "Press the button again: you cannot be charged twice.",
            )
        case _:
            return Trouble(
                "This order was not placed", detail, _UNMOVED, "Change what it says, then press again."
            )
