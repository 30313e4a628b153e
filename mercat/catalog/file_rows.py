"""Rows of a file as it is packed: JSON lines or CSV, gzipped or not, as a stream."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from mercat.catalog.columns import BadField

_LINE_MAX = 4_000_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_UTF8 = "\ufffd"
NumberedRow = tuple[int, dict[str, Any] | BadField]


class BrokenFile(Exception):
    """The file ends in the middle."""


def read_rows(raw: io.BufferedReader) -> Iterator[NumberedRow]:
    """Yield line numbers and rows; a line that cannot be read is a BadField. Raises BrokenFile where the file
    breaks off."""
    packed = raw.peek(2)[:2] == b"\x1f\x8b"
    stream: Any = gzip.GzipFile(fileobj=raw) if packed else raw
    lines = _lines(stream)
    try:
        first = next((each for each in lines if each[1].strip()), None)
        if first:
            is_json = first[1].lstrip()[:1] in (b"{", b"[")
            yield from (_json if is_json else _csv)(chain([first], lines))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        reason = "it breaks off" if isinstance(error, EOFError) else "it is damaged"
        raise BrokenFile(f"{reason} in the middle; what was read before is taken") from None


def _lines(stream: Any) -> Iterator[tuple[int, bytes]]:
    """Yield numbered lines; of a line that is too long only the beginning, without its end."""
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


def _json(lines: Iterator[tuple[int, bytes]]) -> Iterator[NumberedRow]:
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


def _csv(lines: Iterator[tuple[int, bytes]]) -> Iterator[NumberedRow]:
    """Yield rows by column name. Commas, semicolons or tabs: whichever the heading has most of."""
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
