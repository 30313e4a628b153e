"""A query's words, and the clauses that find products by them.

Every word must be found, in whichever field. What a product says of itself, its title three times, is scored
as one text, `main_text`; which of the best is the very best is for the ranker to say. (Products' text is
stemmed in the same way: "batteries" finds a battery.)"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mercat.search.engine import Clause, IndexSearcher
from mercat.search.query.analyze import plain_words, stems

_LETTERS_MAX = 2_000
_WORDS_MAX = 16
_TITLE_BOOST, _MATCH_SCORE = 3.0, 0.001
_SYNONYM_BOOST, _SYNONYM_TIE_BREAKER = 0.7, 0.3
_STOP_WORDS = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with")
)
_LETTERS_OR_DIGITS = re.compile(r"\d+|[^\W\d]+")


class QueryWord(NamedTuple):
    """A word as it is looked for, and as it was written."""

    stem: str
    written: str


class TextQuery(NamedTuple):
    """A query's words: all of them or at least `minimum`, or all words of one of its rewritings by
    synonyms."""

    words: list[QueryWord]
    minimum: int | None
    rewritings: list[list[str]]
    matching: Clause
    """The products that have them, unscored."""
    all_words: int | None = None
    """How many products have all the words, where that is few and others are found too."""


NO_TEXT = TextQuery([], None, [], Clause.match_none())


def parse(q: str) -> list[QueryWord]:
    """Split a query into words, each once; stop words are left out where others remain. Only letters and
    digits have a meaning, so no query is malformed."""
    text = clean(q)
    words = {
        stem: QueryWord(stem, written) for written, stem in zip(plain_words(text), stems(text), strict=True)
    }
    meaningful = [word for word in words.values() if word.written not in _STOP_WORDS]
    return (meaningful or list(words.values()))[:_WORDS_MAX]


def clean(q: str) -> str:
    """Cut a query to its longest length, without what is not valid Unicode."""
    return q[:_LETTERS_MAX].encode("utf-8", "ignore").decode()


def anywhere(stem: str) -> Clause:
    """Match a word in any field, however often and wherever."""
    return Clause.term("all_text", stem)


def _in_main_text(stem: str) -> Clause:
    """Match a word in title, description, brand, tags or category: not in attributes alone."""
    return Clause.term("main_text", stem)


def text_query(
    searcher: IndexSearcher,
    words: list[QueryWord],
    minimum: int | None = None,
    rewritings: Sequence[list[str]] = (),
) -> TextQuery:
    """Combine words with their rewritings."""
    matching = _words_clause(searcher, words, minimum, anywhere)
    if rewritings:
        matching = Clause.any_of(
            [matching, *(Clause.all_of([anywhere(stem) for stem in each]) for each in rewritings)]
        )
    return TextQuery(words, minimum, list(rewritings), matching)


def in_main_text(searcher: IndexSearcher, text: TextQuery) -> Clause:
    """Match products that have the words in `main_text`, scored as one text (BM25)."""
    as_asked = _words_clause(searcher, text.words, text.minimum, _in_main_text)
    if not text.rewritings:
        return as_asked
    rewritten = [
        Clause.boost(Clause.all_of([_in_main_text(stem) for stem in each]), _SYNONYM_BOOST)
        for each in text.rewritings
    ]
    return Clause.dis_max([as_asked, *rewritten], _SYNONYM_TIE_BREAKER)


def scored_text(searcher: IndexSearcher, text: TextQuery) -> Clause:
    """Match all products that have the words anywhere; those that have them in `main_text` score by it."""
    anyhow = Clause.constant_score(text.matching, _MATCH_SCORE)
    return Clause.boolean([("must", anyhow), ("should", in_main_text(searcher, text))])


def _words_clause(
    searcher: IndexSearcher, words: list[QueryWord], minimum: int | None, one: Callable[[str], Clause]
) -> Clause:
    clauses = [one(word.stem) for word in words]
    for at, word in enumerate(words):
        for variant, places in _spelling_variants(searcher, words, at, word):
            for place in places:
                clauses[place] = Clause.any_of([clauses[place], variant])
    if minimum is None:
        return Clause.all_of(clauses)
    # A single letter is no word that a product could have alone: what has the "t" of "t-shirt" is no shirt.
    whole = [clause for clause, word in zip(clauses, words, strict=True) if len(word.written) > 1]
    return Clause.any_of(whole or clauses, minimum)


def _spelling_variants(
    searcher: IndexSearcher, words: list[QueryWord], at: int, word: QueryWord
) -> list[tuple[Clause, tuple[int, ...]]]:
    """Find other ways to write a word in titles, with the places of the words that each stands for: "micro
    sd" is "microsd", and "tn2110" is "tn 2110"."""
    variants: list[tuple[Clause, tuple[int, ...]]] = []
    if at + 1 < len(words):
        for stem in stems(word.written + words[at + 1].written):
            if searcher.doc_freq("title", stem):
                joined = Clause.boost(Clause.term("title", stem), _TITLE_BOOST)
                variants.append((joined, (at, at + 1)))
    parts = _LETTERS_OR_DIGITS.findall(word.written)
    if len(parts) > 1 and all(searcher.doc_freq("title", part) for part in parts):
        variants.append((Clause.boost(Clause.phrase("title", parts), _TITLE_BOOST), (at,)))
    return variants
