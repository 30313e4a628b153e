"""Where services live: in this process, or at another address that a setting gives."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar

import asyncpg
import structlog
from starlette.routing import BaseRoute

from mercat.kit import database, metrics, sql, tracing
from mercat.kit.batching import Coalescer, Sets
from mercat.kit.composition import parts_of
from mercat.kit.db_errors import AWAY
from mercat.kit.event_log import Follower, Log, Relay, consumers
from mercat.kit.locks import Locks, Work
from mercat.kit.neighbours import Neighbour, call_key
from mercat.kit.postgres_log import Notifier, PostgresLog
from mercat.kit.stand_ins import nowhere, path_of, remote, serve_asks
from mercat.kit.valkey import Store
from mercat.kit.valkey_cluster import open_store
from mercat.kit.verbs import Verb
from mercat.kit.wal import SLOT
from mercat.kit.worker_ids import WorkerLease
from mercat.settings import Settings
from mercat.shard_places import MAIN, ShardPlace

Service = TypeVar("Service")
Endless = Coroutine[Any, Any, None]
Duty = Callable[[], Endless]
"""Work that is begun again whenever it ends."""
Refill = Callable[[], Coroutine[Any, Any, object]]
"""Reads anew from who owns it what a service learns from events."""
HOME = ShardPlace(MAIN, ())
_OPENS_WITHIN_S = 5
queries = sql.load("mercat.kit")
log = structlog.get_logger("mercat.host")


class Standing(NamedTuple):
    """The last event that a follower has digested, when the oldest was told that it has not, and the time."""

    position: int
    oldest: datetime | None
    now: datetime


class Host:
    """The services of this process, by name, and the verbs they answer."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.stack = stack
        self.here: dict[str, object] = {}
        self._tables: list[tuple[str, list[Verb], object]] = []
        self.closing = asyncio.Event()
        """Set when the process ends: answers that last (streams) end then."""
        self.store: Store = open_store(settings.store_url)
        self.cache: Store = open_store(settings.cache_url)
        tracing.keep_orders_in(self.cache)
        self._pools: dict[tuple[str, str], asyncpg.Pool] = {}
        self._elsewhere: list[tuple[str, ShardPlace, object]] = []
        self._duties: dict[str, list[tuple[str, Duty]]] = {}
        self._refills: dict[str, Refill] = {}
        self._lease: WorkerLease | None = None
        stack.push_async_callback(self._hand_back_number)  # first, so last: ids are made until all is drained
        stack.push_async_callback(self.store.close)
        stack.push_async_callback(self.cache.close)

    async def pool(self, service: str, place: ShardPlace = HOME) -> asyncpg.Pool:
        """Return the service's own pool, by its own role; `place`: of which database, if several have its
        schema."""
        if (service, place.name) not in self._pools:
            role = f"mercat_{service}"
            pool = await database.open_pool(
                self.settings.at(place).database(),
                role=role,
                password=self.settings.secret(role),
                most=self.settings.pool_size,
            )
            self._pools[service, place.name] = pool
            self.stack.push_async_callback(_close, pool)
        return self._pools[service, place.name]

    def pool_at(self, service: str, place: ShardPlace) -> asyncpg.Pool:
        """Return a pool that is there already."""
        return self._pools[service, place.name]

    async def connect(self, service: str, place: ShardPlace) -> asyncpg.Connection:
        """Open a connection beside those of a service's pool, by the same role; whoever asked closes it."""
        role = f"mercat_{service}"
        return await asyncpg.connect(
            **self.settings.at(place).database(),
            user=role,
            password=self.settings.secret(role),
            timeout=_OPENS_WITHIN_S,
            server_settings={"application_name": role},
        )

    async def place(
        self,
        name: str,
        kind: type[Service],
        api: list[Verb],
        make: Callable[[asyncpg.Pool], Service],
        *,
        here: bool,
        asked: bool,
    ) -> Service:
        """Make the service `here`, or its stand-in where `MERCAT_<NAME>_URL` says that it lives elsewhere.

        SystemExit for one that has no address and is `asked` by what is here."""
        if (url := self.settings.address_of(name)) and name not in self.settings.only():
            neighbour = Neighbour(name, f"{url.rstrip('/')}/internal/{name}", call_key(self.settings))
            self.stack.push_async_callback(neighbour.close)
            return remote(kind, api, neighbour)
        if not here:
            if asked:
                raise SystemExit(f"{name} does not live here: say where, with MERCAT_{name.upper()}_URL.")
            return remote(kind, api, nowhere(name))
        service = make(await self.pool(name))
        tracing.watch(service, name, [verb.name for verb in api])
        self.here[name] = service
        self.stack.push_async_callback(_drain, service)
        self._tables.append((name, api, service))
        return service

    def internal_routes(self) -> list[BaseRoute]:
        """Make what the services here answer to processes that have others."""
        return [
            endpoint
            for name, api, service in self._tables
            for endpoint in serve_asks(api, service, prefix=f"/internal/{name}")
        ]

    def asks_bytes_max(self) -> dict[str, int]:
        """Say by path how large a request of asks may be, where `internal_routes` answers it."""
        return {
            f"/internal/{name}{path_of(verb)}": verb.bytes_max
            for name, api, _ in self._tables
            for verb in api
        }

    def duty(self, service: str, name: str, work: Duty) -> None:
        """Note something that a service does for ever in one process: recovery, clearing away."""
        self._duties.setdefault(service, []).append((name, work))

    def refill(self, service: str, work: Refill) -> None:
        """Note how a service makes good for events that are not in the log any more."""
        self._refills[service] = work

    def follow_elsewhere(self, service: str, place: ShardPlace, part: object) -> None:
        """Note a part of a service that works in another database, and keeps its place in the log there."""
        self._elsewhere.append((service, place, part))

    async def lags(self) -> list[Any]:
        """Return how far each follower is behind, and how much it has parked."""
        return list(await (await self.pool("events")).fetch(queries.lags))

    async def standing(self, follower: str) -> Standing:
        """Return where a follower is in the log, and since when it is behind."""
        kinds = [event.__name__ for event in consumers(self.here[follower])]
        row = await (await self.pool("events")).fetchrow(queries.standing, follower, kinds)
        assert row is not None
        return Standing(row["at"], row["oldest"], row["now"])

    async def lease_worker(self) -> None:
        """Make ids as a worker of our own from now on, until the host closes."""
        numbers = await database.open_pool(
            self.settings.id_database(),
            role="mercat_events",
            password=self.settings.secret("mercat_events"),
            most=1,
        )
        lease = WorkerLease(numbers)
        try:
            await lease.take()
        except BaseException:
            await _close(numbers)
            raise
        self._lease = lease
        self.start(lease.keep())

    async def _hand_back_number(self) -> None:
        if self._lease:
            with suppress(*AWAY):  # then it lapses by itself within a minute
                await self._lease.hand_back()
            await _close(self._lease.db)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task until the host closes."""
        task = asyncio.create_task(work)

        async def stop() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.stack.push_async_callback(stop)

    async def run_background(self, followers: Collection[str], *, relays: bool, follows: bool) -> None:
        """Start the relay, or followers and duties of the services here, or both: each in one process of the
        shop at a time. `followers`: all of the shop, whose events must be kept."""
        events = await self.pool("events")
        notifier = Notifier()
        in_postgres = PostgresLog(events, notifier, MAIN if self.settings.shards() else "")
        log_ = self._event_log(in_postgres)
        locks = Locks(self._connect_for_locks, notifier.ring)
        self.start(locks.keep())
        if relays:
            relay = Relay(events, log_, self.settings.replication())
            tidy = partial(_tidy_log, events, log_, followers)
            self.start(locks.alone("relay", lambda: [relay.run(), for_ever("log partitions", tidy)]))
            for place in self.settings.shards()[1:]:
                self.start(locks.alone(f"relay {place.name}", await self._relaying_from(place, in_postgres)))
        for name, service in self.here.items() if follows else ():
            pool = await self.pool(name)
            elsewhere = [
                (part, await self.pool(name, place), await self.pool("events", place))
                for whose, place, part in self._elsewhere
                if whose == name
            ]

            def work(
                name: str = name,
                service: object = service,
                pool: asyncpg.Pool = pool,
                elsewhere: list[tuple[object, asyncpg.Pool, asyncpg.Pool]] = elsewhere,
            ) -> list[Endless]:
                tasks: list[Endless] = [for_ever(duty, work) for duty, work in self._duties.get(name, ())]
                if consumers(service):
                    refill = self._refills.get(name)
                    moves = bool(elsewhere)  # what it follows for may come from another database, or go there
                    tasks.append(Follower(name, service, pool, events, log_, refill, moves).run())
                tasks += [
                    Follower(name, part, own, places, log_, goes_back=True).run()
                    for part, own, places in elsewhere
                ]
                return tasks

            if name in self._duties or consumers(service):
                self.start(locks.alone(f"back {name}", work))

    async def _relaying_from(self, place: ShardPlace, former: PostgresLog) -> Work:
        """Make the relay of another database of orders: what is told there goes into the one log."""
        events = await self.pool("events", place)
        log_ = self._event_log(former.of(place.name), place.name, events)
        relay = Relay(events, log_, self.settings.at(place).replication(), place.slot)
        note = partial(_note_places, events, former.db, place)
        return lambda: [relay.run(), for_ever(f"places of {place.name}", note)]

    def _event_log(
        self, in_postgres: PostgresLog, source: str = MAIN, told_in: asyncpg.Pool | None = None
    ) -> Log:
        """Return the log that a relay of this database appends to."""
        if not self.settings.kafka_url:
            return in_postgres
        try:
            from mercat.kit.kafka_log import KafkaLog
        except ImportError:
            raise SystemExit("MERCAT_KAFKA_URL needs Kafka's client: pip install 'mercat[kafka]'.") from None
        if self.settings.log_back and self.settings.shards():
            raise SystemExit("MERCAT_LOG_BACK: with orders in several databases the log stays in Kafka.")
        settings, back = self.settings, self.settings.log_back
        return KafkaLog(settings.kafka(), settings.kafka_topic, in_postgres, source, told_in, back=back)

    async def _connect_for_locks(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            **self.settings.database(),
            user="mercat_events",
            password=self.settings.secret("mercat_events"),
            timeout=_OPENS_WITHIN_S,
            server_settings={"application_name": "mercat_locks"},
        )


def follower_at(follower: str, place: str) -> str:
    """Name the follower of a part in another database, as the shop's own notes where it is."""
    return f"{follower}@{place}"


async def _note_places(there: asyncpg.Pool, here: asyncpg.Pool, place: ShardPlace) -> None:
    """Note where followers in another database are: what they have not read is kept, and people see it."""
    lag = await there.fetchval(queries.slot_lag, place.slot)
    metrics.orders_slot_lag.labels(place.name).set(lag or 0)
    rows = await there.fetch(queries.places_of_all)
    names = [follower_at(row["follower"], place.name) for row in rows]
    partitions, ats = [row["partition"] for row in rows], [row["at"] for row in rows]
    await here.execute(queries.note_places, names, partitions, ats)
    await asyncio.sleep(10)


async def _tidy_log(events: asyncpg.Pool, log_: Log, followers: Collection[str]) -> None:
    metrics.slot_lag.set(await events.fetchval(queries.slot_lag, SLOT) or 0)
    for row in await events.fetch(queries.behind):
        metrics.follower_behind.labels(row["follower"]).set(row["seconds"])
    await log_.tidy(followers)
    await asyncio.sleep(10)


async def for_ever(name: str, work: Duty) -> None:
    """Repeat a duty: begin it again whenever it ends, and after a second when it fails."""
    while True:
        try:
            await work()
        except Exception as error:
            log.warning("a duty failed; it is tried again", duty=name, reason=repr(error)[:300])
            await asyncio.sleep(1)


async def _close(pool: asyncpg.Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), 5)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()


async def _drain(service: object) -> None:
    """Close the batches of a service."""
    for part in parts_of(service):
        for each in getattr(part, "__dict__", {}).values():
            if isinstance(each, Coalescer | Sets):
                await each.close()
