"""Answers of the wishlist."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from mercat.ids import ProductId, UserId, WishlistId
from mercat.kit.refusals import Conflict
from mercat.kit.text import SEEN_LINE

ITEMS_MAX = 1_000
FIRST_NAME = "Wishlist"
"""What the list is called that everybody has."""
WishlistName = Annotated[
    str, Meta(max_length=100, pattern=SEEN_LINE, extra={"words": "Give the list a name."})
]


class Item(Struct, frozen=True):
    product_id: ProductId
    added_at: datetime


class PriceSeen(Struct, frozen=True):
    """What a product costs and whether it is there, as who puts it on a list sees it."""

    price: int | None
    in_stock: bool


class Keepers(Struct, frozen=True):
    """Some of who keeps a product, and what asks for the next ones; none: there are no more."""

    user_ids: list[UserId]
    after: int | None


class NamedList(Struct, frozen=True):
    """One of a person's lists; the first is there for everybody, and cannot be renamed or removed."""

    wishlist_id: WishlistId
    name: str
    items: int
    share_token: str
    """Who has it sees the list, and only that."""
    alerts: bool = True
    """Whether its owner hears of better prices and of what is there again."""


class SharedList(Struct, frozen=True):
    """A list as somebody sees it who has its link."""

    name: str
    items: list[Item]


class WishlistLimit(Conflict):
    """You have 20 wishlists. Remove one first."""


class FirstWishlist(Conflict):
    """This list is there for everybody: it can be emptied, and neither renamed nor removed."""


class WishlistFull(Conflict):
    """A wishlist holds 1,000 things. Take something out first."""
