"""A return ended without money."""

from mercat.events import ReturnClosed
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    ReturnClosed,
    subject_id=lambda back: back.return_id,
    order_id=lambda back: back.order_id,
)
