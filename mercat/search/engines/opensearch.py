"""OpenSearch, over HTTP: an index that many machines share, instead of a folder.

    <name>                   an alias of the index in use, moved in one step: nobody sees half an index
    <name>-<form>            the same for processes of that form, which is that of `product_entry.py`
    <name>-<form>-<number>   one index

Documents have the catalogue's versions (`external`): OpenSearch itself refuses what is older than what is
there, whoever sends it. What is no longer for sale leaves its version behind. The ranker's rows are stored
with the products, and cached here once they have been read.

Calls block (they run in threads), so that what finds and ranks is one code for both engines."""

import hashlib
import math
import random
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

import httpx
import msgspec
import structlog

from mercat import money
from mercat.events import Document, ProductChanged
from mercat.kit.refusals import Unavailable
from mercat.search import product_entry
from mercat.search.engine import SETTING_UP, BrokenIndex, newest_changes
from mercat.search.engines import opensearch_dsl as dsl
from mercat.search.engines.nodes import nodes_in
from mercat.search.engines.opensearch_searcher import (
    CHUNK,
    RESULT_WINDOW,
    OpenSearchRows,
    OpenSearchSearcher,
    chunks,
)
from mercat.search.facets import attributes
from mercat.search.facets.ranges import price_rating_bucket
from mercat.search.product_rows import make_rows
from mercat.search.query import analyze, codes, mentions

log = structlog.get_logger("mercat.search")
_MEMO_TTL_S = 0.2
_CHUNK_BYTES = 5_000_000
_CALL_S, _WRITE_S = 5.0, 60.0
_WORD_LETTERS_MAX = 8_000
_CUT = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
_NOT_THERE = (httpx.ConnectError, httpx.ConnectTimeout)

_KEYWORD = {"type": "keyword", "ignore_above": 8_000}
_SORT_KEY = {"type": "unsigned_long", "index": False}
_STORED_ONLY = {"type": "keyword", "index": False, "doc_values": False, "store": True}
_STEMS = {"type": "text", "analyzer": "words"}
_PREFIXES = {"type": "text", "analyzer": "prefixes", "index_options": "docs", "norms": False}
MAPPING: dict[str, Any] = {
    "dynamic": "strict",
    "_source": {"excludes": ["stems", "card", "ranking_row"]},
    "properties": {
        # the published fields
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
        # searched: stemmed here, for two stemmers never agree about all words
        "stems": {
            "properties": {
                "title": {**_STEMS, "index_options": "positions"},
                "main_text": {**_STEMS, "index_options": "freqs"},
                "all_text": {**_STEMS, "index_options": "docs", "norms": False},
                mentions.NAMED: {**_STEMS, "index_options": "docs", "norms": False},
            }
        },
        "plain_words": {**_KEYWORD, "fields": {"prefixes": _PREFIXES}},
        "completions": _KEYWORD,
        mentions.THINGS: _KEYWORD,
        # filtered, counted and sorted by
        codes.FIELD: _KEYWORD,
        "brand_facet": _KEYWORD,
        "category_path": _KEYWORD,
        "price_rating_bucket": _KEYWORD,
        "price_minor": {"type": "long"},
        "for_sale": {"type": "boolean"},
        attributes.FIELD: _KEYWORD,
        attributes.NAMES: _KEYWORD,
        attributes.SAMPLE: {"type": "boolean"},
        "by_price": _SORT_KEY,
        "by_rating": _SORT_KEY,
        "by_standing": _SORT_KEY,
        "by_age": _SORT_KEY,
        "static_boost": {"type": "float", "index": False},
        # identity, the row of the ranker, the card
        "product_id": {"type": "long"},
        "version": {"type": "long"},
        "row": {"type": "long"},
        "ranking_row": {"type": "binary", "store": True},
        "card": _STORED_ONLY,
    },
}
SETTINGS: dict[str, Any] = {
    "max_result_window": RESULT_WINDOW,
    "similarity": {"default": {"type": "BM25", "k1": 1.2, "b": 0.75}},
    "analysis": {
        "tokenizer": {"words": {"type": "whitespace", "max_token_length": 10_000}},
        "filter": {"edge_ngrams": {"type": "edge_ngram", "min_gram": 1, "max_gram": 20}},
        "analyzer": {
            "words": {"type": "custom", "tokenizer": "words"},
            "prefixes": {"type": "custom", "tokenizer": "keyword", "filter": ["edge_ngrams"]},
        },
    },
}


def layout_of(shards: int = 1, replicas: int = -1) -> dict[str, Any]:
    """Say how a new index is laid out over machines; -1 replicas: one, where there is a second machine."""
    copies = {"auto_expand_replicas": "0-1"} if replicas < 0 else {"number_of_replicas": replicas}
    return {"number_of_shards": shards, **copies}


FORM = product_entry.index_form((MAPPING, layout_of() | SETTINGS))
"""Of documents: how an index is laid out does not change it, and who changes that rebuilds when they like."""


class NoSuchIndex(BrokenIndex):
    """There is no such index."""


class OpenSearchClient:
    """Calls OpenSearch over HTTP, once more where a connection was cut, at another node where one is gone.

    Each process begins with a node by chance and stays there until it fails. A node that hangs fails who
    asked it, and nobody after."""

    def __init__(self, urls: str) -> None:
        """`urls`: of one node or, with commas, of several. Who asks is known from the first for all."""
        self._nodes, auth = nodes_in(urls)
        self._at = random.randrange(len(self._nodes))
        self._client = httpx.Client(
            auth=auth,
            timeout=httpx.Timeout(_CALL_S, connect=2),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=32),
        )

    def ask(self, method: str, path: str, body: Any = None, wait_s: float = _CALL_S) -> Any:
        """Send a JSON body and return the answer. Refuses with `NoSuchIndex`, `BrokenIndex`."""
        if body is None:
            return self._send(method, path, None, "application/json", wait_s)
        return self._send(method, path, msgspec.json.encode(body), "application/json", wait_s)

    def send_lines(self, path: str, lines: Iterable[bytes], wait_s: float = _WRITE_S) -> Any:
        """Send a body of JSON lines and return the answer."""
        return self._send("POST", path, b"\n".join(lines) + b"\n", "application/x-ndjson", wait_s)

    def _send(self, method: str, path: str, content: bytes | None, kind: str, wait_s: float) -> Any:
        several = len(self._nodes) > 1
        for left in reversed(range(max(2, len(self._nodes)))):
            at = self._at
            try:
                answer = self._client.request(
                    method,
                    f"{self._nodes[at]}{path}",
                    content=content,
                    headers={"content-type": kind},
                    timeout=httpx.Timeout(wait_s, connect=2),
                )
            except httpx.HTTPError as error:
                self._leave(at)
                if not left or not isinstance(error, _CUT + _NOT_THERE if several else _CUT):
                    raise BrokenIndex(f"OpenSearch: {error!r}") from error
            else:
                if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE and several and left:
                    self._leave(at)
                    continue
                if answer.status_code == 404:
                    raise NoSuchIndex
                if answer.status_code >= 400:
                    raise BrokenIndex(f"OpenSearch answers {answer.status_code}: {answer.text[:500]}")
                return msgspec.json.decode(answer.content) if answer.content else None
        raise AssertionError

    def _leave(self, node: int) -> None:
        """Go on with the next node, unless another thread has gone on already."""
        if self._at == node:
            self._at = (node + 1) % len(self._nodes)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class OpenSearchStore:
    """The indexes of one shop, under a name that no other shop has there: an `IndexStore`."""

    remote = True

    def __init__(self, url: str, name: str = "mercat", layout: Mapping[str, Any] | None = None) -> None:
        """`layout`: of indexes that are made from now on (`layout_of`)."""
        self.http = OpenSearchClient(url)
        self._layout = layout or layout_of()
        self.name, self.alias = name, f"{name}-{FORM}"

    def reader(self) -> "OpenSearchReader":
        return OpenSearchReader(self)

    def writer(self, path: str, *, create: bool = False) -> "OpenSearchWriter":
        if create:
            body = {"settings": {**SETTINGS, **self._layout}, "mappings": MAPPING}
            self.http.ask("PUT", f"/{path}", body, _WRITE_S)
        return OpenSearchWriter(self, path)

    def current(self) -> str | None:
        try:
            return next(iter(self.http.ask("GET", f"/_alias/{self.alias}")), None)
        except NoSuchIndex:
            return None

    def exists(self) -> bool:
        return self.current() is not None

    def is_sound(self) -> bool:
        """Check that every shard answers. OpenSearch checks its files itself."""
        try:
            answer = self.http.ask("GET", f"/{self.alias}/_count")
        except (NoSuchIndex, BrokenIndex) as error:
            log.error("the index is broken", index=self.alias, reason=str(error)[:300])
            return False
        return not answer["_shards"]["failed"]

    def new_path(self) -> str:
        """Name the next index. Whatever else is there and not in use is deleted."""
        for path, aliases in self._ours():
            if not aliases:
                self.http.ask("DELETE", f"/{path}", wait_s=_WRITE_S)
        return f"{self.alias}-{time.time_ns()}"

    def use(self, path: str) -> None:
        """Move the aliases to an index and delete all others, in one step."""
        actions = [{"remove_index": {"index": each}} for each, _ in self._ours() if each != path]
        actions += [{"add": {"index": path, "alias": alias}} for alias in (self.name, self.alias)]
        self.http.ask("POST", "/_aliases", {"actions": actions}, _WRITE_S)

    def _ours(self) -> list[tuple[str, list[str]]]:
        """List this shop's indexes with their aliases; not `mercat-two-0a1b2c3d-17…`, which is another
        shop's."""
        found = self.http.ask("GET", f"/{self.name}-*/_alias")
        own = re.compile(rf"{re.escape(self.name)}-[0-9a-f]{{8}}-\d+")
        return [(path, list(about["aliases"])) for path, about in found.items() if own.fullmatch(path)]

    def ask(self, endpoint: str, body: dict[str, Any] | list[bytes]) -> Any:
        """Ask the index in use. Refuses with `Unavailable` where there is none."""
        try:
            if isinstance(body, list):
                return self.http.send_lines(f"/{self.alias}/{endpoint}", body, _CALL_S)
            return self.http.ask("POST", f"/{self.alias}/{endpoint}", body)
        except NoSuchIndex:
            raise Unavailable(SETTING_UP) from None

    def drop(self) -> None:
        """Take the index out of use: the process that writes builds it anew."""
        path = self.current()
        if path:
            taken = {"remove": {"index": path, "alias": self.alias}}
            self.http.ask("POST", "/_aliases", {"actions": [taken]}, _WRITE_S)


class OpenSearchReader:
    """The index in use: an `IndexReader`. What was counted is remembered for a fifth of a second."""

    def __init__(self, store: OpenSearchStore) -> None:
        self.rows = OpenSearchRows(store.ask)
        self._store = store
        self._memo: dict[str, Any] = {}
        self._memo_until = 0.0

    @property
    def memo(self) -> dict[str, Any]:
        now = time.monotonic()
        if now >= self._memo_until:
            self._memo, self._memo_until = {}, now + _MEMO_TTL_S
        return self._memo

    def searcher(self) -> OpenSearchSearcher:
        return OpenSearchSearcher(self._store.ask, self.memo)

    def look_again(self) -> None:
        self._memo_until = 0.0


class OpenSearchWriter:
    """Sends changes with their versions: an `IndexWriter`."""

    def __init__(self, store: OpenSearchStore, path: str) -> None:
        self.store, self.path = store, path
        self._http = store.http
        self._unrefreshed = False

    def apply(self, changes: Sequence[ProductChanged]) -> int:
        written = self._send(changes)
        self.rest()
        return written

    def fill(self, changes: Sequence[ProductChanged]) -> int:
        return self._send(changes)

    def rest(self) -> None:
        """Let readers see what was sent."""
        if self._unrefreshed:
            try:
                self._http.ask("POST", f"/{self.path}/_refresh", wait_s=_WRITE_S)
            except NoSuchIndex as error:
                raise BrokenIndex("the index is gone") from error
            self._unrefreshed = False

    def _send(self, changes: Sequence[ProductChanged]) -> int:
        written = 0
        for lines in _bulk_requests(list(newest_changes(changes).values())):
            self._unrefreshed = True
            try:
                answer = self._http.send_lines(f"/{self.path}/_bulk", lines)
            except NoSuchIndex as error:
                raise BrokenIndex("the index is gone") from error
            written += _count_written(answer["items"])
        return written


def _count_written(items: list[dict[str, Any]]) -> int:
    """Count what was written. What is older than what is there is refused, and rightly."""
    written = 0
    for item in items:
        answer = item["index"]
        if answer["status"] < 300:
            written += 1
        elif answer["status"] == 429 or answer["status"] >= 500:
            raise BrokenIndex(f"OpenSearch could not write: {answer['error']}"[:500])
        elif answer["status"] != 409:
            log.error(
                "OpenSearch refuses a product", product=answer["_id"], reason=str(answer["error"])[:500]
            )
    return written


def _bulk_requests(changes: Sequence[ProductChanged]) -> Iterator[list[bytes]]:
    """Yield the lines of one request each: as many products as are wise to send at once."""
    lines: list[bytes] = []
    size = 0
    for some in chunks(CHUNK, changes):
        for_sale = [
            (each, list(product_entry.attribute_words(each.document))) for each in some if each.document
        ]
        made = make_rows([(cast(Document, each.document), details) for each, details in for_sale])
        of_product = {
            each.product_id: (row, details) for (each, details), row in zip(for_sale, made, strict=True)
        }
        for change in some:
            action = {"_id": str(int(change.product_id)), "version": change.version}
            row, details = of_product.get(change.product_id, (b"", []))
            document = msgspec.json.encode(_document(change, row, details))
            lines += [msgspec.json.encode({"index": {**action, "version_type": "external"}}), document]
            size += len(document)
            if size > _CHUNK_BYTES:
                yield lines
                lines, size = [], 0
    if lines:
        yield lines


def _document(change: ProductChanged, row: bytes, details: list[str]) -> dict[str, Any]:
    product, product_id = change.document, int(change.product_id)
    identity = {"product_id": product_id, "version": change.version, "for_sale": product is not None}
    if product is None:
        return identity
    return {
        **identity,
        **_published(product),
        **_searched(product, details),
        codes.FIELD: codes.codes_of(product),
        "brand_facet": product.brand or product_entry.NO_BRAND,
        "category_path": product_entry.category_path(product),
        "price_rating_bucket": price_rating_bucket(product),
        "price_minor": product.price,
        "by_price": product_entry.price_key(product),
        "by_rating": product_entry.rating_key(product),
        "by_standing": product_entry.standing_key(product),
        "by_age": product_entry.age_key(product),
        "static_boost": math.log2(2 + product_entry.static_rank(product)),
        "row": _row_number(product_id, row),
        "ranking_row": row,
        "card": product_entry.card_json(product).decode(),
    }


def _published(product: Document) -> dict[str, Any]:
    """Return the fields that other programs read there; that contract has prices as decimals."""
    return {
        "title": product.title,
        "description": product.description[: product_entry.DESCRIPTION_LETTERS_MAX],
        "category": list({product.category, *product.categories}),
        "brand": product.brand,
        "tags": product.tags,
        "seller_id": str(int(product.seller_id)),
        "price": money.shown(product.price, product.currency),
        "rating": float(product.rating),
        "in_stock": product.in_stock,
        "created_at": product.created_at,
    }


def _searched(product: Document, details: list[str]) -> dict[str, Any]:
    """Return the words of each searched field as the index has them, and the attributes."""
    title = _stems(product.title)
    other = _stems("\n".join(product_entry.other_main_text(product)))
    stems = {
        "title": title,
        "main_text": title * product_entry.TITLE_TIMES + other,
        "all_text": title + other + _stems("\n".join(details)),
        mentions.NAMED: _stems(mentions.named_text(product)),
    }
    found = attributes.attributes_of(product)
    return {
        "stems": {name: " ".join(words) for name, words in stems.items()},
        "plain_words": list(
            dict.fromkeys(analyze.indexed_text(f"{product.title} {product.brand or ''}").split())
        ),
        mentions.THINGS: list(mentions.things_of(product)),
        "completions": list(product_entry.completions(product)),
        attributes.FIELD: [
            f"{attributes.path_part(name)}{dsl.ATTRIBUTE_SEPARATOR}{value}"
            for name, values in found.items()
            for value in values
        ],
        attributes.NAMES: list(found),
        attributes.SAMPLE: attributes.in_sample(product),
    }


def _stems(text: str) -> list[str]:
    """Stem the words of a text. Lucene refuses a product with a word of more than 32,766 bytes; no query has
    one so long."""
    return [stem[:_WORD_LETTERS_MAX] for stem in analyze.indexed_stems(text)]


def _row_number(product_id: int, row: bytes) -> int:
    content = product_id.to_bytes(8, "little") + row
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little") >> 1
