"""A seller is told that somebody wants to send goods back."""

from mercat.events import ReturnRequested
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    ReturnRequested,
    subject_id=lambda back: back.return_id,
    email=lambda back: back.seller_email,
    when=lambda back: bool(back.seller_email),
)
