"""A spreadsheet is looked through before it is read: what reads one makes room for the whole rectangle that
its cells span and for the text of each cell, so a small file could ask for terabytes."""

import tempfile
import zipfile
from collections.abc import Callable
from typing import IO
from xml.parsers import expat

CELLS_MAX = 5_000_000
"""Of all sheets, empty ones too: a quarter of a million rows of twenty columns."""
_UNPACKED_MAX = 300_000_000
_TEXTS_MAX = 500_000_000
"""Characters of the cells that say a shared text, each time it is said."""
_ELEMENTS_MAX = 25_000_000
"""Of all parts: more would be looked through for minutes."""
_PIECE = 256_000
_TOKEN_MAX = 1_000_000
"""Bytes of a tag or a comment."""
_DEPTH_MAX = 200
_NAMES_MAX = 10_000
"""Different names of elements and attributes, all of which a parser keeps."""
_OTHERS = frozenset(("xl/workbook.bin", "content.xml"))
"""What makes a zip a workbook of XLSB or ODS."""
_SHARED = "xl/sharedstrings.xml"
_LETTERS_MAX, _DIGITS_MAX = 3, 7
_FAR = 1 << 30
"""Beyond what any sheet has."""


class BadWorkbook(Exception):
    """Why a spreadsheet is not read."""


def is_workbook(archive: zipfile.ZipFile) -> bool:
    """Say whether a zip is a spreadsheet."""
    return any(each.filename.startswith("xl/") for each in archive.infolist())


def looked_through(archive: zipfile.ZipFile) -> IO[bytes]:
    """Copy a spreadsheet (XLSX), so that what reads it gets what was looked at and nothing else: its XML,
    each part once, as long as it is. Raise BadWorkbook where it would take too much, or is none."""
    parts = [each for each in archive.infolist() if _name_of(each).endswith((".xml", ".rels"))]
    names = set(map(_name_of, parts))
    if "xl/workbook.xml" not in names or _OTHERS & set(map(_name_of, archive.infolist())):
        raise BadWorkbook("it is a spreadsheet of another kind; save it as XLSX")
    if len(names) < len(parts):
        raise BadWorkbook("it has a part twice")
    if sum(each.file_size for each in parts) > _UNPACKED_MAX:
        raise BadWorkbook("it unpacks to more than 300 MB; send it in parts")
    parts.sort(key=lambda each: _name_of(each) != _SHARED)
    look = _Look()
    kept = tempfile.TemporaryFile()  # noqa: SIM115  - whoever reads it closes it
    try:
        with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copied:
            for part in parts:
                path = part.filename.replace("\\", "/")
                with archive.open(part) as given, copied.open(path, "w", force_zip64=True) as copy:
                    look.through(_name_of(part) == _SHARED, given.read, copy.write)
    except expat.ExpatError as error:
        kept.close()
        raise BadWorkbook(f"it is a spreadsheet that cannot be read ({error})") from None
    except BaseException:
        kept.close()
        raise
    kept.seek(0)
    return kept


def _name_of(part: zipfile.ZipInfo) -> str:
    return part.filename.replace("\\", "/").lower()


class _Look:
    """What the parts of a spreadsheet hold, so far."""

    def __init__(self) -> None:
        self.elements = 0
        self.cells = 0
        self.texts = 0
        self.shared: list[int] = []
        """How long each shared text is."""

    def through(
        self, are_shared: bool, read: Callable[[int], bytes], write: Callable[[bytes], object]
    ) -> None:
        """Copy a part, if it is sound."""
        parser = expat.ParserCreate("utf-8")  # whatever it declares: nobody else believes that
        parser.XmlDeclHandler = _check_encoding
        parser.StartDoctypeDeclHandler = _refuse_doctype
        part = _SharedTexts(self, parser) if are_shared else _Part(self, parser)
        fed = 0
        while piece := read(_PIECE):
            if b"\0" in piece:
                raise BadWorkbook("it is not in UTF-8")
            fed += len(piece)
            parser.Parse(piece)
            part.check()
            if fed - parser.CurrentByteIndex > _TOKEN_MAX + _PIECE or len(parser.intern) > _NAMES_MAX:
                raise BadWorkbook("it is XML that no spreadsheet has")
            write(piece)
        parser.Parse(b"", True)
        part.check()
        self.elements, self.cells = self.elements + part.elements, self.cells + part.cells
        self.texts += part.texts


def _check_encoding(version: str, encoding: str | None, standalone: int) -> None:
    if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii"):
        raise BadWorkbook("it is not in UTF-8")


def _refuse_doctype(*said: object) -> None:
    raise BadWorkbook("it declares a document type of its own, which is not read")


class _Part:
    """The last row and column of a part that hold something. Places only go on, for a place that is not told
    is behind the one before."""

    def __init__(self, look: _Look, parser: expat.XMLParserType) -> None:
        self.elements = 0
        self.texts = 0
        self._look = look
        self._depth = 0
        self._row, self._column = 1, 0
        self._here = (0, 0)
        self._last_row = self._last_column = 0
        self._is_shared = False
        self._number = ""
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text

    @property
    def cells(self) -> int:
        """How many cells the rectangle has that what reads it makes room for."""
        return self._last_row * self._last_column

    def check(self) -> None:
        """Raise BadWorkbook where there is too much, together with the parts before."""
        look = self._look
        if look.cells + self.cells > CELLS_MAX:
            raise BadWorkbook(
                f"it has more than {CELLS_MAX // 1_000_000} million cells, or they are too far apart: delete "
                "what stands far below or beside the goods, or send it in parts"
            )
        if look.elements + self.elements > _ELEMENTS_MAX or look.texts + self.texts > _TEXTS_MAX:
            raise BadWorkbook("it holds too much; send it in parts")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise BadWorkbook("it is XML that no spreadsheet has")
        name = name.rpartition(":")[2]
        if name == "c":
            letters, digits = _place(attributes["r"]) if "r" in attributes else (0, 0)
            self._column = max(self._column + 1, letters)
            self._here = max(self._row, digits), self._column
            self._is_shared = attributes.get("t") == "s"
        elif name == "row":
            self._row = max(self._row, _place(attributes["r"])[1] if "r" in attributes else 0)
        elif name in ("v", "is"):  # a cell without them only has a look
            row, column = self._here
            self._last_row = max(self._last_row, row)
            self._last_column = max(self._last_column, column)
            self._number = ""

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name.rpartition(":")[2] == "row":
            self._row, self._column = self._row + 1, 0

    def _text(self, text: str) -> None:
        """Count the shared text of a cell; each beginning of its number too, which may be all that is
        read."""
        if not self._is_shared or not (text := text.strip()):
            return
        self._number += text
        number, shared = self._number, self._look.shared
        if (
            len(number) > _DIGITS_MAX
            or not (number.isascii() and number.isdecimal())
            or int(number) >= len(shared)
        ):
            raise BadWorkbook("a cell has a shared text that there is not")
        self.texts += shared[int(number)]


class _SharedTexts(_Part):
    """The texts that cells share. One that is none would make it unclear which number is whose."""

    _is_told = True

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        super()._start(name, attributes)
        name = name.rpartition(":")[2]
        if name == "t":
            self._is_told = True
        elif name in ("si", "rPh"):
            if not self._is_told or (name == "si" and self._depth != 2):
                raise BadWorkbook("one of its shared texts is none")
            if name == "si":
                self._look.shared.append(0)
                self._is_told = False

    def _text(self, text: str) -> None:
        if self._look.shared:
            self._look.shared[-1] += len(text)


def _place(said: str) -> tuple[int, int]:
    """Read the column and the row of a place such as `AB12`; 0 for what is not said."""
    letters = said.rstrip("0123456789")
    digits = said[len(letters) :]
    if len(letters) > _LETTERS_MAX or len(digits) > _DIGITS_MAX:
        return _FAR, _FAR
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - 64
    return column, int(digits or 0)
