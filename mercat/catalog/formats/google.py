"""Google Merchant Center's and Facebook's product feeds (CSV, TSV, XML): a row for each variant."""

from collections.abc import Mapping
from typing import Any

from mercat.catalog.amounts import currency_named
from mercat.catalog.columns import Columns, Format, PriceColumns, RowKeys, choices
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, ImportRow, ImportVariant

_CHOICES = ("color", "size", "material", "pattern", "size_type", "age_group", "gender")
_TELL_APART = _CHOICES[:4]
"""What one item of a group alone may be chosen by, until its others come."""
_STOCK = ("quantity_to_sell_on_facebook", "sell_on_google_quantity", "quantity", "inventory")
_PRICES = PriceColumns("price", span="sale_price_effective_date")
_SOLD_OUT = ("out of stock", "out_of_stock", "discontinued")


def read(row: Columns) -> ImportRow:
    """Read the items of one group as variants, which what they differ in tells apart.

    `in stock` is no number."""
    currency = row.currency(currency_named(row.text("price")))
    different = [
        name
        for name in _CHOICES
        if row.raw.get("item_group_id")
        and any(each.text(name) for each in row.rows)
        and (name in _TELL_APART if len(row.rows) == 1 else len({each.text(name) for each in row.rows}) > 1)
    ]

    def variant(each: Columns) -> ImportVariant:
        sold_out = each.text("availability").casefold() in _SOLD_OUT
        return ImportVariant(
            quantity=0 if sold_out else each.stock(each.first(*_STOCK)),
            options=each.option_pairs(
                (name.replace("_", " ").capitalize(), each.text(name)) for name in different
            ),
            sku=each.text("id", EXTERNAL_ID_MAX),
            gtin=each.gtin("gtin"),
            images=each.images("image_link")[:1] if len(row.rows) > 1 else [],
            **each.prices(currency, _PRICES),
        )

    variants = row.variants(variant)
    kind = row.first("product_type", "google_product_category", "fb_product_category")
    pairs = [
        (name.replace("_", " ").capitalize(), row.text(name))
        for name in (*_CHOICES, "gtin", "mpn")
        if name not in different
    ]
    hidden = row.status(row.first("status", "visibility"))
    return ImportRow(
        external_id=row.external_id(row.first("item_group_id", "id")),
        title=row.title(),
        description=row.description(row.first("description", "rich_text_description")),
        brand=row.text("brand", BRAND_MAX) or None,
        tax_class=row.tax_class("tax_category"),
        category_path=[] if row.text(kind).isdigit() else row.paths(kind),
        currency=currency,
        status=hidden,
        attributes=row.attribute_pairs(pairs),
        options=choices(variants),
        variants=variants,
        images=row.all_images("image_link", "additional_image_link"),
    )


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    return RowKeys(str(raw.get("item_group_id") or f"id:{raw.get('id') or ''}"))


FORMAT = Format(
    "Google or Facebook feed",
    lambda raw: "id" in raw and ("image_link" in raw or "availability" in raw),
    read,
    _keys,
)
