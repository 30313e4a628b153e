"""A seller is told that they were paid out."""

from mercat.events import PayoutPaid
from mercat.notifications.letter import LetterKind, Optional
from mercat.notifications.lookup import Asked, Found, Lookup, Note, people_of_seller
from mercat.notifications.sources import Sources


async def find(ask: Sources, asked: Asked) -> Found | None:
    """Find the person who sells."""
    fact: PayoutPaid = asked.about[0]
    return Found(await people_of_seller(ask, fact.seller_id), fact)


KIND = LetterKind(
    PayoutPaid,
    subject_id=lambda fact: fact.payout_id,
    optional=Optional("Payouts to you", "seller"),
    lookup=Lookup(PayoutPaid, find, notes=lambda fact: [Note(int(fact.payout_id), fact)]),
    shown=PayoutPaid,
)
