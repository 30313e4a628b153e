"""One state of a tantivy index, and clauses in tantivy's own form."""

from collections.abc import Sequence
from typing import Any

from tantivy import FieldType, Order, Query, Schema, Searcher
from tantivy import Occur as TantivyOccur

from mercat.search.engine import After, Clause, ExtremesWanted, Hit, SortKey, TermsWanted

_OCCUR = {"must": TantivyOccur.Must, "should": TantivyOccur.Should, "must_not": TantivyOccur.MustNot}


class TantivySearcher:
    """One state of the index: an `IndexSearcher`. `unsigned_fields` are those of whole numbers; other numeric
    fields are floats."""

    def __init__(self, searcher: Searcher, schema: Schema, unsigned_fields: frozenset[str]) -> None:
        self._searcher = searcher
        self._schema = schema
        self._unsigned_fields = unsigned_fields

    @property
    def num_docs(self) -> int:
        return self._searcher.num_docs

    def search(
        self,
        clause: Clause,
        limit: int,
        *,
        offset: int = 0,
        sort: SortKey | None = None,
        weight_by: str | None = None,
        after: After | None = None,
    ) -> list[Hit]:
        query = self._native(clause)
        if after and sort:
            query = self._behind(query, sort, after)
        field = sort.field if sort else None
        order = Order.Asc if sort and not sort.descending else Order.Desc
        return self._searcher.search(query, limit, False, field, offset, order, weight_by).hits

    def _behind(self, query: Query, sort: SortKey, after: After) -> Query:
        low, high = (None, after.key) if sort.descending else (after.key, None)
        behind = Query.range_query(self._schema, sort.field, FieldType.Unsigned, low, high)
        parts = [(TantivyOccur.Must, query), (TantivyOccur.Must, behind)]
        parts += [
            (TantivyOccur.MustNot, Query.term_query(self._schema, "product_id", product))
            for product in after.product_ids
        ]
        return Query.boolean_query(parts)

    def count(self, clause: Clause) -> int:
        return self._searcher.search(self._native(clause), 1).count or 0  # type: ignore[attr-defined]

    def aggregate(
        self, clause: Clause, wanted: Sequence[TermsWanted | ExtremesWanted]
    ) -> list[dict[str, int]]:
        asked = {str(number): _aggregation(each) for number, each in enumerate(wanted)}
        searcher: Any = self._searcher
        answer: dict[str, Any] = searcher.aggregate(self._native(clause), asked)
        return [_counts(answer[number]) for number in asked]

    def field_values(self, field: str, hits: Sequence[Hit]) -> list[Any]:
        return self._searcher.fast_field_values(field, [address for _, address in hits])

    def doc_freq(self, field: str, value: object) -> int:
        return self._searcher.doc_freq(field, value)

    def doc_freqs(self, terms: Sequence[tuple[str, str]]) -> list[int]:
        return [self._searcher.doc_freq(field, value) for field, value in terms]

    def terms_with_prefix(
        self, field: str, prefix: str, within: Clause | None = None, limit: int | None = None
    ) -> list[tuple[str, int]]:
        among = self._native(within) if within else None
        return self._searcher.terms_with_prefix(field, prefix, among, limit)

    def cards(self, hits: Sequence[Hit]) -> list[bytes]:
        stored = (self._searcher.doc(address)["card"] for _, address in hits)
        return [bytes(card[0]) if card else b"" for card in stored]

    def _native(self, clause: Clause) -> Query:
        """Convert a clause, once."""
        if clause.native is None:
            clause.native = self._convert(clause)
        return clause.native

    def _convert(self, clause: Clause) -> Query:
        args = clause.args
        match clause.kind:
            case "term" | "terms" | "phrase" | "fuzzy" | "between":
                return self._leaf(clause.kind, *args)
            case "boost":
                return Query.boost_query(self._native(args[0]), args[1])
            case "boolean":
                parts = [(_OCCUR[occur], self._native(part)) for occur, part in args[0]]
                return Query.boolean_query(parts, args[1])
            case "constant_score":
                return Query.const_score_query(self._native(args[0]), args[1])
            case "dis_max":
                return Query.disjunction_max_query([self._native(part) for part in args[0]], args[1])
            case "match_all":
                return Query.all_query()
            case _:
                return Query.empty_query()

    def _leaf(self, kind: str, field: str, *args: Any) -> Query:
        match kind:
            case "term":
                return Query.term_query(self._schema, field, *args)
            case "terms":
                return Query.term_set_query(self._schema, field, *args)
            case "phrase":
                return Query.phrase_query(self._schema, field, *args)
            case "fuzzy":
                text, distance, prefix = args
                return Query.fuzzy_term_query(self._schema, field, text, distance, prefix=prefix)
            case _:
                number = FieldType.Unsigned if field in self._unsigned_fields else FieldType.Float
                return Query.range_query(self._schema, field, number, *args)


def _aggregation(wanted: TermsWanted | ExtremesWanted) -> dict[str, Any]:
    if isinstance(wanted, ExtremesWanted):
        return {"stats": {"field": wanted.field}}
    return {"terms": {"field": wanted.field, "size": wanted.size, "segment_size": wanted.per_segment}}


def _counts(answer: dict[str, Any]) -> dict[str, int]:
    if "buckets" in answer:
        return {bucket["key"]: int(bucket["doc_count"]) for bucket in answer["buckets"]}
    return {end: int(answer[end]) for end in ("min", "max") if answer[end] is not None}
