"""A parcel as shoppers and sellers see it."""

from datetime import datetime

from msgspec import Struct

from mercat.fulfilment import Shipment
from mercat.ids import LineId, SellerId, ShipmentId


class ParcelEventShown(Struct, frozen=True):
    status: str
    location: str
    at: datetime


class ParcelLineShown(Struct, frozen=True):
    order_line_id: LineId
    quantity: int


class ShipmentShown(Struct, frozen=True, kw_only=True):
    shipment_id: ShipmentId
    seller_id: SellerId
    status: str
    carrier: str
    tracking_number: str
    lines: list[ParcelLineShown]
    events: list[ParcelEventShown]


def shipment_shown(shipment: Shipment) -> ShipmentShown:
    return ShipmentShown(
        shipment_id=shipment.shipment_id,
        seller_id=shipment.seller_id,
        status=shipment.status,
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        lines=[ParcelLineShown(line.order_line_id, line.quantity) for line in shipment.lines],
        events=[ParcelEventShown(event.status, event.location, event.at) for event in shipment.events],
    )
