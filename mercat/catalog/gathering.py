"""Rows of one product brought together, however far apart a file has them, in memory that does not grow."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from mercat.catalog.columns import BadField, RowKeys
from mercat.catalog.file_rows import BrokenFile, NumberedRow

ROWS_MAX = 2_000
"""Rows of one product: its variants and pictures. Those beyond are left out."""
_WRITTEN_AT_ONCE = 1_000


class Gathered(NamedTuple):
    """The rows of one product in the order of the file, and those beyond the limit."""

    rows: list[tuple[int, dict[str, Any]]]
    beyond: list[int]


def gather(
    rows: Iterator[NumberedRow], keys: Callable[[Mapping[str, Any]], RowKeys]
) -> Iterator[NumberedRow | Gathered]:
    """Yield products with all their rows, in the order of their first rows; bad rows as they come.

    The rows are kept in a temporary database on disk until the file ends. Where it breaks off, what was read
    comes before BrokenFile is raised."""
    with closing(sqlite3.connect("", isolation_level=None)) as db:
        db.executescript(
            """
            pragma journal_mode = off;
            create table row (n integer primary key, line integer, key text, raw blob);
            create table member (key text primary key, product text) without rowid;
            begin;
            """
        )
        broken: BrokenFile | None = None
        try:
            yield from _keep(db, rows, keys)
        except BrokenFile as error:
            broken = error
        yield from _products(db)
        if broken:
            raise broken


def _keep(
    db: sqlite3.Connection, rows: Iterator[NumberedRow], keys: Callable[[Mapping[str, Any]], RowKeys]
) -> Iterator[NumberedRow]:
    waiting: list[tuple[int, str, bytes]] = []
    before, before_key = "", ""

    def write() -> None:
        db.executemany("insert into row (line, key, raw) values (?, ?, ?)", waiting)
        waiting.clear()

    try:
        for line, row in rows:
            if isinstance(row, BadField):
                yield line, row
                continue
            key, others, seller = keys(row)
            key = key.strip()
            if before and (not key or (not seller and key == before_key)):
                key = before
            else:
                before_key = key = key or f"line {line}"
                key = before = f"{seller}\x1f{key}" if seller else key
            waiting.append((line, key, msgspec.json.encode(row)))
            if others:
                members = [(other, key) for other in others if other != key]
                db.executemany("insert or ignore into member values (?, ?)", members)
            if len(waiting) >= _WRITTEN_AT_ONCE:
                write()
    finally:
        write()


def _products(db: sqlite3.Connection) -> Iterator[Gathered]:
    """Read the rows by product. A product stands where the first of its rows stood."""
    db.executescript(
        """
        create table placed (product text primary key, first integer) without rowid;
        insert into placed
        select coalesce(m.product, r.key), min(r.n)
        from row r left join member m on m.key = r.key group by 1;
        create table sorted (first integer, n integer, primary key (first, n)) without rowid;
        insert into sorted
        select p.first, r.n
        from row r left join member m on m.key = r.key
        join placed p on p.product = coalesce(m.product, r.key);
        """
    )
    found = db.execute("select s.first, s.n, r.line, r.raw from sorted s join row r using (n) order by 1, 2")
    for _, rows in groupby(found, itemgetter(0)):
        product = Gathered([], [])
        for _, _, line, raw in rows:
            if len(product.rows) < ROWS_MAX:
                product.rows.append((line, msgspec.json.decode(raw)))
            else:
                product.beyond.append(line)
        yield product
