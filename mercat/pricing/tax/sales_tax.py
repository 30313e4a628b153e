"""Sales tax of the states of the USA: each taxes at its own general rate, and some do not tax at all.

Source: Federation of Tax Administrators, "State Sales Tax Rates"; without the rates of cities and counties.
"""

STATES = {
    "AZ": 56_000,
    "CA": 72_500,
    "CO": 29_000,
    "FL": 60_000,
    "GA": 40_000,
    "IL": 62_500,
    "MA": 62_500,
    "MI": 60_000,
    "MN": 68_750,
    "NC": 47_500,
    "NJ": 66_250,
    "NV": 68_500,
    "NY": 40_000,
    "OH": 57_500,
    "PA": 60_000,
    "TN": 70_000,
    "TX": 62_500,
    "VA": 53_000,
    "WA": 65_000,
}
"""General rates in parts per million."""


def rate_ppm(country: str, region: str) -> int | None:
    """Answer a state's rate; None outside of the USA, and for a state that is not in the table."""
    return STATES.get(region.strip().upper()) if country.upper() == "US" else None
