"""What words mean: a vector for any text, so that "memory stick" is near "USB flash drive".

A table has one row a piece of a word; a text is the mean of its pieces. Rows come from all-MiniLM-L6-v2
(each piece sent through the model alone, principal components, weighted by rarity: the way of model2vec);
`shipped/README.md` is their card. 20 µs a text, and the table is mapped, so that processes share it.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mercat.search.query import analyze as text

SHIPPED = Path(__file__).parents[1] / "shipped"
DIMENSIONS = 128
TEXT_WORDS_MAX = 64
Vector = NDArray[np.float32]


class _Table:
    def __init__(self) -> None:
        self.rows: NDArray[np.int8] = np.load(SHIPPED / "meanings.npy", mmap_mode="r")
        self.scales: Vector = np.load(SHIPPED / "scales.npy", mmap_mode="r")
        pieces = (SHIPPED / "pieces.txt").read_text().split("\n")
        self.pieces = {piece: place for place, piece in enumerate(pieces) if piece}


@lru_cache(1)
def _table() -> _Table:
    return _Table()


@lru_cache(10_000)
def _pieces(word: str) -> tuple[int, ...]:
    """The longest pieces of the vocabulary that make the word, from its beginning; none if it has none.
    Source: WordPiece, as BERT reads words."""
    known, found, start = _table().pieces, list[int](), 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = known.get(word[start:end] if start == 0 else f"##{word[start:end]}")
            if piece is not None:
                found.append(piece)
                start = end
                break
        else:
            return ()
    return tuple(found)


def is_word(written: str) -> bool:
    """Whether this is a word as people write it, of those that the vocabulary has whole."""
    return written in _table().pieces


def meaning(said: str) -> Vector:
    """A vector of length 1; of zeros where no word is known."""
    return of_words(text.plain(said))


def of_words(plain: list[str]) -> Vector:
    pieces = [piece for word in plain[:TEXT_WORDS_MAX] for piece in _pieces(word)]
    if not pieces:
        return np.zeros(DIMENSIONS, np.float32)
    table = _table()
    vector: Any = table.scales[pieces] @ table.rows[pieces].astype(np.float32)
    return vector / max(float(np.sqrt(vector @ vector)), 1e-6)


def meanings(said: Sequence[str]) -> Vector:
    """As `meaning`, a row a text, all at once."""
    found = [
        [piece for word in text.plain(each)[:TEXT_WORDS_MAX] for piece in _pieces(word)] for each in said
    ]
    vectors = np.zeros((len(said), DIMENSIONS), np.float32)
    table, every = _table(), list(chain.from_iterable(found))
    rows, scales, start = table.rows[every].astype(np.float32), table.scales[every], 0
    for place, pieces in enumerate(found):
        if pieces:
            end = start + len(pieces)
            vectors[place] = scales[start:end] @ rows[start:end]
            start = end
    return vectors / np.maximum(np.sqrt((vectors * vectors).sum(1)), 1e-6)[:, None]


def packed(vector: Vector) -> NDArray[np.int8]:
    return np.round(vector * 127).astype(np.int8)
