"""The countries that are served: one list for the address forms, delivery and tax.

Whoever adds a country says here what it is called, how far it is and how it is taxed, so that nothing can be
delivered to where its tax is unknown.
"""

from typing import Literal, NamedTuple

Zone = Literal["home", "near", "far"]


class Country(NamedTuple):
    """A country by its English name, its delivery zone and its tax.

    `vat_ppm` is the general rate of its value-added tax (or goods and services tax) in parts per million;
    None where its regions tax instead, each at a rate of its own.
    """

    name: str
    zone: Zone
    vat_ppm: int | None


SERVED: dict[str, Country] = {
    "US": Country("United States", "home", None),
    "AU": Country("Australia", "far", 100_000),
    "AT": Country("Austria", "near", 200_000),
    "BE": Country("Belgium", "near", 210_000),
    "CA": Country("Canada", "near", 50_000),
    "DK": Country("Denmark", "near", 250_000),
    "FI": Country("Finland", "near", 255_000),
    "FR": Country("France", "near", 200_000),
    "DE": Country("Germany", "near", 190_000),
    "IE": Country("Ireland", "near", 230_000),
    "IT": Country("Italy", "near", 220_000),
    "JP": Country("Japan", "far", 100_000),
    "MX": Country("Mexico", "near", 160_000),
    "NL": Country("Netherlands", "near", 210_000),
    "NZ": Country("New Zealand", "far", 150_000),
    "NO": Country("Norway", "near", 250_000),
    "PT": Country("Portugal", "near", 230_000),
    "SG": Country("Singapore", "far", 90_000),
    "KR": Country("South Korea", "far", 100_000),
    "ES": Country("Spain", "near", 210_000),
    "SE": Country("Sweden", "near", 250_000),
    "CH": Country("Switzerland", "near", 81_000),
    "GB": Country("United Kingdom", "near", 200_000),
}
"""By ISO 3166-1 alpha-2 code, the home country first, then by name.

Sources of the rates: European Commission, "VAT rates applied in the Member States"; Mexico: Ley del IVA,
article 1; New Zealand: Goods and Services Tax Act 1985, section 8; Singapore: Goods and Services Tax Act
1993, section 16 (9 % since 2024); South Korea: Value-Added Tax Act, article 30. General rates only.
"""


def served(code: str) -> Country | None:
    """Answer the country with this code, in either case; None where nothing is delivered."""
    return SERVED.get(code.upper())
