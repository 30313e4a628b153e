"""The one calculator. Decisions without IO, in integers.

Rounding: half up, on the order's taxable sum; the lines' shares of it by largest remainder.
"""

from mercat import money
from mercat.pricing.messages import Basket, Totals

# Sales tax by state, value-added tax by country: general rates in parts per million, for the demo.
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
COUNTRIES = {
    "AT": 200_000,
    "AU": 100_000,
    "BE": 210_000,
    "CA": 50_000,
    "CH": 81_000,
    "DE": 190_000,
    "DK": 250_000,
    "ES": 210_000,
    "FI": 255_000,
    "FR": 200_000,
    "GB": 200_000,
    "IE": 230_000,
    "IT": 220_000,
    "JP": 100_000,
    "NL": 210_000,
    "NO": 250_000,
    "PT": 230_000,
    "SE": 250_000,
}


def tax_rate(country: str, region: str, otherwise: int = 0) -> int:
    """Parts per million at a destination."""
    if country == "US":
        return STATES.get(region.strip().upper(), otherwise)
    return COUNTRIES.get(country, otherwise)


def total(basket: Basket, otherwise: int = 0) -> Totals:
    """What a basket comes to. Shipping is not taxed."""
    amounts = [line.unit_price * line.quantity for line in basket.lines]
    subtotal = sum(amounts)
    rate = tax_rate(basket.country, basket.region, otherwise)
    tax = money.tax(subtotal, rate, money.step(basket.currency))
    return Totals(
        subtotal, 0, basket.shipping, tax, subtotal + basket.shipping + tax, money.allocate(tax, amounts)
    )
