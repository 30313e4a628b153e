"""Files of tax rates: CSV with a heading, or JSON `{"rates": […]}` as the API shows it. Rates are decimal
fractions, 0.0825.

A line of CSV that begins with `#` is a remark. Empty cells are absent.
"""

import csv
import io
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any, cast

import msgspec

from mercat.kit.refusals import Invalid
from mercat.pricing.messages import PPM, TaxRule

_SHIPPED = Path(__file__).with_name("tax_rates.csv")
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0", "")
_COLUMNS = frozenset(
    {
        *("country", "subdivision", "postal_from", "postal_to", "class"),
        *("rate", "shipping_taxed", "included", "source", "valid_from"),
    }
)
_NEEDED = frozenset({"country", "rate", "included"})


@cache
def shipped() -> list[TaxRule]:
    """Read the rates that the package comes with."""
    return read_rules(_SHIPPED.read_bytes())


def read_rules(content: bytes) -> list[TaxRule]:
    """Read the rules of a file; Invalid says which line and column is wrong."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("The file is not UTF-8.") from None
    if text.lstrip()[:1] in ("{", "["):
        return [_rule(row, f"rate {n}") for n, row in enumerate(_json_rows(text), 1)]
    try:
        return _csv_rules(text)
    except csv.Error as error:
        raise Invalid(f"The file is no CSV: {error}.") from None


def _csv_rules(text: str) -> list[TaxRule]:
    lines = text.splitlines()
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    rows = csv.DictReader(io.StringIO("\n".join(line for _, line in numbered)))
    heading = {name.strip() for name in rows.fieldnames or ()}
    if missing := _NEEDED - heading:
        raise Invalid(f"The file needs the columns {', '.join(sorted(missing))}.")
    if unknown := heading - _COLUMNS:
        raise Invalid(f"Nobody knows the columns {', '.join(sorted(unknown))}.")
    return [
        _rule({name.strip(): value for name, value in row.items() if name}, f"line {n}")
        for (n, _), row in zip(numbered[1:], rows, strict=False)
    ]


def ppm_of(rate: Decimal) -> int:
    """Convert a decimal fraction to parts per million; ValueError where it is none from 0 to 1."""
    if not rate.is_finite() or not 0 <= rate <= 1:
        raise ValueError("a rate is a fraction from 0 to 1, such as 0.0825")
    ppm = rate * PPM
    if ppm != ppm.to_integral_value():
        raise ValueError("a rate has at most six decimals")
    return int(ppm)


def _json_rows(text: str) -> list[dict[str, Any]]:
    try:
        document = msgspec.json.decode(text.encode(), type=dict[str, Any] | list[Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"The file is no JSON: {error}.") from None
    rows = cast(Any, document["rates"] if isinstance(document, dict) and "rates" in document else document)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast(list[Any], rows)):
        raise Invalid('The file needs a list "rates".')
    return cast(list[dict[str, Any]], rows)


def _rule(row: Mapping[str, Any], where: str) -> TaxRule:
    def text(name: str) -> str:
        value = row.get(name)
        return "" if value is None else str(value).strip()

    def yes(name: str) -> bool:
        if (value := text(name).lower()) in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise Invalid(f"{where}: {name} is true or false.")

    try:
        ppm = ppm_of(Decimal(text("rate")))
    except (ValueError, InvalidOperation) as error:
        why = str(error) if isinstance(error, ValueError) else "a rate is a fraction such as 0.0825"
        raise Invalid(f"{where}: {why}.") from None
    given = {
        "country": text("country"),
        "subdivision": text("subdivision"),
        "postal_from": text("postal_from"),
        "postal_to": text("postal_to"),
        "tax_class": text("class"),
        "ppm": ppm,
        "shipping_taxed": yes("shipping_taxed"),
        "included": yes("included"),
        "source": text("source"),
        "valid_from": text("valid_from") or None,
    }
    try:
        return msgspec.convert(given, TaxRule)
    except msgspec.ValidationError as error:
        raise Invalid(f"{where}: {error}.") from None
