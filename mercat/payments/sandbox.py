"""A card network for trying things out: it keeps its own books, and misbehaves on request.

`tok_visa` pays, `tok_declined` does not, `tok_3ds` asks the shopper first and then only holds the money
until it is captured; `tok_timeout_charged` and `tok_timeout_uncharged` hang and then say nothing, having
charged or not. It keeps idempotency keys for ever, refuses a refund beyond what was charged, and signs its
notices.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator
from datetime import datetime
from hashlib import sha256
from typing import Literal, NamedTuple

import asyncpg
from msgspec import Struct

from mercat import ids
from mercat.ids import CheckoutId, RefundId, UserId
from mercat.kit import clock, codec, sql
from mercat.kit.batching import Coalescer
from mercat.payments.messages import KeptCard
from mercat.payments.provider import Answer, Ask, BadSignature, Listed, Notice, State

TOKENS = ("tok_visa", "tok_declined", "tok_3ds", "tok_timeout_charged", "tok_timeout_uncharged")
TOLERANCE_S = 300
_Books = Literal["charged", "authorised", "declined", "challenged", "cancelled"]
_FIRST: dict[str, _Books] = {
    "tok_visa": "charged",
    "tok_3ds": "challenged",
    "tok_timeout_charged": "charged",
}
_STATES: dict[str, State] = {
    "charged": "captured",
    "authorised": "authorised",
    "declined": "declined",
    "challenged": "challenged",
    "cancelled": "cancelled",
}
_ANSWERS = {
    books: Answer(state, reason="card_declined" if state == "declined" else "")
    for books, state in _STATES.items()
}
_PAGE = 1_000
queries = sql.load("mercat.payments")


class _Ask(NamedTuple):
    key: int
    amount: int
    currency: str
    token: str
    state: _Books


class Letter(Struct, frozen=True):
    """A notice of the sandbox."""

    id: str
    type: str
    checkout_id: CheckoutId
    refund_id: RefundId | None = None


class Sandbox:
    """The provider's side. `key` is the idempotency key; a known key is answered as it was first."""

    name = "sandbox"
    remembers = True
    once = False

    def __init__(self, db: asyncpg.Pool, hang_s: float, timeout_s: float = 8.0, secret: bytes = b"") -> None:
        """`timeout_s`: how long its caller waits for it at most. `secret`: what its notices are signed
        with."""
        self._db = db
        self._hang_s = min(hang_s, timeout_s)
        self._secret = secret
        self._charge: Coalescer[_Ask, _Books] = Coalescer(self._charge_many)

    async def customer(self, user_id: UserId, lost: str) -> str:
        return str(user_id)

    async def attach(self, customer: str, token: str) -> KeptCard:
        return KeptCard(token)

    async def authorise(self, ask: Ask) -> Answer:
        """Captured at once, declined or challenged; TimeoutError after hanging, and then who knows."""
        token = ask.token
        if token == "tok_timeout_uncharged":
            await asyncio.sleep(self._hang_s)
            raise TimeoutError
        first = _FIRST.get(token, "declined")
        books = await self._charge(_Ask(ask.key, ask.amount, ask.currency, token, first))
        if token == "tok_timeout_charged":
            await asyncio.sleep(self._hang_s)
            raise TimeoutError
        return _ANSWERS[books]

    async def capture(self, ask: Ask, reference: str = "") -> Answer:
        await self._db.execute(queries.sandbox_capture, ask.key)
        return await self.look_up(ask)

    async def look_up(self, ask: Ask, reference: str = "") -> Answer:
        row = await self._db.fetchrow(queries.sandbox_look, [ask.key])
        return _ANSWERS[row["state"]]._replace(amount=row["amount"]) if row else Answer("unknown")

    async def cancel(self, ask: Ask, reference: str = "") -> Answer:
        row = await self._db.fetchrow(queries.sandbox_cancel, ask.key, ask.currency)
        assert row is not None
        return Answer(_STATES[row["state"]], amount=row["amount"])

    async def answer(self, key: CheckoutId, approve: bool) -> None:
        """The shopper answered the challenge: the money is held, or it is declined; a second answer changes
        nothing."""
        await self._db.execute(queries.sandbox_answer, key, approve)

    async def refund(
        self, refund_id: RefundId, ask: Ask, reference: str, amount: int, again: bool = False
    ) -> None:
        """Once a refund; raises CheckViolationError beyond what was charged."""
        await self._db.execute(queries.sandbox_refund, refund_id, ask.key, amount)

    async def fail_refund(self, refund_id: RefundId) -> None:
        """The card is closed, say: what was to be paid back is with the shop again."""
        await self._db.execute(queries.sandbox_fail_refund, refund_id)

    def letter(
        self,
        key: CheckoutId,
        event_id: str,
        kind: str = "charge.changed",
        refund_id: RefundId | None = None,
    ) -> tuple[bytes, str]:
        """A notice of now, and its signature: what a card network would send us."""
        body = codec.encode(Letter(event_id, kind, key, refund_id))
        at = str(int(clock.now().timestamp()))
        return body, f"t={at},v1={self._signed(at, body)}"

    def hear(self, body: bytes, signature: str) -> Notice:
        parts = {name: said for name, _, said in (part.partition("=") for part in signature.split(","))}
        at = parts.get("t", "")
        if not at.isdigit() or len(at) > 12:
            raise BadSignature
        if not hmac.compare_digest(self._signed(at, body).encode(), parts.get("v1", "").encode()):
            raise BadSignature
        if abs(clock.now().timestamp() - int(at)) > TOLERANCE_S:
            raise BadSignature
        letter = codec.decode(body, Letter)
        if letter.type == "refund.failed":
            return Notice(letter.id, letter.type, None, str(letter.refund_id), letter.refund_id)
        return Notice(letter.id, letter.type, letter.checkout_id)

    async def listed(self, since: datetime, until: datetime) -> AsyncIterator[list[Listed]]:
        after, last = ids.first_of(since), ids.first_of(until)
        while rows := await self._db.fetch(queries.sandbox_listed, after, last, _PAGE):
            after = rows[-1]["key"] + 1
            yield [
                Listed(
                    CheckoutId(row["key"]),
                    str(CheckoutId(row["key"])),
                    _STATES[row["state"]],
                    *tuple(row)[2:],
                )
                for row in rows
            ]

    async def close(self) -> None:
        pass

    def _signed(self, at: str, body: bytes) -> str:
        return hmac.new(self._secret, at.encode() + b"." + body, sha256).hexdigest()

    async def _charge_many(self, asks: list[_Ask]) -> list[_Books | Exception]:
        made = await self._db.fetch(queries.sandbox_charge, *sql.columns(asks))
        states: dict[int, _Books] = {row[0]: row[1] for row in made}
        if len(states) < len(asks):
            known = [ask.key for ask in asks if ask.key not in states]
            states |= {row[0]: row[1] for row in await self._db.fetch(queries.sandbox_look, known)}
        return [states[ask.key] for ask in asks]
