"""The sandbox's adapter and its bank: it keeps books of its own, and misbehaves on request.

`tok_visa` pays, `tok_declined` does not, `tok_3ds` asks the shopper first and then only holds the money
until it is captured; `tok_timeout_charged` and `tok_timeout_uncharged` hang and then say nothing, having
charged or not. It keeps idempotency keys for ever, refuses a refund beyond what was charged, and signs its
webhooks.
"""

import asyncio
import hmac
import re
from collections.abc import AsyncIterator
from datetime import datetime
from hashlib import sha256
from typing import Literal, NamedTuple

import asyncpg
from msgspec import Struct

from mercat.ids import CheckoutId, RefundId, UserId, first_of
from mercat.kit import clock, codec, sql
from mercat.kit.batching import set_verb
from mercat.payments.messages import KeptCard
from mercat.payments.provider import (
    BadSignature,
    ChargeRequest,
    ChargeResult,
    ChargeState,
    ListedCharge,
    WebhookEvent,
)
from mercat.payments.providers.sandbox.test_cards import TEST_CARDS

TOLERANCE_S = 300
_BookState = Literal["charged", "authorised", "declined", "challenged", "cancelled"]
_FIRST: dict[str, _BookState] = {
    "tok_visa": "charged",
    "tok_3ds": "challenged",
    "tok_timeout_charged": "charged",
}
_STATES: dict[str, ChargeState] = {
    "charged": "captured",
    "authorised": "authorised",
    "declined": "declined",
    "challenged": "challenged",
    "cancelled": "cancelled",
}
_RESULTS = {
    books: ChargeResult(state, reason="card_declined" if state == "declined" else "")
    for books, state in _STATES.items()
}
_PAGE = 1_000
queries = sql.load("mercat.payments.providers.sandbox")


class _NewCharge(NamedTuple):
    key: int
    amount: int
    currency: str
    token: str
    state: _BookState


class SandboxEvent(Struct, frozen=True):
    """The body of a webhook of the sandbox."""

    id: str
    type: str
    checkout_id: CheckoutId
    refund_id: RefundId | None = None


class Sandbox:
    """The adapter. A charge under a known key is answered as it was first."""

    name = "sandbox"
    finds_by_our_key = True
    single_use = False
    token = re.compile("|".join(re.escape(card.token) for card in TEST_CARDS))
    challenge_path = "/sandbox/3ds/"

    def __init__(self, db: asyncpg.Pool, hang_s: float, timeout_s: float = 8.0, secret: bytes = b"") -> None:
        """Take how long it hangs, and at most (`timeout_s`: how long its caller waits); `secret` signs its
        webhooks."""
        self._db = db
        self._hang_s = min(hang_s, timeout_s)
        self._secret = secret

    async def customer(self, user_id: UserId, lost: str) -> str:
        return str(user_id)

    async def attach(self, customer: str, token: str) -> KeptCard:
        return KeptCard(token)

    async def authorise(self, request: ChargeRequest) -> ChargeResult:
        """Capture at once, decline or challenge; TimeoutError after hanging, charged or not."""
        token = request.token
        if token == "tok_timeout_uncharged":
            await asyncio.sleep(self._hang_s)
            raise TimeoutError
        [books] = await self._charge_many([_new_charge(request)])
        if token == "tok_timeout_charged":
            await asyncio.sleep(self._hang_s)
            raise TimeoutError
        return _RESULTS[books]

    def takes_together(self, token: str) -> bool:
        return not token.startswith("tok_timeout")

    async def authorise_many(self, requests: list[ChargeRequest]) -> list[ChargeResult]:
        return [
            _RESULTS[books] for books in await self._charge_many([_new_charge(each) for each in requests])
        ]

    async def capture(self, request: ChargeRequest, reference: str = "") -> ChargeResult:
        await self._db.execute(queries.capture, request.key)
        return await self.look_up(request)

    async def look_up(self, request: ChargeRequest, reference: str = "") -> ChargeResult:
        row = await self._db.fetchrow(queries.look, [request.key])
        return _RESULTS[row["state"]]._replace(amount=row["amount"]) if row else ChargeResult("unknown")

    async def cancel(self, request: ChargeRequest, reference: str = "") -> ChargeResult:
        row = await self._db.fetchrow(queries.cancel, request.key, request.currency)
        assert row is not None
        return ChargeResult(_STATES[row["state"]], amount=row["amount"])

    async def answer_challenge(self, key: CheckoutId, approve: bool) -> None:
        """Hold the money, or decline, as the shopper says; a second answer changes nothing."""
        await self._db.execute(queries.answer, key, approve)

    async def refund(
        self, refund_id: RefundId, request: ChargeRequest, reference: str, amount: int, again: bool = False
    ) -> None:
        """Pay back, once a refund; raises CheckViolationError beyond what was charged."""
        await self._db.execute(queries.refund, refund_id, request.key, amount)

    async def fail_refund(self, refund_id: RefundId) -> None:
        """Fail a refund, as of a card that was closed: its money is with the shop again."""
        await self._db.execute(queries.fail_refund, refund_id)

    def webhook(
        self,
        key: CheckoutId,
        event_id: str,
        kind: str = "charge.changed",
        refund_id: RefundId | None = None,
    ) -> tuple[bytes, str]:
        """Make a webhook of now and its signature, as a card network would send it."""
        body = codec.encode(SandboxEvent(event_id, kind, key, refund_id))
        at = str(int(clock.now().timestamp()))
        return body, f"t={at},v1={self._signed(at, body)}"

    def read_webhook(self, body: bytes, signature: str) -> WebhookEvent:
        parts = {name: value for name, _, value in (part.partition("=") for part in signature.split(","))}
        at = parts.get("t", "")
        if not at.isdigit() or len(at) > 12:
            raise BadSignature
        if not hmac.compare_digest(self._signed(at, body).encode(), parts.get("v1", "").encode()):
            raise BadSignature
        if abs(clock.now().timestamp() - int(at)) > TOLERANCE_S:
            raise BadSignature
        event = codec.decode(body, SandboxEvent)
        if event.type == "refund.failed":
            return WebhookEvent(event.id, event.type, None, str(event.refund_id), event.refund_id)
        return WebhookEvent(event.id, event.type, event.checkout_id)

    async def listed(self, since: datetime, until: datetime) -> AsyncIterator[list[ListedCharge]]:
        after, last = first_of(since), first_of(until)
        while rows := await self._db.fetch(queries.listed, after, last, _PAGE):
            after = rows[-1]["key"] + 1
            yield [
                ListedCharge(
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

    @set_verb()
    async def _charge_many(self, charges: list[_NewCharge]) -> list[_BookState]:
        made = await self._db.fetch(queries.charge, *sql.columns(charges))
        states: dict[int, _BookState] = {row[0]: row[1] for row in made}
        if len(states) < len(charges):
            known = [charge.key for charge in charges if charge.key not in states]
            states |= {row[0]: row[1] for row in await self._db.fetch(queries.look, known)}
        return [states[charge.key] for charge in charges]


def _new_charge(request: ChargeRequest) -> _NewCharge:
    first = _FIRST.get(request.token, "declined")
    return _NewCharge(request.key, request.amount, request.currency, request.token, first)
