"""What fulfilment is asked and what it answers. Amounts are integers of minor units."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from mercat.ids import LineId, OfferId, OrderId, ProductId, SellerId, ShipmentId
from mercat.kit.refusals import Conflict, Invalid

ParcelStatus = Literal["shipped", "in_transit", "out_for_delivery", "delivered", "exception"]
SellerStatus = Literal["to_ship", "partially_shipped", "shipped", "delivered", "cancelled"]


SellerTab = Literal["to_pack", "shipped", "done"]
SellerSort = Literal["-placed", "placed", "promised", "-promised"]
SellerWords = Annotated[str, Meta(max_length=200)]
TABS: dict[str, tuple[SellerStatus, ...]] = {
    "to_pack": ("to_ship", "partially_shipped"),
    "shipped": ("shipped",),
    "done": ("delivered", "cancelled"),
}
"""A seller's orders as they work through them."""


class ShippingMethod(Struct, frozen=True):
    """A way to a destination: its price in minor units, the working days it takes, and when that is."""

    code: str
    name: str
    price: int
    currency: str
    estimated_delivery: date
    days: int


class ShippedLine(Struct, frozen=True):
    """So many of an order's line in a parcel."""

    order_line_id: LineId
    quantity: int


class ShipmentEvent(Struct, frozen=True):
    """What a carrier saw of a parcel, where and when."""

    status: ParcelStatus
    location: str
    at: datetime


class Shipment(Struct, frozen=True, kw_only=True):
    """A seller's parcel of an order, and where it has been."""

    shipment_id: ShipmentId
    order_id: OrderId
    seller_id: SellerId
    carrier: str
    tracking_number: str
    status: ParcelStatus
    version: int
    lines: list[ShippedLine]
    events: list[ShipmentEvent]


class SellerLine(Struct, frozen=True, kw_only=True):
    """A line of an order that this seller sends: how many are on their way, and how many were cancelled."""

    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    title: str
    quantity: int
    unit_price: int
    total: int
    image_url: str = ""
    shipped: int = 0
    cancelled: int = 0


class SellerOrder(Struct, frozen=True, kw_only=True):
    """What one seller has to pack for an order, and the parcels that are on their way."""

    order_id: OrderId
    placed_at: datetime
    status: SellerStatus
    currency: str
    lines: list[SellerLine]
    address: dict[str, str]
    estimated_delivery: str
    shipments: list[Shipment] = []


class AddressNotServed(Invalid):
    """We do not deliver there yet."""


class OutOfOrder(Conflict):
    """A parcel moves forward only, and one that was delivered has arrived."""
