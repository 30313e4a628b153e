"""Yandex Market's catalogues (YML), which shops in Russian and their neighbours' marketplaces write too."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from mercat.catalog.columns import Columns, Format, PriceColumns, RowKeys, choices
from mercat.catalog.messages import BRAND_MAX, COUNT_MAX, EXTERNAL_ID_MAX, ImportRow, ImportVariant

_STOCK = ("count", "stock_quantity", "quantity_in_stock", "quantity", "instock")
_FACTS = {
    "vendorcode": "Vendor code",
    "model": "Model",
    "country_of_origin": "Country of origin",
    "country": "Country of origin",
    "author": "Author",
    "publisher": "Publisher",
    "isbn": "ISBN",
    "year": "Year",
    "condition": "Condition",
}
_FORMER_CODES = {"RUR": "RUB", "BYR": "BYN"}
_NO = ("false", "0", "no")


def read(row: Columns) -> ImportRow:
    """Read the offers of one `group_id` as variants, which the params that they differ in tell apart.

    An offer without a name is called by its kind, vendor and model. What is not `available` is not there; of
    the rest there is what a count says, if there is one."""
    code = row.text("currencyid").upper()
    row.used.add("categoryid")  # the reader of XML has found its names
    currency = row.currency(_FORMER_CODES.get(code, code))
    params = {id(each): _params(each) for each in row.rows}
    names = dict.fromkeys(name for each in row.rows for name in params[id(each)])
    different = [name for name in names if len({params[id(each)].get(name) for each in row.rows}) > 1]

    def variant(each: Columns) -> ImportVariant:
        prices = PriceColumns("price", "price_promo", each.first("oldprice", "price_old", "old_price"))
        gone = each.text("available").casefold() in _NO
        stock = each.stock(each.first(*_STOCK))
        return ImportVariant(
            quantity=0 if gone else stock,
            options=each.option_pairs((name, params[id(each)].get(name, "")) for name in different),
            sku=each.text("id", EXTERNAL_ID_MAX),
            gtin=each.gtin("barcode"),
            weight_g=each.weight("weight", "kg"),
            images=each.image_list("picture")[:1] if len(row.rows) > 1 else [],
            **each.prices(currency, prices),
        )

    variants = row.variants(variant)
    if not row.text("name"):
        parts = (row.text(part) for part in ("typeprefix", "vendor", "model"))
        row.raw = {**row.raw, "name": " ".join(filter(None, parts)) or row.text("title")}
    facts = [(name, row.text(field)) for field, name in _FACTS.items()]
    alike = [(name, value) for name, value in params[id(row)].items() if name not in different]
    return ImportRow(
        external_id=row.external_id(row.first("group_id", "id")),
        title=row.title("name"),
        description=row.description(),
        brand=row.text("vendor", BRAND_MAX) or None,
        category_path=row.category_path("category_path"),
        currency=currency,
        status="draft" if row.text("disabled").casefold() in ("true", "1") else "active",
        attributes=row.attribute_pairs([*facts, *alike]),
        tags=row.tags("keywords"),
        options=choices(variants),
        variants=variants,
        images=row.all_images("picture"),
        former_paths=row.former(urlsplit(url).path) if (url := row.text("url")).startswith("http") else [],
    )


def _params(row: Columns) -> dict[str, str]:
    """Read what an offer's params say, by their names; of one that comes again all values."""
    found: dict[str, list[str]] = {}
    given = row.objects("param", COUNT_MAX, "params with a name and a value") if row.get("param") else []
    for each in given:
        name, unit, value = each.text("name"), each.text("unit"), each.text("value")
        if name and value:
            found.setdefault(f"{name} ({unit})" if unit else name, []).append(value)
    return {name: ", ".join(dict.fromkeys(values)) for name, values in found.items()}


def _keys(raw: Mapping[str, Any]) -> RowKeys:
    return RowKeys(str(raw.get("group_id") or f"id:{raw.get('id') or ''}"))


FORMAT = Format("Yandex Market YML", lambda raw: "categoryid" in raw and "param" in raw, read, _keys)
