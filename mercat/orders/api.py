"""The routes of orders."""

from mercat.kit.rpc import Route
from mercat.orders.remarks import OrderRemarks
from mercat.orders.service import Orders

API = [
    Route("POST", "/orders", Orders.create_many),
    Route("POST", "/refused", Orders.refuse),
    Route("POST", "/orders/{order_id}", Orders.order),
    Route("GET", "/orders/{order_id}/bill", Orders.bill),
    Route("POST", "/numbers/{number}", Orders.find),
    Route("POST", "/lists", Orders.list_of),
    Route("GET", "/newest", Orders.newest),
    Route("POST", "/among", Orders.among),
    Route("POST", "/orders/{order_id}/moves", Orders.move_units),
    Route("POST", "/orders/{order_id}/moves/preview", Orders.preview),
    Route("POST", "/orders/{order_id}/shipments/{shipment_id}", Orders.ship),
    Route("POST", "/orders/{order_id}/arrived/{shipment_id}", Orders.arrived),
    Route("POST", "/orders/{order_id}/returns", Orders.return_),
    Route("POST", "/orders/{order_id}/withdrawn", Orders.withdraw),
    Route("POST", "/orders/{order_id}/notes", OrderRemarks.add_note),
    Route("GET", "/orders/{order_id}/remarks", OrderRemarks.remarks),
    Route("POST", "/orders/{order_id}/refusals", OrderRemarks.note_refusal),
]
