"""A seller is told that a payout came back, and what to do."""

from mercat.events import PayoutFailed
from mercat.notifications.letter import LetterKind
from mercat.notifications.lookup import Asked, Found, Lookup, Note, people_of_seller
from mercat.notifications.sources import Sources


async def find(ask: Sources, asked: Asked) -> Found | None:
    """Find the person who sells."""
    fact: PayoutFailed = asked.about[0]
    return Found(await people_of_seller(ask, fact.seller_id), fact)


KIND = LetterKind(
    PayoutFailed,
    subject_id=lambda fact: fact.payout_id,
    lookup=Lookup(PayoutFailed, find, notes=lambda fact: [Note(int(fact.payout_id), fact)]),
    shown=PayoutFailed,
)
