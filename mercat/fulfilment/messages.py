"""What fulfilment is asked and what it answers. Amounts are integers of minor units."""

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from mercat.ids import LineId, OfferId, OrderId, ProductId, SellerId, ShipmentId
from mercat.kit.refusals import Conflict, Invalid


class ShippingMethod(Struct, frozen=True):
    code: str
    name: str
    price: int
    currency: str
    estimated_delivery: date
    days: int


class ShippedLine(Struct, frozen=True):
    order_line_id: LineId
    quantity: int


class ShipmentEvent(Struct, frozen=True):
    status: str
    location: str
    at: datetime


class Shipment(Struct, frozen=True, kw_only=True):
    shipment_id: ShipmentId
    order_id: OrderId
    seller_id: SellerId
    carrier: str
    tracking_number: str
    status: str
    version: int
    lines: list[ShippedLine]
    events: list[ShipmentEvent]


class SellerLine(Struct, frozen=True, kw_only=True):
    """A line of an order that this seller sends; `shipped` is how many are on their way."""

    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    title: str
    quantity: int
    unit_price: int
    total: int
    image_url: str = ""
    shipped: int = 0


SellerStatus = Literal["to_ship", "partially_shipped", "shipped", "delivered", "cancelled"]


class SellerOrder(Struct, frozen=True, kw_only=True):
    order_id: OrderId
    placed_at: datetime
    status: str
    currency: str
    lines: list[SellerLine]
    address: dict[str, str]
    estimated_delivery: str
    shipments: list[Shipment] = []


class AddressNotServed(Invalid):
    """We do not deliver there yet."""


class OutOfOrder(Conflict):
    """A parcel moves forward only, and one that was delivered has arrived."""
