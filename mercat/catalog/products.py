"""Products as shoppers read them: whole, as cards, and page by page, behind a cache of two levels."""

from datetime import datetime
from time import monotonic
from typing import Any

import msgspec
import structlog

from mercat.catalog.cached import CachedProducts
from mercat.catalog.messages import (
    TEXTS,
    Breadcrumb,
    Image,
    Product,
    ProductName,
    ShelvedProduct,
    Variant,
    VariantForSale,
)
from mercat.catalog.rules import next_flip, offer_order
from mercat.catalog.variants import in_order
from mercat.events import Document, ProductChanged
from mercat.ids import OfferId, ProductId, SkuId
from mercat.kit import clock, codec, sql
from mercat.kit.refusals import Gone, NotFound
from mercat.kit.replicas import ONLY_PRIMARY, Replicas
from mercat.kit.valkey import Store
from mercat.settings import Settings

queries = sql.load("mercat.catalog")
log = structlog.get_logger("mercat.catalog")
_IN_PROCESS_MAX = 5_000
_PAGE_WITHIN_S = 10.0
"""For as long a replica may read a page of all products, for which nobody waits."""


class Products:
    """Read products: first in this process, then in the shared cache, then in the database."""

    def __init__(self, db: Replicas, cache: Store, settings: Settings) -> None:
        self._db = db
        self._kept = CachedProducts(cache)
        self._currency = settings.currency
        # Half the age in each level, so that both together stay inside what is promised.
        self._life_s = max(settings.product_cache_s - db.late_s, 0) / 2
        self._in_process: dict[ProductId, tuple[float, Product]] = {}
        self._reading: dict[ProductId, object] = {}
        """Who read these products last, and was not told since that they changed."""

    async def product(self, product_id: ProductId) -> Product:
        """Answer everything about a product, at most five seconds old, and less once anybody changed it."""
        now = clock.now()
        held = self._in_process.get(product_id)
        if held and held[0] > monotonic() and _holds(held[1], now):
            return held[1]
        reading = self._reading[product_id] = object()
        try:
            product, newest = await self._shared(product_id, now, held[1].version if held else 0)
            if newest and self._reading.get(product_id) is reading:
                self._hold(product)
        finally:
            if self._reading.get(product_id) is reading:
                del self._reading[product_id]
        return product

    def forget(self, product_id: ProductId) -> None:
        """Read this product anew when it is next asked for in this process, and keep nothing that is being
        read."""
        self._in_process.pop(product_id, None)
        self._reading.pop(product_id, None)

    async def _shared(self, product_id: ProductId, now: datetime, version: int) -> tuple[Product, bool]:
        """Answer a product from the shared cache, where it is of this version at least, else from the
        database; and whether it may be kept, as nobody is known to have changed it meanwhile."""
        try:
            product = await self._kept.get(product_id)
            if product and product.version >= version and _holds(product, now):
                return product, True
            cleared, written = await self._kept.cleared(product_id)
        except Exception:
            return await self.read(product_id), True  # a cache that is away costs time, not answers
        product = await self.read(product_id, written)
        if product.version < version:  # of a replica that lacks what this process has seen
            product = await self.read(product_id)
        try:
            return product, await self._kept.keep(product, cleared, self._life_s)
        except Exception as error:
            log.warning("a product could not be cached", reason=repr(error)[:100])
            return product, True

    def _hold(self, product: Product) -> None:
        held = self._in_process.get(product.product_id)
        if held and held[1].version > product.version:
            return
        if len(self._in_process) >= _IN_PROCESS_MAX:
            self._in_process.clear()
        self._in_process[product.product_id] = (monotonic() + self._life_s, product)

    async def read(self, product_id: ProductId, seen: int = ONLY_PRIMARY) -> Product:
        """Answer a product from a database that has this place in the log at least, past every cache."""
        now = clock.now()
        row = await self._db.fetch_row(queries.product, product_id, now, seen=seen)
        if row is None:
            raise NotFound("There is no such product.")
        return _product(row, self._currency, now)

    async def cards(self, product_ids: list[ProductId]) -> list[Document]:
        """Answer products as shelves show them, in the order asked; those not for sale are left out."""
        rows = await self._db.fetch_all(queries.cards, product_ids, clock.now(), key="product_id")
        found = {
            row["product_id"]: codec.decode(row["document"], Document) for row in rows if row["document"]
        }
        return [found[product_id] for product_id in product_ids if product_id in found]

    async def names(self, product_ids: list[ProductId]) -> list[ProductName]:
        """Answer how products are called, for sale or not, in the order asked."""
        rows = await self._db.fetch_all(queries.names, product_ids, key="product_id")
        found = {row["product_id"]: sql.row(ProductName, row) for row in rows}
        return [found[product_id] for product_id in product_ids if product_id in found]

    async def shelved(self, product_ids: list[ProductId]) -> list[ShelvedProduct]:
        """Answer in which category products stand now, for sale or not."""
        rows = await self._db.fetch_all(queries.shelved, product_ids, key="product_id")
        return sql.rows(ShelvedProduct, rows)

    async def variants_for_sale(self, product_ids: list[ProductId]) -> list[VariantForSale]:
        """Answer the variants of products that are for sale, each product's in their order."""
        rows = await self._db.fetch_all(queries.variants_for_sale, product_ids, key="product_id")
        return [
            VariantForSale(
                ProductId(row["product_id"]),
                SkuId(row["sku_id"]),
                codec.decode(row["options"], dict[str, str]),
                row["gtin"],
                [OfferId(each) for each in row["offer_ids"]],
            )
            for row in rows
        ]

    async def documents(self, after: ProductId, limit: int = 1_000) -> list[ProductChanged]:
        """Answer all products by id, a page at a time: what an index is filled with anew."""
        args = after, limit, clock.now()
        return [
            ProductChanged(
                product_id=ProductId(row["product_id"]),
                version=row["version"],
                document=codec.decode(row["document"], Document) if row["document"] else None,
            )
            for row in await self._db.fetch(queries.documents, *args, within_s=_PAGE_WITHIN_S)
        ]

    async def histograms(self, after: ProductId, limit: int = 1_000) -> list[tuple[ProductId, list[int]]]:
        """Answer the ratings that products came with, by id, a page at a time."""
        rows = await self._db.fetch(queries.histograms, after, limit, within_s=_PAGE_WITHIN_S)
        return [(ProductId(row["product_id"]), row["histogram"]) for row in rows]


def _holds(product: Product, now: datetime) -> bool:
    """Say whether no sale of a product has begun or ended since it was read."""
    return product.flips_at is None or now < product.flips_at


def _product(row: Any, currency: str, now: datetime) -> Product:
    if row["gone"]:
        raise Gone("This product is not sold here any more. Orders of it are kept.")
    if row["unlisted"]:
        raise NotFound("There is no such product.")
    variants = codec.decode(row["variants"], list[Variant]) if row["variants"] else []
    offers = [offer for variant in variants for offer in variant.offers]
    offers.sort(key=offer_order)
    featured = next((offer for offer in offers if offer.offer_id == row["featured"]), None)
    flips = [at for each in offers if (at := next_flip(each.regular_price, each.sale, now))]
    images = codec.decode(row["images"], list[Image])
    return Product(
        product_id=ProductId(row["product_id"]),
        offer_id=featured.offer_id if featured else None,
        **{name: row[name] for name in TEXTS},
        price=featured.price if featured else None,
        currency=featured.currency if featured else currency,
        rating=row["rating"],
        review_count=row["review_count"],
        histogram=list(row["histogram"]),
        image_url=images[0].url if images else "",
        images=images,
        in_stock=bool(featured and featured.in_stock),
        seller_id=featured.seller_id if featured else None,
        seller_name=featured.seller_name if featured else "",
        category=row["category"],
        category_path=[Breadcrumb(slug, name) for slug, name in zip(row["slugs"], row["names"], strict=True)],
        external_id=row["external_id"],
        attributes=msgspec.json.decode(row["attributes"]),
        options=in_order(msgspec.json.decode(row["options"], type=dict[str, list[str]]), row["option_names"]),
        tags=list(row["tags"]),
        variants=variants,
        offers=offers,
        created_at=row["created_at"],
        version=row["version"],
        seo_title=row["seo_title"],
        seo_description=row["seo_description"],
        was_price=featured.was_price if featured else None,
        lowest_price_30_days=featured.lowest_price_30_days if featured else None,
        flips_at=min(flips, default=None),
    )
