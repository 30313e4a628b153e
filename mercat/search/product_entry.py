"""A product as every engine's index stores it: its card, what it is counted and sorted by, and the form of
all that.

The form changes with the fields of the card, of the index and of the ranker's rows. An index of another form
is not read; it is built anew."""

import zlib
from collections.abc import Iterator

import msgspec

from mercat.events import Document
from mercat.kit import codec
from mercat.search.category_stats import CATEGORY_SEPARATOR
from mercat.search.facets.ranges import RATING_STEPS, price_ranges
from mercat.search.messages import CardSeller, IndexedCard
from mercat.search.product_rows import ROW
from mercat.search.query.analyze import normal

DESCRIPTION_LETTERS_MAX = 20_000
_DETAIL_LETTERS_MAX = 500
TITLE_TIMES = 3
"""How often the title stands in `main_text`: a word there counts so many times."""
TEXT_VERSION = 2
"""Raised when texts are split into words otherwise: an index of older words answers wrongly."""
_PRICE_RANGES = [price_ranges(currency) for currency in ("USD", "CNY", "JPY", "KRW", "IDR")]
NO_BRAND = CATEGORY_SEPARATOR
"""The brand of what has none, in counts."""
_USUAL_RATING, _USUAL_VOTES = 3.5, 20
_GOLDEN = 0x9E37_79B9_7F4A_7C15  # 2**64 / golden ratio: Fibonacci hashing (Knuth, TAOCP 3, 6.4)


def index_form(schema: object, card: type[msgspec.Struct] = IndexedCard) -> str:
    """Fingerprint everything that an index stores of a product: the engine's own `schema`, the fields of the
    card and of what is in it, those of the ranker's rows, how texts become words, and the ranges that are
    counted by."""
    stored = (schema, _struct_fields(card), ROW.descr, TEXT_VERSION, _PRICE_RANGES, RATING_STEPS)
    return f"{zlib.crc32(repr(stored).encode()):08x}"


def _struct_fields(struct: type[msgspec.Struct]) -> list[tuple[str, str, object]]:
    return [
        (field.encode_name, repr(field.type), _struct_fields(field.type) if _is_struct(field.type) else None)
        for field in msgspec.structs.fields(struct)
    ]


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def product_card(product: Document) -> IndexedCard:
    """Return what lists show of a product."""
    return IndexedCard(
        product_id=product.product_id,
        title=product.title,
        price=product.price,
        currency=product.currency,
        rating=product.rating,
        review_count=product.review_count,
        image_url=product.image_url,
        in_stock=product.in_stock,
        seller=CardSeller(product.seller_id, product.seller_name),
        category=product.category,
        brand=product.brand,
        external_id=product.external_id,
        was_price=product.was_price,
        coming_prices=product.coming_prices,
    )


def card_json(product: Document) -> bytes:
    """Encode a product's card as the index stores it."""
    return codec.encode(product_card(product))


def attribute_words(product: Document) -> Iterator[str]:
    """Yield attributes as text: "Bluetooth" of a connection, and "wireless charging" where that is true."""
    for name, value in product.attributes.items():
        if isinstance(value, str):
            yield value[:_DETAIL_LETTERS_MAX]
        elif value is True:
            yield name.replace("_", " ")


def other_main_text(product: Document) -> list[str]:
    """List what belongs to a product's `main_text` besides the title."""
    description = product.description[:DESCRIPTION_LETTERS_MAX]
    return [description, product.brand or "", *product.tags, *product.category_names]


def completions(product: Document) -> Iterator[str]:
    """Yield the brand, and the category under every beginning by which somebody may know it: "digital
    cameras", "cameras"."""
    if product.brand:
        yield CATEGORY_SEPARATOR.join(("b", normal(product.brand), product.brand))
    if product.category_names:
        name = product.category_names[-1]
        words = normal(name).split()
        for start in range(len(words)):
            yield CATEGORY_SEPARATOR.join(("c", " ".join(words[start:]), product.category, name))


def category_path(product: Document) -> str:
    """Return all categories of a product as one term."""
    return CATEGORY_SEPARATOR.join(dict.fromkeys([*product.categories, product.category]))


def _scattered_id(product: Document, bits: int) -> int:
    """Return the product's id, scattered, as a tie-breaker: equal prices rarely have equal sort keys."""
    return (product.product_id * _GOLDEN & (2**64 - 1)) >> (64 - bits)


def price_key(product: Document) -> int:
    """Return the sort key by price."""
    return min(product.price, 2**40 - 1) << 24 | _scattered_id(product, 24)


def rating_key(product: Document) -> int:
    """Return the sort key by rating, then by how many rated, then by how well it sells. A millionth of a star
    tells means of hundreds of reviews apart."""
    rating = int(min(max(product.rating, 0), 5) * 1_000_000)
    reviews = min(max(product.review_count, 0), 2**17 - 1)
    popularity = min(max(product.popularity, 0).bit_length(), 31)
    return ((rating << 17 | reviews) << 5 | popularity) << 19 | _scattered_id(product, 19)


def standing_key(product: Document) -> int:
    """Return the sort key of lists without words: by rating as if twenty others had given 3.5 stars, so that
    one vote of 5 does not lead; then by how well it sells."""
    votes = max(product.review_count, product.rating > 0)
    stars = (min(max(product.rating, 0), 5) * votes + _USUAL_RATING * _USUAL_VOTES) / (votes + _USUAL_VOTES)
    popularity = min(max(product.popularity, 0).bit_length(), 31)
    return (int(stars * 1_000_000) << 5 | popularity) << 36 | _scattered_id(product, 36)


def age_key(product: Document) -> int:
    """Return the sort key by when the product was made."""
    milliseconds = int(product.created_at.timestamp() * 1_000)
    return min(max(milliseconds, 0), 2**42 - 1) << 22 | _scattered_id(product, 22)


def static_rank(product: Document) -> float:
    """Return what scores are multiplied by as log2(2 + this), 1 to 1.02: enough to decide between equals by
    rating, and between those by sales; too little to beat a better match."""
    rating = min(max(product.rating, 0), 5) / 5
    sales = min(max(product.popularity, 0).bit_length(), 31) / 31
    return 2 ** (1 + 0.02 * rating + 0.000_01 * sales) - 2
