"""Sheets of paper as PDF: lines of text in any writing, and tables whose headings come again on every page.

Text stays text: it can be searched, read aloud and copied. Each character is set in the first font that has
it, and one that none has is written in Latin letters (as `anyascii` knows them), so nothing is ever left out
and nothing fails. The same sheets are the same bytes.
"""

import asyncio
import re
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any, NamedTuple, cast

import arabic_reshaper  # pyright: ignore[reportMissingTypeStubs]
from anyascii import anyascii
from bidi.algorithm import get_display  # pyright: ignore[reportMissingTypeStubs]
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

A4, LETTER = (595.3, 841.9), (612.0, 792.0)
ON_LETTER = frozenset({"US", "CA", "MX"})
"""Countries whose printers hold letter paper."""
_MARGIN, _FOOT = 48.0, 40.0
_LEADING = 1.35
_SIZE = 9.5
_GREY = 0.38
_CELL_GAP, _CELL_FOOT = 8.0, 8.0
_LOWEST = _FOOT + 24
"""Where the text of a page ends."""
_FONTS = {
    "text": ("fontpkg_fira_sans", "files/FiraSans-Regular.ttf"),
    "bold": ("fontpkg_fira_sans", "files/FiraSans-Bold.ttf"),
    "cjk": ("paperang_p2_fonts_cjk", "fonts/wqy-microhei.ttc"),
    "arabic": ("fontpkg_noto_sans_arabic", "files/NotoSansArabic[wdth,wght].ttf"),
}
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_WIDE = r"\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
_PIECES = re.compile(rf"\s+|[{_WIDE}]|[^\s{_WIDE}]+")
"""What a line may be broken between: words, and characters of writings without spaces."""
_one_at_a_time = ThreadPoolExecutor(1, "pdf")
"""Writing is work of this process and its fonts are shared, so a second thread would win nothing."""

_Mark = Callable[[Canvas], None]
"""Puts something onto a page."""
_Cells = Sequence[Sequence[str]]
"""A row of a table: the lines of each cell."""


class Column(NamedTuple):
    """A column of a table: its heading, its share of the width, and whether it ends flush right."""

    head: str
    share: float
    end: bool = False


class _Run(NamedTuple):
    font: str
    text: str


async def written(write: Callable[[], bytes]) -> bytes:
    """Write a PDF in a thread of its own, one after another; how many may wait is the lane's to say."""
    return await asyncio.get_running_loop().run_in_executor(_one_at_a_time, write)


class Sheets:
    """Sheets that are written from top to bottom; `begin` starts a paper of its own, with its own page
    numbers."""

    def __init__(self, title: str, author: str, *, letter: bool = False) -> None:
        self._title, self._author = title, author
        self._width, self._height = LETTER if letter else A4
        self._papers: list[tuple[str, list[list[_Mark]]]] = []
        self._y: float = 0

    @property
    def inner(self) -> float:
        """How wide the text may be."""
        return self._width - 2 * _MARGIN

    def begin(self, name: str) -> None:
        """Begin a paper on a page of its own; its name stands in the outline and at the foot of each page."""
        self._papers.append((name, []))
        self._turn()

    def text(
        self, words: str, size: float = _SIZE, *, bold: bool = False, grey: bool = False, width: float = 0
    ) -> None:
        """Write a paragraph; `width`: of its lines, where it is not the page's."""
        for line in _broken(words, width or self.inner, size, bold):
            self._room(size * _LEADING)
            self._put(line, _MARGIN, size, bold, grey)
            self._y -= size * _LEADING

    def heading(self, words: str) -> None:
        """Write a heading, on the page of what follows it."""
        self._room(80)
        self.text(words, 12, bold=True)
        self.gap(4)

    def beside(self, left: Sequence[str], right: Sequence[str]) -> None:
        """Write two blocks of lines side by side, the first line of each as its heading. In the text of each
        page the left one comes first, as one reads it."""
        half = self.inner / 2 - _CELL_GAP
        blocks = [
            [(line, n == 0) for n, words in enumerate(block) for line in _broken(words, half, _SIZE, n == 0)]
            for block in (left, right)
        ]
        high = _SIZE * _LEADING
        while any(blocks):
            self._room(high)
            top, fitting = self._y, max(1, int((self._y - _LOWEST) / high))
            for block, x in zip(blocks, (_MARGIN, _MARGIN + half + 2 * _CELL_GAP), strict=True):
                for n, (line, bold) in enumerate(block[:fitting]):
                    self._y = top - n * high
                    self._put(line, x, _SIZE, bold)
            self._y = top - high * min(fitting, max(map(len, blocks)))
            blocks = [block[fitting:] for block in blocks]

    def gap(self, points: float = 12) -> None:
        """Leave some room."""
        self._y -= points

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Write a table; a row is never torn, and each page begins with the headings again."""
        whole = sum(column.share for column in columns)
        widths = [self.inner * column.share / whole for column in columns]
        heads = _cells(widths, [column.head for column in columns], bold=True)
        self._room(_height(heads) + (_height(_cells(widths, rows[0])) if rows else 0))
        self._row(columns, widths, heads, bold=True)
        for row in rows:
            cells = _cells(widths, row)
            if self._y - _height(cells) < _LOWEST:
                self._turn()
                self._row(columns, widths, heads, bold=True)
            self._row(columns, widths, cells)

    def sums(self, rows: Sequence[tuple[str, str]]) -> None:
        """Write amounts under each other, flush right, the last one as their sum; they stay together."""
        self._room(len(rows) * _SIZE * _LEADING + _CELL_FOOT)
        for n, (label, amount) in enumerate(rows):
            last = n == len(rows) - 1
            if last:
                self._y -= _CELL_FOOT / 2
                self._rule(self._width - _MARGIN - self.inner / 2)
                self._y -= _CELL_FOOT / 2
            self._put(label, self._width - _MARGIN - self.inner / 2, _SIZE, last)
            self._end(amount, self._width - _MARGIN, _SIZE, last)
            self._y -= _SIZE * _LEADING

    def finish(self) -> bytes:
        """Return all of it as a PDF."""
        target = BytesIO()
        canvas = Canvas(target, (self._width, self._height), invariant=1, lang="en")
        canvas.setTitle(self._title)
        canvas.setSubject(self._title)
        canvas.setAuthor(self._author)
        canvas.setCreator(self._author)
        cast(Any, canvas).setViewerPreference("DisplayDocTitle", "true")
        for n, (name, pages) in enumerate(self._papers):
            cast(Any, canvas).bookmarkPage(f"paper-{n}")
            cast(Any, canvas).addOutlineEntry(name, f"paper-{n}")
            for number, page in enumerate(pages, 1):
                for mark in page:
                    mark(canvas)
                self._foot(canvas, name, f"Page {number} of {len(pages)}")
                canvas.showPage()
        canvas.save()
        return target.getvalue()

    def _turn(self) -> None:
        """Begin a page."""
        self._papers[-1][1].append([])
        self._y = self._height - _MARGIN

    def _foot(self, canvas: Canvas, words: str, page: str) -> None:
        fitting = _broken(words, self.inner - _width(page, 8) - _CELL_GAP, 8, False)[0]
        _draw(canvas, fitting, _MARGIN, _FOOT, 8, bold=False, grey=True)
        _draw(canvas, page, self._width - _MARGIN - _width(page, 8), _FOOT, 8, bold=False, grey=True)

    def _room(self, points: float) -> None:
        if self._y - points < _LOWEST:
            self._turn()

    def _row(
        self, columns: Sequence[Column], widths: Sequence[float], cells: _Cells, *, bold: bool = False
    ) -> None:
        top, x = self._y, _MARGIN
        for column, width, lines in zip(columns, widths, cells, strict=True):
            self._y = top
            for line in lines:
                if column.end:
                    self._end(line, x + width, _SIZE, bold)
                else:
                    self._put(line, x, _SIZE, bold)
                self._y -= _SIZE * _LEADING
            x += width
        self._y = top - _height(cells) + _CELL_FOOT / 2
        self._rule(_MARGIN, bold=bold)
        self._y -= _CELL_FOOT / 2

    def _put(self, line: str, x: float, size: float, bold: bool = False, grey: bool = False) -> None:
        y = self._y - size
        self._mark(lambda canvas: _draw(canvas, line, x, y, size, bold=bold, grey=grey))

    def _end(self, line: str, x: float, size: float, bold: bool = False) -> None:
        self._put(line, x - _width(line, size, bold), size, bold)

    def _rule(self, x: float, *, bold: bool = False) -> None:
        y = self._y

        def rule(canvas: Canvas) -> None:
            canvas.setStrokeGray(0.2 if bold else 0.8)
            canvas.setLineWidth(0.8 if bold else 0.4)
            canvas.line(x, y, self._width - _MARGIN, y)

        self._mark(rule)

    def _mark(self, mark: _Mark) -> None:
        self._papers[-1][1][-1].append(mark)


def _draw(canvas: Canvas, line: str, x: float, y: float, size: float, *, bold: bool, grey: bool) -> None:
    canvas.setFillGray(_GREY if grey else 0)
    for run in _runs(_visual(line), bold):
        canvas.setFont(run.font, size)
        canvas.drawString(x, y, run.text)
        x += _run_width(run, size)


def _width(line: str, size: float, bold: bool = False) -> float:
    return sum(_run_width(run, size) for run in _runs(_visual(line), bold))


def _run_width(run: _Run, size: float) -> float:
    return pdfmetrics.stringWidth(run.text, run.font, size)


def _cells(widths: Sequence[float], row: Sequence[str], *, bold: bool = False) -> _Cells:
    return [_broken(words, width - _CELL_GAP, _SIZE, bold) for words, width in zip(row, widths, strict=True)]


def _height(cells: _Cells) -> float:
    return max([1, *map(len, cells)]) * _SIZE * _LEADING + _CELL_FOOT


def _broken(words: str, width: float, size: float, bold: bool) -> list[str]:
    """Break a text into lines of at most this width, a word that is longer than a line within it."""
    lines: list[str] = []
    line, filled = "", 0.0
    for piece in _PIECES.findall(_plain(words)):
        wide = _width(piece, size, bold)
        if filled + wide > width and not piece.isspace():
            if line:
                lines.append(line.rstrip())
            line, filled = "", 0.0
            *whole, piece = _cut(piece, width, size, bold) if wide > width else [piece]
            lines += whole
            wide = _width(piece, size, bold)
        if line or not piece.isspace():
            line, filled = line + piece, filled + wide
    return [*lines, line.rstrip()] if line or not lines else lines


def _cut(word: str, width: float, size: float, bold: bool) -> list[str]:
    """Cut a word into pieces of at most this width, each of one character at least."""
    pieces, filled = [""], 0.0
    for each in word:
        wide = _width(each, size, bold)
        if filled + wide > width and pieces[-1]:
            pieces.append("")
            filled = 0.0
        pieces[-1] += each
        filled += wide
    return pieces


def _plain(words: str) -> str:
    """Compose a text, and write in Latin letters what no font has; what shows nothing is left out."""
    return "".join(
        each if each == " " or _font(each) else _spelt(each)
        for each in unicodedata.normalize("NFC", " ".join(words.split()))
    )


def _spelt(character: str) -> str:
    if unicodedata.category(character)[0] in "CM":
        return ""
    return anyascii(character) or "?"


def _visual(line: str) -> str:
    """Bring a line into the order in which it is seen, Arabic letters in their joined forms."""
    if not _RIGHT_TO_LEFT.search(line):
        return line
    joined = cast(Any, arabic_reshaper).reshape(line)
    return cast(str, cast(Any, get_display)(joined, base_dir="L"))


def _runs(line: str, bold: bool) -> list[_Run]:
    """Part a line by the font that each character is set in; a space stays with what is before it."""
    plain = "bold" if bold else "text"
    _known(plain)
    if line.isascii():
        return [_Run(plain, line)]
    runs: list[_Run] = []
    for each in line:
        font = _font(each) or "text"
        font = plain if font == "text" else font
        if runs and (each == " " or runs[-1].font == font):
            runs[-1] = _Run(runs[-1].font, runs[-1].text + each)
        else:
            runs.append(_Run(font, each))
    return runs


@cache
def _font(character: str) -> str:
    """Name the first font that has a character; empty where none has. What is not needed is not loaded."""
    code = ord(character)
    return next((name for name in _FONTS if code in _known(name)), "")


@cache
def _known(name: str) -> frozenset[int]:
    """Register a font with ReportLab, once, and say which characters it has."""
    package, file = _FONTS[name]
    font = cast(Any, TTFont(name, str(files(package) / file)))
    cast(Any, pdfmetrics).registerFont(font)
    return frozenset(font.face.charToGlyph)
