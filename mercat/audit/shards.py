"""The audit of a shop whose orders are on several databases: it reads all of them.

The laws join orders with money and stock, so orders are copied beside those, each from the database that has
its bucket, into tables that go with the connection. There is no common snapshot: what is decided between two
of them looks like a break, so what looks broken is looked at again, and what stays is told.
"""

import asyncio
import re
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack

import asyncpg

from mercat.audit.audit import Finding, Law, audit, check, laws
from mercat.ids import BUCKETS
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Unavailable
from mercat.settings import Settings
from mercat.shard_places import misplaced

_TABLE = re.compile(r"\borders\.(orders|line|history)\b")
_TABLES = ("orders", "line", "history")
_ONE_HOME = "each bucket of orders is in one database"
_HELD = """
    select b.bucket, h.buckets @> b.bucket as has, exists (
            select from orders.orders o where o.bucket = b.bucket)
        and not exists (select from orders.moving m
            where m.bucket = b.bucket and m.state in ('gone', 'coming', 'ready', 'dropped')) as orders
    from orders.here h, generate_series(0, $1::int - 1) b (bucket)
"""
_LOOKS = 3
_ANSWERS_WITHIN_S = 5.0


async def audit_shop(settings: Settings) -> list[Finding]:
    """Check the laws over live data, by the role that can only read. Unavailable where a database is away."""
    async with AsyncExitStack() as stack:
        readers: list[asyncpg.Connection] = []
        for place in settings.shards() or [None]:
            there = settings.at(place) if place else settings
            try:
                reader = await asyncpg.connect(
                    **there.database(),
                    user="mercat_audit",
                    password=settings.secret("mercat_audit"),
                    timeout=_ANSWERS_WITHIN_S,
                )
            except AWAY as error:
                if not place:
                    raise
                raise Unavailable(f"The database of orders {place.name} does not answer.") from error
            stack.push_async_callback(reader.close)
            readers.append(reader)
        if len(readers) == 1:
            return await audit(readers[0])
        return await _audit_several(readers)


async def _audit_several(readers: Sequence[asyncpg.Connection]) -> list[Finding]:
    found = await _look(readers)
    for _ in range(_LOOKS - 1):
        if not any(each.violations for each in found):
            break
        again = await _look(readers)
        found = [min(pair, key=lambda each: each.violations) for pair in zip(found, again, strict=True)]
    return found


async def _look(readers: Sequence[asyncpg.Connection]) -> list[Finding]:
    """Check all laws once. The first reader is of the shop's own database."""
    own = readers[0]
    for table in _TABLES:
        await own.execute(f"drop table if exists pg_temp.orders_{table}")
        await own.execute(f"create temp table orders_{table} (like orders.{table})")
    async with AsyncExitStack() as stack:
        for reader in readers:
            await stack.enter_async_context(reader.transaction(isolation="repeatable_read"))
        await asyncio.gather(*(reader.execute("select") for reader in readers))
        for reader in readers:
            for table in _TABLES:
                await _copy(reader, own, table)
        for table in _TABLES:
            await own.execute(f"create index on pg_temp.orders_{table} (order_id)")
            await own.execute(f"analyze pg_temp.orders_{table}")
        copied = [Law(law.name, _TABLE.sub(r"pg_temp.orders_\1", law.statement)) for law in laws()]
        return [*[await check(own, law) for law in copied], await _one_home(readers)]


async def _one_home(readers: Sequence[asyncpg.Connection]) -> Finding:
    """Check that each bucket is in one database, and that no other has orders of it but as a move says."""
    held = [await reader.fetch(_HELD, BUCKETS) for reader in readers]
    lost, twice = misplaced([row["bucket"] for row in rows if row["has"]] for rows in held)
    strays = sum(row["orders"] and not row["has"] for rows in held for row in rows)
    return Finding(_ONE_HOME, BUCKETS, lost + twice + strays)


async def _copy(there: asyncpg.Connection, own: asyncpg.Connection, table: str) -> None:
    """Copy the rows of the buckets that a database has."""
    mine = f"select t.* from orders.{table} t join orders.here h on h.buckets @> t.bucket::int"
    with tempfile.TemporaryFile() as rows:
        await there.copy_from_query(mine, output=rows, format="binary")
        rows.seek(0)
        await own.copy_to_table(f"orders_{table}", source=rows, format="binary")
