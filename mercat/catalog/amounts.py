"""Amounts of money as people and exports write them: $1,299.00, 12,50 €, 195.6 EUR."""

import re
from decimal import Decimal

from mercat import money

_DOLLARS = ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "CLP", "COP", "ARS", "BRL")
_SIGNS: dict[str, tuple[str, ...]] = {
    "$": _DOLLARS,
    "€": ("EUR",),
    "£": ("GBP", "EGP"),
    "¥": ("JPY", "CNY"),
    "\uffe5": ("JPY", "CNY"),
    "₹": ("INR",),
    "Rs": ("INR", "PKR", "LKR", "NPR"),
    "₩": ("KRW",),
    "₽": ("RUB",),
    "₺": ("TRY",),
    "₴": ("UAH",),
    "zł": ("PLN",),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
    "R$": ("BRL",),
    "US$": ("USD",),
    "CA$": ("CAD",),
    "C$": ("CAD",),
    "A$": ("AUD",),
}
_PARTS = re.compile(r"(?P<minus>[-\u2212]?)\s*(?P<before>[^\d\s.,'+-]{0,4})\s*(?P<rest>.*)", re.DOTALL)
_BODY = re.compile(
    r"(?P<minus>[-\u2212]?)(?P<number>\.?[0-9][0-9.,'\u2019 \u00a0\u202f]*)(?P<after>[^\d.,']{0,5})"
)
_PLAIN = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,20})?|\.[0-9]{1,20}")
_NO_CENTS = re.compile(r"(?<=\d)([.,])[-\u2013\u2014]{1,2}(?=\s|$)")
"""As in `12.-` and `12,--`: what stands there for the decimal sign is not what groups thousands."""
_RUPEES = re.compile(r"(?<![A-Za-z])Rs\.")
_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:(?:,\d{3})+|(?:\.\d{3})+)(?![\d.,])")
_BY_COMMAS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")
_BY_A_DOT = re.compile(r"[1-9]\d{0,2}\.\d{3}")
_BY_LAKHS = re.compile(r"[1-9]\d?(?:,\d{2})+,\d{3}(?:\.\d{1,2})?")
"""As in `1,49,999.00`."""
_COMMA_DECIMALS = re.compile(r"(\d+),(\d{1,2}|\d{4,6})")
_GROUPED = re.compile(r"(\d{1,3}(?:([ ,.'])\d{3})(?:\2\d{3})*)(?:([.,])(\d{1,6}))?")


_CODE = re.compile(r"([A-Z]{3})[\s\u00a0]*[0-9].*|.*[0-9][\s\u00a0]*([A-Z]{3})", re.DOTALL)
_WITH_SIGN_BEFORE = re.compile(r"(?:US|CA|AU|NZ|HK|A|C)?[$\u00a3]|\u20b9|Rs")
"""Where these stand before an amount, thousands are told apart by commas."""


class NotAnAmount(Exception):
    """A text that is no amount, or could be two; says which."""


def is_currency(text: str) -> bool:
    """Say whether a text is a currency's code or sign alone, of an amount that is not there."""
    mark = text.strip()
    return mark in _SIGNS or bool(re.fullmatch(r"[A-Z]{3}", mark))


def currency_named(text: str) -> str:
    """Answer the currency that an amount names by its code, as in `195.6 EUR`; "" where it names none."""
    found = _CODE.fullmatch(text.strip())
    return found[1] or found[2] if found else ""


def parse(text: str, *, whole: bool = False) -> tuple[Decimal, tuple[str, ...]]:
    """Read an amount and the currencies that its sign or code may mean (none without one).

    `whole`: the currency has no decimals, so that `1,299` is 1299. Raises NotAnAmount: `1,299` could be 1299
    or 1.299 elsewhere, and so could `1.299 €` and `1.299.-`; `1e3` and digits of other widths are no
    amounts."""
    text = _RUPEES.sub("Rs ", text.strip()).strip()
    no_cents = _NO_CENTS.search(text)
    if no_cents:
        text = _without_cents(text, no_cents)
    if whole and (grouped := _THOUSANDS.search(text)):
        text = text.replace(grouped[0], re.sub(r"[.,]", "", grouped[0]))
    if _PLAIN.fullmatch(text) and not no_cents:
        return Decimal(text), ()
    parts = _PARTS.fullmatch(text)
    body = (
        _BODY.fullmatch(parts["rest"].strip()) if parts and len(text) <= 60 and text.isprintable() else None
    )
    if parts is None or body is None or (parts["minus"] and body["minus"]):
        raise NotAnAmount("is not a number such as 79.99")
    named = _currencies(parts["before"]) or _currencies(body["after"].strip())
    number = re.sub(r"[\u00a0\u202f]", " ", body["number"]).replace("\u2019", "'").strip()
    if _WITH_SIGN_BEFORE.fullmatch(parts["before"].strip()) and _BY_COMMAS.fullmatch(number):
        number = number.replace(",", "")
    if _BY_LAKHS.fullmatch(number):
        number = number.replace(",", "")
    if _BY_A_DOT.fullmatch(number) and (no_cents or any(money.exponent(each) < 3 for each in named)):
        raise NotAnAmount(f"could be {number.replace('.', '')} or {number}")
    amount = _number(number)
    return (-amount if parts["minus"] or body["minus"] else amount), named


def _without_cents(text: str, mark: re.Match[str]) -> str:
    amount, rest = text[: mark.start()], text[mark.end() :]
    if re.search(r"\d", rest):
        raise NotAnAmount("is not a number such as 79.99")
    if _THOUSANDS.search(amount):
        amount = amount.replace("." if mark[1] == "," else ",", "")
    return amount + rest


def _currencies(mark: str) -> tuple[str, ...]:
    mark = mark.strip()
    if not mark:
        return ()
    if found := _SIGNS.get(mark) or _SIGNS.get(mark.lower()):
        return found
    if re.fullmatch(r"[A-Za-z]{3}", mark):
        return (mark.upper(),)
    raise NotAnAmount("is not a number such as 79.99")


def _number(number: str) -> Decimal:
    if _PLAIN.fullmatch(number):
        return Decimal(number)
    if decimals := _COMMA_DECIMALS.fullmatch(number):
        return Decimal(f"{decimals[1]}.{decimals[2]}")
    grouped = _GROUPED.fullmatch(number)
    if grouped is None or grouped[2] == grouped[3]:
        raise NotAnAmount("is not a number such as 79.99")
    whole, sign = re.sub(r"\D", "", grouped[1]), grouped[2]
    if sign == "," and grouped[3] is None and grouped[1].count(",") == 1:
        raise NotAnAmount(f"could be {whole} or {grouped[1].replace(',', '.')}")
    return Decimal(f"{whole}.{grouped[4] or 0}")
