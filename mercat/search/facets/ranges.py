"""The ranges that products are counted and filtered by: prices, ratings, and attributes that are numbers."""

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import accumulate, pairwise
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


PRICE_STEPS = (0, 25, 50, 100)
"""Where ranges of prices begin, in US dollars; other currencies have them times their magnitude."""


@lru_cache(200)
def price_ranges(currency: str) -> tuple[PriceRange, ...]:
    """List the price ranges of a currency. They adjoin, so that every product is in exactly one."""
    steps = [step * money.magnitude(currency) for step in PRICE_STEPS]
    return tuple(PriceRange(low, high) for low, high in pairwise([*steps, None]) if low is not None)


def price_range(value: str, currency: str) -> PriceRange | None:
    """Find a price range by its name."""
    return next((each for each in price_ranges(currency) if each.value == value), None)


def price_rating_bucket(product: Document) -> str:
    """Return the numbers of a product's price range and rating steps as one term: 20 terms are cheap to
    count."""
    ranges = price_ranges(product.currency)
    highest = sum(product.price >= each.bounds(product.currency)[0] for each in ranges) - 1
    return f"{max(highest, 0)}{sum(product.rating >= stars for stars in RATING_STEPS)}"


def count_ranges(buckets: dict[str, int]) -> list[int]:
    """Sum up `price_rating_bucket` counts by price range."""
    counts = [0] * len(PRICE_STEPS)
    for bucket, count in buckets.items():
        counts[int(bucket[0])] += count
    return counts


def count_ratings(buckets: dict[str, int]) -> list[int]:
    """Sum up `price_rating_bucket` counts by rating step: how many products have at least so many stars."""
    steps_met = [0] * (len(RATING_STEPS) + 1)
    for bucket, count in buckets.items():
        steps_met[int(bucket[1])] += count
    return [sum(steps_met[len(RATING_STEPS) - at :]) for at, _ in enumerate(RATING_STEPS)]


# -- attributes that are numbers

_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)\s*(\D{0,20})")
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)?\.\.(-?\d+(?:\.\d+)?)?")
_RANGES_MAX = 5
_ROUND = (10.0, 5.0, 2.5, 2.0, 1.0)


class NumberRange(NamedTuple):
    """A range of numbers; the lower bound belongs to it, the upper does not. None: open."""

    low: float | None
    high: float | None

    @property
    def value(self) -> str:
        """Its name in addresses and answers: `20..50`, `50..`."""
        return f"{_shown(self.low)}..{_shown(self.high)}"

    def has(self, number: float) -> bool:
        """Tell whether a number is in it."""
        return (self.low is None or self.low <= number) and (self.high is None or number < self.high)


def number_range(value: str) -> NumberRange | None:
    """Read a range by its name."""
    match = _RANGE.fullmatch(value)
    if match is None or not any(match.groups()):
        return None
    low, high = (None if end is None else float(end) for end in match.groups())
    return NumberRange(low, high)


def numbers_of(values: Iterable[str]) -> dict[str, float]:
    """Read the values of an attribute as numbers, all with the same unit or none; empty if they are none."""
    read: dict[str, float] = {}
    unit: str | None = None
    for value in values:
        parsed = _parsed(value)
        if parsed is None or parsed[1] != (unit := parsed[1] if unit is None else unit):
            return {}
        read[value] = parsed[0]
    return read


@lru_cache(20_000)
def _parsed(value: str) -> tuple[float, str] | None:
    match = _NUMBER.fullmatch(value)
    return (float(match[1]), match[2].strip().casefold()) if match else None


def sum_by_number(numbers: Mapping[str, float], counts: Mapping[str, int]) -> dict[float, int]:
    """Sum up counts by number: "5" and "5.0" are the same."""
    summed: dict[float, int] = {}
    for value, number in numbers.items():
        summed[number] = summed.get(number, 0) + counts[value]
    return summed


def ranges_of(counts: Mapping[float, int]) -> list[tuple[NumberRange, int]]:
    """Divide numbers into up to five adjoining ranges of about as many products each, with round bounds."""
    numbers = sorted(counts)
    running = list(accumulate(counts[number] for number in numbers))
    bounds: list[float] = []
    for part in range(1, _RANGES_MAX):
        wanted, width = running[-1] * part / _RANGES_MAX, running[-1] / _RANGES_MAX / 2
        low, high = (
            numbers[min(bisect_right(running, at), len(numbers) - 1)]
            for at in (wanted - width, wanted + width)
        )
        bound, last = _roundest(low, high), bounds[-1] if bounds else -math.inf
        if bisect_left(numbers, last) < bisect_left(numbers, bound) < len(numbers):
            bounds.append(bound)
    before = [0, *(running[bisect_left(numbers, bound) - 1] for bound in bounds), running[-1]]
    ranges = (NumberRange(low, high) for low, high in pairwise([None, *bounds, None]))
    return [(each, after - start) for each, (start, after) in zip(ranges, pairwise(before), strict=True)]


@lru_cache(20_000)
def _roundest(low: float, high: float) -> float:
    """Return the roundest number from `low` to `high`."""
    if low <= 0 <= high:
        return 0.0
    power = 10.0 ** math.floor(math.log10(max(abs(low), abs(high))))
    for _ in range(8):
        for step in _ROUND:
            candidate = math.ceil(low / (power * step)) * power * step
            if candidate <= high:
                return float(f"{candidate:.12g}")
        power /= 10
    return high


@lru_cache(20_000)
def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:.12g}" if abs(number) < 1e12 else str(int(number))
