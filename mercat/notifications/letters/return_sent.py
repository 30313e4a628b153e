"""Goods are on their way back."""

from mercat.events import ReturnSent
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    ReturnSent,
    subject_id=lambda back: back.return_id,
    order_id=lambda back: back.order_id,
)
