"""What is begun about an order besides its purchase: parcels, cancellations, refunds, returns.

Each is begun durably under a reference before anything is decided, and is run again until it is closed, every
step idempotent by the reference. Several may be at one at a time: who asks twice, two who decide, recovery.
"""

from datetime import timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

import asyncpg

from mercat.ids import OrderId
from mercat.kit import clock, codec, sql
from mercat.settings import Settings

queries = sql.load("mercat.checkout")


class Begun(NamedTuple):
    """What somebody is at. `turn`: how many have been, so that who came before the last does not close it;
    `alone`: nobody else was at it when this turn came."""

    reference: str
    turn: int
    alone: bool = True


class Undoing:
    """The table of what is begun. What breaks off is taken up after a lease."""

    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._lease = timedelta(seconds=settings.lease_s)

    async def begin(self, reference: str, order_id: OrderId, record: Any) -> Begun:
        """Begin it, or join who is at it already, whose record stays; what was closed is begun anew."""
        begun, _ = await self.join(reference, order_id, codec.text(record), anew=True)
        return begun

    async def join(
        self, reference: str, order_id: OrderId, record: str, *, anew: bool = False
    ) -> tuple[Begun, str]:
        """Begin it, or join it with the record that it was first begun with, also where it was closed; with
        `anew` that of what was closed is written over."""
        until = clock.now() + self._lease
        row: Any = await self._db.fetchrow(queries.undoing_begin, reference, order_id, record, until, anew)
        return Begun(reference, row["turn"], row["alone"]), row["record"]

    async def known(self, reference: str) -> str | None:
        """Look up the record under a reference, None where nothing was ever begun."""
        return await self._db.fetchval(queries.undoing_record, reference)

    async def done(self, begun: Begun) -> None:
        """Close it, unless another has come since: that one does."""
        await self._db.execute(queries.undoing_done, begun.reference, begun.turn, clock.now())

    async def refused(self, begun: Begun) -> None:
        """Close what the order's row does not allow, unless another was at it, or has come since.

        Who is refused cannot know what the other is about to decide; were that one to die then, nobody
        would carry it on. So it stays open, and recovery asks the row once more."""
        if begun.alone:
            await self.done(begun)


def number_of(order_id: OrderId, *what: object) -> int:
    """Make the number under which an ask is begun that is the same when it comes again."""
    text = "/".join(map(str, (int(order_id), *what)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1
