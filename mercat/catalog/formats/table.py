"""Mercat's own table: plain columns with a row for each variant, as exports write it."""

from collections.abc import Mapping
from typing import Any, cast

from msgspec.structs import replace

from mercat.catalog.columns import Columns, Format, choices, keys_of_seller
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
        chosen = each.options() if _says_own(each) else pairs
        read = plain.variant_of(each, currency, each.text("sku", EXTERNAL_ID_MAX), chosen)
        return replace(read, status=each.status() if each.text("status") else None)

    variants = row.variants(variant)
    product = plain.read_as(row, variants)
    given = product.given or frozenset[str]()
    for each in row.rows[1:]:
        given |= plain.given_of(each)
    options = choices(variants) if _says_own(row) else row.choices() or choices(variants)
    return replace(product, options=options, given=given - {"status"})


def _says_own(row: Columns) -> bool:
    """Say whether the options of a line of JSON are those its own variant is chosen by, each with one text;
    elsewhere they are what can be chosen, each with a list."""
    given: object = row.get("options")
    if not isinstance(given, dict):
        return False
    return not any(isinstance(each, list) for each in cast(Mapping[str, object], given).values())


def _knows(raw: Mapping[str, Any]) -> bool:
    return "external_id" in raw and ("sku" in raw or any(name.startswith(OPTION) for name in raw))


FORMAT = Format("Mercat's table", _knows, read, lambda raw: keys_of_seller(raw, "external_id"))
