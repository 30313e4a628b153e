"""The routes of inventory."""

from mercat.inventory.service import Inventory
from mercat.kit.verbs import Verb

API = [
    Verb(Inventory.stock, reads=True, many=True),
    Verb(Inventory.reserve_many),
    Verb(Inventory.confirm_many),
    Verb(Inventory.release_many),
    Verb(Inventory.receive),
    Verb(Inventory.put_back),
    Verb(Inventory.recount),
    Verb(Inventory.uncount),
    Verb(Inventory.count),
    Verb(Inventory.count_all),
    Verb(Inventory.owned, reads=True),
    Verb(Inventory.lying, reads=True),
    Verb(Inventory.set_low_mark),
    Verb(Inventory.shelves, reads=True),
    Verb(Inventory.shelf_counts, reads=True),
]
