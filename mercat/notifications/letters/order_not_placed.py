"""A paid order could not be stored; its money goes back."""

from mercat.events import OrderNotPlaced
from mercat.notifications.letter import LetterKind

KIND = LetterKind(OrderNotPlaced, subject_id=lambda fact: fact.order_id, email=lambda fact: fact.email)
