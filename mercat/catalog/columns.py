"""The fields of one row of a file, read one by one: each is what it should be, is cut, or refuses the row."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
from msgspec.structs import replace

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
    FORMER_PATH_MAX,
    GRAMS_MAX,
    IMAGE_PATTERN,
    IMAGE_URL_MAX,
    IMAGES_MAX,
    OPTION_MAX,
    OPTIONS_MAX,
    SEO_DESCRIPTION_MAX,
    SEO_TITLE_MAX,
    TAG_MAX,
    TAGS_MAX,
    TAX_CLASS_MAX,
    TITLE_MAX,
    VARIANTS_MAX,
    GivenTexts,
    ImportRow,
    ImportStatus,
    ImportVariant,
    SalePrice,
    TaxClass,
)
from mercat.catalog.rules import gtin_digits, key_of
from mercat.events import STOCK_MAX
from mercat.kit.text import seen_line
from mercat.money import MINOR_MAX

Item = TypeVar("Item")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _is_filled(value: object) -> bool:
    return value is not None and (not isinstance(value, str) or not value.isspace()) and value != ""


_CURRENCY = re.compile(r"[A-Z]{3}")
_WHOLE = re.compile(r"([+-]?[0-9]+)(?:[.,]0{1,2}|[.,]0{4,})?")
"""`12.000` and `12,000` could be twelve or twelve thousand."""
_ROUNDED = re.compile(r"[0-9][.,]?[0-9]*E\+[0-9]{1,2}")
_GROUPED_WEIGHT = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")
_GRAMS = re.compile(r"[0-9]{1,12}(\.[0-9]{0,20})?|\.[0-9]{1,20}")
_NOTHING = frozenset(("n/a", "#n/a", "null", "none", "-", "\u2013", "\u2014"))
"""What a spreadsheet or a program writes into a cell of numbers that has none."""
_GRAMS_IN = {"g": 1.0, "kg": 1_000.0, "lb": 453.59237, "lbs": 453.59237, "oz": 28.349523125}
_LOADABLE = ("http://", "https://", "/media/")
_NEXT_URL = re.compile(r"[\s,;|]+(?=https?://|/media/|[^\s,;|/:]+\.[a-zA-Z]{3,4}(?:[\s,;|]|$))|[,;|\s]+$")
_ESCAPED = re.compile(r"\\([>|/,\\])")
_ON_SALE = _words("1 true yes on active enabled published publish visible public available approved") | {""}
_NOT_ON_SALE = _words(
    "0 -1 false no off draft disabled hidden proposed rejected archived private pending paused inactive"
    " unpublished trash future discontinued staging deleted unavailable unlisted"
)
_SELLER_NAME_MAX = 100
OWN_SELLER = "mercat_seller"
"""The column that says it in an export of this shop to another one's format."""
_SELLER = ("seller", OWN_SELLER)
_WITH_NOON = re.compile(r"(\d\d?)/(\d\d?)/(\d\d|\d{4}),? (\d\d?):(\d\d)[ \u202f]?([AP])M", re.IGNORECASE)
_PERCENT = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,6})?")
_ALL = 10_000
_SHORT_HOUR = re.compile(r"^(\d{4}-\d\d-\d\d)[ T](\d:)")
_DAY = re.compile(r"\d{4}-?\d\d-?\d\d")
_NO_CODE = re.compile(r"[^a-z0-9_-]+")
_STANDARD_TAX = _words("standard default parent taxable taxable-goods") | {""}


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

    Without a key a row belongs to the product of the row before it; without a seller too, where that has the
    same key."""

    key: str
    others: Sequence[str] = ()
    seller: str = ""
    """Whose key it is: two may have the same."""


class PriceColumns(NamedTuple):
    """The columns that say what a variant costs. `span`: beginning and end in one, with a slash between them;
    `partly`: a row without a price leaves it as it stands."""

    price: str
    sale: str = "sale_price"
    compared: str = "compare_at_price"
    starts: str = ""
    ends: str = ""
    span: str = ""
    partly: bool = False


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
        return next((field for field in fields if _is_filled(self.raw.get(field))), fields[0])

    def variants(
        self, read: "Callable[[Columns], ImportVariant]", rows: "Sequence[Columns] | None" = None
    ) -> list[ImportVariant]:
        """Read a variant of each row; a bad one is left out alone. Raises BadField where none is left."""
        found: dict[str, ImportVariant] = {}
        for row in self.rows if rows is None else rows:
            try:
                variant = read(row)
                if key_of(variant) in found and _chosen_otherwise(variant, found.values()):
                    row.cuts.append(
                        Cut("sku", f"stands at another variant already{_quoted(variant.sku)}: left out")
                    )
                    variant = replace(variant, sku="")
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
        if most < DESCRIPTION_MAX and not text.isprintable():
            text = seen_line(text)
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
        """Read the source's own id of the product, which it must have. One that was rounded is none."""
        text = self.text(field, EXTERNAL_ID_MAX, needed=True)
        if _ROUNDED.fullmatch(text):
            raise BadField(field, f"was rounded by a spreadsheet{_quoted(text)}: keep the column as text")
        return text

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
        return texts | {"tax_class": self.tax_class()}

    def tax_class(self, *fields: str) -> TaxClass | None:
        """Read a code of tables of tax as its shop writes it: "Reduced rate" is `reduced-rate`; what other
        shops call their standard is none."""
        text = self.text(self.first(*fields or ("tax_class",)))
        code = _NO_CODE.sub("-", text.lower()).strip("-_")[:TAX_CLASS_MAX].strip("-_")
        return None if code in _STANDARD_TAX else code

    def seller(self) -> str:
        """Read whose product it is, where the file says so; else nothing."""
        return " ".join(self.text(self.first(*_SELLER), _SELLER_NAME_MAX).split())

    def currency(self, default: str = "") -> str:
        """Read an ISO 4217 code; the shop's currency where there is none."""
        currency = self.text("currency").upper() or default or self.shop_currency
        if not _CURRENCY.fullmatch(currency):
            raise BadField("currency", "is not a currency such as USD")
        return currency

    def is_list(self, field: str) -> bool:
        """Say whether a field is a list; a text may be one, written as JSON."""
        return isinstance(self._listed(field), list)

    def _listed(self, field: str) -> object:
        value = self.get(field)
        if not isinstance(value, str) or not value.startswith("["):
            return value
        try:
            return msgspec.json.decode(value, type=list[str])
        except msgspec.MsgspecError:
            return value

    def texts(self, field: str, most: int, count: int) -> list[str]:
        """Read a list of texts; those beyond `count` are left out, and each is cut at `most` characters."""
        value: object = self._listed(field) or []
        if not isinstance(value, list) or not all(isinstance(part, str) for part in cast(list[Any], value)):
            raise BadField(field, "is not a list of texts")
        kept = self.few(field, cast(list[str], value), count)
        return [text for part in kept if (text := self._short(field, plain_text(part), most))]

    def seo(self, title: str, description: str) -> dict[str, Any]:
        """Read what search engines shall show: a title, and some words."""
        return {
            "seo_title": self._short(title, entities(self.text(title)), SEO_TITLE_MAX),
            "seo_description": self._short(
                description, entities(self.text(description)), SEO_DESCRIPTION_MAX
            ),
        }

    def former(self, *paths: str) -> list[str]:
        """Keep of paths where the product stood elsewhere those that can be asked for here."""
        found = (path if path.startswith("/") else f"/{path}" for path in paths if path.strip("/"))
        return [path for path in dict.fromkeys(found) if len(path) <= FORMER_PATH_MAX and path.isprintable()]

    def tags(self, field: str = "tags") -> list[str]:
        """Read tags: a list, or a text with commas between them."""
        if self.is_list(field):
            return self.texts(field, TAG_MAX, TAGS_MAX)
        text = self.text(field)
        return self.listed_tags(
            field, [tag.strip() for tag in text.split(",") if tag.strip()] if text else []
        )

    def listed_tags(self, field: str, tags: list[str]) -> list[str]:
        """Keep tags within their limits."""
        return [self._short(field, tag, TAG_MAX) for tag in self.few(field, tags, TAGS_MAX)]

    def category_path(self, field: str, names: list[str] | None = None) -> list[str]:
        """Read names of categories from the root: a list, or the `names` that the caller found there."""
        if names is None:
            names = self.texts(field, DESCRIPTION_MAX, COUNT_MAX)
        return [
            self._short(field, name, CATEGORY_NAME_MAX).strip()
            for name in self.few(field, names, CATEGORY_DEPTH_MAX)
        ]

    def images(self, *fields: str) -> list[str]:
        """Read addresses that a browser may load: one a field, or several with commas, semicolons, bars or
        spaces before the next. What is none is left out, and said."""
        found: list[str] = []
        for field in fields:
            if self.is_list(field):
                found += self.image_list(field)
            elif text := self.text(field):
                found += self.loadable(field, [url for url in _NEXT_URL.split(text) if url])
        return self.few(fields[0], list(dict.fromkeys(found)), IMAGES_MAX)

    def image_list(self, field: str) -> list[str]:
        """Read a list of addresses that a browser may load; what is none is left out, and said."""
        return self.loadable(field, self.texts(field, IMAGE_URL_MAX, IMAGES_MAX))

    def alts(self, field: str, images: Sequence[str]) -> dict[str, str]:
        """Read what is said of pictures to who cannot see them: of the first, or as a list of all of them."""
        told = self.texts(field, TITLE_MAX, IMAGES_MAX) if self.is_list(field) else [self.text(field)]
        pairs = zip(images, told, strict=False)
        return {url: entities(self._short(field, alt, TITLE_MAX)) for url, alt in pairs if alt}

    def all_images(self, *fields: str) -> list[str]:
        """Read the pictures of all rows of a product, each once, in their order."""
        found: list[str] = []
        for row in self.rows:
            found += row.images(*fields)
            if row is not self:
                self.cuts += [cut for cut in row.cuts if cut not in self.cuts]
        return self.few(fields[0], list(dict.fromkeys(found)), IMAGES_MAX)

    def paths(self, field: str, between: str = "") -> list[str]:
        """Read a category's names from the root, of a text such as `Kitchen > Pots`.

        Where it has a `>`, that alone separates; else `|` or `/` does. A backslash before one keeps it. Of
        several paths with `between` in between, the longest counts. A list in JSON are the names."""
        if self.is_list(field):
            return self.category_path(field)
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

    def number(self, field: str) -> Any:
        """Answer a field that is to be a number; None where it is empty, or says so as in `N/A`."""
        value = self.get(field)
        if isinstance(value, str) and (not value.strip() or value.strip().casefold() in _NOTHING):
            return None
        return value

    def whole(self, field: str, most: int = COUNT_MAX, what: str = "a whole number") -> int:
        """Read a count or an amount; 0 where there is none. `12.0` is 12; a text such as `1e3` is refused."""
        value = self.number(field)
        if value is None:
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
        price = self.difference(field, currency)
        if price < 0:
            raise BadField(field, f"is negative{_quoted(self.raw.get(field))}")
        return price

    def difference(self, field: str, currency: str) -> int:
        """Read what is added to a price, or with a minus taken off it, in the forms of `decimal`."""
        value = self.number(field)
        if value is None or (isinstance(value, str) and amounts.is_currency(value)):
            return 0
        try:
            if isinstance(value, str):
                amount, named = amounts.parse(value, whole=money.exponent(currency) == 0)
                if named and currency not in named:
                    raise ValueError(
                        f"it is in {' or '.join(named[:2])}, and this product is priced in {currency}"
                    )
            else:
                amount = Decimal(str(value))
            return money.minor(amount, currency)
        except (InvalidOperation, amounts.NotAnAmount) as error:
            reason = str(error) if isinstance(error, amounts.NotAnAmount) else "is not a number such as 79.99"
            raise BadField(field, f"{reason}{_quoted(value)}") from None
        except ValueError as error:
            raise BadField(field, f"is not a price: {error}{_quoted(value)}") from None

    def changed_price(self, price: int, difference: int, field: str) -> int:
        """Add to a price what `field` says, or take it off; BadField where that is more than the price."""
        if price + difference < 0:
            raise BadField(field, f"takes more off than the price{_quoted(self.raw.get(field))}")
        return price + difference

    def percent(self, field: str) -> int:
        """Read so many per cent in hundredths: `5.5 %` is 550. 0 for what is none, or more than all."""
        text = self.text(field).rstrip("% ").replace(",", ".")
        hundredths = int(Decimal(text) * 100) if _PERCENT.fullmatch(text) else 0
        return hundredths if hundredths <= _ALL else 0

    def prices(self, currency: str, named: PriceColumns) -> dict[str, Any]:
        """Read what a variant costs, for an ImportVariant: regularly, in a sale, compared.

        What reduces nothing is left out, and said."""
        price, reduced = self.decimal(named.price, currency), self.decimal(named.sale, currency)
        compared = self.decimal(named.compared, currency)
        self.used.update(filter(None, (named.starts, named.ends, named.span)))
        begins_at, ends_at = self._sale_times(named) if reduced else (None, None)
        if reduced and not price and not named.partly:
            price, reduced = reduced, 0
        if reduced and price and reduced >= price:
            self.cuts.append(Cut(named.sale, "is not below the regular price: left out"))
            reduced = 0
        sale = _sale(reduced, begins_at, ends_at, named.ends or named.span)
        found = {"price": price, "sale": sale}
        return found | {"compare_at_price": compared if compared > price else None}

    def sale(self, price: str, starts: str, ends: str) -> SalePrice | None:
        """Read a sale whose price is in minor units; None where there is none."""
        return _sale(self.minor(price), self.date(starts), self.date(ends), ends)

    def _sale_times(self, named: PriceColumns) -> tuple[datetime | None, datetime | None]:
        first, _, last = self.text(named.span).partition("/") if named.span else ("", "", "")
        return (
            self._moment(named.starts or named.span, first or self.text(named.starts)),
            self._moment(named.ends or named.span, last or self.text(named.ends), whole_day=True),
        )

    def _moment(self, field: str, text: str, *, whole_day: bool = False) -> datetime | None:
        """Read a day or a time, UTC where it does not say; `whole_day`: a day alone means its end."""
        if not text.strip():
            return None
        try:
            moment = _american(text) or datetime.fromisoformat(_SHORT_HOUR.sub(r"\1 0\2", text.strip()))
        except ValueError:
            raise BadField(field, f"is not a time such as 2026-11-23T09:00Z{_quoted(text)}") from None
        if not 1000 <= moment.year <= 9000:
            raise BadField(field, "is not a date of our time")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment + timedelta(days=1) if whole_day and _DAY.fullmatch(text.strip()) else moment

    def quantity(self, field: str = "quantity") -> int | None:
        """Read units in stock; None where the file does not say."""
        return None if self.number(field) is None else self.whole(field, STOCK_MAX)

    def stock(self, field: str = "quantity") -> int | None:
        """Read units in stock as other shops count them: below zero was sold beyond what there was, so that
        none is there, and that is said."""
        count = _whole(self.number(field))
        if count is None or count >= 0:
            return self.quantity(field)
        self.cuts.append(Cut(field, f"is below zero{_quoted(str(count))}: none is in stock"))
        return 0

    def gtin(self, field: str) -> str | None:
        """Read a barcode (EAN, UPC, ISBN-13), of a list the first that is one; if none is, that is said."""
        given = self.get(field)
        each = cast(list[Any], given) if isinstance(given, list) else [self.text(field)]
        texts = [text for one in each if (text := str(one).lstrip("'")) and text.casefold() not in _NOTHING]
        for text in texts:
            if digits := gtin_digits(text.removesuffix(".0")):
                return digits
        if texts:
            self.cuts.append(Cut(field, f"is no GTIN{_quoted(texts[0])}: left out"))
        return None

    def grams(self, field: str) -> int | None:
        """Read a weight in whole grams; None where there is none or it is not a number."""
        text = self.text(field) if self.number(field) is not None else ""
        grams = round(float(text)) if _GRAMS.fullmatch(text) else 0 if not text else -1
        if 0 < grams <= GRAMS_MAX:
            return grams
        if grams:
            self.cuts.append(Cut(field, f"is no weight in grams{_quoted(text)}: left out"))
        return None

    def weight(self, field: str, unit: str) -> int | None:
        """Read a weight in a unit such as kg into grams; None where there is none, or none is known."""
        given = self.text(field).strip()
        if _GROUPED_WEIGHT.fullmatch(given):
            whole, _, part = given.partition(",")
            self.cuts.append(
                Cut(field, f"could be {whole}{part} or {whole}.{part}{_quoted(given)}: left out")
            )
            return None
        text = given.replace(",", ".")
        factor = _GRAMS_IN.get(unit.strip().casefold())
        grams = round(float(text) * factor) if factor and _GRAMS.fullmatch(text) else 0
        if 0 < grams <= GRAMS_MAX:
            return grams
        if text.strip("0."):
            self.cuts.append(Cut(field, f"is no weight that is known{_quoted(text)}: left out"))
        return None

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
        value = self._object("attributes")
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
            name = self._line("attributes", name, ATTRIBUTE_NAME_MAX)
            if name and (number or (isinstance(part, str) and part)):
                kept[name] = part
        return dict(self.few("attributes", list(kept.items()), ATTRIBUTES_MAX))

    def option_pairs(self, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Keep names and values that a variant is chosen by, each within its limit; empty ones are none."""
        lines = [
            (self._line("options", name, OPTION_MAX), self._line("options", entities(value), OPTION_MAX))
            for name, value in pairs
        ]
        kept = {name: value for name, value in lines if name and value}
        return dict(self.few("options", list(kept.items()), OPTIONS_MAX))

    def choices(self, field: str = "options") -> dict[str, list[str]]:
        """Read what can be chosen: by each option's name its values."""
        given = self._object(field)
        if not isinstance(given, dict):
            raise BadField(field, "is not an object")
        lists = Columns(cast(dict[str, Any], given))
        found = {
            seen_line(name[:OPTION_MAX]): lists.texts(name, OPTION_MAX, VARIANTS_MAX) for name in lists.raw
        }
        self.cuts += lists.cuts
        return found

    def _object(self, field: str) -> object:
        """Answer an object, which a text may be as JSON; an empty one where there is none."""
        value: object = self.get(field) or {}
        if isinstance(value, str) and value.startswith("{"):
            try:
                return msgspec.json.decode(value)
            except msgspec.MsgspecError:
                return value
            except RecursionError:
                raise BadField(field, "is nested too deeply") from None
        return value

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
            self._line("options", name, OPTION_MAX): self._line("options", str(each), OPTION_MAX)
            for name, each in given.items()
        }

    # -- limits

    def few(self, field: str, items: list[Item], most: int) -> list[Item]:
        """Keep the first `most` of a list."""
        if len(items) > most:
            self.cuts.append(Cut(field, f"has {len(items):,} entries; the first {most:,} were kept"))
        return items[:most]

    def _line(self, field: str, text: str, most: int) -> str:
        """Make a line of a text, cut where it is too long; empty where nothing of it can be seen."""
        return seen_line(self._short(field, plain_text(text), most))

    def _short(self, field: str, text: str, most: int) -> str:
        if len(text) > most:
            self.cuts.append(Cut(field, f"was cut to {most:,} characters"))
        return text[:most]

    def loadable(self, field: str, urls: list[str]) -> list[str]:
        """Keep of addresses, each once, those that a browser may load; what is none is said."""
        kept = [url for url in urls if url.startswith(_LOADABLE) and len(url) <= IMAGE_URL_MAX]
        kept = [url for url in kept if re.search(IMAGE_PATTERN, url)]
        if len(kept) < len(urls):
            self.cuts.append(
                Cut(field, "has a picture without an address that begins with https://: left out")
            )
        return list(dict.fromkeys(kept))


def _sale(price: int, begins_at: datetime | None, ends_at: datetime | None, end: str) -> SalePrice | None:
    """Make a sale; BadField, of the field of its end, where it ends before it begins."""
    if not price:
        return None
    if begins_at and ends_at and ends_at <= begins_at:
        raise BadField(end, "is not after the beginning of the sale")
    return SalePrice(price=price, begins_at=begins_at, ends_at=ends_at)


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


def _chosen_otherwise(variant: ImportVariant, others: Iterable[ImportVariant]) -> bool:
    """Say whether a variant is chosen by options that none of the others has."""
    return bool(variant.options) and all(variant.options != each.options for each in others)


def _american(text: str) -> datetime | None:
    """Read a time as Magento writes it, such as `12/26/18, 5:05 AM`: the month stands first where there is an
    AM or PM."""
    found = _WITH_NOON.fullmatch(text.strip())
    if found is None:
        return None
    month, day, year, hour, minute = map(int, found.groups()[:5])
    hour = hour % 12 + (12 if found[6].upper() == "P" else 0)
    return datetime(year + 2000 if year < 100 else year, month, day, hour, minute, tzinfo=UTC)


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


def keys_of_seller(raw: Mapping[str, Any], *fields: str) -> RowKeys:
    """Gather by the first of these fields that is filled, of each seller for itself."""

    def filled(names: Iterable[str]) -> str:
        return next((text for name in names if (text := str(raw.get(name) or "").strip())), "")

    return RowKeys(filled(fields), seller=filled(_SELLER))


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
    adds: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether a row is of a file that adds to the products of another file, and is none by itself."""
