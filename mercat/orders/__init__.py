"""Orders: what was bought, paid and confirmed, and what became of it.

An order's row decides: cancelling, shipping and returning are one compare-and-set on it. Every table starts
its key with the bucket of the owning user, so an order id alone says which shard holds it.
"""

from mercat.orders.api import API
from mercat.orders.messages import (
    Actor,
    Bill,
    ExceedsCaptured,
    Goods,
    Happening,
    LineQuantity,
    NewNote,
    NewOrder,
    NotCancellable,
    NoteText,
    NotReturnable,
    NotShippable,
    Order,
    OrderLineView,
    OrderNote,
    OrderNumber,
    OrderPage,
    OrderStatus,
    OrderSummary,
    Owed,
    OwedPart,
    PaidBack,
    Part,
    PartDelivery,
    Remarks,
    UnitMove,
    WhatWasRefused,
)
from mercat.orders.rules import costs_as_placed
from mercat.orders.service import Orders

__all__ = [
    "API",
    "Actor",
    "Bill",
    "ExceedsCaptured",
    "Goods",
    "Happening",
    "LineQuantity",
    "NewNote",
    "NewOrder",
    "NotCancellable",
    "NotReturnable",
    "NotShippable",
    "NoteText",
    "Order",
    "OrderLineView",
    "OrderNote",
    "OrderNumber",
    "OrderPage",
    "OrderStatus",
    "OrderSummary",
    "Orders",
    "Owed",
    "OwedPart",
    "PaidBack",
    "Part",
    "PartDelivery",
    "Remarks",
    "UnitMove",
    "WhatWasRefused",
    "costs_as_placed",
]
