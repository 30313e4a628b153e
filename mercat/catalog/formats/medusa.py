"""Medusa's product CSV of versions 1 and 2: a row for each variant, a column for each price and picture."""

import re
from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import BadField, Columns, Format, RowKeys, choices
from mercat.catalog.messages import EXTERNAL_ID_MAX, ImportRow, ImportVariant

_PRICE = re.compile(r"(?:variant_)?price_(?:\w+_)?([a-z]{3})")
_OPTION = re.compile(r"((?:variant_)?option_\d+)_name")
_IMAGE = re.compile(r"(?:product_)?image_\d+(?:_url)?")
_TAG = re.compile(r"product_tag_\d+")
_CATEGORY = re.compile(
    r"(?:product_)?category_(?:\d+_)?name|product_type(?:_value)?|product_collection_title"
)


def read(row: Columns) -> ImportRow:
    """Read a product with the price in the shop's currency; goods with other prices only are refused."""
    head = next((each for each in row.rows if each.text("product_title")), row)
    currency = row.shop_currency
    prices = {name: found.group(1).upper() for name in row.raw if (found := _PRICE.fullmatch(name))}

    def variant(each: Columns) -> ImportVariant:
        given = sorted(
            (name for name, code in prices.items() if each.text(name) and code == currency), key=len
        )
        others = {code for name, code in prices.items() if each.text(name)}
        if others and not given:
            raise BadField("price", f"is in {' and '.join(sorted(others))}; this shop sells in {currency}")
        options = [found.group(1) for name in each.raw if (found := _OPTION.fullmatch(name))]
        return ImportVariant(
            each.decimal(given[0], currency) if given else 0,
            each.stock("variant_inventory_quantity"),
            each.option_pairs((each.text(f"{name}_name"), each.text(f"{name}_value")) for name in options),
            each.text("variant_sku", EXTERNAL_ID_MAX),
            gtin=each.gtin(each.first("variant_barcode", "variant_ean", "variant_upc")),
        )

    variants = row.variants(variant)
    tags = [text for name in head.raw if _TAG.fullmatch(name) and (text := head.text(name))]
    category = next(
        (name for name in head.raw if _CATEGORY.fullmatch(name) and head.text(name)), "product_type"
    )
    pictures = [name for name in head.raw if _IMAGE.fullmatch(name)]
    options = choices(variants)
    return ImportRow(
        external_id=head.external_id(head.first("product_handle", "product_id")),
        title=head.title("product_title"),
        description=head.description("product_description"),
        category_path=head.paths(category),
        currency=currency,
        status=head.status("product_status"),
        attributes=head.attribute_pairs(
            (name.capitalize(), head.text(f"product_{name}")) for name in ("material", "weight")
        ),
        tags=Columns({"tags": tags}).tags() if tags else head.tags("product_tags"),
        options=options,
        variants=variants,
        images=head.images("product_thumbnail", *pictures),
    )


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    return RowKeys(str(raw.get("product_handle") or raw.get("product_id") or ""))


FORMAT = Format(
    "Medusa products", lambda raw: "product_handle" in raw and "product_title" in raw, read, _keys
)
