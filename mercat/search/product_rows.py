"""What the ranker knows of each product: rows of fixed size, for tantivy in a file beside the index.

The engine stores the number of a product's row. Rows are only added; a price or a stock that changes needs no
new one. A row is on disk before the engine's commit that refers to it, so no reader ever misses one. Rows
that nothing refers to any more stay until the index is rebuilt."""

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
from mercat.search.query import analyze
from mercat.search.ranking import embeddings

ROW = np.dtype(
    [
        ("title", "<u2", 24),
        ("prose", "<u2", 64),
        ("details", "<u2", 48),
        ("brand", "<u2", 4),
        ("tags", "<u2", 8),
        ("category_name", "<u2", 12),
        ("title_words", "<u2"),
        ("prose_words", "<u2"),
        ("category", "<u4"),
        ("embedding", "i1", embeddings.DIMENSIONS),
    ]
)
"""A row: the first words of each text field as hashes, 0 where there is no more; how many words title and
description ("prose") have; the category's hash; and the embedding of the title with the first of the text."""
_TEXT_FIELDS = ("title", "prose", "details", "brand", "tags", "category_name")
_WIDTHS = tuple(ROW[field].shape[0] for field in _TEXT_FIELDS)
_PADDING = array("H", bytes(2 * max(_WIDTHS)))
_FILE = "rows"
_PROSE_LETTERS, _EMBEDDED_LETTERS = 2_000, 200
_WORDS_COUNTED_MAX = 65_535
Rows = NDArray[Any]


@lru_cache(20_000)
def word_hash(stem: str) -> int:
    """Hash a stem to two bytes; 0 stands for no word."""
    return zlib.crc32(stem.encode()) % 65_535 + 1


def word_hashes(stems: Sequence[str]) -> NDArray[np.uint16]:
    """Hash several stems."""
    return np.array([word_hash(stem) for stem in stems], np.uint16)


def category_hash(slug: str) -> int:
    """Hash a category's slug to four bytes."""
    return zlib.crc32(slug.encode())


def make_rows(products: Sequence[tuple[Document, Sequence[str]]]) -> list[bytes]:
    """Make the rows of products, each given with its attributes as words. All at once: numpy costs by the
    call."""
    if not products:
        return []
    words, lengths = array("H"), list[tuple[int, int]]()
    for product, details in products:
        texts = _stemmed(product, details)
        lengths.append((min(len(texts[0]), _WORDS_COUNTED_MAX), min(len(texts[1]), _WORDS_COUNTED_MAX)))
        for stems, width in zip(texts, _WIDTHS, strict=True):
            words.extend(map(word_hash, stems[:width]))
            if len(stems) < width:
                words.extend(_PADDING[len(stems) - width :])
    made = np.zeros(len(products), ROW)
    table = np.frombuffer(words, np.uint16).reshape(len(products), sum(_WIDTHS))
    start = 0
    for field, width in zip(_TEXT_FIELDS, _WIDTHS, strict=True):
        made[field] = table[:, start : start + width]
        start += width
    made["title_words"], made["prose_words"] = np.array(lengths, np.uint16).T
    made["category"] = [category_hash(product.category) for product, _ in products]
    made["embedding"] = embeddings.quantize(
        embeddings.embed_all([f"{each.title} {each.description[:_EMBEDDED_LETTERS]}" for each, _ in products])
    )
    return [each.tobytes() for each in made]


def _stemmed(product: Document, details: Sequence[str]) -> tuple[list[str], ...]:
    """Stem each text field of a row, in the order of `_TEXT_FIELDS`."""
    return (
        analyze.stems(product.title),
        analyze.stems(product.description[:_PROSE_LETTERS]),
        analyze.stems(" ".join(details)[:_PROSE_LETTERS]),
        analyze.stems(product.brand) if product.brand else [],
        analyze.stems(" ".join(product.tags)),
        analyze.stems(" ".join(product.category_names[-3:])),
    )


class RowFile:
    """The rows of one index on disk, for its one writer."""

    def __init__(self, folder: Path) -> None:
        """Open the file, or create it; a row torn by a crash is cut off."""
        self.path = folder / _FILE
        self.path.touch()
        self.count = self.path.stat().st_size // ROW.itemsize
        os.truncate(self.path, self.count * ROW.itemsize)

    @staticmethod
    def exists(folder: Path) -> bool:
        """Tell whether an index has its rows."""
        return (folder / _FILE).exists()

    def read(self, numbers: list[int]) -> list[bytes | None]:
        """Read rows by number; None where there is none."""
        with self.path.open("rb") as file:
            return [
                os.pread(file.fileno(), ROW.itemsize, number * ROW.itemsize)
                if 0 <= number < self.count
                else None
                for number in numbers
            ]

    def append(self, rows: list[bytes]) -> int:
        """Write rows and return the first one's number. They are durable after `sync`."""
        first = self.count
        with self.path.open("r+b") as file:
            file.seek(first * ROW.itemsize)
            file.write(b"".join(rows))
        self.count += len(rows)
        return first

    def sync(self) -> None:
        """Make all rows durable."""
        with self.path.open("r+b") as file:
            os.fdatasync(file.fileno())


class MappedRows:
    """The rows of one index for readers: mapped into memory, so that processes share them."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._rows: Rows = np.zeros(0, ROW)

    def read(self, numbers: list[int]) -> Rows:
        """Copy rows by number; one that does not exist is all zeros."""
        wanted = np.array(numbers, np.int64)
        if len(wanted) and int(wanted.max()) >= len(self._rows):
            self._map_again()
        exists = wanted < len(self._rows)
        if bool(exists.all()):
            return self._rows[wanted]
        copied = np.zeros(len(wanted), ROW)
        copied[exists] = self._rows[wanted[exists]]
        return copied

    def _map_again(self) -> None:
        try:
            count = self._path.stat().st_size // ROW.itemsize
            if count:
                self._rows = np.asarray(np.memmap(self._path, ROW, "r", shape=(count,)))
        except OSError:
            return
