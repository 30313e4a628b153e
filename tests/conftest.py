"""Real engines for every test: one PostgreSQL and one pair of Valkeys a run, emptied before each test."""

import asyncio
import gc
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="mercat-metrics-"))

import asyncpg
import httpx
import jinja2
import msgspec
import pytest
import structlog
from argon2 import PasswordHasher
from kept_connections import keep_connections, kept_processes
from kept_duckdb import keep_duckdb
from msgspec.json import Decoder
from valkeys import Valkeys, forget_all
from valkeys import three as three
from xdist.scheduler import LoadScopeScheduling

from mercat import events, ids
from mercat.accounts import guarding
from mercat.embedded import Connection, temporary
from mercat.embedded import engines as started
from mercat.kit import codec, wal
from mercat.kit.clock import clock
from mercat.kit.host import Host
from mercat.kit.valkey import Store
from mercat.kit.valkey_cluster import open_store
from mercat.lab.bench.shop import opened
from mercat.migrations import migrate
from mercat.settings import Secret, Settings, load
from mercat.web import rendering

guarding._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # thousands of people sign in
rendering.Environment = partial(
    jinja2.Environment,
    bytecode_cache=jinja2.FileSystemBytecodeCache(tempfile.mkdtemp(prefix="mercat-templates-")),
)  # a test opens a shop of its own: templates are compiled once a run, not once a test
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)  # its own, with every variable of every frame, take half a second each
keep_duckdb()
ids.work_as(0)  # of tests: the last one to be leased


_ON_SHARDS = tuple(f"tests/contract/test_{each}" for each in ("audit_mirrors", "order_shards", "shard_moves"))


class EnginesShared(LoadScopeScheduling):
    """Runs all journeys in one process, since to open their shop takes a quarter of a minute of CPU.

    So does what asks ClickHouse, and what needs several databases of orders."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/journeys/"):
            return "journeys"
        if nodeid.startswith(_ON_SHARDS):
            return "shards"
        return "clickhouse" if "[clickhouse" in nodeid else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Share out tests by test, not by file, where `--dist loadgroup` says so."""
    return EnginesShared(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_collection_finish() -> None:
    """Keep the collector of garbage away from all that is imported: it took a sixth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


# Here nothing is meant to outlive the engine; what must (tests/faults) starts whole shops, with fsync on.
_FOR_TESTS = {
    "max_connections": "400",
    "max_replication_slots": "50",
    "fsync": "off",
    "full_page_writes": "off",
}


_OWN = 16_384
"""The first number of what is not PostgreSQL's own."""
_FORGET_STATISTICS = (
    f"delete from pg_statistic where starelid >= {_OWN};"
    "update pg_class set relpages = 0, reltuples = -1 "
    f"where relkind in ('r', 'i') and reltuples >= 0 and oid >= {_OWN};"
)
"""The planner knows as much of the tables as in a new shop: what it learnt of another test's rows made one
plan in some hundred runs N times N."""


_SEED = """
if (select count(*) from {table}) <> {rows}
    or exists (select from {table} t join seeded s on s.number = {n} where t.xmin <> s.by) then
    delete from {table};
    insert into {table} ({columns}) select {columns} from seeds_{n};
    update seeded set by = pg_current_xact_id()::xid where number = {n};
end if;
"""
"""Rows that a table was made with are written again only where a test wrote there: all that another
transaction wrote has another `xmin`."""


@pytest.fixture(scope="session")
def engines() -> Iterator[Connection]:
    """PostgreSQL and both Valkeys, in a folder that goes with them."""
    with temporary() as home, started(home, settings=_FOR_TESTS) as connection:
        yield connection


@pytest.fixture(scope="session")
def furnished(engines: Connection) -> tuple[Settings, dict[str, list[asyncpg.Record]]]:
    """A database with every schema, and the rows that each table was made with."""
    settings = load({**os.environ, **engines.environment()})
    seeds = asyncio.run(_furnish(engines, settings))
    variables = {"sandbox_hang_s": Secret("0.05")}
    settings = msgspec.structs.replace(
        settings, dev_pages=True, seller_approval="auto", variables=variables, fetch_pictures=False
    )
    return settings, seeds


async def _furnish(engines: Connection, settings: Settings) -> dict[str, list[asyncpg.Record]]:
    owner = await asyncpg.connect(**engines.postgres())
    await migrate(owner, settings)
    tables = await owner.fetch(
        "select c.oid::regclass::text as name from pg_class c "
        "where c.relkind in ('r', 'p') and not c.relispartition "
        "and c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'"
    )
    seeds = {row["name"]: await owner.fetch(f"select * from {row['name']}") for row in tables}
    await owner.close()
    return seeds


@pytest.fixture(scope="session")
async def owner(
    engines: Connection, furnished: tuple[Settings, dict[str, list[asyncpg.Record]]]
) -> AsyncIterator[asyncpg.Connection]:
    """The connection that empties the database: it knows every table and has a plan to empty it, where a new
    one would have to read the catalogue first."""
    _, seeds = furnished
    owner = await asyncpg.connect(**engines.postgres())
    await owner.execute("create temp table seeded (number int primary key, by xid)")
    emptying = ""
    for n, (table, rows) in enumerate(seeds.items()):
        if not rows:
            emptying += f"delete from {table};"
            continue
        columns = list(rows[0].keys())
        await owner.execute(f"create temp table seeds_{n} (like {table})")
        await owner.copy_records_to_table(f"seeds_{n}", records=map(tuple, rows), columns=columns)
        await owner.execute("insert into seeded values ($1, '0')", n)
        emptying += _SEED.format(n=n, table=table, rows=len(rows), columns=", ".join(columns))
    await owner.execute(
        "create function pg_temp.empty() returns void language plpgsql "  # foreign keys rest: in any order
        f"set session_replication_role = replica as $$ begin {emptying}{_FORGET_STATISTICS} end $$"
    )
    yield owner
    await owner.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try what is marked `valkeys` with one Valkey for each role, and on a cluster of three servers too."""
    if metafunc.definition.get_closest_marker("valkeys") and "valkeys" in metafunc.fixturenames:
        ways = ["one valkey", pytest.param("three valkeys", marks=pytest.mark.scale)]
        metafunc.parametrize("valkeys", ways, indirect=True)


@pytest.fixture
def valkeys(request: pytest.FixtureRequest, engines: Connection) -> dict[str, str]:
    """Where store and cache are."""
    if getattr(request, "param", "") == "three valkeys":
        three: Valkeys = request.getfixturevalue("three")
        return {"store_url": three.url, "cache_url": three.url}
    return {"store_url": engines.store_url, "cache_url": engines.cache_url}


@pytest.fixture
async def settings(
    owner: asyncpg.Connection,
    furnished: tuple[Settings, dict[str, list[asyncpg.Record]]],
    valkeys: dict[str, str],
    tmp_path: Path,
) -> AsyncIterator[Settings]:
    """An empty shop: every schema with the rows it was made with, and empty Valkeys.

    Emptying takes milliseconds; a database of its own for each test would take a third of a second."""
    keep_connections()
    settings, _ = furnished
    settings = msgspec.structs.replace(settings, **valkeys)
    await _send_everybody_home(owner)
    await _empty(owner)
    for url in (settings.store_url, settings.cache_url):
        store = open_store(url)
        await forget_all(store)
        await store.close()
    yield msgspec.structs.replace(settings, data=tmp_path)
    await _send_everybody_home(owner)


async def _send_everybody_home(owner: asyncpg.Connection) -> None:
    others = (
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid() and pid <> all($1::int[])"
    )
    async with asyncio.timeout(20):
        while await owner.fetch(others, kept_processes()):
            pass
    await owner.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots")


async def _empty(owner: asyncpg.Connection) -> None:
    partitions = await owner.fetch(
        "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'events.log'::regclass"
    )
    async with owner.transaction():
        drops = "".join(f"drop table {row['name']};" for row in partitions)
        await owner.execute(drops + "select pg_temp.empty()")


@pytest.fixture
async def host(settings: Settings) -> AsyncIterator[Host]:
    async with AsyncExitStack() as stack:
        yield Host(settings, stack)


@pytest.fixture
def pool(host: Host) -> Callable[[str], Awaitable[asyncpg.Pool]]:
    """`await pool("reviews")`: that service's own pool, by its own role."""
    return host.pool


@pytest.fixture
def store(host: Host) -> Store:
    return host.store


@pytest.fixture
def cache(host: Host) -> Store:
    return host.cache


@pytest.fixture
def clock_ahead() -> Iterator[Callable[[float], None]]:
    """`clock_ahead(60)`: from now on the shop's clock is a minute ahead."""
    yield lambda seconds: clock.drive(lambda: datetime.now(UTC) + timedelta(seconds=seconds))
    clock.drive(None)


@pytest.fixture
async def db(engines: Connection, settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    """The owner's pool, for looking at everything."""
    owner = {**engines.postgres(), "database": settings.postgres_database}
    async with asyncpg.create_pool(**owner, min_size=0, max_size=4, command_timeout=60) as pool:
        yield pool


@pytest.fixture
async def told(settings: Settings, db: asyncpg.Pool) -> Callable[[], Awaitable[list[events.AnyEvent]]]:
    """What the shop has told since the test began: read from the WAL, and decoded strictly, so that the SQL
    which tells a fact and the class that names it cannot drift apart."""
    slot = "told"
    await wal.open_slot(db, slot)
    decoder: Decoder[events.AnyEvent] = codec.decoder(cast(Any, events.AnyEvent))
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
    shop = opened(demo=True, more={"MERCAT_NEWCOMER_BURST": "100000"})
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
