"""What products on lists cost and whether they are there: noticed, and told to who keeps them."""

import asyncpg

from mercat.events import ProductChanged
from mercat.ids import ProductId, UserId
from mercat.kit import clock, sql
from mercat.kit.event_log import on
from mercat.wishlist.messages import Keepers, PriceSeen

queries = sql.load("mercat.wishlist")
KEEPERS_MAX = 500


class Watching:
    """Follows the products that are on somebody's list, and no others."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def watch(self, product_id: ProductId, seen: PriceSeen | None) -> None:
        """Begin to follow a product, from what it costs where that is known."""
        price, in_stock = (seen.price, seen.in_stock) if seen else (None, True)
        await self._db.execute(queries.watch, product_id, price, in_stock)

    @on(ProductChanged)
    async def follow_products(self, db: asyncpg.Connection, events: list[ProductChanged]) -> None:
        """Note what changed, and tell what is cheaper or there again, each at most once a day."""
        newest = {event.product_id: event for event in sorted(events, key=lambda event: event.version)}
        rows = [
            (
                event.product_id,
                event.version,
                event.document.price if event.document else None,
                event.document is not None and event.document.in_stock,
                event.document.currency if event.document else "",
            )
            for event in newest.values()
        ]
        await db.fetch(queries.product_changed, *sql.columns(rows, 5), clock.now())

    async def keepers(self, product_id: ProductId, after: int = 0, limit: int = KEEPERS_MAX) -> Keepers:
        """List some of who has a product on a list and wants to hear of it; `after` of one page asks for the
        next one. Who has it on several lists may come twice."""
        if after >= 0:
            rows = await self._db.fetch(queries.keepers, product_id, after, limit)
            people = [UserId(row["user_id"]) for row in rows]
            return Keepers(people, people[-1] if len(people) == limit else -1)
        # Below zero it is named lists: their ids, which begin at 2.
        rows = await self._db.fetch(queries.keepers_on_named, product_id, -after, limit)
        people = [UserId(row["user_id"]) for row in rows if row["alerts"]]
        return Keepers(people, -rows[-1]["wishlist_id"] if len(rows) == limit else None)
