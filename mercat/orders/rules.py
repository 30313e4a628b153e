"""An order's life: which status its lines add up to. Decisions without IO."""

from collections.abc import Iterable
from typing import NamedTuple

from mercat.ids import SellerId
from mercat.orders.messages import OrderStatus


class LineProgress(NamedTuple):
    """How far a line has come."""

    quantity: int
    shipped: int
    delivered: int


class Sold(NamedTuple):
    """A line of an order, and how many of it came back."""

    seller_id: SellerId
    unit_price: int
    quantity: int
    returned: int


def share(amount: int, of: int, before: int, after: int, step: int = 1) -> int:
    """Answer what of an amount belongs to the part of a whole between two marks, in multiples of `step`.

    All parts together are the amount to the cent, in whatever order they come: the last takes the rest."""
    if not of:
        return 0
    until, since = (amount * mark // of // step * step for mark in (after, before))
    return until - since


def value_of_returns(lines: Iterable[Sold]) -> int:
    """Add up what the goods that came back were sold for."""
    return sum(line.unit_price * line.returned for line in lines)


def status_of(lines: Iterable[LineProgress]) -> OrderStatus:
    """Answer what an order is whose lines have come so far, if it was not cancelled."""
    every = list(lines)
    if all(line.delivered == line.quantity for line in every):
        return "delivered"
    if all(line.shipped == line.quantity for line in every):
        return "shipped"
    return "partially_shipped" if any(line.shipped for line in every) else "confirmed"
