"""A shop whose orders are on three databases: its own and two more, in the cluster of the tests."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

import asyncpg
import msgspec

from mercat.embedded import Connection
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
