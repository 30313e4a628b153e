"""The routes of fulfilment."""

from mercat.fulfilment.service import Fulfilment
from mercat.kit.verbs import Verb

API = [
    Verb(Fulfilment.methods, reads=True),
    Verb(Fulfilment.countries, reads=True),
    Verb(Fulfilment.shipping_profile, reads=True),
    Verb(Fulfilment.set_shipping_profile),
    Verb(Fulfilment.open),
    Verb(Fulfilment.seen),
    Verb(Fulfilment.of_order, reads=True),
    Verb(Fulfilment.orders_of_seller, reads=True),
    Verb(Fulfilment.counts_of_seller, reads=True),
    Verb(Fulfilment.order_ids_of_seller, reads=True),
    Verb(Fulfilment.orders_like, reads=True),
]
