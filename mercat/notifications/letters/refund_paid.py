"""Money went back to a shopper; for goods that came back, their own letter says so, and of nothing
no letter does."""

from mercat.events import RefundPaid
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    RefundPaid,
    subject_id=lambda fact: fact.refund_id,
    order_id=lambda fact: fact.order_id,
    when=lambda fact: fact.amount > 0 and not fact.reference.startswith("return/"),
)
