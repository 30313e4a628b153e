"""schema.org's Product and ProductGroup as JSON-LD: JSON lines, one object or an array of them."""

from collections.abc import Mapping
from typing import Any, cast

from mercat.catalog.columns import Columns, Format, choices
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, ImportRow, ImportVariant

_CHOICES = ("color", "size", "material", "pattern")
_SOLD_OUT = ("outofstock", "soldout", "discontinued")
_Object = Mapping[str, Any]


def read(row: Columns) -> ImportRow:
    """Read a product; those that a group names under `hasVariant` are its variants."""
    members = [
        Columns(each, row.line, row.used, row.shop_currency) for each in _objects(row.get("hasvariant"))
    ]
    parts = members or [row]
    currency = next((code for part in parts if (code := _offer(part).text("pricecurrency"))), "")
    currency = Columns({"currency": currency}, shop_currency=row.shop_currency).currency()

    def variant(each: Columns) -> ImportVariant:
        offer = _offer(each)
        sold_out = offer.text("availability").rpartition("/")[2].casefold() in _SOLD_OUT
        level = Columns(next(iter(_objects(offer.get("inventorylevel"))), dict[str, Any]()))
        return ImportVariant(
            offer.decimal(offer.first("price", "lowprice"), currency),
            0 if sold_out else level.stock("value"),
            each.option_pairs((name.capitalize(), each.text(name)) for name in _CHOICES) if members else {},
            each.text(each.first("sku", "productid", "mpn"), EXTERNAL_ID_MAX),
            gtin=each.gtin(each.first("gtin", "gtin13", "gtin14", "gtin12", "gtin8")),
        )

    variants = row.variants(variant, parts)
    images: list[str] = []
    for part in [row, *members]:
        images += _texts(part.get("image"), "url", "contenturl")
    brand = next(iter(_texts(row.get("brand"), "name")), "")
    extra = [
        (str(each.get("name", "")), each.get("value")) for each in _objects(row.get("additionalproperty"))
    ]
    plain = [(name.capitalize(), row.text(name)) for name in _CHOICES] if not members else []
    return ImportRow(
        external_id=row.external_id(row.first("sku", "productgroupid", "productid", "id", "url")),
        title=row.title("name"),
        description=row.description(),
        brand=brand[:BRAND_MAX] or None,
        category_path=_category(row),
        currency=currency,
        attributes=row.attribute_pairs([*plain, *extra]),
        options=choices(variants),
        variants=variants,
        images=Columns({"image": images[:50]}).image_list("image"),
    )


def _category(row: Columns) -> list[str]:
    given = _texts(row.get("category"), "name")
    return Columns({"category": given[0]}).paths("category") if given else []


def _offer(row: Columns) -> Columns:
    return Columns(next(iter(_objects(row.get("offers"))), dict[str, Any]()), row.line)


def _objects(value: Any) -> list[_Object]:
    """Answer the objects of a value that may be one or a list, by names in small letters without signs."""
    given = cast(list[Any], value if isinstance(value, list) else [value])
    return [
        {name.lstrip("@").casefold(): part for name, part in cast(dict[str, Any], each).items()}
        for each in given
        if isinstance(each, dict)
    ]


def _texts(value: Any, *names: str) -> list[str]:
    """Answer the texts of a value that may be a text, an object with one by one of these names, or a list."""
    given = cast(list[Any], value if isinstance(value, list) else [value])
    found = [each for each in given if isinstance(each, str)]
    for each in _objects(value):
        found += [text for name in names if isinstance(text := each.get(name), str)]
    return found


FORMAT = Format(
    "schema.org products", lambda raw: str(raw.get("type", "")) in ("Product", "ProductGroup"), read
)
