"""BigCommerce's product CSV: rows for products, their variants (SKUs) and pictures, in both its versions."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mercat.catalog.columns import BadField, Columns, Cut, Format, PriceColumns, RowKeys, choices
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, ImportRow, ImportVariant

_KIND = ("item", "item_type")
_PICTURE = re.compile(r"product_image_(?:url|file)_\d+|internal_image_url_export|image_url_import|image_url")
_IDS = ("id", "product_id", "sku", "product_code_sku", "name", "product_name")
"""What names a product; no two have one name."""
_PRICES = PriceColumns("price", "sale_price", "retail_price")
_BARCODES = ("upc_ean", "global_trade_number", "product_upc_ean", "gps_global_trade_item_number")
_OPTION_V3 = re.compile(
    r"Name=(?P<name>[^|]*)\|Value=(?P<value>(?:\[[^\]]*\]|[^|])*?)(?=\||$|Type=[^|=]*\|Name=)"
)
"""Exports write the next option right behind a value: `Value=SType=Swatch|Name=Colour|Value=Red`."""
_SWATCH_V3 = re.compile(r"\[(?:#[0-9a-fA-F]{3,8}(?:[|,:#0-9a-fA-F]*)|https?://[^\]]*)\]$")
_OPTION_V2 = re.compile(r"(?:\[\w+\])?(?P<name>[^=\[\],]+)=(?P<value>.*)", re.DOTALL)
_NEXT_V2 = re.compile(r",\s*(?=(?:\[\w+\])?[^=\[\],]+=)")
_SWATCH_V2 = re.compile(r":(?:#[0-9a-fA-F]{3,6}\b.*|[^:]*\.(?:png|jpe?g|gif|webp))$", re.DOTALL)
_RULE = re.compile(r"\[(?P<how>ADD|REMOVE|FIXED)\](?P<amount>.+)")


def read(row: Columns) -> ImportRow:
    """Read a product; a variant without a price of its own has the product's."""
    currency = row.currency()
    row.used.update(_KIND)
    head = next((each for each in row.rows if _kind(each.raw) == "product"), row)
    skus = [each for each in row.rows if _kind(each.raw) in ("variant", "sku")]
    prices = head.prices(currency, _PRICES)
    tracked = head.text(head.first("inventory_tracking", "track_inventory")).casefold()

    rules: list[_Rule] = []
    for each in row.rows:
        if _kind(each.raw) == "rule" and (rule := _rule(each, currency)):
            rules.append(rule)
        row.cuts += [cut for cut in each.cuts if cut not in row.cuts]

    def variant(each: Columns) -> ImportVariant:
        quantity = each.stock(each.first("current_stock", "current_stock_level"))
        own = each.prices(currency, _PRICES)
        if not own["price"] and prices["price"]:
            own |= {"price": _ruled(prices["price"], dict(_options(each)), rules)}
        return ImportVariant(
            quantity=None if tracked in ("none", "off", "") and not quantity else quantity,
            options=each.option_pairs(_options(each)),
            sku=each.text(each.first("sku", "product_code_sku"), EXTERNAL_ID_MAX),
            gtin=each.gtin(each.first(*_BARCODES)),
            images=each.images("variant_image_url"),
            **(prices if own["price"] in (0, prices["price"]) and not own["sale"] else own),
        )

    variants = row.variants(variant, skus or [head])
    path = head.paths(head.first("categories", "category"), ";")
    visible = head.yes(head.first("is_visible", "product_visible"))
    pictures = [name for name in row.raw if _PICTURE.fullmatch(name)]
    return ImportRow(
        external_id=head.external_id(head.first(*_IDS)),
        title=head.title(head.first("name", "product_name")).removeprefix("[Sample] "),
        description=head.description(head.first("description", "product_description")),
        brand=head.text(head.first("brand_name", "brand"), BRAND_MAX) or None,
        category_path=[] if _is_numbers(path) else path,
        currency=currency,
        status="active" if visible else "draft",
        options=choices(variants),
        variants=variants,
        images=row.all_images(*pictures) if pictures else [],
        former_paths=head.former(head.text("product_url").rstrip("/")),
        **head.seo(head.first("page_title", "meta_title"), "meta_description"),
    )


def _is_numbers(path: list[str]) -> bool:
    """Say whether an export has the ids of categories for their names."""
    return all(name.isdigit() for name in path)


def _options(row: Columns) -> list[tuple[str, str]]:
    """Read `Type=Rectangles|Name=Size|Value=S` of version 3, `[S]Size=S` or `[RT]Size=S` of version 2; what a
    swatch shows, as in `Red[#cc0000]`, is not its name."""
    text = row.text("options") or row.text(row.first("name", "product_name"))
    if found := [*_OPTION_V3.finditer(text)]:
        return [(each["name"], _SWATCH_V3.sub("", each["value"])) for each in found]
    if not text.startswith("["):
        return []
    parts = [part for each in _NEXT_V2.split(text) if (part := _OPTION_V2.fullmatch(each.strip()))]
    return [(each["name"].strip(), _SWATCH_V2.sub("", each["value"]).strip()) for each in parts]


class _Rule(NamedTuple):
    """What those variants cost more or less than their product that have one of the values of each option."""

    values: dict[str, set[str]]
    how: str
    amount: int
    row: Columns


def _rule(row: Columns, currency: str) -> _Rule | None:
    """Read a rule of version 2, such as `[RB]Size=9,Size=10` with the price `[ADD]24`; None where it is about
    no price. One that cannot be read is said."""
    text = row.text("price")
    if not text or row.text("rule_enabled", 10).casefold() == "n":
        return None
    found, values = _RULE.fullmatch(text.strip()), dict[str, set[str]]()
    for name, value in _options(row):
        values.setdefault(name, set()).add(value)
    try:
        if found and values:
            amount = Columns({"price": found["amount"]}).decimal("price", currency)
            return _Rule(values, found["how"], amount, row)
    except BadField:
        pass
    row.cuts.append(Cut("price", f"has a rule that is not read ({text[:40]}): prices may be others"))
    return None


def _ruled(price: int, options: Mapping[str, str], rules: Sequence[_Rule]) -> int:
    for rule in rules:
        if all(options.get(name) in values for name, values in rule.values.items()):
            before = 0 if rule.how == "FIXED" else price
            price = rule.row.changed_price(
                before, -rule.amount if rule.how == "REMOVE" else rule.amount, "price"
            )
    return price


def _kind(raw: Mapping[str, Any]) -> str:
    return str(raw.get("item") or raw.get("item_type") or "").strip().casefold()


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    """Name a product by what its row has of ids and names; the rows after it belong to it."""
    if _kind(raw) != "product":
        return RowKeys("")
    given = ((name, str(raw.get(name) or "").strip()) for name in _IDS)
    return RowKeys(next((f"{name} {text}" for name, text in given if text), ""))


FORMAT = Format(
    "BigCommerce products",
    lambda raw: ("item" in raw and "current_stock" in raw) or ("item_type" in raw and "product_name" in raw),
    read,
    _keys,
)
