import asyncpg

from mercat.events import AccountErased
from mercat.ids import ProductId, UserId
from mercat.kit import clock, sql
from mercat.kit.event_log import on
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

    async def adopt(self, guest_id: UserId, user_id: UserId) -> None:
        """Move what a guest keeps to a person's list, as much as fits; once more changes nothing."""
        async with self._db.acquire() as db, db.transaction():
            await db.execute(queries.lock_list, user_id)
            await db.execute(queries.adopt, guest_id, user_id)

    @on(AccountErased)
    async def forget_people(self, db: asyncpg.Connection, events: list[AccountErased]) -> None:
        """Empty the lists of people who are to be forgotten."""
        await db.execute(queries.forget_people, [person for event in events for person in event.people])

    async def drop(self, user_id: UserId, product_id: ProductId) -> None:
        """Remove a product, whether it was kept or not."""
        await self._db.execute(queries.drop, user_id, product_id)
