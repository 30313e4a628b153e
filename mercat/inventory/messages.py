"""What inventory is asked and what it answers."""

from msgspec import Struct

from mercat.events import StockQuantity
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
    """At how many that can be sold its seller hears of it."""


class StockCount(Struct, frozen=True):
    """A seller counted the shelf: so many are there. `low_mark`: they hear when as few can be sold."""

    quantity: StockQuantity
    low_mark: StockQuantity | None = None


class ShelfCount(StockCount, frozen=True, kw_only=True):
    """So many of an offer were counted, on the shelf as it was at this version."""

    offer_id: OfferId
    version: int


class OutOfStock(Conflict):
    """There are not that many left."""
