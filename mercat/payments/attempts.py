"""What a provider that does not find charges by our key was asked: stored before money can move."""

from datetime import datetime
from typing import NamedTuple

import asyncpg

from mercat.ids import CheckoutId
from mercat.kit import clock, codec, sql
from mercat.kit.batching import Coalescer
from mercat.payments.provider import ChargeRequest

queries = sql.load("mercat.payments")


class KnownCharge(NamedTuple):
    """What is known of a charge before the provider is asked.

    `again`: it may have been asked before; `customer`: whom the card was attached to when it first was."""

    again: bool = False
    reference: str = ""
    customer: str = ""
    payment_id: int = 0
    status: str = ""
    reason: str = ""


class _Attempt(NamedTuple):
    checkout_id: int
    request: str
    at: datetime
    token: str
    user_id: int


class Attempts:
    """Charge requests and the provider's references of them, by checkout."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self._begin: Coalescer[_Attempt, KnownCharge] = Coalescer(self._begin_many)
        self._set_reference: Coalescer[tuple[int, str], None] = Coalescer(self._set_references)

    async def begin(self, request: ChargeRequest, user_id: int) -> KnownCharge:
        """Store a request before it is sent; one that stands already is the answer."""
        return await self._begin(
            _Attempt(request.key, codec.text(request), clock.now(), request.token, user_id)
        )

    async def set_reference(self, checkout_id: CheckoutId, reference: str) -> None:
        """Store under which reference the provider has the charge."""
        await self._set_reference((checkout_id, reference))

    async def find(self, checkout_id: CheckoutId) -> tuple[ChargeRequest | None, str]:
        """Return the stored request and the provider's reference; None where nothing was asked."""
        row = await self._db.fetchrow(queries.attempt, checkout_id)
        if row is None:
            return None, ""
        request = codec.decode(row["ask"], ChargeRequest)
        return request._replace(customer=row["customer"]), row["reference"]

    async def _begin_many(self, attempts: list[_Attempt]) -> list[KnownCharge | Exception]:
        rows = await self._db.fetch(queries.begin_attempts, *sql.columns(attempts))
        known = {
            row["checkout_id"]: KnownCharge(
                row["again"],
                row["reference"],
                row["customer"],
                row["payment_id"] or 0,
                row["status"] or "",
                row["reason"] or "",
            )
            for row in rows
        }
        return [known[attempt.checkout_id] for attempt in attempts]

    async def _set_references(self, references: list[tuple[int, str]]) -> list[Exception | None]:
        await self._db.execute(queries.set_references, *sql.columns(sorted(references)))
        return [None] * len(references)
