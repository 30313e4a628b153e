"""Standard delivery, to everywhere that is served."""

from mercat.countries import Zone
from mercat.fulfilment.rules import Rate

CODE, NAME = "standard", "Standard delivery"
_BY_ZONE = {"home": Rate(499, 4), "near": Rate(1_299, 7), "far": Rate(1_999, 10)}


def rate(zone: Zone, country: str, region: str) -> Rate | None:
    """Answer the rate of the zone."""
    return _BY_ZONE[zone]
