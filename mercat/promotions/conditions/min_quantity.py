"""For so many units of the goods that are meant."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from mercat.promotions.kinds import ShopperFacts
from mercat.promotions.messages import PricedGoods

NAME = "min_quantity"
WHY = "below_minimum"
Value = Annotated[int, Meta(ge=1, le=1_000_000)]


def holds(value: int, matching: Sequence[PricedGoods], shopper: ShopperFacts) -> bool:
    """Say whether these lines have that many units."""
    return sum(line.quantity for line in matching) >= value
