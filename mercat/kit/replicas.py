"""Reads on databases that follow the shop's own: from one of these where it has what the reader must see.

How far each has come is asked four times a second. What was written since is asked of the shop's own, as is
everything while none is near enough.
"""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from typing import Any

import asyncpg
import structlog

from mercat.kit.db_errors import AWAY

log = structlog.get_logger("mercat.replicas")
LATE_S = 1.0
"""A replica that lacks what was there before that is left out."""
ONLY_PRIMARY = 1 << 63
"""A place that no replica has reached."""
_EVERY_S = 0.25
_ANSWERS_WITHIN_S = 0.5
_REACHED = "select (pg_last_wal_replay_lsn() - '0/0')::bigint where pg_is_in_recovery()"
_WRITTEN = "select (pg_current_wal_lsn() - '0/0')::bigint"


class Replica:
    """A database that follows, and the place in the write-ahead log that it has reached."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self.db = db
        self.reached = -1
        """-1: it cannot be asked."""

    async def look(self) -> None:
        """Ask it how far it has come."""
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                reached = await self.db.fetchval(_REACHED)
        except (*AWAY, asyncpg.PostgresError):
            reached = None
        self.reached = -1 if reached is None else reached


class Replicas:
    """The shop's own database, and those that follow it; there may be none."""

    def __init__(self, primary: asyncpg.Pool, followers: Sequence[asyncpg.Pool] = ()) -> None:
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
            self.own = max(self.own, await self._primary.fetchval(_WRITTEN))
        except AWAY:
            return ONLY_PRIMARY
        return self.own

    async def keep_looking(self) -> None:
        """Ask all how far they have come: a duty of each process that reads, where any follow."""
        await asyncio.gather(self._note_written(), *(each.look() for each in self._followers))
        await asyncio.sleep(_EVERY_S)

    async def _note_written(self) -> None:
        """Note how far the primary is; while it is away nothing is written, so nobody falls behind."""
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                self._written.append((now, await self._primary.fetchval(_WRITTEN)))
        except (*AWAY, asyncpg.PostgresError) as error:
            log.warning("the primary does not say how far it is", reason=repr(error)[:100])
        while len(self._written) > 1 and self._written[1][0] < now - LATE_S + _EVERY_S:
            self._written.popleft()

    async def fetch(self, statement: str, *args: Any, seen: int = 0) -> list[asyncpg.Record]:
        """Read rows, as they were at this place in the log or later."""
        if replica := self._near(seen):
            try:
                return await replica.db.fetch(statement, *args)
            except (*AWAY, asyncpg.PostgresError) as error:  # also a query that stood in the way of replay
                replica.reached = -1
                log.warning("a replica did not answer", reason=repr(error)[:100])
        return await self._primary.fetch(statement, *args)

    async def fetch_all(
        self, statement: str, ids: Sequence[int], *args: Any, key: str, seen: int = 0
    ) -> list[asyncpg.Record]:
        """Read a row for each id; those that a replica does not know yet from the primary."""
        rows = await self.fetch(statement, ids, *args, seen=seen)
        missing = list({*ids} - {row[key] for row in rows}) if self._followers else []
        return [*rows, *await self._primary.fetch(statement, missing, *args)] if missing else rows

    def _near(self, seen: int) -> Replica | None:
        """Choose a replica that has all that must be seen; None where the primary is to be asked."""
        if not self._followers or not self._written:
            return None
        least = max(seen, self.own, self._written[0][1])
        near = [each for each in self._followers if each.reached >= least]
        return random.choice(near) if near else None
