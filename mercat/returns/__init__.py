"""Returns: goods on their way back to who sold them, from the wish to send them to the money.

A return is of one seller's part of an order, and its row is a state machine: requested, approved or refused,
in transit, received, refunded or closed. Whether units may come back is decided by the order's row, and what
follows from their receipt (money, stock) is carried out by checkout: returns ask nobody.
"""

from mercat.returns.api import API
from mercat.returns.messages import (
    RETURN_LINES_MAX,
    SELLERS_REASONS,
    GoodsReturn,
    NewReturn,
    ReceivedGoods,
    ReceivedLines,
    ReceivedUnits,
    ReturnComment,
    ReturnedLine,
    ReturnMovedOn,
    ReturnPage,
    ReturnReason,
    ReturnStatus,
    ReturnWhy,
    Sent,
    UnitCondition,
    Withheld,
)
from mercat.returns.rules import in_time
from mercat.returns.service import Returns

__all__ = [
    "API",
    "RETURN_LINES_MAX",
    "SELLERS_REASONS",
    "GoodsReturn",
    "NewReturn",
    "ReceivedGoods",
    "ReceivedLines",
    "ReceivedUnits",
    "ReturnComment",
    "ReturnMovedOn",
    "ReturnPage",
    "ReturnReason",
    "ReturnStatus",
    "ReturnWhy",
    "ReturnedLine",
    "Returns",
    "Sent",
    "UnitCondition",
    "Withheld",
    "in_time",
]
