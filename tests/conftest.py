"""Real engines for every test: one PostgreSQL and one pair of Valkeys a run, one empty database a test."""

import asyncio
import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="mercat-metrics-"))

import asyncpg
import httpx
import msgspec
import pytest

from mercat import events
from mercat.bench.shop import opened
from mercat.embedded import Connection, temporary
from mercat.embedded import engines as started
from mercat.kit import log, wire
from mercat.kit.building import Building
from mercat.kit.clock import clock
from mercat.kit.valkey import Store
from mercat.migrate import migrate
from mercat.settings import Settings, load

_numbers = itertools.count()
# Here nothing is meant to outlive the engine; what must (tests/faults) starts whole shops, with fsync on.
_FOR_TESTS = {
    "max_replication_slots": "50",
    "fsync": "off",
    "full_page_writes": "off",
}


@pytest.fixture(scope="session")
def engines() -> Iterator[Connection]:
    """PostgreSQL and both Valkeys, in a folder that goes with them."""
    with temporary() as home, started(home, settings=_FOR_TESTS) as connection:
        yield connection


@pytest.fixture(scope="session")
def template(engines: Connection) -> Settings:
    """A database with every schema, to be copied for each test."""
    told = load({**os.environ, **engines.environment(), "MERCAT_POSTGRES_DATABASE": "template_mercat"})
    asyncio.run(_migrate(engines, told))
    return msgspec.structs.replace(told, sandbox_hang_s=0.05)


async def _migrate(engines: Connection, settings: Settings) -> None:
    maintenance = await asyncpg.connect(**engines.postgres())
    await maintenance.execute("create database template_mercat")
    await maintenance.close()
    owner = await asyncpg.connect(**{**engines.postgres(), "database": "template_mercat"})
    await migrate(owner, settings)
    await owner.close()


@pytest.fixture
async def settings(engines: Connection, template: Settings, tmp_path: Path) -> AsyncIterator[Settings]:
    """An empty shop: a database of its own with every schema, and empty Valkeys."""
    name = f"test_{next(_numbers)}"
    maintenance = await asyncpg.connect(**engines.postgres())
    await maintenance.execute(f"create database {name} template template_mercat")
    for url in (template.store_url, template.cache_url):
        store = Store(url)
        await store.client.flushall()
        await store.close()
    yield msgspec.structs.replace(template, postgres_database=name, data=tmp_path)
    for _ in range(200):
        active = (
            "select pg_terminate_backend(active_pid) from pg_replication_slots where database = $1 and active"
        )
        await maintenance.execute(active, name)
        try:
            drop = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1"
            await maintenance.execute(drop, name)
            break
        except asyncpg.ObjectInUseError:
            continue
    await maintenance.execute(f"drop database {name} (force)")
    await maintenance.close()


@pytest.fixture
async def building(settings: Settings) -> AsyncIterator[Building]:
    async with AsyncExitStack() as stack:
        yield Building(settings, stack)


@pytest.fixture
def pool(building: Building) -> Callable[[str], Awaitable[asyncpg.Pool]]:
    """`await pool("reviews")`: that service's own pool, by its own role."""
    return building.pool


@pytest.fixture
def store(building: Building) -> Store:
    return building.store


@pytest.fixture
def cache(building: Building) -> Store:
    return building.cache


@pytest.fixture
def clock_ahead() -> Iterator[Callable[[float], None]]:
    """`clock_ahead(60)`: from now on the shop's clock is a minute ahead."""
    yield lambda seconds: clock.drive(lambda: datetime.now(UTC) + timedelta(seconds=seconds))
    clock.drive(None)


@pytest.fixture
async def db(engines: Connection, settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    """The owner's pool, for looking at everything."""
    owner = {**engines.postgres(), "database": settings.postgres_database}
    async with asyncpg.create_pool(**owner, min_size=0, max_size=4) as pool:
        yield pool


@pytest.fixture
async def told(settings: Settings, db: asyncpg.Pool) -> Callable[[], Awaitable[list[events.AnyEvent]]]:
    """What the shop has told since the test began: read from the WAL, and decoded strictly, so that the SQL
    which tells a fact and the class that names it cannot drift apart."""
    slot = f"told_{settings.postgres_database}"
    await db.execute(log.queries.open_slot, slot)
    decoder = wire.decoder(events.AnyEvent)
    heard: list[events.AnyEvent] = []

    async def told() -> list[events.AnyEvent]:
        rows = await db.fetch(
            "select data from pg_logical_slot_get_binary_changes($1::text::name, null, null, "
            "'proto_version', '1', 'publication_names', 'relay', 'messages', 'true')",
            slot,
        )
        for row in rows:
            if row["data"][:1] == b"M":
                _, _, content = row["data"][10:].partition(b"\0")
                heard.append(decoder.decode(content[4:]))
        return list(heard)

    return told


@pytest.fixture(scope="session")
def open_shop() -> Iterator[Connection]:
    """A whole marketplace with the demo's goods, as `make run` starts it; one for all journeys."""
    loop = asyncio.new_event_loop()
    shop = opened(demo=True)
    connection = loop.run_until_complete(shop.__aenter__())
    yield connection
    loop.run_until_complete(shop.__aexit__(None, None, None))
    loop.close()


@pytest.fixture
async def http(open_shop: Connection) -> AsyncIterator[httpx.AsyncClient]:
    """Talks to the open marketplace's API as a client would; each test is somebody new."""
    base = f"http://127.0.0.1:{open_shop.port}/api/v1"
    async with httpx.AsyncClient(base_url=base, timeout=30) as client:
        yield client
