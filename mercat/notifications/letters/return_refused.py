"""Goods may not be sent back."""

from mercat.events import ReturnRefused
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    ReturnRefused,
    subject_id=lambda back: back.return_id,
    order_id=lambda back: back.order_id,
)
