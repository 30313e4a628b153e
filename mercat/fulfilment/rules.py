"""What delivery costs, how long it takes, and how far along its way a parcel is: decisions without IO."""

from datetime import date, timedelta
from typing import NamedTuple

from mercat import money

PROGRESS = {"exception": 0, "shipped": 1, "in_transit": 2, "out_for_delivery": 3, "delivered": 4}
"""How far along its way a parcel is; an exception moves nothing."""


class Rate(NamedTuple):
    """What a delivery costs, in hundredths of the shop's currency, and the working days it takes."""

    cents: int
    days: int


def price(cents: int, currency: str) -> int:
    """Convert a list price to the minor units of the shop's currency: the same figure in each."""
    return cents * 10 ** money.exponent(currency) // 100


def arrives(today: date, days: int) -> date:
    """Answer the date so many delivery days from today; Sunday is none."""
    day = today
    while days:
        day += timedelta(days=1)
        if day.weekday() != 6:
            days -= 1
    return day
