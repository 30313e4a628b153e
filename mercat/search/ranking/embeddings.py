"""Embeddings: a vector for any text, so that "memory stick" is near "USB flash drive".

A table has one row a word piece; a text is the mean of its pieces. Rows come from all-MiniLM-L6-v2 (each
piece sent through the model alone, principal components, weighted by rarity: the method of model2vec);
`shipped/README.md` is the model card. 20 µs a text, and the table is mapped into memory, so that processes
share it."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mercat.search.query import analyze

SHIPPED = Path(__file__).parents[1] / "shipped"
DIMENSIONS = 128
_TEXT_WORDS_MAX = 64
Vector = NDArray[np.float32]


class _Table:
    def __init__(self) -> None:
        self.rows: NDArray[np.int8] = np.load(SHIPPED / "embeddings.npy", mmap_mode="r")
        self.scales: Vector = np.load(SHIPPED / "scales.npy", mmap_mode="r")
        pieces = (SHIPPED / "pieces.txt").read_text().split("\n")
        self.pieces = {piece: place for place, piece in enumerate(pieces) if piece}
        self.longest = max(map(len, self.pieces))


@lru_cache(1)
def _table() -> _Table:
    return _Table()


@lru_cache(10_000)
def _pieces(word: str) -> tuple[int, ...]:
    """Split a word into the longest pieces of the vocabulary, from its beginning; into none if there are
    none. Source: WordPiece, the tokenization of BERT."""
    table, found, start = _table(), list[int](), 0
    known = table.pieces
    while start < len(word):
        for end in range(min(len(word), start + table.longest), start, -1):
            piece = known.get(word[start:end] if start == 0 else f"##{word[start:end]}")
            if piece is not None:
                found.append(piece)
                start = end
                break
        else:
            return ()
    return tuple(found)


def is_word(written: str) -> bool:
    """Tell whether the vocabulary has this as a whole word: then it is no typing error."""
    return written in _table().pieces


def embed_words(words: Sequence[str]) -> Vector:
    """Return the vector of a text that is split into words, of length 1; zeros where no word is known."""
    pieces = _pieces_of(words)
    if not pieces:
        return np.zeros(DIMENSIONS, np.float32)
    table = _table()
    vector: Any = table.scales[pieces] @ table.rows[pieces].astype(np.float32)
    return vector / max(float(np.sqrt(vector @ vector)), 1e-6)


def embed_all(texts: Sequence[str]) -> Vector:
    """Return a row a text, as `embed_words` does, all at once."""
    found = [_pieces_of(analyze.plain_words(text)) for text in texts]
    vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
    table, every = _table(), list(chain.from_iterable(found))
    rows, scales, start = table.rows[every].astype(np.float32), table.scales[every], 0
    for at, pieces in enumerate(found):
        if pieces:
            end = start + len(pieces)
            vectors[at] = scales[start:end] @ rows[start:end]
            start = end
    return vectors / np.maximum(np.sqrt((vectors * vectors).sum(1)), 1e-6)[:, None]


def quantize(vectors: Vector) -> NDArray[np.int8]:
    """Store each number as a byte."""
    return np.round(vectors * 127).astype(np.int8)


def restore(quantized: NDArray[np.int8]) -> Vector:
    """Turn bytes into numbers again."""
    return quantized.astype(np.float32) / np.float32(127)


def _pieces_of(words: Sequence[str]) -> list[int]:
    return [piece for word in words[:_TEXT_WORDS_MAX] for piece in _pieces(word)]
