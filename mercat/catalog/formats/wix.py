"""Wix's product CSV, by older and newer headings: a row for each product, for each variant and picture."""

from collections.abc import Mapping
from typing import Any

from mercat.catalog.columns import BadField, Columns, Format, RowKeys, choices
from mercat.catalog.formatted import entities
from mercat.catalog.messages import (
    BRAND_MAX,
    EXTERNAL_ID_MAX,
    IMAGES_MAX,
    TITLE_MAX,
    ImportRow,
    ImportVariant,
    SalePrice,
)
from mercat.catalog.rules import slug_of

_OPTIONS = 6
_MEDIA = "https://static.wixstatic.com/media/"
_VALUES = ("productoptiondescription", "productoptionchoices")
_SOLD_OUT = ("outofstock", "out_of_stock")
_KINDS = ("product", "variant", "media")
_UNCOUNTED = ("instock", "in_stock")


def read(row: Columns) -> ImportRow:
    """Read a product. Older files add a variant's surcharge to the price, or take it off, and take a discount
    off for as long as it stands; newer ones say each variant's price. `InStock` is no number."""
    currency = row.currency()
    row.used.add("fieldtype")
    head = next((each for each in row.rows if _kind(each.raw) == "product"), row)
    names = [head.text(each) for each in _numbered(head, "productoptionname")]
    base = head.decimal("price", currency)

    def variant(each: Columns) -> ImportVariant:
        values = [each.text(name) for name in _numbered(each, *_VALUES)]
        texts = [value.rpartition(":")[2] if value.startswith("#") else value for value in values]
        own = each.decimal("price", currency) or base
        price = each.changed_price(own, each.difference("surcharge", currency), "surcharge")
        compared = each.decimal("strikethroughprice", currency)
        return ImportVariant(
            price,
            _stock(each),
            each.option_pairs(zip(names, texts, strict=True)) if each is not head else {},
            each.text("sku", EXTERNAL_ID_MAX),
            gtin=each.gtin("barcode"),
            compare_at_price=compared if compared > price else None,
            sale=_discounted(head, price, currency),
        )

    variants = row.variants(variant, [each for each in row.rows if _kind(each.raw) == "variant"] or [head])
    row.bad += [
        (each.line, BadField("fieldtype", f"is no kind of row that is known: “{_kind(each.raw)[:40]}”"))
        for each in row.rows
        if each is not head and _kind(each.raw) not in _KINDS
    ]
    pictures = _pictures(row, head)
    return ImportRow(
        former_paths=head.former(f"/product-page/{slug_of(head.title('name'))}"),
        external_id=head.external_id(head.first("handleid", "handle")),
        title=head.title("name"),
        description=head.description(head.first("description", "plaindescription")),
        brand=head.text("brand", BRAND_MAX) or None,
        category_path=head.category_path("collection", _listed(head, "collection")[:1]),
        currency=currency,
        status="active" if head.yes("visible") else "draft",
        options=choices(variants),
        variants=variants,
        images=list(pictures),
        alts={url: alt for url, alt in pictures.items() if alt},
    )


def _pictures(row: Columns, head: Columns) -> dict[str, str]:
    """Read the pictures of a product, by older files in one cell, by newer ones also in rows of their own;
    each with what it shows."""
    told: dict[str, str] = {}
    for each in [head, *(each for each in row.rows if _kind(each.raw) == "media")]:
        names = _listed(each, each.first("productimageurl", "media"))
        urls = [name if "/" in name else _MEDIA + name for name in names]
        alt = entities(each.text("mediaalttext", TITLE_MAX))
        for url in urls:
            told[url] = told.get(url) or (alt if url == urls[0] else "")
        if each is not row:
            row.cuts += [cut for cut in each.cuts if cut not in row.cuts]
    kept = row.few("media", row.loadable("media", list(told)), IMAGES_MAX)
    return {url: told[url] for url in kept}


def _discounted(head: Columns, price: int, currency: str) -> SalePrice | None:
    """Take a discount of so many per cent, or of an amount, off a price; None where it takes nothing off."""
    mode, value = head.text("discountmode").casefold(), "discountvalue"
    if mode == "percent":
        reduced = price - price * min(head.whole(value), 100) // 100
    else:
        reduced = price - head.decimal(value, currency)
    return SalePrice(price=reduced) if 0 < reduced < price else None


def _numbered(row: Columns, *names: str) -> list[str]:
    """Name the columns of each option, `NAME1` of older files and `NAME[1]` of newer ones."""
    return [
        row.first(*(each for name in names for each in (f"{name}{n}", f"{name}_{n}")))
        for n in range(1, _OPTIONS + 1)
    ]


def _listed(row: Columns, field: str) -> list[str]:
    return [part.strip() for part in row.text(field).split(";") if part.strip()]


def _stock(row: Columns) -> int | None:
    word = row.text("inventory").casefold()
    return 0 if word in _SOLD_OUT else None if word in _UNCOUNTED else row.stock("inventory")


def _kind(raw: Mapping[str, Any]) -> str:
    """Say what a row is of: a `product`, a `variant` or a picture (`media`)."""
    return str(raw.get("fieldtype") or "product").strip().casefold()


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    return RowKeys(str(raw.get("handleid") or raw.get("handle") or ""))


FORMAT = Format(
    "Wix products", lambda raw: "fieldtype" in raw and ("handleid" in raw or "handle" in raw), read, _keys
)
