"""Requests to sellers and their answers."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from mercat.ids import SellerId, UserId
from mercat.kit.refusals import Conflict

SELLER_NAME_MAX = 100
SellerName = Annotated[str, Meta(min_length=1, max_length=SELLER_NAME_MAX, pattern=r"\S")]


class Seller(Struct, frozen=True):
    seller_id: SellerId
    user_id: UserId | None
    name: str
    status: str
    since: datetime


class NameTaken(Conflict):
    """Another seller has this name already."""
