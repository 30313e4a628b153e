"""The price ranges and rating steps that products are counted and filtered by."""

from typing import NamedTuple

from mercat import money
from mercat.events import Document

RATING_STEPS = (4, 3, 2, 1)
"""Stars, each meaning "at least"; the order in which they are shown."""


class PriceRange(NamedTuple):
    """A range of prices in whole units of the currency; the lower bound belongs to it, the upper does not."""

    low: int
    high: int | None

    @property
    def value(self) -> str:
        """Its name in addresses and answers: `25-50`, `100-`."""
        return f"{self.low}-{'' if self.high is None else self.high}"

    def bounds(self, currency: str) -> tuple[int, int | None]:
        """Return the lowest and the highest price in minor units, both included; None: no highest."""
        unit = 10 ** money.exponent(currency)
        return self.low * unit, None if self.high is None else self.high * unit - 1


PRICE_RANGES = (PriceRange(0, 25), PriceRange(25, 50), PriceRange(50, 100), PriceRange(100, None))
"""Adjoining, so that every product is in exactly one. Chosen for US dollars."""


def price_range(value: str) -> PriceRange | None:
    """Find a price range by its name."""
    return next((each for each in PRICE_RANGES if each.value == value), None)


def price_rating_bucket(product: Document) -> str:
    """Return the numbers of a product's price range and rating steps as one term: 20 terms are cheap to
    count."""
    highest = sum(product.price >= each.bounds(product.currency)[0] for each in PRICE_RANGES) - 1
    return f"{max(highest, 0)}{sum(product.rating >= stars for stars in RATING_STEPS)}"


def count_ranges(buckets: dict[str, int]) -> list[int]:
    """Sum up `price_rating_bucket` counts by price range."""
    counts = [0] * len(PRICE_RANGES)
    for bucket, count in buckets.items():
        counts[int(bucket[0])] += count
    return counts


def count_ratings(buckets: dict[str, int]) -> list[int]:
    """Sum up `price_rating_bucket` counts by rating step: how many products have at least so many stars."""
    steps_met = [0] * (len(RATING_STEPS) + 1)
    for bucket, count in buckets.items():
        steps_met[int(bucket[1])] += count
    return [sum(steps_met[len(RATING_STEPS) - at :]) for at, _ in enumerate(RATING_STEPS)]
