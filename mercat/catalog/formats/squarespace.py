"""Squarespace's product CSV: a row for each variant, of which only the first names the product."""

from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import Columns, Format, RowKeys, choices
from mercat.catalog.messages import EXTERNAL_ID_MAX, ImportRow, ImportVariant

_OPTIONS = 6


def read(row: Columns) -> ImportRow:
    """Read a product; the sale price counts where it is on sale, and `Unlimited` stock is no number."""
    currency = row.currency()

    def variant(each: Columns) -> ImportVariant:
        options = [
            (row.text(f"option_name_{n}") or each.text(f"option_name_{n}"), each.text(f"option_value_{n}"))
            for n in range(1, _OPTIONS + 1)
        ]
        on_sale = each.yes("on_sale", default=False)
        unlimited = each.text("stock").casefold() == "unlimited"
        return ImportVariant(
            each.decimal("sale_price" if on_sale else "price", currency),
            None if unlimited else each.quantity("stock"),
            each.option_pairs(options),
            each.text("sku", EXTERNAL_ID_MAX),
        )

    variants = row.variants(variant)
    path = row.text("categories").split(",")[0].strip("/ ")
    return ImportRow(
        external_id=row.external_id(_product_id(row.raw)),
        title=row.title(),
        description=row.description(),
        category_path=row.category_path(
            "categories", [name.replace("-", " ").capitalize() for name in path.split("/") if name]
        ),
        currency=currency,
        status="active" if row.yes("visible") else "draft",
        tags=row.tags(),
        options=choices(variants),
        variants=variants,
        images=row.all_images("hosted_image_urls"),
    )


def _product_id(raw: Mapping[str, Any]) -> str:
    names = [name for name in raw if name.startswith("product_id")] + ["product_url", "sku"]
    return next((name for name in names if raw.get(name)), names[0])


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    return RowKeys(str(raw.get(_product_id(raw)) or "") if raw.get("title") else "")


FORMAT = Format(
    "Squarespace products",
    lambda raw: "hosted_image_urls" in raw or "product_id_non_editable" in raw,
    read,
    _keys,
)
