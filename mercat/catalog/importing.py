"""Reading a file of products: streamed, in batches, with a report of every row that is left out or cut."""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from mercat.catalog.columns import BadField, Columns
from mercat.catalog.file_rows import BrokenFile, NumberedRow, read_rows
from mercat.catalog.formats import Format, recognise
from mercat.catalog.messages import Imported, ImportRow
from mercat.kit import codec

_BATCH = 500
_BATCH_BYTES = 4_000_000
"""A batch travels as one request, where the catalogue lives elsewhere."""
_HELD_MAX = 2_000
"""Rows of all sellers that wait for their batch to be full."""
_LOOKED_AT = 20


class RowNote(NamedTuple):
    """What happened to a row that was not taken as it is: it was left out, or a field of it was cut. Without
    a field it is the whole row that cannot be read."""

    file: str
    line: int
    field: str
    reason: str
    left_out: bool = True


class ImportProgress(NamedTuple):
    """How far a file has been read, in bytes of it, and what became of its rows."""

    file: Path
    read: int
    size: int
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    left_out: int = 0
    broken: str = ""
    """Why the rest of the file could not be read."""


class NotProducts(Exception):
    """No product can be read from this file; says why in one line."""


Take = Callable[[str, list[ImportRow]], Awaitable[Imported]]
"""Lists a batch of rows for the seller of this name."""


async def import_file(
    file: Path,
    take: Take,
    *,
    seller: str | None,
    note: Callable[[RowNote], None],
    progress: Callable[[ImportProgress], None],
    rename: Mapping[str, str] | None = None,
) -> ImportProgress:
    """Read one file to its end, in memory that does not grow with it.

    Rows are committed in batches, so a run that was cut off is simply run again. `rename` maps a column of
    the file to one of ours; `seller` goes before what a row says. Raises NotProducts."""
    with file.open("rb") as raw, closing(_Seen()) as seen:
        rows = _renamed(read_rows(raw), rename or {})
        work = _FileImport(file, raw, take, note, progress)
        head: list[NumberedRow] = []
        try:
            head += islice(rows, _LOOKED_AT)
        except BrokenFile as broken:
            work.breaks_off(broken)
        reading = _Reading(recognise(_readable(file, head)), seller, seller_name(file), seen)
        try:
            for line, row in chain(head, rows):
                await work.add(line, row, reading)
        except BrokenFile as broken:
            work.breaks_off(broken)
        return await work.finish()


def seller_name(file: Path) -> str:
    """Name a seller after a file: bestbuy-products.jsonl.gz is sold by "Bestbuy Products"."""
    words = file.name.split(".")[0].replace("_", "-").split("-")
    name = " ".join(word.capitalize() for word in " ".join(words).split() if word.isprintable())
    return name[:100].strip() or "Import"


class _Seen:
    """Which products a file has had already. In a temporary database on disk: a file may have millions."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("pragma journal_mode = off")
        self._db.execute(
            "create table seen (seller text, id text, line int, primary key (seller, id)) without rowid"
        )
        self._db.execute("begin")

    def before(self, seller: str, external_id: str, line: int) -> int | None:
        """Answer the line that had this product; None at the first time."""
        added = self._db.execute("insert or ignore into seen values (?, ?, ?)", (seller, external_id, line))
        if added.rowcount:
            return None
        found = "select line from seen where seller = ? and id = ?"
        return self._db.execute(found, (seller, external_id)).fetchone()[0]

    def close(self) -> None:
        self._db.close()


class _Reading(NamedTuple):
    """How the rows of a file are read, and whose they are: the named seller's, a row's own, the file's."""

    format: Format
    seller: str | None
    otherwise: str
    seen: _Seen

    def read(self, line: int, columns: Columns) -> tuple[str, ImportRow]:
        """Answer a row's seller and product; BadField where it cannot be taken."""
        name = self.seller or columns.seller() or self.otherwise
        product = self.format.read(columns)
        if first := self.seen.before(name, product.external_id, line):
            raise BadField("", f"is the same product as line {first}")
        return name, product


class _FileImport:
    """The batches that wait, and the count of what became of the rows before."""

    def __init__(
        self,
        file: Path,
        raw: IO[bytes],
        take: Take,
        note: Callable[[RowNote], None],
        progress: Callable[[ImportProgress], None],
    ) -> None:
        self._raw = raw
        self._take = take
        self._note = note
        self._progress = progress
        self._done = ImportProgress(file, 0, file.stat().st_size)
        self._waiting: dict[str, list[ImportRow]] = {}
        self._bytes: dict[str, int] = {}
        progress(self._done)

    async def add(self, line: int, row: Mapping[str, Any] | BadField, reading: _Reading) -> None:
        """Put a row into its seller's batch, or note why it is left out."""
        columns = Columns({} if isinstance(row, BadField) else row)
        try:
            if isinstance(row, BadField):
                raise row
            name, product = reading.read(line, columns)
        except BadField as error:
            self._note(RowNote(self._done.file.name, line, error.field, error.reason))
            self._done = self._done._replace(left_out=self._done.left_out + 1)
            return
        for cut in dict.fromkeys(columns.cuts):
            self._note(RowNote(self._done.file.name, line, cut.field, cut.reason, left_out=False))
        self._waiting.setdefault(name, []).append(product)
        self._bytes[name] = self._bytes.get(name, 0) + len(codec.encode(product))
        if len(self._waiting[name]) >= _BATCH or self._bytes[name] >= _BATCH_BYTES:
            await self._list(name)
        elif sum(map(len, self._waiting.values())) >= _HELD_MAX:
            await self._list(max(self._waiting, key=lambda name: len(self._waiting[name])))

    def breaks_off(self, broken: BrokenFile) -> None:
        """Remember that the rest cannot be read; what was read before is taken."""
        self._done = self._done._replace(broken=str(broken))

    async def finish(self) -> ImportProgress:
        """List what still waits; answer what became of the file."""
        for name in list(self._waiting):
            await self._list(name)
        self._done = self._done._replace(read=self._done.size)
        self._progress(self._done)
        return self._done

    async def _list(self, name: str) -> None:
        self._bytes.pop(name)
        result = await self._take(name, self._waiting.pop(name))
        self._done = self._done._replace(
            added=self._done.added + result.added,
            changed=self._done.changed + result.changed,
            unchanged=self._done.unchanged + result.unchanged,
            read=self._raw.tell() if self._raw.seekable() else 0,
        )
        self._progress(self._done)


def _readable(file: Path, head: list[NumberedRow]) -> Sequence[Mapping[str, Any]]:
    """Answer the rows by which a file is recognised; NotProducts where it holds none at all."""
    rows = [row for _, row in head if not isinstance(row, BadField)]
    if not head:
        raise NotProducts(f"{file.name} is empty.")
    if not rows:
        line, problem = head[0]
        assert isinstance(problem, BadField)
        raise NotProducts(
            f"{file.name} is not a file of products: line {line} {problem.reason}. "
            "Files are JSON lines (a JSON object a line) or CSV, packed by gzip or not."
        )
    if not any("title" in row or "stock_code" in row for row in rows):
        names = ", ".join(list(rows[0])[:8])
        raise NotProducts(
            f"{file.name} is not a file of products: it has no field 'title', but {names}. "
            "--map THEIRS=title says which it is; docs/import.md has all fields."
        )
    return rows


def _renamed(rows: Iterator[NumberedRow], rename: Mapping[str, str]) -> Iterator[NumberedRow]:
    for line, row in rows:
        if rename and not isinstance(row, BadField):
            row = {rename.get(name, name): value for name, value in row.items()}
        yield line, row
