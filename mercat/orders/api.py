"""The routes of orders."""

from mercat.kit.verbs import Verb
from mercat.orders.imported import ImportedOrders
from mercat.orders.remarks import OrderRemarks
from mercat.orders.service import Orders
from mercat.orders.sold import SoldOrders

API = [
    Verb(Orders.create_many),
    Verb(Orders.refuse),
    Verb(Orders.order, reads=True),
    Verb(Orders.bill, reads=True),
    Verb(Orders.find),
    Verb(Orders.list_of, reads=True),
    Verb(Orders.counts, reads=True),
    Verb(Orders.newest, reads=True),
    Verb(Orders.exported, reads=True),
    Verb(Orders.missing, reads=True),
    Verb(ImportedOrders.take_old),
    Verb(ImportedOrders.find_old, reads=True),
    Verb(ImportedOrders.old_of, reads=True),
    Verb(Orders.among, reads=True),
    Verb(Orders.ended_parts, reads=True),
    Verb(Orders.paid_back, reads=True),
    Verb(Orders.move_units),
    Verb(Orders.preview, reads=True),
    Verb(Orders.ship),
    Verb(Orders.arrived),
    Verb(Orders.return_),
    Verb(Orders.withdraw),
    Verb(OrderRemarks.add_note),
    Verb(OrderRemarks.remarks, reads=True),
    Verb(OrderRemarks.note_refusal),
    Verb(SoldOrders.sold, reads=True),
    Verb(SoldOrders.sold_after, reads=True),
]
