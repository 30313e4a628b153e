"""The event log: what a transaction told reaches followers once it is committed, in the order of the commits.

A statement tells an event with `events.tell(kind, body)`, which puts it into PostgreSQL's write-ahead log: no
outbox table, and what is rolled back was never told. The relay streams the WAL through a replication
slot and appends to `events.log`; followers read on from their positions. (At scale it appends to Kafka.)
"""

import asyncio
import struct
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import asyncpg
import psycopg2
import psycopg2.extras
import structlog

from mercat.events import AnyEvent, Event
from mercat.kit import codec, metrics, sql, tracing
from mercat.kit.composition import parts_of
from mercat.kit.db_errors import AWAY

Method = TypeVar("Method", bound=Callable[..., Awaitable[None]])
queries = sql.load("mercat.kit")
log = structlog.get_logger("mercat.log")
_decoder: Any = codec.decoder(cast(type[Any], AnyEvent))
_FACTS_MAX = 2_000
_GATHER_S = 0.04  # what comes meanwhile is one batch and one commit; far inside the second that is promised
_UNHURRIED_S = 1.0
_RECENT_MAX = 6_000
_LINKED_MAX = 128
_SILENT_S = 1.0
_LOOKS_AGAIN_S = 2.0  # for who missed that the log has grown
_TRIES = 5
PARTITION = 1_000_000
SLOT = "mercat"
"""The replication slot of the relay."""


class WalEvent(NamedTuple):
    """An event as the WAL has it: the end of its commit, and its number within that commit."""

    commit: int
    number: int
    kind: str
    body: str


class Position(NamedTuple):
    """The last event of the WAL that the log holds, and its number there."""

    commit: int
    number: int
    last_id: int


class Reading(Protocol):
    """Where the relay takes events from."""

    def take(self, cursor: Any, most: int) -> list[WalEvent]: ...


class Relay:
    """Moves events from the WAL to the log. One a shop (`kit.locks`); the slot lets no second one read."""

    def __init__(
        self,
        db: asyncpg.Pool,
        replication: dict[str, Any],
        wake: "Notifier",
        slot: str = SLOT,
        recent: "RecentEvents | None" = None,
    ) -> None:
        self._db = db
        self._replication = replication
        self._notifier = wake
        self._recent = recent or RecentEvents()
        self._slot = slot
        self._partitions: set[int] = set()

    async def run(self) -> None:
        """Relay for ever; start again after any failure."""
        while True:
            try:
                await open_slot(self._db, self._slot)
                await self._stream()
            except (psycopg2.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                log.warning("the relay starts again", reason=str(error).strip()[:200])
                await asyncio.sleep(0.2)

    async def reached(self) -> "Position":
        """Return what the log holds already."""
        commit, facts, last_id = await self._db.fetchrow(queries.relayed) or ("0/0", 0, 0)
        return Position(_lsn(commit), facts, last_id)

    async def carry(self, cursor: Any, reading: "Reading", reached: "Position") -> "Position":
        """Append what has come since, once, and wake the followers; return the new position."""
        batch = reading.take(cursor, _FACTS_MAX)
        fresh = [fact for fact in batch if (fact.commit, fact.number) > (reached.commit, reached.number)]
        if not fresh:
            return reached
        if tracing.tracer is None:
            last_id = await self._append(fresh, reached.last_id)
        else:
            events = [_decoder.decode(fact.body) for fact in fresh[:_LINKED_MAX]]
            links = await tracing.where_made(tracing.orders_in(events))
            with tracing.alone("relay", tracing.SpanKind.CONSUMER, links, mercat__events=len(fresh)):
                last_id = await self._append(fresh, reached.last_id)
        metrics.facts_relayed.inc(len(fresh))
        self._recent.append(last_id - len(fresh) + 1, fresh)
        self._notifier.ring(last_id)
        return Position(fresh[-1].commit, fresh[-1].number, last_id)

    async def _stream(self) -> None:
        reached = await self.reached()
        connection: Any = await asyncio.to_thread(
            psycopg2.connect,
            connection_factory=psycopg2.extras.LogicalReplicationConnection,
            **self._replication,
        )
        try:
            cursor: Any = connection.cursor()
            cursor.start_replication(
                slot_name=self._slot,
                options={"proto_version": "1", "publication_names": "relay", "messages": "true"},
                status_interval=5,
            )
            reading = Transactions()
            while True:
                before, reached = reached, await self.carry(cursor, reading, reached)
                if reached != before:
                    await asyncio.sleep(_GATHER_S / 2)
                if reading.emptied:
                    confirmed = reading.ended if reading.inside else max(reading.ended, cursor.wal_end)
                    cursor.send_feedback(flush_lsn=confirmed)
                    if not await _readable(connection.fileno(), 2.0):
                        cursor.send_feedback(flush_lsn=confirmed, reply=True)
        finally:
            connection.close()

    async def _append(self, facts: list[WalEvent], last_id: int) -> int:
        ids = range(last_id + 1, last_id + len(facts) + 1)
        await self.make_partitions(ids[-1])
        last = facts[-1]
        kinds, bodies = [fact.kind for fact in facts], [fact.body for fact in facts]
        await self._db.execute(
            queries.append, list(ids), kinds, bodies, shown(last.commit), last.number, ids[-1]
        )
        return ids[-1]

    async def make_partitions(self, up_to: int) -> None:
        """Make the partition of id `up_to`, and the next one."""
        for number in (up_to // PARTITION, up_to // PARTITION + 1):
            if number not in self._partitions:
                low, high = number * PARTITION, (number + 1) * PARTITION
                await self._db.execute(
                    f"create table if not exists events.log_{number:06d} partition of events.log "
                    f"for values from ({low}) to ({high})"
                )
                self._partitions.add(number)


class Transactions:
    """A reader of pgoutput: Begin 'B', Message 'M', Commit 'C'.

    Source: PostgreSQL manual, Logical Replication Message Formats."""

    def __init__(self) -> None:
        self.inside = False
        self.emptied = False
        self.ended = 0
        self._commit = 0
        self._number = 0

    def take(self, cursor: Any, most: int) -> list[WalEvent]:
        """Read what has come, up to so many; `emptied` says that there is no more for now."""
        facts: list[WalEvent] = []
        self.emptied = False
        while len(facts) < most:
            message = cursor.read_message()
            if message is None:
                self.emptied = True
                break
            data: bytes = message.payload
            tag = data[:1]
            if tag == b"B":
                self.inside, self._number = True, 0
                (self._commit,) = struct.unpack_from(">Q", data, 1)
            elif tag == b"M":
                kind, _, content = data[10:].partition(b"\0")
                self._number += 1
                facts.append(WalEvent(self._commit, self._number, kind.decode(), content[4:].decode()))
            elif tag == b"C":
                self.inside = False
                (self.ended,) = struct.unpack_from(">Q", data, 10)
        return facts


def _lsn(shown: str) -> int:
    high, _, low = shown.partition("/")
    return int(high, 16) << 32 | int(low, 16)


def shown(lsn: int) -> str:
    """Write a place in the WAL as PostgreSQL does."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


async def open_slot(db: asyncpg.Pool | asyncpg.Connection, slot: str = SLOT) -> None:
    """Make PostgreSQL keep its write-ahead log until the relay has read it: from here on no event is lost."""
    if not await db.fetchval(queries.slot_exists, slot):
        await db.execute(queries.open_slot, slot)


async def drop_partitions(db: asyncpg.Pool, followers: Collection[str]) -> None:
    """Drop the partitions that all these followers have passed: every one of the shop, also those that run in
    another process or have not begun."""
    slowest = await db.fetchval(queries.slowest, list(followers))
    for row in await db.fetch(queries.partitions):
        if (int(row["name"].removeprefix("log_")) + 1) * PARTITION <= slowest:
            await db.execute(f"drop table events.{row['name']}")


async def _readable(number: int, seconds: float) -> bool:
    """Wait until there is something to read, at most so long; say whether there is.

    The socket is watched only meanwhile: a reader that stayed would wake the loop without end while what
    came is being written."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(number, readable.set)
    try:
        await _wait(readable, seconds)
    finally:
        loop.remove_reader(number)
    return readable.is_set()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    # Not wait_for: before Python 3.12 it can swallow a cancellation.
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


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
            await _wait(self._grown, seconds)
        return self.last_id > position


def on(*kinds: type[Event], outside: bool = False, numbered: bool = False) -> Callable[[Method], Method]:
    """Mark a method as a consumer of these kinds of events.

    It gets the connection of the transaction that also moves its position, and a list of one kind, so
    that it too can be one statement. It must bear an event twice.

    `outside`: its work is not in PostgreSQL (an index, mail), so it gets the list alone, and the
    position moves after it has returned. `numbered`: such work keeps a position of its own, so it gets all
    its kinds in one list, in the log's order, each event with its number there."""

    def mark(method: Method) -> Method:
        method.consumes = kinds  # type: ignore[attr-defined]
        method.outside = outside or numbered  # type: ignore[attr-defined]
        method.numbered = numbered  # type: ignore[attr-defined]
        return method

    return mark


Row = tuple[int, str, str]
"""An event in the log: its number, kind and body."""


class RecentEvents:
    """The newest events, which the relay leaves here for the followers of its process: they need not
    fetch them from the log, nor each decode them. What is not here any more stands in the log."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._decoded: dict[int, AnyEvent] = {}
        self.last = 0

    def append(self, first: int, facts: Sequence[WalEvent]) -> None:
        """Add events that are in the log for good, from number `first` on."""
        if first != self.last + 1 or len(self._rows) > _RECENT_MAX:
            self._rows.clear()
            self._decoded.clear()
        for number, fact in enumerate(facts, first):
            self._rows[number] = (number, fact.kind, fact.body)
        self.last = first + len(facts) - 1

    def after(self, position: int) -> list[Row] | None:
        """Return what follows a position, up to a batch; None where the log has to be asked."""
        if position + 1 not in self._rows:
            return None
        return [self._rows[n] for n in range(position + 1, min(self.last, position + _FACTS_MAX) + 1)]

    def read(self, fact: int, body: str) -> AnyEvent:
        """Decode an event, once for all followers."""
        event = self._decoded.get(fact)
        if event is None:
            event = self._decoded[fact] = _decoder.decode(body)
        if len(self._decoded) > _RECENT_MAX:
            self._decoded.clear()
        return event


class Follower:
    """One service's reader of the log. A failing one delays no other."""

    def __init__(
        self,
        name: str,
        service: object,
        db: asyncpg.Pool,
        reader: asyncpg.Pool,
        recent: RecentEvents | None = None,
    ) -> None:
        """`db`: the service's own pool; `reader`: one that may read the log. A service that counts, and is
        `unhurried`, rests a second after its work: what many facts change is then written once. Where a whole
        batch waits, there is nothing to rest for."""
        self.name = name
        self._rest_s = _UNHURRIED_S if getattr(service, "unhurried", False) else _GATHER_S
        self._db = db
        self._reader = reader
        self._recent = recent or RecentEvents()
        self._consumers = consumers(service)
        self._kinds = [event.__name__ for event in self._consumers]
        self._position: int | None = None
        self._at_end = False
        """Whether the last step read all that the log had."""
        self._stored = 0
        self._stored_at = 0.0

    async def run(self, notifier: Notifier) -> None:
        """Follow for ever: whenever the log grows, and every two seconds by itself."""
        while True:
            try:
                moved = await self.step()
            except Exception as error:
                log.warning("a follower tries again", follower=self.name, reason=repr(error)[:200])
                self._position = None
                await asyncio.sleep(0.5)
                continue
            if moved:
                full = notifier.last_id - (self._position or 0) >= _FACTS_MAX
                await asyncio.sleep(_GATHER_S if full else self._rest_s)
            if not moved or (self._at_end and notifier.last_id <= (self._position or 0)):
                # The log is not asked what the relay tells, and in a busy one nobody writes down each step.
                if not await notifier.beyond(self._position or 0, _SILENT_S):
                    await self.rest()
                    await notifier.beyond(self._position or 0, _LOOKS_AGAIN_S - _SILENT_S)
                await asyncio.sleep(_GATHER_S)

    async def rest(self) -> None:
        """Store the position that was reached without work of its own, so that others can see it."""
        if self._position is not None and self._position != self._stored:
            await self._commit([], self._position)

    async def step(self) -> bool:
        """Digest what is next; return False when there is nothing."""
        if self._position is None:
            self._stored = int(await self._reader.fetchval(queries.position, self.name))
            self._position = self._stored
        held = self._recent.after(self._position)
        if held:
            rows, to = [row for row in held if row[1] in self._kinds], held[-1][0]
            self._at_end = to == self._recent.last
            metrics.follower_lag.labels(self.name).set(self._recent.last - self._position)
        else:
            rows, to = await self._from_log(self._position)
            if to <= self._position:
                return False
        if not rows and asyncio.get_running_loop().time() - self._stored_at < _SILENT_S:
            self._position = to  # nothing of ours: remembered here, written with the next work or in a second
            return True
        await self._digest(rows, to)
        return True

    async def _from_log(self, position: int) -> tuple[list[Row], int]:
        _, _, last = await self._reader.fetchrow(queries.relayed) or ("", 0, 0)
        metrics.follower_lag.labels(self.name).set(last - position)
        if last <= position:
            return [], last
        found = await self._reader.fetch(queries.read_on, position, last, self._kinds, _FACTS_MAX)
        rows = [(row["id"], row["kind"], row["body"]) for row in found]
        self._at_end = len(rows) < _FACTS_MAX
        return rows, last if self._at_end else rows[-1][0]

    async def _digest(self, rows: list[Row], to: int, tries: int = 1) -> None:
        """Digest a batch; halve one that fails, down to the one event, which is parked after five tries."""
        try:
            await self._commit(rows, to)
            return
        except AWAY:
            raise
        except Exception as error:
            if len(rows) > 1:
                middle = len(rows) // 2
                await self._digest(rows[:middle], rows[middle - 1][0])
                await self._digest(rows[middle:], to)
            elif rows and tries < _TRIES:
                await asyncio.sleep(0.05 * tries)
                await self._digest(rows, to, tries + 1)
            elif rows:
                fact, kind, body = rows[0]
                await self._reader.execute(queries.park, self.name, fact, kind, body, repr(error)[:1_000])
                metrics.facts_parked.labels(self.name).inc()
                log.error(
                    "a fact was parked", follower=self.name, fact=fact, kind=kind, reason=repr(error)[:300]
                )
                await self._commit([], to)
            else:
                raise

    async def _commit(self, rows: list[Row], to: int) -> None:
        events = [self._recent.read(fact, body) for fact, _, body in rows]
        if tracing.tracer is None or not events:
            await self._follow(rows, events, to)
            return
        links = await tracing.where_made(tracing.orders_in(events))
        kind = tracing.SpanKind.CONSUMER
        with tracing.alone(f"follow {self.name}", kind, links, mercat__events=len(events)):
            await self._follow(rows, events, to)

    async def _follow(self, rows: list[Row], events: list[AnyEvent], to: int) -> None:
        by_type: dict[type[Event], list[Event]] = defaultdict(list)
        for event in events:
            by_type[type(event)].append(event)
        await self._tell_numbered([(fact, event) for (fact, _, _), event in zip(rows, events, strict=True)])
        for event, method in self._consumers.items():
            if method.outside and not method.numbered and event in by_type:
                await method(by_type[event])
        inside = [
            (method, by_type[event])
            for event, method in self._consumers.items()
            if not method.outside and event in by_type
        ]
        if not await self._move_on(inside, to):
            self._position = None  # another process told this service first
            return
        self._position = self._stored = to
        self._stored_at = asyncio.get_running_loop().time()

    async def _move_on(self, inside: list[tuple[Any, list[Event]]], to: int) -> bool:
        """Move the position together with work in PostgreSQL; alone it is one statement."""
        moved = queries.move_on, self.name, self._stored, to
        if not inside:
            return bool(await self._db.fetchval(*moved))
        async with self._db.acquire() as connection, connection.transaction():
            if not await connection.fetchval(*moved):
                return False
            for method, events in inside:
                await method(connection, events)
        return True

    async def _tell_numbered(self, events: list[tuple[int, Event]]) -> None:
        for method in {method: None for method in self._consumers.values() if method.numbered}:
            if told := [each for each in events if isinstance(each[1], method.consumes)]:
                await method(told)


def consumers(service: object) -> dict[type[Event], Any]:
    """Return the methods of a service or its parts that follow an event, by that event; one part each."""
    found: dict[type[Event], Any] = {}
    for part in parts_of(service):
        own = {
            event: getattr(part, name)
            for kind in reversed(type(part).__mro__)
            for name, method in vars(kind).items()
            if hasattr(method, "consumes")
            for event in method.consumes
        }
        assert found.keys().isdisjoint(own), f"two parts of {service} follow {found.keys() & own.keys()}"
        found |= own
    return found


async def deliver(connection: Any, events: Iterable[AnyEvent], services: Iterable[Any]) -> None:
    """Hand events to every consumer of these services, one call a kind: for tests and for filling anew."""
    by_type: dict[type[Event], list[Event]] = defaultdict(list)
    for event in events:
        by_type[type(event)].append(event)
    for service in services:
        for event, method in consumers(service).items():
            if event not in by_type:
                continue
            if method.numbered:
                await method([(0, each) for each in by_type[event]])
            else:
                await method(*((by_type[event],) if method.outside else (connection, by_type[event])))
