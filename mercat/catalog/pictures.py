"""Pictures that are elsewhere: which are to be fetched, and where they are once they were."""

import asyncpg

from mercat.catalog.changes import Changes
from mercat.catalog.messages import ImageUrl, PictureElsewhere
from mercat.ids import ProductId
from mercat.kit import clock, sql

queries = sql.load("mercat.catalog")


class Pictures:
    """Know which pictures are elsewhere."""

    def __init__(self, db: asyncpg.Pool, changes: Changes) -> None:
        self._db = db
        self._changes = changes

    async def due_pictures(self, limit: int = 20) -> list[PictureElsewhere]:
        """Claim pictures that are to be fetched. One that is not settled is due again, later each time, six
        times in all: whoever claimed it may have died."""
        return sql.rows(PictureElsewhere, await self._db.fetch(queries.due_pictures, limit))

    async def picture_fetched(self, product_id: ProductId, urls: tuple[ImageUrl, ImageUrl]) -> None:
        """Show a picture of a product, and of its variants, from the shop: `urls` are where it was and where
        it is now. Again it changes nothing."""
        before, now = urls
        async with self._db.acquire() as db, db.transaction():
            await db.execute(queries.lock, [product_id])
            products = await db.fetch(queries.show_fetched, product_id, before, now)
            variants = await db.fetch(queries.show_fetched_of_variants, product_id, before, now)
            await db.execute(queries.settle_picture, product_id, before)
            if products or variants:
                await db.execute(queries.tell, [product_id], clock.now())
        await self._changes.clear_caches([product_id])

    async def picture_failed(self, product_id: ProductId, urls: tuple[ImageUrl, str], final: bool) -> None:
        """Note why a picture could not be fetched: `urls` has its address and the reason. With `final` it is
        not tried again."""
        await self._db.execute(queries.picture_failed, product_id, urls[0], urls[1][:200], final)
