from typing import Any, NamedTuple

import asyncpg
import msgspec

from mercat import ids
from mercat.ids import EPOCH_MS, CheckoutId, OrderId, PaymentId, RefundId
from mercat.kit import clock, signing, sql, wire
from mercat.kit.coalesce import Coalescer
from mercat.kit.refusals import NotFound, Unavailable
from mercat.payments import rules
from mercat.payments.messages import (
    Balance,
    Charge,
    NextAction,
    Outcome,
    Paid,
    Payment,
    PaymentDeclined,
    PaymentUnavailable,
    Refund,
    RefundTooLarge,
)
from mercat.payments.sandbox import Sandbox, State
from mercat.settings import Settings

queries = sql.load("mercat.payments")
_FRESH_MS = 2_000


class _Record(NamedTuple):
    """What the provider said of a charge, as the statement takes it."""

    payment_id: int
    checkout_id: int
    order_id: int
    amount: int
    currency: str
    status: str
    reason: str
    action: str | None
    parts: str
    accounts: str
    amounts: str


class Payments:
    def __init__(self, db: asyncpg.Pool, provider: Sandbox, settings: Settings) -> None:
        self._db = db
        self._provider = provider
        self._settings = settings
        self._key = settings.key("payments")
        self._record: Coalescer[_Record, tuple[int, str]] = Coalescer(self._record_many)

    async def charge(self, charge: Charge) -> Paid:
        """Captures, once a checkout; raises PaymentDeclined or PaymentUnavailable, which are as final.
        An answer with a next action is not: ask again when the shopper has acted."""
        asked_at = (charge.checkout_id >> 22) + EPOCH_MS
        state: State | None = None
        if (
            clock.now().timestamp() * 1000 - asked_at > _FRESH_MS
        ):  # asked before, perhaps: first see what became of it
            if (stands := await self._payment(charge.checkout_id)) and stands["status"] != "action_required":
                return self._answer(
                    stands["payment_id"], stands["status"], stands["reason"], charge.checkout_id
                )
            state = await self._provider.look_up(charge.checkout_id)
            state = None if state == "unknown" else state
        reason = ""
        if state is None:
            try:
                state = await self._provider.charge(
                    charge.checkout_id, charge.amount, charge.currency, charge.token
                )
            except TimeoutError:
                state, _ = await self._provider.cancel(charge.checkout_id)
                reason = "unavailable"
        status = {"charged": "captured", "challenged": "action_required"}.get(state, "declined")
        payment_id, status = await self._record(self._as_record(charge, status, reason))
        if status == "void" and state == "charged":
            await self.void(charge.checkout_id, charge.order_id)
        return self._answer(payment_id, status, reason, charge.checkout_id)

    async def void(self, checkout_id: CheckoutId, order_id: OrderId) -> None:
        """Undo: what was charged is refunded; a charge that comes later is undone too."""
        currency = self._settings.currency
        await self._db.execute(queries.bury, ids.new(PaymentId), checkout_id, order_id, currency)
        payment = await self._payment(checkout_id)
        assert payment is not None
        if payment["status"] != "captured":
            state, amount = await self._provider.cancel(checkout_id)
            if state == "charged":
                await self._db.execute(queries.found_charged, checkout_id, amount)
            else:
                await self._db.execute(queries.abandon, checkout_id)
            payment = await self._payment(checkout_id)
            assert payment is not None
        if payment["status"] == "captured":
            await self._refund(payment, payment["amount"], f"void/{int(checkout_id)}")

    async def refund(self, order_id: OrderId, amount: int, reference: str) -> Refund:
        """Gives back a part of what an order paid, once a reference; RefundTooLarge beyond what is left."""
        payment = await self._db.fetchrow(queries.captured, order_id)
        if payment is None:
            raise NotFound("Nothing was paid for this order.")
        return await self._refund(payment, amount, reference)

    async def of_order(self, order_id: OrderId) -> list[Payment]:
        rows = await self._db.fetch(queries.of_order, order_id)
        return [
            sql.row(Payment, {**row, "refunds": wire.decode(row["refunds"], list[Refund])}) for row in rows
        ]

    async def trial_balance(self) -> list[Balance]:
        """Every account's balance; they sum to zero."""
        return sql.rows(Balance, await self._db.fetch(queries.trial_balance))

    async def challenged(self, ticket: str) -> CheckoutId:
        """Whose challenge this is; NotFound for a ticket that we did not give."""
        checkout_id = signing.unseal(self._key, ticket, CheckoutId)
        if checkout_id is None:
            raise NotFound
        return checkout_id

    async def answer_challenge(self, ticket: str, outcome: Outcome) -> CheckoutId:
        """The shopper told the bank yes or no. Answers whose checkout can go on."""
        checkout_id = await self.challenged(ticket)
        await self._provider.answer(checkout_id, outcome.outcome == "approve")
        return checkout_id

    def _answer(self, payment_id: int, status: str, reason: str, checkout_id: CheckoutId) -> Paid:
        if status == "captured":
            return Paid(PaymentId(payment_id))
        if status == "action_required":
            ticket = signing.seal(self._key, checkout_id)
            return Paid(PaymentId(payment_id), NextAction("three_d_secure", f"/sandbox/3ds/{ticket}"))
        raise PaymentUnavailable if reason == "unavailable" else PaymentDeclined

    async def _payment(self, checkout_id: CheckoutId) -> Any:
        return await self._db.fetchrow(queries.of_checkouts, [checkout_id])

    def _as_record(self, charge: Charge, status: str, reason: str) -> _Record:
        accounts, amounts = rules.capture(charge, self._settings.commission_ppm)
        return _Record(
            ids.new(PaymentId, charge.order_id.bucket),
            charge.checkout_id,
            charge.order_id,
            charge.amount,
            charge.currency,
            status,
            reason,
            "three_d_secure" if status == "action_required" else None,
            msgspec.json.encode({"accounts": accounts, "amounts": amounts}).decode(),
            "{" + ",".join(accounts) + "}",
            "{" + ",".join(map(str, amounts)) + "}",
        )

    async def _record_many(self, records: list[_Record]) -> list[tuple[int, str] | Exception]:
        rows = await self._db.fetch(queries.record_many, *sql.columns(records))
        said: dict[int, tuple[int, str]] = {row[0]: (row[1], row[2]) for row in rows}
        if len(said) < len(records):
            known = [record.checkout_id for record in records if record.checkout_id not in said]
            for row in await self._db.fetch(queries.of_checkouts, known):
                said[row["checkout_id"]] = (row["payment_id"], row["status"])
        return [said.get(record.checkout_id) or Unavailable() for record in records]

    async def _refund(self, payment: Any, amount: int, reference: str) -> Refund:
        async with self._db.acquire() as db, db.transaction():
            await db.execute(queries.lock_payment, payment["payment_id"])  # one refund of it after another
            try:
                row = await db.fetchrow(
                    queries.begin_refund, ids.new(RefundId), payment["payment_id"], reference, amount
                )
            except asyncpg.CheckViolationError:
                raise RefundTooLarge from None
        if row is None:
            raise NotFound("Nothing was paid for this order.")
        refund_id = RefundId(row["refund_id"])
        if row["status"] == "pending":
            await self._provider.refund(refund_id, CheckoutId(payment["checkout_id"]), row["amount"])
            captured = msgspec.json.decode(payment["parts"])
            postings = (
                (captured["accounts"], captured["amounts"])
                if captured
                else (["provider", "shopper"], [row["amount"], -row["amount"]])
            )
            before = await self._refunded_before(payment["payment_id"], refund_id)
            accounts, amounts = rules.refund(postings, before, row["amount"])
            await self._db.execute(queries.finish_refund, refund_id, payment["currency"], accounts, amounts)
        return Refund(refund_id, row["amount"], "done")

    async def _refunded_before(self, payment_id: int, refund_id: int) -> int:
        return int(await self._db.fetchval(queries.refunded_before, payment_id, refund_id))
