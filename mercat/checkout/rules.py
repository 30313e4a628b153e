"""What a purchase is made of: its lines as they are priced and ordered, and what each seller gets.

Decisions without IO.
"""

from collections.abc import Mapping, Sequence

from msgspec import structs

from mercat import ids
from mercat.accounts import Address
from mercat.addresses import region_code
from mercat.cart import Basket
from mercat.catalog import Offer, check_currency, quantity_problem
from mercat.checkout.messages import CartEmpty, Destination, GiftTo, Limited, QuantityRefused
from mercat.events import GiftCardsBought, OrderLine
from mercat.fulfilment import PartRate, PartToSend, ShippingMethod
from mercat.ids import GiftCardId, LineId, OfferId, SellerId
from mercat.inventory import OutOfStock
from mercat.money import GIFT_CARD_CLASS
from mercat.orders import PartDelivery
from mercat.payments import SellerPart, Sold, Spendable, Tender
from mercat.pricing import PricedLine, Reduction, Totals
from mercat.promotions import Gift, PricedGoods, Reduced

Offers = Mapping[OfferId, Offer]


def destination_of(address: Address) -> Destination:
    """Answer where an address is, as far as prices depend on it."""
    return Destination(
        address.country, address.region or "", address.postal_code or "", address.vat_number or ""
    )


def check_for_sale(basket: Basket, offers: Offers, currency: str) -> None:
    """Raise CartEmpty where nothing is in the cart, OutOfStock where something of it is not for sale,
    OtherCurrency where it is not sold in the shop's, and QuantityRefused where it is not sold so."""
    if not basket.lines:
        raise CartEmpty
    for n, line in enumerate(basket.lines):
        offer = offers.get(line.offer_id)
        if offer is not None:
            check_currency(offer.title, offer.currency, currency, f"/items/{n}")
        if offer is None or offer.status != "active":
            title = offer.title if offer else "Something in your cart"
            raise OutOfStock(
                f"{title} is not for sale any more. Nothing was charged.",
                offer_id=line.offer_id,
                available=0,
                pointer=f"/items/{n}",
            )
        if refused := quantity_problem(offer.quantity_rules, line.quantity):
            why, wanted = refused
            raise QuantityRefused(
                f"{offer.title} is sold in certain quantities: {wanted}. Nothing was charged.",
                offer_id=line.offer_id,
                why=why,
                pointer=f"/items/{n}/quantity",
            )


def limited(basket: Basket, offers: Offers) -> list[Limited]:
    """List the lines of which a customer may buy so many in all."""
    found: list[Limited] = []
    for n, line in enumerate(basket.lines):
        offer = offers[line.offer_id]
        if offer.quantity_rules and (most := offer.quantity_rules.per_customer):
            found.append(Limited(line.offer_id, line.quantity, most, n, offer.title))
    return found


def priced(basket: Basket, offers: Offers) -> list[PricedLine]:
    """Price what is for sale of a cart as of now."""
    return [
        PricedLine(line.offer_id, line.quantity, offer.price, offer.seller_id, offer.tax_class or "")
        for line in basket.lines
        if (offer := offers.get(line.offer_id)) and offer.status == "active"
    ]


def goods(lines: Sequence[PricedLine], offers: Offers) -> list[PricedGoods]:
    """Answer lines as promotions look at them."""
    return [
        PricedGoods(
            line.offer_id,
            offer.product_id,
            line.seller_id,
            line.quantity,
            line.unit_price,
            offer.categories,
            offer.brand,
            offer.tags,
            is_gift_card(line),
        )
        for line in lines
        if (offer := offers[line.offer_id])
    ]


def taken_off(lines: Sequence[PricedLine], reductions: Sequence[Reduction]) -> list[int]:
    """Answer what reductions take off each line in all."""
    off = [0] * len(lines)
    for reduction in reductions:
        for n, amount in enumerate(reduction.lines):
            off[n] = min(off[n] + amount, lines[n].unit_price * lines[n].quantity)
    return off


def with_gifts(
    lines: Sequence[PricedLine], offers: Offers, reduced: Reduced
) -> tuple[list[PricedLine], Reduced]:
    """Put what comes along for nothing to the lines, and take its price off. What is not there does not come,
    and its promotion was of no use."""
    bought, given = list(lines), list[Gift]()
    for gift in reduced.gifts:
        offer = offers.get(gift.offer_id)
        promotion_id = gift.discount.promotion_id
        if offer is None or not _can_be_given(offer, gift):
            reduced = _not_given(reduced, gift)
            continue
        place = next((n for n, line in enumerate(bought) if line.offer_id == gift.offer_id), len(bought))
        if place == len(bought):
            bought.append(PricedLine(gift.offer_id, 0, offer.price, offer.seller_id, offer.tax_class or ""))
        bought[place] = structs.replace(bought[place], quantity=bought[place].quantity + 1)
        price = bought[place].unit_price
        off = Reduction(
            structs.replace(gift.discount, amount=price), [0] * place + [price], [], gift.by_seller
        )
        given.append(gift)
        reduced = structs.replace(
            reduced,
            reductions=[*reduced.reductions, off],
            uses=[
                structs.replace(each, amount=price) if each.promotion_id == promotion_id else each
                for each in reduced.uses
            ],
            tried=[
                structs.replace(each, amount=price) if each.promotion_id == promotion_id else each
                for each in reduced.tried
            ],
        )
    return bought, structs.replace(reduced, gifts=given)


def _can_be_given(offer: Offer, gift: Gift) -> bool:
    ours = gift.seller_id in (None, offer.seller_id)
    return ours and offer.status == "active" and offer.in_stock and offer.tax_class != GIFT_CARD_CLASS


def _not_given(reduced: Reduced, gift: Gift) -> Reduced:
    promotion_id, code = gift.discount.promotion_id, gift.discount.code
    return structs.replace(
        reduced,
        uses=[each for each in reduced.uses if each.promotion_id != promotion_id],
        tried=[
            structs.replace(each, why="code_used_up") if each.promotion_id == promotion_id else each
            for each in reduced.tried
        ],
        codes=[
            structs.replace(each, applied=False, why="code_used_up") if each.code == code else each
            for each in reduced.codes
        ],
    )


def with_gifts_sent(method: ShippingMethod, lines: Sequence[PricedLine]) -> ShippingMethod:
    """Let what comes along of a seller who sends nothing else travel for nothing."""
    sending = {part.seller_id for part in method.parts}
    more = dict.fromkeys(line.seller_id for line in lines if line.seller_id not in sending)
    free = [PartRate(each, 0, method.estimated_delivery, method.code, method.name) for each in more]
    return structs.replace(method, parts=[*method.parts, *free]) if free else method


def parts_to_send(
    lines: Sequence[PricedLine], offers: Offers, unknown_weight_g: int = 0, off: Sequence[int] = ()
) -> list[PartToSend]:
    """Answer what each seller sends, in the order of their first lines; gift cards are sent by nobody.

    `unknown_weight_g`: what a unit weighs of which nobody has said it; `off`: what is taken off each line."""
    sums: dict[SellerId, tuple[int, int, int]] = {}
    for n, line in enumerate(lines):
        if is_gift_card(line):
            sums.setdefault(line.seller_id, (0, 0, 0))
            continue
        offer = offers.get(line.offer_id)
        each_g = offer.weight_g if offer and offer.weight_g is not None else unknown_weight_g
        amount, units, weight_g = sums.get(line.seller_id, (0, 0, 0))
        sums[line.seller_id] = (
            amount + line.unit_price * line.quantity - (off[n] if off else 0),
            units + line.quantity,
            weight_g + each_g * line.quantity,
        )
    return [PartToSend(seller_id, *each) for seller_id, each in sums.items()]


def is_gift_card(line: PricedLine) -> bool:
    """Say whether units of a line are gift cards."""
    return line.tax_class == GIFT_CARD_CLASS


def gift_cards_bought(
    lines: Sequence[PricedLine], bought: Sequence[OrderLine], to: GiftTo | None, email: str, sender: str
) -> GiftCardsBought | None:
    """Say which lines of an order are gift cards and to whom they go: to who buys, where nobody is named."""
    ours = [own.order_line_id for line, own in zip(lines, bought, strict=True) if is_gift_card(line)]
    if not ours:
        return None
    if to is None:
        return GiftCardsBought(ours, email)
    return GiftCardsBought(ours, to.email, to.name or "", to.message or "", sender)


def order_lines(lines: Sequence[PricedLine], totals: Totals, offers: Offers, bucket: int) -> list[OrderLine]:
    """Make the lines of an order."""
    return [
        OrderLine(
            order_line_id=ids.new(LineId, bucket),
            product_id=offer.product_id,
            offer_id=line.offer_id,
            seller_id=line.seller_id,
            title=offer.title,
            quantity=line.quantity,
            unit_price=unit_price,
            total=unit_price * line.quantity,
            image_url=offer.image_url,
            discount=each.discount,
            seller_discount=each.seller_discount,
            tax=each.tax,
            shop_tax=each.shop_tax,
            tax_class=line.tax_class,
        )
        for line, each in zip(lines, totals.lines, strict=True)
        for unit_price in [line.unit_price if each.unit_price is None else each.unit_price]
        if (offer := offers[line.offer_id])
    ]


def deliveries(method: ShippingMethod, totals: Totals) -> list[PartDelivery]:
    """Answer how each seller's part travels, and what that costs."""
    rates = {rate.seller_id: rate for rate in method.parts}
    return [
        PartDelivery(
            seller_id=part.seller_id,
            shipping=part.shipping,
            shipping_method=rate.code or method.code if rate else method.code,
            estimated_delivery=rate.estimated_delivery if rate else method.estimated_delivery,
            waived=part.waived,
            tax=part.tax,
            shop_tax=part.shop_tax,
            pickup_name=pickup.name if pickup else "",
            pickup_address=pickup.address if pickup else "",
        )
        for part in totals.parts
        for rate in [rates.get(part.seller_id)]
        for pickup in [rate.pickup if rate else None]
    ]


def tenders(total: int, gift_cards: Sequence[GiftCardId], known: Sequence[Spendable]) -> list[Tender]:
    """Say what of a total each gift card pays, in the cart's order, then store credit."""
    if not known:
        return []
    by_id = {each.value_id: each for each in known}
    ways = [by_id[each] for each in gift_cards if each in by_id]
    ways += [each for each in known if each.kind == "store_credit"]
    found: list[Tender] = []
    for way in ways:
        amount = min(way.balance, total) if way.usable else 0
        if amount:
            found.append(Tender(way.value_id, way.kind, amount))
            total -= amount
    return found


def shop_remits(where: frozenset[str], place: Destination) -> bool:
    """Say whether the shop remits the tax of what sellers sell there (marketplace facilitator): everywhere,
    in this country, or in this state of it."""
    country = place.country.upper()
    return not where.isdisjoint(("*", country)) or (
        bool(where) and f"{country}-{region_code(country, place.region) or place.region}" in where
    )


def seller_parts(
    lines: Sequence[OrderLine], totals: Totals, *, sellers_remit: bool = False
) -> list[SellerPart]:
    """Answer what each seller gets of a payment, before commission and without tax: the price of the goods
    less what they bear of its discount, and their delivery. What the shop bears changes nothing of it.

    `sellers_remit`: they get the tax of their part too, to remit it."""
    goods: dict[SellerId, int] = {}
    taxes: dict[SellerId, int] = {}
    for line in lines:
        goods[line.seller_id] = goods.get(line.seller_id, 0) + _for_seller(line, totals)
        taxes[line.seller_id] = taxes.get(line.seller_id, 0) + (line.tax or 0)
    return [
        SellerPart(
            part.seller_id,
            goods.get(part.seller_id, 0),
            part.shipping + part.waived - (part.tax + part.shop_tax if totals.tax_included else 0),
            tax=taxes.get(part.seller_id, 0) + part.tax if sellers_remit else 0,
        )
        for part in totals.parts
    ]


def sold(lines: Sequence[OrderLine], totals: Totals, offers: Offers) -> list[Sold]:
    """Answer of what the shop keeps its commission: what sellers get for each line."""
    return [
        Sold(line.seller_id, offers[line.offer_id].category_id, _for_seller(line, totals), line.quantity)
        for line in lines
    ]


def _for_seller(line: OrderLine, totals: Totals) -> int:
    included = (line.tax or 0) + line.shop_tax if totals.tax_included else 0
    return line.total - line.seller_discount - included
