from mercat.kit.rpc import Route
from mercat.reviews.service import Reviews

API = [
    Route("POST", "/written-by", Reviews.of_people),
    Route("PUT", "/people/{user_id}/guests/{guest_id}", Reviews.adopt),
    Route("POST", "/products/{product_id}/reviews", Reviews.write),
    Route("GET", "/products/{product_id}/reviews", Reviews.newest),
    Route("GET", "/products/{product_id}/rating", Reviews.rating),
    Route("POST", "/reviews/{review_id}/helpful", Reviews.helpful),
    Route("POST", "/starts", Reviews.start),
    Route("POST", "/seeds", Reviews.seed),
]
