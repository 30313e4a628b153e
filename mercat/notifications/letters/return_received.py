"""Goods came back, and were looked at."""

from mercat.events import ReturnReceived
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    ReturnReceived,
    subject_id=lambda back: back.return_id,
    order_id=lambda back: back.order_id,
)
