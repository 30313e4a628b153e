from mercat.kit.rpc import Route
from mercat.wishlist.service import Wishlist
from mercat.wishlist.watching import Watching

API = [
    Route("PUT", "/people/{user_id}/guests/{guest_id}", Wishlist.adopt),
    Route("GET", "/people/{user_id}/items", Wishlist.items),
    Route("PUT", "/people/{user_id}/items/{product_id}", Wishlist.put),
    Route("DELETE", "/people/{user_id}/items/{product_id}", Wishlist.drop),
    Route("GET", "/people/{user_id}/lists", Wishlist.lists),
    Route("POST", "/people/{user_id}/lists", Wishlist.add),
    Route("PATCH", "/people/{user_id}/lists/{wishlist_id}", Wishlist.rename),
    Route("DELETE", "/people/{user_id}/lists/{wishlist_id}", Wishlist.remove),
    Route("GET", "/people/{user_id}/lists/{wishlist_id}/items", Wishlist.items_of),
    Route("PUT", "/people/{user_id}/lists/{wishlist_id}/items/{product_id}", Wishlist.put_into),
    Route("DELETE", "/people/{user_id}/lists/{wishlist_id}/items/{product_id}", Wishlist.drop_from),
    Route("PUT", "/people/{user_id}/lists/{wishlist_id}/alerts/{on}", Wishlist.alert),
    Route("POST", "/shared", Wishlist.shared),
    Route("GET", "/products/{product_id}/keepers", Watching.keepers),
]
