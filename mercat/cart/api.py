"""The routes of the cart."""

from mercat.cart.service import Cart
from mercat.kit.verbs import Verb

API = [
    Verb(Cart.add, many=True),
    Verb(Cart.add_missing),
    Verb(Cart.change),
    Verb(Cart.remove),
    Verb(Cart.add_code),
    Verb(Cart.drop_code),
    Verb(Cart.basket, reads=True, many=True),
    Verb(Cart.show, reads=True, many=True),
    Verb(Cart.count, reads=True, many=True),
    Verb(Cart.merge),
    Verb(Cart.add_gift_card),
    Verb(Cart.remove_gift_card),
    Verb(Cart.baskets, reads=True),
    Verb(Cart.spend_many),
]
