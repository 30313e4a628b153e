"""Comparison of the index with the catalogue: product by product, by version and by card."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal

import msgspec

from mercat.events import ProductChanged
from mercat.search.engine import Clause, Hit, IndexReader, IndexSearcher, IndexStore, product_ids
from mercat.search.product_entry import card_json

DifferenceKind = Literal["missing", "older", "other", "extra"]
_WAIT_S = 5.0
_RETRY_S = 0.1
_EXTRA_MAX = 1_000


class IndexDifference(msgspec.Struct, frozen=True):
    """A product that is `missing` from the index, `older` there, `other` though of the same version, or
    `extra`: only there."""

    product_id: int
    what: DifferenceKind


class ConsistencyReport(msgspec.Struct):
    """How many products were compared, and which differ."""

    checked: int = 0
    differences: list[IndexDifference] = []


async def compare_with_catalogue(
    store: IndexStore, products: Callable[[], AsyncIterator[Sequence[ProductChanged]]], every: int = 1
) -> ConsistencyReport:
    """Compare every page of the catalogue, or one page in so many, with the index. What differs gets five
    seconds to arrive: it may be on its way."""
    reader, report = store.reader(), ConsistencyReport()
    before, number = 0, 0
    async for page in products():
        if number % every == 0:
            report.checked += len(page)
            report.differences += _lasting_differences(reader, page, before)
        before, number = int(page[-1].product_id), number + 1
    return report


def _lasting_differences(
    reader: IndexReader, page: Sequence[ProductChanged], before: int
) -> list[IndexDifference]:
    differences = _differences(reader.searcher(), page, before)
    until = time.monotonic() + _WAIT_S
    while differences and time.monotonic() < until:
        time.sleep(_RETRY_S)
        reader.look_again()
        differences = _differences(reader.searcher(), page, before)
    return differences


def _differences(
    searcher: IndexSearcher, page: Sequence[ProductChanged], before: int
) -> list[IndexDifference]:
    """Compare products that are all that the catalogue has after `before`, up to the last of them."""
    wanted = [int(each.product_id) for each in page]
    hits = searcher.search(Clause.terms("product_id", wanted), len(wanted))
    cards = dict(zip(product_ids(searcher, hits), searcher.cards(hits), strict=True))
    versions = _versions(searcher, hits)
    differences = [
        IndexDifference(int(each.product_id), kind)
        for each in page
        if (kind := difference(each, versions.get(each.product_id), cards.get(each.product_id)))
    ]
    return differences + [IndexDifference(product, "extra") for product in _extra(searcher, wanted, before)]


def difference(change: ProductChanged, version: int | None, card: bytes | None) -> DifferenceKind | None:
    """Tell how the index differs from what the catalogue says of a product. `version` and `card` are the
    index's, None where it does not have the product."""
    if version is None:
        return "missing" if change.document else None  # never for sale, so never indexed
    if version < change.version:
        return "older"
    expected = card_json(change.document) if change.document else b""
    return "other" if version == change.version and card != expected else None


def _extra(searcher: IndexSearcher, wanted: list[int], before: int) -> list[int]:
    """Find products for sale in this range of ids that the catalogue does not have."""
    in_range = Clause.between("product_id", before + 1, wanted[-1])
    clause = Clause.boolean(
        [
            ("must", in_range),
            ("must", Clause.term("for_sale", True)),
            ("must_not", Clause.terms("product_id", wanted)),
        ]
    )
    return product_ids(searcher, searcher.search(clause, _EXTRA_MAX))


def _versions(searcher: IndexSearcher, hits: Sequence[Hit]) -> dict[int, int]:
    versions = (int(version or 0) for version in searcher.field_values("version", hits))
    return dict(zip(product_ids(searcher, hits), versions, strict=True))


def count_stale(store: IndexStore, versions: dict[int, int]) -> int | None:
    """Count how many of these products, by their versions in the catalogue, the index has older or not at
    all, five seconds later; None where there is no index."""
    if not store.exists():
        return None
    reader, until = store.reader(), time.monotonic() + _WAIT_S
    while True:
        searcher = reader.searcher()
        hits = searcher.search(Clause.terms("product_id", list(versions)), max(len(versions), 1))
        indexed = _versions(searcher, hits)
        count = sum(indexed.get(product, -1) < version for product, version in versions.items())
        if not count or time.monotonic() > until:
            return count
        time.sleep(_RETRY_S)
        reader.look_again()
