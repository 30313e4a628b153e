"""How each kind of file says a product. A row becomes an ImportRow, or is refused with field and reason.

Files known by their fields, without flags: our own (of `mercat generate`), an Icecat-like catalogue, a
retailer's products with a category path, books with ratings, and stock codes with prices. Anything else is
read by the plain columns that docs/import.md names.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, cast

from mercat import money
from mercat.catalog.messages import Attribute, ImportRow, ImportVariant
from mercat.catalog.rules import key_of
from mercat.money import MINOR_MAX

Raw = Mapping[str, Any]
_TITLE_MAX, _TEXT_MAX = 500, 20_000
_CATEGORY_MAX, _DEPTH_MAX = 80, 8  # together short enough for an index
_ATTRIBUTES_MAX, _OPTIONS_MAX, _VARIANTS_MAX = 500, 5, 200
_QUANTITY_MAX = 10_000_000
_COUNT_MAX = 2**31 - 1
_CURRENCY = re.compile(r"[A-Z]{3}")
_PATH = re.compile(r"[>/|]")


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


def _plain_text(value: str) -> str:
    """Without the characters that no text of a shop has: NUL, and what separates our own lists."""
    return value.replace("\x00", "").replace("\x1f", " ").strip()


def _text(raw: Raw, field: str, most: int = _TEXT_MAX, *, needed: bool = False) -> str:
    """A text, cut where it is too long; one that is needed must be there, and short enough."""
    value = raw.get(field)
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
        raise BadField(field, f"is not a text but {_kind(value)}")
    if isinstance(value, int) and abs(value) >= 2**64:
        raise BadField(field, "is an absurd number")
    text = "" if value is None else _plain_text(str(value))
    if needed and not text:
        raise BadField(field, "is missing")
    if needed and len(text) > most:
        raise BadField(field, f"is longer than {most} characters")
    return text[:most]


def _kind(value: object) -> str:
    kinds: list[tuple[type, str]] = [(bool, "true or false"), (list, "a list"), (dict, "an object")]
    return next((name for kind, name in kinds if isinstance(value, kind)), "something else")


def _whole(raw: Raw, field: str, most: int, what: str = "a whole number") -> int:
    """A count or an amount; 0 where there is none."""
    value = raw.get(field)
    if value is None or value == "":
        return 0
    try:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError
        number = int(value)
    except ValueError:
        raise BadField(field, f"is not {what}") from None
    if number < 0:
        raise BadField(field, "is negative")
    if number > most:
        raise BadField(field, "is absurdly large")
    return number


def _minor(raw: Raw, field: str) -> int:
    return _whole(raw, field, MINOR_MAX, "a whole number of minor units")


def _quantity(raw: Raw, field: str) -> int | None:
    """Units in stock; None where the file does not say."""
    return None if raw.get(field) in (None, "") else _whole(raw, field, _QUANTITY_MAX)


def _currency(raw: Raw, default: str = "USD") -> str:
    currency = _text(raw, "currency").upper() or default
    if not _CURRENCY.fullmatch(currency):
        raise BadField("currency", "is not a currency such as USD")
    return currency


def _texts(raw: Raw, field: str, most: int = 200, count: int = 50) -> list[str]:
    value = raw.get(field) or []
    if not isinstance(value, list) or not all(isinstance(part, str) for part in cast(list[Any], value)):
        raise BadField(field, "is not a list of texts")
    return [text for part in cast(list[str], value)[:count] if (text := _plain_text(part)[:most])]


def _path(names: list[str]) -> list[str]:
    """Names of categories from the root."""
    return [name[:_CATEGORY_MAX].strip() for name in names[:_DEPTH_MAX]]


def _options(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BadField("options", "is not an object")
    given = cast(dict[str, Any], value)
    if len(given) > _OPTIONS_MAX or not all(isinstance(each, str | int | float) for each in given.values()):
        raise BadField("options", f"is not up to {_OPTIONS_MAX} names with a text each")
    return {_plain_text(name)[:50]: _plain_text(str(each))[:50] for name, each in given.items()}


def _attributes(raw: Raw) -> dict[str, Attribute]:
    """Texts, numbers and yes-or-no; anything deeper is left out."""
    value = raw.get("attributes") or {}
    if not isinstance(value, dict):
        raise BadField("attributes", "is not an object")
    kept: dict[str, Attribute] = {}
    for name, part in list(cast(dict[str, Any], value).items())[:_ATTRIBUTES_MAX]:
        if isinstance(part, str):
            part = _plain_text(part)[:2_000]
        number = isinstance(part, int | float) and abs(part) < 2**63
        if number or (isinstance(part, str) and part):
            kept[_plain_text(name)[:200]] = part
    return kept


def _histogram(raw: Raw, field: str) -> list[int]:
    value = raw.get(field) or [0, 0, 0, 0, 0]
    if not isinstance(value, list) or len(cast(list[Any], value)) != 5:
        raise BadField(field, "is not five counts, of one to five stars")
    counts = cast(list[Any], value)
    if not all(type(n) is int and n >= 0 for n in counts) or sum(counts) > _COUNT_MAX:
        raise BadField(field, "is not five counts, of one to five stars")
    return counts


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
    if not 1000 <= moment.year <= 9000:
        raise BadField(field, "is not a date of our time")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _images(raw: Raw, *fields: str) -> list[str]:
    """Addresses that a browser may load; anything else is left out, and a picture is drawn."""
    given = [_text(raw, field, 2_000) for field in fields]
    return list(dict.fromkeys(url for url in given if url.startswith(("http://", "https://", "/media/"))))


def seller_of_row(raw: Raw) -> str:
    """Whose product it is, where the file says so; else nothing."""
    return " ".join(_text(raw, "seller", 100).split())


def _ours(raw: Raw) -> ImportRow:
    histogram = _histogram(raw, "rating_histogram")
    rating, count = _rated(histogram)
    given = raw.get("variants")
    if not isinstance(given, list) or not given or len(cast(list[Any], given)) > _VARIANTS_MAX:
        raise BadField("variants", f"is not a list of 1 to {_VARIANTS_MAX} variants")
    options = raw.get("options") or {}
    if not isinstance(options, dict):
        raise BadField("options", "is not an object")
    choices = cast(dict[str, Any], options)
    images = {"url" + str(n): url for n, url in enumerate(_texts(raw, "image_urls", 2_000))}
    return ImportRow(
        external_id=_text(raw, "external_id", 200, needed=True),
        title=_text(raw, "title", _TITLE_MAX, needed=True),
        description=_text(raw, "description"),
        brand=_text(raw, "brand", 200) or None,
        category_path=_path(_texts(raw, "category_path")),
        currency=_currency(raw),
        attributes=_attributes(raw),
        tags=_texts(raw, "tags"),
        options={_plain_text(name)[:50]: _texts(choices, name, 50, _VARIANTS_MAX) for name in choices},
        variants=_variants(cast(list[Any], given)),
        images=_images(images, *images),
        rating=rating,
        review_count=count,
        histogram=histogram,
        popularity=_whole(raw, "popularity", _COUNT_MAX),
        released=_date(raw, "released"),
    )


def _variants(given: list[Any]) -> list[ImportVariant]:
    variants: list[ImportVariant] = []
    for n, one in enumerate(given):
        if not isinstance(one, dict):
            raise BadField("variants", "holds something that is not an object")
        variant = cast(Raw, one)
        try:
            variants.append(
                ImportVariant(
                    _minor(variant, "price"),
                    _quantity(variant, "quantity"),
                    _options(variant.get("options") or {}),
                    _text(variant, "sku", 200),
                )
            )
        except BadField as error:
            raise BadField(f"variants[{n}].{error.field}", error.reason) from None
    if len({key_of(variant) for variant in variants}) < len(variants):
        raise BadField("variants", "are not told apart: each needs a sku or options of its own")
    return variants


def _catalogue(raw: Raw) -> ImportRow:
    kind = _text(raw, "type_derived", 200)
    tags = [part for part in (_text(raw, "model", 200),) if part]
    return ImportRow(
        external_id=_text(raw, "id", 200, needed=True),
        title=_text(raw, "title", _TITLE_MAX, needed=True),
        description=_text(raw, "description"),
        brand=_text(raw, "brand", 200) or None,
        category_path=_path([_headed(kind)]) if kind else [],
        currency=_currency(raw),
        attributes=_attributes(raw),
        tags=tags,
        variants=[ImportVariant(_minor(raw, "price_cents"))],
        images=_images(raw, "image", "image_high"),
        released=_date(raw, "released"),
    )


def _retailer(raw: Raw) -> ImportRow:
    return ImportRow(
        external_id=_text(raw, "id", 200, needed=True),
        title=_text(raw, "title", _TITLE_MAX, needed=True),
        description=_text(raw, "description"),
        brand=_text(raw, "brand", 200) or None,
        category_path=_path(_texts(raw, "category_path")),
        currency=_currency(raw),
        variants=[ImportVariant(_minor(raw, "price_cents"))],
        images=_images(raw, "image"),
        popularity=_whole(raw, "popularity", _COUNT_MAX),
    )


def _headed(kind: str) -> str:
    """notebook case: Notebook case; pc: PC."""
    words = [word if set(word) & set("aeiouy") else word.upper() for word in kind.split()]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def _book(raw: Raw) -> ImportRow:
    authors = _texts(raw, "authors")
    histogram = _histogram(raw, "ratings_hist")
    rating, count = _rated(histogram)
    facts: dict[str, Attribute] = {"authors": ", ".join(authors)} if authors else {}
    for field in ("isbn13", "language"):
        if text := _text(raw, field, 50):
            facts[field] = text
    if raw.get("year"):
        facts["year"] = _year(raw)
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
        popularity=_whole(raw, "ratings_count", _COUNT_MAX),
    )


def _year(raw: Raw) -> float:
    year = raw["year"]
    if isinstance(year, bool) or not isinstance(year, int | float) or not -5_000 <= year <= 9_000:
        raise BadField("year", "is not a year")
    return year


def _stock_code(raw: Raw) -> ImportRow:
    name = _text(raw, "description", _TITLE_MAX, needed=True)
    return ImportRow(
        external_id=_text(raw, "stock_code", 200, needed=True),
        title=" ".join(word.capitalize() if word.isalpha() else word for word in name.split()),
        category_path=["Gifts"],
        currency=_currency(raw, "GBP"),
        variants=[ImportVariant(_minor(raw, "price_pence_median"))],
    )


def _plain(raw: Raw) -> ImportRow:
    currency = _currency(raw)
    columns = {name: value for name, value in raw.items() if name.startswith("attributes.")}
    attributes = {
        _plain_text(name.removeprefix("attributes."))[:200]: text
        for name in columns
        if (text := _text(columns, name, 2_000))
    }
    category = raw.get("category")
    names = _texts(raw, "category") if isinstance(category, list) else _PATH.split(_text(raw, "category"))
    tags = raw.get("tags")
    return ImportRow(
        external_id=_text(raw, "external_id", 200, needed=True),
        title=_text(raw, "title", _TITLE_MAX, needed=True),
        description=_text(raw, "description"),
        brand=_text(raw, "brand", 200) or None,
        category_path=_path([name.strip() for name in names if name.strip()]),
        currency=currency,
        attributes={**attributes, **_attributes(raw)},
        tags=_texts(raw, "tags")
        if isinstance(tags, list)
        else [tag.strip()[:200] for tag in _text(raw, "tags").split(",") if tag.strip()],
        variants=[ImportVariant(_decimal(raw, "price", currency), _quantity(raw, "quantity"))],
        images=_images(raw, "image_url", "image"),
    )


def _decimal(raw: Raw, field: str, currency: str) -> int:
    """A price in minor units; 0 where there is none."""
    value = raw.get(field)
    if value is None or value == "":
        return 0
    try:
        price = money.minor(Decimal(str(value).strip()), currency)
    except InvalidOperation:
        raise BadField(field, "is not a number such as 79.99") from None
    except ValueError as error:
        raise BadField(field, f"is not a price: {error}") from None
    if price < 0:
        raise BadField(field, "is negative")
    return price


SOURCES = (
    Source("Mercat products", lambda raw: "external_id" in raw and "variants" in raw, _ours),
    Source("catalogue", lambda raw: "price_cents" in raw and "ean" in raw, _catalogue),
    Source("retailer's products", lambda raw: "price_cents" in raw and "category_path" in raw, _retailer),
    Source("books", lambda raw: "ratings_hist" in raw, _book),
    Source("stock codes", lambda raw: "stock_code" in raw, _stock_code),
    Source("plain columns", lambda raw: True, _plain),
)


def recognise(rows: Iterable[Raw]) -> Source:
    """The source that a file's first rows speak: the first that knows one of them."""
    given = list(rows)
    return next(source for source in SOURCES if any(source.knows(raw) for raw in given))
