"""The routes of returns."""

from mercat.kit.verbs import Verb
from mercat.returns.service import Returns

API = [
    Verb(Returns.open),
    Verb(Returns.one, reads=True),
    Verb(Returns.of_order, reads=True),
    Verb(Returns.newest, reads=True),
    Verb(Returns.left_lying, reads=True),
    Verb(Returns.counts, reads=True),
    Verb(Returns.approve),
    Verb(Returns.refuse),
    Verb(Returns.receive),
    Verb(Returns.settle),
    Verb(Returns.withdraw),
    Verb(Returns.sent),
]
