"""Products as Best Buy's API, its open data set and indexes of search engines made of it have them: JSON
lines or an array of them."""

from collections.abc import Mapping
from typing import Any, cast

from mercat.catalog.columns import BadField, Columns, Format
from mercat.catalog.messages import BRAND_MAX, EXTERNAL_ID_MAX, ImportRow, ImportVariant


def read(row: Columns) -> ImportRow:
    """Read a product with one variant; prices are decimals. `active` and `onlineavailability` say what is for
    sale, and how many there are nobody says."""
    currency = row.currency()
    regular = row.decimal(row.first("regularprice", "price", "saleprice"), currency)
    price = row.decimal(row.first("saleprice", "price", "regularprice"), currency)
    sold_out = row.get("onlineavailability") is False
    active = row.get("active") is not False
    facts = [(name, row.text(field)) for field, name in _FACTS.items() if isinstance(row.get(field), str)]
    return ImportRow(
        external_id=row.external_id(row.first(*_IDS)),
        title=row.title("name"),
        description=row.description(row.first("longdescription", "description", "shortdescription")),
        brand=row.text(row.first("manufacturer", "brand"), BRAND_MAX) or None,
        category_path=row.category_path(row.first(*_PATHS), _path(row)),
        currency=currency,
        status="active" if active else "draft",
        attributes=row.attribute_pairs(facts),
        variants=[
            ImportVariant(
                price,
                0 if sold_out else None,
                sku=row.text("sku", EXTERNAL_ID_MAX),
                gtin=row.gtin("upc"),
                compare_at_price=regular if regular > price else None,
            )
        ],
        images=row.images(row.first("largeimage", "image", "mediumimage")),
        popularity=_popularity(row),
    )


_IDS = ("sku", "objectid")
_PATHS = ("category", "categorypath", "categories")
_FACTS = {"modelnumber": "Model", "model": "Model", "color": "Color", "type": "Type"}


def _popularity(row: Columns) -> int:
    """Read how much it is asked for; 0 where that is no count, as in indexes that weigh it."""
    try:
        return row.whole("popularity")
    except BadField:
        return 0


def _path(row: Columns) -> list[str]:
    """Read the names of `[{"id": …, "name": …}]`, or a list of names; the shop's own is left out."""
    given: Any = row.get(row.first(*_PATHS)) or []
    parts = cast(list[Any], given) if isinstance(given, list) else []
    names = [
        str(cast(Mapping[str, Any], each).get("name", "") if isinstance(each, dict) else each)
        for each in parts
    ]
    return [name for name in names if name and name != "Best Buy"]


def _knows(raw: Mapping[str, Any]) -> bool:
    listed = any(isinstance(raw.get(name), list) for name in _PATHS)
    made = "manufacturer" in raw or "upc" in raw or ("objectid" in raw and "brand" in raw)
    return any(name in raw for name in _IDS) and "name" in raw and listed and made


FORMAT = Format("Best Buy products", _knows, read)
