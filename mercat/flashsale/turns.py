"""Turns after they were issued: what the checkouts came to that claimed them, and those that lapsed."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import asyncpg

from mercat.checkout import Checkout
from mercat.flashsale.sale_store import SaleStore
from mercat.ids import CheckoutId
from mercat.kit import clock, sql

queries = sql.load("mercat.flashsale")
_GRACE = timedelta(seconds=2)
"""A pass shown in its last moment is settled before it lapses."""
_NEVER_BEGUN = timedelta(seconds=30)
"""A turn claimed for so long by a checkout that nobody knows: its process died in between, or sleeps. Not
sooner: it may yet begin (10 s in its coalescer, 15 s of a statement). Afterwards it never may, for it would
buy what the next was promised."""


class Ended(NamedTuple):
    """What the claim of a place by a checkout came to; `died`: it never began."""

    place: int
    checkout_id: int
    bought: bool
    died: bool = False


class IssuedTurns:
    """Settle and lapse turns: each gives back its units once."""

    def __init__(self, db: asyncpg.Pool, store: SaleStore, checkout: Checkout) -> None:
        self._db = db
        self._store = store
        self._checkout = checkout

    async def settle(self, sale_id: str, place: int | None = None) -> int:
        """Ask what became of the checkouts that claimed turns (or this one); answer how many ended."""
        now = clock.now()
        claimed = await self._db.fetch(queries.claimed, sale_id, place)
        if not claimed:
            return 0
        asked = {CheckoutId(row["checkout_id"]): row for row in claimed}
        outcomes = await self._checkout.outcomes(list(asked))
        late = [c for c, row in asked.items() if c not in outcomes and now - row["claimed_at"] > _NEVER_BEGUN]
        if late:
            await self._checkout.never_begin(late)
            outcomes |= await self._checkout.outcomes(late)
        ended = [
            Ended(row["place"], row["checkout_id"], bought=outcome == "bought", died=outcome == "never")
            for checkout_id, row in asked.items()
            if (outcome := outcomes.get(checkout_id)) in ("bought", "refused", "never")
        ]
        await self.end(sale_id, ended)
        return len(ended)

    async def end(self, sale_id: str, ended: list[Ended]) -> None:
        """Mark turns as used, as their owner's again while their time lasts, or as lapsed."""
        if ended:
            settled = await self._db.fetch(queries.settle, sale_id, *sql.columns(ended), clock.now())
            await self.remove(sale_id, (row for row in settled if row["state"] == "lapsed"))

    async def lapse(self, sale_id: str, now: datetime) -> None:
        """Take back the turns whose time is over."""
        await self.remove(sale_id, await self._db.fetch(queries.lapse, sale_id, now, _GRACE))

    async def remove(self, sale_id: str, lapsed: Iterable[Any]) -> None:
        """Take those whose turn lapsed out of the line, so that they may join again at its end."""
        await self._store.remove(sale_id, [(row["user_id"], row["number"]) for row in lapsed])
