"""Wishlist: what people keep to find again.

It knows product ids only: whether one is still sold is the catalogue's to say. Others import from here only.
"""

from mercat.wishlist.api import API
from mercat.wishlist.messages import (
    FIRST_NAME,
    ITEMS_MAX,
    FirstWishlist,
    Item,
    Keepers,
    NamedList,
    PriceSeen,
    SharedList,
    WishlistFull,
    WishlistLimit,
    WishlistName,
)
from mercat.wishlist.service import Wishlist

__all__ = [
    "API",
    "FIRST_NAME",
    "ITEMS_MAX",
    "FirstWishlist",
    "Item",
    "Keepers",
    "NamedList",
    "PriceSeen",
    "SharedList",
    "Wishlist",
    "WishlistFull",
    "WishlistLimit",
    "WishlistName",
]
