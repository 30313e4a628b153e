"""Sellers' products: listing one, reading it to change it, changing it."""

from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from msgspec import UnsetType, structs

from mercat import ids
from mercat.catalog.categories import Categories
from mercat.catalog.changes import Changes
from mercat.catalog.messages import (
    TEXTS,
    Attribute,
    Image,
    Listed,
    Listing,
    ListingKey,
    NewProduct,
    ProductChange,
    texts_of,
)
from mercat.catalog.rules import check_for_sale, drawn_image, fingerprint
from mercat.events import StockQuantity
from mercat.ids import CategoryId, OfferId, ProductId, SellerId, SkuId
from mercat.kit import clock, codec, sql
from mercat.kit.refusals import Invalid, KeyReused, NotFound, Stale
from mercat.settings import Settings

queries = sql.load("mercat.catalog")


class Listings:
    """List and change sellers' products; each change is told in its own commit."""

    def __init__(
        self, db: asyncpg.Pool, categories: Categories, changes: Changes, settings: Settings
    ) -> None:
        self._db = db
        self._categories = categories
        self._changes = changes
        self._currency = settings.currency

    async def create(
        self,
        seller_id: SellerId,
        seller_name: str,
        product: NewProduct,
        quantity: StockQuantity | None = None,
        key: ListingKey | None = None,
    ) -> Listed:
        """List a product with one variant, which is for sale when this returns.

        With a `quantity` the commit also tells OffersListed, which brings the stock to inventory's shelf
        whatever becomes of the caller. The same `key` again answers with what it listed; KeyReused where it
        listed something else, Invalid where the seller has a product with this external id."""
        check_for_sale(product.status, product.price, product.currency, self._currency)
        category_id = await self._categories.id_of(product.category)
        listed = Listed(ids.new(ProductId), ids.new(SkuId), ids.new(OfferId))
        content = fingerprint((product, quantity))
        async with self._db.acquire() as db, db.transaction():
            if key is not None and not await db.fetchval(
                queries.add_listing_key, seller_id, key, content, *structs.astuple(listed)
            ):
                return await _listed_before(db, seller_id, key, content)
            await _insert(db, seller_id, seller_name, product, quantity, listed, category_id)
            await db.execute(queries.tell, [listed.product_id])
            if quantity is not None:
                reference = f"listed/{int(listed.offer_id)}"
                await db.execute(queries.tell_stock, reference, seller_id, [listed.offer_id], [quantity])
        return listed

    async def listing(self, seller_id: SellerId, product_id: ProductId) -> Listing:
        """Answer a seller's product as it stands, to be changed."""
        row = await self._db.fetchrow(queries.listing, product_id, seller_id)
        if row is None:
            raise NotFound("You have no such product.")
        return _listing(row)

    async def change_product(
        self, seller_id: SellerId, product_id: ProductId, change: ProductChange, seen: str | None = None
    ) -> None:
        """Give a seller's product another title, text or picture, known everywhere at once.

        An import of the same source leaves it so, until the source says something else. `seen`: the mark of
        the listing that is changed; Stale where it is another one by now, unless it already is what is
        wanted."""
        wanted = {
            name: value for name, value in structs.asdict(change).items() if not isinstance(value, UnsetType)
        }
        if "category" in wanted:
            wanted["category_id"] = await self._categories.id_of(wanted.pop("category"))
        async with self._db.acquire() as db, db.transaction():
            row = await db.fetchrow(queries.own_product, product_id, seller_id)
            if row is None:
                raise NotFound("You have no such product.")
            before: Any = (
                await db.fetchrow(queries.listing, product_id, seller_id) if seen is not None else None
            )
            standing = dict(row)
            title = wanted.get("title", standing["title"])
            if "images" in wanted:
                wanted["images"] = codec.text([Image(url, title) for url in wanted["images"]])
            if "attributes" in wanted:
                wanted["attributes"] = codec.text(wanted["attributes"])
            if not await db.fetchval(queries.change_product, product_id, *(standing | wanted).values()):
                return
            if before is not None and _listing(before).mark != seen:
                raise Stale("This listing was changed meanwhile.")
            await db.execute(queries.tell, [product_id])
        await self._changes.clear_caches([product_id])


async def _listed_before(db: PoolConnectionProxy, seller_id: SellerId, key: str, content: bytes) -> Listed:
    row: Any = await db.fetchrow(queries.listed_by_key, seller_id, key)
    if row["content"] != content:
        raise KeyReused
    return Listed(ProductId(row["product_id"]), SkuId(row["sku_id"]), OfferId(row["offer_id"]))


async def _insert(
    db: PoolConnectionProxy,
    seller_id: SellerId,
    seller_name: str,
    product: NewProduct,
    quantity: int | None,
    listed: Listed,
    category_id: CategoryId,
) -> None:
    images = [Image(url, product.title) for url in product.images]
    try:
        await db.execute(
            queries.add_product,
            listed.product_id,
            seller_id,
            product.external_id,
            *texts_of(product).values(),
            category_id,
            codec.text(product.attributes),
            product.tags,
            codec.text(images or [drawn_image(listed.product_id, product.title)]),
            clock.now(),
        )
    except asyncpg.UniqueViolationError:
        raise Invalid("You have a product with this external id.", pointer="/external_id") from None
    await db.execute(queries.add_sku, listed.sku_id, listed.product_id)
    await db.execute(
        queries.add_offer,
        listed.offer_id,
        listed.sku_id,
        listed.product_id,
        seller_id,
        seller_name,
        product.price,
        product.currency,
        product.status,
        bool(quantity),
    )


def _listing(row: Any) -> Listing:
    return Listing(
        mark=fingerprint(dict(row)).hex(),
        **{name: row[name] for name in TEXTS},
        category=row["category"],
        attributes=codec.decode(row["attributes"], dict[str, Attribute]),
        images=[image.url for image in codec.decode(row["images"], list[Image])],
    )
