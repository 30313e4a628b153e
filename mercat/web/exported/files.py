"""Which files there are to take out, and how one is written piece by piece."""

from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

from mercat.ids import SellerId
from mercat.kit import codec
from mercat.kit.refusals import Invalid
from mercat.shop import Shop
from mercat.web.exported import orders, people, products, shopify, stock
from mercat.web.table_query import FILE_PAGE

CSV, JSON_LINES = "text/csv; charset=utf-8", "application/jsonl; charset=utf-8"
Write = Callable[[Shop, SellerId | None], AsyncIterator[bytes]]


class NoSuchExport(Invalid):
    """There is no such file to take out."""


class ExportFile(NamedTuple):
    """A file to take out: how its bytes come, for a seller or for the whole shop (None)."""

    media_type: str
    write: Write


def _json(objects: Callable[[Shop, SellerId | None], AsyncIterator[dict[str, Any]]]) -> ExportFile:
    async def write(shop: Shop, seller_id: SellerId | None) -> AsyncIterator[bytes]:
        waiting: list[bytes] = []
        async for each in objects(shop, seller_id):
            waiting.append(codec.encode(each) + b"\n")
            if len(waiting) >= FILE_PAGE:
                yield b"".join(waiting)
                waiting.clear()
        yield b"".join(waiting)

    return ExportFile(JSON_LINES, write)


FILES: dict[str, dict[str, ExportFile]] = {
    "products": {
        "csv": ExportFile(CSV, products.table),
        "jsonl": _json(products.objects),
        "shopify": ExportFile(CSV, shopify.table),
    },
    "orders": {"csv": ExportFile(CSV, orders.table), "jsonl": _json(orders.objects)},
    "people": {"csv": ExportFile(CSV, people.table), "jsonl": _json(people.objects)},
    "stock": {"csv": ExportFile(CSV, stock.table), "jsonl": _json(stock.objects)},
}
"""By noun and format."""


def export_of(noun: str, form: str) -> ExportFile:
    """Find a file by what it holds and its format; NoSuchExport says which there are."""
    files = FILES[noun]
    if form not in files:
        raise NoSuchExport(f"{noun.capitalize()} are written as: {', '.join(files)}.", pointer="/format")
    return files[form]
