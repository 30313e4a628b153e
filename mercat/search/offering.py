"""Offering: which traits of products a category has as facets.

It is read from the products themselves: traits that many of them have, whose few values tell them apart, and
which sellers find worth a place in the title. No list is kept by hand."""

import math
import re
import time
from collections.abc import Callable
from typing import Any

from mercat.search import text, traits, words
from mercat.search.aisles import UNCATEGORISED
from mercat.search.engine import Query, Searcher

TRAITS_MAX, VALUES_MAX = 4, 30
MOST, SOME, BEST = 0.6, 0.25, 50
_CHOSEN_MAX, _CHOICE_S, _Q_LETTERS = 5_000, 60.0, 200
_LOOKED_AT, _COMMON = 50, 0.35
_TOLD_BY = 12
"""A facet is judged by so many of its values: more than a shopper reads."""
_BITS_MIN, _TOLD_MIN, _READ_MIN = 0.7, 0.3, 0.4
_SAMPLED_ABOVE = 20_000
_FACET, _READ_IN_TITLES, _UNSAID = 200, 4, 0.2
_MEASURES = re.compile(r"\d\s*(x|-|/|\.\.\.)\s*-?\d")


def counted(name: str) -> dict[str, Any]:
    return {"terms": {"field": traits.column(name), "size": _FACET, "segment_size": _FACET}}


def aisle(counts: dict[str, int], total: int, sizes: dict[str, int]) -> str | None:
    """The smallest category that has most of what has a category at all. `counts`: of so many products;
    `sizes`: of the shop."""
    placed = total - counts.get(UNCATEGORISED, 0)
    least = max(placed * MOST, total * SOME, 2)
    most = [slug for slug, count in counts.items() if count >= least and slug != UNCATEGORISED]
    return min(most, key=lambda slug: (sizes.get(slug, 0), -counts[slug], slug), default=None)


class Offering:
    """Which traits each category offers, looked at again once a minute. Told apart by the category's slug."""

    def __init__(self) -> None:
        self._chosen: dict[str, tuple[float, list[str]]] = {}
        self._asked: dict[str, tuple[float, str | None]] = {}
        self._sizes: dict[str, int] = {}
        self._sized = float("-inf")

    def sizes(self, count: Callable[[], dict[str, int]]) -> dict[str, int]:
        """How many products each category has, or had a minute ago."""
        now = time.monotonic()
        if now - self._sized > _CHOICE_S:
            self._sizes, self._sized = count(), now
        return self._sizes

    def aisle_of(self, q: str, look: Callable[[], str | None]) -> str | None:
        """The category that a question is about, remembered for a minute whatever the filters."""
        known, now = self._asked.get(q), time.monotonic()
        if known and now < known[0]:
            return known[1]
        slug = look()
        if len(q) > _Q_LETTERS:
            return slug
        if len(self._asked) >= _CHOSEN_MAX:
            self._asked.clear()
        self._asked[q] = (now + _CHOICE_S, slug)
        return slug

    def offered(self, searcher: Searcher, slug: str, size: int, within: Query, sampled: Query) -> list[str]:
        """At most four, the most telling first. `size`: products in the category, which `within` finds;
        `sampled` finds a part of them, which is enough to choose by."""
        known, now = self._chosen.get(slug), time.monotonic()
        if known and now < known[0]:
            return known[1]
        names = _choose(searcher, sampled if size > _SAMPLED_ABOVE else within)
        if len(self._chosen) >= _CHOSEN_MAX:
            self._chosen.clear()
        self._chosen[slug] = (now + _CHOICE_S, names)
        return names


def _choose(searcher: Searcher, within: Query) -> list[str]:
    products = searcher.count(within)
    if products < 2:
        return []
    asked: dict[str, Any] = {
        "names": {"terms": {"field": traits.NAMES, "size": _LOOKED_AT, "segment_size": 1_000}}
    }
    buckets = searcher.aggregate(within, asked)["names"]["buckets"]
    common = [bucket["key"] for bucket in buckets if bucket["doc_count"] >= products * _COMMON]
    if not common:
        return []
    told = searcher.aggregate(within, {str(n): counted(name) for n, name in enumerate(common)})
    judged: list[tuple[float, str, tuple[int, ...]]] = []
    for place, name in enumerate(common):
        buckets = told[str(place)]["buckets"]
        held = {str(bucket["key"]): int(bucket["doc_count"]) for bucket in buckets}
        worth = telling(held, products)
        if worth:
            worth *= _UNSAID + _in_titles(searcher, within, name, held)
            judged.append((worth, name, tuple(sorted(held.values()))))
    judged.sort(key=lambda each: (-each[0], each[1]))
    said: set[tuple[int, ...]] = set()
    offered: list[str] = []
    for _, name, values in judged:
        if values not in said:  # the same in centimetres and in inches is one facet
            said.add(values)
            offered.append(name)
    return offered[:TRAITS_MAX]


def telling(held: dict[str, int], products: int) -> float:
    """How much a trait with values of so many products each tells a shopper: the entropy, in bits, of the few
    values that are read, by the share of products they stand for, twice that of those that have it at all; 0
    where it is no facet."""
    read = dict(sorted(held.items(), key=lambda each: -each[1])[:_TOLD_BY])
    known, has = sum(read.values()), sum(held.values())
    measures = sum(count for value, count in read.items() if _MEASURES.search(value))
    if not known or known < max(products * _TOLD_MIN, has * _READ_MIN) or measures * 2 > known:
        return 0.0
    bits = -sum(count / known * math.log2(count / known) for count in read.values())
    return bits * min(known / products, 1.0) * (known / has) ** 2 if bits >= _BITS_MIN else 0.0


def _in_titles(searcher: Searcher, within: Query, name: str, held: dict[str, int]) -> float:
    """The share of products whose title says its value, among those of the commonest values. What sellers put
    in titles is what shoppers choose by."""
    has = said = 0
    for value in sorted(held, key=lambda each: -held[each])[:_READ_IN_TITLES]:
        stems = text.stems(value)
        if not stems or value in ("true", "false"):
            continue
        its = [within, words.term(traits.column(name), value)]
        has += held[value]
        titled = words.every([*its, *(words.term("title", stem) for stem in stems)])
        said += searcher.count(titled)
    return said / has if has else 0.0
