"""Charges: captured once a checkout, voided, and what was authorised and never captured."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import asyncpg
import msgspec
import structlog

from mercat import ids
from mercat.ids import CheckoutId, OrderId, PaymentId
from mercat.kit import clock, codec, signing, sql
from mercat.kit.batching import AWAY, set_verb
from mercat.kit.refusals import NotFound, Refusal, Unavailable
from mercat.payments import rules
from mercat.payments.attempts import Attempts, KnownCharge
from mercat.payments.earnings import Earned, earned_by
from mercat.payments.messages import (
    Charge,
    NextAction,
    Paid,
    PaymentDeclined,
    PaymentUnavailable,
    RefundRequest,
    Tender,
    VoidedPurchase,
)
from mercat.payments.provider import ChargeRequest, ChargeResult, Provider, time_limit
from mercat.payments.refunds import Refunds
from mercat.payments.stored_value import StoredValue
from mercat.settings import Settings

queries = sql.load("mercat.payments")
log = structlog.get_logger("mercat.payments")
_STALE_MAX = 100
_UNAPPROVED = "You or your bank did not approve this payment. Nothing was charged."
_STATUS = {"captured": "captured", "challenged": "action_required"}


class _Record(NamedTuple):
    """What the provider answered to a charge, as the statement takes it."""

    payment_id: int
    checkout_id: int
    order_id: int
    amount: int
    tendered: int
    currency: str
    status: str
    reason: str
    parts: str
    kept: str
    accounts: str
    amounts: str
    earned: list[Earned]
    """Not of the payment's row: what sellers earned by it."""


class Charges:
    def __init__(
        self,
        db: asyncpg.Pool,
        provider: Provider,
        settings: Settings,
        attempts: Attempts,
        refunds: Refunds,
        values: StoredValue,
    ) -> None:
        self._db = db
        self._provider = provider
        self._settings = settings
        self._attempts = attempts
        self._refunds = refunds
        self._values = values
        self._key = settings.key("payments")

    async def charge(self, charge: Charge) -> Paid:
        """Capture, once a checkout; see `Payments.charge`.

        No connection of the database is held while the provider is asked."""
        if charge.by_card == 0:
            [paid] = await self.charge_many([charge])
            if not paid:
                raise PaymentDeclined
            payment = await self._payment(charge.checkout_id)
            return Paid(PaymentId(payment["payment_id"]))
        request = _request(charge)
        known = await self._known(request, charge)
        if known.status and known.status != "action_required":
            return self._answer(known.payment_id, known.status, known.reason, charge.checkout_id)
        result, reason = await self._decided(request._replace(customer=known.customer), known)
        status = _STATUS.get(result.state, "declined")
        [(payment_id, status)] = await self._record_many([self._as_record(charge, status, reason)])
        if status == "void" and result.state == "captured":
            await self.void(charge.checkout_id, charge.order_id, charge.tenders)
        return self._answer(payment_id, status, reason, charge.checkout_id, result.url)

    @set_verb()
    async def charge_many(self, charges: list[Charge]) -> list[bool]:
        """Capture those that the provider takes together; see `Payments.charge_many`."""
        together = [
            charge
            for charge in charges
            if charge.by_card and not charge.again and self._provider.takes_together(charge.token)
        ]
        results = await self._provider.authorise_many([_request(charge) for charge in together])
        captured = [
            charge for charge, result in zip(together, results, strict=True) if result.state == "captured"
        ]
        captured += [charge for charge in charges if charge.by_card == 0]  # no provider is asked for nothing
        stored = await self._record_many([self._as_record(charge, "captured", "") for charge in captured])
        paid: set[int] = set()
        for charge, (_, status) in zip(captured, stored, strict=True):
            if status == "captured":
                paid.add(charge.checkout_id)
            elif charge.by_card:  # it was given up meanwhile
                await self.void(charge.checkout_id, charge.order_id, charge.tenders)
        return [charge.checkout_id in paid for charge in charges]

    async def _known(self, request: ChargeRequest, charge: Charge) -> KnownCharge:
        """Look up what is known already; of what was never asked nothing is."""
        if not self._provider.finds_by_our_key:
            return await self._attempts.begin(request, charge.user_id or 0)
        row = await self._payment(request.key) if charge.again else None
        if row is None:
            return KnownCharge(charge.again)
        return KnownCharge(True, payment_id=row["payment_id"], status=row["status"], reason=row["reason"])

    async def _decided(self, request: ChargeRequest, known: KnownCharge) -> tuple[ChargeResult, str]:
        """Carry a charge to its end, or to where it waits for the shopper; and say why there was no answer.

        What may have been asked before is looked up before it is asked again; what did not answer is looked
        up, and then cancelled."""
        reference = known.reference
        try:
            async with self._time_limit():
                result = ChargeResult("unknown")
                if known.again:
                    result = await self._provider.look_up(request, reference)
                if result.state == "unknown":
                    result = await self._provider.authorise(request)
                result = await self._captured(request, result, reference)
                return result, result.reason
        except TimeoutError:
            log.warning("the provider did not answer; it is asked what happened", checkout=str(request.key))
        try:
            async with self._time_limit():
                result = await self._provider.look_up(request, reference)
                if result.state in ("authorised", "challenged", "declined"):
                    result = await self._captured(request, result, reference)
                    return result, result.reason
                if result.state != "captured":
                    result = await self._provider.cancel(request, result.reference or reference)
                return result, "unavailable"
        except TimeoutError as error:
            raise Unavailable(
                "The bank does not answer. We keep asking what became of your payment."
            ) from error

    async def _captured(self, request: ChargeRequest, result: ChargeResult, reference: str) -> ChargeResult:
        """Capture what is authorised; the provider's reference is stored before money can move."""
        if result.reference and result.reference != reference and not self._provider.finds_by_our_key:
            await self._attempts.set_reference(request.key, result.reference)
        if result.state != "authorised":
            return result
        return await self._provider.capture(request, result.reference or reference)

    async def void_tendered(self, purchase: VoidedPurchase) -> None:
        """Undo a purchase that is paid by gift cards or store credit too; see `Payments.void_tendered`."""
        await self.void(purchase.checkout_id, purchase.order_id, purchase.tenders, by_card=purchase.by_card)

    async def void(
        self,
        checkout_id: CheckoutId,
        order_id: OrderId,
        tenders: Sequence[Tender] | None = (),
        *,
        by_card: bool = True,
    ) -> None:
        """Release what was authorised and held, refund what was captured; a charge that comes later is undone
        too. `tenders`: None where they are not known."""
        currency = self._settings.currency
        await self._db.execute(queries.insert_tombstone, ids.new(PaymentId), checkout_id, order_id, currency)
        payment = await self._payment(checkout_id)
        assert payment is not None
        if payment["status"] != "captured":
            result = ChargeResult("unknown")
            if by_card:
                result = await self._cancelled(checkout_id, order_id)
            if result.state == "captured":
                await self._db.execute(queries.book_found_charge, checkout_id, result.amount)
            else:
                await self._db.execute(queries.mark_void, checkout_id)
            payment = await self._payment(checkout_id)
            assert payment is not None
        if payment["status"] == "captured":
            whole = RefundRequest(f"void/{int(checkout_id)}", payment["amount"])
            await self._refunds.make(payment["payment_id"], whole)
        await self._values.give_back(checkout_id, tenders)

    async def _cancelled(self, checkout_id: CheckoutId, order_id: OrderId) -> ChargeResult:
        request, reference = None, ""
        if not self._provider.finds_by_our_key:
            request, reference = await self._attempts.find(checkout_id)
            if request is None:
                return ChargeResult("unknown")  # never asked: there is nothing to release
        request = request or ChargeRequest(checkout_id, order_id, 0, self._settings.currency, "")
        try:
            async with self._time_limit():
                return await self._provider.cancel(request, reference)
        except TimeoutError as error:
            raise Unavailable(
                "The bank does not answer. Your payment is undone as soon as it does."
            ) from error

    async def void_stale(self) -> int:
        """Void what is authorised or challenged for longer than `stale_authorisation_s`.

        Attempts of that age are looked at a last time too. Answers how many were finished with."""
        before = clock.now() - timedelta(seconds=self._settings.stale_authorisation_s)
        finished = 0
        for row in await self._db.fetch(queries.waiting_too_long, before, _STALE_MAX):
            finished += await self._could_void(row["checkout_id"], row["order_id"])
        for row in await self._db.fetch(queries.attempts_left, before, _STALE_MAX):
            request = codec.decode(row["ask"], ChargeRequest)
            if row["status"] == "captured" or await self._could_void(request.key, request.order_id):
                finished += 1
                await self._db.execute(queries.close_attempt, request.key)
        return finished

    async def _could_void(self, checkout_id: int, order_id: int) -> bool:
        try:
            await self.void(CheckoutId(checkout_id), OrderId(order_id), None)
        except (Refusal, *AWAY) as error:
            log.warning(
                "an old authorisation could not be voided yet", checkout=checkout_id, reason=repr(error)
            )
            return False
        return True

    def checkout_of(self, ticket: str) -> CheckoutId:
        """Return whose challenge a ticket is for; NotFound for one that we did not give."""
        checkout_id = signing.unseal(self._key, ticket, CheckoutId)
        if checkout_id is None:
            raise NotFound
        return checkout_id

    def _answer(
        self, payment_id: int, status: str, reason: str, checkout_id: CheckoutId, url: str = ""
    ) -> Paid:
        if status == "captured":
            return Paid(PaymentId(payment_id))
        if status == "action_required":
            url = url or self._provider.challenge_path + signing.seal(self._key, checkout_id)
            return Paid(PaymentId(payment_id), NextAction("three_d_secure", url))
        if reason == "unavailable":
            raise PaymentUnavailable
        words = _UNAPPROVED if reason == "authentication_failed" else ""
        raise PaymentDeclined(words, reason=reason or "card_declined")

    def _time_limit(self) -> Any:
        return time_limit(self._provider, self._settings.provider_timeout_s)

    async def _payment(self, checkout_id: CheckoutId) -> Any:
        return await self._db.fetchrow(queries.of_checkouts, [checkout_id])

    def _as_record(self, charge: Charge, status: str, reason: str) -> _Record:
        kept = rules.kept(charge, self._settings.commission_ppm)
        gross = rules.gross(charge)
        accounts, amounts = rules.capture(charge, kept)
        earned: list[Earned] = []
        if status == "captured":
            lines = rules.lines_of_capture(
                rules.Captured(dict(zip(accounts, amounts, strict=True)), gross, kept)
            )
            earned = earned_by(charge.order_id, charge.checkout_id, charge.currency, lines)
        return _Record(
            ids.new(PaymentId, charge.order_id.bucket),
            charge.checkout_id,
            charge.order_id,
            charge.amount,
            charge.tendered,
            charge.currency,
            status,
            reason,
            msgspec.json.encode(gross).decode(),
            msgspec.json.encode(kept).decode(),
            "{" + ",".join(accounts) + "}",
            "{" + ",".join(map(str, amounts)) + "}",
            earned,
        )

    @set_verb()
    async def _record_many(self, records: list[_Record]) -> list[tuple[int, str]]:
        if any(record.tendered for record in records):
            rows = await self._record_and_take(records)
        else:
            rows = await self._db.fetch(queries.record_charges, *_columns(records))
        stored: dict[int, tuple[int, str]] = {row[0]: (row[1], row[2]) for row in rows}
        if len(stored) < len(records):
            known = [record.checkout_id for record in records if record.checkout_id not in stored]
            for row in await self._db.fetch(queries.of_checkouts, known):
                stored[row["checkout_id"]] = (row["payment_id"], row["status"])
        return [stored[record.checkout_id] for record in records]

    async def _record_and_take(self, records: list[_Record]) -> list[Any]:
        """Record charges, and take with those that are captured what was held for them."""
        tendered = {record.checkout_id: record.tendered for record in records if record.tendered}
        async with self._db.acquire() as db, db.transaction():
            rows = await db.fetch(queries.record_charges, *_columns(records))
            due = {row[0]: tendered[row[0]] for row in rows if row[2] == "captured" and row[0] in tendered}
            if due:
                await self._values.take(db, due)
        return rows


def _columns(records: list[_Record]) -> list[list[Any]]:
    earned = [each for record in records for each in record.earned]
    return [*sql.columns(record[:-1] for record in records), *sql.columns(earned, 6)]


def _request(charge: Charge) -> ChargeRequest:
    return ChargeRequest(charge.checkout_id, charge.order_id, charge.by_card, charge.currency, charge.token)
