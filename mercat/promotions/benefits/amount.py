"""An amount off all the goods that are meant together."""

from mercat.promotions.kinds import Reducible, Taken, shared
from mercat.promotions.messages import MoneyOff

NAME = "amount"
MONEY = True
Value = MoneyOff


def take(value: int, reducible: Reducible) -> Taken:
    """Take the amount off all lines together."""
    return shared(value, reducible)
