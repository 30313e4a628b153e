import asyncpg

from mercat.ids import ProductId, UserId
from mercat.kit import clock, sql
from mercat.wishlist.messages import Item, WishlistFull

queries = sql.load("mercat.wishlist")


class Wishlist:
    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def items(self, user_id: UserId) -> list[Item]:
        """List everything a person keeps, the newest first: at most 1,000."""
        return sql.rows(Item, await self._db.fetch(queries.items, user_id))

    async def put(self, user_id: UserId, product_id: ProductId) -> None:
        """Keep a product; once more changes nothing. Refuses: wishlist_full."""
        try:
            await self._db.execute(queries.put, user_id, product_id, clock.now())
        except asyncpg.CheckViolationError:
            raise WishlistFull from None

    async def drop(self, user_id: UserId, product_id: ProductId) -> None:
        """Remove a product, whether it was kept or not."""
        await self._db.execute(queries.drop, user_id, product_id)
