"""Magento 2's product CSV (Adobe Commerce, Mage-OS): simple products, and configurable ones with theirs."""

import re
from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import Columns, Format, PriceColumns, RowKeys, choices
from mercat.catalog.messages import BRAND_MAX, ImportRow, ImportVariant

_PAIR = re.compile(r",(?=[a-z][a-z0-9_]*=)")
_PRICES = PriceColumns(
    "price", "special_price", "msrp", starts="special_price_from_date", ends="special_price_to_date"
)
_MAKERS = ("brand", "manufacturer")


def read(row: Columns) -> ImportRow:
    """Read a product: the simple products that a configurable one names are its variants.

    Rows of a store view repeat a product in other words and are left aside. A simple product that a
    configurable one names is not sold by itself, and the configurable one is not where none of its is."""
    own = [each for each in row.rows if not each.text("store_view_code")] or row.rows
    head = next((each for each in own if each.text("product_type") == "configurable"), own[0])
    currency = row.currency()
    chosen = _variations(head)

    def variant(each: Columns) -> ImportVariant:
        sku = each.external_id("sku")
        quantity = each.stock("qty")
        if quantity is not None and each.text("is_in_stock") and not each.yes("is_in_stock"):
            quantity = 0
        return ImportVariant(
            quantity=quantity,
            options=each.option_pairs(chosen.get(sku, {}).items()),
            sku=sku,
            images=each.images(each.first("base_image", "image"))[:1] if each is not head else [],
            **each.prices(currency, _PRICES),
        )

    children = [each for each in own if each.text("sku") in chosen]
    sold = [each for each in children if _on_sale(each)]
    variants = row.variants(variant, sold or children or [head])
    details = _pairs(head.text("additional_attributes"))
    for name in list(next(iter(chosen.values()), dict[str, str]())):
        details.pop(name, None)
    maker = next((details.pop(name) for name in _MAKERS if name in details), "")
    hidden = head.text("visibility").casefold() == "not visible individually"
    return ImportRow(
        external_id=head.external_id("sku"),
        title=head.title("name"),
        description=head.description(head.first("description", "short_description")),
        brand=(head.text("manufacturer", BRAND_MAX) or maker[:BRAND_MAX]) or None,
        category_path=_category(head),
        currency=currency,
        status="active" if _on_sale(head) and not hidden and (sold or not children) else "draft",
        attributes=head.attribute_pairs((_words(name), text) for name, text in details.items()),
        options=choices(variants),
        variants=variants,
        images=head.images(head.first("base_image", "image"), "additional_images"),
        former_paths=head.former(f"{key}.html", key) if (key := head.text("url_key")) else [],
        **head.seo("meta_title", "meta_description"),
    )


def _on_sale(row: Columns) -> bool:
    """Say whether it is enabled: `product_online` is 1 or 2, or the words of older exports."""
    text = row.text("product_online").casefold()
    return text in ("", "1", "yes", "enabled")


def _category(row: Columns) -> list[str]:
    """Choose the deepest of the paths; what is above the first category is the root of Magento's tree."""
    paths = [path.split("/") for path in row.text("categories").split(",")]
    names = max(paths, key=len, default=list[str]())
    if names and names[0].strip() in ("Default Category", "Root Catalog"):
        names = names[1:]
    return row.category_path("categories", [name.strip() for name in names if name.strip()])


def _variations(row: Columns) -> dict[str, dict[str, str]]:
    """Read `sku=A-S,size=S|sku=A-M,size=M`: by each variant's SKU what it is chosen by."""
    found: dict[str, dict[str, str]] = {}
    for part in row.text("configurable_variations").split("|"):
        pairs = _pairs(part)
        pairs.pop("default", "")  # which one is shown first
        if sku := pairs.pop("sku", ""):
            found[sku] = {_words(name): value for name, value in pairs.items()}
    return found


def _pairs(text: str) -> dict[str, str]:
    """Read `color=Red,material=Cotton, wool`: a comma separates only where a name follows."""
    parts = (part.partition("=") for part in _PAIR.split(text))
    return {name.strip(): value.strip().strip('"') for name, equals, value in parts if equals}


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    named = Columns(raw)
    return RowKeys(str(raw.get("sku") or "").strip(), list(_variations(named)))


FORMAT = Format(
    "Magento products",
    lambda raw: (
        "sku" in raw and "product_type" in raw and ("attribute_set_code" in raw or "product_online" in raw)
    ),
    read,
    _keys,
)
