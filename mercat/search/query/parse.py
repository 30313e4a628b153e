"""A query's words, and the clauses that find products by them.

Every word must be found, in whichever field. What a product says of itself, its title three times, is scored
as one text, `main_text`; which of the best is the very best is for the ranker to say. (Products' text is
stemmed in the same way: "batteries" finds a battery.)"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mercat.search.engine import Clause, IndexSearcher
from mercat.search.query.analyze import is_unspaced, plain_words, stems
from mercat.search.query.codes import NamedCodes

_LETTERS_MAX = 2_000
_WORDS_MAX = 24
_TITLE_BOOST, _MATCH_SCORE = 3.0, 0.001
_SYNONYM_BOOST, _SYNONYM_TIE_BREAKER = 0.7, 0.3
_CODE_SCORE = 1_000.0
_STOP_WORDS = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with")
)
_BEFORE_WHAT_IT_IS_FOR = frozenset(("at", "by", "for", "from", "in", "on", "to", "with"))
_LETTERS_OR_DIGITS = re.compile(r"\d+|[^\W\d]+")


class QueryWord(NamedTuple):
    """A word as it is looked for, and as it was written. `beside`: it says what the thing is for or with, as
    the last of "bag for the laptop" does."""

    stem: str
    written: str
    beside: bool = False


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
    named: Clause | None = None
    """Where products are left out that only mention the thing asked for: those that are named so."""
    codes: NamedCodes | None = None
    """The products that the query names by their codes."""

    @property
    def cache_key(self) -> tuple[Any, ...]:
        """What tells the text of one query from that of another, for the same index."""
        written = " ".join(word.written for word in self.words)
        codes = self.codes.keys if self.codes else ()
        rewritings = tuple(map(tuple, self.rewritings))
        return written, self.minimum, rewritings, self.named is not None, codes


NO_TEXT = TextQuery([], None, [], Clause.match_none())


def parse(q: str) -> list[QueryWord]:
    """Split a query into words, each once; stop words are left out where others remain. Only letters and
    digits have a meaning, so no query is malformed."""
    text = clean(q)
    words: dict[str, QueryWord] = {}
    beside = False
    for written, stem in zip(plain_words(text), stems(text), strict=True):
        beside = beside or (written in _BEFORE_WHAT_IT_IS_FOR and bool(words.keys() - _STOP_WORDS))
        words.setdefault(stem, QueryWord(stem, written, beside))
    meaningful = [word for word in words.values() if word.written not in _STOP_WORDS]
    return _fewer(meaningful or list(words.values()))


def _fewer(words: list[QueryWord]) -> list[QueryWord]:
    """Leave out every second pair of letters of a long query: of a row of pairs, half of them have all the
    letters."""
    if len(words) > _WORDS_MAX:
        kept: list[QueryWord] = []
        for word in words:
            if not (kept and is_unspaced(word.written) and _overlap(kept[-1], word)):
                kept.append(word)
        words = kept
    return words[:_WORDS_MAX]


def _overlap(one: QueryWord, other: QueryWord) -> bool:
    return is_unspaced(one.written) and len(other.written) > 1 and one.written[-1:] == other.written[:1]


def written(words: Sequence[QueryWord]) -> str:
    """Write words as they were typed: pairs of letters in a row are one word again."""
    text = ""
    for at, word in enumerate(words):
        if at and _overlap(words[at - 1], word):
            text += word.written[1:]
        else:
            text += f" {word.written}"
    return text.lstrip()


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


def with_codes(text: TextQuery, codes: NamedCodes) -> TextQuery:
    """Also find the products that are named by their codes."""
    return text._replace(matching=Clause.any_of([text.matching, codes.clause]), codes=codes)


def in_main_text(searcher: IndexSearcher, text: TextQuery) -> Clause:
    """Match products that have the words in `main_text`, scored as one text (BM25)."""
    scored = _words_clause(searcher, text.words, text.minimum, _in_main_text)
    if text.rewritings:
        rewritten = [
            Clause.boost(Clause.all_of([_in_main_text(stem) for stem in each]), _SYNONYM_BOOST)
            for each in text.rewritings
        ]
        scored = Clause.dis_max([scored, *rewritten], _SYNONYM_TIE_BREAKER)
    if text.named:
        scored = Clause.all_of([text.named, scored])
    if text.codes and text.codes.first:
        scored = Clause.any_of([scored, Clause.constant_score(text.codes.clause, _CODE_SCORE)])
    return scored


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


def joined_words(searcher: IndexSearcher, words: list[QueryWord], at: int) -> list[Clause]:
    """Match titles that write a word in another way: joined with its neighbour, or apart."""
    found = [
        (variant, places)
        for place, word in enumerate(words)
        for variant, places in _spelling_variants(searcher, words, place, word)
    ]
    return [variant for variant, places in found if at in places]


def _spelling_variants(
    searcher: IndexSearcher, words: list[QueryWord], at: int, word: QueryWord
) -> list[tuple[Clause, tuple[int, ...]]]:
    """Find other ways to write a word in titles, with the places of the words that each stands for: "micro
    sd" is "microsd", and "tn2110" is "tn 2110"."""
    variants: list[tuple[Clause, tuple[int, ...]]] = []
    if at + 1 < len(words) and not is_unspaced(word.written):
        for stem in stems(word.written + words[at + 1].written)[:1]:
            if searcher.doc_freq("title", stem):
                joined = Clause.boost(Clause.term("title", stem), _TITLE_BOOST)
                variants.append((joined, (at, at + 1)))
    parts = _LETTERS_OR_DIGITS.findall(word.written)
    if len(parts) > 1 and all(searcher.doc_freq("title", part) for part in parts):
        variants.append((Clause.boost(Clause.phrase("title", parts), _TITLE_BOOST), (at,)))
    return variants
