"""The fields of one row of a file, read one by one: each is what it should be, is cut, or refuses the row."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from mercat import money
from mercat.catalog import amounts
from mercat.catalog.formatted import entities, plain_text
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
    VARIANTS_MAX,
    GivenTexts,
    ImportRow,
    ImportStatus,
    ImportVariant,
)
from mercat.catalog.rules import key_of
from mercat.events import STOCK_MAX
from mercat.kit.text import seen_line
from mercat.money import MINOR_MAX

Item = TypeVar("Item")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CURRENCY = re.compile(r"[A-Z]{3}")
_WHOLE = re.compile(r"([+-]?[0-9]+)(?:\.0{1,2}|\.0{4,})?")
"""`12.000` could be twelve or twelve thousand."""
_LOADABLE = ("http://", "https://", "/media/")
_NEXT_URL = re.compile(r"[\s,;|]+(?=https?://|/media/|[^\s,;|/:]+\.[a-zA-Z]{3,4}(?:[\s,;|]|$))|[,;|\s]+$")
_ESCAPED = re.compile(r"\\([>|/,\\])")
_ON_SALE = _words("1 true yes on active enabled published publish visible public available approved") | {""}
_NOT_ON_SALE = _words(
    "0 -1 false no off draft disabled hidden proposed rejected archived private pending paused inactive"
    " unpublished trash future discontinued staging deleted unavailable unlisted"
)
_SELLER_NAME_MAX = 100


class BadField(Exception):
    """A row cannot be taken: its field, why, and a code for programs."""

    def __init__(self, field: str, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason
        self.code = code or (
            "missing" if reason.startswith("is missing") else "invalid" if field else "unreadable"
        )


class Cut(NamedTuple):
    """A field that was shortened to what the shop keeps, and how."""

    field: str
    reason: str


class RowKeys(NamedTuple):
    """Which product a row belongs to: its key, and keys of other rows that are of the same product.

    Without a key a row belongs to the product of the row before it."""

    key: str
    others: Sequence[str] = ()


class Columns:
    """Read a row by field; BadField is raised where nothing helps.

    `cuts`: what was shortened so far. `used`: names that were asked for, shared by the rows of a file.
    `rows`: all rows of the product in their order. `bad`: rows among them that are left out, by line.
    `currency`: the shop's, which counts where a file names none."""

    def __init__(
        self, raw: Mapping[str, Any], line: int = 0, used: set[str] | None = None, shop_currency: str = "USD"
    ) -> None:
        self.raw = raw
        self.line = line
        self.cuts: list[Cut] = []
        self.used: set[str] = set() if used is None else used
        self.rows: list[Columns] = [self]
        self.bad: list[tuple[int, BadField]] = []
        self.shop_currency = shop_currency

    def get(self, field: str) -> Any:
        """Answer a field as it stands; None where the row has none."""
        self.used.add(field)
        return self.raw.get(field)

    def first(self, *fields: str) -> str:
        """Choose of the names that a field has in versions of a format the one that this row fills."""
        self.used.update(fields)
        return next((field for field in fields if self.raw.get(field) not in (None, "")), fields[0])

    def variants(
        self, read: "Callable[[Columns], ImportVariant]", rows: "Sequence[Columns] | None" = None
    ) -> list[ImportVariant]:
        """Read a variant of each row; a bad one is left out alone. Raises BadField where none is left."""
        found: dict[str, ImportVariant] = {}
        for row in self.rows if rows is None else rows:
            try:
                variant = read(row)
                if key_of(variant) in found:
                    raise BadField("", "is not told apart from another variant: it needs a SKU or options")
                if len(found) >= VARIANTS_MAX:
                    raise BadField("", f"is more than the {VARIANTS_MAX} variants that a product may have")
                found[key_of(variant)] = variant
            except BadField as error:
                self.bad.append((row.line, error))
            if row is not self:
                self.cuts += row.cuts
        if not found and self.bad:
            _, error = self.bad.pop(0)
            raise error
        return list(found.values()) or [ImportVariant()]

    # -- texts

    def text(self, field: str, most: int = DESCRIPTION_MAX, *, needed: bool = False) -> str:
        """Read a text, cut where it is too long; one that is needed must be there, and short enough."""
        self.used.add(field)
        value = self.raw.get(field)
        if not isinstance(value, str):
            value = self._as_text(field, value)
        text = plain_text(value) if value else ""
        if needed and not text:
            raise BadField(field, "is missing")
        if len(text) <= most:
            return text
        if needed:
            raise BadField(field, f"is longer than {most} characters")
        return self._short(field, text, most)

    def _as_text(self, field: str, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadField(field, f"is not a text but {_kind(value)}")
        if isinstance(value, int) and abs(value) >= 2**64:
            raise BadField(field, "is an absurd number")
        return str(value)

    def external_id(self, field: str) -> str:
        """Read the source's own id of the product, which it must have."""
        return self.text(field, EXTERNAL_ID_MAX, needed=True)

    def title(self, field: str = "title") -> str:
        """Read the title, which the product must have."""
        title = seen_line(entities(self.text(field, TITLE_MAX, needed=True)))
        if not title:
            raise BadField(field, "shows nothing")
        return title

    def description(self, field: str = "description") -> str:
        """Read a description, cut where it is too long; the catalogue makes what is formatted in it safe."""
        return self.text(field)

    def brand(self) -> str | None:
        """Read the brand, if there is one."""
        return self.text("brand", BRAND_MAX) or None

    def product_texts(self, *, title_needed: bool = True) -> dict[str, Any]:
        """Read what a product says of itself, each field by its name and cut at its limit."""
        title = self.title() if title_needed else ""
        texts: dict[str, Any] = {"title": title, "description": self.description()}
        for name, most, default in _TEXTS:
            if name not in texts:
                texts[name] = self.text(name, most) or default
        return texts

    def seller(self) -> str:
        """Read whose product it is, where the file says so; else nothing."""
        return " ".join(self.text("seller", _SELLER_NAME_MAX).split())

    def currency(self, default: str = "") -> str:
        """Read an ISO 4217 code; the shop's currency where there is none."""
        currency = self.text("currency").upper() or default or self.shop_currency
        if not _CURRENCY.fullmatch(currency):
            raise BadField("currency", "is not a currency such as USD")
        return currency

    def texts(self, field: str, most: int, count: int) -> list[str]:
        """Read a list of texts; those beyond `count` are left out, and each is cut at `most` characters."""
        value: object = self.get(field) or []
        if not isinstance(value, list) or not all(isinstance(part, str) for part in cast(list[Any], value)):
            raise BadField(field, "is not a list of texts")
        kept = self._few(field, cast(list[str], value), count)
        return [text for part in kept if (text := self._short(field, plain_text(part), most))]

    def tags(self, field: str = "tags") -> list[str]:
        """Read tags: a list, or a text with commas between them."""
        if isinstance(self.get(field), list):
            return self.texts(field, TAG_MAX, TAGS_MAX)
        text = self.text(field)
        tags = [tag.strip() for tag in text.split(",") if tag.strip()] if text else []
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
        """Read addresses that a browser may load: one a field, or several with commas, semicolons, bars or
        spaces before the next. What is none is left out, and said."""
        found: list[str] = []
        for field in fields:
            if text := self.text(field):
                found += self._loadable(field, [url for url in _NEXT_URL.split(text) if url])
        return self._few(fields[0], list(dict.fromkeys(found)), IMAGES_MAX)

    def image_list(self, field: str) -> list[str]:
        """Read a list of addresses that a browser may load; what is none is left out, and said."""
        return self._loadable(field, self.texts(field, IMAGE_URL_MAX, IMAGES_MAX))

    def all_images(self, *fields: str) -> list[str]:
        """Read the pictures of all rows of a product, each once, in their order."""
        found: list[str] = []
        for row in self.rows:
            found += row.images(*fields)
            if row is not self:
                self.cuts += [cut for cut in row.cuts if cut not in self.cuts]
        return self._few(fields[0], list(dict.fromkeys(found)), IMAGES_MAX)

    def paths(self, field: str, between: str = "") -> list[str]:
        """Read a category's names from the root, of a text such as `Kitchen > Pots`.

        Where it has a `>`, that alone separates; else `|` or `/` does. A backslash before one keeps it. Of
        several paths with `between` in between, the longest counts."""
        text = self.text(field)
        if not text:
            return []
        found = [path_names(part) for part in (_split(text, between) if between else [text])]
        return self.category_path(field, max(found, key=len, default=list[str]()))

    def yes(self, field: str, default: bool = True) -> bool:
        """Read a yes or no in the words of exports; `default` where there is none, BadField for others."""
        value = self.get(field)
        text = str(value).strip().casefold() if value is not None else ""
        if text in (
            "1",
            "true",
            "yes",
            "y",
            "on",
            "visible",
            "active",
            "enabled",
            "published",
            "wahr",
            "vrai",
        ):
            return True
        if text in ("0", "-1", "false", "no", "n", "off", "hidden", "inactive", "disabled", "falsch", "faux"):
            return False
        if text:
            raise BadField(field, f"is neither yes nor no{_quoted(value)}")
        return default

    def status(self, field: str = "status") -> ImportStatus:
        """Read whether the product is on sale: drafts, and what is disabled, hidden, proposed, archived or
        private, are not. Without a word it is on sale; an unknown word makes a draft, and is said."""
        value = self.get(field)
        text = str(value).strip().casefold() if value is not None else ""
        if text in _ON_SALE:
            return "active"
        if text == "paused":
            return "paused"
        if text not in _NOT_ON_SALE:
            self.cuts.append(
                Cut(field, f"is not a status that is known{_quoted(value)}: it comes as a draft")
            )
        return "draft"

    # -- numbers

    def whole(self, field: str, most: int = COUNT_MAX, what: str = "a whole number") -> int:
        """Read a count or an amount; 0 where there is none. `12.0` is 12; a text such as `1e3` is refused."""
        value = self.get(field)
        if value is None or (isinstance(value, str) and not value.strip()):
            return 0
        number = _whole(value)
        if number is None:
            raise BadField(field, f"is not {what}{_quoted(value)}")
        if number < 0:
            raise BadField(field, f"is negative{_quoted(value)}")
        if number > most:
            raise BadField(field, "is absurdly large")
        return number

    def minor(self, field: str) -> int:
        """Read a price in minor units; 0 where there is none."""
        return self.whole(field, MINOR_MAX, "a whole number of minor units")

    def decimal(self, field: str, currency: str) -> int:
        """Read a price in a person's form, such as 79.99, $1,299.00 or 12,50 €, into minor units.

        0 where there is none. What could mean two amounts is refused, and so is a price in another
        currency."""
        value = self.get(field)
        if value is None or (isinstance(value, str) and not value.strip()):
            return 0
        try:
            if isinstance(value, str):
                amount, named = amounts.parse(value)
                if named and currency not in named:
                    raise ValueError(
                        f"it is in {' or '.join(named[:2])}, and this product is priced in {currency}"
                    )
            else:
                amount = Decimal(str(value))
            price = money.minor(amount, currency)
        except (InvalidOperation, amounts.NotAnAmount) as error:
            reason = str(error) if isinstance(error, amounts.NotAnAmount) else "is not a number such as 79.99"
            raise BadField(field, f"{reason}{_quoted(value)}") from None
        except ValueError as error:
            raise BadField(field, f"is not a price: {error}{_quoted(value)}") from None
        if price < 0:
            raise BadField(field, f"is negative{_quoted(value)}")
        return price

    def quantity(self, field: str = "quantity") -> int | None:
        """Read units in stock; None where the file does not say."""
        value = self.get(field)
        return None if value is None or value == "" else self.whole(field, STOCK_MAX)

    def histogram(self, field: str) -> list[int]:
        """Read how often one to five stars were given."""
        value = self.get(field) or [0, 0, 0, 0, 0]
        if not isinstance(value, list) or len(cast(list[Any], value)) != 5:
            raise BadField(field, "is not five counts, of one to five stars")
        counts = cast(list[Any], value)
        if not all(type(n) is int and n >= 0 for n in counts) or sum(counts) > COUNT_MAX:
            raise BadField(field, "is not five counts, of one to five stars")
        return counts

    def date(self, field: str) -> datetime | None:
        """Read an ISO 8601 date or time; UTC where it does not say."""
        value = self.get(field)
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
        value = self.get(field)
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
        value: object = self.get("attributes") or {}
        if not isinstance(value, dict):
            raise BadField("attributes", "is not an object")
        if not found and not value:
            return {}
        return self.attribute_pairs((found | cast(dict[str, Any], value)).items())

    def attribute_pairs(self, pairs: Iterable[tuple[str, Any]]) -> dict[str, str | int | float | bool]:
        """Keep of named values the texts, numbers and yes-or-no, each within its limit."""
        kept: dict[str, str | int | float | bool] = {}
        for name, part in pairs:
            if isinstance(part, str):
                part = self._short("attributes", entities(plain_text(part)), ATTRIBUTE_TEXT_MAX)
            number = isinstance(part, int | float) and abs(part) < 2**63
            name = self._short("attributes", plain_text(name), ATTRIBUTE_NAME_MAX)
            if name and (number or (isinstance(part, str) and part)):
                kept[name] = part
        return dict(self._few("attributes", list(kept.items()), ATTRIBUTES_MAX))

    def option_pairs(self, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Keep names and values that a variant is chosen by, each within its limit; empty ones are none."""
        kept = {
            self._short("options", plain_text(name), OPTION_MAX): self._short(
                "options", entities(plain_text(value)), OPTION_MAX
            )
            for name, value in pairs
            if name.strip() and value.strip()
        }
        return dict(self._few("options", list(kept.items()), OPTIONS_MAX))

    def options(self) -> dict[str, str]:
        """Read what a variant is chosen by: up to five names with a text each."""
        value: object = self.get("options") or {}
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

    def _loadable(self, field: str, urls: list[str]) -> list[str]:
        kept = [url for url in urls if url.startswith(_LOADABLE) and len(url) <= IMAGE_URL_MAX]
        if len(kept) < len(urls):
            self.cuts.append(
                Cut(field, "has a picture without an address that begins with https://: left out")
            )
        return list(dict.fromkeys(kept))


def _texts() -> Iterator[tuple[str, int, str | None]]:
    """List the texts of a product: their names, most characters, and what stands for none."""
    for field in msgspec.structs.fields(GivenTexts):
        kind = msgspec.inspect.type_info(field.type)
        kinds = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
        most = next(each.max_length for each in kinds if isinstance(each, msgspec.inspect.StrType))
        yield field.name, most or DESCRIPTION_MAX, None if field.default is None else ""


_TEXTS = [*_texts()]


def choices(variants: Sequence[ImportVariant]) -> dict[str, list[str]]:
    """List what can be chosen among variants: by each option's name its values, in their order."""
    found: dict[str, list[str]] = {}
    for variant in variants:
        for name, value in variant.options.items():
            values = found.setdefault(name, [])
            if value not in values:
                values.append(value)
    return found


def rating_of(histogram: list[int]) -> tuple[float, int]:
    """Average the stars of a histogram; answer the rating and how many gave one."""
    count = sum(histogram)
    return (sum(stars * n for stars, n in enumerate(histogram, 1)) / count if count else 0.0), count


def path_names(text: str) -> list[str]:
    """Read the names of a category from the root: `>` separates, else `|`, else `/`. A backslash before one
    keeps it, as in `A\\/V Cables`."""
    sign = next((sign for sign in ">|/" if sign in text and len(_split(text, sign)) > 1), "")
    parts = _split(text, sign) if sign else [text.strip(">|/ ")]
    plain = "\\" not in text
    return [name for part in parts if (name := (part if plain else _ESCAPED.sub(r"\1", part)).strip())]


def _split(text: str, sign: str) -> list[str]:
    """Split at a sign that no backslash stands before; empty parts are left out."""
    if sign not in text:
        return [text] if text else []
    if "\\" not in text:
        return [part for part in text.split(sign) if part.strip()]
    return [part for part in re.split(rf"(?<!\\){re.escape(sign)}", text) if part.strip()]


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, int):
        return value
    matched = _WHOLE.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= 40 else None
    return int(matched.group(1)) if matched else None


def _quoted(value: Any) -> str:
    """Write a text that was refused behind the reason."""
    return f": “{value[:40]}”" if isinstance(value, str) else ""


def _kind(value: object) -> str:
    kinds: list[tuple[type, str]] = [(bool, "true or false"), (list, "a list"), (dict, "an object")]
    return next((name for kind, name in kinds if isinstance(value, kind)), "something else")


@dataclass(frozen=True)
class Format:
    """A kind of file.

    `knows`: whether a row is of it, by names in small letters with underscores; `read`: the product of a row,
    or BadField. `keys` is there where a product may have several rows: `read` then gets the first of them,
    with all as its `rows`."""

    name: str
    knows: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Columns], ImportRow]
    keys: Callable[[Mapping[str, Any]], RowKeys] | None = None
