"""What several handlers share: public answers, cards from the catalogue's documents."""

from mercat import money
from mercat.events import Document
from mercat.kit import codec
from mercat.kit.rpc import Answer
from mercat.search import Card, Seller

_PUBLIC = "public, max-age=2, stale-while-revalidate=2"


def public(shown: object, *keys: object) -> Answer:
    """An answer that is everybody's: any cache may keep it for a moment, and purge it by these keys."""
    headers = {"Cache-Control": _PUBLIC, "Surrogate-Key": " ".join(map(str, keys))}
    return Answer(raw=codec.encode(shown), headers=headers)


def card(document: Document) -> Card:
    return Card(
        product_id=document.product_id,
        title=document.title,
        price=money.shown(document.price, document.currency),
        currency=document.currency,
        rating=document.rating,
        review_count=document.review_count,
        image_url=document.image_url,
        in_stock=document.in_stock,
        seller=Seller(document.seller_id, document.seller_name),
        category=document.category,
        brand=document.brand,
        external_id=document.external_id,
    )
