"""The event log in PostgreSQL: the table `events.log`, in the order of all commits. It is partition 0."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress

import asyncpg

from mercat.kit import metrics, sql
from mercat.kit.event_log import BATCH_MAX, GATHER_S, LoggedEvent, Places, Position, Reading, RecentEvents
from mercat.kit.wal import WalEvent, lsn_of, shown, wait

queries = sql.load("mercat.kit")
PARTITION = 1_000_000
_PLAINLY = 8_160
"""Bytes of a row up to which it is stored as it is. Most orders are told in more than the 2 kB beyond which
PostgreSQL compresses, by a method that costs more time than the room is worth."""
_WAITS_S = 1.0
"""For who may have missed that the log has grown, twice so long."""


class LogClosed(ConnectionError):
    """The log of this shop goes on in Kafka: set `MERCAT_KAFKA_URL` here too."""


class KafkaUnread(ConnectionError):
    """The log came back from Kafka, which was not read to its end yet: set `MERCAT_KAFKA_URL` and
    `MERCAT_LOG_BACK=true` until it is."""


class Notifier:
    """Tells followers that the log has grown, and how far."""

    def __init__(self) -> None:
        self.last_id = 0
        self._grown: asyncio.Event = asyncio.Event()

    def ring(self, last_id: int) -> None:
        """Wake whoever waits: the log has grown up to this id."""
        self.last_id = last_id
        self._grown.set()
        self._grown = asyncio.Event()

    async def beyond(self, position: int, seconds: float) -> bool:
        """Wait until the log has grown beyond a position, at most so long; say whether it has."""
        if self.last_id <= position:
            await wait(self._grown, seconds)
        return self.last_id > position


class PostgresLog:
    """The log of a process, and what its relay leaves for the followers beside it.

    `source`: the database that its relay reads, where there are several. Then the log gives the numbers, for
    all of them append."""

    gather_s = GATHER_S / 2

    def __init__(self, db: asyncpg.Pool, notifier: Notifier | None = None, source: str = "") -> None:
        self.db = db
        self.notifier = notifier or Notifier()
        self.recent = RecentEvents()
        self._source = source
        self._partitions: set[int] = set()

    def of(self, source: str) -> "PostgresLog":
        """Return the same log for the relay of another database."""
        same = PostgresLog(self.db, self.notifier, source)
        same.recent = self.recent
        return same

    async def reached(self) -> Position:
        """Return what the log holds already."""
        asked = (queries.relayed_of, self._source) if self._source else (queries.relayed,)
        commit, facts, last_id, closed = await self.db.fetchrow(*asked) or ("0/0", 0, 0, None)
        if closed is not None:
            raise LogClosed(LogClosed.__doc__)
        return Position(lsn_of(commit), facts, last_id)

    async def append(self, facts: Sequence[WalEvent], reached: Position) -> Position:
        """Append events, and wake the followers."""
        first, last = reached.last_id + 1, facts[-1]
        last_id = reached.last_id + len(facts)
        await self.make_partitions(first)  # a log that came back from Kafka goes on far behind its end
        await self.make_partitions(last_id)
        kinds, bodies = [fact.kind for fact in facts], [fact.body for fact in facts]
        if self._source:
            commit = shown(last.commit)
            last_id = await self.db.fetchval(
                queries.append_of, self._source, kinds, bodies, commit, last.number
            )
            self.recent.append(last_id - len(facts) + 1, facts)
            self.notifier.ring(max(self.notifier.last_id, last_id))
            return Position(last.commit, last.number, last_id)
        ids = list(range(first, last_id + 1))
        await self.db.execute(queries.append, ids, kinds, bodies, shown(last.commit), last.number, last_id)
        self.recent.append(first, facts)
        self.notifier.ring(last_id)
        return Position(last.commit, last.number, last_id)

    async def tidy(self, followers: Collection[str]) -> None:
        """Drop the partitions of the table that these followers have passed, and forget a log in Kafka that
        came back and that they have read."""
        await drop_partitions(self.db, followers)
        _, ends, _ = await self.db.fetchrow(queries.ends_of_logs) or (None, None, 0)
        if ends is not None and not await self.db.fetch(queries.who_reads_kafka, list(followers)):
            await self.db.execute(queries.forget_kafka)

    def reader(self, follower: str, kinds: Collection[str]) -> "PostgresReader":
        """Make the reader of a follower."""
        return PostgresReader(self, follower, kinds)

    async def make_partitions(self, up_to: int) -> None:
        """Make the partition of id `up_to`, and the next one."""
        for number in (up_to // PARTITION, up_to // PARTITION + 1):
            if number not in self._partitions:
                low, high = number * PARTITION, (number + 1) * PARTITION
                with suppress(asyncpg.DuplicateTableError, asyncpg.UniqueViolationError):  # another relay's
                    await self.db.execute(
                        f"create table if not exists events.log_{number:06d} partition of events.log "
                        f"for values from ({low}) to ({high}) with (toast_tuple_target = {_PLAINLY})"
                    )
                self._partitions.add(number)


class PostgresReader:
    """Reads from what the relay has left in this process, or from the table."""

    def __init__(self, log: PostgresLog, follower: str, kinds: Collection[str]) -> None:
        self._log = log
        self._lag = metrics.follower_lag.labels(follower)
        self._kinds = frozenset(kinds)

    async def open(self, places: Places) -> None:
        """Refuse to pass over what stands in Kafka still. Who has never read anything begins here."""
        _, ends, base = await self._log.db.fetchrow(queries.ends_of_logs) or (None, None, 0)
        if places and any(end > places.get(base + n, 0) for n, end in enumerate(ends or (), 1)):
            raise KafkaUnread(KafkaUnread.__doc__)

    async def after(self, places: Places, last: int | None = None) -> Reading | None:
        """Return what is next, up to a batch, and to `last` where another log goes on there."""
        position = places.get(0, 0)
        held = self._log.recent.after(position) if last is None else None
        if held:
            rows, to = [row for row in held if row.kind in self._kinds], held[-1].number
            ended = to == self._log.recent.last
            self._lag.set(self._log.recent.last - position)
        else:
            rows, to = await self._from_table(position, last)
            if to <= position:
                return None
            ended = len(rows) < BATCH_MAX
        return Reading(rows, {0: to}, self._log.notifier.last_id - to >= BATCH_MAX, ended)

    async def grown(self, places: Places) -> bool:
        """Wait until the relay says that there is more, for a second at most."""
        place, notifier = places.get(0, 0), self._log.notifier
        if notifier.last_id > place:
            return True
        grown = await notifier.beyond(place, _WAITS_S)
        await asyncio.sleep(GATHER_S)
        return grown

    def close(self) -> None:
        """Nothing is open."""

    async def _from_table(self, position: int, end: int | None) -> tuple[list[LoggedEvent], int]:
        _, _, written, _ = await self._log.db.fetchrow(queries.relayed) or ("", 0, 0, None)
        last: int = written if end is None else end
        self._lag.set(last - position)
        if last <= position:
            return [], last
        found = await self._log.db.fetch(queries.read_on, position, last, [*self._kinds], BATCH_MAX)
        rows = [LoggedEvent(row["id"], row["kind"], row["body"], 0, row["id"]) for row in found]
        return rows, rows[-1].number if len(rows) == BATCH_MAX else last


async def drop_partitions(db: asyncpg.Pool, followers: Collection[str]) -> None:
    """Drop the partitions that all these followers have passed: every one of the shop, also those that run in
    another process or have not begun."""
    slowest = await db.fetchval(queries.slowest, list(followers))
    for row in await db.fetch(queries.partitions):
        if (int(row["name"].removeprefix("log_")) + 1) * PARTITION <= slowest:
            await db.execute(f"drop table events.{row['name']}")
