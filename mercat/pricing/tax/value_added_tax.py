"""Value-added tax, and the goods and services taxes that work like it: a country's general rate."""

from mercat.countries import served


def rate_ppm(country: str, region: str) -> int | None:
    """Answer a country's general rate; None where it has none or is not served."""
    destination = served(country)
    return destination.vat_ppm if destination else None
