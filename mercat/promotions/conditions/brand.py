"""For goods of these brands; their case does not matter."""

from typing import Annotated

from msgspec import Meta

from mercat.kit.text import normal_code
from mercat.promotions.messages import MEMBERS_MAX, NamedThing, PricedGoods

NAME = "brand"
WHY = "not_for_these_goods"
Value = Annotated[list[NamedThing], Meta(min_length=1, max_length=MEMBERS_MAX)]


def fits(value: list[str], goods: PricedGoods) -> bool:
    """Say whether a line is of one of these brands."""
    return normal_code(goods.brand or "") in map(normal_code, value)
