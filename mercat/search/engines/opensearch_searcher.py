"""Searches of an OpenSearch index, and the ranker's rows that are stored in it."""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import msgspec
import numpy as np

from mercat.kit.refusals import Unavailable
from mercat.search.engine import (
    SETTING_UP,
    After,
    BrokenIndex,
    Clause,
    ExtremesWanted,
    Hit,
    SortKey,
    TermsWanted,
)
from mercat.search.engines import opensearch_dsl as dsl
from mercat.search.messages import PAGE_SIZE_MAX
from mercat.search.product_rows import ROW, Rows

RESULT_WINDOW = 1_200_000
"""How far a list by relevance can be walked."""
CHUNK = 1_000
_ROWS_CACHED_MAX = 50_000
_TERMS_MAX = 1_000
_TO_TANTIVY_SCORE = 2.2
"""Lucene leaves the factor k1 + 1 out of BM25."""
_HIT_FIELDS = ["product_id", "version", "row", "in_stock"]
Ask = Callable[[str, dict[str, Any] | list[bytes]], Any]
"""Sends a body, or lines, to an endpoint of the index in use, and returns the answer."""
Item = TypeVar("Item")


def chunks(count: int, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Split a list into parts of so many items."""
    return (items[start : start + count] for start in range(0, len(items), count))


def _search(ask: Ask, body: dict[str, Any]) -> Any:
    answer = ask("_search", body)
    if answer["timed_out"] or answer["_shards"]["failed"]:
        raise BrokenIndex("OpenSearch answered with a part of the index")
    return answer


class OpenSearchRows:
    """The ranker's rows. A row never changes: its number is a hash of the product id and the row."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._cached: dict[int, bytes] = {}

    def read(self, numbers: list[int]) -> Rows:
        """Copy rows by number; one that does not exist is all zeros."""
        cached = self._cached
        missing = [number for number in numbers if number not in cached]
        if missing:
            if len(cached) + len(missing) > _ROWS_CACHED_MAX:
                cached = self._cached = {number: cached[number] for number in numbers if number in cached}
            cached.update(self._fetch(missing))
        zeros = bytes(ROW.itemsize)
        return np.frombuffer(bytearray().join(cached.get(number, zeros) for number in numbers), ROW)

    def _fetch(self, numbers: list[int]) -> Iterator[tuple[int, bytes]]:
        for some in chunks(CHUNK, numbers):
            body = {
                "size": len(some),
                "query": {"constant_score": {"filter": {"terms": {"row": some}}}},
                "stored_fields": ["ranking_row"],
                "docvalue_fields": ["row"],
                "track_total_hits": False,
            }
            for hit in _search(self._ask, body)["hits"]["hits"]:
                fields = hit["fields"]
                yield fields["row"][0], base64.b64decode(fields["ranking_row"][0])


@dataclass(slots=True, eq=False)
class OpenSearchProduct:
    """The product of a hit."""

    product_id: int
    values: dict[str, Any]
    card: bytes | None
    """None where it has not been fetched."""


class OpenSearchSearcher:
    """The products in OpenSearch: an `IndexSearcher`. `memo` is shared by the searches of a fifth of a
    second."""

    def __init__(self, ask: Ask, memo: dict[str, Any]) -> None:
        self._ask = ask
        self._doc_freqs: dict[tuple[str, Any], int] = memo.setdefault("doc_freqs", {})

    @property
    def num_docs(self) -> int:
        return self.doc_freqs([("", "")])[0]

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
        query = dsl.query_dsl(clause)
        if weight_by:  # "static_boost" is log2(2 + that field)
            by = {"field": "static_boost", "missing": 1}
            query = {"function_score": {"query": query, "field_value_factor": by, "boost_mode": "multiply"}}
        direction = "asc" if sort and not sort.descending else "desc"
        size = min(limit, max(RESULT_WINDOW - offset, 0))
        body: dict[str, Any] = {
            "query": query,
            "size": size,
            "from": offset if size else 0,
            "sort": [{sort.field if sort else "_score": direction}, {"product_id": "asc"}],
            "docvalue_fields": _HIT_FIELDS,
            "stored_fields": ["card"] if limit <= PAGE_SIZE_MAX + 1 else "_none_",
            "track_total_hits": False,
        }
        if after:
            body["search_after"] = [after.key, max(after.product_ids, default=-1)]
        factor = 1 if sort else _TO_TANTIVY_SCORE
        found = _search(self._ask, body)["hits"]["hits"]
        return [(hit["sort"][0] * factor, _product(hit)) for hit in found]

    def count(self, clause: Clause) -> int:
        body = {
            "query": {"constant_score": {"filter": dsl.query_dsl(clause)}},
            "size": 0,
            "track_total_hits": True,
        }
        return _search(self._ask, body)["hits"]["total"]["value"]

    def aggregate(
        self, clause: Clause, wanted: Sequence[TermsWanted | ExtremesWanted]
    ) -> list[dict[str, int]]:
        body = {
            "query": {"constant_score": {"filter": dsl.query_dsl(clause)}},
            "size": 0,
            "track_total_hits": False,
            "aggs": {str(number): dsl.aggregation(each) for number, each in enumerate(wanted)},
        }
        answer: dict[str, Any] = _search(self._ask, body)["aggregations"] if wanted else {}
        return [dsl.counts(each, answer[str(number)]) for number, each in enumerate(wanted)]

    def field_values(self, field: str, hits: Sequence[Hit]) -> list[Any]:
        return [product.values.get(field) for _, product in hits]

    def doc_freq(self, field: str, value: object) -> int:
        return self.doc_freqs([(field, value)])[0]

    def doc_freqs(self, terms: Sequence[tuple[str, Any]]) -> list[int]:
        known = self._doc_freqs
        missing = [term for term in dict.fromkeys(terms) if term not in known]
        if missing:
            lines: list[bytes] = []
            for field, value in missing:
                query = dsl.query_dsl(Clause.term(field, value) if field else Clause.match_all())
                lines += [b"{}", msgspec.json.encode({"query": query, "size": 0, "track_total_hits": True})]
            answers = self._search_many(lines)
            known.update(zip(missing, (each["hits"]["total"]["value"] for each in answers), strict=True))
        return [known[term] for term in terms]

    def _search_many(self, lines: list[bytes]) -> list[Any]:
        answers = self._ask("_msearch", lines)["responses"]
        if any(each["status"] == 404 for each in answers):
            raise Unavailable(SETTING_UP)
        if any(each["status"] >= 400 for each in answers):
            raise BrokenIndex("OpenSearch could not answer all of several queries")
        return answers

    def terms_with_prefix(
        self, field: str, prefix: str, within: Clause | None = None, limit: int | None = None
    ) -> list[tuple[str, int]]:
        filters: list[Any] = [{"prefix": {field: {"value": prefix}}}]
        filters += [dsl.query_dsl(within)] if within else []
        terms = {"field": field, "include": dsl.starts_with(prefix), "size": limit or _TERMS_MAX}
        body = {
            "query": {"bool": {"filter": filters}},
            "size": 0,
            "track_total_hits": False,
            "aggs": {"terms": {"terms": terms}},
        }
        buckets = _search(self._ask, body)["aggregations"]["terms"]["buckets"]
        return [(bucket["key"], bucket["doc_count"]) for bucket in buckets]

    def cards(self, hits: Sequence[Hit]) -> list[bytes]:
        products = cast(list[OpenSearchProduct], [product for _, product in hits])
        for some in chunks(CHUNK, [product for product in products if product.card is None]):
            body = {"ids": [str(product.product_id) for product in some]}
            answer = self._ask("_mget?realtime=false&stored_fields=card", body)
            for product, found in zip(some, answer["docs"], strict=True):
                product.card = found.get("fields", {}).get("card", [""])[0].encode()
        return [product.card or b"" for product in products]


def _product(hit: dict[str, Any]) -> OpenSearchProduct:
    fields = cast(dict[str, list[Any]], hit["fields"])
    values = {name: fields[name][0] for name in _HIT_FIELDS if name in fields}
    card = fields.get("card")
    return OpenSearchProduct(values["product_id"], values, card[0].encode() if card else None)
