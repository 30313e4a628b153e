"""Ids: 63-bit Snowflakes inside, a prefix and Crockford base 32 outside.

    sign 0 | 41 bits milliseconds since 2026-01-01 | 10 bits bucket | 8 bits worker | 4 bits sequence

The bucket is the owning user's, so an order id alone says which shard holds it. Source of the scheme:
Twitter's Snowflake (2010); of the alphabet: Douglas Crockford, Base 32.
"""

import math
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar, TypeVar

_EPOCH_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
_SHIFT = 22
BUCKETS = 1_024
WORKERS = 256
_SEQUENCES = 16
_NS_A_MS = 1_000_000
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
# To the digits of `int(…, 32)`. What Python would ignore there (a sign, spaces, `_`) is made wrong instead.
_as_python = dict.fromkeys(map(ord, "uU_+- \t\n\r\f\v"), "!")
for _letter, _digit in zip(_ALPHABET + "ilo", "0123456789abcdefghijklmnopqrstuv" + "110", strict=True):
    _as_python |= {ord(_letter): _digit, ord(_letter.upper()): _digit}
_DIGITS = 13
_NUMBER_DIGITS_MAX = 18


class Id(int):
    """A number that knows how it is shown: `OrderId(7)` is `ord_0000000000007`."""

    prefix: ClassVar[str] = ""

    def __str__(self) -> str:
        n = int(self)
        pairs = _PAIRS
        return (
            f"{self.prefix}_{_ALPHABET[n >> 60]}{pairs[n >> 50 & 1023]}{pairs[n >> 40 & 1023]}"
            f"{pairs[n >> 30 & 1023]}{pairs[n >> 20 & 1023]}{pairs[n >> 10 & 1023]}{pairs[n & 1023]}"
        )

    __repr__ = __str__

    @property
    def bucket(self) -> int:
        """Of 1,024: which shard holds it."""
        return self >> 12 & (BUCKETS - 1)


Kind = TypeVar("Kind", bound=Id)


class ProductId(Id):
    prefix = "prod"


class SkuId(Id):
    prefix = "sku"


class OfferId(Id):
    prefix = "off"


class CategoryId(Id):
    prefix = "cat"


class MediaId(Id):
    prefix = "med"


class SellerId(Id):
    prefix = "sel"


class UserId(Id):
    prefix = "usr"


class ImportId(Id):
    prefix = "imp"


class ImportedOrderId(Id):
    prefix = "imo"


class LinkId(Id):
    prefix = "lnk"


class SessionId(Id):
    prefix = "ses"


class ApiKeyId(Id):
    prefix = "key"


class AddressId(Id):
    prefix = "adr"


class CaseId(Id):
    prefix = "case"


class PaymentMethodId(Id):
    prefix = "pm"


class CartId(Id):
    prefix = "cart"


class CheckoutId(Id):
    prefix = "chk"


class OrderId(Id):
    prefix = "ord"


class LineId(Id):
    prefix = "oli"


class PaymentId(Id):
    prefix = "pay"


class RefundId(Id):
    prefix = "ref"


class PayoutId(Id):
    prefix = "po"


class ShipmentId(Id):
    prefix = "shp"


class CancellationId(Id):
    prefix = "can"


class ReturnId(Id):
    prefix = "ret"


class ReviewId(Id):
    prefix = "rev"


class WishlistId(Id):
    prefix = "wsh"


class WebhookId(Id):
    prefix = "whk"


class DeliveryId(Id):
    prefix = "dlv"


class NoteId(Id):
    prefix = "note"


class BatchId(Id):
    prefix = "bat"


class EntryId(Id):
    prefix = "ent"


class RuleId(Id):
    prefix = "rule"


class ExperimentId(Id):
    prefix = "exp"


class ViewId(Id):
    prefix = "view"


class PromotionId(Id):
    prefix = "promo"


class GiftCardId(Id):
    prefix = "gft"


class RuleChangeId(Id):
    prefix = "rch"


class LearntId(Id):
    prefix = "lrn"


_NUMBERED = "M-"


def number_shown(number: int | None) -> str | None:
    """Write the number of an order as people say it: `M-1000123`."""
    return None if number is None else f"{_NUMBERED}{number}"


def parse_number(said: str) -> int | None:
    """Read the number of an order as people write it, with or without `M-`; None for what is none."""
    digits = said.strip().upper().removeprefix(_NUMBERED).replace(" ", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < _NUMBER_DIGITS_MAX else None


def parse(kind: type[Kind], shown: str) -> Kind:
    """Read an id as it is shown (`prod_…`); ValueError for anything else."""
    prefix, _, digits = shown.partition("_")
    if prefix != kind.prefix or len(digits) != _DIGITS:
        raise ValueError(f"This is no id of ours, `{kind.prefix}_…`")
    try:
        number = int(digits.translate(_as_python), 32)
    except ValueError:
        raise ValueError(f"This is no id of ours, `{kind.prefix}_…`") from None
    if number >> 63:
        raise ValueError(f"This is no id of ours, `{kind.prefix}_…`")
    return kind(number)


def made_at(number: int) -> datetime:
    """Return the time inside an id, to the millisecond, in UTC."""
    return datetime.fromtimestamp(((number >> _SHIFT) + _EPOCH_MS) / 1_000, UTC)


def first_of(moment: datetime) -> int:
    """Return the smallest id of a moment: whatever was made earlier is smaller. 0 before the first id."""
    return max(0, int(moment.timestamp() * 1_000) - _EPOCH_MS) << _SHIFT


class NumberLapsed(TimeoutError):
    """The lease of this process's worker number has run out: another process may have the number now.

    It is a timeout of the database that leases numbers, and is answered as one: try again shortly."""


class IdMaker:
    """Makes ids that no other worker makes: their number is leased in PostgreSQL (`kit.worker_ids`)."""

    def __init__(self, worker: int, milliseconds: Callable[[], int] | None = None) -> None:
        assert 0 <= worker < WORKERS, f"there is no worker {worker}"
        self.worker = worker
        self._milliseconds = milliseconds or _milliseconds
        self._last = 0
        self._sequence = 0
        self._good_until_ms: float = math.inf
        self._good_until_ns: float = math.inf

    def __call__(self, kind: type[Kind], bucket: int | None = None) -> Kind:
        """Make an id, later than any before: the 17th of a millisecond takes the next one, and a clock that
        was set back is ignored until it has caught up. NumberLapsed once the lease has run out."""
        now = self._milliseconds()
        if now > self._last:
            self._last, self._sequence = now, 0
        else:
            self._sequence += 1
            if self._sequence == _SEQUENCES:
                self._last, self._sequence = self._last + 1, 0
        if self._last > self._good_until_ms or time.monotonic_ns() > self._good_until_ns:
            raise NumberLapsed("The lease of this process's worker number has run out.")
        if bucket is None:
            bucket = random.getrandbits(10)
        return kind((self._last - _EPOCH_MS) << _SHIFT | bucket << 12 | self.worker << 4 | self._sequence)

    def lapse(self, until_ms: float, until_ns: float) -> None:
        """Make ids up to this time inside them, and up to this reading of the monotonic clock, in ns.

        By the first alone a clock that was set back would outlive its lease; by the second alone a machine
        that slept."""
        self._good_until_ms, self._good_until_ns = until_ms, until_ns

    @property
    def lapsed(self) -> bool:
        """Whether it would make no id now."""
        now = max(self._last, self._milliseconds())
        return now > self._good_until_ms or time.monotonic_ns() > self._good_until_ns

    @property
    def spent_until_ms(self) -> int:
        """The latest time inside an id made so far; the worker's lease must outlive it."""
        return self._last


def _milliseconds() -> int:
    return time.time_ns() // _NS_A_MS


_makers: list[IdMaker] = []
_maker: IdMaker | None = None


def work_as(worker: int) -> IdMaker:
    """Make ids as this worker from now on, until it stops."""
    maker = IdMaker(worker)
    _makers.append(maker)
    _use_last()
    return maker


def stop(maker: IdMaker) -> None:
    """Make no more ids by this maker: its number is not ours any more. One that worked before goes on."""
    _makers.remove(maker)
    _use_last()


def _use_last() -> None:
    global _maker
    _maker = _makers[-1] if _makers else None


def new(kind: type[Kind], bucket: int | None = None) -> Kind:
    """Make an id, in the bucket of the user it belongs to (default: any)."""
    if _maker is None:
        raise RuntimeError("This process has no worker number: lease one first (kit.worker_ids).")
    return _maker(kind, bucket)
