"""What a seller hears of an event: the name, the subject, and the body in the terms of the public API."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mercat import money
from mercat.catalog import Offer
from mercat.events import (
    Event,
    OrderPlaced,
    ParcelMoved,
    PayoutFailed,
    PayoutPaid,
    ProductChanged,
    RefundPaid,
    ReturnReceived,
    ReturnRequested,
    StockChanged,
    UnitsCancelled,
)
from mercat.ids import OfferId, SellerId
from mercat.webhooks.messages import EventName


class Payload(NamedTuple):
    """What one seller hears. `reference` names the event once for ever; `subject` what it is about."""

    seller_id: SellerId
    event: EventName
    subject: int
    reference: str
    data: dict[str, Any]


def order_placed(fact: OrderPlaced) -> list[Payload]:
    """Tell each seller of an order the lines that are theirs. Where they go, the order says."""
    sellers = dict.fromkeys(line.seller_id for line in fact.lines)
    return [
        Payload(
            seller_id,
            "order.placed",
            fact.order_id,
            f"order.placed/{int(fact.order_id)}",
            {
                "order_id": fact.order_id,
                "placed_at": fact.placed_at,
                "currency": fact.currency,
                "shipping_method": fact.shipping_method,
                "estimated_delivery": fact.estimated_delivery,
                "lines": [
                    {
                        "order_line_id": line.order_line_id,
                        "product_id": line.product_id,
                        "offer_id": line.offer_id,
                        "title": line.title,
                        "quantity": line.quantity,
                        "unit_price": money.shown(line.unit_price, fact.currency),
                        "total": money.shown(line.total, fact.currency),
                    }
                    for line in fact.lines
                    if line.seller_id == seller_id
                ],
            },
        )
        for seller_id in sellers
    ]


def units_cancelled(fact: UnitsCancelled) -> list[Payload]:
    """Tell each seller which units of theirs were cancelled; `whole`: nothing of the order is left."""
    sellers = dict.fromkeys(line.seller_id for line in fact.lines)
    return [
        Payload(
            seller_id,
            "order.cancelled",
            fact.order_id,
            f"order.cancelled/{int(fact.cancellation_id)}",
            {
                "order_id": fact.order_id,
                "by": fact.who,
                "whole": fact.whole,
                "lines": [
                    {
                        "order_line_id": line.order_line_id,
                        "product_id": line.product_id,
                        "offer_id": line.offer_id,
                        "quantity": line.quantity,
                        "cancelled": line.cancelled,
                    }
                    for line in fact.lines
                    if line.seller_id == seller_id
                ],
            },
        )
        for seller_id in sellers
    ]


def return_requested(fact: ReturnRequested) -> list[Payload]:
    """Tell a seller that goods of theirs are to come back."""
    data = {
        "return_id": fact.return_id,
        "order_id": fact.order_id,
        "reason": fact.reason,
        "approved": fact.approved,
        "lines": [{"order_line_id": each.order_line_id, "quantity": each.quantity} for each in fact.lines],
    }
    reference = f"return.requested/{int(fact.return_id)}"
    return [Payload(fact.seller_id, "return.requested", fact.order_id, reference, data)]


def return_received(fact: ReturnReceived) -> list[Payload]:
    """Tell a seller that goods came back, and in which condition."""
    data = {
        "return_id": fact.return_id,
        "order_id": fact.order_id,
        "lines": [
            {
                "order_line_id": each.order_line_id,
                "quantity": each.quantity,
                "sellable": each.sellable,
                "damaged": each.damaged,
                "missing": each.missing,
            }
            for each in fact.lines
        ],
    }
    reference = f"return.received/{int(fact.return_id)}"
    return [Payload(fact.seller_id, "return.received", fact.order_id, reference, data)]


def refund_paid(fact: RefundPaid) -> list[Payload]:
    """Tell the sellers whose goods a refund is for that the bank paid it."""
    data = {
        "refund_id": fact.refund_id,
        "order_id": fact.order_id,
        "amount": money.shown(fact.amount, fact.currency),
        "currency": fact.currency,
        "kind": fact.reference.partition("/")[0],
    }
    reference = f"refund.paid/{int(fact.refund_id)}"
    return [
        Payload(seller_id, "refund.paid", fact.order_id, reference, data) for seller_id in fact.seller_ids
    ]


def payout_ended(fact: PayoutPaid | PayoutFailed) -> list[Payload]:
    """Tell a seller that a payout was paid, or came back; the statement says what it is made of."""
    data: dict[str, Any] = {
        "payout_id": fact.payout_id,
        "amount": money.shown(fact.amount, fact.currency),
        "currency": fact.currency,
        "account": fact.account,
    }
    name: EventName = "payout.paid"
    if isinstance(fact, PayoutFailed):
        name, data["reason"] = "payout.failed", fact.reason
    return [Payload(fact.seller_id, name, fact.payout_id, f"{name}/{int(fact.payout_id)}", data)]


def parcel_moved(fact: ParcelMoved) -> list[Payload]:
    """Tell a seller that a parcel was handed over or has arrived; nothing of the way between."""
    names: dict[str, EventName] = {"shipped": "part.shipped", "delivered": "part.delivered"}
    if fact.status not in names:
        return []
    data = {
        "order_id": fact.order_id,
        "shipment_id": fact.shipment_id,
        "carrier": fact.carrier,
        "tracking_number": fact.tracking_number,
        "at": fact.at,
        "lines": [{"order_line_id": line.order_line_id, "quantity": line.quantity} for line in fact.lines],
    }
    name = names[fact.status]
    return [Payload(fact.seller_id, name, fact.order_id, f"{name}/{int(fact.shipment_id)}", data)]


def stock_low(fact: StockChanged, offers: Mapping[OfferId, Offer]) -> list[Payload]:
    """Tell a seller that an offer has come down to its low mark, or that none is left."""
    offer = offers.get(fact.offer_id)
    if offer is None or not (fact.low or fact.available <= 0):
        return []
    data = {
        "offer_id": fact.offer_id,
        "product_id": offer.product_id,
        "title": offer.title,
        "available": fact.available,
    }
    reference = f"stock.low/{int(fact.offer_id)}/{fact.version}"
    return [Payload(offer.seller_id, "stock.low", fact.offer_id, reference, data)]


def product_changed(fact: ProductChanged) -> list[Payload]:
    """Tell a seller that a product of theirs changed as shoppers see it."""
    document = fact.document
    if document is None:
        return []
    data = {
        "product_id": fact.product_id,
        "offer_id": document.offer_id,
        "title": document.title,
        "price": money.shown(document.price, document.currency),
        "currency": document.currency,
        "in_stock": document.in_stock,
        "version": fact.version,
    }
    reference = f"product.changed/{int(fact.product_id)}/{fact.version}"
    return [Payload(document.seller_id, "product.changed", fact.product_id, reference, data)]


def heard_of(fact: Event, offers: Mapping[OfferId, Offer]) -> list[Payload]:
    """List what sellers hear of a fact; `offers` are those that it names."""
    if isinstance(fact, StockChanged):
        return stock_low(fact, offers)
    tell: Callable[[Any], list[Payload]] | None = _TOLD.get(type(fact))
    return tell(fact) if tell else []


_TOLD: dict[type[Event], Callable[[Any], list[Payload]]] = {
    OrderPlaced: order_placed,
    UnitsCancelled: units_cancelled,
    ParcelMoved: parcel_moved,
    ProductChanged: product_changed,
    ReturnRequested: return_requested,
    ReturnReceived: return_received,
    RefundPaid: refund_paid,
    PayoutPaid: payout_ended,
    PayoutFailed: payout_ended,
}
