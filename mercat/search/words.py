"""Words: what a shopper types, as a query for the engine.

Every word must be found, in whichever field; how much that counts is what the weights say. All words in the
title, and words in a row, count again. (Products' text is stemmed the same way: "batteries" finds a battery.)
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from mercat.search.engine import Occur, Query, Searcher
from mercat.search.index import SCHEMA
from mercat.search.text import plain, stems

LETTERS_MAX = 2_000
WORDS_MAX = 16
WEIGHTS = {
    "title": 3.0,
    "brand_words": 1.0,
    "departments": 2.0,
    "tags": 1.0,
    "description": 2.0,
    "details": 0.05,
}
ALL_IN_TITLE = 0.5
IN_A_ROW = 1.0
OTHERWISE, OTHERWISE_ADDS = 0.7, 0.3
SMALL = frozenset(("a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"))
_MIXED = re.compile(r"\d+|[^\W\d]+")


class Word:
    """A word as it is looked for, and as it was written."""

    def __init__(self, stem: str, written: str) -> None:
        self.stem = stem
        self.written = written


def read(q: str) -> list[Word]:
    """The words of a question, each once, small ones left out where others remain. Nothing but letters and
    digits has a meaning, so there is nothing to get wrong."""
    text = clean(q)
    words = {stem: Word(stem, written) for written, stem in zip(plain(text), stems(text), strict=True)}
    large = [word for word in words.values() if word.written not in SMALL]
    return (large or list(words.values()))[:WORDS_MAX]


def clean(q: str) -> str:
    return q[:LETTERS_MAX].encode("utf-8", "ignore").decode()


def term(field: str, value: object) -> Query:
    return Query.term_query(SCHEMA, field, value)


def every(queries: list[Query]) -> Query:
    return Query.boolean_query([(Occur.Must, query) for query in queries])


def some(queries: list[Query], least: int | None = None) -> Query:
    return Query.boolean_query([(Occur.Should, query) for query in queries], least)


@lru_cache(10_000)
def weighed(stem: str) -> Query:
    """The word in any field, by the fields' weights. Kept, with the engine's form of it."""
    return some([Query.boost_query(term(field, stem), weight) for field, weight in WEIGHTS.items()])


def anywhere(stem: str) -> Query:
    """The word in any field, no matter how often or where."""
    return term("everything", stem)


def _said(stem: str) -> Query:
    """The word in what a product says of itself, but for attributes, as one text; the title counts thrice."""
    return term("said", stem)


def matching(
    searcher: Searcher, words: list[Word], least: int | None = None, ways: Sequence[Sequence[str]] = ()
) -> Query:
    """Finds what `query` finds, for a fraction of the time, in no order of relevance."""
    needed = _needed(searcher, words, least, anywhere)
    return some([needed, *(every([anywhere(stem) for stem in way]) for way in ways)]) if ways else needed


def roughly(searcher: Searcher, words: list[Word], ways: Sequence[Sequence[str]] = ()) -> Query:
    """Products that say all the words of themselves, the best first for a third of the time."""
    return _or_otherwise(_needed(searcher, words, None, _said), ways, _said)


def query(
    searcher: Searcher, words: list[Word], least: int | None = None, ways: Sequence[Sequence[str]] = ()
) -> Query:
    """Products that have the words, all or at least so many; or all words of another way to say it."""
    needed = _needed(searcher, words, least, weighed)
    together = _together(words)
    if together:
        needed = Query.boolean_query([(Occur.Must, needed), *together])
    return _or_otherwise(needed, ways, weighed)


def _or_otherwise(said: Query, ways: Sequence[Sequence[str]], one: Callable[[str], Query]) -> Query:
    if not ways:
        return said
    others = [Query.boost_query(every([one(stem) for stem in way]), OTHERWISE) for way in ways]
    return Query.disjunction_max_query([said, *others], OTHERWISE_ADDS)


def _needed(searcher: Searcher, words: list[Word], least: int | None, one: Callable[[str], Query]) -> Query:
    found = [one(word.stem) for word in words]
    for place, word in enumerate(words):
        for other, places in _otherwise(searcher, words, place, word):
            for each in places:
                found[each] = some([found[each], other])
    return every(found) if least is None else some(found, least)


def _together(words: list[Word]) -> list[tuple[Occur, Query]]:
    """What counts again: all words in the title, and in a row."""
    if len(words) == 1:
        return []
    titles = every([term("title", word.stem) for word in words])
    row = Query.phrase_query(SCHEMA, "title", [word.stem for word in words], 1)
    return [
        (Occur.Should, Query.boost_query(titles, WEIGHTS["title"] * ALL_IN_TITLE)),
        (Occur.Should, Query.boost_query(row, WEIGHTS["title"] * IN_A_ROW)),
    ]


def _otherwise(
    searcher: Searcher, words: list[Word], place: int, word: Word
) -> list[tuple[Query, tuple[int, ...]]]:
    """Other ways to write it: "micro sd" is "microsd", and "tn2110" is "tn 2110"."""
    ways: list[tuple[Query, tuple[int, ...]]] = []
    if place + 1 < len(words):
        for stem in stems(word.written + words[place + 1].written):
            if searcher.doc_freq("title", stem):
                joined = Query.boost_query(term("title", stem), WEIGHTS["title"])
                ways.append((joined, (place, place + 1)))
    parts = _MIXED.findall(word.written)
    if len(parts) > 1 and all(searcher.doc_freq("title", part) for part in parts):
        ways.append(
            (Query.boost_query(Query.phrase_query(SCHEMA, "title", parts), WEIGHTS["title"]), (place,))
        )
    return ways


def slips(written: str) -> int:
    """How many slips of the finger a word may have: none in a short one."""
    return 0 if len(written) < 4 else 1 if len(written) < 8 else 2


def apart(one: str, other: str) -> int:
    """How many letters to put in, leave out, change or swap with their neighbour.
    Source: optimal string alignment, Damerau (1964)."""
    before, last = list[int](), list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, against in enumerate(other, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != against)))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                row[j] = min(row[j], before[j - 2] + 1)
        before, last = last, row
    return last[-1]
