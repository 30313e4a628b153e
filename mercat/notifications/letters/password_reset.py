"""Somebody forgot their password."""

from mercat.events import PasswordResetAsked
from mercat.notifications.letter import LetterKind

KIND = LetterKind(PasswordResetAsked, subject_id=lambda fact: fact.link_id, email=lambda fact: fact.email)
