"""What checkout keeps of who bought once it is done: the address and the e-mail of the purchase."""

import asyncpg

from mercat.checkout.customer_limits import CustomerLimits
from mercat.events import AccountErased, OrderForgotten
from mercat.kit import sql
from mercat.kit.event_log import on

queries = sql.load("mercat.checkout")


class PastBuyers:
    """Forgets people; a purchase that still runs is forgotten with its order."""

    def __init__(self, limits: CustomerLimits) -> None:
        self._limits = limits

    @on(AccountErased)
    async def forget_people(self, db: asyncpg.Connection, events: list[AccountErased]) -> None:
        """Forget who made the purchases that are done."""
        await db.execute(queries.forget, [person for event in events for person in event.people], [])
        await self._limits.forget_people(db, events)

    @on(OrderForgotten)
    async def forget_orders(self, db: asyncpg.Connection, events: list[OrderForgotten]) -> None:
        """Forget who made the purchases of these orders."""
        await db.execute(queries.forget, [], [event.checkout_id for event in events])
        await self._limits.forget_orders(db, events)
