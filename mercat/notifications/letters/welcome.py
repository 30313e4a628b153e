"""An account was opened."""

from mercat.events import AccountOpened
from mercat.notifications.letter import LetterKind

KIND = LetterKind(
    AccountOpened, subject_id=lambda account: account.user_id, email=lambda account: account.email
)
