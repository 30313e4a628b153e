"""How a person signs in changed, or is about to."""

from mercat.events import SignInChanged
from mercat.notifications.letter import LetterKind

KIND = LetterKind(SignInChanged, subject_id=lambda fact: fact.notice_id, email=lambda fact: fact.email)
