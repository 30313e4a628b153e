"""Cart: what a shopper means to buy, in Valkey, with a durable copy in PostgreSQL within five seconds.

`cart:{user_id}` is a hash, one field an offer, `{"qty", "price", "added"}`; prices in minor units. A cart has
an id, which an order spends: at most one order a cart id. What Valkey lost is rebuilt from its copy.
"""

from mercat.cart.api import API
from mercat.cart.messages import LINES_MAX, Basket, CartFull, CartLine, CartView, LineProblem, Spent
from mercat.cart.rules import with_held
from mercat.cart.service import Cart

__all__ = [
    "API",
    "LINES_MAX",
    "Basket",
    "Cart",
    "CartFull",
    "CartLine",
    "CartView",
    "LineProblem",
    "Spent",
    "with_held",
]
