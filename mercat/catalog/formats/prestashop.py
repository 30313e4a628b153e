"""PrestaShop's product CSV (thirty bees'): the list that its desk exports, and the form that it imports."""

from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import Columns, Format
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, ImportRow, ImportVariant

_NAMES = ("name", "product_name")
_BEFORE_TAX = ("price_tax_excluded", "price_tax_excl", "price_tax_excluded_or_price_tax_included", "price")
_WITH_TAX = ("price_tax_included", "price_tax_incl", "final_price")
_PICTURES = ("image_urls_x_y_z", "image_urls", "image")


def read(row: Columns) -> ImportRow:
    """Read a product with one variant. The price with tax counts where there is one.

    Features such as `Material:Cotton:1, Cut:Slim:2` are attributes; the last category named is its own."""
    currency = row.currency()
    features = [part.split(":") for part in row.text(_features(row)).split(",") if ":" in part]
    return ImportRow(
        external_id=row.external_id(row.first("product_id", "id", "reference", *_NAMES)),
        title=row.title(row.first(*_NAMES)),
        description=row.description(row.first("description", "short_description", "summary")),
        brand=row.text(row.first("manufacturer", "brand"), BRAND_MAX) or None,
        category_path=_category(row),
        currency=currency,
        status="active" if row.yes(row.first("active_0_1", "active", "status")) else "draft",
        attributes=row.attribute_pairs((part[0].strip(), part[1].strip()) for part in features),
        tags=row.tags(row.first("tags_x_y_z", "tags")),
        variants=[
            ImportVariant(
                row.decimal(row.first(*_WITH_TAX), currency)
                or row.decimal(row.first(*_BEFORE_TAX), currency),
                row.quantity(),
                sku=row.text("reference", EXTERNAL_ID_MAX),
            )
        ],
        images=row.images(row.first(*_PICTURES)),
    )


def _features(row: Columns) -> str:
    return next((name for name in row.raw if name.startswith("feature")), "feature")


def _category(row: Columns) -> list[str]:
    field = row.first("categories_x_y_z", "categories", "category")
    names = [name.strip() for name in row.text(field).split(",") if name.strip()]
    last = Columns({"path": names[-1]}).paths("path") if names else []
    return row.category_path(field, last[1:] if last[:1] == ["Home"] and len(last) > 1 else last)


def _knows(raw: Mapping[str, Any]) -> bool:
    named = any(name in raw for name in _NAMES)
    return named and ("active_0_1" in raw or any(name in raw for name in (*_BEFORE_TAX[:3], *_WITH_TAX[:2])))


FORMAT = Format("PrestaShop products", _knows, read)
