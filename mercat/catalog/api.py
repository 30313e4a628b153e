"""The catalogue's routes: every verb that is called from outside, and where it lives on the wire."""

from mercat.catalog.categories import Categories
from mercat.catalog.changes import Changes
from mercat.catalog.imports import Imports
from mercat.catalog.listings import Listings
from mercat.catalog.moderation import Moderating
from mercat.catalog.offers import Offers
from mercat.catalog.products import Products
from mercat.kit.rpc import Route

API = [
    Route("POST", "/sellers/{seller_id}/products", Listings.create),
    Route("GET", "/sellers/{seller_id}/products/{product_id}", Listings.listing),
    Route("GET", "/sellers/{seller_id}/products", Listings.listings),
    Route("PATCH", "/sellers/{seller_id}/products/{product_id}", Listings.change_product),
    Route("DELETE", "/sellers/{seller_id}/products/{product_id}", Listings.archive),
    Route("PATCH", "/sellers/{seller_id}/offers/{offer_id}", Offers.change_offer),
    Route("GET", "/sellers/{seller_id}/offers", Offers.of_seller),
    Route("POST", "/sellers/{seller_id}/offers", Offers.offer_product),
    Route("GET", "/sellers/{seller_id}/offers/{offer_id}", Offers.offer_standing),
    Route("GET", "/any-products", Moderating.find_products),
    Route("GET", "/any-products/{product_id}", Moderating.found_product),
    Route("PATCH", "/any-products/{product_id}", Moderating.moderate),
    Route("GET", "/hidden-products/count", Moderating.count_hidden),
    Route("POST", "/offers", Offers.offers),
    Route("GET", "/products/{product_id}/featured", Offers.featured),
    Route("GET", "/products/{product_id}", Products.product),
    Route("POST", "/cards", Products.cards),
    Route("POST", "/names", Products.names),
    Route("GET", "/documents/{after}", Products.documents),
    Route("GET", "/histograms/{after}", Products.histograms),
    Route("GET", "/categories", Categories.categories),
    Route("GET", "/former-categories/{slug}", Categories.moved_category),
    Route("POST", "/categories", Categories.add_category),
    Route("PATCH", "/categories/{category_id}", Categories.change_category),
    Route("DELETE", "/categories/{category_id}", Categories.remove_category),
    Route("GET", "/asked-categories", Categories.asked_categories),
    Route("POST", "/asked-categories", Categories.decide_category),
    Route("POST", "/sellers/{seller_id}/imports", Imports.take),
    Route("PUT", "/sellers/{seller_id}/open/{version}/{is_open}", Changes.open_seller),
    Route("POST", "/told-again", Changes.tell_again),
]
