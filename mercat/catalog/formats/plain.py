"""Plain columns, as docs/import.md names them: what any spreadsheet can be saved as."""

from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import BadField, Columns, Format, PriceColumns
from mercat.catalog.messages import EXTERNAL_ID_MAX, TITLE_MAX, ImportRow, ImportVariant
from mercat.kit.text import seen_line

_FIELDS = {
    "title": ("title",),
    "description": ("description",),
    "brand": ("brand",),
    "tax_class": ("tax_class",),
    "category": ("category",),
    "currency": ("currency",),
    "status": ("status",),
    "tags": ("tags",),
    "price": ("price",),
    "compare_at_price": ("compare_at_price",),
    "sale": ("sale_price",),
    "quantity": ("quantity",),
    "images": ("image_url", "image"),
    "gtin": ("gtin",),
    "weight_g": ("weight_g",),
    "variant_images": ("variant_image_url",),
    "seo": ("seo_title", "seo_description", "former_address"),
}
"""What a row may say of a product, and the columns that say it."""
_PRICES = PriceColumns("price", starts="sale_from", ends="sale_until", partly=True)
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
    images = row.images("image_url", "image")
    return ImportRow(
        external_id=external_id,
        **texts,
        category_path=row.paths("category"),
        currency=row.currency(),
        status=row.status(),
        attributes=row.attributes("attributes."),
        tags=row.tags(),
        variants=variants,
        images=images,
        alts=row.alts("image_alt", images),
        former_paths=row.former(*row.text("former_address").split()),
        **row.seo("seo_title", "seo_description"),
        given=given,
    )


def variant_of(row: Columns, currency: str, sku: str, options: dict[str, str] | None = None) -> ImportVariant:
    """Read the prices and the stock of a row, and what else is of one variant."""
    return ImportVariant(
        quantity=row.quantity(),
        options=options or {},
        sku=sku,
        gtin=row.gtin("gtin"),
        weight_g=row.grams("weight_g"),
        images=row.images("variant_image_url"),
        **row.prices(currency, _PRICES),
    )


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
