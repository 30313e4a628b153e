"""A payment waited for its shopper at their bank's page, in vain."""

from mercat.events import PaymentNotConfirmed
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    PaymentNotConfirmed, subject_id=lambda fact: fact.checkout_id, email=lambda fact: fact.email
)
