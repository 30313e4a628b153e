"""Somebody reviewed what a seller sells."""

from datetime import timedelta

from msgspec import Struct

from mercat.events import ReviewWritten
from mercat.ids import ProductId, ReviewId
from mercat.kit import clock
from mercat.kit.refusals import NotFound
from mercat.notifications.letter import LetterKind, Optional
from mercat.notifications.lookup import Asked, Found, Lookup, Note, people_of_seller
from mercat.notifications.sources import Sources

_NEWS = timedelta(days=1)


class Reviewed(Struct, frozen=True):
    """A review as its product's seller reads it."""

    review_id: ReviewId
    product_id: ProductId
    product: str
    stars: int
    title: str
    body: str


async def find(ask: Sources, asked: Asked) -> Found | None:
    """Find who sells the product; nobody where the review is gone already."""
    fact: ReviewWritten = asked.about[0]
    cards = await ask.catalog.cards([fact.product_id])
    try:
        review = await ask.reviews.one(fact.review_id)
    except NotFound:
        return None
    if not cards:
        return None
    people = await people_of_seller(ask, cards[0].seller_id)
    shown = Reviewed(
        review.review_id, fact.product_id, cards[0].title, review.stars, review.title, review.body
    )
    return Found(people, shown)


def is_news(fact: ReviewWritten) -> bool:
    """Say whether a review was written here just now, not brought along from elsewhere."""
    return fact.written_at is None or fact.written_at > clock.now() - _NEWS


KIND = LetterKind(
    ReviewWritten,
    subject_id=lambda fact: fact.review_id,
    when=is_news,
    optional=Optional("Reviews of what you sell", "seller"),
    lookup=Lookup(ReviewWritten, find, notes=lambda fact: [Note(int(fact.review_id), fact)]),
    shown=Reviewed,
)
