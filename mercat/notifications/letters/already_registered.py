"""Somebody tried to register with the address of an account."""

from mercat.events import AccountOpenedAgain
from mercat.notifications.letter import LetterKind

KIND = LetterKind(AccountOpenedAgain, subject_id=lambda fact: fact.notice_id, email=lambda fact: fact.email)
