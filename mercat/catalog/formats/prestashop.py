"""PrestaShop's product CSV (thirty bees'): the list that its desk exports, and the form that it imports; with
its combinations file, whose rows are the variants of the products beside it."""

import re
from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import BadField, Columns, Format, RowKeys, choices
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, ImportRow, ImportVariant, SalePrice

_NAMES = ("name", "product_name")
_BEFORE_TAX = (
    "price_tax_excluded",
    "price_tax_excl",
    "price_tax_excluded_or_price_tax_included",
    "base_price",
    "price",
)
_WITH_TAX = ("price_tax_included", "price_tax_incl", "final_price")
_PICTURES = ("image_urls_x_y_z", "image_urls", "image_url", "image")
_BARCODES = ("ean13", "ean_13", "ean", "upc")
_IMPACT = "impact_on_price"
_CHOSEN_BY = "attribute_name_type_position"
_CHOICES = "value_value_position"
_PLACE = re.compile(r":\d+$")


def read(row: Columns) -> ImportRow:
    """Read a product; its combinations are its variants. The price with tax counts where there is one.

    Features such as `Material:Cotton:1, Cut:Slim:2` are attributes; the last category named is its own."""
    head = next((each for each in row.rows if not is_combination(each.raw)), None)
    if head is None:
        raise BadField("product_id", f"{row.text(_number(row))} is of no product in this import")
    currency = head.currency()
    price = head.decimal(head.first(*_WITH_TAX), currency) or head.decimal(head.first(*_BEFORE_TAX), currency)

    def variant(each: Columns) -> ImportVariant:
        own = price if each is head else each.changed_price(price, _impact(each, currency), _IMPACT)
        return ImportVariant(
            own,
            each.stock(),
            each.option_pairs(_pairs(each)) if each is not head else {},
            each.text("reference", EXTERNAL_ID_MAX),
            gtin=each.gtin(each.first(*_BARCODES)),
            images=each.images(each.first(*_PICTURES)) if each is not head else [],
            sale=_sale(head, own, currency),
        )

    combinations = [each for each in row.rows if is_combination(each.raw)]
    variants = row.variants(variant, combinations or [head])
    features = [part.split(":") for part in _several(head.text(_features(head))) if ":" in part]
    images = head.images(head.first(*_PICTURES))
    alts = _several(head.text("image_alt_texts_x_y_z"))
    return ImportRow(
        external_id=head.external_id(_number(head)),
        title=head.title(head.first(*_NAMES)),
        description=head.description(head.first("description", "short_description", "summary")),
        brand=head.text(head.first("manufacturer", "brand"), BRAND_MAX) or None,
        category_path=_category(head),
        currency=currency,
        status="active" if _is_sold(head) else "draft",
        attributes=head.attribute_pairs((part[0].strip(), part[1].strip()) for part in features),
        tags=head.listed_tags("tags_x_y_z", _several(head.text(head.first("tags_x_y_z", "tags")))),
        options=choices(variants),
        variants=variants,
        images=images,
        alts=dict(zip(images, alts, strict=False)),
        former_paths=_paths(head),
        **head.seo("meta_title", "meta_description"),
    )


def is_combination(raw: Mapping[str, Any]) -> bool:
    """Say whether a row is a variant, of a file of combinations."""
    return _CHOSEN_BY in raw


def _is_sold(row: Columns) -> bool:
    """Say whether it is active, seen somewhere, and may be ordered."""
    active = row.yes(row.first("active_0_1", "active", "status"))
    ordered = row.yes("available_for_order_0_no_1_yes")
    return active and ordered and row.text("visibility").casefold() != "none"


def _impact(row: Columns, currency: str) -> int:
    """Read what a combination costs more than its product, or less."""
    text = row.text(_IMPACT)
    amount = Columns({_IMPACT: text.removeprefix("-")}).decimal(_IMPACT, currency)
    return -amount if text.startswith("-") else amount


def _pairs(row: Columns) -> list[tuple[str, str]]:
    """Read `Size:select:0, Colour:color:1` with `S:0, Moss:1`."""
    names = [part.split(":")[0].strip() for part in _several(row.text(_CHOSEN_BY))]
    values = [_PLACE.sub("", part) for part in _several(row.text(_CHOICES))]
    if len(names) != len(values):
        raise BadField(_CHOICES, f"has {len(values)} values for {len(names)} attributes")
    return list(zip(names, values, strict=True))


def _sale(row: Columns, price: int, currency: str) -> SalePrice | None:
    """Read what a price is with the discount, of an amount or so many per cent, and from when until when."""
    off = row.decimal("discount_amount", currency) or price * row.percent("discount_percent") // 10_000
    starts, ends = "discount_from_yyyy_mm_dd", "discount_to_yyyy_mm_dd"
    times = [None if row.text(each).startswith("0000") else row.date(each) for each in (starts, ends)]
    return SalePrice(price=price - off, begins_at=times[0], ends_at=times[1]) if 0 < off < price else None


def _number(row: Columns) -> str:
    return row.first("product_id", "id", "product_reference", "reference", *_NAMES)


def _paths(row: Columns) -> list[str]:
    key = row.text(row.first("url_rewritten", "friendly_url", "link_rewrite"))
    number = row.text(row.first("product_id", "id"))
    return row.former(f"{number}-{key}.html", f"{key}.html") if key else []


def _features(row: Columns) -> str:
    return next((name for name in row.raw if name.startswith("feature")), "feature")


def _category(row: Columns) -> list[str]:
    field = row.first("categories_x_y_z", "categories", "category")
    names = _several(row.text(field))
    last = Columns({"path": names[-1]}).paths("path") if names else []
    return row.category_path(field, last[1:] if last[:1] == ["Home"] and len(last) > 1 else last)


def _several(text: str) -> list[str]:
    """Read a list in a cell: with semicolons in between where there are any, as thirty bees has it, else
    commas."""
    return [part for each in text.split(";" if ";" in text else ",") if (part := each.strip())]


def _knows(raw: Mapping[str, Any]) -> bool:
    named = any(name in raw for name in _NAMES)
    priced = any(name in raw for name in (*_BEFORE_TAX[:4], *_WITH_TAX))
    return is_combination(raw) or (named and ("active_0_1" in raw or priced))


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    """Name a product by its number, and by its reference where its combinations know it by that alone."""
    names = ("product_id", "id", "product_reference", "reference", *_NAMES)
    number = next((text for name in names if (text := str(raw.get(name) or "").strip())), "")
    reference = str(raw.get("reference") or "").strip()
    return RowKeys(number, [] if is_combination(raw) or not reference else [reference])


FORMAT = Format("PrestaShop products", _knows, read, _keys, adds=is_combination)
