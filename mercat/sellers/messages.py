"""Requests to sellers and their answers."""

from datetime import datetime
from typing import Annotated, Literal
from zlib import crc32

from msgspec import Meta, Struct

from mercat.catalog import Listing, NewProduct
from mercat.ids import SellerId, UserId
from mercat.inventory import Stock, StockQuantity
from mercat.kit.refusals import Conflict
from mercat.kit.text import SEEN_LINE

SELLER_NAME_MAX = 100
SellerName = Annotated[str, Meta(min_length=1, max_length=SELLER_NAME_MAX, pattern=SEEN_LINE)]
REASON_MAX = 500


SuspensionReason = Annotated[str, Meta(min_length=1, max_length=REASON_MAX, pattern=r"\S")]
SellerStatus = Literal["pending", "active", "suspended"]


class Seller(Struct, frozen=True):
    """Who sells here. One that nobody has is the operators' to act for; `own`: the shop's."""

    seller_id: SellerId
    user_id: UserId | None
    name: str
    status: SellerStatus
    since: datetime
    reason: str = ""
    own: bool = False
    version: int = 0


class ListingRow(Struct, frozen=True):
    """A product in a list of them, how many there are, and its row there."""

    row: int
    product: NewProduct
    quantity: StockQuantity


class SellerListing(Struct, frozen=True):
    """A seller's product as it stands, with the shelves of its offers."""

    listing: Listing
    stock: list[Stock]

    @property
    def mark(self) -> str:
        """Another where the listing is another, or where what can be sold has changed."""
        shelves = sorted((each.offer_id, each.version) for each in self.stock)
        return f"{self.listing.mark}-{crc32(repr(shelves).encode()):08x}"


class RefusedRow(Struct, frozen=True):
    """A row that could not be listed: what was wrong, and the field that it points to, if any."""

    row: int
    field: str
    detail: str


class NameTaken(Conflict):
    """Another seller has this name already, or one that looks like it."""


class SellerHasPeople(Conflict):
    """Somebody sells under this name already."""


class AlreadySeller(Conflict):
    """This person sells under another name already."""
