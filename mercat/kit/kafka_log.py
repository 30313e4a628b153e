"""The event log in Kafka: the topic `<name>.facts`, where all events of an id's bucket are in one partition.

The relay writes in transactions that also carry how far in the WAL they reach, into `<name>.reached`. Whoever
opens the log fences the relay before (`transactional.id`), so each event is there once, whoever dies when.
Followers keep their places in PostgreSQL beside their work (partition n of the topic is n + 1 there, and more
in a later topic); the offsets of groups in Kafka are for its tools alone. What PostgreSQL's log held before
comes first. It can go on there again: the relay closes the one in Kafka, and followers read that to its end.
"""

import asyncio
import math
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast
from zlib import crc32

import asyncpg
import confluent_kafka as kafka
import msgspec
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewTopic

from mercat.kit import metrics, sql
from mercat.kit.event_keys import keys_of
from mercat.kit.event_log import BATCH_MAX, GATHER_S, FactsGone, LoggedEvent, Places, Position, Reading
from mercat.kit.postgres_log import LogClosed, PostgresLog
from mercat.kit.wal import WalEvent, lsn_of, shown
from mercat.shard_places import MAIN

Answer = TypeVar("Answer")
queries = sql.load("mercat.kit")
PARTITIONS = 64
"""Of a topic that we make. The number never changes: it says where the events of an id are."""
FACTS = {
    "retention.ms": str(7 * 86_400_000),
    "retention.bytes": str(50_000_000_000 // PARTITIONS),  # of each partition
    "max.message.bytes": "16000000",
}
_REACHED = {"cleanup.policy": "compact", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.1"}
_COPIES = 3
_GATHERS_S = 0.1
_LOOKS_EVERY_S = 0.5
_FACT_BYTES_MAX = 16_000_000
_ANSWERS_S = 10.0
_OPENS_S = 30.0
_COMMITS_S = 20.0
_TRANSACTION_MS = 20_000
_TELLS_TOOLS_EVERY_S = 5.0
_NUMBERS = 1 << 48  # of the events of one source
_SOURCES = 1 << 14
_LATEST_MAX = 100  # offsets at the end of `reached` among which the last record of a source surely is


def _numbers_of(source: str) -> int:
    """Return where the numbers begin of events that another database than the shop's own tells."""
    return (1 + crc32(source.encode()) % _SOURCES) * _NUMBERS


class KafkaAway(ConnectionError):
    """Kafka did not do what it was asked; whether it will have, only asking anew says."""


class KafkaLog:
    """The log of a process. `former`: the one in the shop's PostgreSQL; `source`: which database its relay
    reads, and `told_in`, where that is another one. `back`: the log goes on in PostgreSQL again."""

    def __init__(
        self,
        connection: dict[str, Any],
        name: str,
        former: PostgresLog,
        source: str = MAIN,
        told_in: asyncpg.Pool | None = None,
        *,
        back: bool = False,
    ) -> None:
        # In Kafka a transaction costs the brokers a marker in each partition that it writes to.
        self.gather_s = former.gather_s if back else _GATHERS_S
        self.back = back
        self.connection = connection | {"log_level": 2, "reconnect.backoff.max.ms": 1_000}
        self.facts, self._reached = f"{name}.facts", f"{name}.reached"
        self.former = former
        self.recent = former.recent
        self._source = source
        self._told_in = told_in or former.db
        self._producer: kafka.Producer | None = None
        self._partitions = 0
        self._counting = asyncio.Lock()
        # Of its own, so that who waits for Kafka keeps nobody else waiting.
        self._threads = ThreadPoolExecutor(3, "kafka")
        self._database = ""
        self._admin: Any = AdminClient(self.connection)  # its answers have no types

    async def reached(self) -> Position:
        """Fence the relay before, and return what the log holds: where PostgreSQL's ends, to begin with.

        After any error the relay comes here again, with another producer: one that has failed within a
        transaction can fail in each that follows."""
        known = await self._told_in.fetchrow(queries.database_known)
        assert known is not None
        held = await self._asked(partial(self._open, known["name"]))
        if held and held.commit > lsn_of(known["reached"]):
            raise KafkaAway(
                f"{self.facts} is ahead of this database, which was restored: give it another topic."
            )
        if self.back:
            return await self._take_back(held)
        async with self.former.db.acquire() as db, db.transaction():
            if await db.fetchval(queries.hold_log) is None and held:
                raise LogClosed(
                    f"The log of this shop came back from {self.facts}: unset MERCAT_KAFKA_URL, or give "
                    "another topic to go over again."
                )
            await db.execute(queries.close_log)
        if held:
            return held
        row = await self.former.db.fetchrow(queries.relayed_of, self._source)
        commit, facts, last_id, _ = row or ("0/0", 0, 0, None)
        return Position(lsn_of(commit), facts, last_id if self._source == MAIN else _numbers_of(self._source))

    async def _take_back(self, held: Position | None) -> Position:
        """Let PostgreSQL's log go on where Kafka's ends, if it does not yet.

        The relay before was fenced when we opened. One that opens after us fences us, so that we cannot
        write into Kafka any more and nothing is opened here; or it comes too late, waits for our row, and
        finds the log taken back."""
        async with self.former.db.acquire() as db, db.transaction():
            if await db.fetchval(queries.hold_log) is not None:
                ends = await self._asked(partial(self._close, held))
                commit, facts, last_id = held or (0, 0, 0)
                await db.execute(queries.open_log, shown(commit), facts, last_id, ends)
        return await self.former.reached()

    async def append(self, facts: Sequence[WalEvent], reached: Position) -> Position:
        """Append events and how far they reach, in one transaction of Kafka's."""
        if self.back:
            return await self.former.append(facts, reached)
        position = Position(facts[-1].commit, facts[-1].number, reached.last_id + len(facts))
        await self._asked(partial(self._write, facts, reached.last_id + 1, position))
        return position

    async def tidy(self, followers: Collection[str]) -> None:
        """Write down how far the log goes, for the audit and for people; what is in PostgreSQL still is
        dropped as ever."""
        await self.former.tidy(followers)
        _, ends, _ = await self.former.db.fetchrow(queries.ends_of_logs) or (None, None, 0)
        if self._partitions and (ends is not None or not self.back):
            await self.former.db.execute(queries.note_ends, await self._asked(self._ends))
            for row in await self.former.db.fetch(queries.lags):
                metrics.follower_lag.labels(row["follower"]).set(row["behind"])

    def reader(self, follower: str, kinds: Collection[str]) -> "KafkaReader":
        """Make the reader of a follower."""
        return KafkaReader(self, follower, kinds)

    async def partitions(self) -> int:
        """Count the partitions of the topic; KafkaAway where there is none yet."""
        async with self._counting:
            if not self._partitions:
                self._partitions = await self._asked(self._count)
        return self._partitions

    async def _asked(self, ask: Callable[[], Answer]) -> Answer:
        """Ask Kafka in a thread; KafkaAway for whatever it refuses."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except (kafka.KafkaException, BufferError) as error:
            raise KafkaAway(str(error)) from error

    # -- in a thread

    def _count(self) -> int:
        count = len(self._admin.list_topics(self.facts, _ANSWERS_S).topics[self.facts].partitions)
        if not count:
            raise KafkaAway(f"There is no topic {self.facts} yet: the relay makes it.")
        return count

    def _open(self, database: str) -> Position | None:
        self._database = database
        self._make_topics()
        if self._producer:
            self._producer.purge()
        self._producer = kafka.Producer(
            self.connection
            | {
                "transactional.id": f"{self.facts}-relay-{self._source}",
                "transaction.timeout.ms": _TRANSACTION_MS,
                "compression.type": "lz4",
                "linger.ms": 5,
                "batch.size": 1_000_000,
                "message.max.bytes": _FACT_BYTES_MAX,
            }
        )
        self._producer.init_transactions(_OPENS_S)
        return self._last_reached()

    def _make_topics(self) -> None:
        there = self._admin.list_topics(timeout=_ANSWERS_S)
        copies = min(_COPIES, len(there.brokers))
        safe = {"min.insync.replicas": str(max(1, copies - 1))}
        wanted = [
            NewTopic(self.facts, PARTITIONS, copies, config=FACTS | safe),
            NewTopic(self._reached, 1, copies, config=_REACHED | safe),
        ]
        if missing := [each for each in wanted if each.topic not in there.topics]:
            for made in self._admin.create_topics(missing).values():
                made.result(_OPENS_S)
        self._partitions = self._count()

    def _last_reached(self) -> Position | None:
        """Read what the last transaction that was committed said; the one before us is over by now."""
        place = kafka.TopicPartition(self._reached, 0)
        end = self._offsets([place], OffsetSpec.latest(), kafka.IsolationLevel.READ_UNCOMMITTED)[0]
        first = self._offsets([place], OffsetSpec.earliest(), kafka.IsolationLevel.READ_UNCOMMITTED)[0]
        reader = kafka.Consumer(self.connection | _READING | {"group.id": f"{self._reached}.relay"})
        try:
            for begin in dict.fromkeys((max(first, end - _LATEST_MAX), first)):
                if found := self._read_reached(reader, begin, end):
                    return found
            return None
        finally:
            reader.close()

    def _read_reached(self, reader: kafka.Consumer, begin: int, end: int) -> Position | None:
        """Read the last record of our source from `begin` on, up to `end`; others may hold that up."""
        reader.assign([kafka.TopicPartition(self._reached, 0, begin)])
        found, at = None, begin
        while at < end:
            message = reader.poll(_OPENS_S)
            if message is None:
                raise KafkaAway(f"{self._reached} could not be read to its end.")
            error, offset, value = message.error(), message.offset(), message.value()
            if error and error.code() != kafka.KafkaError._PARTITION_EOF:
                raise kafka.KafkaException(error)
            at = max(at, offset or 0) if error else (offset or 0) + 1
            if not error and message.key() == self._source.encode():
                database, *position = msgspec.json.decode(value or b"", type=tuple[str, int, int, int])
                if database != self._database:
                    raise KafkaAway(
                        f"{self.facts} belongs to another database: give this shop its own topic."
                    )
                found = Position(*position)
        return found

    def _write(self, facts: Sequence[WalEvent], first: int, position: Position) -> None:
        producer = self._producer
        assert producer, "the log was not opened"
        producer.begin_transaction()
        for number, fact in enumerate(facts, first):
            told: dict[str, str | bytes | None] = {"kind": fact.kind.encode(), "number": str(number).encode()}
            body = fact.body.encode()
            for partition, key in keys_of(fact.kind, fact.body, self._partitions).items():
                producer.produce(self.facts, body, str(key).encode(), partition=partition, headers=told)
        value = msgspec.json.encode((self._database, *position))
        producer.produce(self._reached, value, self._source.encode(), partition=0)
        producer.commit_transaction(_COMMITS_S)

    def _close(self, held: Position | None) -> list[int]:
        """Show that nobody has fenced us, and return where the log ends then."""
        producer = self._producer
        assert producer, "the log was not opened"
        if held:
            producer.begin_transaction()
            value = msgspec.json.encode((self._database, *held))
            producer.produce(self._reached, value, self._source.encode(), partition=0)
            producer.commit_transaction(_COMMITS_S)
        return self._ends()

    def _ends(self) -> list[int]:
        places = [kafka.TopicPartition(self.facts, each) for each in range(self._partitions)]
        return self._offsets(places, OffsetSpec.latest(), kafka.IsolationLevel.READ_COMMITTED)

    def _offsets(
        self, places: list[kafka.TopicPartition], spec: OffsetSpec | None, isolation: kafka.IsolationLevel
    ) -> list[int]:
        asked = self._admin.list_offsets(dict.fromkeys(places, spec), isolation_level=isolation)
        found = {place.partition: each.result(_ANSWERS_S).offset for place, each in asked.items()}
        return [found[place.partition] for place in places]


_READING = {
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",  # a place that is gone is said, not jumped over
    "queued.max.messages.kbytes": 4_096,
}


class KafkaReader:
    """Reads all partitions, from the places that PostgreSQL has.

    One process reads for a service at a time (`kit.locks`), so Kafka's groups have nothing to hand out: the
    consumers of a service are written for one at a time, and a lock is taken over within a second."""

    def __init__(self, log_: KafkaLog, follower: str, kinds: Collection[str]) -> None:
        self._log = log_
        self._former = log_.former.reader(follower, kinds)
        self._follower = follower
        self._kinds = {kind.encode(): kind for kind in kinds}
        self._consumer: kafka.Consumer | None = None
        self._base = 0
        self._passed = self._returned = False
        self._looked_at = 0.0
        self._told: Places = {}
        self._told_at = 0.0

    async def open(self, places: Places) -> None:
        """Go to these places in Kafka; who has none there begins with the oldest."""
        count = await self._log.partitions()
        self._passed = self._returned = False
        *_, self._base = await self._ends_of_logs()
        if self._consumer is None:
            group = f"{self._log.facts}.{self._follower}"
            self._consumer = kafka.Consumer(self._log.connection | _READING | {"group.id": group})
        begun = any(partition > self._base for partition in places)
        elsewhere = 0 if begun else kafka.OFFSET_BEGINNING
        self._consumer.assign(
            [
                kafka.TopicPartition(self._log.facts, each, places.get(self._base + each + 1, elsewhere))
                for each in range(count)
            ]
        )

    async def after(self, places: Places) -> Reading | None:
        """Return what is next: of PostgreSQL's log, as long as it was not read to where Kafka's begins, and
        again once that was read to its end."""
        if not self._passed:
            closed, *_ = await self._ends_of_logs()
            if batch := await self._former.after(places, closed):
                return batch
            if closed is None or places.get(0, 0) < closed:
                return None
            self._passed = True
        if self._returned:
            return await self._former.after(places)
        assert self._consumer, "the reader was not opened"
        messages = self._consumer.consume(BATCH_MAX, 0)
        rows, to = self._read(messages)
        moved = {each: place for each, place in to.items() if place != places.get(each, 0)}
        if not moved and self._log.back:
            await self._look_for_end(places)
        full = len(messages) == BATCH_MAX
        return Reading(rows, moved, full, ended=False) if moved else None

    async def _look_for_end(self, places: Places) -> None:
        """See whether the log was closed here, and whether this was its end."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at < _LOOKS_EVERY_S:
            return
        self._looked_at = now
        closed, ends, base = await self._ends_of_logs()
        if closed is None or base != self._base:
            self._returned = True
        elif ends is not None:
            self._returned = all(places.get(base + n, 0) >= end for n, end in enumerate(ends, 1))

    async def _ends_of_logs(self) -> tuple[int | None, list[int] | None, int]:
        closed, ends, base = await self._log.former.db.fetchrow(queries.ends_of_logs) or (None, None, 0)
        return closed, ends, base

    async def grown(self, places: Places) -> bool:
        """Wait a moment: its client reads ahead, so to ask it costs little, and only that tells."""
        if not self._passed or self._returned:
            return await self._former.grown(places)
        self._tell_tools(places)
        await asyncio.sleep(2 * GATHER_S)
        return False

    def close(self) -> None:
        """Give the consumer back; that can wait for the network, so nobody waits for it."""
        if self._consumer:
            threading.Thread(target=self._consumer.close, daemon=True).start()
            self._consumer = None

    def _read(self, messages: Sequence[kafka.Message]) -> tuple[list[LoggedEvent], dict[int, int]]:
        rows: list[LoggedEvent] = []
        to: dict[int, int] = {}
        for message in messages:
            error, place = message.error(), message.offset() or 0
            partition = self._base + (message.partition() or 0) + 1
            if error is None:
                place += 1
                told = dict(cast("list[tuple[str, bytes]]", message.headers()))
                if kind := self._kinds.get(told["kind"]):
                    body = (message.value() or b"").decode()
                    rows.append(LoggedEvent(int(told["number"]), kind, body, partition, place))
            elif error.code() == kafka.KafkaError._AUTO_OFFSET_RESET:
                raise FactsGone(self._gone(message.partition() or 0, error.str()))
            elif error.code() != kafka.KafkaError._PARTITION_EOF:
                raise KafkaAway(error.str())
            to[partition] = place
        return rows, to

    def _gone(self, partition: int, reason: str) -> str:
        return (
            f"What {self._follower} had not read of partition {partition} is not in {self._log.facts} any "
            f"more ({reason}). `mercat audit` says what is missing by that. To go on with the oldest that is "
            f"there: delete from events.position where follower = '{self._follower}' and partition > 0"
        )

    def _tell_tools(self, places: Places) -> None:
        """Commit to the group where we are, now and then, so that Kafka's own tools can show it."""
        now = asyncio.get_running_loop().time()
        if self._consumer and places != self._told and now - self._told_at > _TELLS_TOOLS_EVERY_S:
            self._told, self._told_at = dict(places), now
            offsets = [
                kafka.TopicPartition(self._log.facts, each - self._base - 1, at)
                for each, at in places.items()
                if each > self._base
            ]
            if offsets:
                self._consumer.commit(offsets=offsets, asynchronous=True)


class FactsTopic(NamedTuple):
    """How a topic of facts was made."""

    partitions: int
    copies: int
    forgets_after_days: float
    holds_some: bool
    """Whether something was ever told there."""


async def look_at(connection: dict[str, Any], name: str) -> tuple[int, FactsTopic | None]:
    """Count the brokers, and return how the topic of facts was made, if it was."""

    def look() -> tuple[int, FactsTopic | None]:
        admin: Any = AdminClient(connection | {"log_level": 0})
        there = admin.list_topics(timeout=_ANSWERS_S)
        topic = there.topics.get(f"{name}.facts")
        if topic is None:
            return len(there.brokers), None
        resource = ConfigResource(ConfigResource.Type.TOPIC, f"{name}.facts")
        [told] = admin.describe_configs([resource]).values()
        kept_ms = int(told.result(_ANSWERS_S)["retention.ms"].value)
        days = kept_ms / 86_400_000 if kept_ms >= 0 else math.inf
        partitions = topic.partitions.values()
        places = [kafka.TopicPartition(f"{name}.facts", each) for each in topic.partitions]
        ends = admin.list_offsets(dict.fromkeys(places, OffsetSpec.latest()))
        some = any(end.result(_ANSWERS_S).offset for end in ends.values())
        copies = min(len(p.replicas) for p in partitions)
        return len(there.brokers), FactsTopic(len(partitions), copies, days, some)

    try:
        return await asyncio.to_thread(look)
    except kafka.KafkaException as error:
        raise KafkaAway(str(error.args[0])) from error
