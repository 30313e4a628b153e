"""Search: every product for sale, found by its words, narrowed by its facets, counted by category.

It owns no truth about products: an index, kept in step by what the catalogue publishes (`ProductChanged`) and
built anew from the catalogue when it is lost. Its tables hold merchandising rules and past queries. Any
process may ask; one process, in the back, writes. Others import from here only."""

from mercat.search import engine
from mercat.search.api import API
from mercat.search.consistency import compare_with_catalogue, count_stale
from mercat.search.engine import IndexStore
from mercat.search.engines.choose import index_store
from mercat.search.facets.ranges import (
    RATING_STEPS,
    NumberRange,
    PriceRange,
    number_range,
    price_range,
    price_ranges,
)
from mercat.search.messages import (
    ATTRIBUTE_FILTERS_MAX,
    ATTRIBUTE_NAME_LETTERS_MAX,
    ATTRIBUTE_VALUE_LETTERS_MAX,
    FILTER_VALUES_MAX,
    PAGE_MAX,
    PHRASE_MAX,
    SEARCH_SORTS,
    AttributeCounts,
    AttributeFilters,
    BoostFactor,
    CardSeller,
    CategorySuggestion,
    ChangesAsked,
    Explanation,
    FacetCount,
    Facets,
    IndexedCard,
    Phrase,
    PinPlace,
    PriceExtremes,
    ProductCard,
    RatingCount,
    RelaxedQuery,
    Rule,
    RuleChange,
    RuleChanges,
    Rules,
    SearchQuery,
    SearchResults,
    SearchSort,
    StoredRule,
    Suggestions,
    TooManyRules,
)
from mercat.search.product_entry import product_card
from mercat.search.ranking import training
from mercat.search.service import AllProducts, Search

__all__ = [
    "API",
    "ATTRIBUTE_FILTERS_MAX",
    "ATTRIBUTE_NAME_LETTERS_MAX",
    "ATTRIBUTE_VALUE_LETTERS_MAX",
    "FILTER_VALUES_MAX",
    "PAGE_MAX",
    "PHRASE_MAX",
    "RATING_STEPS",
    "SEARCH_SORTS",
    "AllProducts",
    "AttributeCounts",
    "AttributeFilters",
    "BoostFactor",
    "CardSeller",
    "CategorySuggestion",
    "ChangesAsked",
    "Explanation",
    "FacetCount",
    "Facets",
    "IndexStore",
    "IndexedCard",
    "NumberRange",
    "Phrase",
    "PinPlace",
    "PriceExtremes",
    "PriceRange",
    "ProductCard",
    "RatingCount",
    "RelaxedQuery",
    "Rule",
    "RuleChange",
    "RuleChanges",
    "Rules",
    "Search",
    "SearchQuery",
    "SearchResults",
    "SearchSort",
    "StoredRule",
    "Suggestions",
    "TooManyRules",
    "compare_with_catalogue",
    "count_stale",
    "engine",
    "index_store",
    "number_range",
    "price_range",
    "price_ranges",
    "product_card",
    "training",
]
