"""Words: what a shopper types, as a query for the engine.

Every word must be found, in whichever field. What a product says of itself, its title thrice, is scored as
one text: which of the best is the very best is for the ranker to say. (Products' text is stemmed the same
way: "batteries" finds a battery.)
"""

import re
from collections.abc import Callable, Sequence

from mercat.search.engine import Occur, Query, Searcher
from mercat.search.query.analyze import plain, stems

LETTERS_MAX = 2_000
WORDS_MAX = 16
TITLE, LITTLE = 3.0, 0.001
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
    return Query.term_query(field, value)


def every(queries: list[Query]) -> Query:
    return Query.boolean_query([(Occur.Must, query) for query in queries])


def some(queries: list[Query], least: int | None = None) -> Query:
    return Query.boolean_query([(Occur.Should, query) for query in queries], least)


def anywhere(stem: str) -> Query:
    """The word in any field, no matter how often or where."""
    return term("everything", stem)


def _said(stem: str) -> Query:
    """The word in what a product says of itself, but for attributes, as one text; the title counts thrice."""
    return term("said", stem)


def matching(
    searcher: Searcher, words: list[Word], least: int | None = None, ways: Sequence[Sequence[str]] = ()
) -> Query:
    """Products that have the words, all or at least so many; or all words of another way to say it."""
    needed = _needed(searcher, words, least, anywhere)
    return some([needed, *(every([anywhere(stem) for stem in way]) for way in ways)]) if ways else needed


def saying(
    searcher: Searcher, words: list[Word], least: int | None = None, ways: Sequence[Sequence[str]] = ()
) -> Query:
    """Those of them that say so of themselves, not in attributes alone; scored as one text each (BM25)."""
    said = _needed(searcher, words, least, _said)
    if not ways:
        return said
    others = [Query.boost_query(every([_said(stem) for stem in way]), OTHERWISE) for way in ways]
    return Query.disjunction_max_query([said, *others], OTHERWISE_ADDS)


def query(
    searcher: Searcher, words: list[Word], least: int | None = None, ways: Sequence[Sequence[str]] = ()
) -> Query:
    """All that match; those that say so have a score."""
    found = Query.const_score_query(matching(searcher, words, least, ways), LITTLE)
    parts = [(Occur.Must, found), (Occur.Should, saying(searcher, words, least, ways))]
    return Query.boolean_query(parts)


def _needed(searcher: Searcher, words: list[Word], least: int | None, one: Callable[[str], Query]) -> Query:
    found = [one(word.stem) for word in words]
    for place, word in enumerate(words):
        for other, places in _otherwise(searcher, words, place, word):
            for each in places:
                found[each] = some([found[each], other])
    if least is None:
        return every(found)
    # A single letter is no word that a product could have alone: what has the "t" of "t-shirt" is no shirt.
    whole = [one for one, word in zip(found, words, strict=True) if len(word.written) > 1]
    return some(whole or found, least)


def _otherwise(
    searcher: Searcher, words: list[Word], place: int, word: Word
) -> list[tuple[Query, tuple[int, ...]]]:
    """Other ways to write it: "micro sd" is "microsd", and "tn2110" is "tn 2110"."""
    ways: list[tuple[Query, tuple[int, ...]]] = []
    if place + 1 < len(words):
        for stem in stems(word.written + words[place + 1].written):
            if searcher.doc_freq("title", stem):
                joined = Query.boost_query(term("title", stem), TITLE)
                ways.append((joined, (place, place + 1)))
    parts = _MIXED.findall(word.written)
    if len(parts) > 1 and all(searcher.doc_freq("title", part) for part in parts):
        ways.append((Query.boost_query(Query.phrase_query("title", parts), TITLE), (place,)))
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
