"""The routes of the cart."""

from mercat.cart.service import Cart
from mercat.kit.rpc import Route

API = [
    Route("POST", "/carts/{user_id}/lines/{offer_id}", Cart.add),
    Route("POST", "/carts/{user_id}/missing", Cart.add_missing),
    Route("PATCH", "/carts/{user_id}/lines/{item:path}", Cart.change),
    Route("DELETE", "/carts/{user_id}/lines/{item:path}", Cart.remove),
    Route("GET", "/carts/{user_id}/basket", Cart.basket),
    Route("GET", "/carts/{user_id}", Cart.show),
    Route("GET", "/carts/{user_id}/count", Cart.count),
    Route("POST", "/carts/{member}/merge/{guest}", Cart.merge),
    Route("POST", "/baskets", Cart.baskets),
    Route("POST", "/spent", Cart.spend_many),
]
