"""A saved report of a seller's own goods, each week."""

from mercat.events import ReportWeekOver
from mercat.notifications.letter import LetterKind, Optional
from mercat.notifications.letters._weekly import note, sums
from mercat.notifications.lookup import Asked, Found, Lookup, people_of_seller
from mercat.notifications.sources import Sources


async def find(ask: Sources, asked: Asked) -> Found | None:
    """Find the person who saved it, if they still sell there."""
    fact: ReportWeekOver = asked.about[0]
    assert fact.seller_id is not None
    people = await people_of_seller(ask, fact.seller_id)
    return Found([each for each in people if each.user_id == fact.user_id], fact)


KIND = LetterKind(
    ReportWeekOver,
    subject_id=lambda fact: fact.view_id,
    when=lambda fact: fact.seller_id is not None,
    more=lambda fact, order: {"sums": sums(fact)},
    optional=Optional("Your saved reports, each week", "seller"),
    lookup=Lookup(ReportWeekOver, find, notes=note),
    shown=ReportWeekOver,
)
