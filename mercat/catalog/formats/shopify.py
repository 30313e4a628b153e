"""Shopify product CSV: headings before 2025 (`Handle`, `Variant Price`) and since (`URL handle`)."""

from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import Columns, Format, RowKeys, choices
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, OPTION_MAX, ImportRow, ImportVariant

_OPTIONS = 3
_PATH = "product_category"


def read(row: Columns) -> ImportRow:
    """Read a product: the first row with a title says what it is, each row with a price is a variant.

    A quantity counts only where Shopify tracks it; rows with a picture alone add to the pictures."""
    currency = row.currency()
    head = next((each for each in row.rows if each.text("title")), row)
    names = [head.text(f"option{n}_name", OPTION_MAX) for n in range(1, _OPTIONS + 1)]

    def variant(each: Columns) -> ImportVariant:
        tracked = each.text(each.first("variant_inventory_tracker", "inventory_tracker"))
        quantity = each.quantity(each.first("variant_inventory_qty", "inventory_quantity"))
        values = [each.text(f"option{n}_value") for n in range(1, _OPTIONS + 1)]
        chosen = [pair for pair in zip(names, values, strict=True) if pair != ("Title", "Default Title")]
        return ImportVariant(
            each.decimal(each.first("variant_price", "price"), currency),
            quantity if tracked or quantity else None,
            each.option_pairs(chosen),
            each.text(each.first("variant_sku", "sku"), EXTERNAL_ID_MAX).removeprefix("'"),
        )

    priced = [each for each in row.rows if each.text(each.first("variant_price", "price"))]
    variants = row.variants(variant, priced or [head])
    category = head.paths(_PATH) or head.paths("type")
    status = head.status()
    if status == "active" and not head.yes(head.first("published", "published_on_online_store")):
        status = "draft"
    return ImportRow(
        external_id=head.external_id(head.first("handle", "url_handle")),
        title=head.title(),
        description=head.description(head.first("body_html", "description")),
        brand=head.text("vendor", BRAND_MAX) or None,
        category_path=category,
        currency=currency,
        status=status,
        attributes=_details(head),
        tags=head.tags(),
        options=choices(variants),
        variants=variants,
        images=row.all_images(
            row.first("image_src", "product_image_url"), "variant_image", "variant_image_url"
        ),
    )


def _details(head: Columns) -> dict[str, str | int | float | bool]:
    """Read metafields, whose columns are called `Material (product.metafields.custom.material)`."""
    found: list[tuple[str, str]] = []
    for name in head.raw:
        before, metafield, _ = name.partition("_product.metafields.")
        if metafield and (text := head.text(name)):
            found.append((before.replace("_", " ").capitalize(), text))
    return head.attribute_pairs(found)


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    return RowKeys(str(raw.get("handle") or raw.get("url_handle") or "").strip())


FORMAT = Format(
    "Shopify products",
    lambda raw: "url_handle" in raw or ("handle" in raw and ("variant_price" in raw or "body_html" in raw)),
    read,
    _keys,
)
