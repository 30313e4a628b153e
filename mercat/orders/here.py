"""Which buckets a database of orders has, as it says itself."""

from collections.abc import Iterable
from typing import Any

import asyncpg

from mercat.kit import sql

queries = sql.load("mercat.orders")
ELSEWHERE = asyncpg.NoDataFoundError
"""What a statement raises that writes orders of a bucket which this database does not have."""


async def own(db: Any, buckets: Iterable[int]) -> set[int]:
    """Return those of these buckets that a database has. `db`: a pool, or a connection."""
    return {row[0] for row in await db.fetch(queries.own, [*{*buckets}])}


async def all_own(db: asyncpg.Pool) -> set[int]:
    """Return all buckets that a database has."""
    return {row[0] for row in await db.fetch(queries.all_own)}


async def stands(db: asyncpg.Pool) -> tuple[str, int]:
    """Return what changes whenever a database gets or gives buckets, and how many it has."""
    version, buckets = await db.fetchrow(queries.stands) or ("", 0)
    return version, buckets
