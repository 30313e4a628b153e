"""What several answers of the API share. Amounts there are decimals."""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from mercat import money
from mercat.events import Document
from mercat.ids import SellerId
from mercat.kit.refusals import Invalid
from mercat.kit.rpc import Filters
from mercat.search import PAGE_MAX, ProductCard, SearchSort, product_card

LIMIT_MAX = 100
_CARDS_CACHED_MAX = 20_000
PageLimit = Annotated[int, Meta(ge=1, le=LIMIT_MAX)]
PageNumber = Annotated[int, Meta(ge=1, le=PAGE_MAX, description="Beyond the last page there is the cursor.")]
Cursor = Annotated[str, Meta(max_length=500)]
ListingSort = SearchSort
Amount = float
FewLimit = Annotated[int, Meta(ge=1, le=20)]
SEARCH_WORDS_MAX = 1_000
SearchWords = Annotated[str, Meta(max_length=SEARCH_WORDS_MAX)]
Price = Annotated[Raw, Meta(extra_json_schema={"type": "number", "minimum": 0})]
_NUMBER = re.compile(rb"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?")


def is_given(number: Raw) -> bool:
    return bytes(number) != b"null"


def minor(given: Raw | Decimal, currency: str, pointer: str) -> int:
    """Read the amount a client sent, in minor units; raise Invalid for what is no amount of this currency."""
    try:
        if isinstance(given, Raw):
            digits = bytes(given)
            if not _NUMBER.fullmatch(digits):
                raise ValueError("a number is needed")
            given = Decimal(digits.decode())
        amount = money.minor(given, currency)
        if amount < 0:
            raise ValueError("it is less than nothing")
    except ValueError as error:
        raise Invalid(f"This is no price: {error}.", pointer=pointer) from None
    return amount


class Paging(Filters):
    page: PageNumber = 1
    limit: PageLimit = 20
    cursor: Cursor | None = None


class SellerShown(Struct, frozen=True):
    seller_id: SellerId
    name: str


class ProductCardShown(ProductCard, frozen=True, kw_only=True, omit_defaults=True):
    """A product in a list: the card that search has, with its price as a decimal."""

    price: Amount  # type: ignore[assignment]


def card(document: Document) -> ProductCardShown:
    """Return the public card of a product of the catalogue."""
    fields: dict[str, Any] = msgspec.structs.asdict(product_card(document))
    fields["price"] = money.shown(document.price, document.currency)
    return ProductCardShown(**fields)


def shown_cards(cards: list[Raw]) -> list[Raw]:
    """Turn the cards that search has, as JSON, into public ones, to be spliced into an answer."""
    return [_shown_card(bytes(card)) for card in cards]


@lru_cache(_CARDS_CACHED_MAX)
def _shown_card(card: bytes) -> Raw:
    shown = msgspec.json.decode(card)
    shown["price"] = money.shown(shown["price"], shown["currency"])
    return Raw(msgspec.json.encode(shown))
