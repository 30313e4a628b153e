"""Suggesting: what the first letters of a question may become."""

from msgspec import Raw

from mercat.search.engine import Query as Clause
from mercat.search.engine import Searcher
from mercat.search.engines.tantivy import SPLIT
from mercat.search.facets import attributes as traits
from mercat.search.hits import Hit, cards
from mercat.search.messages import Department, Suggestions
from mercat.search.query import analyze as text_of
from mercat.search.query import parse as words

_TYPED_MAX = 100
_SAMPLED_ABOVE = 50_000


def suggest(searcher: Searcher, q: str, limit: int) -> Suggestions:
    typed = words.clean(q)[:_TYPED_MAX].lstrip().lower()
    *before, last = text_of.plain(typed) or [""]
    if not last:
        return Suggestions([], [], [], [])
    said = [words.term("words", word) for word in before]
    whole = " ".join(before)
    completions: list[tuple[str, int]] = []
    for some in _parts(searcher, said) if said else [said]:
        completions = searcher.terms_with_prefix("words", last, words.every(some) if some else None, limit)
        if len(completions) >= limit:
            break
    return Suggestions(
        words=[f"{whole} {word}".lstrip() for word, _ in completions],
        products=_starting(searcher, said, last, limit),
        categories=[Department(*known) for known in _known(searcher, "c", typed, limit)],
        brands=[brand for (brand,) in _known(searcher, "b", typed, limit)],
    )


def _starting(searcher: Searcher, said: list[Clause], last: str, limit: int) -> list[Raw]:
    """Products with these words and one that begins so, or nearly so."""
    for distance in range(words.slips(last) + 1):
        begun = Clause.fuzzy_term_query("words", last, distance, prefix=True)
        hits: list[Hit] = []
        for some in _parts(searcher, said):
            hits = searcher.search(
                words.every([*some, begun]), limit, count=False, order_by_field="by_rating"
            ).hits
            if len(hits) >= limit:
                break
        if hits:
            return cards(searcher, hits)
    return []


def _parts(searcher: Searcher, said: list[Clause]) -> list[list[Clause]]:
    """Where to look for suggestions: in a large shop first in a sample, which is enough wherever there is
    much to suggest; so a letter costs as much in any shop."""
    sampled = [[*said, words.term(traits.SAMPLE, True)]] if searcher.num_docs > _SAMPLED_ABOVE else []
    return [*sampled, said]


def _known(searcher: Searcher, kind: str, typed: str, limit: int) -> list[list[str]]:
    """Brands or categories that begin so, the largest first."""
    terms = searcher.terms_with_prefix("completions", f"{kind}{SPLIT}{typed}", limit=limit * 2)
    known = [term.split(SPLIT)[2:] for term, _ in terms]
    return [each for place, each in enumerate(known) if each not in known[:place]][:limit]
