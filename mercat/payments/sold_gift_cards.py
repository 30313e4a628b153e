"""Gift cards that are bought: made once they are paid, one a unit of an order's line, and voided when that
unit is paid back.

A unit's card is known by its line and number, so whoever makes them again makes none. Its code follows from
its id (`gift_codes.code_of`). What is on it is owed from the moment it is made, as of any gift card.
"""

import asyncpg

from mercat import gift_codes, ids
from mercat.ids import GiftCardId, OrderId
from mercat.kit import clock, sql
from mercat.payments.messages import GiftCardsDue, GiftCardSpent, SoldGiftCard, UnitsBack
from mercat.settings import Settings

queries = sql.load("mercat.payments")
_SPENT = "A gift card of this order is spent, wholly or in part. Only one that is whole is paid back."


class SoldGiftCards:
    """The gift cards of orders."""

    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._settings = settings

    async def issue_sold(self, due: GiftCardsDue) -> None:
        """Make the gift cards of an order's line, one a unit, each once, and tell of it."""
        cards = [(n, ids.new(GiftCardId, due.order_id.bucket)) for n in range(due.units)]
        rows = [
            (n, card_id, gift_codes.hash_of(code), gift_codes.last4_of(code))
            for n, card_id in cards
            for code in [gift_codes.code_of(self._settings, card_id)]
        ]
        said = due.email, due.name, due.message, due.sender
        line = due.order_id, due.order_line_id, due.amount, due.currency
        await self._db.execute(queries.issue_sold, *line, *said, *sql.columns(rows, 4), clock.now())

    async def sold_of(self, order_id: OrderId) -> list[SoldGiftCard]:
        """List the gift cards of an order."""
        return sql.rows(SoldGiftCard, await self._db.fetch(queries.sold_of, order_id))

    async def stop_sold(self, order_id: OrderId, reference: str, units: list[UnitsBack]) -> None:
        """Stop the gift cards of so many units, that a refund of this reference is to take; GiftCardSpent,
        and none is, where something was spent of too many. Lines that are no gift cards are passed over.
        Again stops no more."""
        lines = [(each.order_line_id, each.units) for each in units]
        async with self._db.acquire() as db, db.transaction():
            if await db.fetchval(queries.stop_sold, order_id, reference, *sql.columns(lines, 2)):
                raise GiftCardSpent(_SPENT, pointer="/lines")

    async def let_sold_be(self, reference: str) -> None:
        """Let the gift cards pay again that were stopped for a refund which is not made."""
        await self._db.execute(queries.let_sold_be, reference)

    async def void_sold(self, order_id: OrderId, back: list[UnitsBack]) -> None:
        """Void what is not spent of the gift cards of so many units that were paid back: those of which the
        most is left. Again voids no more. What is held for a purchase at this moment stays, if it comes
        back."""
        lines = [(each.order_line_id, each.units) for each in back]
        await self._db.execute(queries.void_sold, order_id, *sql.columns(lines, 2), clock.now())
