"""For these products."""

from typing import Annotated

from msgspec import Meta

from mercat.ids import ProductId
from mercat.promotions.messages import MEMBERS_MAX, PricedGoods

NAME = "product"
WHY = "not_for_these_goods"
Value = Annotated[list[ProductId], Meta(min_length=1, max_length=MEMBERS_MAX)]


def fits(value: list[ProductId], goods: PricedGoods) -> bool:
    """Say whether a line is one of these products."""
    return goods.product_id in value
