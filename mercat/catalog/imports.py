"""Taking batches of products from elsewhere into the catalogue, by their external ids."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import asyncpg

from mercat import ids
from mercat.catalog.categories import Categories
from mercat.catalog.messages import Image, Imported, ImportRow, texts_of
from mercat.catalog.rules import drawn_image, fingerprint, kept_texts, key_of
from mercat.events import StockQuantity
from mercat.ids import CategoryId, OfferId, ProductId, SellerId, SkuId
from mercat.kit import clock, codec, sql
from mercat.settings import Settings

queries = sql.load("mercat.catalog")
_ROLLED_BACK_TRIES = 20


class _Staged(NamedTuple):
    """A batch as the temporary tables of an import take it."""

    known: list[int]
    """Ids of products that are there already."""
    products: list[tuple[Any, ...]]
    offers: list[tuple[Any, ...]]
    quantities: dict[int, int]
    """By the id that each offer gets if it is new."""


class Imports:
    """Take batches: one commit each, with the facts that tell of it."""

    def __init__(self, db: asyncpg.Pool, categories: Categories, settings: Settings) -> None:
        self._db = db
        self._categories = categories
        self._currency = settings.currency

    async def take(
        self, rows: list[ImportRow], seller_id: SellerId, seller_name: str, stock: StockQuantity
    ) -> Imported:
        """Add or change a seller's products; the same rows again change nothing.

        `stock`: the units of each new offer whose row does not say. The commit also tells OffersListed with
        the units of all new offers, which brings them to the shelves whatever becomes of the caller."""
        unique = {row.external_id: row for row in rows}
        found = await self._db.fetch(queries.known, seller_id, list(unique))
        known = {row["external_id"]: (ProductId(row["product_id"]), row["content"]) for row in found}
        contents = {external_id: fingerprint(row) for external_id, row in unique.items()}
        work = [
            row
            for external_id, row in unique.items()
            if external_id not in known or known[external_id][1] != contents[external_id]
        ]
        unchanged = len(unique) - len(work)
        if not work:
            return Imported(unchanged=unchanged)
        categories = await self._categories.ids_of({tuple(row.category_path) for row in work})
        offers = [offer for row in work for offer in self._offers(row, seller_id, seller_name, stock)]
        staged = _Staged(
            [known[row.external_id][0] for row in work if row.external_id in known],
            [_product(row, seller_id, categories, known, contents[row.external_id]) for row in work],
            [columns for columns, _ in offers],
            {columns[0]: quantity for columns, quantity in offers},
        )
        added = sum(1 for row in work if row.external_id not in known)
        reference = f"import/{int(offers[0][0][0])}"
        delivery = await self._commit(staged, reference, seller_id)
        return Imported(added, len(work) - added, unchanged, reference, delivery)

    async def _commit(self, staged: _Staged, reference: str, seller_id: SellerId) -> dict[OfferId, int]:
        for tried in range(1, _ROLLED_BACK_TRIES + 1):
            try:
                return await self._commit_once(staged, reference, seller_id)
            except (asyncpg.TransactionRollbackError, asyncpg.UniqueViolationError):
                # A deadlock with a follower, or somebody took a SKU meanwhile: nothing happened.
                if tried == _ROLLED_BACK_TRIES:
                    raise
        raise AssertionError("unreachable")

    async def _commit_once(self, staged: _Staged, reference: str, seller_id: SellerId) -> dict[OfferId, int]:
        """Write what is new or changed with the facts that tell it; answer the units of new offers."""
        async with self._db.acquire() as db, db.transaction():
            await db.execute(queries.lock, staged.known)
            await db.execute(queries.stage)
            await db.execute(queries.stage_offers)
            await db.copy_records_to_table("staged_product", records=staged.products)
            await db.copy_records_to_table("staged_offer", records=staged.offers)
            touched = [row["product_id"] for row in await db.fetch(queries.take_products)]
            await db.execute(queries.take_skus, touched)
            new = [row["offer_id"] for row in await db.fetch(queries.take_offers, touched) if row["added"]]
            await db.execute(queries.tell, touched)
            delivery = {
                OfferId(offer_id): staged.quantities[offer_id]
                for offer_id in new
                if staged.quantities[offer_id]
            }
            if delivery:
                columns = list(delivery), list(delivery.values())
                await db.execute(queries.tell_stock, reference, seller_id, *columns)
        return delivery

    def _offers(
        self, row: ImportRow, seller_id: SellerId, seller_name: str, stock: int
    ) -> list[tuple[tuple[Any, ...], int]]:
        """Make the offers of a row: each as it is staged, and its units."""
        made: list[tuple[tuple[Any, ...], int]] = []
        for place, variant in enumerate(row.variants):
            quantity = stock if variant.quantity is None else variant.quantity
            for_sale = row.status == "active" and variant.price > 0 and row.currency == self._currency
            columns = (
                ids.new(OfferId),
                ids.new(SkuId),
                seller_id,
                seller_name,
                row.external_id,
                key_of(variant),
                place,
                codec.text(variant.options),
                variant.gtin,
                variant.weight_g,
                codec.text([Image(url, row.title) for url in variant.images]),
                variant.price,
                variant.compare_at_price,
                row.currency,
                variant.sku,
                "active" if for_sale else "draft",
                quantity > 0,
                int(quantity > 0),
            )
            made.append((columns, quantity))
        return made


def _product(
    row: ImportRow,
    seller_id: SellerId,
    categories: Mapping[tuple[str, ...], CategoryId],
    known: Mapping[str, tuple[ProductId, bytes | None]],
    content: bytes,
) -> tuple[Any, ...]:
    product_id = known[row.external_id][0] if row.external_id in known else ids.new(ProductId)
    texts = kept_texts(row)
    images = [Image(url, texts.title) for url in row.images] or [drawn_image(product_id, texts.title)]
    return (
        product_id,
        seller_id,
        row.external_id,
        *texts_of(texts).values(),
        categories[tuple(row.category_path)],
        codec.text(row.attributes),
        codec.text(row.options),
        row.tags,
        codec.text(images),
        row.rating,
        row.review_count,
        row.histogram,
        row.popularity,
        content,
        row.released or clock.now(),
    )
