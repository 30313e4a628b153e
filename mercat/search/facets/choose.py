"""Offering: which traits of products a category has as facets.

It is read from the products themselves: traits that many of them have, whose few values tell them apart, and
which sellers find worth a place in the title. No list is kept by hand."""

import math
import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from mercat.kit.cache import Memory
from mercat.search.category_stats import UNCATEGORISED
from mercat.search.engine import Query, Searcher
from mercat.search.engines.tantivy import SPLIT, by_category
from mercat.search.facets import attributes as traits
from mercat.search.product_rows import Rows, category_sign
from mercat.search.query import analyze as text
from mercat.search.query import parse as words

TRAITS_MAX, VALUES_MAX = 4, 30
MOST, SOME, BEST = 0.6, 0.25, 50
_CHOSEN_MAX, _CHOICE_S, _ASKED_S, _Q_LETTERS = 5_000, 60.0, 600.0, 200
_LOOKED_AT, _COMMON = 50, 0.35
_TOLD_BY = 12
"""A facet is judged by so many of its values: more than a shopper reads."""
_BITS_MIN, _TOLD_MIN, _READ_MIN = 0.7, 0.3, 0.4
_SAMPLED_ABOVE = 20_000
_FACET, _READ_IN_TITLES, _UNSAID = 200, 4, 0.2
_MEASURES = re.compile(r"\d\s*(x|-|/|\.\.\.)\s*-?\d")


def counted(column: str) -> dict[str, Any]:
    return {"terms": {"field": column, "size": _FACET, "segment_size": _FACET}}


def aisle(counts: dict[str, int], total: int, sizes: dict[str, int]) -> str | None:
    """The smallest category that has most of what has a category at all. `counts`: of so many products;
    `sizes`: of the shop."""
    placed = total - counts.get(UNCATEGORISED, 0)
    least = max(placed * MOST, total * SOME, 2)
    most = [slug for slug, count in counts.items() if count >= least and slug != UNCATEGORISED]
    return min(most, key=lambda slug: (sizes.get(slug, 0), -counts[slug], slug), default=None)


class Plan(NamedTuple):
    """Which categories the shop has: how many products in each, descendants' included, and above each one,
    by the sign that rows of facts have for it, all that it lies in."""

    sizes: dict[str, int]
    above: dict[int, list[str]]

    def counts(self, rows: Rows) -> dict[str, int]:
        """How many of these products each category has."""
        held: dict[str, int] = {}
        for sign in rows["category"].tolist():
            for slug in self.above.get(sign, ()):
                held[slug] = held.get(slug, 0) + 1
        return held


def plan(aisles: dict[str, int]) -> Plan:
    """From how many products lie in each aisle."""
    above = {category_sign(slugs[-1]): slugs for slugs in (aisle.split(SPLIT) for aisle in aisles)}
    return Plan(by_category(aisles), above)


class Offering:
    """Which traits each category offers, looked at again once a minute. Told apart by the category's slug."""

    def __init__(self) -> None:
        self._chosen = Memory[str, list[str]](_CHOSEN_MAX)
        self._asked = Memory[str, tuple[str | None]](_CHOSEN_MAX)
        self._plan = Plan({}, {})
        self._planned = float("-inf")

    def plan(self, count: Callable[[], dict[str, int]]) -> Plan:
        """The shop's categories as they are, or were a minute ago."""
        now = time.monotonic()
        if now - self._planned > _CHOICE_S:
            self._plan, self._planned = plan(count()), now
        return self._plan

    def aisle_of(self, q: str, look: Callable[[], str | None]) -> str | None:
        """The category that a question is about, remembered for ten minutes whatever the filters."""
        if known := self._asked.get(q):
            return known[0]
        slug = look()
        if len(q) <= _Q_LETTERS:
            self._asked.keep(q, (slug,), _ASKED_S)
        return slug

    def offered(self, searcher: Searcher, slug: str, size: int, within: Query, sampled: Query) -> list[str]:
        """At most four, the most telling first. `size`: products in the category, which `within` finds;
        `sampled` finds a part of them, which is enough to choose by."""
        names = self._chosen.get(slug)
        if names is None:
            names = _choose(searcher, sampled if size > _SAMPLED_ABOVE else within)
            self._chosen.keep(slug, names, _CHOICE_S)
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
    told = searcher.aggregate(within, {str(n): counted(traits.column(name)) for n, name in enumerate(common)})
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
