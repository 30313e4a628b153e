"""The rows of a bucket: copied a page at a time, again where they were written since, compared, cleared away.

Tables and columns are those of the database's catalogue, so no list of them can lack one."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import asyncpg

from mercat.resharding.database import CannotMove, Database, Table, queries

PAGE = 500
"""Orders that are copied at once, with all that hangs on them."""
CLEARED_AT_ONCE = 5_000
_CHANGES_AT_ONCE = 2_000
_FEW = 50
_ROUNDS = 20
Units = dict[str, list[int]]
"""What is copied together: ids by the column that has them."""
Digest = tuple[Any, ...]


class CopyDiffers(Exception):
    """What was copied is not what it was copied from; the message says of which table."""


class Copier:
    """Copies one bucket of a database to another, where nobody reads or writes it yet."""

    def __init__(self, bucket: int, source: Database, target: Database, tables: Sequence[Table]) -> None:
        self.bucket = bucket
        self._source = source
        self._target = target
        self._tables = tables
        self._since: dict[str, set[int]] = defaultdict(set)
        """What was copied since all was compared."""

    async def copied(self) -> AsyncIterator[int]:
        """Copy all that is there, in the order of its ids, and yield how many of them each time; go on where
        an earlier copy has ended. What comes after the last whole page is noted, not run after."""
        for key in dict.fromkeys(table.key for table in self._tables):
            ids = [await self._last_copied(key)]
            while ids := await self._page(key, ids[-1]):
                yield len(ids)
                if len(ids) < PAGE:
                    break

    async def catch_up(self) -> None:
        """Copy again what was written meanwhile, until little is."""
        for _ in range(_ROUNDS):
            async with self._snapshot():
                changes = await self._changes()
                await self._carry(_units(changes))
            await self._forget(changes)
            if len(changes) < _FEW:
                return

    async def compare(self) -> None:
        """Compare all of it, as it is in one snapshot; CopyDiffers."""
        async with self._snapshot():
            changes = await self._all_changes()
            await self._carry(_units(changes))
            self._since.clear()
            await self._compare(None)
        await self._forget(changes)

    async def finish(self) -> None:
        """Under the fence: copy what was written since, and compare what was since all was; CopyDiffers."""
        await self._carry(_units(await self._all_changes()))
        await self._compare({key: sorted(ids) for key, ids in self._since.items()})

    # -- how

    def _snapshot(self) -> Any:
        return self._source.db.transaction(isolation="repeatable_read", readonly=True)

    async def _last_copied(self, key: str) -> int:
        found = [
            await self._target.beside.fetchval(
                f"select max({key}) from orders.{table.name} where bucket = $1",
                self.bucket,
            )
            for table in self._tables
            if table.key == key
        ]
        return max((each for each in found if each is not None), default=-1)

    async def _page(self, key: str, after: int) -> list[int]:
        parts = [
            f"(select distinct {key} as id from orders.{table.name} "
            f"where bucket = $1 and {key} > $2 order by 1 limit $3)"
            for table in self._tables
            if table.key == key
        ]
        async with self._snapshot():
            rows = await self._source.db.fetch(
                f"select id from ({' union '.join(parts)}) u order by id limit $3", self.bucket, after, PAGE
            )
            ids = [row[0] for row in rows]
            if ids:
                await self._carry({key: ids})
        return ids

    async def _changes(self) -> list[asyncpg.Record]:
        return await self._source.db.fetch(queries.changes, self.bucket, _CHANGES_AT_ONCE)

    async def _all_changes(self) -> list[asyncpg.Record]:
        return await self._source.db.fetch(queries.changes, self.bucket, None)

    async def _forget(self, changes: Iterable[asyncpg.Record]) -> None:
        await self._source.db.execute(queries.forget_changes, [change["change_id"] for change in changes])

    async def _carry(self, units: Units) -> None:
        """Put these units there, as they are in the source's transaction, in place of what is there."""
        for key, ids in units.items():
            self._since[key] |= {*ids}
            for start in range(0, len(ids), PAGE):
                await self._put(key, ids[start : start + PAGE])

    async def _put(self, key: str, ids: list[int]) -> None:
        tables = [table for table in self._tables if table.key == key]
        rows: list[BytesIO] = []
        for table in tables:
            rows.append(BytesIO())
            where = f"where bucket = $1 and {key} = any($2)"
            await self._source.db.copy_from_query(
                f"select {table.rows} from orders.{table.name} {where}",
                self.bucket,
                ids,
                output=rows[-1],
                format="binary",
            )
            rows[-1].seek(0)
        there = self._target.beside
        async with _unwatched(there):
            if not await there.fetchval(queries.come_still, self.bucket):
                raise CannotMove(f"Bucket {self.bucket} was dropped by another mover. Run it again.")
            for table, copied in zip(tables, rows, strict=True):
                await there.execute(
                    f"delete from orders.{table.name} where bucket = $1 and {key} = any($2)",
                    self.bucket,
                    ids,
                )
                await there.copy_to_table(
                    table.name, schema_name="orders", columns=table.columns, source=copied, format="binary"
                )

    async def _compare(self, units: Units | None) -> None:
        """Compare count, sum and hash of each table; `units`: of these alone."""
        for table in self._tables:
            ids = None if units is None else units.get(table.key, [])
            if ids == []:
                continue
            here, there = await asyncio.gather(
                digest(self._source.db, table, self.bucket, ids),
                digest(self._target.beside, table, self.bucket, ids),
            )
            if here != there:
                raise CopyDiffers(
                    f"bucket {self.bucket} of {table.name} has {here[0]} rows in {self._source.name}, and "
                    f"{there[0]} in {self._target.name}" + (", which differ" if here[0] == there[0] else "")
                )


async def digest(db: asyncpg.Connection, table: Table, bucket: int, ids: list[int] | None = None) -> Digest:
    """Return how many rows a table has of a bucket, or of these ids in it, and a sum and a hash of them."""
    row = await db.fetchrow(
        f"""select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0),
            coalesce(bit_xor(hashtextextended(t::text, 1)), 0)
        from (select {table.rows} from orders.{table.name}
            where bucket = $1 and ($2::bigint[] is null or {table.key} = any($2))) t""",
        bucket,
        ids,
    )
    assert row is not None
    return tuple(row)


async def clear(at: Database, bucket: int, tables: Sequence[Table]) -> None:
    """Delete what is left of a bucket in a database that does not have it, some rows at a time."""
    for table in tables:
        while True:
            async with _unwatched(at.beside):
                if not await at.beside.fetchval(queries.elsewhere, bucket):
                    raise CannotMove(f"Bucket {bucket} is in {at.name}: nothing of it is cleared away.")
                done = await at.beside.execute(
                    f"""delete from orders.{table.name} where ctid = any(array(
                        select ctid from orders.{table.name} where bucket = $1 limit $2))""",
                    bucket,
                    CLEARED_AT_ONCE,
                )
            if done == "DELETE 0":
                break


def _units(changes: Iterable[asyncpg.Record]) -> Units:
    found: dict[str, set[int]] = defaultdict(set)
    for change in changes:
        found[change["key"]].add(change["id"])
    return {key: sorted(ids) for key, ids in found.items()}


@asynccontextmanager
async def _unwatched(db: asyncpg.Connection) -> AsyncGenerator[None]:
    """Write without triggers: rows come as they were, and their bucket is elsewhere."""
    async with db.transaction():
        await db.execute("set local session_replication_role = replica")
        yield
