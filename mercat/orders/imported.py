"""Orders of a former shop: history to be read, which no sum, stock or payout knows."""

from typing import Any

import asyncpg
import msgspec

from mercat import ids
from mercat.ids import ImportedOrderId
from mercat.kit import codec, sql
from mercat.orders.messages import ImportedOrder, OldOrder, OldOrderLine, OldOrdersTaken

queries = sql.load("mercat.orders")


class ImportedOrders:
    """Keep what people bought before."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def take_old(self, orders: list[OldOrder]) -> OldOrdersTaken:
        """Keep orders of a former shop, each by its number; the same again changes nothing."""
        added = changed = 0
        async with self._db.acquire() as db, db.transaction():
            for order in sorted(orders, key=lambda order: order.number):
                written = await db.fetchval(
                    queries.take_old,
                    ids.new(ImportedOrderId),
                    *(getattr(order, name) for name in _PLAIN),
                    codec.text(order.address),
                    codec.text(order.lines),
                )
                added, changed = added + (written is True), changed + (written is False)
        return OldOrdersTaken(added, changed, len(orders) - added - changed)

    async def old_of(self, email: str, limit: int = 100) -> list[ImportedOrder]:
        """List what somebody with this address, which is confirmed, bought before; the newest first."""
        return [_shown(row) for row in await self._db.fetch(queries.old_of, email, limit)]

    async def find_old(
        self,
        words: str = "",
        after: ImportedOrderId | None = None,
        limit: int = 50,
    ) -> list[ImportedOrder]:
        """List imported orders, the newest first: all, or those with this number or e-mail address."""
        return [_shown(row) for row in await self._db.fetch(queries.find_old, words.strip(), after, limit)]


_PLAIN = (
    "number",
    "email",
    "placed_at",
    "status",
    "currency",
    "subtotal",
    "discount",
    "shipping",
    "tax",
    "total",
)


def _shown(row: Any) -> ImportedOrder:
    address = msgspec.json.decode(row["address"], type=dict[str, str])
    lines = codec.decode(row["lines"], list[OldOrderLine])
    return sql.row(ImportedOrder, {**row, "address": address, "lines": lines})
