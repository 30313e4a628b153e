"""The number of a worker, leased in PostgreSQL, which no other worker puts into its ids."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import asyncpg

from mercat import ids
from mercat.kit import sql
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Unavailable

queries = sql.load("mercat.kit")


class WorkerLease:
    """The lease of one of 64 worker numbers, for a minute at a time."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self._holder = uuid.uuid4().hex
        self.number = -1

    async def take(self) -> int:
        """Take a number that nobody holds, and make ids with it from now on."""
        number = await self._db.fetchval(queries.lease_worker, self._holder)
        if number is None:
            raise Unavailable("All 64 worker numbers are taken.")
        self.number = number
        ids.work_as(number)
        return number

    async def keep(self) -> None:
        """Renew the lease for ever; take another number if this one was lost while the database was away."""
        while True:
            await asyncio.sleep(15)
            try:
                if await self._db.fetchval(queries.keep_worker, self._holder, self.number, _spent()) is None:
                    await self.take()
            except AWAY:
                continue

    async def hand_back(self) -> None:
        """Free the number for the next worker."""
        await self._db.execute(queries.hand_back_worker, self._holder, self.number, _spent())


def _spent() -> datetime:
    return datetime.fromtimestamp(ids.spent_until_ms() / 1000, UTC) + timedelta(milliseconds=1)
