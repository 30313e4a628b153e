"""What operators do about products: finding them, taking them off sale, moving them to another category."""

from typing import Any

import asyncpg
from msgspec import UNSET

from mercat import ids
from mercat.catalog.categories import Categories
from mercat.catalog.changes import Changes
from mercat.catalog.messages import AnyProduct, AnyProductStatus, Moderation, TitleWords
from mercat.ids import ProductId, SellerId
from mercat.kit import clock, sql
from mercat.kit.refusals import Invalid, NotFound

queries = sql.load("mercat.catalog")


class Moderating:
    def __init__(self, db: asyncpg.Pool, categories: Categories, changes: Changes) -> None:
        self._db = db
        self._categories = categories
        self._changes = changes

    async def find_products(
        self,
        words: TitleWords = "",
        status: AnyProductStatus | None = None,
        seller_id: SellerId | None = None,
        before: ProductId | None = None,
        limit: int = 50,
    ) -> list[AnyProduct]:
        """Find products of all sellers, the newest first: those with these words in the title, or the one
        with this id or external id."""
        try:
            found = await self._db.fetch(queries.any_product, ids.parse(ProductId, words.strip()))
            return [] if before else sql.rows(AnyProduct, found)
        except ValueError:
            pass
        if status == "hidden":
            rows = await self._db.fetch(
                queries.hidden_products, words.lower().split(), words.strip(), seller_id, before, limit
            )
        else:
            asked = (words.lower().split(), words.strip(), status, seller_id, before, limit)
            rows = await self._db.fetch(queries.any_products, *asked)
        return sql.rows(AnyProduct, rows)

    async def found_product(self, product_id: ProductId) -> AnyProduct:
        """Return a product as operators see it, whatever became of it."""
        row = await self._db.fetchrow(queries.any_product, product_id)
        if row is None:
            raise NotFound("There is no such product.")
        return sql.row(AnyProduct, row)

    async def count_hidden(self) -> int:
        """Count the products that are hidden."""
        return await self._db.fetchval(queries.count_hidden)

    async def moderate(self, product_id: ProductId, change: Moderation) -> AnyProduct:
        """Hide a product, show it again, or move it; known everywhere at once. Again it changes nothing.

        Invalid where it is hidden without a reason, CategoryUnknown, NotFound."""
        given: Any = change.category
        category_id = None if given is UNSET else await self._categories.id_of(given)
        if change.hidden and not change.reason:
            raise Invalid("Say why: its seller reads it.", pointer="/reason")
        async with self._db.acquire() as db, db.transaction():
            if not await db.fetch(queries.lock, [product_id]):
                raise NotFound("There is no such product.")
            hidden = None if change.hidden is UNSET else change.hidden
            if await db.fetchval(
                queries.moderate, product_id, hidden, change.reason, clock.now(), category_id
            ):
                await db.execute(queries.tell, [product_id], clock.now())
        await self._changes.clear_caches([product_id])
        return await self.found_product(product_id)
