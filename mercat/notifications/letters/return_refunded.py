"""What came back was paid back."""

from mercat.events import ReturnRefunded
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    ReturnRefunded,
    subject_id=lambda back: back.return_id,
    order_id=lambda back: back.order_id,
)
