from mercat.kit.rpc import Route
from mercat.wishlist.service import Wishlist

API = [
    Route("PUT", "/people/{user_id}/guests/{guest_id}", Wishlist.adopt),
    Route("GET", "/people/{user_id}/items", Wishlist.items),
    Route("PUT", "/people/{user_id}/items/{product_id}", Wishlist.put),
    Route("DELETE", "/people/{user_id}/items/{product_id}", Wishlist.drop),
]
