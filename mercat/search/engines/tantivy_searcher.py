"""Tantivy, in this process."""

from collections.abc import Sequence
from typing import Any

from tantivy import DocAddress, FieldType, Occur, Order, Schema
from tantivy import Query as Native
from tantivy import Searcher as Engine

from mercat.search.engine import Found, Query


class Embedded:
    """One state of the index."""

    def __init__(self, searcher: Engine, schema: Schema) -> None:
        self._searcher = searcher
        self._schema = schema

    @property
    def num_docs(self) -> int:
        return self._searcher.num_docs

    def search(
        self,
        query: Query,
        limit: int = 10,
        count: bool = True,
        order_by_field: str | None = None,
        offset: int = 0,
        order: Order = Order.Desc,
        weight_by_field: str | None = None,
        after: tuple[int, Sequence[int]] | None = None,
    ) -> Found:
        asked = self.native(query)
        if after and order_by_field:
            asked = self._beyond(asked, order_by_field, order, *after)
        found = self._searcher.search(asked, limit, count, order_by_field, offset, order, weight_by_field)
        return Found(found.hits, found.count if count else None)  # type: ignore[attr-defined]

    def _beyond(self, asked: Native, field: str, order: Order, key: int, seen: Sequence[int]) -> Native:
        low, high = (key, None) if order == Order.Asc else (None, key)
        beyond = Native.range_query(self._schema, field, FieldType.Unsigned, low, high)
        parts = [(Occur.Must, asked), (Occur.Must, beyond)]
        parts += [(Occur.MustNot, Native.term_query(self._schema, "product_id", each)) for each in seen]
        return Native.boolean_query(parts)

    def count(self, query: Query) -> int:
        return self._searcher.search(self.native(query), 1).count or 0  # type: ignore[attr-defined]

    def aggregate(self, query: Query, agg: dict[str, Any]) -> dict[str, Any]:
        return self._searcher.aggregate(self.native(query), agg)

    def fast_field_values(self, field_name: str, doc_addresses: Sequence[DocAddress]) -> list[Any]:
        return self._searcher.fast_field_values(field_name, list(doc_addresses))

    def doc_freq(self, field_name: str, field_value: Any) -> int:
        return self._searcher.doc_freq(field_name, field_value)

    def doc_freqs(self, terms: Sequence[tuple[str, str]]) -> list[int]:
        return [self._searcher.doc_freq(field, value) for field, value in terms]

    def terms_with_prefix(
        self, field_name: str, prefix: str, filter_query: Query | None = None, limit: int | None = None
    ) -> list[tuple[str, int]]:
        among = self.native(filter_query) if filter_query else None
        return self._searcher.terms_with_prefix(field_name, prefix, among, limit)

    def cards(self, doc_addresses: Sequence[DocAddress]) -> list[bytes]:
        held = (self._searcher.doc(address)["card"] for address in doc_addresses)
        return [bytes(card[0]) if card else b"" for card in held]

    def native(self, query: Query) -> Native:
        """The clause as tantivy has it, made once."""
        if query.made is None:
            query.made = self._made(query)
        return query.made

    def _made(self, query: Query) -> Native:
        schema, args = self._schema, query.args
        match query.kind:
            case "term":
                return Native.term_query(schema, *args)
            case "boost":
                return Native.boost_query(self.native(args[0]), args[1])
            case "bool":
                parts = [(occur, self.native(part)) for occur, part in args[0]]
                return Native.boolean_query(parts, args[1])
            case "const":
                return Native.const_score_query(self.native(args[0]), args[1])
            case "best":
                return Native.disjunction_max_query([self.native(part) for part in args[0]], args[1])
            case "phrase":
                return Native.phrase_query(schema, *args)
            case "range":
                return Native.range_query(schema, *args)
            case "terms":
                return Native.term_set_query(schema, *args)
            case "fuzzy":
                field, text, distance, prefix = args
                return Native.fuzzy_term_query(schema, field, text, distance, prefix=prefix)
            case "all":
                return Native.all_query()
            case _:
                return Native.empty_query()
