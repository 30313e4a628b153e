"""What a purchase needs, looked up once: cart, offers, address, card, delivery and totals."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from msgspec import structs

from mercat import ids
from mercat.accounts import Address, AddressAndCard, WayToBuy
from mercat.cart import Basket, BasketLine
from mercat.catalog import Offer, PricesByCountry
from mercat.checkout import rules
from mercat.checkout.commissions import StandingCommissions
from mercat.checkout.customer_limits import CustomerLimits
from mercat.checkout.messages import (
    Buy,
    Destination,
    Explained,
    GiftInCart,
    Held,
    InCart,
    PayingValue,
    PendingOrder,
    PreviewBasket,
    Previewed,
    PriceChanged,
    Quote,
)
from mercat.checkout.neighbours import Neighbours
from mercat.checkout.purchase import Wanted
from mercat.checkout.rules import destination_of
from mercat.events import SellerCommission
from mercat.fulfilment import ShippingMethod
from mercat.ids import (
    AddressId,
    CartId,
    CheckoutId,
    OfferId,
    OrderId,
    PaymentMethodId,
    PromotionId,
    UserId,
)
from mercat.kit import clock, codec
from mercat.kit.refusals import Invalid, NotFound, Refusal
from mercat.kit.rpc import Caller
from mercat.kit.text import normal_text
from mercat.money import GIFT_CARD_CLASS
from mercat.orders import NewOrder
from mercat.payments import CommissionTable, GiftCardSpent, Spendable, SpendableOf, Tender, kept_of_part
from mercat.pricing import PartPrice, PricedBasket, PricedLine, Quoted, QuoteExpired, Totals
from mercat.promotions import Gift, Reduced, ReductionAsk, Tried
from mercat.sellers import issuers
from mercat.settings import Settings, named

_NO_CARD = PaymentMethodId(0)
_ADDRESS_PARTS = ("name", "line1", "line2", "city", "region", "postal_code", "country", "phone", "vat_number")


class Given(NamedTuple):
    """What is looked up once for all purchases of a set."""

    offers: dict[OfferId, Offer]
    spendable: list[Spendable]
    commissions: CommissionTable


class Preparation:
    """Quotes a cart, and makes the order that a purchase begins with."""

    def __init__(self, neighbours: Neighbours, settings: Settings, limits: CustomerLimits) -> None:
        self._limits = limits
        self._accounts = neighbours.accounts
        self._cart = neighbours.cart
        self._catalog = neighbours.catalog
        self._pricing = neighbours.pricing
        self._promotions = neighbours.promotions
        self._fulfilment = neighbours.fulfilment
        self._payments = neighbours.payments
        self._commissions = StandingCommissions(neighbours.payments, neighbours.catalog)
        self._sellers = neighbours.sellers
        self._prices = PricesByCountry(neighbours.catalog, settings)
        self._settings = settings
        self._shop_remits = named(settings.shop_remits_tax)

    async def quote(self, caller: Caller, shipping_address_id: AddressId, shipping_method: str) -> Quote:
        """Quote what the cart costs at this address, honoured until it expires."""
        basket = await self._cart.basket(caller.user_id)
        address = await self._accounts.address(caller.user_id, shipping_address_id)
        place = destination_of(address)
        offers = await self._offers([line.offer_id for line in basket.lines], place.country)
        rules.check_for_sale(basket, offers, self._settings.currency)
        await self._limits.check(caller.email or "", rules.limited(basket, offers))
        lines = rules.priced(basket, offers)
        reducing = _Reducing(caller, lines, offers, basket.codes, caller.email)
        method, reduced = await self._delivered(reducing, place, shipping_method)
        lines, _, reduced = await self._given(lines, offers, reduced, place.country)
        totals = await self._total(caller.user_id, lines, place, method, reduced)
        expires_at = clock.now() + timedelta(seconds=self._settings.quote_s)
        quoted = Quoted(
            user_id=caller.user_id,
            cart_id=basket.cart_id,
            address_id=shipping_address_id,
            shipping_method=shipping_method,
            lines=lines,
            totals=totals,
            expires_at=expires_at,
            held=codec.text(
                Held(
                    basket.codes,
                    reduced.uses,
                    reduced.tried,
                    place,
                    [each.offer_id for each in reduced.gifts],
                )
            ),
        )
        currency = self._settings.currency
        return Quote(await self._pricing.seal(quoted), totals, currency, expires_at, reduced.codes)

    async def shipping_methods(self, caller: Caller, place: Destination) -> list[ShippingMethod]:
        """List how what is in a cart can reach a place, and what that costs: each seller's part by itself."""
        lines, offers, codes = await self._lines_of(caller.user_id, place.country)
        off = await self._off(_Reducing(caller, lines, offers, codes, caller.email), place)
        return await self._methods(place, lines, offers, off)

    async def estimate(self, caller: Caller, place: Destination, shipping_method: str) -> Totals:
        """Add up what a cart would cost at a place, without what is not for sale. Nothing is promised."""
        lines, offers, codes = await self._lines_of(caller.user_id, place.country)
        reducing = _Reducing(caller, lines, offers, codes, caller.email)
        method, reduced = await self._delivered(reducing, place, shipping_method)
        lines, _, reduced = await self._given(lines, offers, reduced, place.country)
        return await self._total(caller.user_id, lines, place, method, reduced)

    async def reduced(self, caller: Caller, country: str = "") -> InCart:
        """Answer what promotions take off a cart before it is known where it goes, what its codes do, and
        what comes along; at the prices of a country."""
        lines, offers, codes = await self._lines_of(caller.user_id, country)
        reducing = _Reducing(caller, lines, offers, codes, caller.email)
        [reduced] = await self._promotions.reduce_many([reducing.ask(None, None)])
        _, offers, reduced = await self._given(lines, offers, reduced, country)
        return InCart(reduced, [_gift_in_cart(each, offers[each.offer_id]) for each in reduced.gifts])

    async def preview(self, asked: PreviewBasket) -> Previewed:
        """Answer what somebody new would pay for goods, with what is set up of promotions."""
        place = asked.place
        country = place.country if place else ""
        offers = await self._offers([line.offer_id for line in asked.lines], country)
        basket = Basket(CartId(0), [BasketLine(each.offer_id, each.quantity, 0) for each in asked.lines])
        rules.check_for_sale(basket, offers, self._settings.currency)
        lines = rules.priced(basket, offers)
        methods = await self._methods(place, lines, offers) if place else []
        method = methods[0] if methods else None
        reducing = _Reducing(Caller(UserId(0)), lines, offers, asked.codes, None)
        [reduced] = await self._promotions.reduce_many([reducing.ask(method, place)])
        lines, _, reduced = await self._given(lines, offers, reduced, country)
        subtotal = sum(line.unit_price * line.quantity for line in lines)
        names = await self._promotions.names([each.promotion_id for each in reduced.tried])
        return Previewed(subtotal, reduced, [explained(each, names) for each in reduced.tried])

    async def prepare(self, asks: list[Wanted]) -> list[PendingOrder | Refusal]:
        """Look up everything that purchases need, once for all of them; no later step looks anything up."""
        ways = [
            WayToBuy(
                each.caller.user_id, each.ask.shipping_address_id, each.ask.payment_method_id or _NO_CARD
            )
            for each in asks
        ]
        baskets, places = await asyncio.gather(
            self._cart.baskets([way.user_id for way in ways]), self._accounts.addresses_and_cards(ways)
        )
        offer_ids = {line.offer_id for basket in baskets for line in basket.lines}
        offers = await self._offers(list(offer_ids)) if offer_ids else {}
        there = await self._priced_there(baskets, places, offers)
        spendable = await self._spendable(asks, baskets)
        commissions = await self._commissions.table()
        drafts: list[_Draft | Refusal] = []
        for wanted, basket, place, here in zip(asks, baskets, places, there, strict=True):
            try:
                drafts.append(await self._draft(wanted, basket, place, offers if here is None else here))
            except Refusal as refusal:
                drafts.append(refusal)
        reduced = await self._reduced_many(drafts, offers)
        await self._deliver_anew(drafts, reduced, offers)
        offers |= await self._offers_besides(drafts, reduced, offers)
        given = Given(offers, spendable, commissions)
        records: list[PendingOrder | Refusal] = []
        for draft, taken in zip(drafts, reduced, strict=True):
            try:
                records.append(
                    draft if isinstance(draft, Refusal) else await self._order_of(draft, given, taken)
                )
            except Refusal as refusal:
                records.append(refusal)
        return records

    async def _priced_there(
        self, baskets: list[Basket], places: list[AddressAndCard], offers: dict[OfferId, Offer]
    ) -> list[rules.Offers | None]:
        """Answer the offers of each basket at the prices of where it goes; None where that has no market."""
        if not await self._prices.all():
            return [None] * len(baskets)
        asked: dict[int, tuple[str, rules.Offers]] = {}
        for n, (basket, place) in enumerate(zip(baskets, places, strict=True)):
            if place.address and await self._prices.market_of(place.address.country):
                lines = [line.offer_id for line in basket.lines if line.offer_id in offers]
                asked[n] = place.address.country, {each: offers[each] for each in lines}
        found = dict(zip(asked, await self._prices.offers_of(list(asked.values())), strict=True))
        return [found.get(n) for n in range(len(baskets))]

    async def _reduced_many(
        self, drafts: "Sequence[_Draft | Refusal]", offers: dict[OfferId, Offer]
    ) -> list[Reduced]:
        """Answer what promotions take off each purchase that has no quote."""
        asks = {
            n: each.reducing(offers).ask(each.method, each.place)
            for n, each in enumerate(drafts)
            if not isinstance(each, Refusal) and each.quoted is None
        }
        found = dict(zip(asks, await self._promotions.reduce_many(list(asks.values())), strict=True))
        return [found.get(n, Reduced()) for n in range(len(drafts))]

    async def _deliver_anew(
        self, drafts: "list[_Draft | Refusal]", reduced: list[Reduced], offers: dict[OfferId, Offer]
    ) -> None:
        """Choose the delivery anew where what is taken off may leave a part below what its delivery is free
        from, and answer what promotions take off then. A purchase that nobody delivers any more keeps its
        place as a Refusal."""
        again: list[int] = []
        asks: list[tuple[_Reducing, Destination, str]] = []
        for n, (draft, taken) in enumerate(zip(drafts, reduced, strict=True)):
            if isinstance(draft, Refusal) or draft.quoted or not taken.reductions:
                continue
            if any(not part.price for part in draft.method.parts):
                again.append(n)
                asks.append((draft.reducing(offers), draft.place, draft.wanted.ask.shipping_method))
        if not again:
            return
        for n, found in zip(again, await self._delivered_many(asks), strict=True):
            if isinstance(found, Refusal):
                drafts[n] = found
            elif not isinstance(draft := drafts[n], Refusal):
                drafts[n], reduced[n] = draft._replace(method=found[0]), found[1]

    async def _offers_besides(
        self,
        drafts: "Sequence[_Draft | Refusal]",
        reduced: Sequence[Reduced],
        offers: dict[OfferId, Offer],
    ) -> dict[OfferId, Offer]:
        """Look up what comes along for nothing, where anything does."""
        asked = {gift.offer_id for each in reduced for gift in each.gifts}
        for each in drafts:
            if not isinstance(each, Refusal) and each.quoted:
                asked.update(line.offer_id for line in each.lines)
        missing = asked - offers.keys()
        return await self._offers(list(missing)) if missing else {}

    async def payable(self, caller: Caller, total: int, use_store_credit: bool) -> list[PayingValue]:
        """Say what of a total the gift cards in the cart pay, and store credit where it is wanted."""
        gift_cards = (await self._cart.basket(caller.user_id)).gift_cards
        if not gift_cards and caller.guest:
            return []
        people = [] if caller.guest else [caller.user_id]
        known = await self._payments.spendable(SpendableOf(gift_cards, people))
        wanted = [each for each in known if use_store_credit or each.kind == "gift_card"]
        pays = {each.value_id: each.amount for each in rules.tenders(total, gift_cards, wanted)}
        return [PayingValue(each, pays.get(each.value_id, 0)) for each in known]

    async def _spendable(self, asks: list[Wanted], baskets: list[Basket]) -> list[Spendable]:
        """Look up what gift cards and store credit can pay, where anybody wants to pay with any."""
        gift_cards = [card for basket in baskets for card in basket.gift_cards]
        people = [each.caller.user_id for each in asks if each.ask.use_store_credit]
        if not gift_cards and not people:
            return []
        return await self._payments.spendable(SpendableOf(gift_cards, people))

    async def _draft(
        self, wanted: Wanted, basket: Basket, place: AddressAndCard, offers: rules.Offers
    ) -> "_Draft":
        caller, ask = wanted.caller, wanted.ask
        email = caller.email or normal_text(ask.email or "")
        if not email:
            raise Invalid("Say where to send the confirmation.", pointer="/email")
        rules.check_for_sale(basket, offers, self._settings.currency)
        if place.address is None:
            raise NotFound("You have no such address.", pointer="/shipping_address_id")
        if place.card is None and ask.payment_method_id is not None:
            raise NotFound("You have no such payment method.", pointer="/payment_method_id")
        destination = destination_of(place.address)
        quoted = None
        if ask.quote_id is not None:
            quoted = await self._honoured(caller, ask, basket, destination)
        lines = quoted.lines if quoted else rules.priced(basket, offers)
        method = await self._method(destination, ask.shipping_method, lines, offers)
        return _Draft(
            wanted, basket, place.address, destination, place.card or "", email, quoted, lines, method, offers
        )

    async def _order_of(self, draft: "_Draft", given: Given, reduced: Reduced) -> PendingOrder:
        caller, ask = draft.wanted.caller, draft.wanted.ask
        lines, method, totals, held = await self._reckoned(draft, given, reduced)
        if ask.expected_total is not None and ask.expected_total != totals.total:
            raise PriceChanged(expected_total=ask.expected_total, total=totals.total)
        tenders = _tenders(draft.wanted, draft.basket, given.spendable, totals.total)
        bucket = caller.user_id.bucket
        bought = rules.order_lines(lines, totals, given.offers, bucket)
        sellers_remit = not rules.shop_remits(self._shop_remits, draft.place)
        sellers = given.commissions.decided(
            rules.seller_parts(bought, totals, sellers_remit=sellers_remit),
            rules.sold(bought, totals, given.offers),
        )
        order = NewOrder(
            order_id=ids.new(OrderId, bucket),
            user_id=caller.user_id,
            checkout_id=ids.new(CheckoutId, bucket),
            cart_id=draft.basket.cart_id,
            email=draft.email,
            lines=bought,
            subtotal=totals.subtotal,
            discount=totals.discount,
            shipping=totals.shipping,
            tax=totals.tax,
            total=totals.total,
            currency=self._settings.currency,
            shipping_method=method.code,
            estimated_delivery=method.estimated_delivery,
            address=_label(draft.address),
            placed_at=clock.now(),
            parts=rules.deliveries(method, totals),
            tax_included=totals.tax_included,
            discounts=totals.discounts,
            rounding=totals.rounding,
            taxed_by=totals.taxed_by,
            tax_note=totals.tax_note,
            gift_cards=rules.gift_cards_bought(lines, bought, ask.gift_to, draft.email, draft.address.name),
            commissions=[SellerCommission(part.seller_id, sum(kept_of_part(part))) for part in sellers],
            channel=draft.wanted.channel,
        )
        return PendingOrder(
            order,
            draft.card,
            sellers,
            kept_card=ask.payment_method_id if draft.wanted.keep_card else None,
            limited=rules.limited(draft.basket, given.offers),
            tenders=tenders,
            uses=held.uses,
            tried=held.tried,
        )

    async def _reckoned(
        self, draft: "_Draft", given: Given, reduced: Reduced
    ) -> tuple[list[PricedLine], ShippingMethod, Totals, Held]:
        """Answer what a purchase costs: what its quote says, else what everything costs now."""
        if draft.quoted:
            return draft.lines, draft.method, draft.quoted.totals, _held(draft.quoted)
        caller, method, place = draft.wanted.caller, draft.method, draft.place
        known = await self._known(draft, given)
        lines, _, reduced = await self._given(draft.lines, known, reduced, place.country)
        totals = await self._total(caller.user_id, lines, place, method, reduced)
        return lines, method, totals, Held([], reduced.uses, reduced.tried)

    async def _known(self, draft: "_Draft", given: Given) -> rules.Offers:
        """Answer the offers that are looked up already at the prices of where a purchase goes."""
        return given.offers if await self._prices.market_of(draft.place.country) is None else draft.offers

    async def _honoured(self, caller: Caller, ask: Buy, basket: Basket, place: Destination) -> Quoted:
        """Honour a quote that is this person's, for this cart as it is, this address as it is and this
        delivery."""
        quoted = await self._pricing.honour(ask.quote_id or "")
        held = _held(quoted)
        bought = Counter({line.offer_id: line.quantity for line in quoted.lines})
        bought.subtract(held.gifts)
        same = (
            quoted.user_id == caller.user_id
            and quoted.cart_id == basket.cart_id
            and quoted.address_id == ask.shipping_address_id
            and quoted.shipping_method == ask.shipping_method
            and +bought == {line.offer_id: line.quantity for line in basket.lines}
            and held.place == place
            and basket.codes == held.codes
            and len(quoted.totals.lines) == len(quoted.lines)  # not so in a quote of release 0.1.0
        )
        if not same:
            raise QuoteExpired(pointer="/quote_id")
        return quoted

    async def _offers(self, offer_ids: list[OfferId], country: str | None = None) -> dict[OfferId, Offer]:
        """Look offers up, at the prices of a country, or at their own. What is listed as a gift card and
        is none has no class."""
        offers = await self._catalog.offers(offer_ids)
        if country is not None:
            offers = await self._prices.offers(country, offers)
        cards = [each for each in offers.values() if each.tax_class == GIFT_CARD_CLASS]
        money = await issuers(self._sellers, (each.seller_id for each in cards))
        goods = {
            each.offer_id: structs.replace(each, tax_class=None)
            for each in cards
            if each.seller_id not in money
        }
        return {**offers, **goods}

    async def _lines_of(
        self, user_id: UserId, country: str
    ) -> tuple[list[PricedLine], rules.Offers, list[str]]:
        basket = await self._cart.basket(user_id)
        offers = await self._offers([line.offer_id for line in basket.lines], country) if basket.lines else {}
        return rules.priced(basket, offers), offers, basket.codes

    async def _total(
        self,
        user_id: UserId,
        lines: list[PricedLine],
        place: Destination,
        method: ShippingMethod,
        reduced: Reduced,
    ) -> Totals:
        basket = PricedBasket(
            lines=lines,
            parts=[
                PartPrice(rate.seller_id, rate.price) for rate in rules.with_gifts_sent(method, lines).parts
            ],
            currency=self._settings.currency,
            country=place.country,
            region=place.region,
            postal_code=place.postal_code,
            vat_number=place.vat_number,
            user_id=user_id,
            reductions=reduced.reductions,
        )
        return await self._pricing.total(basket)

    async def _given(
        self, lines: list[PricedLine], offers: rules.Offers, reduced: Reduced, country: str
    ) -> tuple[list[PricedLine], rules.Offers, Reduced]:
        """Put what comes along for nothing to the lines."""
        if not reduced.gifts:
            return lines, offers, reduced
        missing = [each.offer_id for each in reduced.gifts if each.offer_id not in offers]
        known = {**offers, **(await self._offers(missing, country) if missing else {})}
        lines, reduced = rules.with_gifts(lines, known, reduced)
        return lines, known, reduced

    async def _off(self, reducing: "_Reducing", place: Destination) -> list[int]:
        """Answer what promotions take off each line, whatever its delivery costs."""
        [reduced] = await self._promotions.reduce_many([reducing.ask(None, place)])
        return rules.taken_off(reducing.lines, reduced.reductions)

    async def _delivered(
        self, reducing: "_Reducing", place: Destination, code: str
    ) -> tuple[ShippingMethod, Reduced]:
        """Choose a delivery, priced by what goods cost after promotions; and what these take off then."""
        [found] = await self._delivered_many([(reducing, place, code)])
        if isinstance(found, Refusal):
            raise found
        return found

    async def _delivered_many(
        self, asks: "list[tuple[_Reducing, Destination, str]]"
    ) -> list[tuple[ShippingMethod, Reduced] | Refusal]:
        """Answer the same for each basket, where it goes and how; a Refusal where nobody sends it so."""
        before = await self._promotions.reduce_many(
            [reducing.ask(None, place) for reducing, place, _ in asks]
        )
        methods: list[ShippingMethod | Refusal] = []
        for (reducing, place, code), taken in zip(asks, before, strict=True):
            off = rules.taken_off(reducing.lines, taken.reductions)
            try:
                methods.append(await self._method(place, code, reducing.lines, reducing.offers, off))
            except Refusal as refusal:
                methods.append(refusal)
        sent = [
            reducing.ask(method, place)
            for (reducing, place, _), method in zip(asks, methods, strict=True)
            if not isinstance(method, Refusal)
        ]
        reduced = iter(await self._promotions.reduce_many(sent))
        return [each if isinstance(each, Refusal) else (each, next(reduced)) for each in methods]

    async def _methods(
        self,
        place: Destination,
        lines: list[PricedLine],
        offers: rules.Offers,
        off: Sequence[int] = (),
        code: str | None = None,
    ) -> list[ShippingMethod]:
        parts = rules.parts_to_send(lines, offers, self._settings.unknown_weight_g, off)
        return await self._fulfilment.methods(place.country, place.region, parts, code)

    async def _method(
        self,
        place: Destination,
        code: str,
        lines: list[PricedLine],
        offers: rules.Offers,
        off: Sequence[int] = (),
    ) -> ShippingMethod:
        for method in await self._methods(place, lines, offers, off, code):
            if method.code == code:
                return method
        raise Invalid("There is no such shipping method for this address.", pointer="/shipping_method")


class _Reducing(NamedTuple):
    """What promotions are asked about: whose lines with which codes."""

    caller: Caller
    lines: list[PricedLine]
    offers: rules.Offers
    codes: list[str]
    email: str | None

    def ask(self, method: ShippingMethod | None, place: Destination | None) -> ReductionAsk:
        """Ask for these lines, sent so to a place; as far as that is known."""
        parts = [PartPrice(rate.seller_id, rate.price) for rate in method.parts] if method else None
        goods, country = rules.goods(self.lines, self.offers), place.country if place else None
        return ReductionAsk(self.caller.user_id, goods, self.codes, parts, country, self.email)


class _Draft(NamedTuple):
    """A purchase that is looked up, before promotions are asked."""

    wanted: Wanted
    basket: Basket
    address: Address
    place: Destination
    card: str
    email: str
    quoted: Quoted | None
    lines: list[PricedLine]
    method: ShippingMethod
    offers: rules.Offers
    """Of its lines, at the prices of where it goes."""

    def reducing(self, offers: rules.Offers) -> _Reducing:
        return _Reducing(self.wanted.caller, self.lines, offers, self.basket.codes, self.email)


def _gift_in_cart(gift: Gift, offer: Offer) -> GiftInCart:
    return GiftInCart(
        gift.discount.promotion_id,
        offer.offer_id,
        offer.product_id,
        offer.title,
        offer.price,
        offer.image_url,
        offer.seller_name,
    )


_EMPTY = (
    "A gift card in the cart has nothing on it any more. Nothing was charged: take it out of the cart, then "
    "order again."
)


def _held(quoted: Quoted) -> Held:
    return codec.decode(quoted.held, Held) if quoted.held else Held()


def explained(tried: Tried, names: dict[PromotionId, str]) -> Explained:
    """Answer a promotion that was tried with its name."""
    name = names.get(tried.promotion_id, "")
    return Explained(tried.promotion_id, name, tried.code, tried.amount, tried.why)


def _tenders(wanted: Wanted, basket: Basket, spendable: list[Spendable], total: int) -> list[Tender]:
    """Say what gift cards and store credit pay of a total; Invalid where nothing pays the rest.

    Whoever does not say what the card may pay at most is not charged for a gift card that was emptied since
    it came into the cart: GiftCardSpent."""
    ask, person = wanted.ask, wanted.caller.user_id if wanted.ask.use_store_credit else None
    own = [each for each in spendable if each.kind == "gift_card" or each.user_id == person]
    tenders = rules.tenders(total, basket.gift_cards, own)
    by_card = total - sum(tender.amount for tender in tenders)
    if ask.expected_by_card is not None and by_card > ask.expected_by_card:
        raise GiftCardSpent
    good_for = {each.value_id for each in own if each.usable and each.balance}
    if by_card and ask.expected_by_card is None and not good_for.issuperset(basket.gift_cards):
        raise GiftCardSpent(_EMPTY)
    if by_card and ask.payment_method_id is None:
        words = "Choose a card: your gift cards and store credit do not pay all of it." if tenders else ""
        raise Invalid(words or "Choose a card.", pointer="/payment_method_id")
    return tenders


def _label(address: Address) -> dict[str, str]:
    """Answer the address as it goes on the parcel: its parts that are not empty."""
    return {name: part for name in _ADDRESS_PARTS if (part := getattr(address, name))}
