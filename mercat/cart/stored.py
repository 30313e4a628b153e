"""A line of a cart as Valkey keeps it, and how it is read again.

A cart's hash has a field an offer, shown as `offer_…`; its value is JSON, the price in minor units.
"""

from decimal import Decimal

import msgspec
import structlog

from mercat.ids import OfferId, parse
from mercat.money import minor
from mercat.quantity import QUANTITY_MAX, Quantity

log = structlog.get_logger("mercat.cart")


class StoredLine(msgspec.Struct):
    """A line as our scripts write it."""

    qty: Quantity
    price: int
    added: str


class LooseLine(msgspec.Struct):
    """A line as something else may have written it: numbers as texts, prices with decimals, no time."""

    qty: Decimal
    price: Decimal = Decimal(0)
    added: str = ""


_decode = msgspec.json.Decoder(StoredLine).decode
_decode_loosely = msgspec.json.Decoder(LooseLine, strict=False).decode


def read_line(field: bytes, value: bytes, currency: str) -> tuple[OfferId, StoredLine] | None:
    """Read a line of a cart; what cannot be read is not in it."""
    try:
        offer_id = parse(OfferId, field.decode())
        try:
            return offer_id, _decode(value)
        except msgspec.ValidationError:
            return offer_id, _read_loosely(value, currency)
    except (ValueError, ArithmeticError):
        log.warning("a line of a cart cannot be read", line=field[:50])
        return None


def _read_loosely(value: bytes, currency: str) -> StoredLine:
    """Read a line that is not ours; a price with a fraction is in whole units: 19.99. ValueError for no
    whole number of things."""
    line = _decode_loosely(value)
    qty = int(line.qty)
    if qty != line.qty or not 1 <= qty <= QUANTITY_MAX:
        raise ValueError("not a quantity")
    whole = line.price == line.price.to_integral_value()
    return StoredLine(qty, int(line.price) if whole else minor(line.price, currency), line.added)
