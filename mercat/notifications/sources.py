"""The services that letters ask whom they go to, and what they are about."""

from dataclasses import dataclass

from mercat.accounts import Accounts
from mercat.catalog import Catalog
from mercat.orders import Orders
from mercat.reviews import Reviews
from mercat.sellers import Sellers
from mercat.wishlist import Wishlist


@dataclass(frozen=True)
class Sources:
    accounts: Accounts
    catalog: Catalog
    orders: Orders
    reviews: Reviews
    sellers: Sellers
    wishlist: Wishlist
