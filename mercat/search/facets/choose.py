"""The choice of attributes that a category has as facets.

It is made from the products themselves: attributes that many of them have, whose few values tell them apart,
and which sellers find worth a place in the title. No list is maintained by hand."""

import math
import re
import time
from collections.abc import Callable
from typing import NamedTuple

from mercat.kit.cache import ExpiringCache
from mercat.search.category_stats import CATEGORY_SEPARATOR, UNCATEGORISED, sum_by_category
from mercat.search.engine import Clause, IndexSearcher, TermsWanted
from mercat.search.facets import attributes
from mercat.search.product_rows import Rows, category_hash
from mercat.search.query import analyze

_FACETS_MAX = 4
_CATEGORY_SHARE_MIN, _CATEGORY_OF_ALL_MIN = 0.6, 0.25
_CACHED_MAX, _CHOICE_TTL_S, _CATEGORY_TTL_S, _CACHED_LETTERS_MAX = 5_000, 60.0, 600.0, 200
_NAMES_LOOKED_AT, _COMMON_SHARE = 50, 0.35
_NAMES_PER_SEGMENT, _VALUES_COUNTED = 1_000, 200
_VALUES_READ = 12
"""A facet is rated by so many of its values: more than a shopper reads."""
_BITS_MIN, _PRODUCTS_SHARE_MIN, _VALUES_SHARE_MIN = 0.7, 0.3, 0.4
_SAMPLED_ABOVE = 20_000
_TITLE_VALUES, _TITLE_FLOOR = 4, 0.2
_MEASUREMENT = re.compile(r"\d\s*(x|-|/|\.\.\.)\s*-?\d")


def values_wanted(column: str) -> TermsWanted:
    """Return what to count of an attribute."""
    return TermsWanted(column, _VALUES_COUNTED, _VALUES_COUNTED)


def main_category(counts: dict[str, int], total: int, sizes: dict[str, int]) -> str | None:
    """Return the smallest category that has most of the products found; None where they are of several kinds.

    `counts`: how many of the `total` found each category has; `sizes`: how many it has in the whole shop."""
    categorised = total - counts.get(UNCATEGORISED, 0)
    least = max(categorised * _CATEGORY_SHARE_MIN, total * _CATEGORY_OF_ALL_MIN, 2)
    large = [slug for slug, count in counts.items() if count >= least and slug != UNCATEGORISED]
    return min(large, key=lambda slug: (sizes.get(slug, 0), -counts[slug], slug), default=None)


class CategorySizes(NamedTuple):
    """How many products each category has, descendants' included; and by the hash that rows have for a
    category, its slug and those of all above it."""

    sizes: dict[str, int]
    paths: dict[int, list[str]]

    def counts(self, rows: Rows) -> dict[str, int]:
        """Count how many of these products each category has."""
        counts: dict[str, int] = {}
        for category in rows["category"].tolist():
            for slug in self.paths.get(category, ()):
                counts[slug] = counts.get(slug, 0) + 1
        return counts


def category_sizes(paths: dict[str, int]) -> CategorySizes:
    """Make the sizes from counts by category path."""
    slugs_of = [path.split(CATEGORY_SEPARATOR) for path in paths]
    return CategorySizes(sum_by_category(paths), {category_hash(slugs[-1]): slugs for slugs in slugs_of})


class FacetChooser:
    """Chooses the attributes of each category, anew once a minute; remembers which category a query is
    about."""

    def __init__(self) -> None:
        self._chosen = ExpiringCache[str, list[str]](_CACHED_MAX)
        self._categories = ExpiringCache[str, tuple[str | None]](_CACHED_MAX)
        self._sizes = CategorySizes({}, {})
        self._sizes_read = float("-inf")

    def category_sizes(self, count: Callable[[], dict[str, int]]) -> CategorySizes:
        """Return the sizes, at most a minute old. `count` counts by category path."""
        now = time.monotonic()
        if now - self._sizes_read > _CHOICE_TTL_S:
            self._sizes, self._sizes_read = category_sizes(count()), now
        return self._sizes

    def category_of(self, q: str, look: Callable[[], str | None]) -> str | None:
        """Return the category that a query is about, cached for ten minutes whatever the filters."""
        if known := self._categories.get(q):
            return known[0]
        slug = look()
        if len(q) <= _CACHED_LETTERS_MAX:
            self._categories.put(q, (slug,), _CATEGORY_TTL_S)
        return slug

    def attributes(self, searcher: IndexSearcher, slug: str, size: int) -> list[str]:
        """Return at most four attributes of a category of so many products, the most telling first. Large
        categories are judged by a sample."""
        names = self._chosen.get(slug)
        if names is None:
            within = [Clause.term("category", slug), Clause.term("for_sale", True)]
            if size > _SAMPLED_ABOVE:
                within.append(Clause.term(attributes.SAMPLE, True))
            names = _choose(searcher, Clause.all_of(within))
            self._chosen.put(slug, names, _CHOICE_TTL_S)
        return names


def _choose(searcher: IndexSearcher, within: Clause) -> list[str]:
    products = searcher.count(within)
    if products < 2:
        return []
    (held,) = searcher.aggregate(
        within, [TermsWanted(attributes.NAMES, _NAMES_LOOKED_AT, _NAMES_PER_SEGMENT)]
    )
    common = [name for name, count in held.items() if count >= products * _COMMON_SHARE]
    if not common:
        return []
    values_of = searcher.aggregate(within, [values_wanted(attributes.column(name)) for name in common])
    rated: list[tuple[float, str, tuple[int, ...]]] = []
    for name, values in zip(common, values_of, strict=True):
        rating = informativeness(values, products)
        if rating:
            rating *= _TITLE_FLOOR + _share_in_titles(searcher, within, name, values)
            rated.append((rating, name, tuple(sorted(values.values()))))
    rated.sort(key=lambda each: (-each[0], each[1]))
    seen: set[tuple[int, ...]] = set()
    chosen: list[str] = []
    for _, name, counts in rated:
        if counts not in seen:  # the same in centimetres and in inches is one facet
            seen.add(counts)
            chosen.append(name)
    return chosen[:_FACETS_MAX]


def informativeness(values: dict[str, int], products: int) -> float:
    """Rate how much an attribute tells a shopper, given how many of the products have each value: the
    entropy, in bits, of the few values that are read, times the share of products they stand for, times the
    square of their share of those that have it at all; 0 where it is no facet."""
    read = dict(sorted(values.items(), key=lambda each: -each[1])[:_VALUES_READ])
    known, has = sum(read.values()), sum(values.values())
    measurements = sum(count for value, count in read.items() if _MEASUREMENT.search(value))
    too_few = known < max(products * _PRODUCTS_SHARE_MIN, has * _VALUES_SHARE_MIN)
    if not known or too_few or measurements * 2 > known:
        return 0.0
    bits = -sum(count / known * math.log2(count / known) for count in read.values())
    return bits * min(known / products, 1.0) * (known / has) ** 2 if bits >= _BITS_MIN else 0.0


def _share_in_titles(searcher: IndexSearcher, within: Clause, name: str, values: dict[str, int]) -> float:
    """Compute the share of products with the commonest values whose title has the value: what sellers put in
    titles is what shoppers choose by."""
    products = titled = 0
    for value in sorted(values, key=lambda each: -values[each])[:_TITLE_VALUES]:
        stems = analyze.stems(value)
        if not stems or value in ("true", "false"):
            continue
        has_value = [within, Clause.term(attributes.column(name), value)]
        products += values[value]
        in_title = [Clause.term("title", stem) for stem in stems]
        titled += searcher.count(Clause.all_of([*has_value, *in_title]))
    return titled / products if products else 0.0
