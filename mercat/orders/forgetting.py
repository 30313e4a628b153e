"""What orders keep of people who asked to be forgotten: all of it until the legal term has passed."""

import asyncio
from datetime import timedelta

import asyncpg

from mercat.events import AccountErased
from mercat.kit import clock, sql
from mercat.kit.event_log import on

queries = sql.load("mercat.orders")
_AT_ONCE = 500
_REST_S = 3_600


class OldOrders:
    """Takes people off their orders; amounts and tax stay."""

    def __init__(self, db: asyncpg.Pool, term_days: int) -> None:
        self._db = db
        self._term = timedelta(days=term_days)

    @on(AccountErased)
    async def remember_erased(self, db: asyncpg.Connection, events: list[AccountErased]) -> None:
        """Note whose orders are to be forgotten when their time has come.

        What they bought before from another shop forgets them at once, for it is only a copy."""
        people = [person for event in events for person in event.people]
        await db.execute(queries.remember_erased, people, clock.now())
        await db.execute(queries.forget_old, [event.email.lower() for event in events if event.email])

    async def keep_forgetting(self) -> None:
        """Forget whose time has come, then rest an hour."""
        while await self.forget_due() == _AT_ONCE:
            pass
        await asyncio.sleep(_REST_S)

    async def forget_due(self) -> int:
        """Take the person off orders that are old enough; answers how many."""
        rows = await self._db.fetch(queries.forget_due, clock.now() - self._term, _AT_ONCE)
        return len(rows)
