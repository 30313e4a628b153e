"""Mercat's own table: plain columns with a row for each variant, as exports write it."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from mercat.catalog.columns import Columns, Format, RowKeys, choices
from mercat.catalog.formats import plain
from mercat.catalog.messages import EXTERNAL_ID_MAX, ImportRow, ImportVariant

OPTION = "option."
"""Begins the name of a column by which a variant is chosen, as in `option.Colour`."""


def read(row: Columns) -> ImportRow:
    """Read a product: its first row says what it is, and each row is a variant, by its SKU or its options."""
    currency = row.currency()

    def variant(each: Columns) -> ImportVariant:
        names = [name for name in each.raw if name.startswith(OPTION)]
        pairs = each.option_pairs((name.removeprefix(OPTION), each.text(name)) for name in names)
        read = plain.variant_of(each, currency, each.text("sku", EXTERNAL_ID_MAX), pairs)
        return replace(read, status=each.status() if each.text("status") else None)

    variants = row.variants(variant)
    product = plain.read_as(row, variants)
    given = product.given or frozenset[str]()
    for each in row.rows[1:]:
        given |= plain.given_of(each)
    options = row.choices() or choices(variants)
    return replace(product, options=options, given=given - {"status"})


def _knows(raw: Mapping[str, Any]) -> bool:
    return "external_id" in raw and ("sku" in raw or any(name.startswith(OPTION) for name in raw))


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    return RowKeys(str(raw.get("external_id") or "").strip())


FORMAT = Format("Mercat's table", _knows, read, _keys)
