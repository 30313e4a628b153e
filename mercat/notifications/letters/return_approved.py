"""Goods may be sent back."""

from mercat.events import ReturnApproved
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    ReturnApproved,
    subject_id=lambda back: back.return_id,
    order_id=lambda back: back.order_id,
)
