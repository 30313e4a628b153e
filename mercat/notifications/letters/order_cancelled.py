"""An order is cancelled and refunded."""

from mercat.events import OrderCancelled
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    OrderCancelled,
    subject_id=lambda order: order.order_id,
    order_id=lambda order: order.order_id,
    email=lambda order: order.email,
)
