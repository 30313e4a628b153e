"""What the ranker knows of each product: rows of a fixed size in a file beside the index.

The engine keeps the number of a product's row. Rows are only added; a price or a stock that changes needs no
new one. A row is on disk before the engine's commit that names it, so no reader ever misses one, and a row
that no commit names is overwritten by nobody's loss. Rebuilding leaves old rows behind.
"""

import os
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mercat.events import Document
from mercat.search import meaning, text

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


def row(product: Document, details: list[str]) -> bytes:
    kept = np.zeros(1, ROW)
    title = text.stems(product.title)
    prose = text.stems(product.description[:PROSE_LETTERS])
    for field, stems in (
        ("title", title),
        ("prose", prose),
        ("details", text.stems(" ".join(details)[:PROSE_LETTERS])),
        ("brand", text.stems(product.brand or "")),
        ("tags", text.stems(" ".join(product.tags))),
        ("place", text.stems(" ".join(product.category_names[-3:]))),
    ):
        given = signs(stems[: ROW[field].shape[0]])
        kept[field][0, : len(given)] = given
    kept["title_words"], kept["prose_words"] = min(len(title), 65_535), min(len(prose), 65_535)
    kept["category"] = category_sign(product.category)
    said = f"{product.title} {product.description[:MEANT_LETTERS]}"
    kept["meaning"] = meaning.packed(meaning.meaning(said))
    return kept.tobytes()


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
        """Puts rows on disk; the first one's number."""
        first = self.rows
        with self.path.open("r+b") as file:
            file.seek(first * ROW.itemsize)
            file.write(b"".join(rows))
            file.flush()
            os.fdatasync(file.fileno())
        self.rows += len(rows)
        return first


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
                self._rows = np.memmap(self._path, ROW, "r", shape=(count,))
        except OSError:
            return
