"""Wix's product CSV: a row for each product, and one for each variant that differs from it."""

from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import Columns, Format, RowKeys, choices
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, IMAGE_URL_MAX, ImportRow, ImportVariant

_OPTIONS = 6
_MEDIA = "https://static.wixstatic.com/media/"


def read(row: Columns) -> ImportRow:
    """Read a product; a variant's price is the product's with its surcharge. `InStock` is no number."""
    currency = row.currency()
    head = next((each for each in row.rows if not _is_variant(each.raw)), row)
    names = [head.text(f"productoptionname{n}") for n in range(1, _OPTIONS + 1)]
    price = head.decimal("price", currency)

    def variant(each: Columns) -> ImportVariant:
        values = [each.text(f"productoptiondescription{n}") for n in range(1, _OPTIONS + 1)]
        texts = [value.rpartition(":")[2] if value.startswith("#") else value for value in values]
        return ImportVariant(
            price + each.decimal("surcharge", currency),
            _stock(each),
            each.option_pairs(zip(names, texts, strict=True)) if each is not head else {},
            each.text("sku", EXTERNAL_ID_MAX),
        )

    variants = row.variants(variant, [each for each in row.rows if each is not head] or [head])
    pictures = [_MEDIA + name if "/" not in name else name for name in _listed(head, "productimageurl")]
    return ImportRow(
        external_id=head.external_id("handleid"),
        title=head.title("name"),
        description=head.description(),
        brand=head.text("brand", BRAND_MAX) or None,
        category_path=head.category_path("collection", _listed(head, "collection")[:1]),
        currency=currency,
        status="active" if head.yes("visible") else "draft",
        options=choices(variants),
        variants=variants,
        images=Columns({"images": [each[:IMAGE_URL_MAX] for each in pictures][:50]}).image_list("images"),
    )


def _listed(row: Columns, field: str) -> list[str]:
    return [part.strip() for part in row.text(field).split(";") if part.strip()]


def _stock(row: Columns) -> int | None:
    word = row.text("inventory").casefold()
    return 0 if word == "outofstock" else None if word == "instock" else row.quantity("inventory")


def _is_variant(raw: Mapping[str, Any]) -> bool:
    return str(raw.get("fieldtype", "")).casefold() == "variant"


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    return RowKeys(str(raw.get("handleid") or ""))


FORMAT = Format("Wix products", lambda raw: "handleid" in raw and "fieldtype" in raw, read, _keys)
