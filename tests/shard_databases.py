"""A shop whose orders are on three databases: its own and two more, in the cluster of the tests."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack

import asyncpg
import msgspec
import pytest

from mercat import ids
from mercat.embedded import Connection
from mercat.kit.wal import SLOT, open_slot
from mercat.migrations import migrate
from mercat.migrations.sharding import migrate_shards
from mercat.settings import Settings

OWN, OTHERS = "several_main", ("several_b", "several_c")
"""Databases; those of `OTHERS` are called b and c."""
BUCKETS = {"main": (0, 399), "b": (400, 799), "c": (800, 1_023)}


def several(settings: Settings, engines: Connection) -> Settings:
    """The settings of a shop with its orders on these databases."""
    host, port = engines.postgres_host.replace("/", "%2F"), engines.postgres_port
    places = [
        f"{name} {first}-{last}" + ("" if name == "main" else f" postgresql://{host}:{port}/several_{name}")
        for name, (first, last) in BUCKETS.items()
    ]
    return msgspec.structs.replace(
        settings,
        postgres_database=OWN,
        orders_shards="; ".join(places),
    )


async def furnish(settings: Settings, engines: Connection) -> None:
    """Make the three databases, each with what it needs."""
    owner = await asyncpg.connect(**engines.postgres())
    for name in (OWN, *OTHERS):
        await owner.execute(f"create database {name}")
    await owner.close()
    owner = await asyncpg.connect(**{**engines.postgres(), "database": OWN})
    await migrate(owner, settings)
    await owner.close()
    await migrate_shards(settings)


async def owners(engines: Connection, stack: AsyncExitStack) -> Sequence[asyncpg.Pool]:
    """The owner's pools: of main, b and c."""
    return [
        await stack.enter_async_context(
            asyncpg.create_pool(**{**engines.postgres(), "database": name}, min_size=0, max_size=3)
        )
        for name in (OWN, *OTHERS)
    ]


@pytest.fixture(scope="session")
def several_settings(engines, furnished):
    settings = several(furnished[0], engines)
    asyncio.run(furnish(settings, engines))
    return settings


@pytest.fixture
async def databases(engines, several_settings):
    """The three databases, without orders, and with the buckets that they had at first."""
    async with AsyncExitStack() as stack:
        pools = await owners(engines, stack)
        for pool, (first, last) in zip(pools, BUCKETS.values(), strict=True):
            await pool.execute(
                "truncate orders.orders, orders.line, orders.history, orders.note, orders.refusal, "
                "orders.erased, orders.moving, orders.changed"
            )
            await pool.execute("update orders.here set leaving = '{}'")
            await gives(pool, f"[{first},{last}]")
        await pools[0].execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots")
        for pool, slot in zip(pools, (SLOT, "mercat_b", "mercat_c"), strict=True):
            await open_slot(pool, slot)
        yield pools


async def gives(pool, ranges):
    await pool.execute("update orders.here set buckets = $1::text::int4multirange", f"{{{ranges}}}")


def user_of(place):
    first, last = BUCKETS[place]
    return ids.new(ids.UserId, random.randint(first, last))
