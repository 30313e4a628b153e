"""Letters could not be delivered; operators are told."""

from mercat.events import Event
from mercat.ids import OrderId
from mercat.notifications.failed import FailedLetter, FailedLetters
from mercat.notifications.letter import LetterKind
from mercat.notifications.lookup import Asked, Found, Lookup, addressees
from mercat.notifications.sources import Sources


async def find(ask: Sources, asked: Asked) -> Found:
    """Find the operators."""
    operators = await ask.accounts.operator_contacts()
    return Found(addressees(operators), FailedLetters(asked.about[:20], asked.count))


KIND: LetterKind[Event] = LetterKind(
    None,
    subject_id=lambda _: OrderId(0),
    lookup=Lookup(FailedLetter, find, delay_s=lambda settings: settings.gather_letters_s, gathers=True),
    shown=FailedLetters,
)
