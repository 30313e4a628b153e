"""Vendure's product CSV: a row for each variant, of which only the first names the product."""

from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import Columns, Format, RowKeys, choices
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, ImportRow, ImportVariant

_BRANDS = ("brand", "manufacturer")


def read(row: Columns) -> ImportRow:
    """Read a product; facets such as `category:Lamps|brand:Tarn` are its category, brand and attributes.

    Stock counts where it is tracked. Addresses of assets that are files of Vendure are left out."""
    currency = row.currency()
    names = row.text(_translated(row, "optiongroups")).split("|")

    def variant(each: Columns) -> ImportVariant:
        tracked = each.yes("trackinventory", default=True) if _is_word(each) else True
        counted = each.stock("stockonhand")
        return ImportVariant(
            each.decimal("price", currency),
            counted if tracked else None,
            each.option_pairs(
                zip(names, each.text(_translated(each, "optionvalues")).split("|"), strict=False)
            ),
            each.text("sku", EXTERNAL_ID_MAX),
        )

    sold = [each for each in row.rows if each.text("sku") or each.text("price")]
    variants = row.variants(variant, sold or None)
    facets = [part.partition(":") for part in row.text(_translated(row, "facets")).split("|") if ":" in part]
    pairs = [(name.strip(), value.strip()) for name, _, value in facets]
    brand = next((value for name, value in pairs if name.casefold() in _BRANDS), "")
    kinds = [value for name, value in pairs if name.casefold() == "category"]
    apart = (*_BRANDS, "category")
    return ImportRow(
        external_id=row.external_id(row.first(_translated(row, "slug"), _translated(row, "name"))),
        title=row.title(_translated(row, "name")),
        description=row.description(_translated(row, "description")),
        brand=brand[:BRAND_MAX] or None,
        category_path=row.category_path("facets", kinds),
        currency=currency,
        status="active" if row.yes("enabled") else "draft",
        attributes=row.attribute_pairs((n.capitalize(), v) for n, v in pairs if n.casefold() not in apart),
        options=choices(variants),
        variants=variants,
        images=row.all_images("assets", "variantassets"),
    )


def _translated(row: Columns, name: str) -> str:
    """Choose the language that a field is filled in, of columns such as `name:en`."""
    return row.first(name, *(each for each in row.raw if each.startswith(f"{name}_")))


def _is_word(row: Columns) -> bool:
    return row.text("trackinventory").casefold() not in ("", "inherit")


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    names = (each for each in raw if each in ("slug", "name") or each.startswith(("slug_", "name_")))
    return RowKeys(next((text for name in names if (text := str(raw[name] or "").strip())), ""))


def _knows(raw: Mapping[str, Any]) -> bool:
    return all(any(each.startswith(name) for each in raw) for name in ("optiongroups", "optionvalues"))


FORMAT = Format("Vendure products", _knows, read, _keys)
