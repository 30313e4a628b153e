"""What recovery has given up, until an operator has mended what was in the way."""

import asyncpg

from mercat.checkout.messages import PARKED_MAX, Parked, ParkedKind, ParkedSort
from mercat.ids import OrderId
from mercat.kit import clock, codec, sql
from mercat.kit.refusals import NotFound

queries = sql.load("mercat.checkout")
TRIES_MAX = 20
"""So often recovery tries, at the pace of leases, before it parks: five minutes."""
_DIGITS_MAX = 18


class ParkedWork:
    """Purchases, cancellations, returns and parcels that wait for an operator."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def parked(
        self,
        kind: ParkedKind | None = None,
        sort: ParkedSort = "since",
        after: str = "",
        limit: int = PARKED_MAX,
    ) -> list[Parked]:
        """List what recovery has given up, the oldest first or as asked; `after`: the cursor of the last."""
        key, _, reference = after.partition("~")
        known = key.removeprefix("-")
        way = -1 if sort.startswith("-") else 1
        rows = await self._db.fetch(
            queries.parked,
            kind,
            sort.removeprefix("-"),
            way,
            int(key) if known.isascii() and known.isdigit() and len(known) <= _DIGITS_MAX else None,
            reference,
            limit,
        )
        return [
            sql.row(Parked, {**row, "order_id": row["order_id"] or codec.decode(row["text"], OrderId)})
            for row in rows
        ]

    async def parked_counts(self) -> dict[str, int]:
        """Count what recovery has given up, by kind."""
        return {row["kind"]: row["parked"] for row in await self._db.fetch(queries.parked_counts)}

    async def retry(self, reference: str) -> None:
        """Hand parked work back to recovery, which takes it up at once."""
        kind, _, number = reference.partition("/")
        if not number.isdigit() or len(number) > 19:
            raise NotFound("Nothing of this name is parked.")
        if kind == "buy":
            done = await self._db.execute(queries.unpark, int(number), clock.now())
        else:
            done = await self._db.execute(queries.undoing_unpark, reference, clock.now())
        if done == "UPDATE 0":
            raise NotFound("Nothing of this name is parked.")
