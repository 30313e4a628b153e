"""The event log: what a transaction told reaches followers once it is committed, in the order of the commits.

A statement tells an event with `events.tell(kind, body)`, which puts it into PostgreSQL's write-ahead
log: no outbox table, and what is rolled back was never told. The relay streams the WAL through a replication
slot and appends to a `Log`; followers read on from their places. The log is a table (`kit.postgres_log`), or
Kafka where a setting says so (`kit.kafka_log`): neither relay nor followers know which.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import asyncpg
import msgspec
import psycopg2
import psycopg2.extras
import structlog

from mercat.events import AccountErased, AnyEvent, Event
from mercat.kit import codec, metrics, sql, tracing
from mercat.kit.composition import parts_of
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Unavailable
from mercat.kit.wal import SLOT, Transactions, WalEvent, WalReader, open_slot, readable

Method = TypeVar("Method", bound=Callable[..., Awaitable[None]])
queries = sql.load("mercat.kit")
log = structlog.get_logger("mercat.log")
_decoder: Any = codec.decoder(cast(type[Any], AnyEvent))
BATCH_MAX = 2_000
GATHER_S = 0.04
"""What comes meanwhile is one batch and one commit; far inside the second that is promised."""
_UNHURRIED_S = 1.0
_RECENT_MAX = 6_000
_LINKED_MAX = 128
_SILENT_S = 1.0
_LOOKS_S = 1.0
_TRIES = 5
_STUCK_S = 30.0


class Position(NamedTuple):
    """The last event of the WAL that the log holds, and its number there."""

    commit: int
    number: int
    last_id: int


Places = Mapping[int, int]
"""How far a follower is in each partition of the log, in whatever that counts. PostgreSQL's has one, 0."""


class LoggedEvent(NamedTuple):
    """An event in the log: its number, kind and body, and the place in its partition that is behind it."""

    number: int
    kind: str
    body: str
    partition: int
    place: int


class Reading(NamedTuple):
    """What a follower reads at once: rows, those of a partition in its order, and how far that is. `full`: a
    whole batch waits already; `ended`: the log had no more, and says when it has."""

    rows: Sequence[LoggedEvent]
    to: Places
    full: bool
    ended: bool


class FactsGone(Exception):
    """Facts that a follower has not read are not in the log any more; the message says which and why."""


class Log(Protocol):
    """Where events are kept for their followers, those of one key in the order of their commits."""

    recent: "RecentEvents"
    gather_s: float
    """How long the relay gathers before it appends again: what an append costs is shared by what came."""

    async def reached(self) -> Position:
        """Open the log for the relay, the only one that appends from here on; return what it holds."""
        ...

    async def append(self, facts: Sequence[WalEvent], reached: Position) -> Position:
        """Append events and, in one transaction with them, that they are there; return what it holds then. An
        error leaves that open: `reached` says it."""
        ...

    async def tidy(self, followers: Collection[str]) -> None:
        """Drop what all these followers have passed, where nothing else does."""
        ...

    def reader(self, follower: str, kinds: Collection[str]) -> "LogReader":
        """Make the reader of one follower, for these kinds of events."""
        ...


class LogReader(Protocol):
    """One follower's way through the log."""

    async def open(self, places: Places) -> None:
        """Go to these places."""
        ...

    async def after(self, places: Places) -> Reading | None:
        """Return what is next; FactsGone where it is not there any more."""
        ...

    async def grown(self, places: Places) -> bool:
        """Wait for more, for a while; say whether there is some for sure."""
        ...

    def close(self) -> None: ...


class Relay:
    """Moves events from the WAL to the log. One a shop (`kit.locks`); the slot lets no second one read."""

    def __init__(self, db: asyncpg.Pool, log_: Log, replication: dict[str, Any], slot: str = SLOT) -> None:
        self._db = db
        self._log = log_
        self._replication = replication
        self._slot = slot

    async def run(self) -> None:
        """Relay for ever; start again after any failure."""
        while True:
            try:
                await open_slot(self._db, self._slot)
                await self._stream()
            except (psycopg2.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                log.warning("the relay starts again", reason=str(error).strip()[:200])
                await asyncio.sleep(0.2)

    async def carry(self, cursor: Any, reading: WalReader, reached: Position) -> Position:
        """Append what has come since, once; return the new position."""
        batch = reading.take(cursor, BATCH_MAX)
        fresh = [fact for fact in batch if (fact.commit, fact.number) > (reached.commit, reached.number)]
        if not fresh:
            return reached
        if tracing.tracer is None:
            reached = await self._log.append(fresh, reached)
        else:
            links = await tracing.where_made(tracing.orders_in(_readable(fresh[:_LINKED_MAX])))
            with tracing.alone("relay", tracing.SpanKind.CONSUMER, links, mercat__events=len(fresh)):
                reached = await self._log.append(fresh, reached)
        metrics.facts_relayed.inc(len(fresh))
        return reached

    async def _stream(self) -> None:
        reached = await self._log.reached()
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
                    await asyncio.sleep(self._log.gather_s)
                if reading.emptied:
                    confirmed = reading.ended if reading.inside else max(reading.ended, cursor.wal_end)
                    cursor.send_feedback(flush_lsn=confirmed, force=reading.marked)
                    reading.marked = False
                    if not await readable(connection.fileno(), 2.0):
                        cursor.send_feedback(flush_lsn=confirmed, reply=True)
        finally:
            connection.close()


def _readable(facts: Sequence[WalEvent]) -> Iterator[AnyEvent]:
    """Decode events, without those that this release does not know or cannot read."""
    for fact in facts:
        with suppress(msgspec.MsgspecError):
            yield _decoder.decode(fact.body)


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


class RecentEvents:
    """The newest events, which the relay leaves here for the followers of its process: they need not
    fetch them from the log, nor each decode them. What is not here any more stands in the log."""

    def __init__(self) -> None:
        self._rows: dict[int, LoggedEvent] = {}
        self._decoded: dict[int, AnyEvent] = {}
        self.last = 0

    def append(self, first: int, facts: Sequence[WalEvent]) -> None:
        """Add events that are in the log for good, from number `first` on."""
        if first != self.last + 1 or len(self._rows) > _RECENT_MAX:
            self._rows.clear()
            self._decoded.clear()
        for number, fact in enumerate(facts, first):
            self._rows[number] = LoggedEvent(number, fact.kind, fact.body, 0, number)
        self.last = first + len(facts) - 1

    def after(self, position: int) -> list[LoggedEvent] | None:
        """Return what follows a position, up to a batch; None where the log has to be asked."""
        if position + 1 not in self._rows:
            return None
        return [self._rows[n] for n in range(position + 1, min(self.last, position + BATCH_MAX) + 1)]

    def read(self, fact: int, body: str | bytes) -> AnyEvent:
        """Decode an event, once for all followers."""
        event = self._decoded.get(fact)
        if event is None:
            event = self._decoded[fact] = _decoder.decode(body)
        if len(self._decoded) > _RECENT_MAX:
            self._decoded.clear()
        return event


class _Overtaken(Exception):
    """Another process told this service first: what was read is not ours to digest."""


class Follower:
    """One service's reader of the log. A failing one delays no other.

    It takes events of several keys in any order, those of one key in theirs. Its places stand in
    PostgreSQL and move with its work by compare and set, so of two that run at once one loses, and nothing is
    done twice."""

    def __init__(
        self,
        name: str,
        service: object,
        db: asyncpg.Pool,
        events: asyncpg.Pool,
        log_: Log,
        refill: Callable[[], Awaitable[object]] | None = None,
        goes_back: bool = False,
    ) -> None:
        """`db`: the service's own pool; `events`: knows the places of all. A service that counts, and is
        `unhurried`, rests a second after its work: what many facts change is then written once. Where a
        whole batch waits, there is nothing to rest for. `refill`: makes good for facts that are gone, from
        who owns them. `goes_back`: somebody else may set it back, so it looks where it stands each second."""
        self.name = name
        self._rest_s = _UNHURRIED_S if getattr(service, "unhurried", False) else GATHER_S
        self._db = db
        self._events = events
        self._refill = refill
        self._consumers = consumers(service)
        self._recent = log_.recent
        self._reader = log_.reader(name, {event.__name__ for event in self._consumers})
        self._places: dict[int, int] | None = None
        self._stored: dict[int, int] = {}
        self._stored_at = 0.0
        self._full = self._ended = False
        self._goes_back = goes_back
        self._looked_at = 0.0

    async def run(self) -> None:
        """Follow for ever: whenever the log grows, and every two seconds by itself."""
        try:
            while True:
                try:
                    await self._go_on()
                except FactsGone as gone:
                    log.error("a follower stands still", follower=self.name, reason=str(gone))
                    self._places = None
                    await asyncio.sleep(_STUCK_S)
                except Exception as error:
                    log.warning("a follower tries again", follower=self.name, reason=repr(error)[:200])
                    self._places = None
                    await asyncio.sleep(0.5)
        finally:
            self._reader.close()

    async def _go_on(self) -> None:
        moved = await self.step()
        if moved:
            await asyncio.sleep(GATHER_S if self._full else self._rest_s)
        # A log that says when it grows is not asked, and in a busy one nobody writes down each step.
        if (not moved or self._ended) and not await self._reader.grown(self._places or {}):
            await self.rest()
            await self._reader.grown(self._places or {})

    async def rest(self) -> None:
        """Store the places that were reached without work of its own, so that others can see them."""
        if self._places is not None and self._places != self._stored:
            await self._digest([], self._places)

    async def step(self) -> bool:
        """Digest what is next; return False when there is nothing."""
        try:
            if self._goes_back and asyncio.get_running_loop().time() - self._looked_at > _LOOKS_S:
                await self._look()
            if self._places is None:
                self._stored = await self._where()
                await self._reader.open(self._stored)
                self._places = dict(self._stored)
            batch = await self._reader.after(self._places)
        except FactsGone as gone:
            if self._refill is None:
                raise
            log.warning("a follower is filled anew", follower=self.name, reason=str(gone))
            await self._refill()
            await self._events.execute(queries.begin_anew, self.name)
            self._places = None
            return True
        if batch is None:
            return False
        self._full, self._ended = batch.full, batch.ended
        if not batch.rows and asyncio.get_running_loop().time() - self._stored_at < _SILENT_S:
            # Nothing of ours: it is remembered here, and written with the next work or in a second.
            self._places |= batch.to
            return True
        await self._digest(batch.rows, batch.to)
        return True

    async def _where(self) -> dict[int, int]:
        found = await self._events.fetch(queries.places, self.name)
        return {row["partition"]: row["at"] for row in found}

    async def _look(self) -> None:
        """Begin where it stands, if that is not where it was left."""
        if self._places is not None and await self._where() != self._stored:
            self._places = None
        self._looked_at = asyncio.get_running_loop().time()

    async def _digest(self, rows: Sequence[LoggedEvent], to: Places) -> None:
        """Digest a batch, unless another process has."""
        try:
            await self._try(rows, to)
        except _Overtaken:
            self._places = None

    async def _try(self, rows: Sequence[LoggedEvent], to: Places, tries: int = 1) -> None:
        """Digest a batch; halve one that fails, down to the one event, which is parked after five tries."""
        try:
            await self._commit(rows, to)
            return
        except (*AWAY, Unavailable, _Overtaken):  # also a neighbour: what waits for it is not broken
            raise
        except Exception as error:
            if len(rows) > 1:
                half = rows[: len(rows) // 2]
                await self._try(half, {row.partition: row.place for row in half})
                await self._try(rows[len(half) :], to)
            elif rows and tries < _TRIES:
                await asyncio.sleep(0.05 * tries)
                await self._try(rows, to, tries + 1)
            elif rows:
                number, kind, body, *_ = rows[0]
                await self._events.execute(queries.park, self.name, number, kind, body, repr(error)[:1_000])
                metrics.facts_parked.labels(self.name).inc()
                log.error(
                    "a fact was parked", follower=self.name, fact=number, kind=kind, reason=repr(error)[:300]
                )
                await self._commit([], to)
            else:
                raise

    async def _commit(self, rows: Sequence[LoggedEvent], to: Places) -> None:
        events = [self._recent.read(row.number, row.body) for row in rows]
        if tracing.tracer is None or not events:
            await self._follow(rows, events, to)
            return
        links = await tracing.where_made(tracing.orders_in(events))
        kind = tracing.SpanKind.CONSUMER
        with tracing.alone(f"follow {self.name}", kind, links, mercat__events=len(events)):
            await self._follow(rows, events, to)

    async def _follow(self, rows: Sequence[LoggedEvent], events: list[AnyEvent], to: Places) -> None:
        by_type: dict[type[Event], list[Event]] = defaultdict(list)
        for event in events:
            by_type[type(event)].append(event)
        await self._tell_numbered([(row.number, event) for row, event in zip(rows, events, strict=True)])
        for event, method in self._consumers.items():
            if method.outside and not method.numbered and event in by_type:
                await method(by_type[event])
        reached = {**(self._places or {}), **to}
        moved = {each: place for each, place in reached.items() if self._stored.get(each) != place}
        was = [self._stored.get(each, 0) for each in moved]
        inside = [
            (method, by_type[event])
            for event, method in self._consumers.items()
            if not method.outside and event in by_type
        ]
        await self._move_on(inside, [*moved], was, [*moved.values()])
        self._places, self._stored = reached, dict(reached)
        self._stored_at = asyncio.get_running_loop().time()

    async def _move_on(self, inside: list[tuple[Any, list[Event]]], *places: list[int]) -> None:
        """Move the places (partitions, from where, to where) together with work in PostgreSQL; alone that is
        one statement."""
        if not inside:
            if not await self._db.fetchval(queries.move_on, self.name, *places):
                raise _Overtaken
            return
        async with self._db.acquire() as connection, connection.transaction():
            if not await connection.fetchval(queries.move_on, self.name, *places):
                raise _Overtaken
            for method, events in inside:
                await method(connection, events)

    async def _tell_numbered(self, events: list[tuple[int, Event]]) -> None:
        for method in {method: None for method in self._consumers.values() if method.numbered}:
            if told := [each for each in events if isinstance(each[1], method.consumes)]:
                await method(told)


def consumers(service: object) -> dict[type[Event], Any]:
    """Return the methods of a service or its parts that follow an event, by that event; one part each.

    A batch is told in this order, a kind at once: erasures last, so that nothing told before one of them is
    written down after it."""
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
    return dict(sorted(found.items(), key=lambda each: each[0] is AccountErased))


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
