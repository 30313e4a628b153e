"""Reads on databases that follow the shop's own: from one of these where it has what the reader must see.

How far each has come is asked four times a second. What was written since is asked of the shop's own, as is
everything while none is near enough.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import asyncpg
import structlog

from mercat.kit import sql
from mercat.kit.db_errors import AWAY

queries = sql.load("mercat.kit")
log = structlog.get_logger("mercat.replicas")
LATE_S = 1.0
"""A replica that lacks what was there before that is left out."""
ONLY_PRIMARY = 1 << 63
"""A place that no replica has reached."""
_EVERY_S = 0.25
_ANSWERS_WITHIN_S = 0.5
_READS_WITHIN_S = 1.0
_KNOWN_FOR_S = 2.0
"""How long it is believed how far the primary was when it said so last."""


class ReplicaAccess(NamedTuple):
    """How to reach a database that follows."""

    db: asyncpg.Pool
    connect: Callable[[], Awaitable[asyncpg.Connection]]
    """Opens a connection of one's own: readers may have all of the pool's."""


class Replica:
    """A database that follows, and the place in the write-ahead log that it has reached."""

    def __init__(self, access: ReplicaAccess) -> None:
        self._access = access
        self._looking: asyncpg.Connection | None = None
        self.reached = -1
        """-1: it cannot be asked."""

    async def look(self) -> None:
        """Ask it how far it has come."""
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                if self._looking is None:
                    self._looking = await self._access.connect()
                reached = await self._looking.fetchval(queries.wal_reached)
        except (*AWAY, asyncpg.PostgresError):
            self.close()
            reached = None
        self.reached = -1 if reached is None else reached

    async def fetch(self, statement: str, *args: Any, within_s: float) -> list[asyncpg.Record] | None:
        """Read rows; None where it does not answer in time, and it is not asked again until it says how far
        it is.

        A connection that hangs is not handed back before it has heard that nobody waits any more: that is not
        waited for."""
        reading = asyncio.ensure_future(self._access.db.fetch(statement, *args))
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(reading)
        except (*AWAY, asyncpg.PostgresError) as error:  # also a query that stood in the way of replay
            self.reached = -1
            log.warning("a replica did not answer", reason=repr(error)[:100])
            return None
        finally:
            if not reading.done():
                reading.cancel()

    def close(self) -> None:
        """Let go of the connection that looks."""
        if self._looking:
            self._looking.terminate()
            self._looking = None


class Replicas:
    """The shop's own database, and those that follow it; there may be none."""

    def __init__(self, primary: asyncpg.Pool, followers: Sequence[ReplicaAccess] = ()) -> None:
        self._primary = primary
        self._followers = [Replica(each) for each in followers]
        self._written: deque[tuple[float, int]] = deque()
        """How far the primary had come, and when, since somewhat longer than `LATE_S`."""
        self.own = 0
        """What this process wrote last: it sees that itself."""

    @property
    def late_s(self) -> float:
        """How old at most is what a reader sees who asks for nothing newer."""
        return LATE_S if self._followers else 0.0

    async def written(self) -> int:
        """Return a place that whoever reads a change of just now must see; 0 where nobody follows."""
        if not self._followers:
            return 0
        try:
            self.own = max(self.own, await self._primary.fetchval(queries.wal_written))
        except AWAY:
            return ONLY_PRIMARY
        return self.own

    async def keep_looking(self) -> None:
        """Ask all how far they have come: a duty of each process that reads, where any follow."""
        await asyncio.gather(self._note_written(), *(each.look() for each in self._followers))
        await asyncio.sleep(_EVERY_S)

    async def close(self) -> None:
        """Let go of the connections that look."""
        for each in self._followers:
            each.close()

    async def _note_written(self) -> None:
        """Note how far the primary is."""
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                self._written.append((now, await self._primary.fetchval(queries.wal_written)))
        except (*AWAY, asyncpg.PostgresError) as error:
            log.warning("the primary does not say how far it is", reason=repr(error)[:100])
        while len(self._written) > 1 and self._written[1][0] < now - LATE_S + _EVERY_S:
            self._written.popleft()

    async def fetch(
        self, statement: str, *args: Any, seen: int = 0, within_s: float = _READS_WITHIN_S
    ) -> list[asyncpg.Record]:
        """Read rows, as they were at this place in the log or later; from the primary, where a replica does
        not answer within so long."""
        rows, _ = await self._fetch(statement, args, seen, within_s)
        return rows

    async def fetch_row(
        self, statement: str, row_id: int, *args: Any, seen: int = 0
    ) -> asyncpg.Record | None:
        """Read the row of an id; one that a replica does not know yet from the primary."""
        rows, from_primary = await self._fetch(statement, (row_id, *args), seen)
        if not rows and not from_primary:
            rows = await self._primary.fetch(statement, row_id, *args)
        return rows[0] if rows else None

    async def fetch_all(
        self, statement: str, ids: Sequence[int], *args: Any, key: str, seen: int = 0
    ) -> list[asyncpg.Record]:
        """Read a row for each id; those that a replica does not know yet from the primary."""
        rows, from_primary = await self._fetch(statement, (ids, *args), seen)
        missing = [] if from_primary else list({*ids} - {row[key] for row in rows})
        return [*rows, *await self._primary.fetch(statement, missing, *args)] if missing else rows

    async def _fetch(
        self, statement: str, args: Sequence[Any], seen: int, within_s: float = _READS_WITHIN_S
    ) -> tuple[list[asyncpg.Record], bool]:
        """Read rows, and say whether they are the primary's.

        Where it is not known how far the primary is, as it may be away from this process alone, it is asked
        first, and a replica if it is away."""
        replica = self._near(seen)
        if replica and self._knows_written():
            if (rows := await replica.fetch(statement, *args, within_s=within_s)) is not None:
                return rows, False
            replica = None
        try:
            return await self._primary.fetch(statement, *args), True
        except AWAY:
            if replica and (rows := await replica.fetch(statement, *args, within_s=within_s)) is not None:
                return rows, False
            raise

    def _near(self, seen: int) -> Replica | None:
        """Choose a replica that has all that must be seen; None where the primary is to be asked."""
        if not self._followers or not self._written:
            return None
        least = max(seen, self.own, self._written[0][1])
        near = [each for each in self._followers if each.reached >= least]
        return random.choice(near) if near else None

    def _knows_written(self) -> bool:
        return self._written[-1][0] > asyncio.get_running_loop().time() - _KNOWN_FOR_S
