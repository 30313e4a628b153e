"""Somebody who bought in the former shop is invited to this one."""

from mercat.events import PersonInvited
from mercat.notifications.letter import LetterKind

KIND = LetterKind(PersonInvited, subject_id=lambda fact: fact.link_id, email=lambda fact: fact.email)
