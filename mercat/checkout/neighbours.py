"""Whom checkout asks."""

from typing import NamedTuple

from mercat.accounts import Accounts
from mercat.cart import Cart
from mercat.catalog import Catalog
from mercat.fulfilment import Fulfilment
from mercat.inventory import Inventory
from mercat.orders import Orders
from mercat.payments import Payments
from mercat.pricing import Pricing
from mercat.promotions import Promotions
from mercat.returns import Returns
from mercat.sellers import Sellers


class Neighbours(NamedTuple):
    """The services that a purchase passes, each in this process or at an address."""

    accounts: Accounts
    catalog: Catalog
    cart: Cart
    pricing: Pricing
    promotions: Promotions
    fulfilment: Fulfilment
    inventory: Inventory
    payments: Payments
    orders: Orders
    returns: Returns
    sellers: Sellers
