"""OpenSearch: an index that many machines share, instead of a folder.

    <name>                   an alias of the index in use, moved in one step: nobody sees half an index
    <name>-<form>            the same for those who know its form, which changes with the mapping below
    <name>-<form>-<number>   one index

Documents have the catalogue's versions (`external`): OpenSearch itself refuses what is older than what is
there, whoever sends it. What is not for sale any more leaves its version behind. The rows that the ranker
goes by are kept with the products, and in memory here once they have been asked for.

Calls wait (they run in threads), so that what finds and ranks is one code for both engines."""

import base64
import hashlib
import math
import re
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import httpx
import msgspec
import numpy as np
import structlog

from mercat import money
from mercat.events import Document, ProductChanged
from mercat.kit.refusals import Unavailable
from mercat.search.engine import Found, Order, Query
from mercat.search.engines import opensearch_dsl as dsl
from mercat.search.engines import tantivy as index
from mercat.search.engines.tantivy import SETTING_UP, Broken
from mercat.search.facets import attributes as traits
from mercat.search.messages import LIMIT_MAX
from mercat.search.product_rows import ROW, Rows, rows
from mercat.search.query import analyze as text

log = structlog.get_logger("mercat.search")
WINDOW = 1_200_000
"""How far a list by relevance can be walked."""
FRESH_S = 0.2
_CHUNK_BYTES = 5_000_000
_CHUNK = 1_000
_ROWS_MAX = 50_000
_TERMS_MAX = 1_000
_TANTIVYS = 2.2
"""Lucene leaves the factor k1 + 1 out of BM25."""
_KEPT = ["product_id", "version", "row", "in_stock"]
_CALL_S, _WRITE_S = 5.0, 60.0

_KEYWORD = {"type": "keyword", "ignore_above": 8_000}
_SORTED = {"type": "unsigned_long", "index": False}
_SHOWN = {"type": "keyword", "index": False, "doc_values": False, "store": True}
_STEMS = {"type": "text", "analyzer": "whitespace"}
_BEGUN = {"type": "text", "analyzer": "beginnings", "index_options": "docs", "norms": False}
MAPPING: dict[str, Any] = {
    "dynamic": "strict",
    "_source": {"excludes": ["stems", "card", "facts"]},
    "properties": {
        # for everybody
        "title": {"type": "text", "analyzer": "english"},
        "description": {"type": "text", "analyzer": "english"},
        "category": _KEYWORD,
        "brand": _KEYWORD,
        "tags": _KEYWORD,
        "seller_id": {"type": "keyword"},
        "price": {"type": "float"},
        "rating": {"type": "float"},
        "in_stock": {"type": "boolean"},
        "created_at": {"type": "date"},
        # what the shop searches: stemmed here, for two stemmers never agree about all words
        "stems": {
            "properties": {
                "title": {**_STEMS, "index_options": "positions"},
                "said": {**_STEMS, "index_options": "freqs"},
                "everything": {**_STEMS, "index_options": "docs", "norms": False},
            }
        },
        "words": {**_KEYWORD, "fields": {"begun": _BEGUN}},
        "completions": _KEYWORD,
        # what is filtered, counted and sorted by
        "external_id": _KEYWORD,
        "maker": _KEYWORD,
        "aisle": _KEYWORD,
        "shelf": _KEYWORD,
        "price_minor": {"type": "long"},
        "for_sale": {"type": "boolean"},
        traits.FIELD: _KEYWORD,
        traits.NAMES: _KEYWORD,
        traits.SAMPLE: {"type": "boolean"},
        "by_price": _SORTED,
        "by_rating": _SORTED,
        "by_age": _SORTED,
        "worth": {"type": "float", "index": False},
        # who it is, what is shown, what it is ranked by
        "product_id": {"type": "long"},
        "version": {"type": "long"},
        "row": {"type": "long"},
        "facts": {"type": "binary", "store": True},
        "card": _SHOWN,
    },
}
SETTINGS: dict[str, Any] = {
    "number_of_shards": 1,
    "auto_expand_replicas": "0-1",
    "max_result_window": WINDOW,
    "similarity": {"default": {"type": "BM25", "k1": 1.2, "b": 0.75}},
    "analysis": {
        "filter": {"begins": {"type": "edge_ngram", "min_gram": 1, "max_gram": 20}},
        "analyzer": {"beginnings": {"type": "custom", "tokenizer": "keyword", "filter": ["begins"]}},
    },
}
Thing = TypeVar("Thing")
FORM = f"{zlib.crc32(repr((MAPPING, SETTINGS, ROW.descr)).encode()):08x}"


class Missing(Exception):
    """There is no such index."""


class Http:
    """OpenSearch's doors, with one more try where a connection was cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
        auth = httpx.BasicAuth(parts.username, parts.password or "") if parts.username else None
        self._client = httpx.Client(
            base_url=bare,
            auth=auth,
            timeout=httpx.Timeout(_CALL_S, connect=2),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=32),
        )

    def ask(self, method: str, path: str, body: Any = None, wait_s: float = _CALL_S) -> Any:
        if body is None:
            return self._send(method, path, None, "application/json", wait_s)
        return self._send(method, path, msgspec.json.encode(body), "application/json", wait_s)

    def send_lines(self, path: str, lines: Iterable[bytes], wait_s: float = _WRITE_S) -> Any:
        return self._send("POST", path, b"\n".join(lines) + b"\n", "application/x-ndjson", wait_s)

    def _send(self, method: str, path: str, content: bytes | None, kind: str, wait_s: float) -> Any:
        for last in (False, True):
            try:
                answer = self._client.request(
                    method,
                    path,
                    content=content,
                    headers={"content-type": kind},
                    timeout=httpx.Timeout(wait_s, connect=2),
                )
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                if last:
                    raise Broken(f"OpenSearch: {error!r}") from error
            except httpx.HTTPError as error:
                raise Broken(f"OpenSearch: {error!r}") from error
            else:
                if answer.status_code == 404:
                    raise Missing
                if answer.status_code >= 400:
                    raise Broken(f"OpenSearch answers {answer.status_code}: {answer.text[:500]}")
                return msgspec.json.decode(answer.content) if answer.content else None
        raise AssertionError

    def close(self) -> None:
        self._client.close()


class OpenSearch:
    """The indexes of one shop, by a name that no other has there."""

    far = True

    def __init__(self, url: str, name: str = "mercat") -> None:
        self.http = Http(url)
        self.name, self.alias = name, f"{name}-{FORM}"

    def reader(self) -> "Reader":
        return Reader(self)

    def writer(self, path: str, *, create: bool = False) -> "Writer":
        if create:
            body = {"settings": SETTINGS, "mappings": MAPPING}
            self.http.ask("PUT", f"/{path}", body, _WRITE_S)
        return Writer(self, path)

    def current(self) -> str | None:
        try:
            return next(iter(self.http.ask("GET", f"/_alias/{self.alias}")), None)
        except Missing:
            return None

    def there(self) -> bool:
        return self.current() is not None

    def sound(self) -> bool:
        """Whether every shard of it answers. What is on disk OpenSearch checks itself."""
        try:
            answer = self.http.ask("GET", f"/{self.alias}/_count")
        except (Missing, Broken) as error:
            log.error("the index is broken", index=self.alias, reason=str(error)[:300])
            return False
        return not answer["_shards"]["failed"]

    def beside(self) -> str:
        for path, aliases in self._ours():
            if not aliases:
                self.http.ask("DELETE", f"/{path}", wait_s=_WRITE_S)
        return f"{self.alias}-{time.time_ns()}"

    def use(self, path: str) -> None:
        actions = [{"remove_index": {"index": each}} for each, _ in self._ours() if each != path]
        actions += [{"add": {"index": path, "alias": alias}} for alias in (self.name, self.alias)]
        self.http.ask("POST", "/_aliases", {"actions": actions}, _WRITE_S)

    def _ours(self) -> list[tuple[str, list[str]]]:
        """This shop's indexes with their aliases; not `mercat-two-0a1b2c3d-17…`, which is another shop's."""
        found = self.http.ask("GET", f"/{self.name}-*/_alias")
        own = re.compile(rf"{re.escape(self.name)}-[0-9a-f]{{8}}-\d+")
        return [(path, list(about["aliases"])) for path, about in found.items() if own.fullmatch(path)]

    def ask(self, what: str, body: dict[str, Any] | list[bytes]) -> Any:
        """Of the index in use. Refuses with `Unavailable` where there is none."""
        try:
            if isinstance(body, list):
                return self.http.send_lines(f"/{self.alias}/{what}", body, _CALL_S)
            return self.http.ask("POST", f"/{self.alias}/{what}", body)
        except Missing:
            raise Unavailable(SETTING_UP) from None

    def drop(self) -> None:
        """Gives the index up: the process that writes builds it anew."""
        path = self.current()
        if path:
            taken = {"remove": {"index": path, "alias": self.alias}}
            self.http.ask("POST", "/_aliases", {"actions": [taken]}, _WRITE_S)


class Reader:
    def __init__(self, place: OpenSearch) -> None:
        self.pages = Pages(place)
        self._place = place
        self._counted: dict[str, Any] = {}
        self._fresh_until = 0.0

    @property
    def counted(self) -> dict[str, Any]:
        now = time.monotonic()
        if now >= self._fresh_until:
            self._counted, self._fresh_until = {}, now + FRESH_S
        return self._counted

    def searcher(self) -> "Searcher":
        return Searcher(self._place, self.counted)

    def look_again(self) -> None:
        self._fresh_until = 0.0


class Pages:
    """Rows of facts by number. A row never changes: its number is made of the product and of what it says."""

    def __init__(self, place: OpenSearch) -> None:
        self._place = place
        self._known: dict[int, bytes] = {}

    def read(self, numbers: list[int]) -> Rows:
        known = self._known
        missing = [number for number in numbers if number not in known]
        if missing:
            if len(known) + len(missing) > _ROWS_MAX:
                known = self._known = {number: known[number] for number in numbers if number in known}
            known.update(self._fetched(missing))
        nothing = bytes(ROW.itemsize)
        made = bytearray().join(known.get(number, nothing) for number in numbers)
        return np.frombuffer(made, ROW)

    def _fetched(self, numbers: list[int]) -> Iterator[tuple[int, bytes]]:
        for some in _by(_CHUNK, numbers):
            body = {
                "size": len(some),
                "query": {"constant_score": {"filter": {"terms": {"row": some}}}},
                "stored_fields": ["facts"],
                "docvalue_fields": ["row"],
                "track_total_hits": False,
            }
            for hit in _search(self._place, body)["hits"]["hits"]:
                fields = hit["fields"]
                yield fields["row"][0], base64.b64decode(fields["facts"][0])


def _by(count: int, things: Sequence[Thing]) -> Iterator[Sequence[Thing]]:
    return (things[start : start + count] for start in range(0, len(things), count))


def _search(place: OpenSearch, body: dict[str, Any]) -> Any:
    answer = place.ask("_search", body)
    if answer["timed_out"] or answer["_shards"]["failed"]:
        raise Broken("OpenSearch answered with a part of the index")
    return answer


@dataclass(slots=True, eq=False)
class Hit:
    product_id: int
    values: dict[str, Any]
    card: bytes | None
    """Nothing where it has not been fetched."""


class Searcher:
    """What stands in OpenSearch. `counted` is kept for a moment, so that what was asked once is known."""

    def __init__(self, place: OpenSearch, counted: dict[str, Any]) -> None:
        self._place = place
        self._held: dict[tuple[str, str], int] = counted.setdefault("held", {})

    @property
    def num_docs(self) -> int:
        return self.doc_freqs([("", "")])[0]

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
        asked = dsl.clause(query)
        if weight_by_field:
            by = {"field": "worth", "missing": 1}
            asked = {"function_score": {"query": asked, "field_value_factor": by, "boost_mode": "multiply"}}
        down = "desc" if order == Order.Desc else "asc"
        size = min(limit, max(WINDOW - offset, 0))
        body: dict[str, Any] = {
            "query": asked,
            "size": size,
            "from": offset if size else 0,
            "sort": [{order_by_field or "_score": down}, {"product_id": "asc"}],
            "docvalue_fields": _KEPT,
            "stored_fields": ["card"] if limit <= LIMIT_MAX + 1 else "_none_",
            "track_total_hits": count,
        }
        if after:
            body["search_after"] = [after[0], max(after[1], default=-1)]
        found = _search(self._place, body)["hits"]
        factor = 1 if order_by_field else _TANTIVYS
        hits = [(hit["sort"][0] * factor, _hit(hit)) for hit in found["hits"]]
        return Found(hits, found["total"]["value"] if count else None)

    def count(self, query: Query) -> int:
        body = {
            "query": {"constant_score": {"filter": dsl.clause(query)}},
            "size": 0,
            "track_total_hits": True,
        }
        return _search(self._place, body)["hits"]["total"]["value"]

    def aggregate(self, query: Query, agg: dict[str, Any]) -> dict[str, Any]:
        body = {
            "query": {"constant_score": {"filter": dsl.clause(query)}},
            "size": 0,
            "track_total_hits": False,
            "aggs": dsl.aggregations(agg),
        }
        return dsl.answered(agg, _search(self._place, body)["aggregations"])

    def fast_field_values(self, field_name: str, doc_addresses: Sequence[Hit]) -> list[Any]:
        return [hit.values.get(field_name) for hit in doc_addresses]

    def doc_freq(self, field_name: str, field_value: Any) -> int:
        return self.doc_freqs([(field_name, field_value)])[0]

    def doc_freqs(self, terms: Sequence[tuple[str, Any]]) -> list[int]:
        held = self._held
        missing = [term for term in dict.fromkeys(terms) if term not in held]
        if missing:
            lines: list[bytes] = []
            for name, value in missing:
                asked = dsl.clause(Query("term", name, value) if name else Query("all"))
                lines += [b"{}", msgspec.json.encode({"query": asked, "size": 0, "track_total_hits": True})]
            answers = self._several(lines)
            held.update(zip(missing, (each["hits"]["total"]["value"] for each in answers), strict=True))
        return [held[term] for term in terms]

    def _several(self, lines: list[bytes]) -> list[Any]:
        answers = self._place.ask("_msearch", lines)["responses"]
        if any(each["status"] == 404 for each in answers):
            raise Unavailable(SETTING_UP)
        if any(each["status"] >= 400 for each in answers):
            raise Broken("OpenSearch could not answer all of several questions")
        return answers

    def terms_with_prefix(
        self, field_name: str, prefix: str, filter_query: Query | None = None, limit: int | None = None
    ) -> list[tuple[str, int]]:
        needed: list[Any] = [{"prefix": {field_name: {"value": prefix}}}]
        needed += [dsl.clause(filter_query)] if filter_query else []
        size = limit or _TERMS_MAX
        terms = {"field": field_name, "include": dsl.starting(prefix), "size": size}
        body = {
            "query": {"bool": {"filter": needed}},
            "size": 0,
            "track_total_hits": False,
            "aggs": {"begun": {"terms": terms}},
        }
        buckets = _search(self._place, body)["aggregations"]["begun"]["buckets"]
        return [(bucket["key"], bucket["doc_count"]) for bucket in buckets]

    def cards(self, doc_addresses: Sequence[Hit]) -> list[bytes]:
        missing = [hit for hit in doc_addresses if hit.card is None]
        for some in _by(_CHUNK, missing):
            body = {"ids": [str(hit.product_id) for hit in some]}
            answer = self._place.ask("_mget?realtime=false&stored_fields=card", body)
            for hit, found in zip(some, answer["docs"], strict=True):
                hit.card = found.get("fields", {}).get("card", [""])[0].encode()
        return [hit.card or b"" for hit in doc_addresses]


def _hit(hit: dict[str, Any]) -> Hit:
    fields = cast(dict[str, list[Any]], hit["fields"])
    values = {name: fields[name][0] for name in _KEPT if name in fields}
    card = fields.get("card")
    return Hit(values["product_id"], values, card[0].encode() if card else None)


class Writer:
    """Sends what is told, by its versions."""

    def __init__(self, place: OpenSearch, path: str) -> None:
        self.place, self.path = place, path
        self._http = place.http
        self._unseen = False

    def apply(self, changes: Sequence[ProductChanged]) -> int:
        written = self._send(changes)
        self.rest()
        return written

    def fill(self, changes: Sequence[ProductChanged]) -> int:
        return self._send(changes)

    def rest(self) -> None:
        """Lets readers see what was sent."""
        if self._unseen:
            try:
                self._http.ask("POST", f"/{self.path}/_refresh", wait_s=_WRITE_S)
            except Missing as error:
                raise Broken("the index is gone") from error
            self._unseen = False

    def _send(self, changes: Sequence[ProductChanged]) -> int:
        newest: dict[int, ProductChanged] = {}
        for change in changes:
            known = newest.get(change.product_id)
            if known is None or change.version > known.version:
                newest[int(change.product_id)] = change
        written = 0
        for lines in _chunks(list(newest.values())):
            self._unseen = True
            try:
                answer = self._http.send_lines(f"/{self.path}/_bulk", lines)
            except Missing as error:
                raise Broken("the index is gone") from error
            written += _taken(answer["items"])
        return written


def _taken(items: list[dict[str, Any]]) -> int:
    """How many were written. What is older than what is there is refused, and rightly."""
    written = 0
    for item in items:
        answer = item["index"]
        if answer["status"] < 300:
            written += 1
        elif answer["status"] == 429 or answer["status"] >= 500:
            raise Broken(f"OpenSearch could not write: {answer['error']}"[:500])
        elif answer["status"] != 409:
            log.error(
                "OpenSearch refuses a product", product=answer["_id"], reason=str(answer["error"])[:500]
            )
    return written


def _chunks(changes: Sequence[ProductChanged]) -> Iterator[list[bytes]]:
    """Lines of one request each: as many products as are wise to send at once."""
    lines: list[bytes] = []
    size = 0
    for some in _by(_CHUNK, changes):
        there = [(each, list(index.details_of(each.document))) for each in some if each.document]
        made = rows([(cast(Document, each.document), details) for each, details in there])
        kept = {each.product_id: (row, details) for (each, details), row in zip(there, made, strict=True)}
        for change in some:
            what = {"_id": str(int(change.product_id)), "version": change.version}
            said = msgspec.json.encode(_entry(change, *kept.get(change.product_id, (b"", []))))
            lines += [msgspec.json.encode({"index": {**what, "version_type": "external"}}), said]
            size += len(said)
            if size > _CHUNK_BYTES:
                yield lines
                lines, size = [], 0
    if lines:
        yield lines


def _entry(change: ProductChanged, row: bytes, details: list[str]) -> dict[str, Any]:
    product, product_id = change.document, int(change.product_id)
    bare = {"product_id": product_id, "version": change.version, "for_sale": product is not None}
    if product is None:
        return bare
    found = traits.of(product)
    words = text.plain(f"{product.title} {product.brand or ''}")
    prose = product.description[: index.PROSE_LETTERS_MAX]
    return {
        **bare,
        "title": product.title,
        "description": prose,
        "stems": _stems(product, prose, details),
        "category": list({product.category, *product.categories}),
        "brand": product.brand,
        "tags": product.tags,
        "seller_id": str(int(product.seller_id)),
        "price": money.shown(product.price, product.currency),
        "rating": float(product.rating),
        "in_stock": product.in_stock,
        "created_at": product.created_at,
        "words": list(dict.fromkeys(words)),
        "completions": list(index.completions_of(product)),
        "external_id": product.external_id,
        "maker": product.brand or index.NOBODY,
        "aisle": index.aisle(product),
        "shelf": index.shelf(product),
        "price_minor": product.price,
        traits.FIELD: [
            f"{traits.key(name)}{dsl.TRAIT_SPLIT}{value}"
            for name, values in found.items()
            for value in values
        ],
        traits.NAMES: list(found),
        traits.SAMPLE: traits.in_sample(product),
        "by_price": index.by_price(product),
        "by_rating": index.by_rating(product),
        "by_age": index.by_age(product),
        "worth": math.log2(2 + index.prior_of(product)),
        "row": _number(product_id, row),
        "facts": row,
        "card": index.card_of(product).decode(),
    }


def _stems(product: Document, prose: str, details: list[str]) -> dict[str, str]:
    """The words of each field as the index has them."""
    title = text.stems(product.title)
    said = text.stems("\n".join([prose, product.brand or "", *product.tags, *product.category_names]))
    found = {
        "title": title,
        "said": title * index.TITLE_SAID + said,
        "everything": title + said + text.stems("\n".join(details)),
    }
    return {name: " ".join(stems) for name, stems in found.items()}


def _number(product_id: int, row: bytes) -> int:
    said = product_id.to_bytes(8, "little") + row
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "little") >> 1
