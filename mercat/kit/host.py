"""Where services live: in this process, or at another address that a setting gives."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import asyncpg
import httpx
import structlog
from starlette.routing import BaseRoute

from mercat.kit import database, metrics, sql
from mercat.kit.batching import Coalescer, Sets
from mercat.kit.composition import parts_of
from mercat.kit.event_log import SLOT, Follower, Notifier, RecentEvents, Relay, consumers, drop_partitions
from mercat.kit.rpc import Route, remote, serve
from mercat.kit.valkey import Store
from mercat.kit.worker_ids import WorkerLease
from mercat.settings import Settings

Service = TypeVar("Service")
Duty = Callable[[], Coroutine[Any, Any, None]]
"""Work that is begun again whenever it ends."""
queries = sql.load("mercat.kit")
log = structlog.get_logger("mercat.host")


class Host:
    """The services of this process, by name, and the routes they answer."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.stack = stack
        self.here: dict[str, object] = {}
        self._tables: list[tuple[str, list[Route], object]] = []
        self.closing = asyncio.Event()
        """Set when the process ends: answers that last (streams) end then."""
        self.store = Store(settings.store_url)
        self.cache = Store(settings.cache_url)
        self._pools: dict[str, asyncpg.Pool] = {}
        self._duties: list[tuple[str, Duty]] = []
        stack.push_async_callback(self.store.close)
        stack.push_async_callback(self.cache.close)

    async def pool(self, service: str) -> asyncpg.Pool:
        """Return the service's own pool, by its own role."""
        if service not in self._pools:
            role = f"mercat_{service}"
            pool = await database.open_pool(
                self.settings.database(),
                role=role,
                password=self.settings.secret(role),
                most=self.settings.pool_size,
            )
            self._pools[service] = pool
            self.stack.push_async_callback(_close, pool)
        return self._pools[service]

    async def place(
        self,
        name: str,
        kind: type[Service],
        api: list[Route],
        make: Callable[[asyncpg.Pool], Service],
        *,
        anywhere: bool = False,
    ) -> Service:
        """Make the service here, or its stand-in where `MERCAT_<NAME>_URL` says that it lives elsewhere.

        In a process that has some services only, SystemExit for one that is neither here nor has an address,
        unless it may live `anywhere`."""
        if url := self.settings.address_of(name):
            client = httpx.AsyncClient(base_url=f"{url.rstrip('/')}/internal/{name}", timeout=10)
            return remote(kind, api, await self.stack.enter_async_context(client))
        only = self.settings.only()
        if only and name not in only and not anywhere:
            raise SystemExit(f"{name} does not live here: say where, with MERCAT_{name.upper()}_URL.")
        service = make(await self.pool(name))
        self.here[name] = service
        self.stack.push_async_callback(_drain, service)
        self._tables.append((name, api, service))
        return service

    def internal_routes(self) -> list[BaseRoute]:
        """Make what the services here answer to processes that have others. It takes half a second."""
        return [
            endpoint
            for name, api, service in self._tables
            for endpoint in serve(api, service, prefix=f"/internal/{name}")
        ]

    def duty(self, name: str, work: Duty) -> None:
        """Note something that the back process repeats for ever: recovery, clearing away."""
        self._duties.append((name, work))

    async def lags(self) -> list[Any]:
        """Return how far each follower is behind, and how much it has parked."""
        return list(await (await self.pool("events")).fetch(queries.lags))

    async def lease_worker(self) -> WorkerLease:
        """Make ids as a worker of our own from now on, until the host closes."""
        lease = WorkerLease(await self.pool("events"))
        await lease.take()
        self.stack.push_async_callback(lease.hand_back)
        self.start(lease.keep())
        return lease

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task until the host closes."""
        task = asyncio.create_task(work)

        async def stop() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.stack.push_async_callback(stop)

    async def run_background(self) -> None:
        """Start relay, followers and duties, which one process of the shop has."""
        events = await self.pool("events")
        notifier, recent = Notifier(), RecentEvents()
        self.start(Relay(events, self.settings.replication(), notifier, recent=recent).run())
        names: list[str] = []
        for name, service in self.here.items():
            if consumers(service):
                names.append(name)
                self.start(Follower(name, service, await self.pool(name), events, recent).run(notifier))
        for name, work in self._duties:
            self.start(for_ever(name, work))

        async def tidy_log() -> None:
            await drop_partitions(events, names)
            metrics.slot_lag.set(await events.fetchval(queries.slot_lag, SLOT) or 0)
            await asyncio.sleep(10)

        self.start(for_ever("log partitions", tidy_log))


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
