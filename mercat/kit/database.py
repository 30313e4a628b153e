"""Pools of connections: one a service, by a database role that can reach that service's schema alone."""

import asyncio
from typing import Any

import asyncpg

from mercat.kit import patches

_OPENS_WITHIN_S = 5

patches.send_only_lists_as_arrays()


class PooledConnection(asyncpg.Connection):
    """A connection that is handed back without a round trip: ours leave no settings, locks or cursors
    behind. Only where a statement failed does it end what that began on the server."""

    unfinished = False

    def get_reset_query(self) -> str:
        query, self.unfinished = "select" if self.unfinished else "", False
        return query


patches.end_what_failed(PooledConnection)
patches.remember_types(PooledConnection)


async def open_pool(dsn: dict[str, Any], *, role: str, password: str, most: int = 4) -> asyncpg.Pool:
    """Make a pool that opens no connection until one is needed, and closes what has idled for a minute.

    `dsn`: host (a socket's folder), port, database."""
    return await asyncpg.create_pool(
        **dsn,
        user=role,
        password=password,
        min_size=0,
        max_size=most,
        max_inactive_connection_lifetime=60,
        command_timeout=15,
        connection_class=PooledConnection,
        server_settings={"application_name": role},
    )


async def warm(pool: asyncpg.Pool, count: int) -> None:
    """Open connections before anybody needs them, until the pool has so many.

    Idle ones are closed after a minute: to keep them, ask again and again, which costs nothing while they are
    there."""
    if (missing := min(count, pool.get_max_size()) - pool.get_size()) <= 0:
        return
    wanted = (pool.acquire(timeout=_OPENS_WITHIN_S) for _ in range(missing + pool.get_idle_size()))
    for got in await asyncio.gather(*wanted, return_exceptions=True):
        if not isinstance(got, BaseException):
            await pool.release(got)
