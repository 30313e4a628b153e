"""What the engine found, and what it keeps of that."""

from collections.abc import Sequence
from typing import Any

from msgspec import Raw

from mercat.search.engine import DocAddress, Query, Searcher

Hit = tuple[Any, DocAddress]
"""The engine's score, or the key that products are sorted by, and where the product is."""


def scored(searcher: Searcher, asked: Query, limit: int, skipped: int = 0) -> list[Hit]:
    """By the engine's score; where it ties, the better rating."""
    return searcher.search(asked, limit, count=False, offset=skipped, weight_by_field="prior").hits


def products(searcher: Searcher, hits: list[Hit]) -> list[int]:
    ids = searcher.fast_field_values("product_id", [address for _, address in hits])
    return [int(product or 0) for product in ids]


def row_numbers(searcher: Searcher, hits: Sequence[Hit]) -> list[int]:
    """Of the rows of facts that they have."""
    return [int(row or 0) for row in searcher.fast_field_values("row", [address for _, address in hits])]


def cards(searcher: Searcher, hits: list[Hit]) -> list[Raw]:
    return [Raw(card) for card in searcher.cards([address for _, address in hits])]
