"""Of something a seller has few left; once each time that it falls to their mark."""

from msgspec import Struct

from mercat.events import StockChanged
from mercat.ids import OfferId
from mercat.notifications.letter import LetterKind, Optional
from mercat.notifications.lookup import Asked, Found, Lookup, Note, people_of_seller
from mercat.notifications.sources import Sources


class FewLeft(Struct, frozen=True):
    """What is running out, and how many there were left."""

    offer_id: OfferId
    title: str
    available: int


async def find(ask: Sources, asked: Asked) -> Found | None:
    """Find the person whose shelf it is."""
    fact: StockChanged = asked.about[0]
    offer = (await ask.catalog.offers([fact.offer_id])).get(fact.offer_id)
    if offer is None:
        return None
    people = await people_of_seller(ask, offer.seller_id)
    return Found(people, FewLeft(fact.offer_id, offer.title, max(fact.available, 0)))


KIND = LetterKind(
    StockChanged,
    subject_id=lambda fact: fact.offer_id,
    when=lambda fact: fact.fell,
    optional=Optional("Few are left of something you sell", "seller"),
    lookup=Lookup(StockChanged, find, notes=lambda fact: [Note(int(fact.offer_id), fact, fact.version)]),
    shown=FewLeft,
)
