"""Products for search's tests, and an index to put them in."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mercat.events import Document, ProductChanged
from mercat.ids import OfferId, ProductId, SellerId
from mercat.search.engine import IndexStore, IndexWriter
from mercat.search.engines import tantivy
from mercat.search.engines.opensearch import OpenSearchWriter
from mercat.search.engines.tantivy import TantivyStore, TantivyWriter
from mercat.search.execute import QueryExecutor
from mercat.search.product_rows import MappedRows


def document(number: int, title: str = "Tea", **more: Any) -> Document:
    given = {
        "offer_id": OfferId(number),
        "seller_id": SellerId(1),
        "seller_name": "Bob's",
        "description": "",
        "price": 1_000,
        "currency": "USD",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "in_stock": True,
        **more,
    }
    return Document(product_id=ProductId(number), title=title, **given)


def product(number: int, title: str = "Tea", version: int = 1, **more: Any) -> ProductChanged:
    shown = document(number, title, **more)
    return ProductChanged(product_id=ProductId(number), version=version, document=shown)


def gone(number: int, version: int) -> ProductChanged:
    return ProductChanged(product_id=ProductId(number), version=version)


def put(where: Path | IndexStore, changes: Sequence[ProductChanged]) -> IndexWriter:
    """A new index with these products, in use."""
    place = TantivyStore(where) if isinstance(where, Path) else where
    writer = place.writer(place.new_path(), create=True)
    writer.apply(changes)
    place.use(writer.path)
    return writer


def executor(writer: IndexWriter, currency: str = "USD") -> QueryExecutor:
    """Ask what the writer has written, without a reranker."""
    if isinstance(writer, OpenSearchWriter):
        reader = writer.store.reader()
        return QueryExecutor(reader.searcher(), rows=reader.rows, currency=currency)
    assert isinstance(writer, TantivyWriter)
    return QueryExecutor(tantivy._searcher(writer._index), rows=MappedRows(writer.path), currency=currency)


async def batches(*changes: Sequence[ProductChanged]) -> AsyncIterator[Sequence[ProductChanged]]:
    for batch in changes:
        yield batch
