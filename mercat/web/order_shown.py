"""An order as the API shows it, and who may see it: its shopper, or who has the key from a letter."""

import asyncio
import hmac
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, Struct, structs

from mercat import money
from mercat.fulfilment import PickupPoint, SellerOrder, Shipment
from mercat.ids import LineId, OfferId, OrderId, PaymentId, ProductId, RefundId, SellerId, number_shown
from mercat.kit.refusals import SignInFirst
from mercat.kit.rpc import Caller
from mercat.kit.signing import link_key
from mercat.orders import Order, OrderLineView, Owed, Part
from mercat.payments import Payment, Refund, TenderKind
from mercat.settings import Settings
from mercat.shop import Shop
from mercat.web.prices import DiscountShown, discounts_shown
from mercat.web.schemas import Amount, SellerShown
from mercat.web.shipments import ShipmentShown, shipment_shown

OrderKey = Annotated[str, Meta(max_length=100, description="From a letter's link, instead of a session.")]
_REFUND_KINDS = {"cancel": "cancellation", "return": "return", "refund": "refund"}


class OrderLineShown(Struct, frozen=True, kw_only=True):
    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    seller_id: SellerId
    title: str
    image_url: str
    quantity: int
    shipped: int
    delivered: int
    cancelled: int
    coming_back: int
    returned: int
    refunded: int
    unit_price: Amount
    total: Amount
    discount: Amount
    tax: Amount


class PartShown(Struct, frozen=True, kw_only=True):
    """What one seller sends of an order. Its status follows from its lines, and the order's from all."""

    part_id: str
    seller: SellerShown
    status: str
    shipping: Amount
    shipping_method: str
    estimated_delivery: date | None
    pickup: PickupPoint | None
    """Where its shopper fetches it, if it is not brought."""
    lines: list[OrderLineShown]
    shipments: list[ShipmentShown]


class SellerPartShown(PartShown, frozen=True, kw_only=True):
    """A seller's own part of an order."""

    order_id: OrderId
    number: str | None
    currency: str


class RefundShown(Struct, frozen=True, kw_only=True):
    refund_id: RefundId
    amount: Amount
    status: str
    kind: str
    to: TenderKind = "card"
    """Where it went: back to where the payment came from, or to store credit."""
    payment_id: PaymentId | None = None
    """Which of the order's payments it went back to."""
    at: datetime | None


class PaymentShown(Struct, frozen=True, kw_only=True):
    payment_id: PaymentId
    kind: TenderKind
    last4: str
    """Of a gift card: the end of its code."""
    status: str
    amount: Amount
    currency: str
    refunds: list[RefundShown]


class OrderEventShown(Struct, frozen=True):
    status: str
    by: str
    at: datetime
    shipment_id: str | None = None
    """The parcel that was shipped or delivered: one of the order's `shipments`."""


class OrderShown(Struct, frozen=True, kw_only=True):
    order_id: OrderId
    number: str | None
    status: str
    subtotal: Amount
    discount: Amount
    shipping: Amount
    tax: Amount
    tax_included: bool
    tax_note: str
    total: Amount
    currency: str
    discounts: list[DiscountShown]
    shipping_method: str
    estimated_delivery: date | None
    shipping_address: dict[str, str]
    created_at: datetime
    lines: list[OrderLineShown]
    parts: list[PartShown]
    payments: list[PaymentShown]
    refunds: list[RefundShown]
    shipments: list[ShipmentShown]
    history: list[OrderEventShown]


def has_key(settings: Settings, order_id: OrderId, key: str | None) -> bool:
    """Say whether this is the order's key."""
    return key is not None and hmac.compare_digest(link_key(settings, order_id).encode(), key.encode())


async def order_of(shop: Shop, caller: Caller | None, order_id: OrderId, key: str | None = None) -> Order:
    """Read an order for its shopper, the guest that they were, or who has its key; raise NotFound else."""
    if has_key(shop.settings, order_id, key):
        return await shop.orders.order(order_id, None)
    if caller is None:
        raise SignInFirst
    return await shop.orders.order(order_id, await shop.checkout.people(caller))


def shopper_of(shop: Shop, caller: Caller | None, order: Order, key: str | None) -> Caller:
    """Say as whom somebody acts on an order that they may see: with its key, as its shopper."""
    if caller is None or has_key(shop.settings, order.order_id, key):
        return Caller(order.user_id)
    return caller


async def order_shown(shop: Shop, order: Order) -> OrderShown:
    """Show an order with all that followed: parts, payments, parcels and its history."""
    payments, shipments, names = await asyncio.gather(
        shop.payments.of_order(order.order_id),
        shop.fulfilment.of_order(order.order_id),
        shop.sellers.names([part.seller_id for part in order.parts]),
    )
    currency = order.currency
    refunds = [part for payment in payments for part in refund_parts(payment)]
    return OrderShown(
        order_id=order.order_id,
        number=number_shown(order.number),
        status=order.status,
        subtotal=money.shown(order.subtotal, currency),
        discount=money.shown(order.discount, currency),
        shipping=money.shown(order.shipping, currency),
        tax=money.shown(order.tax, currency),
        tax_included=order.tax_included,
        tax_note=order.tax_note,
        discounts=discounts_shown(order.discounts, currency),
        total=money.shown(order.total, currency),
        currency=currency,
        shipping_method=order.shipping_method,
        estimated_delivery=order.estimated_delivery,
        shipping_address=order.address,
        created_at=order.created_at,
        lines=[_line_shown(line, currency) for line in order.lines],
        parts=[part_shown(order, part, shipments, names.get(part.seller_id, "")) for part in order.parts],
        payments=[part for payment in payments for part in payment_parts(payment)],
        refunds=refunds,
        shipments=[shipment_shown(shipment) for shipment in shipments],
        history=[
            OrderEventShown(past.what, past.who, past.at, past.detail.get("shipment_id"))
            for past in order.history
        ],
    )


async def seller_part_shown(shop: Shop, order: Order, seller_id: SellerId) -> SellerPartShown:
    """Show a seller their part of an order, and nothing of another's."""
    [part] = [part for part in order.parts if part.seller_id == seller_id]
    shipments, names = await asyncio.gather(
        shop.fulfilment.of_order(order.order_id), shop.sellers.names([seller_id])
    )
    shown = part_shown(order, part, shipments, names.get(seller_id, ""))
    return SellerPartShown(
        order_id=order.order_id,
        number=number_shown(order.number),
        currency=order.currency,
        part_id=shown.part_id,
        seller=shown.seller,
        status=shown.status,
        shipping=shown.shipping,
        shipping_method=shown.shipping_method,
        estimated_delivery=shown.estimated_delivery,
        pickup=shown.pickup,
        lines=shown.lines,
        shipments=shown.shipments,
    )


def part_shown(order: Order, part: Part, shipments: list[Shipment], name: str) -> PartShown:
    """Show a seller's part: its lines and its parcels."""
    return PartShown(
        part_id=part.part_id,
        seller=SellerShown(part.seller_id, name),
        status=part.status,
        shipping=money.shown(part.shipping, order.currency),
        shipping_method=part.shipping_method,
        estimated_delivery=part.estimated_delivery,
        pickup=pickup_of(part),
        lines=[_line_shown(line, order.currency) for line in order.lines if line.seller_id == part.seller_id],
        shipments=[shipment_shown(each) for each in shipments if each.seller_id == part.seller_id],
    )


def sums_of(owed: Owed) -> dict[str, int]:
    """Add up what is owed, for a page that says how it is reckoned."""
    return {
        name: sum(getattr(part, name) for part in owed.parts)
        for name in ("price", "discount", "tax", "shipping")
    }


def refund_shown(refund: Refund, currency: str) -> RefundShown:
    """Show a refund and what it is for."""
    return RefundShown(
        refund_id=refund.refund_id,
        amount=money.shown(refund.amount, currency),
        status=refund.status,
        kind=_REFUND_KINDS.get(refund.reference.partition("/")[0], "refund"),
        at=refund.at,
    )


def refund_parts(payment: Payment) -> list[RefundShown]:
    """Show the refunds of a payment by where they went: to the card, to gift cards, to store credit."""
    shown: list[RefundShown] = []
    for refund in payment.refunds:
        whole = refund_shown(refund, payment.currency)
        if refund.to_card or not refund.tenders:
            amount = money.shown(refund.to_card, payment.currency)
            shown.append(structs.replace(whole, amount=amount, payment_id=payment.payment_id))
        for tender in refund.tenders:
            amount = money.shown(tender.amount, payment.currency)
            to = tender.payment_id
            shown.append(structs.replace(whole, to=tender.kind, amount=amount, status="done", payment_id=to))
    return shown


def payment_parts(payment: Payment) -> list[PaymentShown]:
    """Show a payment by what paid: the card, gift cards, store credit."""
    refunds = refund_parts(payment)

    def shown(
        payment_id: PaymentId, kind: TenderKind, last4: str, amount: int, refunded: int
    ) -> PaymentShown:
        status = payment.status
        if payment.tenders and status != "action_required":
            back = "refunded" if refunded >= amount else "partially_refunded"
            status = back if refunded else "captured"
        return PaymentShown(
            payment_id=payment_id,
            kind=kind,
            last4=last4,
            status=status,
            amount=money.shown(amount, payment.currency),
            currency=payment.currency,
            refunds=[each for each in refunds if each.payment_id == payment_id],
        )

    parts: list[PaymentShown] = []
    if payment.by_card or not payment.tenders:
        by_tenders = sum(tender.refunded for tender in payment.tenders)
        failed = sum(each.to_card for each in payment.refunds if each.status == "failed")
        refunded = payment.refunded - by_tenders - failed
        parts.append(shown(payment.payment_id, "card", "", payment.by_card, refunded))
    for tender in payment.tenders:
        parts.append(shown(tender.payment_id, tender.kind, tender.last4, tender.amount, tender.refunded))
    return parts


def _line_shown(line: OrderLineView, currency: str) -> OrderLineShown:
    return OrderLineShown(
        order_line_id=line.order_line_id,
        product_id=line.product_id,
        offer_id=line.offer_id,
        seller_id=line.seller_id,
        title=line.title,
        image_url=line.image_url,
        quantity=line.quantity,
        shipped=line.shipped,
        delivered=line.delivered,
        cancelled=line.cancelled,
        coming_back=line.coming_back,
        returned=line.returned,
        refunded=line.refunded,
        unit_price=money.shown(line.unit_price, currency),
        total=money.shown(line.total, currency),
        discount=money.shown(line.discount, currency),
        tax=money.shown(line.tax, currency),
    )


def pickup_of(part: Part | SellerOrder) -> PickupPoint | None:
    """Say where a seller's part is fetched; None where it is brought."""
    return PickupPoint(part.pickup_name, part.pickup_address) if part.pickup_name else None


async def numbers_of(shop: Shop, order_ids: Iterable[OrderId | None]) -> dict[int, str]:
    """Look up what people say for these orders."""
    known = sorted({order_id for order_id in order_ids if order_id})
    orders = await shop.orders.among(known) if known else []
    return {order.order_id: number for order in orders if (number := number_shown(order.number))}
