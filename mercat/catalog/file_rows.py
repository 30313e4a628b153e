"""Rows of a file as a stream: CSV in any dialect, JSON lines or an array, XML feeds, spreadsheets; .gz and
.zip."""

import csv
import gzip
import io
import re
import shutil
import unicodedata
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date
from html.entities import name2codepoint
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, NamedTuple, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

import msgspec
from python_calamine import CalamineError, CalamineWorkbook, ZipError

from mercat.catalog.columns import BadField
from mercat.catalog.workbooks import CELLS_MAX, BadWorkbook, is_workbook, looked_through
from mercat.catalog.xml_feeds import CatalogueOffers, FeedItems, feed_of, local_name

_LINE_MAX = 4_000_000
_LONG = f"is longer than {_LINE_MAX // 1_000_000} MB"
_LOOKED_AT = 64_000
_SHEETS_MAX = 200
_SEALED = "it is packed with a password or in an unknown way; unpack it"
_TIMES_MAX, _USUAL_TIMES = 200, 20
"""What is packed unpacks to so many times its size at most: files of goods to five or twenty times, and those
with one template in each description to seventy."""
_SMALL = 20_000_000
"""Bytes that anything may unpack to."""
_PACKED_MAX = 20
"""Files of a zip that are read."""
_UNPACKED_MAX = 2_000_000_000
"""Bytes that only what unpacks to the usual times may exceed."""
_HEADING_WITHIN = 12
"""Lines of titles and comments that may stand before a heading."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DELIMITERS = ",;\t|"
_SEP = re.compile(r'^"?sep=(.)"?$', re.IGNORECASE)
_USUAL = re.compile(
    r"(?:(?:product|variant|body|url|image|external)_)?(?:active|availability|brand|categor(?:y|ies)|currency"
    r"|description|handle|handleid|html|id|link|name|price|quantity|sku|slug|status|stock|tags|title|type|url)"
)
"""Names that a heading has and a title line has not."""
_USUAL_NAMES = 2
_TEMPLATE = re.compile(r'"?TemplateType=', re.IGNORECASE)
_ADJACENT = re.compile(rb"[\x80-\xff]{2,}")
_LONE_CR = re.compile(rb"\r(?!\n)")
_QUOTE_OR_END = re.compile(rb'"|\r\n|\r(?=.)|\n', re.DOTALL)
_HIGH = re.compile(rb"[\x80-\xff]")
_OWN_NAME = re.compile(r"(attribute|option)s?\.(?=\S)", re.IGNORECASE)
_DECLARES = re.compile(rb"<!(?:ENTITY|ELEMENT|ATTLIST|NOTATION)|<!DOCTYPE[^<>\[]*\[")
_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]{1,9});")
_OF_XML = ("amp", "lt", "gt", "quot", "apos")
_WIDE = re.compile(rb"""(\s*<\?xml[^<>]*?encoding=["'])utf-?(?:16|32)[^"']*""", re.IGNORECASE)
"""What the first line says of a file that was in it: the lines are in UTF-8 by now."""
_MARK_MAX = 200
"""Bytes of a part of a line in which what it declares may begin."""
_QUIET = 4_000
_DEPTH_MAX = 100
_ELEMENTS_MAX = 10_000
"""Of one product of a feed."""
_NAMES_MAX = 10_000
"""Different names of elements and attributes of a feed."""
_JSON_SIGN = re.compile(rb'["\\{}]')
_LISTS = ("@graph", "itemListElement", "products", "items")
_SAYS_NOTHING = frozenset(
    ("@context", "@type", "@id", "name", "url", "description", "numberOfItems", "itemListOrder", "total")
)
"""What may stand beside a list of products, and is none of them."""
_NO_NAME = re.compile(r"[^\w.]+")
_AMAZON = re.compile(r"([a-z_][a-z0-9_.]*)(?:\[[^\]]*\])*#([0-9]+)((?:\.[a-z0-9_#]+)*)")
"""As in `item_name[marketplace_id=X][language_tag=en_US]#1.value`."""
_AMAZON_NTH = re.compile(r"#[0-9]+")
_AMAZON_ROW = re.compile(r"(attribute|data)Row=([0-9]{1,2})")
_METAFIELD = re.compile(r"(.*\S)\s*\((product\.metafields\.[^()]*)\)\s*", re.IGNORECASE)
_JOINS = re.compile(r"(?:\w+_)?id")
_DEFUSED = re.compile(r"'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""A cell that a spreadsheet would take for a formula, but for the apostrophes before it."""
NumberedRow = tuple[int, dict[str, Any] | BadField]
Remark = Callable[[str], None]


class BrokenFile(Exception):
    """The file ends in the middle, or is packed in a way that cannot be read."""


def column_name(heading: str) -> str:
    """Reduce a heading to a name that ignores case, spaces and signs: "Body (HTML) " is `body_html`.

    Amazon's `bullet_point[language_tag=en]#2.value` is `bullet_point2`. What follows `attributes.` or
    `option.` is a name of its own and stays as it is; so does what stands before a metafield of Shopify."""
    heading = heading.strip()
    if own := _AMAZON.fullmatch(heading):
        part = _AMAZON_NTH.sub("", own[3]).removesuffix(".value")
        return own[1] + (own[2] if own[2] != "1" else "") + part
    if own := _OWN_NAME.match(heading):
        kind = "attributes" if own[1].casefold() == "attribute" else "option"
        return f"{kind}.{heading[own.end() :].strip()}"
    if own := _METAFIELD.fullmatch(heading):
        return f"{own[1]}_{own[2].casefold()}"
    heading = unicodedata.normalize("NFKC", heading)
    return _NO_NAME.sub("_", heading.casefold()).strip("_.")


def opened(file: Path) -> io.BufferedReader:
    """Open a file to be read by `read_rows`, which tells what it is by the beginning in the buffer."""
    return io.BufferedReader(io.FileIO(file), _LOOKED_AT)


def read_rows(raw: io.BufferedReader, remark: Remark = lambda said: None) -> Iterator[NumberedRow]:
    """Yield line numbers and rows by their headings as they stand; a line that cannot be read is a BadField.

    `remark` is told what had to be guessed. Raises BrokenFile where the file breaks off."""
    try:
        if _is_workbook(raw):
            yield from _sheet(raw, remark)
            return
        lines = _lines(_unpacked(raw), remark)
        first = next((each for each in lines if each[1].strip()), None)
        if first is None:
            return
        start = first[1].lstrip()[:1]
        whole = first[1].strip()
        if whole == b"{" or (start == b"[" and whole[1:].lstrip()[:1] in (b"", b"{", b"]")):
            yield from _members(_json_objects(chain([first], lines)))
        elif start == b"<":
            yield from _xml(chain([first], lines))
        elif start in (b"{", b"["):
            yield from _members(_json(chain([first], lines)))
        else:
            yield from _csv(chain([first], lines), remark)
    except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile) as error:
        reason = "it breaks off" if isinstance(error, EOFError) else "it is damaged"
        raise BrokenFile(f"{reason} in the middle; what was read before is taken") from None


# -- workbooks


def _is_workbook(raw: io.BufferedReader) -> bool:
    """Say whether a file is a spreadsheet (XLSX), which is a zip of its own kind."""
    if raw.peek(4)[:4] != b"PK\x03\x04":
        return False
    with zipfile.ZipFile(raw) as archive:
        found = is_workbook(archive)
    raw.seek(0)
    return found


class _Book:
    """The sheets of a spreadsheet that was looked through. Many of them may be one and the same part, so what
    is read counts once more."""

    def __init__(self, raw: io.BufferedReader) -> None:
        try:
            with zipfile.ZipFile(raw) as archive, looked_through(archive) as sound:
                self._book = CalamineWorkbook.from_filelike(sound)
        except BadWorkbook as bad:
            raise BrokenFile(str(bad)) from None
        except (RuntimeError, NotImplementedError):
            raise BrokenFile(_SEALED) from None
        self.names = self._book.sheet_names
        if len(self.names) > _SHEETS_MAX:
            raise BrokenFile(f"it has more than {_SHEETS_MAX} sheets; send it in parts")
        self._left = 2 * CELLS_MAX  # sheets are read to find the goods, and again for what is beside them

    def cells(self, name: str) -> list[list[Any]]:
        """Read a sheet."""
        cells = self._book.get_sheet_by_name(name).to_python(False)
        self._left -= len(cells) * len(cells[0]) if cells else 0
        if self._left < 0:
            raise BrokenFile("its sheets hold too much; send it in parts")
        return cells


def _sheet(raw: io.BufferedReader, remark: Remark) -> Iterator[NumberedRow]:
    """Yield the rows of the first sheet whose heading is one of products, else of the first that has any:
    templates begin with a sheet of instructions."""
    read: tuple[str, list[list[Any]], int] | None = None
    try:
        book = _Book(raw)
        for name in book.names:
            cells = book.cells(name)
            heading = _sheet_heading(cells)
            if heading is None:
                continue
            if _usual(heading[1].names) >= _USUAL_NAMES or _template_rows(_first_cell(cells)):
                read = name, cells, heading[0]
                break
            read = read or (name, cells, heading[0])
        if read is None:
            return
        name, cells, place = read
        beside = _beside(book, name, _cell_text(cells[place][0]))
    except (CalamineError, ZipError) as error:
        raise BrokenFile(f"it is a spreadsheet that cannot be read ({error})") from None
    if len(book.names) > 1:
        also = f", and what {_listed(beside)} say of its rows" if beside else ""
        remark(f"It has {len(book.names)} sheets: “{name}” was read{also}.")
    rows = [[_cell_text(cell) for cell in row] for row in cells]
    names = [name.strip() for name in rows[place]]
    while names and not names[-1]:
        names.pop()
    names = _told_apart(names, remark)
    _, begins = _template_rows(_first_cell(cells)) or (0, 0)
    for number, row in enumerate(rows[place + 1 :], place + 2):
        if any(row) and number >= begins:
            told = {sheet: said[row[0]] for sheet, said in beside.items() if row[0] in said}
            yield number, dict(zip(names, row, strict=False)) | told


def _beside(book: _Book, of: str, key: str) -> dict[str, dict[str, list[dict[str, str]]]]:
    """Read the sheets whose first column is the products' own id, as OpenCart's pictures and options are: by
    the sheet's name and that id their rows, by reduced names. Only ids, such as `product_id`, join sheets."""
    if not _JOINS.fullmatch(column_name(key)):
        return {}
    found: dict[str, dict[str, list[dict[str, str]]]] = {}
    for name in book.names:
        if name == of:
            continue
        rows = [[_cell_text(cell) for cell in row] for row in book.cells(name)]
        if len(rows) < 2 or not rows[0] or column_name(rows[0][0]) != column_name(key):
            continue
        headings = [column_name(heading) for heading in rows[0]]
        for row in rows[1:]:
            if row[0]:
                said = found.setdefault(name, {}).setdefault(row[0], [])
                said.append(dict(zip(headings, row, strict=False)))
    return found


def _listed(names: Iterable[str]) -> str:
    return " and ".join(f"“{name}”" for name in names)


def _first_cell(cells: list[list[Any]]) -> str:
    return " ".join(str(cell) for cell in cells[0] if cell) if cells else ""


def _sheet_heading(cells: list[list[Any]]) -> "tuple[int, _Dialect] | None":
    """Find the row that names the columns; None where no row says anything."""
    ahead = [[_cell_text(cell).replace('"', "") for cell in row] for row in cells[:_HEADING_WITHIN]]
    lines = [",".join(f'"{cell}"' for cell in row).replace("\n", " ") if any(row) else "" for row in ahead]
    return _heading(lines)


def _cell_text(cell: object) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, date) else _cell(str(cell))


# -- bytes and lines


def _unpacked(raw: io.BufferedReader) -> Any:
    start = raw.peek(4)[:4]
    size = raw.seek(0, io.SEEK_END)
    raw.seek(0)
    if start[:2] == b"\x1f\x8b":
        return _bounded(cast(IO[bytes], gzip.GzipFile(fileobj=raw)), size)
    if start != b"PK\x03\x04":
        return raw
    archive = zipfile.ZipFile(raw)
    names = _files_of(archive)
    if len(names) != 1:
        raise BrokenFile(f"it holds {len(names)} files where one is read; unpack it")
    try:
        return _bounded(archive.open(names[0]), size)
    except (RuntimeError, NotImplementedError):  # zipfile's words for a password and an unknown method
        raise BrokenFile(_SEALED) from None


class _Bounded(io.RawIOBase):
    """A stream that unpacks to so many bytes at most; raise BrokenFile beyond."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self._stream = stream
        self._left = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._stream.read(len(buffer))
        self._left -= len(content)
        if self._left < 0:
            raise BrokenFile(
                f"it unpacks to more than {_TIMES_MAX} times its size, or 2 GB; send it in parts"
            )
        buffer[: len(content)] = content
        return len(content)


def _bounded(stream: IO[bytes], packed: int) -> io.BufferedReader:
    return io.BufferedReader(_Bounded(stream, _most(packed)), _LOOKED_AT)


def _most(packed: int) -> int:
    """Say to how much something packed may unpack. What is packed within may do so again, but for the cap."""
    return max(_SMALL, min(_TIMES_MAX * packed, _UNPACKED_MAX), _USUAL_TIMES * packed)


def _files_of(archive: zipfile.ZipFile) -> list[str]:
    """List the files of a zip, without what a desktop puts beside them."""
    names = [each.filename for each in archive.infolist() if not each.is_dir()]
    return [name for name in names if not name.startswith("__MACOSX/") and "/." not in f"/{name}"]


def _is_packed(archive: zipfile.ZipFile, name: str) -> bool:
    with archive.open(name) as member:
        return member.read(4).startswith((b"PK\x03\x04", b"\x1f\x8b"))


def unpack_several(file: Path, into: Path) -> list[Path]:
    """Unpack a zip of several files, such as products and their combinations, or of a file that is packed
    itself, such as a spreadsheet, into an empty folder. What is anything else is answered as it is, and so is
    a zip that cannot be read: reading it says why."""
    unread = (
        OSError,
        zipfile.BadZipFile,
        RuntimeError,
        NotImplementedError,
        zlib.error,
        EOFError,
        BrokenFile,
    )
    with suppress(*unread), file.open("rb") as raw:
        if raw.peek(4)[:4] != b"PK\x03\x04" or _is_workbook(raw):
            return [file]
        archive = zipfile.ZipFile(raw)
        names = _files_of(archive)
        size = sum(each.file_size for each in archive.infolist())
        if len(names) > _PACKED_MAX or size > min(_UNPACKED_MAX, _most(file.stat().st_size)):
            return [file]
        if len(names) == 1 and not _is_packed(archive, names[0]):
            return [file]
        unpacked = [into / name.rpartition("/")[2] for name in names]
        if len(set(unpacked)) < len(names):
            return [file]
        for name, path in zip(names, unpacked, strict=True):
            with archive.open(name) as packed, path.open("wb") as kept:
                shutil.copyfileobj(packed, kept)
        return unpacked
    return [file]


def _lines(stream: Any, remark: Remark) -> Iterator[tuple[int, bytes]]:
    """Yield numbered lines in UTF-8 (or in a code page without wide characters), however they end."""
    buffered = stream if hasattr(stream, "peek") else io.BufferedReader(stream)
    start = buffered.peek(_LOOKED_AT)[:_LOOKED_AT]
    encoding = _wide_encoding(start)
    if encoding:
        remark(f"It was read as {encoding.upper()}.")
        return _recoded(io.TextIOWrapper(buffered, encoding, errors="replace", newline=None), "replace")
    if len(_LONE_CR.findall(start)) > start.count(b"\n") or _first_end(start) == b"\r":
        kept = "surrogateescape"
        return _recoded(io.TextIOWrapper(buffered, "utf-8", errors=kept, newline=None), kept)
    is_xml = start.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] == b"<"
    return _numbered(lambda: buffered.readline(_LINE_MAX), whole=is_xml)


def _first_end(start: bytes) -> bytes:
    """Answer what ends the first line, not counting line ends within quotes."""
    quoted = False
    for found in _QUOTE_OR_END.finditer(start):
        if found[0] == b'"':
            quoted = not quoted
        elif not quoted:
            return found[0]
    return b""


def _recoded(text: io.TextIOWrapper, errors: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a text in UTF-8. The file stays open, which a wrapper that goes would close."""
    try:
        yield from _numbered(lambda: text.readline(_LINE_MAX).removeprefix("\ufeff").encode("utf-8", errors))
    finally:
        with suppress(ValueError):  # the file is closed already
            text.detach()


def _numbered(readline: Callable[[], bytes], *, whole: bool = False) -> Iterator[tuple[int, bytes]]:
    """Yield numbered lines; of a line that is too long only the beginning, without its end, or all (`whole`)
    in parts: many a feed is one line."""
    number = 0
    while line := readline():
        number += 1
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        yield number, line
        while _too_long(line):
            line = readline()
            if whole:
                yield number, line


def _wide_encoding(start: bytes) -> str:
    """Recognise UTF-16 by its mark, or by the zero of every second byte."""
    if start[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return "utf-32"
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16" if len(start) > 3 and 0 in start[2:6] else ""
    sample = start[:400]
    if len(sample) >= 8 and sample[1::2].count(0) > len(sample) * 0.4:
        return "utf-16-le"
    return "utf-16-be" if len(sample) >= 8 and sample[0::2].count(0) > len(sample) * 0.4 else ""


def _too_long(line: bytes) -> bool:
    return len(line) >= _LINE_MAX and not line.endswith(b"\n")


class _Decoder:
    """Decodes lines as UTF-8, and what is none as Windows-1252, where that is likely."""

    def __init__(self, remark: Remark) -> None:
        self._remark = remark
        self._told = False

    def text(self, number: int, line: bytes) -> str | None:
        """Answer the text of a line; None where its code page cannot be told."""
        try:
            return line.decode()
        except UnicodeDecodeError:
            pass
        together = sum(map(len, _ADJACENT.findall(line)))
        if together * 2 > len(_HIGH.findall(line)):
            return None  # letters of Western texts stand alone; these are of another script
        try:
            text = line.decode("cp1252")
        except UnicodeDecodeError:
            return None
        if not self._told:
            self._remark(f"Line {number} is not UTF-8: such lines were read as Windows-1252 (a guess).")
            self._told = True
        return text


# -- JSON


def _json(lines: Iterator[tuple[int, bytes]]) -> Iterator[NumberedRow]:
    for number, line in lines:
        if _too_long(line):
            yield number, BadField("", _LONG)
        elif line.strip():
            yield number, _object(line)


def _members(rows: Iterator[NumberedRow]) -> Iterator[NumberedRow]:
    """Take the products out of an object that only holds their list, such as schema.org's `@graph` and
    ItemList, or `{"products": […]}`."""
    for line, row in rows:
        listed = (
            None if isinstance(row, BadField) else next((n for n in _LISTS if _is_list(row.get(n))), None)
        )
        if isinstance(row, BadField) or listed is None or not _SAYS_NOTHING.issuperset(row.keys() - {listed}):
            yield line, row
            continue
        for each in cast(list[dict[str, Any]], row[listed]):
            inner: Any = each.get("item")
            member = cast(dict[str, Any], inner) if isinstance(inner, dict) else each
            if listed in ("products", "items") or "Product" in str(member.get("@type", "")):
                yield line, member


def _is_list(value: object) -> bool:
    """Say whether a value is a list of objects."""
    return isinstance(value, list) and all(isinstance(each, dict) for each in cast(list[Any], value))


def _object(line: bytes | str) -> dict[str, Any] | BadField:
    try:
        row = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return BadField("", f"is not JSON ({error})")
    return cast(dict[str, Any], row) if isinstance(row, dict) else BadField("", "is not a JSON object")


def _json_objects(lines: Iterator[tuple[int, bytes]]) -> Iterator[NumberedRow]:
    """Read the outermost objects of an array, or of a file, each as soon as its last brace is there."""
    depth, quoted = 0, False
    held: list[bytes] = []
    size, began = 0, 1
    for number, line in lines:
        start = 0
        place = 0
        while found := _JSON_SIGN.search(line, place):
            place, sign = found.end(), found.group()
            if sign == b"\\":
                place += quoted
            elif sign == b'"':
                quoted = not quoted
            elif quoted:
                continue
            elif sign == b"{":
                if depth == 0:
                    start, began, held, size = found.start(), number, [], 0
                depth += 1
            elif depth:
                depth -= 1
                if depth == 0:
                    yield (
                        began,
                        BadField("", _LONG)
                        if size > _LINE_MAX
                        else _object(b"".join([*held, line[start:place]])),
                    )
        if depth and (size := size + len(line)) <= _LINE_MAX:
            held.append(line[start:])
    if depth:
        yield began, BadField("", "opens an object that is never closed")


# -- XML


def _xml(lines: Iterator[tuple[int, bytes]]) -> Iterator[NumberedRow]:
    """Read the products of a feed by the names of their elements. What belongs to none is let go of as soon
    as it ends, and a product holds so much at most: feeds are longer than memory."""
    given = _XmlEvents()
    above: list[Element] = []
    feed: FeedItems | CatalogueOffers = FeedItems()
    began, found, within, held = 1, False, 0, 0
    for number, event, element in given.of(lines):
        is_product = local_name(element) in feed.products
        if event == "start":
            feed = feed if above else feed_of(element)
            is_product = local_name(element) in feed.products
            began = number if is_product else began
            within += is_product
            above.append(element)
            held += within > 0
            if len(above) > _DEPTH_MAX or held > _ELEMENTS_MAX:
                raise BrokenFile(f"line {number} is of an element that holds too much")
            continue
        above.pop()
        within -= is_product
        held = held if within else 0
        if is_product:
            found = True
            yield began, feed.fields(element)
        else:
            feed.learn(element)
        if above and (is_product or not within):
            above[-1].remove(element)
    if above:
        raise EOFError
    if not found:
        raise BrokenFile("it is XML without an item, entry or offer, which a feed of products has")


class _XmlEvents:
    """Elements of XML as they begin and end. A type of document with declarations of its own is refused: they
    can define texts that grow without bounds. What is long without an element is parsed in pieces that
    double, for a parser looks with each piece through all of a tag that has not ended."""

    def __init__(self) -> None:
        self._parser: XMLPullParser[Any] = XMLPullParser(["start", "end"])
        self._held = bytearray()
        self._quiet = 0
        """Bytes since an element began or ended."""
        self._names: set[str] = set()
        """Which a parser keeps."""

    def of(self, lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, str, Element]]:
        """Yield the line, `start` or `end`, and the element."""
        before, number = b"", 0
        for number, line in lines:
            if _DECLARES.search(before + line):
                raise BrokenFile("it declares a document type of its own, which is not read")
            before = line[-_MARK_MAX:]
            if number == 1 and (wide := _WIDE.match(line)):
                line = wide[1] + b"utf-8" + line[wide.end() :]
            self._held += _ENTITY.sub(_by_number, line) if b"&" in line else line
            if self._quiet <= _QUIET or len(self._held) >= self._quiet:
                yield from self._parsed(number)
        yield from self._parsed(number)

    def _parsed(self, number: int) -> Iterator[tuple[int, str, Element]]:
        content = bytes(self._held)
        self._held.clear()
        for place in range(0, len(content), _LOOKED_AT):
            piece = content[place : place + _LOOKED_AT]
            try:
                self._parser.feed(piece)
                events = [*cast(Any, self._parser.read_events())]
            except (ParseError, ValueError, LookupError) as error:  # the latter: an encoding that is not read
                raise BrokenFile(f"it is not XML ({error}); what was read before is taken") from None
            self._quiet = 0 if events else self._quiet + len(piece)
            for event, element in events:
                if event == "start":
                    self._names.add(element.tag)
                    self._names.update(element.keys())
                yield number, event, element
            if self._quiet > _LINE_MAX or len(self._names) > _NAMES_MAX:
                raise BrokenFile(f"line {number} is of an element that holds too much")


def _by_number(found: re.Match[bytes]) -> bytes:
    """Write an entity that HTML has and XML has not, such as `&nbsp;`, by its number, as both have it."""
    name = found[1].decode()
    return b"&#%d;" % name2codepoint[name] if name in name2codepoint and name not in _OF_XML else found[0]


# -- CSV


class _Dialect(NamedTuple):
    delimiter: str
    names: list[str]


def _csv(lines: Iterator[tuple[int, bytes]], remark: Remark) -> Iterator[NumberedRow]:
    """Yield rows by column name; titles and comments before the heading are skipped."""
    csv.field_size_limit(_LINE_MAX)
    decoder = _Decoder(remark)
    ahead = list(islice(lines, _HEADING_WITHIN))
    texts = [decoder.text(number, line[:_LOOKED_AT]) or "" for number, line in ahead]
    found = _heading(texts)
    if found is None:
        return
    place, dialect = found
    if place:
        remark(f"The heading is line {ahead[place][0]}; what stands before it was skipped.")
    padded = _is_padded(dialect.names)
    records = _Records(chain(ahead[place:], lines), decoder, dialect.delimiter, padded)
    _, begins = _template_rows(texts[0]) or (0, 0)
    heading = next(iter(records), None)
    if heading is None:
        return
    if isinstance(heading[1], BadField):
        yield heading[0], heading[1]
        return
    names = [name.strip().removeprefix("\ufeff") for name in heading[1]]
    while names and not names[-1]:
        names.pop()
    names = _told_apart(names, remark)
    count = len(names)
    for line, row in records:
        if line < begins:
            continue
        if isinstance(row, BadField):
            yield line, row
            continue
        if len(row) > count and any(cell.strip() for cell in row[count:]):
            yield line, BadField("", f"has {len(row)} columns where the heading has {count}")
        elif any(row):
            cells = map(str.strip, row) if padded else row
            yield line, dict(zip(names, map(_cell, cells), strict=False))


def _cell(text: str) -> str:
    """Take away the apostrophe that an export writes before what a spreadsheet would take for a formula."""
    return text[1:] if text[:1] == "'" and _DEFUSED.match(text) else text


def _is_padded(names: list[str]) -> bool:
    """Say whether blanks stand around cells of a heading, as where somebody lines the columns up: around
    most, or several behind those that are shorter than what stands below them."""
    around = sum(name != name.strip() for name in names) * 2 >= max(len(names) - 1, 2)
    return around or sum(name.endswith("  ") for name in names) >= 2


def _told_apart(names: list[str], remark: Remark) -> list[str]:
    """Give a second column of one name a name that nothing reads, and say so."""
    seen: dict[str, int] = {}
    kept: list[str] = []
    for n, name in enumerate(names, 1):
        reduced = column_name(name)
        if reduced and reduced in seen:
            remark(f"The heading has “{name}” twice (columns {seen[reduced]} and {n}): the first counts.")
            name = f"{name} (column {n})"
        seen.setdefault(reduced, n)
        kept.append(name)
    return kept


def _heading(texts: list[str]) -> tuple[int, _Dialect] | None:
    """Find the line that names the columns, and what separates them; None where no line says anything."""
    named = next((sep.group(1) for text in texts[:3] if (sep := _SEP.match(text.strip()))), "")
    found: list[tuple[int, _Dialect]] = []
    for n, text in enumerate(texts):
        if not text.strip() or _SEP.match(text.strip()):
            continue
        tried = [_Dialect(each, _cells(text, each)) for each in named or _DELIMITERS]
        found.append((n, max(tried, key=lambda each: (_usual(each.names), len(each.names)))))
    if texts and (rows := _template_rows(texts[0])):  # names for people stand before those for machines
        place, _ = rows
        found = [each for each in found if each[0] == place - 1 or "item_sku" in each[1].names] or found
        return found[0] if found else None
    for n, dialect in found:
        if _usual(dialect.names) >= _USUAL_NAMES:
            return n, dialect
    rows = [each for each in found if not texts[each[0]].lstrip().startswith("#")] or found
    most = max((_filled(dialect.names) for _, dialect in rows), default=0)
    return next((each for each in rows if _filled(each[1].names) * 2 >= most), None)


def _template_rows(first: str) -> tuple[int, int] | None:
    """Say which row of a template of Amazon's names the columns, and where its products begin, as far as its
    first row says so (0 where it does not); None for other files."""
    if "attributeRow=" not in first and not _TEMPLATE.match(first):
        return None
    told = {name: int(number) for name, number in _AMAZON_ROW.findall(first)}
    return told.get("attribute", 0), told.get("data", 0)


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=delimiter), list[str]())
    except csv.Error:
        return []


def _usual(names: list[str]) -> int:
    return sum(_USUAL.fullmatch(column_name(name)) is not None for name in names if len(name) < 50)


def _filled(names: list[str]) -> int:
    return sum(bool(name.strip()) for name in names)


class _Records:
    """Records of CSV with the line each begins on. A quote that is not closed costs its own record alone: it
    is a BadField at the line that opens it, and the lines after it are read again. `padded`: blanks between a
    quote and the end of its cell are none of the text."""

    def __init__(
        self, lines: Iterator[tuple[int, bytes]], decoder: _Decoder, delimiter: str, padded: bool = False
    ) -> None:
        self._lines = lines
        self._decoder = decoder
        self._delimiter = delimiter
        sign = re.escape(delimiter)
        self._padding = re.compile(f'(?:^|(?<={sign})) +(?=")|(?<=") +(?={sign}|\r?\n?$)') if padded else None
        self._again: deque[tuple[int, str]] = deque()
        self._record: list[tuple[int, str]] = []
        self._bad: list[tuple[int, BadField]] = []
        self._columns = 0

    def __iter__(self) -> Iterator[tuple[int, list[str] | BadField]]:
        reader = self._reader()
        while True:
            self._record.clear()
            row, problem = None, None
            try:
                row = next(reader, None)
            except csv.Error as error:
                problem = self._broken(str(error))
            yield from self._bad
            self._bad.clear()
            if problem is None and row is None:
                return
            if row is not None:
                self._columns = self._columns or len(row)
                if len(self._record) > 1 and self._holds_rows():
                    problem = self._broken("")
            if problem is not None:
                yield problem
                reader = self._reader()
            elif row:
                yield self._record[0][0], cast(list[str], row)

    def _reader(self) -> Any:
        return csv.reader(self._texts(), delimiter=self._delimiter, strict=True)

    def _texts(self) -> Iterator[str]:
        while True:
            if self._again:
                number, text = self._again.popleft()
            else:
                following = next(self._lines, None)
                if following is None:
                    return
                number, line = following
                text = self._text(number, line)
            self._record.append((number, text))
            yield text

    def _text(self, number: int, line: bytes) -> str:
        if _too_long(line):
            self._bad.append((number, BadField("", _LONG)))
            return "\n"
        text = self._decoder.text(number, line)
        if text is None:
            self._bad.append((number, BadField("", "is not UTF-8: save the file as “CSV UTF-8”")))
            return "\n"
        text = text.replace("\r\n", "\n").rstrip("\r") if "\r" in text else text
        return self._padding.sub("", text) if self._padding else text

    def _broken(self, error: str) -> tuple[int, BadField]:
        """Put back what stands after the line with the open quote; answer what is wrong with that line."""
        opened = self._opened_at() if len(self._record) > 1 or "end of data" in error else None
        place = opened or 0
        number = self._record[place][0]
        self._again.extendleft(reversed(self._record[place + 1 :]))
        if opened is None:
            return number, BadField("", f"is not CSV ({error})")
        return number, BadField("", "opens a quote that is never closed")

    def _opened_at(self) -> int:
        """Find the line of the record on which the field begins that was not closed where it should be."""
        quoted, fresh, opened = False, True, 0
        for n, (_, text) in enumerate(self._record):
            place = 0
            while place < len(text):
                sign = text[place]
                if quoted and sign == '"':
                    if text[place + 1 : place + 2] == '"':
                        place += 1
                    elif text[place + 1 : place + 2] in ("", "\n", "\r", self._delimiter):
                        quoted = False
                    else:
                        return opened
                elif not quoted:
                    if sign == '"' and fresh:
                        quoted, opened = True, n
                    fresh = sign == self._delimiter
                place += 1
            fresh = fresh or not quoted
        return opened

    def _holds_rows(self) -> bool:
        """Whether each line of the record, taken alone, is a row as wide as the heading: then it swallowed
        them by a quote that was not closed."""
        if self._columns < 3:
            return False
        wide = self._columns - 1
        return all(text.count(self._delimiter) == wide for _, text in self._record)
