"""OpenCart's products, as its Export/Import extension writes them: `product_id`, `name(en-gb)`, `model`."""

import html
from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import Columns, Format
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, ImportRow, ImportVariant

_HTML_MAX = 200_000


def read(row: Columns) -> ImportRow:
    """Read a product in the first language that has its name. Categories that are numbers are left out."""
    currency = row.currency()
    category = row.paths("categories", ",")
    return ImportRow(
        external_id=row.external_id("product_id"),
        title=row.title(_translated(row, "name")),
        description=_description(row),
        brand=row.text("manufacturer", BRAND_MAX) or None,
        category_path=[] if all(name.isdigit() for name in category) else category,
        currency=currency,
        status=row.status(),
        tags=row.tags(_translated(row, "tags")),
        variants=[
            ImportVariant(
                row.decimal("price", currency),
                row.quantity(),
                sku=row.text(row.first("sku", "model"), EXTERNAL_ID_MAX),
                gtin=row.gtin(row.first("ean", "upc", "jan", "isbn")),
                weight_g=row.weight("weight", row.text("weight_unit")),
            )
        ],
        images=row.images(row.first("image_name", "image"), "additional_images"),
        former_paths=row.former(
            f"/index.php?route=product/product&product_id={row.text('product_id')}",
            row.text(row.first("seo_keyword", _translated(row, "seo_keyword"))),
        ),
        **row.seo(_translated(row, "meta_title"), _translated(row, "meta_description")),
    )


def _description(row: Columns) -> str:
    """Read a description, which OpenCart keeps as HTML whose signs are written as entities."""
    text = row.text(_translated(row, "description"), _HTML_MAX)
    return Columns({"description": html.unescape(text)}).description()


def _translated(row: Columns, name: str) -> str:
    names = [each for each in row.raw if each == name or each.startswith(f"{name}_")]
    return row.first(*names) if names else name


def _knows(raw: Mapping[str, Any]) -> bool:
    named = any(name == "name" or name.startswith("name_") for name in raw)
    return "product_id" in raw and "model" in raw and named


FORMAT = Format("OpenCart products", _knows, read)
