"""The routes of invoices."""

from mercat.invoices.service import Invoices
from mercat.kit.rpc import Route

API = [
    Route("POST", "/orders/{order_id}/papers", Invoices.papers_of),
    Route("GET", "/issuers/{seller_id}", Invoices.details),
    Route("PUT", "/issuers/{seller_id}", Invoices.set_details),
]
