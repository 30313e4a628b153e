"""Where parcels go, what that costs and how long it takes: decisions without IO."""

from datetime import date, timedelta
from typing import NamedTuple

from mercat import money

WAY = {"exception": 0, "shipped": 1, "in_transit": 2, "out_for_delivery": 3, "delivered": 4}
"""How far along its way a parcel is; an exception moves nothing."""


class Zone(NamedTuple):
    """Prices in whole units of the shop's currency and cents, and working days."""

    standard: int
    standard_days: int
    express: int
    express_days: int


HOME = Zone(499, 4, 1_299, 1)
NEAR = Zone(1_299, 7, 2_999, 3)
FAR = Zone(1_999, 10, 4_499, 4)
ZONES = (
    {"US": HOME, "CA": NEAR, "MX": NEAR}
    | dict.fromkeys(
        ["AT", "BE", "CH", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IT", "NL", "NO", "PT", "SE"], NEAR
    )
    | dict.fromkeys(["AU", "JP", "KR", "NZ", "SG"], FAR)
)


def zone_of(country: str) -> Zone | None:
    return ZONES.get(country.upper())


def price(cents: int, currency: str) -> int:
    """A list price in the shop's currency: the same figure, in its minor units."""
    return cents * 10 ** money.exponent(currency) // 100


def arrives(today: date, days: int) -> date:
    """So many delivery days from today; Sunday is none."""
    day = today
    while days:
        day += timedelta(days=1)
        if day.weekday() != 6:
            days -= 1
    return day
