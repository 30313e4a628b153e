"""Wishlist: what people keep to find again.

It knows product ids only: whether one is still sold is the catalogue's to say. Others import from here only.
"""

from mercat.wishlist.api import API
from mercat.wishlist.messages import ITEMS_MAX, Item, WishlistFull
from mercat.wishlist.service import Wishlist

__all__ = ["API", "ITEMS_MAX", "Item", "Wishlist", "WishlistFull"]
