"""Products that are told again because their category or seller changed: in batches, each its own commit."""

import asyncio

import asyncpg

from mercat.ids import OfferId
from mercat.kit import clock, sql

queries = sql.load("mercat.catalog")
_AT_ONCE = 500
_IDLE_S = 1
_DAY_S = 86_400
_PRUNED_AT_ONCE = 1_000
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

    async def keep_flipping(self) -> None:
        """Tell products whose sale has begun or ended, then wait for the next: for the back process."""
        if not await self.tell_flips():
            await asyncio.sleep(await self._until_flip_s())

    async def tell_flips(self) -> bool:
        """Tell a batch of products of which a sale has begun or ended; answer whether there may be more."""
        now = clock.now()
        async with self._db.acquire() as db, db.transaction():
            due = [row["product_id"] for row in await db.fetch(queries.due_flips, now, _AT_ONCE)]
            if due:
                await db.execute(queries.lock, due)
                await db.execute(queries.flipped, due, now)
                await db.execute(queries.tell, due, now)
        return bool(due)

    async def keep_pruning(self) -> None:
        """Drop former prices that no reduction can be compared with any more, then rest a day: for the back
        process."""
        after: OfferId | None = OfferId(0)
        while after is not None:
            after = await self.prune_prices(after)
        await asyncio.sleep(_DAY_S)

    async def prune_prices(self, after: OfferId) -> OfferId | None:
        """Drop them of a batch of offers; answer the last one, None after the last batch."""
        last = await self._db.fetchval(queries.prune_prices, after, clock.now(), _PRUNED_AT_ONCE)
        return None if last is None else OfferId(last)

    async def _until_flip_s(self) -> float:
        following = await self._db.fetchval(queries.next_flip)
        left = _IDLE_S if following is None else (following - clock.now()).total_seconds()
        return min(max(left, 0.0), _IDLE_S)

    async def _tell_batch(self) -> bool:
        async with self._db.acquire() as db, db.transaction():
            work = await db.fetchrow(queries.next_retelling)
            if work is None:
                return False
            products = queries.of_category if work["kind"] == "category" else queries.sold_by
            rows = await db.fetch(products, work["id"], work["after"], _AT_ONCE)
            found = [row["product_id"] for row in rows]
            if found:
                await db.execute(queries.lock, found)
                await db.execute(queries.tell, found, clock.now())
            if len(found) == _AT_ONCE:
                await db.execute(queries.retold, work["kind"], work["id"], found[-1])
            else:
                await db.execute(queries.retold_all, work["kind"], work["id"])
        return True
