"""Somebody wants the letter of an order again."""

from mercat.events import OrderLinkAsked
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    OrderLinkAsked,
    subject_id=lambda fact: fact.notice_id,
    order_id=lambda fact: fact.order_id,
    email=lambda fact: fact.email,
)
