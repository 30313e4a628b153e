"""What a seller hears of an event: the name, the subject, and the body in the terms of the public API."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mercat import money
from mercat.catalog import Offer
from mercat.events import (
    Event,
    OrderCancelled,
    OrderPlaced,
    ParcelMoved,
    ProductChanged,
    StockChanged,
)
from mercat.ids import OfferId, OrderId, SellerId
from mercat.webhooks.messages import EventName


class Payload(NamedTuple):
    """What one seller hears. `reference` names the event once for ever; `subject` what it is about."""

    seller_id: SellerId
    event: EventName
    subject: int
    reference: str
    data: dict[str, Any]


def order_placed(fact: OrderPlaced) -> list[Payload]:
    """Tell each seller of an order the lines that are theirs, and where they go."""
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
                "shipping_address": fact.address,
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


def order_cancelled(fact: OrderCancelled, sellers: Mapping[OrderId, list[SellerId]]) -> list[Payload]:
    """Tell each seller of an order that it was cancelled."""
    return [
        Payload(
            seller_id,
            "order.cancelled",
            fact.order_id,
            f"order.cancelled/{int(fact.order_id)}",
            {"order_id": fact.order_id},
        )
        for seller_id in sellers.get(fact.order_id, [])
    ]


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


def heard_of(
    fact: Event, offers: Mapping[OfferId, Offer], sellers: Mapping[OrderId, list[SellerId]]
) -> list[Payload]:
    """List what sellers hear of a fact; `offers` and `sellers` are of the offers and orders that it names."""
    match fact:
        case OrderPlaced():
            return order_placed(fact)
        case OrderCancelled():
            return order_cancelled(fact, sellers)
        case ParcelMoved():
            return parcel_moved(fact)
        case StockChanged():
            return stock_low(fact, offers)
        case ProductChanged():
            return product_changed(fact)
        case _:
            return []
