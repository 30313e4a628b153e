"""Search: every product for sale, found by its words, narrowed by its facets, counted by category.

It owns no truth about products: an index in a folder, filled by the facts that the catalogue tells
(`ProductChanged`) and built anew from the catalogue when it is lost. Its tables keep what operators want of
searches. Any process may ask; one process, in the back, writes. Others import from here only.
"""

from mercat.search.api import API
from mercat.search.engine import Place
from mercat.search.messages import (
    PHRASE_MAX,
    BoostFactor,
    Card,
    Count,
    Department,
    Explained,
    Facets,
    Found,
    KeptRule,
    Phrase,
    PinPlace,
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
from mercat.search.places import place_of
from mercat.search.service import Everything, Search
from mercat.search.verifying import behind

__all__ = [
    "API",
    "PHRASE_MAX",
    "BoostFactor",
    "Card",
    "Count",
    "Department",
    "Everything",
    "Explained",
    "Facets",
    "Found",
    "KeptRule",
    "Phrase",
    "PinPlace",
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
