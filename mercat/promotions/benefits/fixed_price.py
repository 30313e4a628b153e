"""Every unit of the goods that are meant for one price, where it costs more."""

from mercat.promotions.kinds import Reducible, Taken
from mercat.promotions.messages import MoneyOff

NAME = "fixed_price"
MONEY = True
Value = MoneyOff


def take(value: int, reducible: Reducible) -> Taken:
    """Take off each line what its units cost more than that."""
    lines = zip(reducible.goods, reducible.left, strict=True)
    return Taken([max(0, left - value * line.quantity) for line, left in lines])
