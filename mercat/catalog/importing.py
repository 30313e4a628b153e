"""Takes files of products into the catalogue: streamed, in batches, with a report of every bad row."""

import csv
import gzip
import io
import sqlite3
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from mercat.catalog.messages import ImportRow
from mercat.catalog.service import Catalog, Receive
from mercat.catalog.sources import BadField, Raw, recognise, seller_of_row
from mercat.ids import SellerId

_BATCH = 500
_HELD_MAX = 2_000
"""Rows of all sellers that wait for their batch to be full."""
_LINE_MAX = 4_000_000
_LOOKED_AT = 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_UTF8 = "\ufffd"


class BadRow(NamedTuple):
    """A row that was left out, and why. Without a field it is the whole row that cannot be read."""

    file: str
    line: int
    field: str
    reason: str


class Progress(NamedTuple):
    """How far a file has been read, in bytes of it, and what became of its rows."""

    file: Path
    read: int
    size: int
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: int = 0
    broken: str = ""
    """Why the rest of the file could not be read."""


class NotProducts(Exception):
    """No product can be read from this file; says why in one line."""


class _Broken(Exception):
    """The file ends in the middle."""


SellerOf = Callable[[str], Awaitable[SellerId]]
Bad = Callable[[BadRow], None]
Read = tuple[int, dict[str, Any] | BadField]


async def import_file(
    catalog: Catalog,
    file: Path,
    *,
    seller: str | None,
    stock: int,
    seller_of: SellerOf,
    receive: Receive,
    bad: Bad,
    progress: Callable[[Progress], None],
    rename: Mapping[str, str] | None = None,
) -> Progress:
    """Reads one file to its end, in memory that does not grow with it. Rows are committed in batches, so a
    run that was cut off is simply run again. `rename` maps a column of the file to one of ours."""
    done = Progress(file, 0, file.stat().st_size)
    waiting: dict[str, list[ImportRow]] = {}
    default = seller or seller_name(file)

    async def take(name: str) -> None:
        nonlocal done
        taken = await catalog.take(waiting.pop(name), await seller_of(name), name, stock, receive)
        done = done._replace(
            added=done.added + taken.added,
            changed=done.changed + taken.changed,
            unchanged=done.unchanged + taken.unchanged,
            read=raw.tell() if raw.seekable() else 0,
        )
        progress(done)

    progress(done)
    with file.open("rb") as raw, closing(_Seen()) as seen:
        rows = _renamed(_rows(raw), rename or {})
        head: list[Read] = []
        try:
            head += islice(rows, _LOOKED_AT)
        except _Broken as broken:
            done = done._replace(broken=str(broken))
        read = recognise(_readable(file, head)).read
        try:
            for line, row in chain(head, rows):
                try:
                    if isinstance(row, BadField):
                        raise row
                    name = seller or seller_of_row(row) or default
                    product = read(row)
                    if first := seen.before(name, product.external_id, line):
                        raise BadField("", f"is the same product as line {first}")
                except BadField as error:
                    bad(BadRow(file.name, line, error.field, error.reason))
                    done = done._replace(bad=done.bad + 1)
                    continue
                waiting.setdefault(name, []).append(product)
                if len(waiting[name]) >= _BATCH:
                    await take(name)
                elif sum(map(len, waiting.values())) >= _HELD_MAX:
                    await take(max(waiting, key=lambda name: len(waiting[name])))
        except _Broken as broken:
            done = done._replace(broken=str(broken))
        for name in list(waiting):
            await take(name)
    done = done._replace(read=done.size)
    progress(done)
    return done


def seller_name(file: Path) -> str:
    """bestbuy-products.jsonl.gz: Bestbuy Products."""
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
        """The line that had this product; None at the first time."""
        added = self._db.execute("insert or ignore into seen values (?, ?, ?)", (seller, external_id, line))
        if added.rowcount:
            return None
        found = "select line from seen where seller = ? and id = ?"
        return self._db.execute(found, (seller, external_id)).fetchone()[0]

    def close(self) -> None:
        self._db.close()


def _readable(file: Path, head: list[Read]) -> Sequence[Raw]:
    """The rows by which a file is recognised; raises where it holds no products at all."""
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


def _renamed(rows: Iterator[Read], rename: Mapping[str, str]) -> Iterator[Read]:
    for line, row in rows:
        if rename and not isinstance(row, BadField):
            row = {rename.get(name, name): value for name, value in row.items()}
        yield line, row


def _rows(raw: io.BufferedReader) -> Iterator[Read]:
    """Line numbers and rows; a line that cannot be read is a BadField. Raises _Broken where the file
    breaks off."""
    packed = raw.peek(2)[:2] == b"\x1f\x8b"
    stream: Any = gzip.open(raw) if packed else raw
    lines = _lines(stream)
    try:
        first = next((each for each in lines if each[1].strip()), None)
        if first:
            is_json = first[1].lstrip()[:1] in (b"{", b"[")
            yield from (_json if is_json else _csv)(chain([first], lines))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        reason = "it breaks off" if isinstance(error, EOFError) else "it is damaged"
        raise _Broken(f"{reason} in the middle; what was read before is taken") from None


def _lines(stream: Any) -> Iterator[tuple[int, bytes]]:
    """Numbered lines; of a line that is too long only the beginning, without its end."""
    number = 0
    while line := stream.readline(_LINE_MAX):
        number += 1
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        yield number, line
        while len(line) >= _LINE_MAX and not line.endswith(b"\n"):
            line = stream.readline(_LINE_MAX)


def _too_long(line: bytes) -> bool:
    return len(line) >= _LINE_MAX and not line.endswith(b"\n")


def _json(lines: Iterator[tuple[int, bytes]]) -> Iterator[Read]:
    for number, line in lines:
        if _too_long(line):
            yield number, BadField("", f"is longer than {_LINE_MAX // 1_000_000} MB")
        elif line.strip():
            try:
                row = msgspec.json.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                yield number, BadField("", f"is not JSON ({error})")
            else:
                yield number, row if isinstance(row, dict) else BadField("", "is not a JSON object")


def _csv(lines: Iterator[tuple[int, bytes]]) -> Iterator[Read]:
    """Commas, semicolons or tabs: whichever the heading has most of."""
    csv.field_size_limit(_LINE_MAX)
    over_long: list[int] = []

    def texts() -> Iterator[str]:
        for number, line in lines:
            if _too_long(line):
                over_long.append(number)
                line = b"\n"
            yield line.decode("utf-8", "replace")

    given = texts()
    heading = next(given, "")
    delimiter = max(",;\t", key=heading.count)
    reader = csv.reader(chain([heading], given), delimiter=delimiter)
    names: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield line, BadField("", f"is not CSV ({error})")
            continue
        for number in over_long:
            yield number, BadField("", f"is longer than {_LINE_MAX // 1_000_000} MB")
        over_long.clear()
        if row is None:
            return
        if not names:
            names = [name.strip() for name in row]
        elif len(row) > len(names):
            yield line, BadField("", f"has {len(row)} columns where the heading has {len(names)}")
        elif any(_NOT_UTF8 in value for value in row):
            yield line, BadField("", "is not UTF-8: save the file as “CSV UTF-8”")
        elif any(row):
            yield line, dict(zip(names, row, strict=False))
