"""Amazon's flat files (inventory templates, parents with children) and its report of all listings."""

import re
from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import Columns, Format, PriceColumns, RowKeys, choices
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, ImportRow, ImportVariant

_CHOICES = {
    "color": ("color_name", "color"),
    "colour": ("color_name", "color"),
    "size": ("size_name", "size", "apparel_size.size", "footwear_size.size"),
    "style": ("style_name", "style"),
    "material": ("material_type", "material"),
    "pattern": ("pattern_name", "pattern"),
}
"""By the words of variation themes, the columns of templates before and since 2024."""
_DETAILS = {**_CHOICES, "model": ("model", "model_name", "model_number"), "part": ("part_number",)}
_SKU = ("item_sku", "seller_sku", "sku", "contribution_sku")
_PARENT = ("parent_sku", "child_parent_sku_relationship.parent_sku")
_IDENTIFIER = "externally_assigned_product_identifier"
_SALE = ("sale_from_date", "sale_end_date")
_PRICES = ("standard_price", "price", "your_price", "purchasable_offer.our_price.schedule.value_with_tax")
_QUANTITIES = ("quantity", "fulfillment_availability.quantity")
_THEMES = ("variation_theme", "variation_theme.name")
_PICTURES = ("main_image_url", "main_product_image_locator.media_location")
_POINTS = (("bullet_point1", "bullet_point"), *((f"bullet_point{n}",) for n in range(2, 6)))
_THEME = re.compile(r"[^a-z]+")


def read(row: Columns) -> ImportRow:
    """Read a product: a parent says what it is, and its children are the variants, by the variation theme."""
    head = next((each for each in row.rows if _is_parent(each.raw)), row)
    children = [each for each in row.rows if not _is_parent(each.raw)] or [head]
    currency = row.currency()
    theme = next((text for each in (head, children[0]) if (text := each.text(each.first(*_THEMES)))), "")
    chosen = [word for word in dict.fromkeys(_THEME.split(_split_words(theme))) if word in _CHOICES]

    def variant(each: Columns) -> ImportVariant:
        pairs = [(word.capitalize(), each.text(each.first(*_CHOICES[word]))) for word in chosen]
        compared = each.first("list_price", "list_price.value_with_tax")
        return ImportVariant(
            quantity=each.stock(each.first(*_QUANTITIES)),
            options=each.option_pairs(pairs) if len(children) > 1 or head is not children[0] else {},
            sku=each.text(each.first(*_SKU), EXTERNAL_ID_MAX),
            gtin=_gtin(each),
            images=each.images(each.first(*_PICTURES)) if each is not head else [],
            **each.prices(currency, PriceColumns(each.first(*_PRICES), "sale_price", compared, *_SALE)),
        )

    variants = row.variants(variant, children)
    told = {_CHOICES[word] for word in chosen}
    details = {
        word: head.text(head.first(*columns)) for word, columns in _DETAILS.items() if columns not in told
    }
    points = [(f"Feature {n}", head.text(head.first(*_POINTS[n - 1]))) for n in range(1, 6)]
    status = head.status() if head.text("status") else "active"
    return ImportRow(
        external_id=head.external_id(head.first(*_SKU)),
        title=head.title(head.first("item_name", "title")),
        description=head.description(head.first("product_description", "item_description", "description")),
        brand=head.text(head.first("brand_name", "brand"), BRAND_MAX) or None,
        category_path=head.paths(
            head.first("item_type", "item_type_keyword", "feed_product_type", "product_type")
        ),
        currency=currency,
        status="draft" if head.text("update_delete").casefold() == "delete" else status,
        attributes=head.attribute_pairs(
            [*((word.capitalize(), text) for word, text in details.items() if word != "colour"), *points]
        ),
        options=choices(variants),
        variants=variants,
        images=row.all_images(
            *_PICTURES,
            "image_url",
            *(f"other_image_url{n}" for n in range(1, 9)),
            *(f"other_product_image_locator_{n}.media_location" for n in range(1, 9)),
        ),
    )


def _split_words(theme: str) -> str:
    """Write `SizeColor` or `SIZE/COLOR` as words in small letters."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", theme).lower()


def _is_parent(raw: Mapping[str, Any]) -> bool:
    return str(raw.get("parent_child") or raw.get("parentage_level") or "").casefold() == "parent"


def _gtin(row: Columns) -> str | None:
    """Read a barcode: an ASIN is none."""
    kind = row.text(
        row.first("external_product_id_type", "product_id_type", f"{_IDENTIFIER}.type")
    ).casefold()
    field = row.first("external_product_id", "product_id", _IDENTIFIER)
    return None if kind in ("asin", "1") or not row.text(field).isdigit() else row.gtin(field)


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    parent = next((text for name in _PARENT if (text := str(raw.get(name) or "").strip())), "")
    own = next((text for name in _SKU if (text := str(raw.get(name) or "").strip())), "")
    return RowKeys(own, [own]) if not parent else RowKeys(parent)


FORMAT = Format(
    "Amazon listings",
    lambda raw: (
        ("item_sku" in raw and "item_name" in raw)
        or "contribution_sku" in raw
        or ("seller_sku" in raw and ("item_name" in raw or "asin1" in raw))
    ),
    read,
    _keys,
)
