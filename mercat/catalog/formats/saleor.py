"""Saleor's product CSV: columns by channel, warehouse and attribute, such as `eu (channel price amount)`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mercat.catalog.columns import BadField, Columns, Format, RowKeys, choices
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, ImportRow, ImportVariant

_VARIANT_ATTRIBUTE = "_variant_attribute"
_PRODUCT_ATTRIBUTE = "_product_attribute"
_PICTURES = ("media__image", "product_media", "variants__media__image", "variant_media")
_BRANDS = ("brand", "manufacturer", "publisher")
_HEADING = re.compile(r"(?P<channel>.+)_channel_(?:variant_)?currency_code")


def read(row: Columns) -> ImportRow:
    """Read a product by the channel that sells in the shop's currency; the stock of all warehouses counts."""
    currency = row.shop_currency
    channels = {found["channel"] for name in row.raw if (found := _HEADING.fullmatch(name))}

    def sold_in(each: Columns) -> str:
        codes = {name: each.text(each.first(*_codes(name))).upper() for name in sorted(channels)}
        given = {name: code for name, code in codes.items() if code}
        fitting = [name for name, code in given.items() if code == currency]
        if given and not fitting:
            raise BadField("currency", f"is {' and '.join(given.values())}; this shop sells in {currency}")
        return fitting[0] if fitting else ""

    def variant(each: Columns) -> ImportVariant:
        channel = sold_in(each)
        counted = [each.stock(name) for name in each.raw if name.endswith("_warehouse_quantity")]
        known = [count for count in counted if count is not None]
        return ImportVariant(
            each.decimal(f"{channel}_channel_price_amount", currency) if channel else 0,
            sum(known) if known else None,
            each.option_pairs(_attributes(each, _VARIANT_ATTRIBUTE)),
            each.text(each.first("variants__sku", "variant_sku"), EXTERNAL_ID_MAX),
        )

    variants = row.variants(variant)
    details = dict(_attributes(row, _PRODUCT_ATTRIBUTE))
    brand = next((details.pop(name) for name in list(details) if name.casefold() in _BRANDS), "")
    return ImportRow(
        external_id=row.external_id("id"),
        title=row.title("name"),
        description=_description(row),
        brand=brand[:BRAND_MAX] or None,
        category_path=[name.replace("-", " ").capitalize() for name in row.paths(_category(row))],
        currency=currency,
        status="active" if row.yes(f"{sold_in(row)}_channel_published") else "draft",
        attributes=row.attribute_pairs(details.items()),
        options=choices(variants),
        variants=variants,
        images=row.all_images(*_PICTURES),
    )


def _description(row: Columns) -> str:
    """Read a description, which Saleor keeps as the blocks of its editor (https://editorjs.io), as HTML."""
    field = row.first("description_as_str", "description")
    text = row.text(field)
    if not text.startswith("{"):
        return row.description(field)
    try:
        blocks = msgspec.json.decode(text, type=_Blocks).blocks
    except msgspec.MsgspecError:
        return row.description(field)
    return Columns({"description": "".join(map(_html, blocks))}).description()


def _html(block: "_Block") -> str:
    said = block.data
    if said.items:
        return "<ul>" + "".join(f"<li>{item}</li>" for item in said.items) + "</ul>"
    tag = "h3" if block.type == "header" else "p"
    return f"<{tag}>{said.text}</{tag}>" if said.text else ""


class _Said(msgspec.Struct):
    text: str = ""
    items: list[str] = []


class _Block(msgspec.Struct):
    type: str = ""
    data: _Said = msgspec.field(default_factory=_Said)


class _Blocks(msgspec.Struct):
    blocks: list[_Block] = []


def _codes(channel: str) -> tuple[str, str]:
    return f"{channel}_channel_variant_currency_code", f"{channel}_channel_currency_code"


def _category(row: Columns) -> str:
    return row.first("category__slug", "category")


def _attributes(row: Columns, ending: str) -> Iterator[tuple[str, str]]:
    for name in row.raw:
        if name.endswith(ending) and (text := row.text(name)):
            yield name.removesuffix(ending).replace("_", " ").replace("-", " ").capitalize(), text


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    return RowKeys(str(raw.get("id") or ""))


FORMAT = Format(
    "Saleor products",
    lambda raw: any(name.endswith("_channel_price_amount") for name in raw),
    read,
    _keys,
)
