"""What purchases came to, for who admits buyers to checkout."""

from datetime import timedelta
from typing import Any

import asyncpg

from mercat import ids
from mercat.checkout.messages import CheckoutHealth, NeverBegins, Present, Refused
from mercat.ids import CheckoutId
from mercat.kit import clock, codec, sql

queries = sql.load("mercat.checkout")


class PastPurchases:
    """Looks back on purchases by their ids, and closes those that have not begun."""

    def __init__(self, db: asyncpg.Pool, present: Present) -> None:
        self._db = db
        self._present = present

    async def outcomes(self, checkout_ids: list[CheckoutId]) -> dict[CheckoutId, str]:
        """Answer what purchases came to: bought, refused, running, or never: they may not begin any more.
        Those that have not begun are left out."""
        rows = await self._db.fetch(queries.outcomes, checkout_ids)
        return {CheckoutId(row["checkout_id"]): row["outcome"] for row in rows}

    async def never_begin(self, checkout_ids: list[CheckoutId]) -> None:
        """Block the listed checkouts that have not begun: each gets a tombstone."""
        refusal = Refused.by(NeverBegins())
        status, body = self._present(refusal)
        await self._db.execute(
            queries.never_begin, checkout_ids, clock.now(), status, body, codec.text(refusal)
        )

    async def health(self, seconds: float) -> CheckoutHealth:
        """Answer how the purchases of the last seconds did."""
        since = clock.now() - timedelta(seconds=seconds)
        row: Any = await self._db.fetchrow(queries.health, ids.first_of(since), since)
        return sql.row(CheckoutHealth, row)
