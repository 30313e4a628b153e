"""A unit of an offer for nothing, which comes along by itself while there is any; once a purchase."""

from msgspec import Struct

from mercat.ids import OfferId
from mercat.promotions.kinds import Reducible, Taken

NAME = "gift"
GIVES = True


class FreeUnit(Struct, frozen=True):
    """Of which offer a unit is given."""

    offer_id: OfferId


Value = FreeUnit


def take(value: FreeUnit, reducible: Reducible) -> Taken:
    """Take nothing off what is bought."""
    return Taken()
