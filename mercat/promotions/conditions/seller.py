"""For goods of these sellers."""

from typing import Annotated

from msgspec import Meta

from mercat.ids import SellerId
from mercat.promotions.messages import MEMBERS_MAX, PricedGoods

NAME = "seller"
WHY = "not_for_these_goods"
Value = Annotated[list[SellerId], Meta(min_length=1, max_length=MEMBERS_MAX)]


def fits(value: list[SellerId], goods: PricedGoods) -> bool:
    """Say whether a line is sold by one of these sellers."""
    return goods.seller_id in value
