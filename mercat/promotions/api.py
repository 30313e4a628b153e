"""The routes of promotions."""

from mercat.kit.verbs import Verb
from mercat.promotions.redeeming import Redeeming
from mercat.promotions.service import Promotions

API = [
    Verb(Promotions.add),
    Verb(Promotions.listed, reads=True),
    Verb(Promotions.on_goods, reads=True),
    Verb(Promotions.counts, reads=True),
    Verb(Promotions.names, reads=True),
    Verb(Promotions.one, reads=True),
    Verb(Promotions.change),
    Verb(Promotions.remove),
    Verb(Promotions.add_codes),
    Verb(Promotions.codes, reads=True),
    Verb(Promotions.groups, reads=True),
    Verb(Promotions.set_groups),
    Verb(Promotions.reduce_many, reads=True),
    Verb(Promotions.redemption, reads=True),
    Verb(Redeeming.redeem_many),
    Verb(Redeeming.release_many),
]
