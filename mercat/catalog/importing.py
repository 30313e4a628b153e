"""Reading a file of products: streamed, in batches, with a report of every row that is left out or cut."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from difflib import get_close_matches
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from msgspec.structs import replace

from mercat.catalog.columns import BadField, Columns
from mercat.catalog.file_rows import (
    BrokenFile,
    NumberedRow,
    column_name,
    opened,
    read_rows,
    unpack_several,
)
from mercat.catalog.formats import Format, named_format, plain, recognise
from mercat.catalog.gathering import ROWS_MAX, Gathered, gather
from mercat.catalog.messages import Imported, ImportRow
from mercat.catalog.rules import path_key

_BATCH = 500
_BATCH_BYTES = 4_000_000
"""A batch travels as one request, where the catalogue lives elsewhere."""
_ROW_BYTES = 2_000
"""Of a row beside its description, roughly."""
_HELD_MAX = 2_000
"""Rows of all sellers that wait for their batch to be full."""
_LOOKED_AT = 20
_NAMES_MAX = 2_000
"""Names of columns that are remembered; rows of JSON could bring ever new ones."""
_LINES_A_FILE = 10**12
"""A line's number above it is of a file beside."""
_NAMED = 20
_UNUSED_MAX = 200


ONLY_ADDS = "holds variants of products: send the file of the products beside it."


class RowNote(NamedTuple):
    """What happened to a row that was not taken as it is: it was left out, or a field of it was cut. Without
    a field it is the whole row that cannot be read. `column`: the field as the file's people call it."""

    file: str
    line: int
    field: str
    reason: str
    left_out: bool = True
    code: str = "invalid"
    column: str = ""


class ImportProgress(NamedTuple):
    """How far a file has been read, in bytes of it, and what became of its rows."""

    file: Path
    read: int
    size: int
    format: str = ""
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    left_out: int = 0
    rows: int = 0
    """Rows that were read, without the heading."""
    broken: str = ""
    """Why the rest of the file could not be read."""
    unusable: str = ""
    """Why no product can be read from this file."""
    remarks: tuple[str, ...] = ()
    """What was guessed of the file, and what of it is not used."""
    unused: tuple[str, ...] = ()
    """Columns that nothing was read of."""

    @property
    def taken(self) -> int:
        """Products that are in the shop now as the file has them."""
        return self.added + self.changed + self.unchanged


class NotProducts(Exception):
    """No product can be read from this file; says why in one line."""


Take = Callable[[str, list[ImportRow]], Awaitable[Imported]]
"""Lists a batch of rows for the seller of this name; without one it is whose file it is."""
CategoryMap = Mapping[str, list[str]]
"""Which category a path of a file is here, by `path_key`."""


async def import_file(  # noqa: PLR0913  - the options of the command
    file: Path,
    take: Take,
    *,
    seller: str | None,
    note: Callable[[RowNote], None],
    progress: Callable[[ImportProgress], None],
    rename: Mapping[str, str] | None = None,
    currency: str = "USD",
    kind: str = "",
    categories: CategoryMap | None = None,
    beside: Sequence[Path] = (),
) -> ImportProgress:
    """Read one file to its end, in memory that does not grow with it.

    `beside`: files that add to its products, such as their combinations.

    Rows are committed in batches, so a run that was cut off is simply run again. `rename` maps a column of
    the file to one of ours; `seller` goes before what a row says; `currency` is the shop's; `kind` names the
    format that is guessed otherwise. Raises NotProducts."""
    remarks: list[str] = []
    names = _Names(rename or {})
    with opened(file) as raw, closing(_Seen()) as seen:
        given = read_rows(raw, remarks.append)
        work = _FileImport(file, raw, take, note, progress, names)
        work.beside = beside
        head: list[NumberedRow] = []
        try:
            head += islice(given, _LOOKED_AT)
        except BrokenFile as broken:
            work.breaks_off(broken)
        reading = _Reading(
            _format(file, head, names, work.broken, kind), seller, seen, names, currency, categories or {}
        )
        reading.check_map(file, head)
        given = chain(head, given, _rows_of(beside))
        rows = (names.apply(each) for each in work.counted(given))
        try:
            keys = reading.format.keys
            for product in gather(rows, keys) if keys else rows:
                await work.add(product, reading)
        except BrokenFile as broken:
            work.breaks_off(broken)
        return await work.finish(reading, remarks)


class GivenFiles(NamedTuple):
    """Files of products, and those that add to them."""

    whole: list[Path]
    adding: list[Path]


def sorted_files(files: Iterable[Path], into: Path) -> GivenFiles:
    """Tell files of products from those that add to them; zips of several files are unpacked into `into`."""
    found = GivenFiles([], [])
    for n, file in enumerate(files):
        folder = into / str(n)
        folder.mkdir()
        for each in unpack_several(file, folder):
            (found.adding if adds_to_others(each) else found.whole).append(each)
    return found


def adds_to_others(file: Path) -> bool:
    """Say whether a file holds what adds to products of another one, such as PrestaShop's combinations."""
    kind, rows = _kind_of(file)
    return kind.adds is not None and any(map(kind.adds, rows))


def takes_others(file: Path, kind: str = "") -> bool:
    """Say whether files may stand beside a file of products and add to them. `kind` names its format."""
    return (named_format(kind) if kind else _kind_of(file)[0]).adds is not None


def _kind_of(file: Path) -> tuple[Format, list[Mapping[str, Any]]]:
    """Recognise a file by its first rows; they are none where it cannot be read."""
    names = _Names({})
    rows: list[Mapping[str, Any]] = []
    with suppress(BrokenFile, OSError), opened(file) as raw:
        head = [row for _, row in map(names.apply, islice(read_rows(raw), _LOOKED_AT))]
        rows = [row for row in head if not isinstance(row, BadField)]
    return recognise(rows), rows


def _rows_of(files: Sequence[Path]) -> Iterator[NumberedRow]:
    """Read the rows of files beside the first one; their lines begin at `_LINES_A_FILE`, twice that …"""
    for n, file in enumerate(files, 1):
        with opened(file) as raw:
            for line, row in read_rows(raw):
                yield n * _LINES_A_FILE + line, row


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


class _Names:
    """The names of a file's columns: as its people wrote them, and as formats know them."""

    def __init__(self, rename: Mapping[str, str]) -> None:
        self.rename = {column_name(theirs): column_name(ours) for theirs, ours in rename.items()}
        self.written: dict[str, str] = {}
        """By name, as it stands in the file."""
        self.headings: dict[str, str] = {}
        """As they stand in the file, by their own names before `rename`."""
        self._known: dict[str, str] = {}

    def apply(self, row: NumberedRow) -> NumberedRow:
        """Rename the columns of a row; of two with one name, the first counts."""
        line, fields = row
        if isinstance(fields, BadField):
            return row
        known = self._known
        try:
            return line, {known[heading]: value for heading, value in fields.items()}
        except KeyError:
            return line, self._learn(fields)

    def _learn(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Rename the columns of a row and remember how. Of two with one name the first counts."""
        named: dict[str, Any] = {}
        for heading, value in fields.items():
            own = column_name(heading)
            name = self.rename.get(own, own)
            if name not in named and len(self._known) < _NAMES_MAX:
                self.headings.setdefault(own, heading)
                self.written.setdefault(name, heading)
                if self.written[name] == heading:
                    self._known[heading] = name
            named.setdefault(name, value)
        return named


class _Reading:
    """How the rows of a file are read, and whose they are: the named seller's, else a row's own."""

    def __init__(
        self,
        kind: Format,
        seller: str | None,
        seen: _Seen,
        names: _Names,
        currency: str,
        categories: CategoryMap,
    ) -> None:
        self.format = kind
        self.names = names
        self.used: set[str] = set()
        self.currency = currency
        self._seller = seller
        self._seen = seen
        self._categories = categories

    def columns(self, rows: Sequence[tuple[int, Mapping[str, Any]]]) -> Columns:
        """Prepare the rows of one product to be read."""
        all_rows = [Columns(row, line, self.used, self.currency) for line, row in rows]
        all_rows[0].rows = all_rows
        return all_rows[0]

    def read(self, columns: Columns) -> tuple[str, ImportRow]:
        """Answer a row's seller and product; BadField where it cannot be taken."""
        own = columns.seller()
        product = self.format.read(columns)
        name = self._seller or own
        known = product.external_id or f"sku\x1f{product.variants[0].sku}"
        if first := self._seen.before(name, known, columns.line):
            raise BadField("", f"is the same product as line {first}", "duplicate")
        if self._categories and (mapped := self._categories.get(path_key(product.category_path))):
            product = replace(product, category_path=mapped)
        return name, product

    def check_map(self, file: Path, head: list[NumberedRow]) -> None:
        """Refuse (NotProducts) a `--map` that names a column that the file or this format has not."""
        rows = [row for _, row in map(self.names.apply, head) if not isinstance(row, BadField)]
        for theirs in self.names.rename:
            if theirs not in self.names.headings:
                raise NotProducts(
                    f"{file.name} has no column {theirs}, which --map names"
                    f"{_nearest(theirs, self.names.headings)}."
                )
        read = 0
        for row in rows:
            columns = Columns(row, 0, self.used, self.currency)
            with suppress(BadField):
                columns.seller()
                self.format.read(columns)
                read += 1
        for ours in self.names.rename.values():
            if read and ours not in self.used:
                raise NotProducts(
                    f"{file.name}: --map names {ours}, which is no field of {self.format.name}"
                    f"{_nearest(ours, self.used)}."
                )

    def unused(self) -> list[str]:
        """List the columns that nothing of was read."""
        return [name for name in self.names.written if name not in self.used and name]

    def say_unused(self) -> str:
        """Name the columns that nothing of was read, each with a field that it may have meant."""
        names = self.unused()
        missing = self.used - set(self.names.written) if self.format is plain.FORMAT else set[str]()
        words = [f"{self.names.written[name]}{_nearest(name, missing, 0.8)}" for name in names]
        more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
        return f"Columns that are not used: {', '.join(words[:_NAMED])}{more}." if words else ""


def _nearest(name: str, among: Iterable[str], cutoff: float = 0.6) -> str:
    near = get_close_matches(name, list(among), 1, cutoff)
    return f" (is it {near[0]}?)" if near else ""


class _FileImport:
    """The batches that wait, and the count of what became of the rows before."""

    def __init__(
        self,
        file: Path,
        raw: IO[bytes],
        take: Take,
        note: Callable[[RowNote], None],
        progress: Callable[[ImportProgress], None],
        names: _Names,
    ) -> None:
        self._raw = raw
        self._take = take
        self._note = note
        self._progress = progress
        self._done = ImportProgress(file, 0, file.stat().st_size)
        self._waiting: dict[str, list[tuple[int, ImportRow]]] = {}
        self._names = names
        self._rows = 0
        self._bytes: dict[str, int] = {}
        self._without_stock = 0
        self._foreign: Counter[str] = Counter()
        self.beside: Sequence[Path] = ()
        """Files that add to the products of this one."""
        self._handed_over: tuple[list[tuple[int, ImportRow]], asyncio.Future[Imported]] | None = None
        progress(self._done)

    @property
    def broken(self) -> str:
        """Say why the file broke off; empty where it did not."""
        return self._done.broken

    def counted(self, rows: Iterable[NumberedRow]) -> Iterator[NumberedRow]:
        """Count rows as they are read."""
        for row in rows:
            self._rows += 1
            yield row

    async def add(self, given: NumberedRow | Gathered, reading: _Reading) -> None:
        """Put a product into its seller's batch, or note why it is left out."""
        if isinstance(given, Gathered):
            for line in given.beyond:
                self._leave_out(
                    line, BadField("", f"is beyond the {ROWS_MAX:,} rows that a product may have", "too_many")
                )
            rows: Sequence[tuple[int, Mapping[str, Any]]] = given.rows
        elif isinstance(given[1], BadField):
            self._leave_out(given[0], given[1])
            return
        else:
            rows = [(given[0], given[1])]
        columns = reading.columns(rows)
        try:
            name, product = reading.read(columns)
        except BadField as error:
            more = f" (and with it {len(rows) - 1:,} more of the product)" if len(rows) > 1 else ""
            self._leave_out(columns.line, BadField(error.field, error.reason + more, error.code))
            return
        for line, error in columns.bad:
            self._leave_out(line, error)
        for cut in dict.fromkeys(columns.cuts):
            self._say(columns.line, cut.field, cut.reason, "cut", left_out=False)
        if product.given is None or "title" in product.given:  # an update leaves the stock as it is
            self._without_stock += sum(variant.quantity is None for variant in product.variants)
        if product.currency != reading.currency and any(variant.price for variant in product.variants):
            self._foreign[product.currency] += 1
        self._waiting.setdefault(name, []).append((columns.line, product))
        self._bytes[name] = self._bytes.get(name, 0) + len(product.description) + _ROW_BYTES
        if len(self._waiting[name]) >= _BATCH or self._bytes[name] >= _BATCH_BYTES:
            await self._list(name)
        elif sum(map(len, self._waiting.values())) >= _HELD_MAX:
            await self._list(max(self._waiting, key=lambda name: len(self._waiting[name])))

    def _leave_out(self, line: int, error: BadField) -> None:
        self._say(line, error.field, error.reason, error.code)
        self._done = self._done._replace(left_out=self._done.left_out + 1)

    def _say(self, line: int, field: str, reason: str, code: str, *, left_out: bool = True) -> None:
        column = self._names.written.get(field, field)
        n, line = divmod(line, _LINES_A_FILE)
        file = self.beside[n - 1] if n else self._done.file
        self._note(RowNote(file.name, line, field, reason, left_out, code, column))

    def breaks_off(self, broken: BrokenFile) -> None:
        """Remember that the rest cannot be read; what was read before is taken."""
        self._done = self._done._replace(broken=str(broken))

    async def finish(self, reading: _Reading, remarks: list[str]) -> ImportProgress:
        """List what still waits; answer what became of the file."""
        for name in list(self._waiting):
            await self._list(name)
        await self._settle()
        for currency, count in self._foreign.items():
            remarks.append(
                f"{count:,} in {currency}, and this shop sells in {reading.currency}: they came as drafts."
            )
        if self._without_stock:
            remarks.append(
                f"{self._without_stock:,} without a stock in the file: they have none, or what --stock says."
            )
        if unused := reading.say_unused():
            remarks.append(unused)
        self._done = self._done._replace(
            read=self._done.size,
            rows=self._rows,
            format=reading.format.name,
            remarks=tuple(remarks),
            unused=tuple(self._names.written[name] for name in reading.unused()[:_UNUSED_MAX]),
        )
        self._progress(self._done)
        return self._done

    async def _list(self, name: str) -> None:
        """Hand over a batch; while it is taken the next one is read."""
        self._bytes.pop(name)
        waiting = self._waiting.pop(name)
        await self._settle()
        products = [product for _, product in waiting]
        self._handed_over = waiting, asyncio.ensure_future(self._take(name, products))
        await asyncio.sleep(0)  # it begins

    async def _settle(self) -> None:
        """Wait for the batch that was handed over, and count what became of it."""
        if self._handed_over is None:
            return
        waiting, task = self._handed_over
        self._handed_over = None
        result = await task
        for each in result.refused:
            self._leave_out(waiting[each.place][0], BadField(each.column, each.detail, each.code))
        self._done = self._done._replace(
            added=self._done.added + result.added,
            changed=self._done.changed + result.changed,
            unchanged=self._done.unchanged + result.unchanged,
            rows=self._rows,
            read=self._raw.tell() if self._raw.seekable() else 0,
        )
        self._progress(self._done)


def _format(file: Path, head: list[NumberedRow], names: _Names, broken: str, kind: str) -> Format:
    """Recognise a file by its first rows; NotProducts where it holds no products at all."""
    rows = [row for _, row in map(names.apply, head) if not isinstance(row, BadField)]
    if not head:
        raise NotProducts(f"{file.name} {f'cannot be read: {broken}' if broken else 'is empty'}.")
    if not rows:
        line, problem = head[0]
        assert isinstance(problem, BadField)
        raise NotProducts(
            f"{file.name} is not a file of products: line {line} {problem.reason}. "
            "Files are CSV, JSON lines (a JSON object a line) or a JSON array, packed by gzip or zip or not."
        )
    known = named_format(kind) if kind else recognise(rows)
    if known is plain.FORMAT and not any(map(plain.says_something, rows)):
        written = ", ".join(list(names.written.values())[:8])
        raise NotProducts(
            f"{file.name} is not a file of products: it has no field 'title', but {written}. "
            "--map THEIRS=title says which it is; docs/import.md has all fields."
        )
    return known
