"""Somebody wants to send goods back, and the seller has to say yes."""

from mercat.events import ReturnRequested
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    ReturnRequested,
    subject_id=lambda back: back.return_id,
    order_id=lambda back: back.order_id,
    when=lambda back: not back.approved,
)
