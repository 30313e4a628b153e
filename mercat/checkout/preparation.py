"""What a purchase needs, looked up once: cart, offers, address, card, delivery and totals."""

import asyncio
from datetime import timedelta

from mercat import ids
from mercat.accounts import Address, AddressAndCard, WayToBuy
from mercat.cart import Basket
from mercat.catalog import Offer
from mercat.checkout.messages import Buy, CartEmpty, PendingOrder, PriceChanged, Quote
from mercat.checkout.neighbours import Neighbours
from mercat.checkout.purchase import Wanted
from mercat.events import OrderLine
from mercat.fulfilment import ShippingMethod
from mercat.ids import AddressId, CheckoutId, LineId, OfferId, OrderId, SellerId
from mercat.inventory import OutOfStock
from mercat.kit import clock
from mercat.kit.refusals import Invalid, NotFound, Refusal
from mercat.kit.rpc import Caller
from mercat.kit.text import normal_text
from mercat.orders import NewOrder
from mercat.payments import SellerPart
from mercat.pricing import PricedBasket, PricedLine, Quoted, QuoteExpired, Totals
from mercat.settings import Settings

_ADDRESS_PARTS = ("name", "line1", "line2", "city", "region", "postal_code", "country", "phone")


class Preparation:
    """Quotes a cart, and makes the order that a purchase begins with."""

    def __init__(self, neighbours: Neighbours, settings: Settings) -> None:
        self._accounts = neighbours.accounts
        self._cart = neighbours.cart
        self._catalog = neighbours.catalog
        self._pricing = neighbours.pricing
        self._fulfilment = neighbours.fulfilment
        self._settings = settings

    async def quote(self, caller: Caller, shipping_address_id: AddressId, shipping_method: str) -> Quote:
        """Quote what the cart costs at this address, honoured until it expires."""
        basket = await self._cart.basket(caller.user_id)
        _check_filled(basket)
        address = await self._accounts.address(caller.user_id, shipping_address_id)
        method = await self._method(address, shipping_method)
        offers = await self._catalog.offers([line.offer_id for line in basket.lines])
        _check_for_sale(basket, offers)
        lines = _priced(basket, offers)
        totals = await self._total(lines, address, method)
        expires_at = clock.now() + timedelta(seconds=self._settings.quote_s)
        quoted = Quoted(
            user_id=caller.user_id,
            cart_id=basket.cart_id,
            address_id=shipping_address_id,
            shipping_method=shipping_method,
            lines=lines,
            totals=totals,
            expires_at=expires_at,
        )
        return Quote(
            quote_id=await self._pricing.seal(quoted),
            subtotal=totals.subtotal,
            shipping=totals.shipping,
            tax=totals.tax,
            discount=totals.discount,
            total=totals.total,
            currency=self._settings.currency,
            expires_at=expires_at,
        )

    async def prepare(self, asks: list[Wanted]) -> list[PendingOrder | Refusal]:
        """Look up everything that purchases need, once for all of them; no later step looks anything up."""
        ways = [
            WayToBuy(each.caller.user_id, each.ask.shipping_address_id, each.ask.payment_method_id)
            for each in asks
        ]
        baskets, places = await asyncio.gather(
            self._cart.baskets([way.user_id for way in ways]), self._accounts.addresses_and_cards(ways)
        )
        offer_ids = {line.offer_id for basket in baskets for line in basket.lines}
        offers = await self._catalog.offers(list(offer_ids)) if offer_ids else {}
        records: list[PendingOrder | Refusal] = []
        for wanted, basket, place in zip(asks, baskets, places, strict=True):
            try:
                records.append(await self._order_of(wanted, basket, place, offers))
            except Refusal as refusal:
                records.append(refusal)
        return records

    async def _order_of(
        self, wanted: Wanted, basket: Basket, place: AddressAndCard, offers: dict[OfferId, Offer]
    ) -> PendingOrder:
        caller, ask = wanted.caller, wanted.ask
        email = caller.email or normal_text(ask.email or "")
        if not email:
            raise Invalid("Say where to send the confirmation.", pointer="/email")
        _check_filled(basket)
        if place.address is None:
            raise NotFound("You have no such address.", pointer="/shipping_address_id")
        if place.card is None:
            raise NotFound("You have no such payment method.", pointer="/payment_method_id")
        method = await self._method(place.address, ask.shipping_method)
        _check_for_sale(basket, offers)
        if ask.quote_id:
            quoted = await self._honoured(caller, ask, basket)
            lines, totals = quoted.lines, quoted.totals
        else:
            lines = _priced(basket, offers)
            totals = await self._total(lines, place.address, method)
        if ask.expected_total is not None and ask.expected_total != totals.total:
            raise PriceChanged(expected_total=ask.expected_total, total=totals.total)
        bucket = caller.user_id.bucket
        bought = [_order_line(line, offers[line.offer_id], bucket) for line in lines]
        order = NewOrder(
            order_id=ids.new(OrderId, bucket),
            user_id=caller.user_id,
            checkout_id=ids.new(CheckoutId, bucket),
            cart_id=basket.cart_id,
            email=email,
            lines=bought,
            subtotal=totals.subtotal,
            discount=totals.discount,
            shipping=totals.shipping,
            tax=totals.tax,
            total=totals.total,
            currency=self._settings.currency,
            shipping_method=method.code,
            estimated_delivery=method.estimated_delivery,
            address=_label(place.address),
            placed_at=clock.now(),
        )
        return PendingOrder(order, place.card, _seller_parts(bought))

    async def _honoured(self, caller: Caller, ask: Buy, basket: Basket) -> Quoted:
        """Honour a quote that is this person's, for this cart as it is, this address and this delivery."""
        quoted = await self._pricing.honour(ask.quote_id or "")
        in_cart = {line.offer_id: line.quantity for line in basket.lines}
        same = (
            quoted.user_id == caller.user_id
            and quoted.cart_id == basket.cart_id
            and quoted.address_id == ask.shipping_address_id
            and quoted.shipping_method == ask.shipping_method
            and in_cart == {line.offer_id: line.quantity for line in quoted.lines}
        )
        if not same:
            raise QuoteExpired(pointer="/quote_id")
        return quoted

    async def _total(self, lines: list[PricedLine], address: Address, method: ShippingMethod) -> Totals:
        basket = PricedBasket(
            lines, method.price, self._settings.currency, address.country, address.region or ""
        )
        return await self._pricing.total(basket)

    async def _method(self, address: Address, code: str) -> ShippingMethod:
        for method in await self._fulfilment.methods(address.country, address.region or ""):
            if method.code == code:
                return method
        raise Invalid("There is no such shipping method for this address.", pointer="/shipping_method")


def _check_filled(basket: Basket) -> None:
    if not basket.lines:
        raise CartEmpty


def _check_for_sale(basket: Basket, offers: dict[OfferId, Offer]) -> None:
    for n, line in enumerate(basket.lines):
        offer = offers.get(line.offer_id)
        if offer is None or offer.status != "active":
            title = offer.title if offer else "Something in your cart"
            raise OutOfStock(
                f"{title} is not for sale any more. Nothing was charged.",
                offer_id=line.offer_id,
                available=0,
                pointer=f"/items/{n}",
            )


def _priced(basket: Basket, offers: dict[OfferId, Offer]) -> list[PricedLine]:
    return [PricedLine(line.offer_id, line.quantity, offers[line.offer_id].price) for line in basket.lines]


def _order_line(line: PricedLine, offer: Offer, bucket: int) -> OrderLine:
    return OrderLine(
        order_line_id=ids.new(LineId, bucket),
        product_id=offer.product_id,
        offer_id=line.offer_id,
        seller_id=offer.seller_id,
        title=offer.title,
        quantity=line.quantity,
        unit_price=line.unit_price,
        total=line.unit_price * line.quantity,
        image_url=offer.image_url,
    )


def _seller_parts(lines: list[OrderLine]) -> list[SellerPart]:
    amounts: dict[SellerId, int] = {}
    for line in lines:
        amounts[line.seller_id] = amounts.get(line.seller_id, 0) + line.total
    return [SellerPart(seller_id, amount) for seller_id, amount in amounts.items()]


def _label(address: Address) -> dict[str, str]:
    """Answer the address as it goes on the parcel: its parts that are not empty."""
    parts = ((name, getattr(address, name)) for name in _ADDRESS_PARTS)
    return {name: part for name, part in parts if part}
