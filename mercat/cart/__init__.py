"""Cart: what a shopper means to buy, in Valkey, with a durable copy in PostgreSQL within five seconds.

`cart:{user_id}` is a hash, one field an offer, `{"qty", "price", "added"}`; prices in minor units. A cart has
an id, which an order spends: at most one order a cart id. What Valkey lost is rebuilt from its copy.
"""

from mercat.cart.api import API
from mercat.cart.messages import (
    LINES_MAX,
    AppliedGiftCard,
    Basket,
    BasketLine,
    CartFull,
    CartLine,
    CartView,
    GiftCardsFull,
    LineProblem,
    Spent,
    TooManyCodes,
    TypedGiftCard,
)
from mercat.cart.rules import with_discount, with_gifts, with_held
from mercat.cart.service import Cart

__all__ = [
    "API",
    "LINES_MAX",
    "AppliedGiftCard",
    "Basket",
    "BasketLine",
    "Cart",
    "CartFull",
    "CartLine",
    "CartView",
    "GiftCardsFull",
    "LineProblem",
    "Spent",
    "TooManyCodes",
    "TypedGiftCard",
    "with_discount",
    "with_gifts",
    "with_held",
]
