"""Delivery of what the sellers of the goods that are meant send, for nothing (true)."""

from mercat.promotions.kinds import Reducible, Taken

NAME = "free_shipping"
Value = bool
DELIVERY = True


def take(value: bool, reducible: Reducible) -> Taken:
    """Take off what is left of each delivery; where it is said that it is not free, nothing."""
    return Taken(parts=list(reducible.parts) if value else [])


def problem(value: bool) -> str | None:
    """Refuse a benefit that does nothing: it is a slip."""
    return None if value else "Say true, or choose another benefit."
