"""A card network for trying things out: it keeps its own books, and misbehaves on request.

`tok_visa` pays, `tok_declined` does not, `tok_3ds` asks the shopper first; `tok_timeout_charged` and
`tok_timeout_uncharged` hang and then say nothing, having charged or not. It keeps idempotency keys for
ever and refuses a refund beyond what was charged.
"""

import asyncio
from typing import Literal, NamedTuple

import asyncpg

from mercat.ids import CheckoutId, RefundId
from mercat.kit import sql
from mercat.kit.coalesce import Coalescer

TOKENS = ("tok_visa", "tok_declined", "tok_3ds", "tok_timeout_charged", "tok_timeout_uncharged")
State = Literal["charged", "declined", "challenged", "cancelled", "unknown"]
_FIRST: dict[str, State] = {
    "tok_visa": "charged",
    "tok_3ds": "challenged",
    "tok_timeout_charged": "charged",
}
queries = sql.load("mercat.payments")


class _Ask(NamedTuple):
    key: int
    amount: int
    currency: str
    token: str
    state: State


class Sandbox:
    """The provider's side. `key` is the idempotency key; a known key is answered as it was first."""

    def __init__(self, db: asyncpg.Pool, hang_s: float, timeout_s: float = 8.0) -> None:
        """`timeout_s`: how long its caller waits for it at most."""
        self._db = db
        self._hang_s = min(hang_s, timeout_s)
        self._charge: Coalescer[_Ask, State] = Coalescer(self._charge_many)

    async def charge(self, key: CheckoutId, amount: int, currency: str, token: str) -> State:
        """Charged, declined or challenged; TimeoutError after hanging, and then who knows."""
        if token == "tok_timeout_uncharged":
            await asyncio.sleep(self._hang_s)
            raise TimeoutError
        state = await self._charge(_Ask(key, amount, currency, token, _FIRST.get(token, "declined")))
        if token == "tok_timeout_charged":
            await asyncio.sleep(self._hang_s)
            raise TimeoutError
        return state

    async def look_up(self, key: CheckoutId) -> State:
        row = await self._db.fetchrow(queries.sandbox_look, [key])
        return row["state"] if row else "unknown"

    async def cancel(self, key: CheckoutId) -> tuple[State, int]:
        """Makes sure that no charge under this key will be made; says if (and what) one was."""
        row = await self._db.fetchrow(queries.sandbox_cancel, key)
        assert row is not None
        return row["state"], row["amount"]

    async def answer(self, key: CheckoutId, approve: bool) -> None:
        """The shopper answered the challenge; a second answer changes nothing."""
        await self._db.execute(queries.sandbox_answer, key, approve)

    async def refund(self, key: RefundId, charge: CheckoutId, amount: int) -> None:
        """Once a key; raises CheckViolationError beyond what was charged."""
        await self._db.execute(queries.sandbox_refund, key, charge, amount)

    async def _charge_many(self, asks: list[_Ask]) -> list[State | Exception]:
        made = await self._db.fetch(queries.sandbox_charge, *sql.columns(asks))
        states: dict[int, State] = {row[0]: row[1] for row in made}
        if len(states) < len(asks):
            known = [ask.key for ask in asks if ask.key not in states]
            states |= {row[0]: row[1] for row in await self._db.fetch(queries.sandbox_look, known)}
        return [states[ask.key] for ask in asks]
