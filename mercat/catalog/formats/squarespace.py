"""Squarespace's product CSV: a row for each variant, of which only the first names the product."""

from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import Columns, Format, PriceColumns, RowKeys, choices
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
            quantity=None if unlimited else each.stock("stock"),
            options=each.option_pairs(options),
            sku=each.text("sku", EXTERNAL_ID_MAX),
            **each.prices(currency, PriceColumns("price", "sale_price" if on_sale else "")),
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
        former_paths=_paths(row),
    )


def _paths(row: Columns) -> list[str]:
    page = next((row.text(name) for name in row.raw if name.startswith("product_page")), "")
    key = row.text("product_url")
    return row.former(f"/{page}/p/{key}") if page and key else []


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
