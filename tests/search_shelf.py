"""Products for search's tests, and an index to put them in."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mercat.events import Document, ProductChanged
from mercat.ids import OfferId, ProductId, SellerId
from mercat.search.engine import Place, Writer
from mercat.search.engines import tantivy as embedded
from mercat.search.engines.tantivy import SCHEMA, Folder
from mercat.search.engines.tantivy_searcher import Embedded
from mercat.search.execute import Finding
from mercat.search.product_rows import Pages


def product(number: int, title: str = "Tea", version: int = 1, **more: Any) -> ProductChanged:
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
    document = Document(product_id=ProductId(number), title=title, **given)
    return ProductChanged(product_id=ProductId(number), version=version, document=document)


def gone(number: int, version: int) -> ProductChanged:
    return ProductChanged(product_id=ProductId(number), version=version)


def put(where: Path | Place, changes: Sequence[ProductChanged]) -> Writer:
    """A new index with these products, in use."""
    place = Folder(where) if isinstance(where, Path) else where
    writer = place.writer(place.beside(), create=True)
    writer.apply(changes)
    place.use(writer.path)
    return writer


def finding(writer: Writer) -> Finding:
    """Asks what the writer has written, without a judge."""
    if isinstance(writer, embedded.Writer):
        return Finding(Embedded(writer._index.searcher(), SCHEMA), pages=Pages(writer.path))
    reader = writer.place.reader()
    return Finding(reader.searcher(), pages=reader.pages)


async def batches(*changes: Sequence[ProductChanged]) -> AsyncIterator[Sequence[ProductChanged]]:
    for batch in changes:
        yield batch
