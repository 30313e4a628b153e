"""The routes of returns."""

from mercat.kit.rpc import Route
from mercat.returns.service import Returns

API = [
    Route("POST", "/returns", Returns.open),
    Route("GET", "/returns/{return_id}", Returns.one),
    Route("GET", "/orders/{order_id}/returns", Returns.of_order),
    Route("GET", "/newest", Returns.newest),
    Route("GET", "/left-lying", Returns.left_lying),
    Route("GET", "/counts", Returns.counts),
    Route("POST", "/returns/{return_id}/approve", Returns.approve),
    Route("POST", "/returns/{return_id}/refuse", Returns.refuse),
    Route("POST", "/returns/{return_id}/receive", Returns.receive),
    Route("POST", "/returns/{return_id}/settle", Returns.settle),
    Route("POST", "/orders/{order_id}/returns/{return_id}/withdraw", Returns.withdraw),
    Route("POST", "/orders/{order_id}/returns/{return_id}/sent", Returns.sent),
]
