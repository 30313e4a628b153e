"""A catalogue of electronics with EANs, such as Icecat's."""

from mercat.catalog.columns import Columns, Format
from mercat.catalog.messages import TAG_MAX, ImportRow, ImportVariant


def read(row: Columns) -> ImportRow:
    """Read a product with one variant; its type is the category, its model a tag."""
    kind = row.text("type_derived", TAG_MAX)
    model = row.text("model", TAG_MAX)
    return ImportRow(
        external_id=row.external_id("id"),
        title=row.title(),
        description=row.description(),
        brand=row.brand(),
        category_path=row.category_path("type_derived", [category_name(kind)] if kind else []),
        currency=row.currency(),
        attributes=row.attributes(),
        tags=[model] if model else [],
        variants=[ImportVariant(row.minor("price_cents"), gtin=row.gtin("ean"))],
        images=row.images("image", "image_high"),
        released=row.date("released"),
    )


def category_name(kind: str) -> str:
    """Write a type as a category is called: `notebook case` is "Notebook case", `pc` is "PC"."""
    words = [word if set(word) & set("aeiouy") else word.upper() for word in kind.split()]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


FORMAT = Format("electronics", lambda raw: "price_cents" in raw and "ean" in raw, read)
