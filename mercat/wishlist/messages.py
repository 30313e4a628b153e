"""Answers of the wishlist."""

from datetime import datetime

from msgspec import Struct

from mercat.ids import ProductId
from mercat.kit.refusals import Conflict

ITEMS_MAX = 1_000


class Item(Struct, frozen=True):
    product_id: ProductId
    added_at: datetime


class WishlistFull(Conflict):
    """A wishlist holds 1,000 things. Take something out first."""
