"""Delivery methods and their rates, one method a file.

A module of this folder has `CODE`, `NAME` and `rate(zone, country, region) -> Rate | None`: what the method
costs and how long it takes to a destination, or None where it does not go.
"""

from mercat.countries import Zone
from mercat.fulfilment.rules import Rate
from mercat.kit.parts import modules

_METHODS = modules(__name__, __path__)


def rates(zone: Zone, country: str, region: str) -> list[tuple[str, str, Rate]]:
    """Answer code, name and rate of every method to a destination, the cheapest first."""
    offered = [(each.CODE, each.NAME, each.rate(zone, country, region)) for each in _METHODS]
    return sorted((offer for offer in offered if offer[2]), key=lambda offer: offer[2].cents)
