"""So many percent off the goods that are meant."""

from mercat.promotions.kinds import Reducible, Taken, percent_of, shared
from mercat.promotions.messages import Percent

NAME = "percent"
Value = Percent


def take(value: float, reducible: Reducible) -> Taken:
    """Take the percentage off what is left of all lines together, rounded half up."""
    return shared(percent_of(value, sum(reducible.left), reducible.step), reducible)
