"""What invoices are asked and what they answer. Amounts are integers of minor units."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from mercat.ids import LineId, OrderId, RefundId, SellerId
from mercat.kit.text import SEEN_PROSE

DETAILS_MAX = 1_000
IssuerDetails = Annotated[str, Meta(min_length=1, max_length=DETAILS_MAX, pattern=SEEN_PROSE)]
"""What the law wants an invoice to say of who issues it: legal name, address, tax number, in lines."""
PaperKind = Literal["invoice", "credit_note"]


Cause = Literal["", "cancel", "return", "refund"]
"""What a credit note is for: units that were not sent, that came back, or money without goods."""


class PaperUnits(Struct, frozen=True):
    """So many of an order's line."""

    order_line_id: LineId
    quantity: int


class Paper(Struct, frozen=True, kw_only=True):
    """An invoice of a seller's part of an order, or a credit note for a refund of it: it never changes.

    `units`: what a credit note is for; none where money went back without goods."""

    order_id: OrderId
    seller_id: SellerId
    refund_id: RefundId | None
    kind: PaperKind
    number: int
    seller_name: str
    seller_details: str
    currency: str
    price: int
    discount: int
    tax: int
    shipping: int
    units: list[PaperUnits]
    cause: Cause
    issued_at: datetime

    @property
    def total(self) -> int:
        """What it comes to."""
        return self.price - self.discount + self.tax + self.shipping
