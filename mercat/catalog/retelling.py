"""Products that are told again because their category or seller changed: in batches, each its own commit."""

import asyncio

import asyncpg

from mercat.kit import sql

queries = sql.load("mercat.catalog")
_AT_ONCE = 500
_IDLE_S = 1
AT_FIRST = 4
"""Batches that who makes a change tells before they are answered; the others follow in the background."""


class Retelling:
    """Work off what the tables of categories and sellers ask to be told again, whoever wrote it there."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def tell_some(self, batches: int) -> bool:
        """Tell at most so many batches; answer whether there may be more."""
        for _ in range(batches):
            if not await self._tell_batch():
                return False
        return True

    async def keep_retelling(self) -> None:
        """Tell all there is, then look again in a moment: for the back process."""
        if not await self.tell_some(AT_FIRST):
            await asyncio.sleep(_IDLE_S)

    async def _tell_batch(self) -> bool:
        async with self._db.acquire() as db, db.transaction():
            work = await db.fetchrow(queries.next_retelling)
            if work is None:
                return False
            products = queries.of_category if work["kind"] == "category" else queries.sold_by
            rows = await db.fetch(products, work["id"], work["after"], _AT_ONCE)
            found = [row["product_id"] for row in rows]
            if found:
                await db.execute(queries.tell, found)
            if len(found) == _AT_ONCE:
                await db.execute(queries.retold, work["kind"], work["id"], found[-1])
            else:
                await db.execute(queries.retold_all, work["kind"], work["id"])
        return True
