"""The routes of fulfilment."""

from mercat.fulfilment.service import Fulfilment
from mercat.kit.rpc import Route

API = [
    Route("GET", "/methods/{country}", Fulfilment.methods),
    Route("POST", "/shipments/{shipment_id}", Fulfilment.open),
    Route("POST", "/sellers/{seller_id}/shipments/{shipment_id}/events", Fulfilment.seen),
    Route("GET", "/orders/{order_id}/shipments", Fulfilment.of_order),
    Route("GET", "/sellers/{seller_id}/orders", Fulfilment.orders_of_seller),
    Route("GET", "/sellers/{seller_id}/order-counts", Fulfilment.counts_of_seller),
    Route("GET", "/sellers/{seller_id}/order-ids", Fulfilment.order_ids_of_seller),
    Route("POST", "/orders-like", Fulfilment.orders_like),
]
