"""Whether the index says what the catalogue says: product by product, by version and by what is shown."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal

import msgspec

from mercat.events import ProductChanged
from mercat.search.engine import FieldType, Occur, Place, Query, Reader
from mercat.search.engines.tantivy import card_of

What = Literal["missing", "older", "other", "extra"]
_WAIT_S = 5.0
_GLANCE_S = 0.1
_EXTRA_MAX = 1_000


class Difference(msgspec.Struct, frozen=True):
    """`missing` from the index, `older` there, `other` though of the same version, or `extra`: only there."""

    product_id: int
    what: What


class Verdict(msgspec.Struct):
    checked: int = 0
    differences: list[Difference] = []


async def verify(
    place: Place, everything: Callable[[], AsyncIterator[Sequence[ProductChanged]]], every: int = 1
) -> Verdict:
    """Compares every page of the catalogue, or one page in so many, with the index. What differs gets five
    seconds to arrive: it may be on its way."""
    reader, verdict = place.reader(), Verdict()
    before, number = 0, 0
    async for page in everything():
        if number % every == 0:
            verdict.checked += len(page)
            verdict.differences += _settled(reader, page, before)
        before, number = int(page[-1].product_id), number + 1
    return verdict


def _settled(reader: Reader, page: Sequence[ProductChanged], before: int) -> list[Difference]:
    differences = compare(reader, page, before)
    until = time.monotonic() + _WAIT_S
    while differences and time.monotonic() < until:
        time.sleep(_GLANCE_S)
        reader.look_again()
        differences = compare(reader, page, before)
    return differences


def compare(reader: Reader, page: Sequence[ProductChanged], before: int) -> list[Difference]:
    """How the index differs from these products, which are all that the catalogue has after `before`, up to
    the last of them."""
    searcher = reader.searcher()
    wanted = [int(each.product_id) for each in page]
    hits = searcher.search(Query.term_set_query("product_id", wanted), len(wanted), count=False).hits
    addresses = [address for _, address in hits]
    ids, versions = (searcher.fast_field_values(field, addresses) for field in ("product_id", "version"))
    there = {
        int(product or 0): (int(version or 0), card)
        for product, version, card in zip(ids, versions, searcher.cards(addresses), strict=True)
    }
    differences: list[Difference] = []
    for each in page:
        product = int(each.product_id)
        version, shown = there.get(product, (-1, None))
        if version < each.version:
            what: What = "missing" if shown is None else "older"
            if shown is None and each.document is None:
                continue  # never for sale, so never told
            differences.append(Difference(product, what))
        elif version == each.version and shown != (card_of(each.document) if each.document else b""):
            differences.append(Difference(product, "other"))
    span = Query.range_query("product_id", FieldType.Unsigned, before + 1, wanted[-1])
    asked = [(Occur.Must, span), (Occur.Must, Query.term_query("for_sale", True))]
    asked += [(Occur.MustNot, Query.term_set_query("product_id", wanted))]
    found = searcher.search(Query.boolean_query(asked), _EXTRA_MAX, count=False).hits
    extra = searcher.fast_field_values("product_id", [address for _, address in found])
    return differences + [Difference(int(product or 0), "extra") for product in extra]


def behind(place: Place, standing: dict[int, int]) -> int | None:
    """How many of these products, by their versions in the catalogue, the index has older or not at all, five
    seconds later; None where there is no index."""
    if not place.there():
        return None
    reader, until = place.reader(), time.monotonic() + _WAIT_S
    while True:
        searcher = reader.searcher()
        asked = Query.term_set_query("product_id", list(standing))
        addresses = [hit[1] for hit in searcher.search(asked, max(len(standing), 1), count=False).hits]
        ids, versions = (searcher.fast_field_values(field, addresses) for field in ("product_id", "version"))
        there = {int(product or 0): int(version or 0) for product, version in zip(ids, versions, strict=True)}
        count = sum(there.get(product, -1) < version for product, version in standing.items())
        if not count or time.monotonic() > until:
            return count
        time.sleep(_GLANCE_S)
        reader.look_again()
