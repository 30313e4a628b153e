"""A query as the engine takes it: words, filters, and where a walk through the pages has come to."""

import base64
import binascii
from typing import NamedTuple

import msgspec

from mercat import money
from mercat.kit import codec
from mercat.kit.refusals import Invalid
from mercat.search.engine import FieldType, Occur
from mercat.search.engine import Query as Clause
from mercat.search.facets import attributes as traits
from mercat.search.messages import Query, SoldOut, Sort
from mercat.search.query import parse as words
from mercat.search.query.parse import Word


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a walk has come to: at `key`, of whose products those in `seen` have been shown; or, by
    relevance, after so many products."""

    sort: Sort
    page: int
    key: int
    seen: list[int] = []

    def shown(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def cursor_of(shown: str, sort: Sort) -> Cursor:
    try:
        packed = base64.urlsafe_b64decode(shown + "=" * (-len(shown) % 4))
        cursor = msgspec.json.decode(packed, type=Cursor)
    except (ValueError, binascii.Error):
        raise Invalid("This is not a cursor of ours.", pointer="/cursor") from None
    if cursor.sort != sort:
        raise Invalid("This cursor belongs to another sort.", pointer="/cursor")
    if not (
        cursor.page > 0 and 0 <= cursor.key < 2**64 and all(0 <= product < 2**63 for product in cursor.seen)
    ):
        raise Invalid("This is not a cursor of ours.", pointer="/cursor")
    return cursor


class Text(NamedTuple):
    """A question's words: all of them, or at least so many, or all of another way to say it."""

    asked: list[Word]
    least: int | None
    ways: list[list[str]]
    matching: Clause
    """The products that have them, in no order."""
    all_words: int | None = None
    """Where few have all the words and others are found too: how many have."""


NO_TEXT = Text([], None, [], Clause.empty_query())


class Clauses(NamedTuple):
    """A query as the engine takes it: what always holds, and the filter of each facet that has one."""

    text: Clause | None
    always: list[Clause]
    chosen: dict[str, Clause]
    filters: bytes
    """The same filters, to remember by."""

    def without(self, facet: str | None = None) -> Clause:
        if not self.narrow(facet):
            return words.term("for_sale", True)
        needed = [*self.always, *(clause for name, clause in self.chosen.items() if name != facet)]
        parts = [(Occur.Must, Clause.const_score_query(clause, 0.0)) for clause in needed]
        if self.text is not None:
            parts.append((Occur.Must, self.text))
        return parts[0][1] if len(parts) == 1 else Clause.boolean_query(parts)

    def scored(self, text: Clause) -> Clause:
        """All that is needed, with these words to score by."""
        return self._replace(text=text).without()

    def narrow(self, facet: str | None = None) -> bool:
        """Whether anything is asked at all."""
        return self.text is not None or bool(self.always) or any(name != facet for name in self.chosen)


def clauses_of(query: Query, text: Clause | None, sold_out: SoldOut) -> Clauses:
    always: list[Clause] = []
    if query.in_stock is not None:
        always.append(words.term("in_stock", query.in_stock))
    elif sold_out == "hidden":
        always.append(words.term("in_stock", True))
    if query.seller_id is not None:
        always.append(words.term("seller_id", int(query.seller_id)))
    chosen: dict[str, Clause] = {}
    if query.brand:
        chosen["brands"] = words.some([words.term("brand", brand) for brand in query.brand])
    if query.category:
        chosen["categories"] = words.some([words.term("category", slug) for slug in query.category])
    if query.price_min is not None or query.price_max is not None:
        chosen["price_ranges"] = _prices(query.price_min, query.price_max)
    if query.rating_min is not None:
        chosen["ratings"] = Clause.range_query("rating", FieldType.Float, query.rating_min)
    for name, values in query.attributes.items():
        chosen[trait_of(name)] = words.some(
            [words.term(traits.column(name), traits.shown(value)) for value in values]
        )
    filters = msgspec.structs.replace(query, q="", sort="relevance", page=1, limit=1, cursor=None)
    return Clauses(text, always, chosen, codec.encode(filters))


def trait_of(name: str) -> str:
    """How the filter by an attribute is called among those of the facets."""
    return f"{traits.FIELD}.{name}"


def _prices(low: int | None, high: int | None) -> Clause:
    low = 0 if low is None else min(max(low, 0), money.MINOR_MAX)
    high = money.MINOR_MAX if high is None else min(high, money.MINOR_MAX)
    if high < low:
        return Clause.empty_query()
    return Clause.range_query("price", FieldType.Unsigned, low, high)
