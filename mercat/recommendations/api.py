from mercat.kit.rpc import Route
from mercat.recommendations.service import Recommendations

API = [
    Route("GET", "/products/{product_id}/bought-together", Recommendations.bought_together),
    Route("GET", "/products/{product_id}/around", Recommendations.around),
    Route("GET", "/products/{product_id}/similar", Recommendations.similar),
    Route("POST", "/goes-with", Recommendations.goes_with),
    Route("GET", "/people/{user_id}/for-you", Recommendations.for_you),
    Route("GET", "/popular", Recommendations.popular),
]
