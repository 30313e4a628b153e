"""The bank did not take a refund; it is owed still."""

from mercat.events import RefundFailed
from mercat.notifications.letter import LetterKind

KIND = LetterKind(RefundFailed, subject_id=lambda fact: fact.refund_id, order_id=lambda fact: fact.order_id)
