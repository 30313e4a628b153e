"""For goods of these categories, and of all below them."""

from typing import Annotated

from msgspec import Meta

from mercat.promotions.messages import MEMBERS_MAX, CategorySlug, PricedGoods

NAME = "category"
WHY = "not_for_these_goods"
Value = Annotated[list[CategorySlug], Meta(min_length=1, max_length=MEMBERS_MAX)]


def fits(value: list[str], goods: PricedGoods) -> bool:
    """Say whether a line is in one of these categories."""
    return not set(value).isdisjoint(goods.categories)
