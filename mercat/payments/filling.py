"""The lines of what an earlier release captured and paid back: written once, some payments at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import asyncpg

from mercat.ids import OrderId, SellerId
from mercat.kit import clock, sql
from mercat.payments.earnings import book_captures, book_refunds
from mercat.settings import Settings

queries = sql.load("mercat.payments")
_AT_ONCE = 500
_REST_S = 600
EndedParts = Callable[[list[OrderId]], Awaitable[list[tuple[OrderId, SellerId, str]]]]
"""Says of orders which sellers' parts are delivered or cancelled."""


class Filling:
    """Brings a shop of an earlier release up to date: its sellers get the lines of their accounts."""

    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._hold = timedelta(days=settings.payout_hold_days)

    async def keep_filling(self, ended_parts: EndedParts) -> None:
        """Write lines until none are missing; then rest."""
        while await self.fill(ended_parts):
            pass
        await asyncio.sleep(_REST_S)

    async def fill(self, ended_parts: EndedParts) -> bool:
        """Write the lines of the next payments; False once there are none. What arrived is held as if it had
        arrived now, for payments do not know when it did."""
        after = await self._db.fetchval(queries.filled_until)
        if after is None:
            return False
        rows = await self._db.fetch(queries.payments_to_fill, after, _AT_ONCE)
        orders = sorted({OrderId(row["order_id"]) for row in rows})
        ended = await ended_parts(orders) if orders else []
        now = clock.now()
        due = {"delivered": now + self._hold, "cancelled": now}
        parts = [(order_id, seller_id, due[status]) for order_id, seller_id, status in ended]
        undone = [row["order_id"] for row in rows if row["is_undone"]]
        last = rows[-1]["payment_id"] if rows else after
        async with self._db.acquire() as db, db.transaction():
            await book_captures(db, [row["checkout_id"] for row in rows])
            await book_refunds(db, orders)
            await db.execute(queries.release_orders, undone, now)
            await db.execute(queries.release_parts, *sql.columns(parts, 3))
            await db.execute(queries.set_filled, after, last, len(rows) < _AT_ONCE)
        return len(rows) == _AT_ONCE
