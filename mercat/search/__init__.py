"""Search: every product for sale, found by its words, narrowed by its facets, counted by category.

It owns no truth about products: an index in a folder, filled by the facts that the catalogue tells
(`ProductChanged`) and built anew from the catalogue when it is lost. Its tables keep what operators want of
searches. Any process may ask; one process, in the back, writes. Others import from here only.
"""

from mercat.search.api import API
from mercat.search.consistency import behind
from mercat.search.engine import Place
from mercat.search.engines.choose import place_of
from mercat.search.messages import (
    Card,
    Count,
    Department,
    Explained,
    Facets,
    Found,
    KeptRule,
    Query,
    Relaxed,
    Rule,
    RuleChange,
    RuleChanges,
    Rules,
    Seller,
    Sort,
    StarCount,
    Suggestions,
    TooManyRules,
    Trait,
    Wanted,
)
from mercat.search.service import Everything, Search

__all__ = [
    "API",
    "Card",
    "Count",
    "Department",
    "Everything",
    "Explained",
    "Facets",
    "Found",
    "KeptRule",
    "Place",
    "Query",
    "Relaxed",
    "Rule",
    "RuleChange",
    "RuleChanges",
    "Rules",
    "Search",
    "Seller",
    "Sort",
    "StarCount",
    "Suggestions",
    "TooManyRules",
    "Trait",
    "Wanted",
    "behind",
    "place_of",
]
