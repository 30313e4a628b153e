"""What the ranker knows of each product: rows of a fixed size in a file beside the index.

The engine keeps the number of a product's row. Rows are only added; a price or a stock that changes needs no
new one. A row is on disk before the engine's commit that names it, so no reader ever misses one, and a row
that no commit names is overwritten by nobody's loss. Rebuilding leaves old rows behind.
"""

import os
import zlib
from array import array
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mercat.events import Document
from mercat.search.query import analyze as text
from mercat.search.ranking import embeddings as meaning

FILE = "facts"
TITLE, PROSE, DETAILS, BRAND, TAGS, PLACE = 24, 64, 48, 4, 8, 12
ROW = np.dtype(
    [
        ("title", "<u2", TITLE),
        ("prose", "<u2", PROSE),
        ("details", "<u2", DETAILS),
        ("brand", "<u2", BRAND),
        ("tags", "<u2", TAGS),
        ("place", "<u2", PLACE),
        ("title_words", "<u2"),
        ("prose_words", "<u2"),
        ("category", "<u4"),
        ("meaning", "i1", meaning.DIMENSIONS),
    ]
)
_LISTS = ("title", "prose", "details", "brand", "tags", "place")
_WIDTHS = (TITLE, PROSE, DETAILS, BRAND, TAGS, PLACE)
_NOTHING = array("H", bytes(2 * max(_WIDTHS)))
PROSE_LETTERS = 2_000
MEANT_LETTERS = 200
Rows = NDArray[Any]


@lru_cache(20_000)
def sign(stem: str) -> int:
    """A word as two bytes; 0 is no word."""
    return zlib.crc32(stem.encode()) % 65_535 + 1


def signs(stems: list[str]) -> list[int]:
    return [sign(stem) for stem in stems]


def category_sign(slug: str) -> int:
    return zlib.crc32(slug.encode())


def rows(products: Sequence[tuple[Document, Sequence[str]]]) -> list[bytes]:
    """The rows of products, each with its attributes in words. Made together: numpy costs by the call."""
    if not products:
        return []
    words, counts = array("H"), list[tuple[int, int]]()
    for product, details in products:
        title = text.stems(product.title)
        prose = text.stems(product.description[:PROSE_LETTERS])
        counts.append((min(len(title), 65_535), min(len(prose), 65_535)))
        for stems, width in zip(
            (
                title,
                prose,
                text.stems(" ".join(details)[:PROSE_LETTERS]),
                text.stems(product.brand) if product.brand else [],
                text.stems(" ".join(product.tags)),
                text.stems(" ".join(product.category_names[-3:])),
            ),
            _WIDTHS,
            strict=True,
        ):
            words.extend(map(sign, stems[:width]))
            if len(stems) < width:
                words.extend(_NOTHING[len(stems) - width :])
    kept = np.zeros(len(products), ROW)
    every = np.frombuffer(words, np.uint16).reshape(len(products), sum(_WIDTHS))
    start = 0
    for field, width in zip(_LISTS, _WIDTHS, strict=True):
        kept[field] = every[:, start : start + width]
        start += width
    kept["title_words"], kept["prose_words"] = np.array(counts, np.uint16).T
    kept["category"] = [category_sign(product.category) for product, _ in products]
    kept["meaning"] = meaning.packed(
        meaning.meanings([f"{each.title} {each.description[:MEANT_LETTERS]}" for each, _ in products])
    )
    return [each.tobytes() for each in kept]


class Book:
    """The rows of one index, for its one writer."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.path.touch()
        self.rows = self.path.stat().st_size // ROW.itemsize
        os.truncate(self.path, self.rows * ROW.itemsize)  # a row torn by a crash

    def read(self, numbers: list[int]) -> list[bytes | None]:
        """Rows by number; None where there is none."""
        with self.path.open("rb") as file:
            return [
                os.pread(file.fileno(), ROW.itemsize, number * ROW.itemsize)
                if 0 <= number < self.rows
                else None
                for number in numbers
            ]

    def add(self, rows: list[bytes]) -> int:
        """Writes rows; the first one's number. They are safe after `keep`."""
        first = self.rows
        with self.path.open("r+b") as file:
            file.seek(first * ROW.itemsize)
            file.write(b"".join(rows))
        self.rows += len(rows)
        return first

    def keep(self) -> None:
        """Puts on disk whatever was written."""
        with self.path.open("r+b") as file:
            os.fdatasync(file.fileno())


class Pages:
    """The rows of one index, for readers: mapped, so that processes share them."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._rows: Rows = np.zeros(0, ROW)

    def read(self, numbers: list[int]) -> Rows:
        """Rows by number; empty ones where the file has none."""
        wanted = np.array(numbers, np.int64)
        if len(wanted) and int(wanted.max()) >= len(self._rows):
            self._look()
        there = wanted < len(self._rows)
        if bool(there.all()):
            return self._rows[wanted]
        found = np.zeros(len(wanted), ROW)
        found[there] = self._rows[wanted[there]]
        return found

    def _look(self) -> None:
        try:
            count = self._path.stat().st_size // ROW.itemsize
            if count:
                self._rows = np.asarray(np.memmap(self._path, ROW, "r", shape=(count,)))
        except OSError:
            return
