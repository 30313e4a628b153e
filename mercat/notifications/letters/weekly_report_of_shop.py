"""A saved report of the whole shop, each week."""

from mercat.events import ReportWeekOver
from mercat.kit.refusals import NotFound
from mercat.notifications.letter import LetterKind, Optional
from mercat.notifications.letters._weekly import note, sums
from mercat.notifications.lookup import Addressee, Asked, Found, Lookup
from mercat.notifications.sources import Sources


async def find(ask: Sources, asked: Asked) -> Found | None:
    """Find the person who saved it, if they still run the shop."""
    fact: ReportWeekOver = asked.about[0]
    try:
        person = await ask.accounts.found_person(fact.user_id)
    except NotFound:
        return None
    if "operator" not in person.roles or person.disabled_at is not None:
        return None
    return Found([Addressee(person.email, person.user_id)], fact)


KIND = LetterKind(
    ReportWeekOver,
    subject_id=lambda fact: fact.view_id,
    when=lambda fact: fact.seller_id is None,
    more=lambda fact, order: {"sums": sums(fact)},
    optional=Optional("Saved reports of the shop, each week", "operator"),
    lookup=Lookup(ReportWeekOver, find, notes=note),
    shown=ReportWeekOver,
)
