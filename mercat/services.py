"""Whom the doors ask: the shop as `mercat.app` assembles it, or any part of it that has these."""

from typing import Protocol

from mercat.accounts import Accounts
from mercat.cart import Cart
from mercat.catalog import Catalog
from mercat.checkout import Checkout
from mercat.flashsale import FlashSales
from mercat.fulfilment import Fulfilment
from mercat.inventory import Inventory
from mercat.kit.breaker import Breaker
from mercat.notifications import Notifications
from mercat.orders import Orders
from mercat.payments import Payments
from mercat.pricing import Pricing
from mercat.recommendations import Recommendations
from mercat.reviews import Reviews
from mercat.search import Search
from mercat.sellers import Sellers
from mercat.settings import Settings
from mercat.wishlist import Wishlist


class Services(Protocol):
    @property
    def accounts(self) -> Accounts: ...
    @property
    def breakers(self) -> dict[str, Breaker]: ...
    @property
    def cart(self) -> Cart: ...
    @property
    def catalog(self) -> Catalog: ...
    @property
    def checkout(self) -> Checkout: ...
    @property
    def flashsale(self) -> FlashSales: ...
    @property
    def fulfilment(self) -> Fulfilment: ...
    @property
    def inventory(self) -> Inventory: ...
    @property
    def notifications(self) -> Notifications: ...
    @property
    def orders(self) -> Orders: ...
    @property
    def payments(self) -> Payments: ...
    @property
    def pricing(self) -> Pricing: ...
    @property
    def recommendations(self) -> Recommendations: ...
    @property
    def reviews(self) -> Reviews: ...
    @property
    def search(self) -> Search: ...
    @property
    def sellers(self) -> Sellers: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def wishlist(self) -> Wishlist: ...
