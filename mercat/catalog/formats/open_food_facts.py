"""Open Food Facts' products (CSV, TSV, JSON lines): drafts, for they have no price."""

from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import Columns, Format
from mercat.catalog.messages import BRAND_MAX, ImportRow, ImportVariant

_FACTS = {
    "quantity": "Contents",
    "packaging": "Packaging",
    "labels": "Labels",
    "ingredients_text": "Ingredients",
    "allergens": "Allergens",
    "nutriscore_grade": "Nutri-Score",
    "nova_group": "Nova group",
    "origins": "Origin",
}


def read(row: Columns) -> ImportRow:
    """Read a product by its barcode, in the language it was told in (`lc`), as in `product_name_fr`.
    `quantity` is what a package holds, not how many there are."""
    names = [name.strip() for name in _text(row, "categories").split(",") if name.strip()]
    names = [name for name in names if name[2:3] != ":"]
    return ImportRow(
        external_id=row.external_id("code"),
        title=row.title(row.first(_told(row, "product_name"), _told(row, "generic_name"))),
        description=row.description(_told(row, "generic_name")),
        brand=_text(row, "brands").split(",")[0].strip()[:BRAND_MAX] or None,
        category_path=row.category_path("categories", list(dict.fromkeys([*names[:1], *names[-1:]]))),
        currency=row.currency(),
        status="draft",
        attributes=row.attribute_pairs(
            (words, _text(row, _told(row, name))) for name, words in _FACTS.items()
        ),
        variants=[ImportVariant(gtin=row.gtin("code"))],
        images=row.images(row.first("image_url", "image_front_url")),
    )


def _told(row: Columns, name: str) -> str:
    """Choose the column of a field: the plain one, else that of the product's language, English, or any."""
    own = f"{name}_{row.text('lc', 10)}"
    others = (each for each in row.raw if each.startswith(f"{name}_") and len(each) == len(name) + 3)
    return row.first(name, own, f"{name}_en", *others)


def _text(row: Columns, name: str) -> str:
    """Read a text, which JSON lines have as a number or leave out."""
    value: Any = row.get(name)
    return row.text(name) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _knows(raw: Mapping[str, Any]) -> bool:
    named = "product_name" in raw or any(each.startswith("product_name_") for each in raw)
    return "code" in raw and named


FORMAT = Format("Open Food Facts", _knows, read)
