"""Standard delivery, to everywhere that is served."""

from mercat.countries import Country
from mercat.fulfilment.rules import Rate

CODE, NAME = "standard", "Standard delivery"
_BY_ZONE = {"home": Rate(499, 4), "near": Rate(1_299, 7), "far": Rate(1_999, 10)}


def rate(country: Country, region: str) -> Rate | None:
    """Answer the rate of the country's zone."""
    return _BY_ZONE[country.zone]
