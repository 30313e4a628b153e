"""A product as its seller types it: in a form, or as a row of a list."""

import csv
import io
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from msgspec import UNSET

from mercat import money
from mercat.catalog import Attribute, Listing, NewProduct, ProductChange
from mercat.ids import ProductId
from mercat.kit import codec
from mercat.kit.refusals import Invalid

_ROWS_MAX = 500
_PLAIN_COLUMNS = {"title", "description", "category", "brand", "price", "quantity", "image", "external_id"}
_LONGEST = {
    "title": 500,
    "description": 20_000,
    "category": 200,
    "brand": 200,
    "image": 2_000,
    "external_id": 200,
}
_ATTRIBUTES_MAX = 100
_IMAGES_MAX = 20


class BadFieldError(Exception):
    """A field that cannot be used, and why."""

    def __init__(self, column: str, words: str) -> None:
        self.column, self.words = column, words


def draft(given: dict[str, str], currency: str) -> tuple[NewProduct, int]:
    """A product out of a form or a row of a list."""
    given = {name: value.strip() for name, value in given.items()}
    _check_words(given)
    attributes = _attributes(given)
    _check_lengths(given, attributes)
    try:
        price = price_of(given.get("price", ""), currency)
    except Invalid as error:
        raise BadFieldError("price", str(error)) from None
    try:
        quantity = whole(given.get("quantity", ""), "The quantity", 1_000_000)
    except Invalid as error:
        raise BadFieldError("quantity", str(error)) from None
    image = given.get("image", "")
    if image and not _is_address(image):
        raise BadFieldError("image", "A picture's address starts with https://.")
    typed = {
        "title": given["title"],
        "description": given["description"],
        "category": given["category"],
        "brand": given.get("brand") or None,
        "price": price,
        "currency": currency,
        "attributes": attributes,
        "images": [image] if image else [],
    }
    if given.get("external_id"):
        typed["external_id"] = given["external_id"]
    return codec.convert(typed, NewProduct), quantity


def price_of(given: str, currency: str) -> int:
    try:
        price = money.minor(Decimal(given.strip()), currency)
    except (InvalidOperation, ValueError):
        raise Invalid("A price is a number such as 12.50.", pointer="/price") from None
    if price < 0:
        raise Invalid("A price is not negative.", pointer="/price")
    return price


def whole(given: str, what: str, most: int) -> int:
    given = given.strip()
    if not (given.isascii() and given.isdigit() and len(given) < 20 and int(given) <= most):
        raise Invalid(f"{what} is a whole number from 0 to {most:,}.")
    return int(given)


def _attributes(given: dict[str, str]) -> dict[str, str]:
    """From the form's lines `Colour: blue`, or a list's other columns."""
    found = {
        name: value for name, value in given.items() if name not in _PLAIN_COLUMNS | {"attributes"} and value
    }
    return found | _details(given.get("attributes", ""))


def _details(lines: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip() and value.strip():
            found[name.strip()] = value.strip()
    return found


def as_form(listing: Listing, product_id: ProductId) -> dict[str, str]:
    """What stands, as its seller would have typed it."""
    return {
        "title": listing.title,
        "description": listing.description,
        "category": listing.category,
        "brand": listing.brand or "",
        "attributes": "\n".join(lines_of(listing.attributes)),
        "images": "\n".join(url for url in listing.images if url != _drawn(product_id)),
    }


def change(given: dict[str, str], listing: Listing, product_id: ProductId) -> ProductChange:
    """What the form makes of a listing. What was left as it was shown keeps its kind and its line breaks."""
    given = {name: value.strip() for name, value in given.items()}
    _check_words(given)
    attributes = attributes_as_kept(given.get("attributes", ""), listing.attributes)
    _check_lengths(given, {name: str(value) for name, value in attributes.items()})
    urls = given.get("images", "").split()
    if len(urls) > _IMAGES_MAX:
        raise BadFieldError("images", f"These are too many pictures: {_IMAGES_MAX} at most.")
    for url in urls:
        if len(url) > _LONGEST["image"] or not (url in listing.images or _is_address(url)):
            raise BadFieldError("images", f"{url[:60]}: a picture's address starts with https://.")
    urls = urls or [_drawn(product_id)]
    return ProductChange(
        title=given["title"],
        description=given["description"].replace("\r\n", "\n"),
        category=given["category"],
        brand=given.get("brand") or None,
        attributes=attributes,
        images=UNSET if urls == listing.images else urls,
    )


def lines_of(attributes: Mapping[str, Attribute]) -> dict[str, str]:
    """The line of each detail, and whose it is."""
    return {" ".join(f"{name}: {_typed(value)}".split()): name for name, value in attributes.items()}


def attributes_as_kept(lines: str, before: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """The details typed; a line that was left as it was shown is what it was, whatever is in it."""
    shown = lines_of(before)
    kept: dict[str, Attribute] = {}
    for line in lines.splitlines():
        if name := shown.get(" ".join(line.split())):
            kept[name] = before[name]
        else:
            kept |= {name: _as_kind(value, before.get(name)) for name, value in _details(line).items()}
    return kept


def _as_kind(typed: str, before: Attribute | None) -> Attribute:
    """A detail's value in the kind that it had, where it can be that."""
    if isinstance(before, bool):
        return {"yes": True, "no": False}.get(typed.lower(), typed)
    if isinstance(before, float) and re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", typed):
        return float(typed)
    return typed


def _typed(value: Attribute) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:.15g}"


def _drawn(product_id: ProductId) -> str:
    return f"/media/art/{product_id}.svg"


def _is_address(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _check_words(given: dict[str, str]) -> None:
    for column, words in (
        ("title", "Say what it is."),
        ("description", "Describe it."),
        ("category", "Choose a department."),
    ):
        if not given.get(column):
            raise BadFieldError(column, words)


def _check_lengths(given: dict[str, str], attributes: dict[str, str]) -> None:
    """What the API takes is what a form and a list take; BadFieldError says what is too long."""
    for column, most in _LONGEST.items():
        if len(given.get(column, "")) > most:
            raise BadFieldError(column, f"This is too long: {most:,} characters at most.")
    if len(attributes) > _ATTRIBUTES_MAX:
        raise BadFieldError("attributes", f"These are too many details: {_ATTRIBUTES_MAX} at most.")
    for name, value in attributes.items():
        if len(name) > 100 or len(value) > 2_000:
            raise BadFieldError(
                "attributes",
                f"{name[:40]}: a detail's name has 100 characters at most, and what it is 2,000.",
            )


def rows_of(content: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file by column name."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("The file is not UTF-8. Save it as “CSV UTF-8”.") from None
    if not text.strip():
        raise Invalid("The file is empty.")
    if "\0" in text:
        raise Invalid("The file has a character (NUL) that no text may have. Is it a CSV file?")
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns = [name.strip().lower() for name in reader.fieldnames or []]
        missing = [
            name for name in ("title", "description", "category", "price", "quantity") if name not in columns
        ]
        if missing:
            raise Invalid(f"These columns are missing: {', '.join(missing)}.")
        reader.fieldnames = columns
        rows = [{name: value or "" for name, value in row.items() if isinstance(name, str)} for row in reader]
    except csv.Error as error:
        raise Invalid(f"This is not a CSV file: {error}.") from None
    if len(rows) > _ROWS_MAX:
        raise Invalid(f"A list has at most {_ROWS_MAX:,} rows here; use the importer for more.")
    return rows
