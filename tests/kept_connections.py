"""Connections outlive the shop of a test: to open thirty costs PostgreSQL half a second of its time.

A pool that closes gives them back, idle, and the next one of the same role takes them, with the statements
that are prepared on it: the server plans anew what it planned for tables whose statistics a test forgot."""

import asyncio
from collections import defaultdict
from typing import Any

import asyncpg

from mercat.kit import database

_KEPT_MAX = 4
"""Of a role: the server has a process for each."""
_NAMED_BY = ("host", "port", "database", "user", "password")
_kept: dict[tuple[Any, ...], list["KeptConnection"]] = defaultdict(list)
_loops: list[asyncio.AbstractEventLoop] = []
"""The one that all tests share; what others open (`asyncio.run` in a test) ends with them."""
_opened = asyncpg.create_pool


class KeptConnection(database.PooledConnection):
    """A connection that is idle when it is closed."""

    key: tuple[Any, ...] = ()

    async def close(self, *, timeout: float | None = None) -> None:
        protocol: Any = self._protocol
        idle = not self.is_closed() and not protocol.is_in_transaction()
        if not idle or self._cancellations or self._listeners or len(_kept[self.key]) >= _KEPT_MAX:
            await super().close(timeout=timeout)
            return
        holder, self._pool_holder = self._pool_holder() if self._pool_holder else None, None
        if holder is not None and holder._con is self:
            holder._release_on_close()
        _kept[self.key].append(self)


async def _connect(*args: Any, connection_class: type, **given: Any) -> asyncpg.Connection:
    if connection_class is not database.PooledConnection or asyncio.get_running_loop() not in _loops:
        return await asyncpg.connect(*args, connection_class=connection_class, **given)
    key = tuple(given[name] for name in _NAMED_BY)
    while _kept[key]:
        connection = _kept[key].pop()
        if not connection.is_closed():
            return connection
    connection = await asyncpg.connect(*args, connection_class=KeptConnection, **given)
    connection.key = key
    return connection


def keep_connections() -> None:
    """Let pools of this loop take and give back kept connections."""
    if not _loops:
        _loops.append(asyncio.get_running_loop())
        asyncpg.create_pool = lambda *args, **given: _opened(*args, connect=_connect, **given)


def kept_processes() -> list[int]:
    """List the server's processes of the connections that nobody has."""
    return [each.get_server_pid() for idle in _kept.values() for each in idle if not each.is_closed()]
