"""A letter that was given up, as operators are told of it: without the address, which is in the mailbox."""

from msgspec import Struct

from mercat.ids import OrderId


class FailedLetter(Struct, frozen=True):
    mail_id: int
    kind: str
    order_id: OrderId | None = None


class FailedLetters(Struct, frozen=True):
    letters: list[FailedLetter]
    count: int
