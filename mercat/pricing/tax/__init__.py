"""Tax rules, one kind a file.

A module of this folder has `rate_ppm(country, region) -> int | None`: the rate at a destination in parts per
million, or None where the rule has nothing to say. At most one rule has an answer for any destination.
"""

from mercat.addresses import known_region
from mercat.kit.parts import modules

_RULES = [module.rate_ppm for module in modules(__name__, __path__)]


def tax_rate(country: str, region: str, otherwise: int = 0) -> int:
    """Answer the tax rate at a destination in parts per million; `otherwise` where no rule has one.

    A region may be its code or its name."""
    region = known_region(country, region)
    for rule in _RULES:
        rate = rule(country, region)
        if rate is not None:
            return rate
    return otherwise
