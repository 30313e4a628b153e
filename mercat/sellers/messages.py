"""What sellers are asked and what they answer."""

from datetime import datetime

from msgspec import Struct

from mercat.ids import SellerId, UserId
from mercat.kit.refusals import Conflict


class Seller(Struct, frozen=True):
    seller_id: SellerId
    user_id: UserId | None
    name: str
    status: str
    since: datetime


class NameTaken(Conflict):
    """Another seller has this name already."""
