"""An e-mail address is to be confirmed."""

from mercat.events import EmailConfirmationAsked
from mercat.notifications.letter import LetterKind

KIND = LetterKind(EmailConfirmationAsked, subject_id=lambda fact: fact.link_id, email=lambda fact: fact.email)
