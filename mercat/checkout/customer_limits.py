"""How many of an offer one customer may buy in all: counted with the purchase, by the database."""

from collections.abc import Sequence

import asyncpg

from mercat.checkout.messages import CustomerLimit, Limited
from mercat.checkout.purchase import Purchase
from mercat.events import AccountErased, OrderForgotten, UnitsCancelled
from mercat.ids import OfferId
from mercat.kit import people, sql
from mercat.kit.batching import set_verb
from mercat.kit.event_log import on
from mercat.settings import Settings

queries = sql.load("mercat.checkout")


class CustomerLimits:
    """Count the units of a person; a person is an e-mail, of which a keyed hash is kept."""

    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._key = settings.key(people.KEY)

    async def check(self, email: str, limited: Sequence[Limited]) -> None:
        """Refuse (CustomerLimit) what a person may not buy any more, for a quote."""
        if not limited or not email:
            return
        asked = [each.offer_id for each in limited]
        rows = await self._db.fetch(queries.limited_units, self._person(email), asked)
        units = {row["offer_id"]: row["units"] for row in rows}
        for each in limited:
            if units.get(each.offer_id, 0) + each.quantity > each.most:
                raise refusal_of(each)

    async def take(self, purchases: list[Purchase]) -> tuple[list[Purchase], list[tuple[Purchase, Limited]]]:
        """Count purchases with limits; answer those that have to wait for another of the same person in this
        set, and those beyond a limit with which. Again it counts nothing more."""
        counted: list[Purchase] = []
        later: list[Purchase] = []
        seen: set[tuple[bytes, OfferId]] = set()
        for purchase in purchases:
            keys = {(self._person(purchase.order.email), each.offer_id) for each in purchase.record.limited}
            if seen.isdisjoint(keys):
                seen |= keys
                counted.append(purchase)
            else:
                later.append(purchase)
        refused: list[tuple[Purchase, Limited]] = []
        for purchase, beyond in zip(counted, await self._take_many(counted), strict=True):
            if beyond:
                refused.append((purchase, beyond[0]))
        return later, refused

    @set_verb(weigh=lambda purchase: len(purchase.record.limited))
    async def _take_many(self, purchases: list[Purchase]) -> list[list[Limited]]:
        rows = [
            (
                each.checkout_id,
                each.order.order_id,
                self._person(each.order.email),
                limited.offer_id,
                limited.quantity,
                limited.most,
            )
            for each in purchases
            for limited in each.record.limited
        ]
        found = await self._db.fetch(queries.take_limited, *sql.columns(rows))
        within = {(row["checkout_id"], row["offer_id"]) for row in found}
        return [
            [limited for limited in each.record.limited if (each.checkout_id, limited.offer_id) not in within]
            for each in purchases
        ]

    async def give_back(self, purchases: Sequence[Purchase]) -> None:
        """Count purchases no more that are undone; again it changes nothing. Each leaves a tombstone, which
        refuses a count that comes later."""
        rows = [
            (each.checkout_id, each.order.order_id, limited.offer_id)
            for each in purchases
            for limited in each.record.limited
        ]
        if rows:
            await self._db.execute(queries.give_back_limited, *sql.columns(rows))

    @on(UnitsCancelled)
    async def follow_cancellations(self, db: asyncpg.Connection, events: list[UnitsCancelled]) -> None:
        """Count units no more that were cancelled."""
        rows = [(event.order_id, line.offer_id, line.quantity) for event in events for line in event.lines]
        await db.execute(queries.cancelled_limited, *sql.columns(rows, 3))

    async def forget_people(self, db: asyncpg.Connection, events: list[AccountErased]) -> None:
        """Forget what somebody bought of what is limited, and under which e-mail."""
        persons = [self._person(event.email) for event in events if event.email]
        people = [person for event in events for person in event.people]
        await db.execute(queries.forget_limited, persons, people)

    async def forget_orders(self, db: asyncpg.Connection, events: list[OrderForgotten]) -> None:
        """Forget for whom units of these orders were counted."""
        await db.execute(queries.forget_limited_orders, [event.checkout_id for event in events])

    def _person(self, email: str) -> bytes:
        return people.hashed_email(self._key, email)


def refusal_of(limited: Limited) -> CustomerLimit:
    """Make the refusal of a line that is beyond its customer's limit."""
    return CustomerLimit(
        f"A customer may buy {limited.most:,} of {limited.title} in all. Nothing was charged.",
        offer_id=limited.offer_id,
        per_customer=limited.most,
        pointer=f"/items/{limited.line}/quantity",
    )
