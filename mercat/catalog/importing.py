"""Takes files of products into the catalogue: streamed, in batches, with a report of every bad row."""

import csv
import gzip
import io
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from mercat.catalog.messages import ImportRow
from mercat.catalog.service import Catalog, Receive
from mercat.catalog.sources import BadField, Source, recognise
from mercat.ids import SellerId

_BATCH = 500
_LINE_MAX = 4_000_000


class BadRow(NamedTuple):
    """A row that was left out, and why."""

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


SellerOf = Callable[[str], Awaitable[SellerId]]
Bad = Callable[[BadRow], None]


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
    """Reads one file to its end. Rows are committed in batches: a run that was cut off is simply run again.
    `rename` maps a column of the file to one of ours."""
    done = Progress(file, 0, file.stat().st_size)
    source: Source | None = None
    batches: dict[str, list[ImportRow]] = {}
    default = seller or seller_name(file)
    with file.open("rb") as raw:
        for line, row in _rows(file, raw):
            try:
                if isinstance(row, BadField):
                    raise row
                if rename:
                    row = {rename.get(name, name): value for name, value in row.items()}
                source = source or recognise(row)
                name = default if seller else str(row.get("seller") or default)
                batch = batches.setdefault(name, [])
                batch.append(source.read(row))
            except BadField as error:
                bad(BadRow(file.name, line, error.field, error.reason))
                done = done._replace(bad=done.bad + 1)
                continue
            if len(batch) >= _BATCH:
                done = await _take(catalog, batches.pop(name), name, stock, seller_of, receive, done)
                done = done._replace(read=raw.tell())
                progress(done)
        for name, batch in batches.items():
            done = await _take(catalog, batch, name, stock, seller_of, receive, done)
    done = done._replace(read=done.size)
    progress(done)
    return done


async def _take(
    catalog: Catalog,
    batch: list[ImportRow],
    name: str,
    stock: int,
    seller_of: SellerOf,
    receive: Receive,
    done: Progress,
) -> Progress:
    taken = await catalog.take(batch, await seller_of(name), name, stock, receive)
    return done._replace(
        added=done.added + taken.added,
        changed=done.changed + taken.changed,
        unchanged=done.unchanged + taken.unchanged,
    )


def seller_name(file: Path) -> str:
    """bestbuy-products.jsonl.gz: Bestbuy Products."""
    stem = file.name.split(".")[0]
    return " ".join(word.capitalize() for word in stem.replace("_", "-").split("-") if word) or "Import"


def _rows(file: Path, raw: Any) -> Iterator[tuple[int, dict[str, Any] | BadField]]:
    """Line numbers and rows; a line that cannot be read is a BadField."""
    stream: Any = gzip.open(raw) if file.name.endswith(".gz") else raw
    if file.name.removesuffix(".gz").endswith(".csv"):
        reader = csv.DictReader(io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline=""))
        for row in reader:
            yield reader.line_num, {name: value for name, value in row.items() if isinstance(name, str)}
        return
    for number, line in enumerate(iter(lambda: stream.readline(_LINE_MAX), b""), 1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield number, BadField("", f"is not JSON: {error}")
            continue
        yield number, row if isinstance(row, dict) else BadField("", "is not an object")
