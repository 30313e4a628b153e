"""Fulfilment: how parcels can travel, and where they are.

Shipments belong to a seller and move forward only. What a seller has to pack is a projection of the facts of
buying: fulfilment asks no other service.
"""

from mercat.fulfilment.api import API
from mercat.fulfilment.carriers import tracking_url
from mercat.fulfilment.messages import (
    AddressNotServed,
    OutOfOrder,
    ParcelStatus,
    SellerLine,
    SellerOrder,
    SellerSort,
    SellerStatus,
    SellerTab,
    Shipment,
    ShipmentEvent,
    ShippedLine,
    ShippingMethod,
)
from mercat.fulfilment.service import Fulfilment

__all__ = [
    "API",
    "AddressNotServed",
    "Fulfilment",
    "OutOfOrder",
    "ParcelStatus",
    "SellerLine",
    "SellerOrder",
    "SellerSort",
    "SellerStatus",
    "SellerTab",
    "Shipment",
    "ShipmentEvent",
    "ShippedLine",
    "ShippingMethod",
    "tracking_url",
]
