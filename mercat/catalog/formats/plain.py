"""Plain columns, as docs/import.md names them: what any spreadsheet can be saved as."""

from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import BadField, Columns, Format
from mercat.catalog.messages import EXTERNAL_ID_MAX, TITLE_MAX, ImportRow, ImportVariant
from mercat.kit.text import seen_line

_FIELDS = {
    "title": ("title",),
    "description": ("description",),
    "brand": ("brand",),
    "category": ("category",),
    "currency": ("currency",),
    "status": ("status",),
    "tags": ("tags",),
    "price": ("price",),
    "quantity": ("quantity",),
    "images": ("image_url", "image"),
}
"""What a row may say of a product, and the columns that say it."""
_NONE: tuple[Any, ...] = (None, "", [], {})


def read(row: Columns) -> ImportRow:
    """Read a product with one variant; prices are decimals such as 79.99.

    What a row does not fill stays as it is where the product is there."""
    return read_as(row, [variant_of(row, row.currency(), row.text("sku", EXTERNAL_ID_MAX))])


def read_as(row: Columns, variants: list[ImportVariant]) -> ImportRow:
    """Read a product whose variants were read already."""
    given = given_of(row)
    sku = variants[0].sku
    external_id = row.text("external_id", EXTERNAL_ID_MAX, needed=not sku)
    texts = row.product_texts(title_needed="title" in given)
    if "title" not in given:
        texts["title"] = seen_line(external_id or sku)[:TITLE_MAX]
        if not given or not texts["title"]:
            raise BadField("title", "is missing")
    listed = isinstance(row.get("category"), list)
    return ImportRow(
        external_id=external_id,
        **texts,
        category_path=row.category_path("category") if listed else row.paths("category"),
        currency=row.currency(),
        status=row.status(),
        attributes=row.attributes("attributes."),
        tags=row.tags(),
        variants=variants,
        images=row.images("image_url", "image"),
        given=given,
    )


def variant_of(row: Columns, currency: str, sku: str, options: dict[str, str] | None = None) -> ImportVariant:
    """Read the price and the stock of a row."""
    return ImportVariant(row.decimal("price", currency), row.quantity(), options or {}, sku)


def given_of(row: Columns) -> frozenset[str]:
    """List what a row fills."""
    found = {
        name for name, columns in _FIELDS.items() if any(row.raw.get(each) not in _NONE for each in columns)
    }
    if row.raw.get("attributes") or any(
        name.startswith("attributes.") and value not in _NONE for name, value in row.raw.items()
    ):
        found.add("attributes")
    return frozenset(found)


def says_something(raw: Mapping[str, Any]) -> bool:
    """Say whether a row names a product and something of it."""
    named = "title" in raw or "external_id" in raw or "sku" in raw
    return named and bool(given_of(Columns(raw))) if "title" not in raw else True


FORMAT = Format("plain columns", lambda raw: True, read)
