"""A query as clauses: the words, what always holds, and the filter of each facet; and the cursor of a
walk."""

import base64
import binascii
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from mercat import money
from mercat.kit import codec
from mercat.kit.refusals import Invalid
from mercat.search.engine import Clause
from mercat.search.facets import attributes
from mercat.search.facets.ranges import number_range
from mercat.search.messages import SearchQuery, SearchSort, SoldOutPolicy

_NOT_ASKED = frozenset(("sort", "learnt", "page", "limit", "cursor"))
"""How a question is answered."""


class SearchCursor(msgspec.Struct, frozen=True, array_like=True):
    """How far a walk has come: at `key`, of whose products those in `seen` have been shown; by relevance,
    behind so many products."""

    sort: SearchSort
    page: int
    key: int
    seen: list[int] = []
    asked: int = 0
    """Of which question, as `checksum` has it; 0: an older one does not say."""

    def encoded(self) -> str:
        """Return the cursor as clients get it."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def checksum(query: SearchQuery) -> int:
    """Tell a question from others, in whatever order its filters and their values stand, and it is answered.
    Only what was asked counts, so that a new filter makes no cursor wrong."""
    asked, nothing = msgspec.structs.asdict(query), msgspec.structs.asdict(type(query)())
    told = [
        (name, _in_order(asked[name]))
        for name in sorted(asked.keys() - _NOT_ASKED)
        if asked[name] != nothing[name]
    ]
    return zlib.crc32(msgspec.msgpack.encode(told)) or 1


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((name, _in_order(each)) for name, each in cast("dict[str, Any]", value).items())
    return sorted(cast("list[str]", value)) if isinstance(value, list) else value


def decode_cursor(encoded: str, query: SearchQuery) -> SearchCursor:
    """Read a client's cursor. Refuses with `Invalid` one that is not ours, of another sort or question."""
    try:
        packed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        cursor = msgspec.json.decode(packed, type=SearchCursor)
    except (ValueError, binascii.Error, RecursionError):
        raise Invalid("This is not a cursor of ours.", pointer="/cursor") from None
    if cursor.asked not in (0, checksum(query)):
        raise Invalid("This cursor belongs to another list.", pointer="/cursor")
    if cursor.sort != query.sort:
        raise Invalid("This cursor belongs to another sort.", pointer="/cursor")
    if not (
        0 < cursor.page < 2**31
        and 0 <= cursor.key < 2**64
        and all(0 <= product < 2**63 for product in cursor.seen)
    ):
        raise Invalid("This is not a cursor of ours.", pointer="/cursor")
    return cursor


class QueryClauses(NamedTuple):
    """A query as the engine takes it: the words, what always holds, and the filter of each facet that has
    one."""

    text: Clause | None
    always: list[Clause]
    by_facet: dict[str, Clause]
    cache_key: bytes
    """The filters alone, to cache by."""

    def combined(self, but: str | None = None) -> Clause:
        """Combine everything, but for the filter of one facet."""
        if not self.narrows(but):
            return Clause.term("for_sale", True)
        filters = [*self.always, *(clause for facet, clause in self.by_facet.items() if facet != but)]
        needed = [Clause.constant_score(clause, 0.0) for clause in filters]
        if self.text is not None:
            needed.append(self.text)
        return needed[0] if len(needed) == 1 else Clause.all_of(needed)

    def scored_by(self, text: Clause) -> Clause:
        """Combine everything, with other words to score by."""
        return self._replace(text=text).combined()

    def narrows(self, but: str | None = None) -> bool:
        """Tell whether this asks for less than all products, one facet's filter left out."""
        return self.text is not None or bool(self.always) or any(facet != but for facet in self.by_facet)


def query_clauses(
    query: SearchQuery,
    text: Clause | None,
    sold_out: SoldOutPolicy,
    numbers: Callable[[str], dict[str, float]],
) -> QueryClauses:
    """Compile the filters of a query. `numbers`: reads the values that an attribute has as numbers."""
    always: list[Clause] = []
    if query.in_stock is not None:
        always.append(Clause.term("in_stock", query.in_stock))
    elif sold_out == "hidden":
        always.append(Clause.term("in_stock", True))
    if query.seller_id is not None:
        always.append(Clause.term("seller_id", int(query.seller_id)))
    by_facet: dict[str, Clause] = {}
    if query.brand:
        by_facet["brands"] = Clause.any_of([Clause.term("brand", brand) for brand in query.brand])
    if query.category:
        by_facet["categories"] = Clause.any_of([Clause.term("category", slug) for slug in query.category])
    if query.price_min is not None or query.price_max is not None:
        by_facet["price_ranges"] = _prices(query.price_min, query.price_max)
    if query.rating_min is not None:
        by_facet["ratings"] = Clause.between("rating", query.rating_min)
    for name, values in query.attributes.items():
        by_facet[attribute_facet(name)] = _attribute(name, values, numbers)
    filters = msgspec.structs.replace(query, q="", sort="relevance", page=1, limit=1, cursor=None)
    return QueryClauses(text, always, by_facet, codec.encode(filters))


def _attribute(name: str, values: Sequence[str], numbers: Callable[[str], dict[str, float]]) -> Clause:
    """Match an attribute that has one of these values, or a number within one of these ranges."""
    wanted = [attributes.normal_value(value) for value in values]
    ranges = [found for value in values if (found := number_range(value))]
    if ranges:
        known = numbers(name).items()
        wanted += [value for value, number in known if any(each.has(number) for each in ranges)]
    return Clause.any_of([Clause.term(attributes.column(name), value) for value in dict.fromkeys(wanted)])


def attribute_facet(name: str) -> str:
    """Return the name of an attribute's facet among all facets."""
    return f"{attributes.FIELD}.{name}"


def _prices(low: int | None, high: int | None) -> Clause:
    low = 0 if low is None else min(max(low, 0), money.MINOR_MAX)
    high = money.MINOR_MAX if high is None else min(high, money.MINOR_MAX)
    return Clause.match_none() if high < low else Clause.between("price", low, high)
