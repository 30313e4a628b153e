"""WooCommerce's product CSV: simple products, and variable ones with their variations."""

import re
from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import BadField, Columns, Format, PriceColumns, RowKeys, choices
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, ImportRow, ImportVariant
from mercat.catalog.rules import slug_of

_ATTRIBUTE = re.compile(r"attribute_(\d+)_name")
_PRICES = PriceColumns("regular_price", starts="date_sale_price_starts", ends="date_sale_price_ends")
_WEIGHT = re.compile(r"weight_(\w+)")
_NOT_SOLD = ("external", "grouped")
"""Kinds that are sold elsewhere, or only bring others together."""
_COMMA = re.compile(r"(?<!\\),\s*")


def read(row: Columns) -> ImportRow:
    """Read a product: variations are its variants, and a product without any is its own.

    Of several categories the deepest path counts."""
    head = next((each for each in row.rows if not _is_variation(each.raw)), None)
    if head is None:
        raise BadField("parent", f"{row.text('parent')} is not in this file")
    currency = row.currency()
    variations = [each for each in row.rows if each is not head]
    named = [(n, head.text(f"attribute_{n}_name")) for n in _numbers(row)]

    def variant(each: Columns) -> ImportVariant:
        pairs = [
            (each.text(f"attribute_{n}_name"), each.text(f"attribute_{n}_value_s")) for n in _numbers(each)
        ]
        return ImportVariant(
            quantity=_stock(each),
            options=each.option_pairs(pairs) if each is not head else {},
            sku=each.text("sku", EXTERNAL_ID_MAX),
            gtin=each.gtin("gtin_upc_ean_or_isbn"),
            weight_g=_weight(each),
            images=each.images("images")[:1] if each is not head else [],
            **each.prices(currency, _PRICES),
        )

    on_sale = [each for each in variations if each.text("published") not in ("0", "-1")]
    variants = row.variants(variant, on_sale or variations or [head])
    options = choices(variants)
    facts = [(name, head.text(f"attribute_{n}_value_s")) for n, name in named if name not in options]
    status = "active" if head.text("published", 10) in ("", "1") else "draft"
    sold = not head.text("type").startswith(_NOT_SOLD) and (on_sale or not variations)
    if head.text("visibility_in_catalog") == "hidden" or not sold:
        status = "draft"
    return ImportRow(
        external_id=head.external_id(head.first("sku", "id", "name")),
        title=head.title("name"),
        description=head.description(head.first("description", "short_description")).replace("\\n", "\n"),
        brand=head.text(head.first("brands", "brand"), BRAND_MAX) or None,
        tax_class=head.tax_class(),
        category_path=_category(head),
        currency=currency,
        status=status,
        attributes=head.attribute_pairs(facts),
        tags=head.tags(),
        options=options,
        variants=variants,
        images=row.all_images("images"),
        former_paths=head.former(f"/product/{slug_of(head.title('name'))}"),
        **head.seo(
            head.first("meta_yoast_wpseo_title", "meta_rank_math_title"),
            head.first("meta_yoast_wpseo_metadesc", "meta_rank_math_description"),
        ),
    )


def _stock(row: Columns) -> int | None:
    """Read how many there are: none where it is not in stock, unknown where only that it is."""
    quantity = row.stock("stock")
    sold_out = row.text("in_stock").casefold() in ("0", "no", "false", "outofstock")
    return 0 if quantity is None and sold_out else quantity


def _weight(row: Columns) -> int | None:
    """Read a weight in the unit that the heading says, as in `Weight (kg)`."""
    found = next((found for name in row.raw if (found := _WEIGHT.fullmatch(name))), None)
    return row.weight(found[0], found[1]) if found else None


def _category(row: Columns) -> list[str]:
    paths = [Columns({"path": path}).paths("path") for path in _COMMA.split(row.text("categories"))]
    return row.category_path("categories", max(paths, key=len, default=list[str]()))


def _numbers(row: Columns) -> list[int]:
    return [int(found.group(1)) for name in row.raw if (found := _ATTRIBUTE.fullmatch(name))]


def _is_variation(raw: Mapping[str, Any]) -> bool:
    return "variation" in str(raw.get("type", ""))


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    if _is_variation(raw):
        return RowKeys(str(raw.get("parent") or ""))
    number = f"id:{raw['id']}" if raw.get("id") else f"name:{raw.get('name') or ''}"
    return RowKeys(str(raw.get("sku") or number), [number] if raw.get("id") else [])


FORMAT = Format(
    "WooCommerce products",
    lambda raw: "regular_price" in raw and "type" in raw and "name" in raw,
    read,
    _keys,
)
