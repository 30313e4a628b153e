"""What several answers of the API share. Amounts there are decimals."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from mercat import money
from mercat.catalog import SalePrice
from mercat.events import Document
from mercat.ids import SellerId
from mercat.kit import clock, codec
from mercat.kit.refusals import Invalid
from mercat.kit.rpc import Filters
from mercat.search import PAGE_MAX, IndexedCard, ProductCard, SearchSort, product_card
from mercat.web.cache import soonest

LIMIT_MAX = 100
Item = TypeVar("Item")
Name = TypeVar("Name", bound=int)
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


def number_of(given: Raw) -> Decimal:
    """Read the number a client sent, digit by digit; ValueError where it is none."""
    digits = bytes(given)
    if not _NUMBER.fullmatch(digits):
        raise ValueError("a number is needed")
    return Decimal(digits.decode())


def minor(given: Raw | Decimal, currency: str, pointer: str) -> int:
    """Read the amount a client sent, in minor units; raise Invalid for what is no amount of this currency."""
    try:
        if isinstance(given, Raw):
            given = number_of(given)
        amount = money.minor(given, currency)
        if amount < 0:
            raise ValueError("it is less than nothing")
    except ValueError as error:
        raise Invalid(f"This is no price: {error}.", pointer=pointer) from None
    return amount


def no_amount() -> Raw:
    """Stand for an amount that is not given; `is_given` says so."""
    return Raw(b"null")


def optional_minor(given: Raw | UnsetType, currency: str, pointer: str) -> int | UnsetType | None:
    """Read an amount that may be left out, or taken away by null or 0."""
    if isinstance(given, UnsetType):
        return UNSET
    return minor(given, currency, pointer) or None if is_given(given) else None


class SaleAsk(Struct, frozen=True, kw_only=True):
    """A lower price for a while; without `from` from now on, without `until` for good.

    Times without a zone are UTC."""

    price: Price
    begins_at: datetime | None = field(default=None, name="from")
    ends_at: datetime | None = field(default=None, name="until")


class SalePriceShown(Struct, frozen=True):
    price: Amount
    begins_at: datetime | None = field(default=None, name="from")
    ends_at: datetime | None = field(default=None, name="until")


def sale_asked(
    asked: SaleAsk | UnsetType | None, currency: str, at: str = ""
) -> SalePrice | UnsetType | None:
    """Read a sale, in minor units and UTC; `at`: where in the request it stands."""
    if isinstance(asked, UnsetType) or asked is None:
        return asked
    price = minor(asked.price, currency, f"{at}/sale/price")
    return SalePrice(price=price, begins_at=utc(asked.begins_at), ends_at=utc(asked.ends_at))


def sale_shown(sale: SalePrice | None, currency: str) -> SalePriceShown | None:
    return sale and SalePriceShown(money.shown(sale.price, currency), sale.begins_at, sale.ends_at)


def amount_shown(amount: int | None, currency: str) -> Amount | None:
    return None if amount is None else money.shown(amount, currency)


def utc(moment: datetime | None) -> datetime | None:
    """Take a time without a zone for one of UTC."""
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def page_of(
    found: Sequence[Item], named: Callable[[Item], Name], limit: int | None, cursor: Name | None
) -> tuple[list[Item], Name | None]:
    """Cut a page out of a list that is short and read whole: what comes after `cursor`, and the next one.

    Without a limit it is all of it. Invalid where what the cursor names is there no longer."""
    begin = 0
    if cursor is not None:
        names = [named(each) for each in found]
        if cursor not in names:
            raise Invalid("This list has changed meanwhile. Ask for its beginning.", pointer="/cursor")
        begin = names.index(cursor) + 1
    end = len(found) if limit is None else begin + limit
    page = list(found[begin:end])
    return page, named(page[-1]) if page and end < len(found) else None


class Paging(Filters):
    page: PageNumber = 1
    limit: PageLimit = 20
    cursor: Cursor | None = None


class SellerShown(Struct, frozen=True):
    seller_id: SellerId
    name: str


class ProductCardShown(ProductCard, frozen=True, kw_only=True, omit_defaults=True):
    """A product in a list: the card that search has, with its prices as decimals."""

    price: Amount  # type: ignore[assignment]
    was_price: Amount | None = None  # type: ignore[assignment]
    """What it cost before a reduction."""


_COMING = b'"coming_prices"'


class ShownCards(NamedTuple):
    """Public cards as JSON, and how long their prices hold, where that is known."""

    cards: list[Raw]
    until: datetime | None


def card(document: Document) -> ProductCardShown:
    """Return the public card of a product of the catalogue."""
    fields: dict[str, Any] = msgspec.structs.asdict(product_card(document))
    del fields["coming_prices"]
    return ProductCardShown(**_decimals(fields))


def shown_cards(cards: list[Raw]) -> ShownCards:
    """Turn the cards that search has, as JSON, into public ones with the prices of now, to be spliced into an
    answer."""
    now = clock.now()
    shown: list[Raw] = []
    ends: list[datetime | None] = []
    for each in map(bytes, cards):
        if _COMING not in each:
            shown.append(_shown_card(each))
            continue
        indexed = codec.decode(each, IndexedCard).at(now)
        ends.append(indexed.until)
        shown.append(_shown_card(codec.encode(msgspec.structs.replace(indexed, coming_prices=[]))))
    return ShownCards(shown, soonest(*ends))


@lru_cache(_CARDS_CACHED_MAX)
def _shown_card(card: bytes) -> Raw:
    return Raw(msgspec.json.encode(_decimals(msgspec.json.decode(card))))


def _decimals(card: dict[str, Any]) -> dict[str, Any]:
    for name in ("price", "was_price"):
        if card.get(name) is not None:
            card[name] = money.shown(card[name], card["currency"])
    return card
