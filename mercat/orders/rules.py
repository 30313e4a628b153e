"""An order's life: which status its lines add up to. Decisions without IO."""

from collections.abc import Iterable
from typing import NamedTuple


class Progress(NamedTuple):
    """How far a line has come."""

    quantity: int
    shipped: int
    delivered: int


def status_of(lines: Iterable[Progress]) -> str:
    """confirmed, partially_shipped, shipped or delivered."""
    every = list(lines)
    if all(line.delivered == line.quantity for line in every):
        return "delivered"
    if all(line.shipped == line.quantity for line in every):
        return "shipped"
    return "partially_shipped" if any(line.shipped for line in every) else "confirmed"
