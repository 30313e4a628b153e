"""How each kind of file says a product. A row becomes an ImportRow, or is refused with field and reason.

Files known by their fields, without flags: our own (of `mercat generate`), an Icecat-like catalogue, a
retailer's products with a category path, books with ratings, and stock codes with prices. Anything else is
read by the plain columns that docs/import.md names.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from mercat import money
from mercat.catalog.messages import Attribute, ImportRow, ImportVariant

Raw = Mapping[str, Any]
_PRICE_MAX = 10**11
_TITLE_MAX, _TEXT_MAX = 500, 20_000


class BadField(Exception):
    """A row cannot be taken: its field, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


class Source(NamedTuple):
    name: str
    knows: Callable[[Raw], bool]
    read: Callable[[Raw], ImportRow]


def _text(raw: Raw, field: str, most: int = _TEXT_MAX, *, needed: bool = False) -> str:
    value = raw.get(field)
    if value is None or value == "":
        if needed:
            raise BadField(field, "is missing")
        return ""
    if not isinstance(value, str | int | float):
        raise BadField(field, f"is not a text but {type(value).__name__}")
    text = str(value).replace("\x00", "").strip()
    if needed and not text:
        raise BadField(field, "is empty")
    if len(text) > most:
        if field in ("title", "id"):
            raise BadField(field, f"is longer than {most} characters")
        text = text[:most]
    return text


def _minor(raw: Raw, field: str) -> int:
    """A price in minor units; 0 where there is none."""
    value = raw.get(field)
    if value is None or value == "":
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadField(field, "is not a whole number of minor units")
    if not 0 <= value <= _PRICE_MAX:
        raise BadField(field, "is negative or absurd")
    return value


def _texts(raw: Raw, field: str) -> list[str]:
    value = raw.get(field) or []
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise BadField(field, "is not a list of texts")
    return [part.replace("\x00", "") for part in value]


def _attributes(raw: Raw, field: str = "attributes") -> dict[str, Attribute]:
    value = raw.get(field) or {}
    if not isinstance(value, dict):
        raise BadField(field, "is not an object")
    return {
        str(name)[:200]: (part.replace("\x00", "")[:2_000] if isinstance(part, str) else part)
        for name, part in value.items()
        if isinstance(part, str | int | float | bool)
    }


def _histogram(raw: Raw, field: str) -> list[int]:
    value = raw.get(field) or [0, 0, 0, 0, 0]
    if not (
        isinstance(value, list) and len(value) == 5 and all(isinstance(n, int) and n >= 0 for n in value)
    ):
        raise BadField(field, "is not five counts, of one to five stars")
    return value


def _rated(histogram: list[int]) -> tuple[float, int]:
    count = sum(histogram)
    return (sum(stars * n for stars, n in enumerate(histogram, 1)) / count if count else 0.0), count


def _date(raw: Raw, field: str) -> datetime | None:
    value = raw.get(field)
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise BadField(field, "is not a date such as 2026-11-23") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _images(raw: Raw, *fields: str) -> list[str]:
    return [url for field in fields if (url := _text(raw, field, 2_000)).startswith(("http://", "https://"))]


def _ours(raw: Raw) -> ImportRow:
    histogram = _histogram(raw, "rating_histogram")
    rating, count = _rated(histogram)
    given = raw.get("variants")
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        raise BadField("variants", "is not a list of at least one variant")
    variants = [
        ImportVariant(
            _minor(one, "price"),
            _minor(one, "quantity"),
            {str(name): str(value) for name, value in (one.get("options") or {}).items()},
            _text(one, "sku", 200),
        )
        for one in given
    ]
    options = raw.get("options") or {}
    if not isinstance(options, dict):
        raise BadField("options", "is not an object")
    return ImportRow(
        external_id=_text(raw, "external_id", 200, needed=True),
        title=_text(raw, "title", _TITLE_MAX, needed=True),
        description=_text(raw, "description"),
        brand=_text(raw, "brand", 200) or None,
        category_path=_texts(raw, "category_path"),
        currency=_text(raw, "currency", 3) or "USD",
        attributes=_attributes(raw),
        tags=_texts(raw, "tags"),
        options={str(name): [str(value) for value in values] for name, values in options.items()},
        variants=variants,
        images=_texts(raw, "image_urls"),
        rating=rating,
        review_count=count,
        histogram=histogram,
        popularity=_minor(raw, "popularity"),
        released=_date(raw, "released"),
    )


def _catalogue(raw: Raw) -> ImportRow:
    kind = _text(raw, "type_derived", 200)
    tags = [part for part in (_text(raw, "model", 200),) if part]
    return ImportRow(
        external_id=_text(raw, "id", 200, needed=True),
        title=_text(raw, "title", _TITLE_MAX, needed=True),
        description=_text(raw, "description"),
        brand=_text(raw, "brand", 200) or None,
        category_path=[kind[:1].upper() + kind[1:]] if kind else [],
        currency=_text(raw, "currency", 3) or "USD",
        attributes=_attributes(raw),
        tags=tags,
        variants=[ImportVariant(_minor(raw, "price_cents"))],
        images=list(dict.fromkeys(_images(raw, "image", "image_high"))),
        released=_date(raw, "released"),
    )


def _retailer(raw: Raw) -> ImportRow:
    return ImportRow(
        external_id=_text(raw, "id", 200, needed=True),
        title=_text(raw, "title", _TITLE_MAX, needed=True),
        description=_text(raw, "description"),
        brand=_text(raw, "brand", 200) or None,
        category_path=_texts(raw, "category_path"),
        currency=_text(raw, "currency", 3) or "USD",
        variants=[ImportVariant(_minor(raw, "price_cents"))],
        images=_images(raw, "image"),
        popularity=_minor(raw, "popularity"),
    )


def _book(raw: Raw) -> ImportRow:
    authors = _texts(raw, "authors")
    histogram = _histogram(raw, "ratings_hist")
    rating, count = _rated(histogram)
    facts: dict[str, Attribute] = {"authors": ", ".join(authors)}
    for field in ("isbn13", "language", "year"):
        if raw.get(field):
            facts[field] = str(raw[field]) if field != "year" else raw[field]
    return ImportRow(
        external_id=_text(raw, "id", 200, needed=True),
        title=_text(raw, "title", _TITLE_MAX, needed=True),
        description=f"By {', '.join(authors)}." if authors else "",
        brand=authors[0] if authors else None,
        category_path=["Books"],
        attributes=facts,
        tags=authors[:5],
        images=_images(raw, "image"),
        rating=rating,
        review_count=count,
        histogram=histogram,
        popularity=min(_minor(raw, "ratings_count"), 2**31 - 1),
    )


def _stock_code(raw: Raw) -> ImportRow:
    name = _text(raw, "description", _TITLE_MAX, needed=True)
    return ImportRow(
        external_id=_text(raw, "stock_code", 200, needed=True),
        title=" ".join(word.capitalize() if word.isalpha() else word for word in name.split()),
        category_path=["Gifts"],
        currency=_text(raw, "currency", 3) or "GBP",
        variants=[ImportVariant(_minor(raw, "price_pence_median"))],
    )


def _plain(raw: Raw) -> ImportRow:
    currency = _text(raw, "currency", 3).upper() or "USD"
    attributes = {
        name.removeprefix("attributes."): str(value)
        for name, value in raw.items()
        if name.startswith("attributes.") and value not in (None, "")
    }
    category = _text(raw, "category", 400)
    given = raw.get("quantity")
    return ImportRow(
        external_id=_text(raw, "external_id", 200, needed=True),
        title=_text(raw, "title", _TITLE_MAX, needed=True),
        description=_text(raw, "description"),
        brand=_text(raw, "brand", 200) or None,
        category_path=[part.strip() for part in re.split(r"\s*[>/|]\s*", category) if part.strip()],
        currency=currency,
        attributes={**attributes, **_attributes(raw)}
        if isinstance(raw.get("attributes"), dict)
        else {**attributes},
        tags=[part.strip() for part in _text(raw, "tags", 2_000).split(",") if part.strip()],
        variants=[
            ImportVariant(
                _decimal(raw, "price", currency), None if given in (None, "") else _whole(raw, "quantity")
            )
        ],
        images=_images(raw, "image_url", "image"),
    )


def _decimal(raw: Raw, field: str, currency: str) -> int:
    value = raw.get(field)
    if value is None or value == "":
        return 0
    try:
        price = money.minor(Decimal(str(value).strip()), currency)
    except (InvalidOperation, ValueError) as error:
        raise BadField(field, str(error) if isinstance(error, ValueError) else "is not a number") from None
    if price < 0:
        raise BadField(field, "is negative")
    return price


def _whole(raw: Raw, field: str) -> int:
    try:
        number = int(str(raw[field]).strip())
    except ValueError:
        raise BadField(field, "is not a whole number") from None
    if not 0 <= number <= 10_000_000:
        raise BadField(field, "is negative or absurd")
    return number


SOURCES = (
    Source("Mercat products", lambda raw: "external_id" in raw and "variants" in raw, _ours),
    Source("catalogue", lambda raw: "price_cents" in raw and "ean" in raw, _catalogue),
    Source("retailer's products", lambda raw: "price_cents" in raw and "category_path" in raw, _retailer),
    Source("books", lambda raw: "ratings_hist" in raw, _book),
    Source("stock codes", lambda raw: "stock_code" in raw, _stock_code),
    Source("plain columns", lambda raw: True, _plain),
)


def recognise(first: Raw) -> Source:
    """The source that a file's first row speaks."""
    return next(source for source in SOURCES if source.knows(first))
