"""A gift card that was bought: its code, to who gets it. The code follows from the card; it is kept
nowhere."""

from mercat.events import GiftCardSold
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    GiftCardSold,
    subject_id=lambda fact: fact.gift_card_id,
    order_id=lambda fact: fact.order_id,
    email=lambda fact: fact.email,
)
