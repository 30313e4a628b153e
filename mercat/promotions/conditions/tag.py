"""For goods that have one of these tags; their case does not matter."""

from typing import Annotated

from msgspec import Meta

from mercat.kit.text import normal_code
from mercat.promotions.messages import MEMBERS_MAX, NamedThing, PricedGoods

NAME = "tag"
WHY = "not_for_these_goods"
Value = Annotated[list[NamedThing], Meta(min_length=1, max_length=MEMBERS_MAX)]


def fits(value: list[str], goods: PricedGoods) -> bool:
    """Say whether a line has one of these tags."""
    return not set(map(normal_code, value)).isdisjoint(map(normal_code, goods.tags))
