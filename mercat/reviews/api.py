from mercat.kit.rpc import Route
from mercat.reviews.service import Reviews

API = [
    Route("POST", "/written-by", Reviews.of_people),
    Route("PUT", "/people/{user_id}/guests/{guest_id}", Reviews.adopt),
    Route("POST", "/products/{product_id}/reviews", Reviews.write),
    Route("GET", "/products/{product_id}/reviews", Reviews.newest),
    Route("GET", "/products/{product_id}/rating", Reviews.rating),
    Route("POST", "/reviews/{review_id}/helpful", Reviews.helpful),
    Route("GET", "/reviews/{review_id}", Reviews.one),
    Route("PATCH", "/reviews/{review_id}", Reviews.edit),
    Route("DELETE", "/reviews/{review_id}", Reviews.remove),
    Route("POST", "/reviews/{review_id}/report", Reviews.report),
    Route("PUT", "/reviews/{review_id}/reply", Reviews.reply),
    Route("GET", "/moderated/{review_id}", Reviews.moderated),
    Route("POST", "/moderated/{review_id}/hide", Reviews.hide),
    Route("POST", "/moderated/{review_id}/show", Reviews.show),
    Route("GET", "/moderated", Reviews.to_moderate),
    Route("POST", "/starts", Reviews.start),
    Route("POST", "/seeds", Reviews.seed),
]
