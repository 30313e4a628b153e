"""The audit of a shop whose orders are on several databases: it reads all of them.

Laws of orders alone are checked in each database, on the buckets that it has. Those that join orders with
money, stock and the rest are checked in the shop's own, on mirrors of what orders say. There is no common
snapshot: what is decided between two of them looks like a break, so what looks broken is looked at again, and
what stays is told.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import asyncpg

from mercat.audit.audit import Finding, audit, check_over, laws, prove
from mercat.audit.mirrors import Mirrored, mirrors
from mercat.ids import BUCKETS
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Unavailable
from mercat.settings import Settings
from mercat.shard_places import misplaced

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
        readers = await _connected(settings, stack, "mercat_audit")
        if len(readers) == 1:
            return await audit(readers[0])
        return await _audit_several(readers)


async def prove_shop(settings: Settings) -> list[Finding]:
    """Break each law in transactions that are rolled back, and say what was noticed; needs the owner."""
    async with AsyncExitStack() as stack:
        return await prove(*await _connected(settings, stack))


async def _connected(
    settings: Settings, stack: AsyncExitStack, role: str | None = None
) -> list[asyncpg.Connection]:
    """Connect to the shop's own database and all others that have orders, as a role or as the owner."""
    connections: list[asyncpg.Connection] = []
    for place in settings.shards() or [None]:
        there = settings.at(place) if place else settings
        who: dict[str, Any] = there.owner()
        if role:
            who |= {"user": role, "password": settings.secret(role)}
        try:
            connection = await asyncpg.connect(
                **who, timeout=_ANSWERS_WITHIN_S, server_settings={"timezone": "UTC"}
            )
        except AWAY as error:
            if not place:
                raise
            raise Unavailable(f"The database of orders {place.name} does not answer.") from error
        stack.push_async_callback(connection.close)
        connections.append(connection)
    return connections


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
    async with AsyncExitStack() as stack:
        for reader in readers:
            await stack.enter_async_context(reader.transaction(isolation="repeatable_read"))
        await asyncio.gather(*(reader.execute("select") for reader in readers))
        made = Mirrored(readers[0], readers)
        for mirror in mirrors().values():
            await made.make(mirror)
        return [*[await check_over(readers, law) for law in laws()], await _one_home(readers)]


async def _one_home(readers: Sequence[asyncpg.Connection]) -> Finding:
    """Check that each bucket is in one database, and that no other has orders of it but as a move says."""
    held = [await reader.fetch(_HELD, BUCKETS) for reader in readers]
    lost, twice = misplaced([row["bucket"] for row in rows if row["has"]] for rows in held)
    strays = sum(row["orders"] and not row["has"] for rows in held for row in rows)
    return Finding(_ONE_HOME, BUCKETS, lost + twice + strays)
