"""For so much of the goods that are meant, at their prices before promotions."""

from collections.abc import Sequence

from mercat.promotions.kinds import ShopperFacts
from mercat.promotions.messages import MoneyOff, PricedGoods

NAME = "min_subtotal"
WHY = "below_minimum"
MONEY = True
Value = MoneyOff


def holds(value: int, matching: Sequence[PricedGoods], shopper: ShopperFacts) -> bool:
    """Say whether these lines cost that much."""
    return sum(line.unit_price * line.quantity for line in matching) >= value
