"""What several answers of the API share. Amounts there are decimals."""

import re
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from mercat import money
from mercat.events import Document
from mercat.ids import SellerId
from mercat.kit.refusals import Invalid
from mercat.kit.rpc import Filters
from mercat.search import Card, Seller

LIMIT_MAX = 100
PAGE_MAX = 1_000
PageLimit = Annotated[int, Meta(ge=1, le=LIMIT_MAX)]
PageNumber = Annotated[int, Meta(ge=1, le=PAGE_MAX, description="Beyond the last page there is the cursor.")]
Cursor = Annotated[str, Meta(max_length=500)]
ListingSort = Literal["relevance", "price_asc", "price_desc", "rating", "newest"]
Amount = float
FewLimit = Annotated[int, Meta(ge=1, le=20)]
SearchWords = Annotated[str, Meta(max_length=1_000)]
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
