"""A line of a cart as Valkey keeps it, and how it is read again.

A cart's hash has a field an offer, shown as `off_…`; its value is JSON, the price in minor units. A gift card
that pays is a field too, shown as `gft_…`, of the same form; one more field has the codes of promotions.
"""

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

import msgspec
import structlog

from mercat.cart.scripts import CODES
from mercat.ids import GiftCardId, OfferId, parse
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


def codes_of(parts: Sequence[bytes]) -> str:
    """Answer the codes of a cart as they are kept; empty where there are none that can be read."""
    text = next((parts[n + 1] for n in range(0, len(parts), 2) if parts[n] == _CODES), b"")
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        if msgspec.json.decode(text, type=list[str]):
            return text.decode()
    return ""


_CODES = CODES.encode()
_GIFT_CARD = f"{GiftCardId.prefix}_".encode()
_decode = msgspec.json.Decoder(StoredLine).decode
_decode_loosely = msgspec.json.Decoder(LooseLine, strict=False).decode


def split_fields(
    parts: Sequence[bytes], currency: str
) -> tuple[dict[OfferId, StoredLine], dict[GiftCardId, StoredLine]]:
    """Read a cart's hash, as its fields and values: the lines, and the gift cards that pay."""
    lines: dict[OfferId, StoredLine] = {}
    cards: dict[GiftCardId, StoredLine] = {}
    for n in range(0, len(parts), 2):
        if parts[n].startswith(_GIFT_CARD):
            with suppress(ValueError, msgspec.ValidationError):
                cards[parse(GiftCardId, parts[n].decode())] = _decode(parts[n + 1])
        elif parts[n] != _CODES and (line := read_line(parts[n], parts[n + 1], currency)):
            lines[line[0]] = line[1]
    return lines, dict(sorted(cards.items(), key=lambda each: (each[1].added, each[0])))


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
