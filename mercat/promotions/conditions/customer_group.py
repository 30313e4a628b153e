"""For people of these groups, which operators set."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from mercat.kit.text import normal_code
from mercat.promotions.kinds import ShopperFacts
from mercat.promotions.messages import MEMBERS_MAX, GroupName, PricedGoods

NAME = "customer_group"
WHY = "not_for_you"
Value = Annotated[list[GroupName], Meta(min_length=1, max_length=MEMBERS_MAX)]


def holds(value: list[str], matching: Sequence[PricedGoods], shopper: ShopperFacts) -> bool:
    """Say whether a shopper is in one of these groups."""
    return not shopper.groups.isdisjoint(map(normal_code, value))
