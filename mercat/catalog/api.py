from mercat.catalog.service import Catalog
from mercat.kit.rpc import Route

API = [
    Route("POST", "/sellers/{seller_id}/products", Catalog.create),
    Route("GET", "/sellers/{seller_id}/products/{product_id}", Catalog.listing),
    Route("PATCH", "/sellers/{seller_id}/products/{product_id}", Catalog.change_product),
    Route("PATCH", "/sellers/{seller_id}/offers/{offer_id}", Catalog.change_offer),
    Route("GET", "/sellers/{seller_id}/offers", Catalog.of_seller),
    Route("POST", "/offers", Catalog.offers, status=200),
    Route("GET", "/products/{product_id}/featured", Catalog.featured),
    Route("GET", "/products/{product_id}", Catalog.product),
    Route("POST", "/cards", Catalog.cards, status=200),
    Route("GET", "/categories", Catalog.categories),
    Route("GET", "/documents/{after}", Catalog.documents),
]
