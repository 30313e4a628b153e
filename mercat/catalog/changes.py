"""What changes a product from outside, and how every cache hears of any change."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from mercat import ids
from mercat.catalog.cached import CachedProducts
from mercat.catalog.retelling import AT_FIRST, Retelling
from mercat.events import ProductChanged, RatingChanged, SellerStatusChanged, StockChanged
from mercat.ids import ProductId, SellerId
from mercat.kit import clock, sql
from mercat.kit.event_log import on
from mercat.kit.valkey import Store

queries = sql.load("mercat.catalog")
log = structlog.get_logger("mercat.catalog")
CHANNEL = "mercat:product"
_TOLD_AGAIN_MAX = 500


class Changes:
    """Follow stock and ratings, and tell the caches of all processes which products changed."""

    def __init__(
        self,
        db: asyncpg.Pool,
        cache: Store,
        forget: Callable[[ProductId], None],
        retelling: Retelling,
        written: Callable[[], Awaitable[int]],
    ) -> None:
        """`written` says which place in the log whoever reads a change of just now must see."""
        self._written = written
        self._db = db
        self._kept = CachedProducts(cache)
        self._retelling = retelling
        self._cache = cache
        self._listeners: list[Callable[[ProductId], None]] = [forget]

    @on(StockChanged)
    async def follow_stock(self, db: PoolConnectionProxy, events: list[StockChanged]) -> None:
        """Note which offers came into stock or ran out, and tell their products."""
        newest = {event.offer_id: event for event in sorted(events, key=lambda event: event.version)}
        rows = [(event.offer_id, event.version, event.available) for event in newest.values()]
        await self._tell(db, await db.fetch(queries.stock_changed, *sql.columns(rows)))

    @on(RatingChanged)
    async def follow_ratings(self, db: PoolConnectionProxy, events: list[RatingChanged]) -> None:
        """Note what reviews come to, and tell their products."""
        newest = {event.product_id: event for event in sorted(events, key=lambda event: event.version)}
        rows = [
            (
                event.product_id,
                event.version,
                event.rating,
                event.review_count,
                ",".join(map(str, event.histogram)),
            )
            for event in newest.values()
        ]
        await self._tell(db, await db.fetch(queries.rating_changed, *sql.columns(rows)))

    @on(ProductChanged, outside=True)
    async def follow_products(self, events: list[ProductChanged]) -> None:
        """Have caches forget products once a change is committed, whoever made it."""
        await self.clear_caches(list({event.product_id for event in events}))

    @on(SellerStatusChanged)
    async def follow_sellers(self, db: PoolConnectionProxy, events: list[SellerStatusChanged]) -> None:
        """Put the goods of sellers on sale or off it."""
        for event in events:
            await _open_seller(db, event.seller_id, event.version, is_open=event.status == "active")

    async def open_seller(self, seller_id: SellerId, version: int, is_open: bool) -> None:
        """Put a seller's goods on sale or off it, at once; the most of many follow in the background."""
        async with self._db.acquire() as db, db.transaction():
            await _open_seller(db, seller_id, version, is_open=is_open)
        await self._retelling.tell_some(AT_FIRST)

    async def tell_again(self, product_ids: list[ProductId]) -> None:
        """Tell these products as they stand, for whoever missed it."""
        for start in range(0, len(product_ids), _TOLD_AGAIN_MAX):
            again = product_ids[start : start + _TOLD_AGAIN_MAX]
            async with self._db.acquire() as db, db.transaction():
                await db.execute(queries.lock, again)
                await db.execute(queries.tell, again, clock.now())

    async def clear_caches(self, product_ids: list[ProductId]) -> None:
        """Have every worker forget these at once; where the message is lost, they forget by age."""
        written = await self._written()
        try:
            await self._kept.clear(product_ids, written)
            await self._cache.do("PUBLISH", CHANNEL, " ".join(map(str, product_ids)))
        except Exception as error:
            log.warning("caches were not told", reason=repr(error)[:100])
        self._told(product_ids)

    def on_change(self, listener: Callable[[ProductId], None]) -> None:
        """Call back in this process when a product has changed in any."""
        self._listeners.append(listener)

    async def listen(self) -> None:
        """Receive changes of other processes, for ever. While nothing can be received, caches age by
        themselves."""
        async for message in self._cache.subscribe(CHANNEL):
            self._told([ids.parse(ProductId, each) for each in message.split()])

    def _told(self, product_ids: list[ProductId]) -> None:
        for product_id in product_ids:
            for listener in self._listeners:
                listener(product_id)

    async def _tell(self, db: PoolConnectionProxy, rows: list[Any]) -> None:
        if rows:
            await db.execute(queries.tell, [row["product_id"] for row in rows], clock.now())


async def _open_seller(db: Any, seller_id: SellerId, version: int, *, is_open: bool) -> None:
    """Note a seller's newest status, and ask for their products to be told again."""
    if await db.fetchval(queries.open_seller, seller_id, version, is_open):
        await db.execute(queries.retell_all, "seller", [seller_id])
