"""Something of an order is cancelled and refunded, and the rest of it comes."""

from mercat.events import OrderPlaced, UnitsCancelled
from mercat.notifications.letter import LetterKind


def cancelled(fact: UnitsCancelled, order: OrderPlaced | None) -> list[tuple[int, str]]:
    """List how many of what do not come."""
    titles = {line.order_line_id: line.title for line in order.lines} if order else {}
    return [(line.quantity, titles.get(line.order_line_id, "")) for line in fact.lines]


KIND = LetterKind(
    UnitsCancelled,
    subject_id=lambda fact: fact.cancellation_id,
    order_id=lambda fact: fact.order_id,
    email=lambda fact: fact.email,
    when=lambda fact: not fact.whole,
    more=lambda fact, order: {"cancelled": cancelled(fact, order)},
)
