"""Amazon's flat files (inventory templates, parents with children) and its report of all listings."""

import re
from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import Columns, Format, PriceColumns, RowKeys, choices
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, ImportRow, ImportVariant

_CHOICES = {
    "color": "color_name",
    "colour": "color_name",
    "size": "size_name",
    "style": "style_name",
    "material": "material_type",
    "pattern": "pattern_name",
}
_DETAILS = ("color_name", "size_name", "style_name", "material_type", "pattern_name", "model", "part_number")
_SKU = ("item_sku", "seller_sku", "sku")
_SALE = ("sale_from_date", "sale_end_date")
_THEME = re.compile(r"[^a-z]+")


def read(row: Columns) -> ImportRow:
    """Read a product: a parent says what it is, and its children are the variants, by the variation theme."""
    head = next((each for each in row.rows if _is_parent(each.raw)), row)
    children = [each for each in row.rows if not _is_parent(each.raw)] or [head]
    currency = row.currency()
    theme = head.text("variation_theme") or children[0].text("variation_theme")
    chosen = [word for word in dict.fromkeys(_THEME.split(_split_words(theme))) if word in _CHOICES]

    def variant(each: Columns) -> ImportVariant:
        pairs = [(word.capitalize(), each.text(_CHOICES[word])) for word in chosen]
        price = each.first("standard_price", "price", "your_price")
        return ImportVariant(
            quantity=each.quantity(),
            options=each.option_pairs(pairs) if len(children) > 1 or head is not children[0] else {},
            sku=each.text(each.first(*_SKU), EXTERNAL_ID_MAX),
            gtin=_gtin(each),
            images=each.images("main_image_url") if each is not head else [],
            **each.prices(currency, PriceColumns(price, "sale_price", "list_price", *_SALE)),
        )

    variants = row.variants(variant, children)
    names = [name for name in _DETAILS if name not in {_CHOICES[word] for word in chosen}]
    points = [(f"Feature {n}", head.text(f"bullet_point{n}")) for n in range(1, 6)]
    status = head.status() if head.text("status") else "active"
    return ImportRow(
        external_id=head.external_id(head.first(*_SKU)),
        title=head.title(head.first("item_name", "title")),
        description=head.description(head.first("product_description", "item_description", "description")),
        brand=head.text(head.first("brand_name", "brand"), BRAND_MAX) or None,
        category_path=head.paths(head.first("item_type", "item_type_keyword", "feed_product_type")),
        currency=currency,
        status="draft" if head.text("update_delete").casefold() == "delete" else status,
        attributes=head.attribute_pairs(
            [*((name.split("_")[0].capitalize(), head.text(name)) for name in names), *points]
        ),
        options=choices(variants),
        variants=variants,
        images=row.all_images("main_image_url", "image_url", *(f"other_image_url{n}" for n in range(1, 9))),
    )


def _split_words(theme: str) -> str:
    """Write `SizeColor` or `SIZE/COLOR` as words in small letters."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", theme).lower()


def _is_parent(raw: Mapping[str, Any]) -> bool:
    return str(raw.get("parent_child") or raw.get("parentage_level") or "").casefold() == "parent"


def _gtin(row: Columns) -> str | None:
    """Read a barcode: an ASIN is none."""
    kind = row.text(row.first("external_product_id_type", "product_id_type")).casefold()
    field = row.first("external_product_id", "product_id")
    return None if kind in ("asin", "1") or not row.text(field).isdigit() else row.gtin(field)


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    parent = str(raw.get("parent_sku") or "").strip()
    own = next((text for name in _SKU if (text := str(raw.get(name) or "").strip())), "")
    return RowKeys(own, [own]) if not parent else RowKeys(parent)


FORMAT = Format(
    "Amazon listings",
    lambda raw: (
        ("item_sku" in raw and "item_name" in raw)
        or ("seller_sku" in raw and ("item_name" in raw or "asin1" in raw))
    ),
    read,
    _keys,
)
