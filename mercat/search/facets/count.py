"""Facet counts: how many of the products found have which brand, category, price, rating and attribute.

Facets are disjunctive. What no filter of its own narrows is counted in one pass over the products found; for
each other facet there is one more pass, over what would be found without its own filter."""

from collections.abc import Sequence
from typing import Any

from mercat.kit.cache import ExpiringCache
from mercat.search.category_stats import sum_by_category
from mercat.search.engine import (
    Clause,
    ExtremesWanted,
    IndexSearcher,
    ProductRowReader,
    TermsWanted,
    row_numbers,
)
from mercat.search.facets import attributes
from mercat.search.facets.choose import CategorySizes, FacetChooser, main_category, values_wanted
from mercat.search.facets.ranges import (
    RATING_STEPS,
    count_ranges,
    count_ratings,
    numbers_of,
    price_ranges,
    ranges_of,
    sum_by_number,
)
from mercat.search.messages import (
    AttributeCounts,
    FacetCount,
    Facets,
    PriceExtremes,
    RatingCount,
    SearchQuery,
    SoldOutPolicy,
)
from mercat.search.product_entry import NO_BRAND
from mercat.search.query.filters import QueryClauses, attribute_facet
from mercat.search.query.parse import TextQuery, scored_text

FACET_VALUES_MAX, ATTRIBUTE_VALUES_MAX = 100, 30
_CATEGORY_PATHS = TermsWanted("category_path", 60_000, 60_000)
_CACHED_MAX = 2_000
_COUNTED_A_SECOND, _CACHED_FROM_S, _CACHED_UNTIL_S = 2_000, 0.5, 10.0
"""Counts are good for a second for so many products that were counted, and for ten at most."""
_TERMS_MAX = 1_000
_BEST_LOOKED_AT = 50
_COUNTED_BY = {
    "brands": ("brand_facet",),
    "categories": ("category_path",),
    "price_ranges": ("price_rating_bucket", "price"),
    "ratings": ("price_rating_bucket",),
}
_FIELDS: dict[str, TermsWanted | ExtremesWanted] = {
    **{
        field: TermsWanted(field, _TERMS_MAX, _TERMS_MAX)
        for fields in _COUNTED_BY.values()
        for field in fields
    },
    "price": ExtremesWanted("price"),
}
_NUMBERS_MAX = 10_000
FieldCounts = dict[str, dict[str, int]]
"""For each field, how many products have each term; of the price its extremes."""


class FacetCache(ExpiringCache[tuple[bytes, Any], tuple[Facets, int]]):
    """Facets and totals by query."""

    def __init__(self) -> None:
        super().__init__(_CACHED_MAX)


class FacetCounter:
    """Counts the facets of one state of the index."""

    def __init__(
        self,
        searcher: IndexSearcher,
        chooser: FacetChooser,
        sold_out: SoldOutPolicy,
        memo: dict[str, Any],
        cache: FacetCache,
        rows: ProductRowReader | None,
        currency: str,
    ) -> None:
        """`memo` holds counts of all products in this state of the index; `cache` outlives it. `currency`:
        the shop's, which prices are in."""
        self._currency = currency
        self._searcher = searcher
        self._chooser = chooser
        self._sold_out: SoldOutPolicy = sold_out
        self._of_all: dict[TermsWanted | ExtremesWanted, dict[str, int]] = memo.setdefault("terms", {})
        self._cache = cache
        self._rows = rows

    def counts(self, clauses: QueryClauses, query: SearchQuery, text: TextQuery | None) -> tuple[Facets, int]:
        """Return the facets and the total. Counting takes a time that grows with the number of products
        found, and so does the time that counts are cached; the products themselves are always the newest."""
        key = (clauses.cache_key, text and text.cache_key)
        if known := self._cache.get(key):
            return known
        facets, total = self._count(clauses, query, text)
        ttl_s = min(total / _COUNTED_A_SECOND, _CACHED_UNTIL_S)
        if ttl_s >= _CACHED_FROM_S:
            self._cache.put(key, (facets, total), ttl_s)
        return facets, total

    def category_counts(self) -> dict[str, int]:
        """Count the products of each category that has some, descendants' included."""
        return sum_by_category(self._category_paths())

    def _count(self, clauses: QueryClauses, query: SearchQuery, text: TextQuery | None) -> tuple[Facets, int]:
        """Count everything. With words or a category it is known beforehand which attributes are facets; then
        all is counted at once."""
        known = clauses.narrows() and (text is not None or bool(query.category))
        names = self._attribute_names(query, self._category(query, text)) if known else []
        own_filter = clauses.by_facet.keys() & _COUNTED_BY.keys()
        free_fields = {
            field for facet, fields in _COUNTED_BY.items() if facet not in own_filter for field in fields
        }
        whole = self._count_fields(
            clauses, None, {"price_rating_bucket", *free_fields, *_free_columns(names, clauses)}
        )
        counts = {
            facet: self._count_fields(clauses, facet, set(fields)) if facet in own_filter else whole
            for facet, fields in _COUNTED_BY.items()
        }
        total = sum(whole["price_rating_bucket"].values())
        categories = facet_counts(counts["categories"]["category_path"])
        if clauses.narrows() and not known:
            sizes = self._category_sizes().sizes
            slug = main_category({each.value: each.count for each in categories}, total, sizes)
            names = self._attribute_names(query, slug)
            if columns := _free_columns(names, clauses):
                whole |= self._count_fields(clauses, None, columns)
        facets = Facets(
            brands=facet_counts(counts["brands"]["brand_facet"]),
            price_ranges=self._price_ranges(counts["price_ranges"]["price_rating_bucket"]),
            categories=categories,
            ratings=[
                RatingCount(stars, count)
                for stars, count in zip(
                    RATING_STEPS, count_ratings(counts["ratings"]["price_rating_bucket"]), strict=True
                )
            ],
            attributes=self._attribute_facets(clauses, query, names, whole),
            price=PriceExtremes(**extremes) if (extremes := counts["price_ranges"]["price"]) else None,
        )
        return facets, total

    def _price_ranges(self, buckets: dict[str, int]) -> list[FacetCount]:
        ranges = price_ranges(self._currency)
        return [
            FacetCount(each.value, count) for each, count in zip(ranges, count_ranges(buckets), strict=True)
        ]

    def numbers(self, name: str) -> dict[str, float]:
        """Read all values that an attribute has in this state of the index as numbers."""
        wanted = TermsWanted(attributes.column(name), _NUMBERS_MAX, _NUMBERS_MAX)
        (values,) = self._aggregate(Clause.term(attributes.NAMES, name), [wanted], of_all=True)
        return numbers_of(values)

    def _count_fields(self, clauses: QueryClauses, but: str | None, fields: set[str]) -> FieldCounts:
        """Count the products found, one filter left out, by the terms of these fields."""
        names = sorted(fields)
        wanted = [_FIELDS.get(field) or values_wanted(field) for field in names]
        counted = self._aggregate(clauses.combined(but), wanted, of_all=not clauses.narrows(but))
        counts = dict(zip(names, counted, strict=True))
        if "category_path" in counts:
            counts["category_path"] = sum_by_category(counts["category_path"])
        return counts

    def _aggregate(
        self, clause: Clause, wanted: Sequence[TermsWanted | ExtremesWanted], *, of_all: bool
    ) -> list[dict[str, int]]:
        """Count fields; those of all products once for this state of the index, since any list of a category
        needs them."""
        if not of_all:
            return self._searcher.aggregate(clause, wanted)
        if missing := [each for each in wanted if each not in self._of_all]:
            self._of_all.update(zip(missing, self._searcher.aggregate(clause, missing), strict=True))
        return [self._of_all[each] for each in wanted]

    def _attribute_facets(
        self, clauses: QueryClauses, query: SearchQuery, names: list[str], whole: FieldCounts
    ) -> list[AttributeCounts]:
        facets: list[AttributeCounts] = []
        for name in names:
            column = attributes.column(name)
            counts = whole.get(column)
            if counts is None:
                counts = self._count_fields(clauses, attribute_facet(name), {column})[column]
            facets.append(self._attribute_facet(clauses, name, counts))
        return [each for each in facets if len(each.values) > 1 or each.name in query.attributes]

    def _attribute_facet(self, clauses: QueryClauses, name: str, counts: dict[str, int]) -> AttributeCounts:
        """List an attribute's values, and its ranges where they are numbers. What has more numbers than are
        counted at first is counted again, whole."""
        values = facet_counts(counts, ATTRIBUTE_VALUES_MAX)
        numbers = numbers_of(counts)
        if not numbers:
            return AttributeCounts(name, values)
        if len(counts) >= values_wanted(name).size:
            whole = clauses.combined(attribute_facet(name))
            wanted = TermsWanted(attributes.column(name), _NUMBERS_MAX, _NUMBERS_MAX)
            (counts,) = self._searcher.aggregate(whole, [wanted])
            numbers = numbers_of(counts)
            if not numbers:
                return AttributeCounts(name, values)
        summed = sum_by_number(numbers, counts)
        ranges = [FacetCount(each.value, count) for each, count in ranges_of(summed)]
        return AttributeCounts(name, values, ranges, min(summed), max(summed))

    def _attribute_names(self, query: SearchQuery, slug: str | None) -> list[str]:
        """List the attributes that narrow the products, and those of the category that they are of."""
        names = list(query.attributes)
        if slug is not None:
            size = self._category_sizes().sizes.get(slug, 0)
            names += self._chooser.attributes(self._searcher, slug, size)
        return list(dict.fromkeys(names))

    def _category_sizes(self) -> CategorySizes:
        return self._chooser.category_sizes(self._category_paths)

    def _category_paths(self) -> dict[str, int]:
        every = Clause.term("in_stock" if self._sold_out == "hidden" else "for_sale", True)
        (paths,) = self._aggregate(every, [_CATEGORY_PATHS], of_all=True)
        return paths

    def _category(self, query: SearchQuery, text: TextQuery | None) -> str | None:
        """Return the category that the products are of; with words, that of the best of them: most products
        whose text has "webcam" are laptops."""
        if query.category or text is None:
            return query.category[0] if len(query.category) == 1 else None
        return self._chooser.category_of(query.q, lambda: self._category_of_best(text))

    def _category_of_best(self, text: TextQuery) -> str | None:
        if self._rows is None:
            return None
        best = self._searcher.search(scored_text(self._searcher, text), _BEST_LOOKED_AT)
        sizes, rows = self._category_sizes(), self._rows.read(row_numbers(self._searcher, best))
        return main_category(sizes.counts(rows), len(best), sizes.sizes)


def _free_columns(names: list[str], clauses: QueryClauses) -> set[str]:
    """Return the columns of the attributes that have no filter of their own."""
    return {attributes.column(name) for name in names if attribute_facet(name) not in clauses.by_facet}


def facet_counts(counts: dict[str, int], most: int = FACET_VALUES_MAX) -> list[FacetCount]:
    """List the values of a facet, the most frequent first."""
    ordered = sorted([(-count, value) for value, count in counts.items() if value != NO_BRAND])
    return [FacetCount(value, -count) for count, value in ordered[:most]]
