"""Counting: how many of the products found have which brand, category, price, rating and attribute.

Facets are disjunctive. What no filter of its own narrows is counted in one pass over the products found; for
each other facet there is one more pass, over what would be found without its own filter.
"""

from itertools import pairwise
from typing import Any

from mercat.kit.cache import Memory
from mercat.search.engine import Pages, Searcher
from mercat.search.engine import Query as Clause
from mercat.search.engines.tantivy import NOBODY, PRICE_BOUNDS, STARS, by_category, by_word
from mercat.search.facets import attributes as traits
from mercat.search.facets import choose as offering
from mercat.search.facets.choose import Offering, Plan
from mercat.search.hits import row_numbers
from mercat.search.messages import Count, Facets, Query, SoldOut, StarCount, Trait
from mercat.search.query import parse as words
from mercat.search.query.filters import Clauses, Text, trait_of

FACET_MAX = 100
DEPARTMENTS_MAX = 60_000
TALLIES_MAX = 2_000
_COUNTED_A_SECOND, _WORTH_S, _TALLY_S = 2_000, 0.5, 10.0
"""Counts are good for a second for so many products that were counted, and for ten at most."""
_BUCKETS = 1_000
Tallies = Memory[tuple[bytes, Any], tuple[Facets, int]]
"""Counts by question."""
_COUNTED_BY = {"brands": "maker", "categories": "aisle", "price_ranges": "shelf", "ratings": "shelf"}
_TALLIES = {
    field: {"terms": {"field": field, "size": _BUCKETS, "segment_size": _BUCKETS}}
    for field in ("maker", "aisle", "shelf")
}


class Counting:
    def __init__(
        self,
        searcher: Searcher,
        offered: Offering,
        sold_out: SoldOut,
        counted: dict[str, Any],
        tallies: Tallies,
        pages: Pages | None,
    ) -> None:
        """`counted`: of all products in this state of the index; `tallies`: of many."""
        self._searcher = searcher
        self._offering = offered
        self._sold_out: SoldOut = sold_out
        self._counted = counted
        self._tallies = tallies
        self._pages = pages

    def counts(self, clauses: Clauses, query: Query, text: Text | None) -> tuple[Facets, int]:
        """The counts; the more products there are, the longer they are good, since counting takes a time that
        grows with them. The products themselves are always the newest."""
        said = text and (" ".join(word.written for word in text.asked), text.least, len(text.ways))
        key = (clauses.filters, said)
        if known := self._tallies.get(key):
            return known
        facets, total = self._facets(clauses, query, text)
        good_s = min(total / _COUNTED_A_SECOND, _TALLY_S)
        if good_s >= _WORTH_S:
            self._tallies.keep(key, (facets, total), good_s)
        return facets, total

    def _facets(self, clauses: Clauses, query: Query, text: Text | None) -> tuple[Facets, int]:
        """The counts, and how many products there are. With words or a category it is known beforehand which
        attributes are counted; then all is counted at once."""
        known = clauses.narrow() and (text is not None or bool(query.category))
        names = self._attributes(query, self._aisle(query, text)) if known else []
        free = {facet: by for facet, by in _COUNTED_BY.items() if facet not in clauses.chosen}
        at_once = {traits.column(name) for name in names if trait_of(name) not in clauses.chosen}
        whole = self._tally(clauses, None, {"shelf", *free.values(), *at_once})
        held = {facet: whole[by] for facet, by in free.items()}
        for facet in _COUNTED_BY.keys() - free.keys():
            by = _COUNTED_BY[facet]
            held[facet] = self._tally(clauses, facet, {by})[by]
        dear, liked = [0] * (len(PRICE_BOUNDS) + 1), [0] * (len(STARS) + 1)
        for shelf, count in held["price_ranges"].items():
            dear[int(shelf[0])] += count
        for shelf, count in held["ratings"].items():
            liked[int(shelf[1])] += count
        total, categories = sum(whole["shelf"].values()), _counts(held["categories"])
        if clauses.narrow() and not known:
            names = self._attributes(query, self._lying_in(categories, total))
            at_once = {traits.column(name) for name in names if trait_of(name) not in clauses.chosen}
            whole |= self._tally(clauses, None, at_once) if at_once else {}
        facets = Facets(
            brands=_counts(held["brands"]),
            price_ranges=[
                Count(f"{low}-{high or ''}", count)
                for (low, high), count in zip(pairwise((0, *PRICE_BOUNDS, None)), dear, strict=True)
            ],
            categories=categories,
            ratings=[StarCount(star, sum(liked[star:])) for star in STARS],
            attributes=self._traits(clauses, query, names, whole),
        )
        return facets, total

    def _tally(self, clauses: Clauses, but: str | None, fields: set[str]) -> dict[str, dict[str, int]]:
        """How many of the products found, one filter left out, have each word of these fields."""
        asked = {field: _TALLIES.get(field) or offering.counted(field) for field in sorted(fields)}
        answer = self._aggregate(clauses.without(but), asked, clauses.narrow(but))
        held = {field: by_word(answer[field]["buckets"]) for field in fields}
        return held | {"aisle": by_category(held["aisle"])} if "aisle" in held else held

    def _traits(
        self, clauses: Clauses, query: Query, names: list[str], whole: dict[str, dict[str, int]]
    ) -> list[Trait]:
        listed: list[Trait] = []
        for name in names:
            column = traits.column(name)
            held = (
                whole[column] if column in whole else self._tally(clauses, trait_of(name), {column})[column]
            )
            listed.append(Trait(name, _counts(held)[: offering.VALUES_MAX]))
        return [each for each in listed if len(each.values) > 1 or each.name in query.attributes]

    def _attributes(self, query: Query, slug: str | None) -> list[str]:
        """Those that narrow the products, and those of the category that they lie in."""
        names = list(query.attributes)
        if slug is not None:
            within = [words.term("category", slug), words.term("for_sale", True)]
            sampled = words.every([*within, words.term(traits.SAMPLE, True)])
            size = self._plan().sizes.get(slug, 0)
            names += self._offering.offered(self._searcher, slug, size, words.every(within), sampled)
        return list(dict.fromkeys(names))

    def _plan(self) -> Plan:
        return self._offering.plan(self._aisles)

    def _lying_in(self, categories: list[Count], total: int) -> str | None:
        return offering.aisle({each.value: each.count for each in categories}, total, self._plan().sizes)

    def _aisle(self, query: Query, text: Text | None) -> str | None:
        """The category that the products lie in; with words, the one of the best of them: most products that
        say "webcam" are laptops."""
        if query.category or text is None:
            return query.category[0] if len(query.category) == 1 else None

        def look() -> str | None:
            said = words.query(self._searcher, text.asked, text.least, text.ways)
            best = self._searcher.search(said, offering.BEST, count=False).hits
            if self._pages is None:
                return None
            plan, rows = self._plan(), self._pages.read(row_numbers(self._searcher, best))
            return offering.aisle(plan.counts(rows), len(best), plan.sizes)

        return self._offering.aisle_of(query.q, look)

    def _aggregate(self, asked: Clause, counts: dict[str, Any], narrow: bool) -> dict[str, Any]:
        """The answer to `counts`; remembered where it is about all products: any list of a category asks."""
        if narrow:
            return self._searcher.aggregate(asked, counts)
        missing = {name: how for name, how in counts.items() if name not in self._counted}
        if missing:
            self._counted.update(self._searcher.aggregate(asked, missing))
        return {name: self._counted[name] for name in counts}

    def category_counts(self) -> dict[str, int]:
        """How many products are in each category that has some, descendants' included."""
        return by_category(self._aisles())

    def _aisles(self) -> dict[str, int]:
        size = {"field": "aisle", "size": DEPARTMENTS_MAX, "segment_size": DEPARTMENTS_MAX}
        every = words.term("in_stock" if self._sold_out == "hidden" else "for_sale", True)
        answer = self._aggregate(every, {"every_category": {"terms": size}}, narrow=False)
        return by_word(answer["every_category"]["buckets"])


def _counts(held: dict[str, int]) -> list[Count]:
    """The largest first."""
    counts = [Count(word, count) for word, count in held.items() if word != NOBODY]
    return sorted(counts, key=lambda each: (-each.count, each.value))[:FACET_MAX]
