"""How far the cells of a spreadsheet are apart, before it is read: what reads one makes room for the whole
rectangle that its cells span, so two cells in opposite corners of a small file ask for half a terabyte."""

import re
import zipfile

CELLS_MAX = 20_000_000
"""Of a sheet, empty ones too: a million rows of twenty columns."""
_TAGS_MAX = 12_000_000
"""Of rows and cells: more would be looked through for minutes."""
_PIECE = 1_000_000
_VALUES = rb"""(?:[^>"']|"[^"]*"|'[^']*')*"""
_TAG = re.compile(rb"<(?:[\w.-]+:)?(row|c)((?=[\s/>])" + _VALUES + rb")>", re.DOTALL)
_PLACE = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]*)([0-9]*)["']""")
_BEGINS = re.compile(rb"<(?:[\w.-]+:)?(?:row|c)[\s/>]")
_TAG_MAX = 100_000
_LETTERS_MAX = 3
_DIGITS_MAX = 7
_FAR = 1 << 30
"""Beyond what any sheet has."""


def is_spread(archive: zipfile.ZipFile, part: str) -> bool:
    """Say whether a sheet spans more cells than are read."""
    extent = _Extent()
    rest = b""
    with archive.open(part) as sheet:
        while piece := sheet.read(_PIECE):
            rest = extent.take(rest + piece)
            if len(rest) > _TAG_MAX:
                if _BEGINS.match(rest):
                    return True  # no tag is so long, but for who hides in it
                rest = b""
            if extent.cells > CELLS_MAX or extent.tags > _TAGS_MAX:
                return True
    return extent.cells > CELLS_MAX


class _Extent:
    """The last row and column that hold something, by what cells say of their places or by their order."""

    def __init__(self) -> None:
        self.tags = 0
        self._row = self._column = 0
        self._last_row = self._last_column = 0

    @property
    def cells(self) -> int:
        return self._last_row * self._last_column

    def take(self, content: bytes) -> bytes:
        """Look through a piece; return what of it may be the beginning of a tag."""
        end = 0
        for tag in _TAG.finditer(content):
            end = tag.end()
            self.tags += 1
            letters, digits = _place(tag[2])
            if tag[1] == b"row":
                self._row, self._column = digits or self._row + 1, 0
                continue
            self._row, self._column = digits or self._row, letters or self._column + 1
            if not tag[2].endswith(b"/"):  # an empty cell only has a look
                self._last_row = max(self._last_row, self._row)
                self._last_column = max(self._last_column, self._column)
        return content[max(end, content.rfind(b"<")) :]


def _place(attributes: bytes) -> tuple[int, int]:
    """Read the column and the row that an element says; 0 where it says none."""
    found = _PLACE.search(attributes)
    if found is None:
        return 0, 0
    letters, digits = found[1].upper(), found[2]
    if len(letters) > _LETTERS_MAX or len(digits) > _DIGITS_MAX:
        return _FAR, _FAR
    column = 0
    for letter in letters:
        column = column * 26 + letter - 64
    return column, int(digits or 0)
