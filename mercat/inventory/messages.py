"""What inventory is asked and what it answers."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from mercat.events import STOCK_MAX, StockQuantity
from mercat.ids import CheckoutId, OfferId
from mercat.kit.refusals import Conflict


class Line(Struct, frozen=True):
    """So many of an offer."""

    offer_id: OfferId
    quantity: int


class Hold(Struct, frozen=True):
    """What a checkout wants held: every line, or none. `again`: it may have been asked before."""

    checkout_id: CheckoutId
    lines: list[Line]
    again: bool = False


class Short(Struct, frozen=True):
    """The first line that could not be held, and what is left of it."""

    offer_id: OfferId
    available: int


class Stock(Struct, frozen=True):
    """What stands on the shelf, what of it is held for somebody, and what can still be sold."""

    offer_id: OfferId
    on_hand: int
    reserved: int
    available: int
    version: int
    low_mark: int = 5
    """From this many down it is low; its seller says how many."""

    @property
    def is_low(self) -> bool:
        return self.available <= self.low_mark


LowMark = Annotated[int, Meta(ge=0, le=STOCK_MAX)]
ShelfSort = Literal["available", "-available", "-listed", "listed"]


class ShelfCounts(Struct, frozen=True):
    """How many shelves a seller has, and how many of them are low."""

    every: int
    low: int


class StockCount(Struct, frozen=True):
    """A seller counted the shelf: so many are there."""

    quantity: StockQuantity


class ShelfCount(StockCount, frozen=True, kw_only=True):
    """So many of an offer were counted, on the shelf as it was at this version."""

    offer_id: OfferId
    version: int


class OutOfStock(Conflict):
    """There are not that many left."""


class Uncounted(Struct, frozen=True):
    """How many shelves a count was taken back from, and how many were counted again since."""

    put_back: int
    changed_since: int
