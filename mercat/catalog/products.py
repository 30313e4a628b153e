"""Products as shoppers read them: whole, as cards, and page by page, behind a cache of two levels."""

from time import monotonic
from typing import Any

import asyncpg
import msgspec
import structlog

from mercat.catalog.messages import TEXTS, Breadcrumb, Image, Product, Variant
from mercat.catalog.variants import in_order
from mercat.events import Document, ProductChanged
from mercat.ids import ProductId
from mercat.kit import codec, sql
from mercat.kit.refusals import Gone, NotFound
from mercat.kit.valkey import Store
from mercat.settings import Settings

queries = sql.load("mercat.catalog")
log = structlog.get_logger("mercat.catalog")
_IN_PROCESS_MAX = 5_000
_decode = codec.decoder(Product).decode


class Products:
    """Read products: first in this process, then in the shared cache, then in the database."""

    def __init__(self, db: asyncpg.Pool, cache: Store, settings: Settings) -> None:
        self._db = db
        self._cache = cache
        self._currency = settings.currency
        # Half the age in each level, so that both together stay inside what is promised.
        self._life_s = settings.product_cache_s / 2
        self._in_process: dict[ProductId, tuple[float, Product]] = {}

    async def product(self, product_id: ProductId) -> Product:
        """Answer everything about a product, at most five seconds old, and less once anybody changed it."""
        held = self._in_process.get(product_id)
        if held and held[0] > monotonic():
            return held[1]
        key = f"product:{product_id}"
        try:
            kept = await self._cache.do("GET", key)
        except Exception:
            kept = None  # a cache that is away costs time, not answers
        product = _decode(kept) if kept else await self.read(product_id)
        if not kept:
            await self._keep(key, product)
        if len(self._in_process) >= _IN_PROCESS_MAX:
            self._in_process.clear()
        self._in_process[product_id] = (monotonic() + self._life_s, product)
        return product

    def forget(self, product_id: ProductId) -> None:
        """Read this product anew when it is next asked for in this process."""
        self._in_process.pop(product_id, None)

    async def read(self, product_id: ProductId) -> Product:
        """Answer a product from the database, past every cache."""
        row = await self._db.fetchrow(queries.product, product_id)
        if row is None:
            raise NotFound("There is no such product.")
        return _product(row, self._currency)

    async def cards(self, product_ids: list[ProductId]) -> list[Document]:
        """Answer products as shelves show them, in the order asked; those not for sale are left out."""
        rows = await self._db.fetch(queries.cards, product_ids)
        found = {
            row["product_id"]: codec.decode(row["document"], Document) for row in rows if row["document"]
        }
        return [found[product_id] for product_id in product_ids if product_id in found]

    async def documents(self, after: ProductId, limit: int = 1_000) -> list[ProductChanged]:
        """Answer all products by id, a page at a time: what an index is filled with anew."""
        return [
            ProductChanged(
                product_id=ProductId(row["product_id"]),
                version=row["version"],
                document=codec.decode(row["document"], Document) if row["document"] else None,
            )
            for row in await self._db.fetch(queries.documents, after, limit)
        ]

    async def histograms(self, after: ProductId, limit: int = 1_000) -> list[tuple[ProductId, list[int]]]:
        """Answer the ratings that products came with, by id, a page at a time."""
        rows = await self._db.fetch(queries.histograms, after, limit)
        return [(ProductId(row["product_id"]), row["histogram"]) for row in rows]

    async def _keep(self, key: str, product: Product) -> None:
        life_ms = max(1, int(self._life_s * 1_000))
        try:
            await self._cache.do("SET", key, codec.encode(product), "PX", life_ms)
        except Exception as error:
            log.warning("a product could not be cached", reason=repr(error)[:100])


def _product(row: Any, currency: str) -> Product:
    if row["gone"]:
        raise Gone("This product is not sold here any more. Orders of it are kept.")
    variants = codec.decode(row["variants"], list[Variant]) if row["variants"] else []
    offers = [offer for variant in variants for offer in variant.offers]
    offers.sort(key=lambda offer: (not offer.in_stock, offer.price, offer.offer_id))
    featured = next((offer for offer in offers if offer.offer_id == row["featured"]), None)
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
    )
