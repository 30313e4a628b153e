"""What an engine of analytics is asked to do: keep facts, once each, and answer named questions."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

Params = Mapping[str, Any]
FactKind = Literal["sold", "cancelled", "returned", "refund", "came_back"]
"""What happened to units or money: `came_back` is a refund that the bank could not pay after all."""


class EngineAway(ConnectionError):
    """This process has not opened the engine, another one has it, or it does not do what it is asked while
    the shop moves to it. Who follows waits."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a line of an order, with what a report groups by.

    `kind`, `source` and `line` are its key: a fact that comes again is the same. Amounts are minor units, in
    the column of what they are; `first_…` marks one fact among an order's, so that orders are counted by
    adding up."""

    kind: FactKind
    source: int
    line: int
    happened: datetime
    order_id: int
    seller: int
    product: int
    offer: int
    category: str
    country: str
    channel: str
    buyer: int
    units: int = 0
    cancelled: int = 0
    returned: int = 0
    gross: int = 0
    discount: int = 0
    tax: int = 0
    shipping: int = 0
    commission: int = 0
    refunds: int = 0
    refunded_goods: int = 0
    first: int = 0
    first_seller: int = 0
    first_category: int = 0
    first_product: int = 0
    first_seller_category: int = 0
    first_seller_product: int = 0


class ProductNamed(msgspec.Struct, frozen=True, kw_only=True):
    """How a product is called, where it stands, and whose offer it shows first.

    A higher `version` is newer."""

    product: int
    title: str
    category: str
    category_name: str
    seller: int = 0
    version: int = 0


class LookRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a visitor did, without who they are: see `mercat/events.py`."""

    batch: int
    number: int
    happened: datetime
    what: str
    visitor: int
    device: str
    product: int
    words: str
    found: int
    shown: list[int]


class Batch(NamedTuple):
    """What an engine takes in one transaction."""

    facts: Sequence[Fact] = ()
    products: Sequence[ProductNamed] = ()
    looks: Sequence[LookRow] = ()


class FactEngine(Protocol):
    """One file or server of facts. One thread writes; any may ask."""

    def position(self) -> int | None:
        """Return up to which event of the log the facts are here; None: nothing was ever written."""
        ...

    def append(self, batch: Batch, position: int) -> set[date]:
        """Keep what is not here yet, and the position, in one transaction; return the days (UTC) whose sums
        changed."""
        ...

    def start_anew(self) -> None:
        """Begin a transaction in which all facts of money are written anew; readers see the old ones."""
        ...

    def add(self, batch: Batch) -> set[date]:
        """Keep what is not here yet within the transaction that was begun."""
        ...

    def finish(self, position: int) -> None:
        """Write the position and end the transaction: readers see what is new."""
        ...

    def give_up(self) -> None:
        """End the transaction as if it had not begun."""
        ...

    def settle(self, before: date) -> None:
        """Write down what came of the searches of each day (UTC) before this one, once a day; looks of such a
        day that come later make it be done again."""
        ...

    def forget_looks(self, before: date) -> None:
        """Forget what was looked at before a day."""
        ...

    def ask(self, name: str, params: Params) -> list[dict[str, Any]]:
        """Answer a named question of the engine's own SQL; parameters it does not use are ignored."""
        ...

    def close(self) -> None:
        """Give the file or the connection back."""
        ...
