"""OpenCart's products, as its Export/Import extension writes them: `product_id`, `name(en-gb)`, `model`."""

import html
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from mercat.catalog.columns import Columns, Cut, Format, choices
from mercat.catalog.messages import (
    BRAND_MAX,
    COUNT_MAX,
    EXTERNAL_ID_MAX,
    IMAGES_MAX,
    ImportRow,
    ImportVariant,
    SalePrice,
)

_HTML_MAX = 200_000


def read(row: Columns) -> ImportRow:
    """Read a product in the first language that has its name. Categories that are numbers are left out.

    Of a workbook its sheets of pictures, attributes, specials and options count too: the values of one option
    are variants, which cost more or less than the product; of several nobody says which go together."""
    currency = row.currency()
    category = row.paths("categories", ",")
    variants = _variants(row, currency)
    attributes = (
        (each.text("attribute"), each.text(_translated(each, "text"))) for each in _sheet(row, "attributes")
    )
    return ImportRow(
        external_id=row.external_id("product_id"),
        title=row.title(_translated(row, "name")),
        description=_description(row),
        brand=row.text("manufacturer", BRAND_MAX) or None,
        category_path=[] if all(name.isdigit() for name in category) else category,
        currency=currency,
        status=row.status(),
        tags=row.tags(_translated(row, "tags")),
        attributes=row.attribute_pairs((name, text) for name, text in attributes if name and text),
        options=choices(variants),
        variants=variants,
        images=_images(row),
        former_paths=row.former(
            f"/index.php?route=product/product&product_id={row.text('product_id')}",
            row.text(row.first("seo_keyword", _translated(row, "seo_keyword"))),
        ),
        **row.seo(_translated(row, "meta_title"), _translated(row, "meta_description")),
    )


def _variants(row: Columns, currency: str) -> list[ImportVariant]:
    """Read the values of the only option, or the product as its one variant."""
    price = row.decimal("price", currency)
    whole = ImportVariant(
        price,
        row.stock(),
        sku=row.text(row.first("sku", "model"), EXTERNAL_ID_MAX),
        gtin=row.gtin(row.first("ean", "upc", "jan", "isbn")),
        weight_g=row.weight("weight", row.text("weight_unit")),
        sale=_special(row, price, currency),
    )
    values = _sheet(row, "optionvalues")
    names = {each.text(each.first("option", "option_id")) for each in values}
    if len(names) > 1:
        row.cuts.append(
            Cut("options", f"has {len(names)} options, of which nobody says what goes together: left out")
        )
    if len(names) != 1:
        return [whole]

    def variant(each: Columns) -> ImportVariant:
        name, value = each.first("option", "option_id"), each.first("option_value", "option_value_id")
        more = each.decimal("price", currency) * (-1 if each.text("price_prefix") == "-" else 1)
        own = each.changed_price(price, more, "price")
        return replace(
            whole,
            price=own,
            quantity=each.stock(),
            options=each.option_pairs([(each.text(name), each.text(value))]),
            sku="",
            gtin=None,
            sale=_special(row, own, currency, more),
        )

    return row.variants(variant, values)


def _special(row: Columns, price: int, currency: str, more: int = 0) -> SalePrice | None:
    """Read the first special, which lasts until its end; `0000-00-00` is none."""
    for each in _sheet(row, "specials"):
        reduced = each.decimal("price", currency) + more
        dates = {name: each.text(name).replace("0000-00-00", "") for name in ("date_start", "date_end")}
        times = Columns({name: text for name, text in dates.items() if text})
        begins_at, ends_at = times.date("date_start"), times.date("date_end")
        if 0 < reduced < price and not (begins_at and ends_at and ends_at <= begins_at):
            return SalePrice(price=reduced, begins_at=begins_at, ends_at=ends_at)
    return None


def _images(row: Columns) -> list[str]:
    found = row.images(row.first("image_name", "image"), "additional_images")
    for each in _sheet(row, "images"):
        found += each.images(each.first("image", "image_name"))
        row.cuts += [cut for cut in each.cuts if cut not in row.cuts]
    return row.few("image_name", list(dict.fromkeys(found)), IMAGES_MAX)


def _sheet(row: Columns, ending: str) -> list[Columns]:
    """Answer the rows that a sheet such as `ProductOptionValues` has of a product."""
    for name in row.raw:
        if name.endswith(ending) and isinstance(row.get(name), list):
            return row.objects(name, COUNT_MAX, "rows")
    return []


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
