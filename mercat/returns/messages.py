"""What returns are asked and what they answer. Amounts are integers of minor units."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from mercat.ids import LineId, OfferId, OrderId, ProductId, ReturnId, SellerId, UserId
from mercat.kit.refusals import Conflict
from mercat.kit.text import PROSE, SEEN_LINE, SEEN_PROSE
from mercat.quantity import Quantity

ReturnStatus = Literal["requested", "approved", "refused", "in_transit", "received", "refunded", "closed"]
ReturnReason = Literal["damaged", "wrong_item", "not_as_described", "not_needed", "arrived_late", "other"]
UnitCondition = Literal["sellable", "damaged", "missing"]
Decider = Literal["", "shop", "seller", "operator", "shopper"]
"""Who decided a return last: the shop by its setting, the seller, an operator, or the shopper (withdrew)."""

SELLERS_REASONS: frozenset[ReturnReason] = frozenset({"damaged", "wrong_item", "not_as_described"})
"""The seller's fault: once all of their part is back, its delivery is paid back, too."""
RETURN_LINES_MAX = 500
RETURN_TEXT_MAX = 1_000
ReturnComment = Annotated[str, Meta(max_length=RETURN_TEXT_MAX, pattern=PROSE)]
ReturnWhy = Annotated[
    str, Meta(min_length=1, max_length=RETURN_TEXT_MAX, pattern=SEEN_PROSE, extra={"words": "Say why."})
]
ReturnCarrier = Annotated[str, Meta(min_length=1, max_length=80, pattern=SEEN_LINE)]
ReturnTracking = Annotated[str, Meta(min_length=1, max_length=80, pattern=SEEN_LINE)]


class ReturnedLine(Struct, frozen=True, kw_only=True):
    """So many units of an order's line that come back, and in which condition they came: none is counted
    until they are here, and then every one."""

    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    title: str
    unit_price: int
    quantity: int
    image_url: str = ""
    sellable: int = 0
    damaged: int = 0
    missing: int = 0


class NewReturn(Struct, frozen=True, kw_only=True):
    """A return as it was asked, once the order's row had said that these units may come back."""

    return_id: ReturnId
    order_id: OrderId
    user_id: UserId
    seller_id: SellerId
    seller_name: str
    reason: ReturnReason
    comment: str
    currency: str
    lines: list[ReturnedLine]
    approved: bool
    """Whether the shop approves by itself."""
    seller_email: str = ""
    """Where the seller is told."""


class GoodsReturn(Struct, frozen=True, kw_only=True):
    """A return: goods of one seller's part of an order, and how far they have come back."""

    return_id: ReturnId
    order_id: OrderId
    user_id: UserId
    seller_id: SellerId
    seller_name: str
    status: ReturnStatus
    reason: ReturnReason
    comment: str
    currency: str
    carrier: str
    tracking_number: str
    refused_because: str
    withheld: int
    withheld_because: str
    refunded: int
    decided_by: Decider
    asked_at: datetime
    approved_at: datetime | None
    sent_at: datetime | None
    received_at: datetime | None
    ended_at: datetime | None
    lines: list[ReturnedLine]


class Sent(Struct, frozen=True):
    """Goods that the shopper handed to a carrier."""

    carrier: ReturnCarrier
    tracking_number: ReturnTracking


class ReceivedUnits(Struct, frozen=True):
    """So many units of a line that came in one condition; `missing` ones did not."""

    order_line_id: LineId
    quantity: Quantity
    condition: UnitCondition


class Withheld(Struct, frozen=True):
    """What a seller keeps of the price of what came back, and why."""

    amount: Annotated[int, Meta(ge=0)]
    reason: ReturnWhy


ReceivedLines = Annotated[list[ReceivedUnits], Meta(min_length=1, max_length=3 * RETURN_LINES_MAX)]


class ReceivedGoods(Struct, frozen=True):
    """What was in the parcel: every unit of the return, each in one condition."""

    lines: ReceivedLines
    withheld: Withheld | None = None


class ReturnPage(Struct, frozen=True):
    """A page of a list of returns, and what asks for the next one."""

    returns: list[GoodsReturn]
    next_cursor: ReturnId | None = None


class ReturnMovedOn(Conflict):
    """This return has come further, or is not that far yet. Look at it as it is now."""
