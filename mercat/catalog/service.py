"""The catalogue's one door: each verb stands in the part that owns its subject."""

from collections.abc import Sequence

import asyncpg

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
from mercat.catalog.retelling import Retelling
from mercat.kit.replicas import ReplicaAccess, Replicas
from mercat.kit.valkey import Store
from mercat.settings import Settings


class Catalog:
    """Compose the parts of the catalogue, and name the verbs that its neighbours call."""

    def __init__(
        self, db: asyncpg.Pool, cache: Store, settings: Settings, followers: Sequence[ReplicaAccess] = ()
    ) -> None:
        """`followers`: databases that follow `db`, from which products are read too."""
        self.replicas = Replicas(db, followers)
        self._products = Products(self.replicas, cache, settings)
        self.retelling = Retelling(db)
        self._changes = Changes(db, cache, self._products.forget, self.retelling, self.replicas.written)
        self._categories = Categories(db, self.retelling)
        self._offers = Offers(db, self._changes, settings)
        self._listings = Listings(db, self._categories, self._changes, settings)
        self._moderating = Moderating(db, self._categories, self._changes)
        self._price_edits = PriceEdits(db, self._changes, settings)
        self._markets = Markets(db, self._changes, settings)
        self._imports = Imports(db, self._categories, settings)
        self._exports = Exports(db)
        self._found = Outside(db)
        self._pictures = Pictures(db, self._changes)

        self.create = self._listings.create
        self.listing = self._listings.listing
        self.listings = self._listings.listings
        self.change_product = self._listings.change_product
        self.archive = self._listings.archive

        self.offers = self._offers.offers
        self.of_seller = self._offers.of_seller
        self.change_offer = self._offers.change_offer
        self.featured = self._offers.featured
        self.set_flash_price = self._offers.set_flash_price
        self.end_flash_price = self._offers.end_flash_price
        self.offer_product = self._offers.offer_product
        self.offer_standing = self._offers.offer_standing

        self.find_products = self._moderating.find_products
        self.found_product = self._moderating.found_product
        self.count_hidden = self._moderating.count_hidden
        self.moderate = self._moderating.moderate

        self.categories = self._categories.categories
        self.current_slugs = self._categories.current_slugs
        self.add_category = self._categories.add_category
        self.change_category = self._categories.change_category
        self.remove_category = self._categories.remove_category
        self.asked_categories = self._categories.asked_categories
        self.decide_category = self._categories.decide_category

        self._take_verbs_of_products()
        self._take_verbs_of_files()
        self._take_verbs_of_prices()

        self.open_seller = self._changes.open_seller
        self.tell_again = self._changes.tell_again
        self.on_change = self._changes.on_change
        self.listen = self._changes.listen

    def _take_verbs_of_products(self) -> None:
        self.product = self._products.product
        self.cards = self._products.cards
        self.names = self._products.names
        self.shelved = self._products.shelved
        self.variants_for_sale = self._products.variants_for_sale
        self.documents = self._products.documents
        self.histograms = self._products.histograms

    def _take_verbs_of_files(self) -> None:
        self.take = self._imports.take
        self.undo_import = self._imports.undo_import
        self.forget_imports = self._imports.forget_imports
        self.exported = self._exports.exported
        self.due_pictures = self._pictures.due_pictures
        self.picture_fetched = self._pictures.picture_fetched
        self.picture_failed = self._pictures.picture_failed
        self.site_marks = self._found.site_marks
        self.site_map = self._found.site_map
        self.former_address = self._found.former_address
        self.exported_names = self._exports.exported_names

    def _take_verbs_of_prices(self) -> None:
        self.preview_prices = self._price_edits.preview_prices
        self.edit_prices = self._price_edits.edit_prices
        self.markets = self._markets.markets
        self.set_markets = self._markets.set_markets
        self.market_terms = self._markets.market_terms
        self.card_prices = self._markets.card_prices
        self.own_prices = self._markets.own_prices
        self.set_own_prices = self._markets.set_own_prices
