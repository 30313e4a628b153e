"""Mentions: a puzzle whose text says "lamp" is no lamp.

Where a query's last word names a kind of thing that the shop has, only products that are named so are found:
by title, brand, tags or category. What a description or an attribute alone says does not count; for any other
word it does."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mercat.events import Document
from mercat.kit.cache import ExpiringCache
from mercat.search.category_stats import UNCATEGORISED
from mercat.search.engine import Clause, IndexSearcher
from mercat.search.query.analyze import is_unspaced, stems
from mercat.search.query.parse import QueryWord, TextQuery, joined_words

NAMED, THINGS = "named", "things"
_BEGINNING_WORDS, _UNCATEGORISED_WORDS, _BEGINNING_LETTERS = 8, 16, 300
"""Of a text; more where no category says what the product is."""
_SURE_OF = 1_000
"""A term in so many products is in enough of those that are left, too; so many do not vanish in a moment."""
_REMEMBERED_S, _REMEMBERED_MAX = 10.0, 5_000
_PARTS = re.compile(r"[&/,+|;]|\band\b", re.IGNORECASE)


def named_text(product: Document) -> str:
    """Return what a product is named by; a text that begins with a name is as good as a title."""
    words = _UNCATEGORISED_WORDS if product.category == UNCATEGORISED else _BEGINNING_WORDS
    beginning = " ".join(product.description[:_BEGINNING_LETTERS].split()[:words])
    return "\n".join([product.title, beginning, product.brand or "", *product.tags, *product.category_names])


def things_of(product: Document) -> Iterator[str]:
    """Yield the kinds of things that a product's categories name, as stems: headphones and earbuds of
    "Headphones & Earbuds"."""
    for name in product.category_names if product.category != UNCATEGORISED else []:
        for part in _PARTS.split(name):
            yield from stems(part)[-1:]


class NamedOften(ExpiringCache[tuple[Any, ...], bool]):
    """The queries that so many products were named by a moment ago that they need not be counted again."""

    def __init__(self) -> None:
        super().__init__(_REMEMBERED_MAX)

    def at_least(self, few: int, text: TextQuery, count: Callable[[], int]) -> bool:
        """Tell whether at least `few` products are named by a query's words."""
        if self.get(text.cache_key):
            return True
        counted = count()
        if counted >= _SURE_OF:
            self.put(text.cache_key, True, _REMEMBERED_S)
        return counted >= few


def without_mentions(searcher: IndexSearcher, text: TextQuery, few: int, often: NamedOften) -> TextQuery:
    """Leave out what only mentions the thing asked for, if at least `few` products are named so."""
    heads = _heads(text)
    if not heads or max(searcher.doc_freqs([(THINGS, head[-1]) for head in heads])) < few:
        return text
    named = [Clause.all_of([Clause.term(NAMED, stem) for stem in head]) for head in heads]
    named += joined_words(searcher, text.words, _head_at(text.words))
    clause = Clause.constant_score(Clause.any_of(named), 0.0)
    matching = Clause.all_of([clause, text.matching])
    if len(text.words) == 1 and max(searcher.doc_freqs([(NAMED, head[-1]) for head in heads])) >= _SURE_OF:
        return text._replace(matching=matching, named=clause)
    enough = often.at_least(few, text, lambda: searcher.count(matching))
    return text._replace(matching=matching, named=clause) if enough else text


def _heads(text: TextQuery) -> list[list[str]]:
    """List what the query, and each rewriting of it, asks for: the last word, or the last before "for" and
    its like; of a script without spaces all that is written in a row."""
    own = [word.stem for word in text.words]
    at = _head_at(text.words)
    if at < 0 or text.minimum is not None:
        return []
    heads = [_tail(own[: at + 1])]
    for rewriting in text.rewritings:
        if at == len(own) - 1:
            heads.append(_tail(rewriting))
        elif other := [stem for stem in rewriting if stem not in own]:
            heads.append(_tail(other) if own[at] not in rewriting else heads[0])
    return [head for place, head in enumerate(heads) if head not in heads[:place]]


def _head_at(words: Sequence[QueryWord]) -> int:
    return max((at for at, word in enumerate(words) if not word.beside), default=-1)


def _tail(words: list[str]) -> list[str]:
    """Return the last word; of a script without spaces all that belong to it."""
    start = len(words) - 1
    while start > 0 and is_unspaced(words[start]) and is_unspaced(words[start - 1]):
        start -= 1
    return words[start:]
