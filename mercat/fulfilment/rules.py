"""What built-in delivery costs, and how far along its way a parcel is: decisions without IO."""

from typing import NamedTuple

from mercat import money

PROGRESS = {"exception": 0, "shipped": 1, "in_transit": 2, "out_for_delivery": 3, "delivered": 4}
"""How far along its way a parcel is; an exception moves nothing."""


class Rate(NamedTuple):
    """What a delivery costs, in hundredths of the shop's currency, and the working days it takes."""

    cents: int
    days: int


def price(cents: int, currency: str) -> int:
    """Convert a list price to the shop's currency: the same figure times the currency's magnitude, so that
    4.99 is $4.99, ¥499 and 4.990 KWD."""
    return cents * money.magnitude(currency) * 10 ** money.exponent(currency) // 100
