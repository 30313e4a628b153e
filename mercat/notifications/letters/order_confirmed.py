"""An order is paid and confirmed."""

from mercat.events import OrderPlaced
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    OrderPlaced,
    subject_id=lambda order: order.order_id,
    order_id=lambda order: order.order_id,
    email=lambda order: order.email,
)
