"""Suggestions: what the first letters of a query may become."""

from msgspec import Raw

from mercat.search.category_stats import CATEGORY_SEPARATOR
from mercat.search.engine import Clause, Hit, IndexSearcher, SortKey, raw_cards
from mercat.search.facets import attributes
from mercat.search.messages import CategorySuggestion, Suggestions
from mercat.search.query import analyze, parse
from mercat.search.query.spelling import typos_allowed

_TYPED_LETTERS_MAX = 100
_SAMPLED_ABOVE = 50_000


def suggest(searcher: IndexSearcher, q: str, limit: int) -> Suggestions:
    """Complete the last word typed, and list products, categories and brands that begin so."""
    typed = analyze.normal(parse.clean(q)[:_TYPED_LETTERS_MAX].lstrip())
    words = analyze.plain_words(typed)
    if not words:
        return Suggestions([], [], [], [])
    return Suggestions(
        words=_words(searcher, words, limit),
        products=_products(searcher, words, limit),
        categories=[CategorySuggestion(*parts) for parts in _completions(searcher, "c", typed, limit)],
        brands=[brand for (brand,) in _completions(searcher, "b", typed, limit)],
    )


def _words(searcher: IndexSearcher, typed: list[str], limit: int) -> list[str]:
    """Complete the last word typed. Of a script without spaces the index has no whole words."""
    *before, last = typed
    if analyze.is_unspaced(last):
        return []
    whole_words = [Clause.term("plain_words", word) for word in before]
    beginning = " ".join(before)
    completions: list[tuple[str, int]] = []
    for clauses in _sample_then_all(searcher, whole_words) if whole_words else [whole_words]:
        within = Clause.all_of(clauses) if clauses else None
        completions = searcher.terms_with_prefix("plain_words", last, within, limit)
        if len(completions) >= limit:
            break
    return [f"{beginning} {word}".lstrip() for word, _ in completions]


def _products(searcher: IndexSearcher, typed: list[str], limit: int) -> list[Raw]:
    """Find products with these words and one that begins as the last, or nearly so."""
    *before, last = typed
    whole_words = [Clause.term("plain_words", word) for word in before]
    for distance in range(typos_allowed(last) + 1):
        begins = Clause.fuzzy("plain_words", last, distance, prefix=True)
        hits: list[Hit] = []
        for clauses in _sample_then_all(searcher, whole_words):
            hits = searcher.search(Clause.all_of([*clauses, begins]), limit, sort=SortKey("by_rating"))
            if len(hits) >= limit:
                break
        if hits:
            return raw_cards(searcher, hits)
    return []


def _sample_then_all(searcher: IndexSearcher, clauses: list[Clause]) -> list[list[Clause]]:
    """List where to look, one after another: in a large shop first in a sample, which is enough wherever
    there is much to suggest; so a letter typed costs the same in any shop."""
    sampled = [[*clauses, Clause.term(attributes.SAMPLE, True)]]
    return [*(sampled if searcher.num_docs > _SAMPLED_ABOVE else []), clauses]


def _completions(searcher: IndexSearcher, kind: str, typed: str, limit: int) -> list[list[str]]:
    """List brands (`b`) or categories (`c`) that begin so, the largest first."""
    prefix = CATEGORY_SEPARATOR.join((kind, typed))
    terms = searcher.terms_with_prefix("completions", prefix, limit=limit * 2)
    found = [term.split(CATEGORY_SEPARATOR)[2:] for term, _ in terms]
    return [each for at, each in enumerate(found) if each not in found[:at]][:limit]
