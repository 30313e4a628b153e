"""The routes of inventory."""

from mercat.inventory.service import Inventory
from mercat.kit.rpc import Route

API = [
    Route("POST", "/stock", Inventory.stock),
    Route("POST", "/reservations", Inventory.reserve_many),
    Route("POST", "/reservations/confirmed", Inventory.confirm_many),
    Route("POST", "/reservations/released", Inventory.release_many),
    Route("POST", "/received/{reference:path}", Inventory.receive),
    Route("POST", "/returned/{reference:path}", Inventory.put_back),
    Route("POST", "/recounted/{reference:path}", Inventory.recount),
    Route("PUT", "/sellers/{seller_id}/stock/{offer_id}", Inventory.count),
    Route("PUT", "/sellers/{seller_id}/stock", Inventory.count_all),
    Route("POST", "/sellers/{seller_id}/stock", Inventory.owned),
    Route("PUT", "/sellers/{seller_id}/stock/{offer_id}/low-mark/{low_mark}", Inventory.set_low_mark),
    Route("GET", "/sellers/{seller_id}/shelves", Inventory.shelves),
    Route("GET", "/sellers/{seller_id}/shelf-counts", Inventory.shelf_counts),
]
