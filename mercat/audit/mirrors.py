"""What orders say, held in the shop's own database where orders are on others, without moving it there.

Each mirror (`mirrors.sql`) says what orders say, and what the rest of the shop says of the same. The second
is made into a table of the connection. Both sides are then compared by digests, each of a slice of buckets
and time: how many rows, and the sum of their hashes, so that rows may stand in any order and in any database.
A slice that differs is cut finer, and of what differs at last the rows are fetched. The table is then what
orders say, row by row, unless two sets of rows have the same count and sum of 64-bit hashes by chance.
"""

import re
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from mercat.audit.files import named

_NAMED = re.compile(r"\bmirror\.([a-z_]+)")
_TABLE = re.compile(r"\borders\.(orders|line|history)\b")
_SLICES = (
    "0::bigint",
    "(k >> 17) & 31",
    "(k >> 12) & 1023",
    "((k >> 49) << 10) | ((k >> 12) & 1023)",
)
"""By the id in the first column `k`: all, 32 buckets, a bucket, a bucket of a day and a half."""

_NUMBER_OF = """
create or replace function pg_temp.number_of(shown text) returns bigint language sql immutable return (
    select bit_or((strpos('0123456789abcdefghjkmnpqrstvwxyz', digit) - 1)::bigint << (5 * (13 - place))::int)
    from regexp_split_to_table(split_part(shown, '_', 2), '') with ordinality as u (digit, place))
"""
"""What `ids.parse` does, of an id that was written by us."""

Digest = tuple[int, int]
"""How many rows there are, and the sum of their hashes."""


class OrderMirror(NamedTuple):
    """What orders say, as a statement on the orders of one database, and what is said elsewhere of it."""

    name: str
    orders: str
    elsewhere: str


def mirrors() -> dict[str, OrderMirror]:
    """Read the mirrors, by name."""
    elsewhere = dict(named("mirrors.sql", "elsewhere"))
    return {
        name: OrderMirror(name, orders, elsewhere[name]) for name, orders in named("mirrors.sql", "mirror")
    }


def names_in(statement: str) -> list[str]:
    """List the mirrors that a statement reads."""
    return sorted({*_NAMED.findall(statement)})


def reads_orders(statement: str) -> bool:
    """Whether a statement reads tables of orders."""
    return bool(_TABLE.search(statement))


def within_one(statement: str) -> str:
    """Make a statement read the orders of its own database where it names a mirror."""
    known = mirrors()
    return _NAMED.sub(lambda found: f"({known[found[1]].orders})", statement)


def of_the_tables(statement: str) -> str:
    """Make a statement read the tables that `Mirrored.make` made."""
    return _NAMED.sub(r"pg_temp.mirror_\1", statement)


def of_its_own(statement: str) -> str:
    """Make a statement read of the orders of a database those alone whose bucket it has."""
    return _TABLE.sub(
        r"(select * from orders.\1 where bucket::int <@ (select buckets from orders.here))", statement
    )


class Mirrored:
    """Mirrors as tables of a connection to the shop's own database; `homes` are connections to all databases
    that have orders. Counts what was moved for them."""

    def __init__(self, own: asyncpg.Connection, homes: Sequence[asyncpg.Connection]) -> None:
        self._own = own
        self._homes = homes
        self.digests = 0
        self.rows = 0

    async def make(self, mirror: OrderMirror) -> None:
        """Make the table of a mirror, anew."""
        table, orders = f"mirror_{mirror.name}", f"({of_its_own(mirror.orders)})"
        await self._own.execute(
            f"{_NUMBER_OF};"
            f"drop table if exists pg_temp.{table};"
            f"create temp table {table} as select * from ({mirror.orders}) o with no data;"
            f"insert into pg_temp.{table} {mirror.elsewhere}"
        )
        differ = await self._differing(f"pg_temp.{table}", orders)
        if differ:
            await self._own.execute(
                f"delete from pg_temp.{table} t using (select ctid as row, {_SLICES[-1]} as slice "
                f"from (select ctid, t.* from pg_temp.{table} t) t (ctid, k)) s "
                "where s.row = t.ctid and s.slice = any($1::bigint[])",
                differ,
            )
            for home in self._homes:
                await self._fetch(home, orders, table, differ)
        await self._own.execute(f"analyze pg_temp.{table}")

    async def _differing(self, table: str, orders: str) -> list[int]:
        """List the finest slices in which the table and what orders say differ."""
        within: list[int] | None = None
        for number in range(len(_SLICES)):
            ours = await self._digests(self._own, table, number, within)
            theirs: dict[int, Digest] = {}
            for home in self._homes:
                for at, (rows, hashes) in (await self._digests(home, orders, number, within)).items():
                    before = theirs.get(at, (0, 0))
                    theirs[at] = before[0] + rows, before[1] + hashes
                    self.digests += 1
            within = sorted(at for at in ours.keys() | theirs.keys() if ours.get(at) != theirs.get(at))
            if not within:
                return []
        return within or []

    async def _digests(
        self, db: asyncpg.Connection, rows: str, number: int, within: list[int] | None
    ) -> dict[int, Digest]:
        parent = _SLICES[max(number - 1, 0)]
        found = await db.fetch(
            f"select {_SLICES[number]} as slice, count(*), sum(hashtextextended(t::text, 0)) "
            f"from {rows} t (k) where $1::bigint[] is null or {parent} = any($1) group by 1",
            within,
        )
        return {row[0]: (row[1], int(row[2])) for row in found}

    async def _fetch(self, home: asyncpg.Connection, orders: str, table: str, slices: list[int]) -> None:
        """Put what one database says of these slices into the table."""
        query = f"select * from {orders} t (k) where {_SLICES[-1]} = any($1::bigint[])"
        with tempfile.TemporaryFile() as rows:
            copied = await home.copy_from_query(query, slices, output=rows, format="binary")
            self.rows += int(copied.split()[-1])
            rows.seek(0)
            await self._own.copy_to_table(table, source=rows, format="binary")
