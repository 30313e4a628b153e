"""The number of a worker, leased in PostgreSQL, which no other worker puts into its ids.

All processes of a shop lease from one table, wherever their own data are (`MERCAT_IDS_URL`)."""

import asyncio
import time
import uuid
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from mercat import ids
from mercat.kit import sql
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Unavailable

queries = sql.load("mercat.kit")
log = structlog.get_logger("mercat.worker_ids")
_LEASED_S = 55
"""A lease is a minute; ours ends a little earlier, for clocks that do not run alike."""
_KEPT_EVERY_S = 15
_LOOKS_EVERY_S = 0.5
"""Whether a jump of the clock ended the lease, as where a machine slept: nothing is sold until then."""


class WorkerLease:
    """The lease of one of 256 worker numbers, for a minute at a time."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self.db = db
        self._holder = uuid.uuid4().hex
        self._maker: ids.IdMaker | None = None
        self._asked_ns = 0

    @property
    def number(self) -> int:
        """The number that is leased now, or was last."""
        return self._maker.worker if self._maker else -1

    async def take(self) -> int:
        """Take a number that nobody holds, and make ids with it from now on."""
        asked = time.monotonic_ns()
        number = await self.db.fetchval(queries.lease_number, self._holder)
        if number is None:
            raise Unavailable("All 256 worker numbers are taken.")
        former, self._maker = self._maker, ids.work_as(number)
        if former:
            ids.stop(former)
        self._good_from(asked, 0)
        return number

    async def keep(self) -> None:
        """Renew the lease for ever; take another number if this one was lost while the database was away."""
        assert self._maker
        due = time.monotonic() + _KEPT_EVERY_S
        while True:
            await asyncio.sleep(_LOOKS_EVERY_S)
            now = time.monotonic()
            if now < due and not self._maker.lapsed:
                continue
            due = now + _KEPT_EVERY_S
            try:
                await self.renew()
            except (*AWAY, Unavailable):
                continue

    async def renew(self) -> None:
        """Prolong the lease; where somebody else has the number by now, take another."""
        assert self._maker
        asked, spent = time.monotonic_ns(), self._maker.spent_until_ms
        kept = await self.db.fetchval(queries.keep_number, self._holder, self.number, _moment(spent))
        if kept is None:
            log.warning("the lease of a worker number was lost; another one is taken", number=self.number)
            await self.take()
        else:
            self._good_from(asked, spent)

    async def hand_back(self) -> None:
        """Free the number for the next worker; this process makes no more ids with it."""
        if self._maker:
            ids.stop(self._maker)
            spent = _moment(self._maker.spent_until_ms)
            await self.db.execute(queries.hand_back_number, self._holder, self.number, spent)

    def _good_from(self, asked_ns: int, spent_ms: int) -> None:
        """Note that the lease began anew when it was asked for, at the latest."""
        assert self._maker
        self._asked_ns = asked_ns
        since_ms = (time.monotonic_ns() - asked_ns) / 1e6
        begins_ms = max(time.time() * 1_000 - since_ms, spent_ms)
        self._maker.lapse(begins_ms + _LEASED_S * 1_000, asked_ns + _LEASED_S * 10**9)


def _moment(spent_ms: int) -> datetime:
    """Return the first moment after an id of this time."""
    return datetime.fromtimestamp(spent_ms / 1_000, UTC) + timedelta(milliseconds=1)
