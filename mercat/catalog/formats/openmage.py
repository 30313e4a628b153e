"""OpenMage's product CSV (Magento 1): products over several rows, configurable ones with theirs."""

from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import Columns, Format, PriceColumns, RowKeys, choices
from mercat.catalog.messages import BRAND_MAX, ImportRow, ImportVariant

_HIDDEN = "1"
"""The visibility of what is not shown by itself."""
_PRICES = PriceColumns("price", "special_price", "msrp", "special_from_date", "special_to_date")


def read(row: Columns) -> ImportRow:
    """Read a product: the simple products that a configurable one names are its variants.

    Rows without a SKU go on with the product before; those of a store view are left aside."""
    heads = [each for each in row.rows if each.text("sku") and not each.text("store")]
    head = next((each for each in heads if each.text("type") == "configurable"), (heads or [row])[0])
    currency = row.currency()
    chosen: dict[str, dict[str, str]] = {}
    for each in row.rows:
        if sku := each.text("super_products_sku"):
            code = each.text("super_attribute_code").replace("_", " ").capitalize()
            chosen.setdefault(sku, {})[code] = each.text("super_attribute_option")

    def variant(each: Columns) -> ImportVariant:
        sku = each.external_id("sku")
        quantity = each.stock("qty")
        if quantity is not None and each.text("is_in_stock") and not each.yes("is_in_stock"):
            quantity = 0
        return ImportVariant(
            quantity=quantity,
            options=each.option_pairs(chosen.get(sku, {}).items()),
            sku=sku,
            **each.prices(currency, _PRICES),
        )

    children = [each for each in heads if each.text("sku") in chosen]
    sold = [each for each in children if _on_sale(each)]
    variants = row.variants(variant, sold or children or [head])
    hidden = head.text("visibility") == _HIDDEN or (children and not sold)
    paths = [path for each in row.rows if (path := each.text("category"))]
    return ImportRow(
        external_id=head.external_id("sku"),
        title=head.title("name"),
        description=head.description(head.first("description", "short_description")),
        brand=head.text("manufacturer", BRAND_MAX) or None,
        category_path=Columns({"path": max(paths, key=len, default="")}).paths("path"),
        currency=currency,
        status="active" if _on_sale(head) and not hidden else "draft",
        options=choices(variants),
        variants=variants,
        images=row.all_images("media_image", "image"),
        former_paths=head.former(f"{key}.html", key) if (key := head.text("url_key")) else [],
        **head.seo("meta_title", "meta_description"),
    )


def _on_sale(row: Columns) -> bool:
    return row.text("status").casefold() in ("", "1", "enabled")


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    child = str(raw.get("super_products_sku") or "").strip()
    return RowKeys(str(raw.get("sku") or "").strip(), [child] if child else [])


FORMAT = Format(
    "OpenMage products",
    lambda raw: "sku" in raw and "type" in raw and "attribute_set" in raw and "product_type" not in raw,
    read,
    _keys,
)
