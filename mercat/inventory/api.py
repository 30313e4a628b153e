"""The routes of inventory."""

from mercat.inventory.service import Inventory
from mercat.kit.rpc import Route

API = [
    Route("POST", "/stock", Inventory.stock),
    Route("POST", "/reservations/{checkout_id}", Inventory.reserve),
    Route("POST", "/reservations/{checkout_id}/confirm", Inventory.confirm),
    Route("DELETE", "/reservations/{checkout_id}", Inventory.release),
    Route("POST", "/received/{reference:path}", Inventory.receive),
    Route("POST", "/returned/{reference:path}", Inventory.put_back),
    Route("PUT", "/sellers/{seller_id}/stock/{offer_id}", Inventory.count),
    Route("PUT", "/sellers/{seller_id}/stock", Inventory.count_all),
    Route("POST", "/sellers/{seller_id}/stock", Inventory.owned),
]
