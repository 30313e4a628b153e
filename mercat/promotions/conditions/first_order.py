"""For who has not bought before (true), by account or e-mail address.

An order that was cancelled whole does not count."""

from collections.abc import Sequence

from mercat.promotions.kinds import ShopperFacts
from mercat.promotions.messages import PricedGoods

NAME = "first_order"
WHY = "not_for_you"
Value = bool


def holds(value: bool, matching: Sequence[PricedGoods], shopper: ShopperFacts) -> bool:
    """Say whether a shopper is new where that is asked."""
    return shopper.is_new or not value
