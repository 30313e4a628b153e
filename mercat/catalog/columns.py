"""The fields of one row of a file, read one by one: each is what it should be, is cut, or refuses the row."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from mercat import money
from mercat.catalog.messages import (
    ATTRIBUTE_NAME_MAX,
    ATTRIBUTE_TEXT_MAX,
    ATTRIBUTES_MAX,
    BRAND_MAX,
    CATEGORY_DEPTH_MAX,
    CATEGORY_NAME_MAX,
    COUNT_MAX,
    DESCRIPTION_MAX,
    EXTERNAL_ID_MAX,
    IMAGE_URL_MAX,
    IMAGES_MAX,
    OPTION_MAX,
    OPTIONS_MAX,
    TAG_MAX,
    TAGS_MAX,
    TITLE_MAX,
    GivenTexts,
    ImportRow,
)
from mercat.events import STOCK_MAX
from mercat.money import MINOR_MAX

Item = TypeVar("Item")
_CURRENCY = re.compile(r"[A-Z]{3}")
_SELLER_NAME_MAX = 100


class BadField(Exception):
    """A row cannot be taken: its field, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


class Cut(NamedTuple):
    """A field that was shortened to what the shop keeps, and how."""

    field: str
    reason: str


class Format(NamedTuple):
    """A kind of file. `knows`: whether a row is of it; `read`: the product of a row, or BadField."""

    name: str
    knows: Callable[[Mapping[str, Any]], bool]
    read: "Callable[[Columns], ImportRow]"


class Columns:
    """Read a row by field. `cuts`: what was shortened so far; BadField is raised where nothing helps."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.cuts: list[Cut] = []

    # -- texts

    def text(self, field: str, most: int = DESCRIPTION_MAX, *, needed: bool = False) -> str:
        """Read a text, cut where it is too long; one that is needed must be there, and short enough."""
        value = self.raw.get(field)
        if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
            raise BadField(field, f"is not a text but {_kind(value)}")
        if isinstance(value, int) and abs(value) >= 2**64:
            raise BadField(field, "is an absurd number")
        text = "" if value is None else plain_text(str(value))
        if needed and not text:
            raise BadField(field, "is missing")
        if needed and len(text) > most:
            raise BadField(field, f"is longer than {most} characters")
        return self._short(field, text, most)

    def external_id(self, field: str) -> str:
        """Read the source's own id of the product, which it must have."""
        return self.text(field, EXTERNAL_ID_MAX, needed=True)

    def title(self, field: str = "title") -> str:
        """Read the title, which the product must have."""
        return self.text(field, TITLE_MAX, needed=True)

    def brand(self) -> str | None:
        """Read the brand, if there is one."""
        return self.text("brand", BRAND_MAX) or None

    def product_texts(self) -> dict[str, Any]:
        """Read what a product says of itself, each field by its name and cut at its limit."""
        texts: dict[str, Any] = {name: self.text(name, most) or default for name, most, default in _TEXTS}
        return texts | {"title": self.title()}

    def seller(self) -> str:
        """Read whose product it is, where the file says so; else nothing."""
        return " ".join(self.text("seller", _SELLER_NAME_MAX).split())

    def currency(self, default: str = "USD") -> str:
        """Read an ISO 4217 code."""
        currency = self.text("currency").upper() or default
        if not _CURRENCY.fullmatch(currency):
            raise BadField("currency", "is not a currency such as USD")
        return currency

    def texts(self, field: str, most: int, count: int) -> list[str]:
        """Read a list of texts; those beyond `count` are left out, and each is cut at `most` characters."""
        value: object = self.raw.get(field) or []
        if not isinstance(value, list) or not all(isinstance(part, str) for part in cast(list[Any], value)):
            raise BadField(field, "is not a list of texts")
        kept = self._few(field, cast(list[str], value), count)
        return [text for part in kept if (text := self._short(field, plain_text(part), most))]

    def tags(self, field: str = "tags") -> list[str]:
        """Read tags: a list, or a text with commas between them."""
        if isinstance(self.raw.get(field), list):
            return self.texts(field, TAG_MAX, TAGS_MAX)
        tags = [tag.strip() for tag in self.text(field).split(",") if tag.strip()]
        return [self._short(field, tag, TAG_MAX) for tag in self._few(field, tags, TAGS_MAX)]

    def category_path(self, field: str, names: list[str] | None = None) -> list[str]:
        """Read names of categories from the root: a list, or the `names` that the caller found there."""
        if names is None:
            names = self.texts(field, DESCRIPTION_MAX, COUNT_MAX)
        return [
            self._short(field, name, CATEGORY_NAME_MAX).strip()
            for name in self._few(field, names, CATEGORY_DEPTH_MAX)
        ]

    def images(self, *fields: str) -> list[str]:
        """Read addresses that a browser may load, of a field each; anything else is left out."""
        return self._loadable([self.text(field, IMAGE_URL_MAX) for field in fields])

    def image_list(self, field: str) -> list[str]:
        """Read a list of addresses that a browser may load; anything else is left out."""
        return self._loadable(self.texts(field, IMAGE_URL_MAX, IMAGES_MAX))

    # -- numbers

    def whole(self, field: str, most: int = COUNT_MAX, what: str = "a whole number") -> int:
        """Read a count or an amount; 0 where there is none."""
        value = self.raw.get(field)
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

    def minor(self, field: str) -> int:
        """Read a price in minor units; 0 where there is none."""
        return self.whole(field, MINOR_MAX, "a whole number of minor units")

    def decimal(self, field: str, currency: str) -> int:
        """Read a price such as 79.99 into minor units; 0 where there is none."""
        value = self.raw.get(field)
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

    def quantity(self, field: str = "quantity") -> int | None:
        """Read units in stock; None where the file does not say."""
        return None if self.raw.get(field) in (None, "") else self.whole(field, STOCK_MAX)

    def histogram(self, field: str) -> list[int]:
        """Read how often one to five stars were given."""
        value = self.raw.get(field) or [0, 0, 0, 0, 0]
        if not isinstance(value, list) or len(cast(list[Any], value)) != 5:
            raise BadField(field, "is not five counts, of one to five stars")
        counts = cast(list[Any], value)
        if not all(type(n) is int and n >= 0 for n in counts) or sum(counts) > COUNT_MAX:
            raise BadField(field, "is not five counts, of one to five stars")
        return counts

    def date(self, field: str) -> datetime | None:
        """Read an ISO 8601 date or time; UTC where it does not say."""
        value = self.raw.get(field)
        if not value:
            return None
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise BadField(field, "is not a date such as 2026-11-23") from None
        if not 1000 <= moment.year <= 9000:
            raise BadField(field, "is not a date of our time")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    # -- objects

    def objects(self, field: str, most: int, what: str) -> list["Columns"]:
        """Read a list of 1 to `most` objects, each to be read by field in turn."""
        value = self.raw.get(field)
        if not isinstance(value, list) or not value or len(cast(list[Any], value)) > most:
            raise BadField(field, f"is not a list of 1 to {most} {what}")
        if not all(isinstance(each, dict) for each in cast(list[Any], value)):
            raise BadField(field, "holds something that is not an object")
        return [Columns(each) for each in cast(list[Mapping[str, Any]], value)]

    def attributes(self, prefix: str = "") -> dict[str, str | int | float | bool]:
        """Read attributes: an object of texts, numbers and yes-or-no (anything deeper is left out), and with
        `prefix` also the columns whose names begin so."""
        found: dict[str, Any] = {}
        if prefix:
            names = [name for name in self.raw if name.startswith(prefix)]
            found = {name.removeprefix(prefix): text for name in names if (text := self.text(name))}
        value: object = self.raw.get("attributes") or {}
        if not isinstance(value, dict):
            raise BadField("attributes", "is not an object")
        found |= cast(dict[str, Any], value)
        kept: dict[str, str | int | float | bool] = {}
        for name, part in found.items():
            if isinstance(part, str):
                part = self._short("attributes", plain_text(part), ATTRIBUTE_TEXT_MAX)
            number = isinstance(part, int | float) and abs(part) < 2**63
            name = self._short("attributes", plain_text(name), ATTRIBUTE_NAME_MAX)
            if name and (number or (isinstance(part, str) and part)):
                kept[name] = part
        return dict(self._few("attributes", list(kept.items()), ATTRIBUTES_MAX))

    def options(self) -> dict[str, str]:
        """Read what a variant is chosen by: up to five names with a text each."""
        value: object = self.raw.get("options") or {}
        if not isinstance(value, dict):
            raise BadField("options", "is not an object")
        given = cast(dict[str, Any], value)
        if len(given) > OPTIONS_MAX or not all(
            isinstance(each, str | int | float) for each in given.values()
        ):
            raise BadField("options", f"is not up to {OPTIONS_MAX} names with a text each")
        return {
            self._short("options", plain_text(name), OPTION_MAX): self._short(
                "options", plain_text(str(each)), OPTION_MAX
            )
            for name, each in given.items()
        }

    # -- limits

    def _few(self, field: str, items: list[Item], most: int) -> list[Item]:
        """Keep the first `most` of a list."""
        if len(items) > most:
            self.cuts.append(Cut(field, f"has {len(items):,} entries; the first {most:,} were kept"))
        return items[:most]

    def _short(self, field: str, text: str, most: int) -> str:
        if len(text) > most:
            self.cuts.append(Cut(field, f"was cut to {most:,} characters"))
        return text[:most]

    def _loadable(self, urls: list[str]) -> list[str]:
        return list(dict.fromkeys(url for url in urls if url.startswith(("http://", "https://", "/media/"))))


def _texts() -> Iterator[tuple[str, int, str | None]]:
    """List the texts of a product: their names, most characters, and what stands for none."""
    for field in msgspec.structs.fields(GivenTexts):
        kind = msgspec.inspect.type_info(field.type)
        kinds = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
        most = next(each.max_length for each in kinds if isinstance(each, msgspec.inspect.StrType))
        yield field.name, most or DESCRIPTION_MAX, None if field.default is None else ""


_TEXTS = [*_texts()]


def plain_text(value: str) -> str:
    """Remove the characters that no text of a shop has: NUL, and what separates our own lists."""
    return value.replace("\x00", "").replace("\x1f", " ").strip()


def rating_of(histogram: list[int]) -> tuple[float, int]:
    """Average the stars of a histogram; answer the rating and how many gave one."""
    count = sum(histogram)
    return (sum(stars * n for stars, n in enumerate(histogram, 1)) / count if count else 0.0), count


def _kind(value: object) -> str:
    kinds: list[tuple[type, str]] = [(bool, "true or false"), (list, "a list"), (dict, "an object")]
    return next((name for kind, name in kinds if isinstance(value, kind)), "something else")
