"""The event log: from PostgreSQL into Kafka, and back. The relay closes the one and goes on in the other, and
followers read the former to its end first; this waits for them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import monotonic
from typing import ClassVar

import asyncpg

from mercat.cli.moves.parts import PartAway, PlacesDiffer, Say, Way
from mercat.embedded import Trouble
from mercat.kit import sql
from mercat.settings import Settings
from mercat.shop import FOLLOWERS

queries = sql.load("mercat.cli.moves")
_OPENS_WITHIN_S = 120
_LOOKS_EVERY_S = 0.5
_SAYS_EVERY_S = 10


class FactsLog:
    """The event log of a shop: a `MovingPart`."""

    name: ClassVar[str] = "log"
    keys: ClassVar[tuple[str, ...]] = ("kafka_url", "kafka_topic", "kafka_tls_root")
    cannot_turn_back: ClassVar[Way | None] = "back"

    def __init__(self, told: Settings) -> None:
        self._told = told

    def while_moving(self, way: Way) -> dict[str, str] | None:
        return None if way == "there" else {"log_back": "true"}

    async def plan(self, way: Way) -> str:
        if way == "back":
            return "Kafka's log is closed and read to its end, then PostgreSQL's goes on: seconds"
        return f"{await self._ask_kafka()}: what is told from the switch on goes there, nothing is copied"

    async def fill(self, way: Way, say: Say) -> None:
        """There is nothing to copy; back, Kafka's log has to be read to its end."""
        if way == "there":
            await self._ask_kafka()
            return
        async with self._reading() as db:
            await self._opened(db, in_kafka=False)
            await _all_read(db, queries.in_kafka, say)
            while (await _stands(db))[1]:  # noqa: ASYNC110  - the relay tells nobody
                await asyncio.sleep(_LOOKS_EVERY_S)

    async def verify(self, way: Way) -> str:
        return "Kafka answers." if way == "there" else "Kafka's log was read to its end by all."

    async def settle(self, way: Way, say: Say) -> None:
        """There, wait for all to have read the former log. A log that Kafka has begun is not given up."""
        async with self._reading() as db:
            if way == "there":
                await self._opened(db, in_kafka=True)
                await _all_read(db, queries.before_kafka, say)
            elif (await _stands(db))[0]:
                raise Trouble(
                    "The log goes on in Kafka already. First finish that: mercat move-in --to FILE --only log"
                )

    async def _ask_kafka(self) -> str:
        """Say what is there. PlacesDiffer where the topic is none to begin with."""
        try:
            from mercat.kit.kafka_log import look_at
        except ImportError:
            raise PartAway("Kafka's client is not installed: pip install 'mercat[kafka]'.") from None
        brokers, topic = await look_at(self._told.kafka(), self._told.kafka_topic)
        async with self._reading() as db:
            in_kafka, _ = await _stands(db)
        if not in_kafka and topic and topic.holds_some:
            raise PlacesDiffer(f"the topic {self._told.kafka_topic}.facts is not a new one: give another.")
        return f"Kafka, {brokers} {'broker' if brokers == 1 else 'brokers'}"

    async def _opened(self, db: asyncpg.Connection, *, in_kafka: bool) -> None:
        """Wait until the relay that was just replaced has opened that log."""
        end = monotonic() + _OPENS_WITHIN_S
        while (await _stands(db))[0] != in_kafka:
            if monotonic() > end:
                raise PartAway("The relay has not switched for two minutes. What the shop says tells why.")
            await asyncio.sleep(_LOOKS_EVERY_S)

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[asyncpg.Connection]:
        password = self._told.secret("mercat_events")
        db = await asyncpg.connect(**self._told.database(), user="mercat_events", password=password)
        try:
            yield db
        finally:
            await db.close()


async def _stands(db: asyncpg.Connection) -> tuple[bool, bool]:
    """Say whether the log goes on in Kafka, and whether Kafka's is read still after it came back."""
    in_kafka, is_read = await db.fetchrow(queries.log_stands) or (False, False)
    return in_kafka, is_read


async def _all_read(db: asyncpg.Connection, who: str, say: Say) -> None:
    said_at = monotonic()
    while rows := await db.fetch(who, sorted(FOLLOWERS)):
        if monotonic() - said_at > _SAYS_EVERY_S:
            said_at = monotonic()
            say(f"{', '.join(row['follower'] for row in rows)} read the former log still.")
        await asyncio.sleep(_LOOKS_EVERY_S)
