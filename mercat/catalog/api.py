"""The catalogue's routes: every verb that is called from outside, and where it lives on the wire."""

from mercat.catalog.categories import Categories
from mercat.catalog.changes import Changes
from mercat.catalog.exports import Exports
from mercat.catalog.found import Outside
from mercat.catalog.imports import Imports
from mercat.catalog.listings import Listings
from mercat.catalog.markets import Markets
from mercat.catalog.moderation import Moderating
from mercat.catalog.offers import Offers
from mercat.catalog.pictures import Pictures
from mercat.catalog.price_edits import PriceEdits
from mercat.catalog.products import Products
from mercat.kit.verbs import Verb

API = [
    Verb(Listings.create),
    Verb(Listings.listing, reads=True),
    Verb(Listings.listings, reads=True),
    Verb(Listings.change_product),
    Verb(Listings.archive),
    Verb(Offers.change_offer),
    Verb(Offers.of_seller, reads=True),
    Verb(Offers.offer_product),
    Verb(Offers.offer_standing, reads=True),
    Verb(PriceEdits.preview_prices, reads=True),
    Verb(PriceEdits.edit_prices),
    Verb(Markets.markets, reads=True),
    Verb(Markets.set_markets),
    Verb(Markets.market_terms, reads=True),
    Verb(Markets.card_prices, reads=True),
    Verb(Markets.own_prices, reads=True),
    Verb(Markets.set_own_prices),
    Verb(Moderating.find_products, reads=True),
    Verb(Moderating.found_product, reads=True),
    Verb(Moderating.moderate),
    Verb(Moderating.count_hidden, reads=True),
    Verb(Offers.offers, reads=True, many=True),
    Verb(Offers.set_flash_price),
    Verb(Offers.end_flash_price),
    Verb(Offers.featured, reads=True),
    Verb(Products.product, reads=True, many=True),
    Verb(Products.cards, reads=True, many=True),
    Verb(Products.names, reads=True, many=True),
    Verb(Products.shelved, reads=True, many=True),
    Verb(Products.variants_for_sale, reads=True, many=True),
    Verb(Products.documents, reads=True),
    Verb(Products.histograms, reads=True),
    Verb(Categories.categories, reads=True),
    Verb(Categories.current_slugs, reads=True),
    Verb(Categories.add_category),
    Verb(Categories.change_category),
    Verb(Categories.remove_category),
    Verb(Categories.asked_categories, reads=True),
    Verb(Categories.decide_category),
    Verb(Imports.take),
    Verb(Imports.undo_import),
    Verb(Imports.forget_imports),
    Verb(Pictures.due_pictures),
    Verb(Pictures.picture_fetched),
    Verb(Pictures.picture_failed),
    Verb(Outside.site_marks, reads=True),
    Verb(Outside.site_map, reads=True),
    Verb(Outside.former_address, reads=True),
    Verb(Exports.exported, reads=True),
    Verb(Exports.exported_names, reads=True),
    Verb(Changes.open_seller),
    Verb(Changes.tell_again),
]
