"""What lies on the shelves, as a file that can be changed and sent back: it names goods as an import does."""

from collections.abc import AsyncIterator
from typing import Any

from mercat.ids import SellerId
from mercat.shop import Shop
from mercat.web.exported.products import name_of, sku_of, taken_out
from mercat.web.table_query import csv_lines

_START, _END = ["external_id", "sku"], ["product", "status", "quantity", "held", "available", "low_mark"]


async def table(shop: Shop, seller_id: SellerId | None) -> AsyncIterator[bytes]:
    """Write every shelf as CSV, with a column for each option."""
    names = (await shop.catalog.exported_names(seller_id)).options
    start = ["seller", *_START] if seller_id is None else _START
    rows = (
        [
            *(each[name] for name in start),
            *(each["options"].get(name, "") for name in names),
            *(each[name] for name in _END),
        ]
        async for each in objects(shop, seller_id)
    )
    async for lines in csv_lines([*start, *(f"option.{name}" for name in names), *_END], rows):
        yield lines


async def objects(shop: Shop, seller_id: SellerId | None) -> AsyncIterator[dict[str, Any]]:
    """Yield every shelf: how many lie there, and how many of them can be sold."""
    async for product, units in taken_out(shop, seller_id):
        shelves = await shop.inventory.stock([*units])
        seller: dict[str, Any] = {"seller": product.seller_name} if seller_id is None else {}
        for variant in product.variants:
            shelf = shelves.get(variant.offer_id)
            yield seller | {
                "external_id": name_of(product),
                "sku": sku_of(variant),
                "product": product.title,
                "options": variant.options,
                "status": variant.status,
                "quantity": shelf.on_hand if shelf else 0,
                "held": shelf.reserved if shelf else 0,
                "available": shelf.available if shelf else 0,
                "low_mark": shelf.low_mark if shelf else 0,
            }
