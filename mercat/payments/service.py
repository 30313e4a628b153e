import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple

import asyncpg
import msgspec
import structlog

from mercat import ids
from mercat.ids import CaseId, CheckoutId, OrderId, PaymentId, RefundId, UserId
from mercat.kit import clock, codec, signing, sql
from mercat.kit.batching import Coalescer
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Invalid, NotFound, Refusal, Unavailable
from mercat.kit.rpc import IN_BODY
from mercat.payments import rules
from mercat.payments.messages import (
    CASE_NOTE_MAX,
    Back,
    Balance,
    Case,
    Charge,
    Heard,
    KeptCard,
    Letter,
    NextAction,
    Outcome,
    Paid,
    Payment,
    PaymentDeclined,
    PaymentUnavailable,
    Refund,
    RefundTooLarge,
)
from mercat.payments.provider import Answer, Ask, NoCustomer, Notice, Provider
from mercat.payments.reconcile import Reconciling
from mercat.payments.sandbox import Sandbox
from mercat.settings import Settings

queries = sql.load("mercat.payments")
log = structlog.get_logger("mercat.payments")
_FRESH = timedelta(seconds=2)
_STALE_MAX = 100
_PAGE_MAX = 200
_NOTICES_KEPT = timedelta(days=30)
_STATUS = {"captured": "captured", "challenged": "action_required"}


class _Record(NamedTuple):
    """What the provider said of a charge, as the statement takes it."""

    payment_id: int
    checkout_id: int
    order_id: int
    amount: int
    currency: str
    status: str
    reason: str
    parts: str
    accounts: str
    amounts: str


class _Attempt(NamedTuple):
    checkout_id: int
    ask: str
    at: datetime
    token: str
    user_id: int


class _Stands(NamedTuple):
    """What is known of a charge before the provider is asked. `again`: it was asked before, perhaps;
    `customer`: whom the card was attached to when it was asked first."""

    again: bool = False
    reference: str = ""
    customer: str = ""
    payment_id: int = 0
    status: str = ""
    reason: str = ""


class Payments(Reconciling):
    def __init__(self, db: asyncpg.Pool, provider: Provider, settings: Settings) -> None:
        super().__init__(db, provider, settings)
        self._key = settings.key("payments")
        self._record: Coalescer[_Record, tuple[int, str]] = Coalescer(self._record_many)
        self._attempt: Coalescer[_Attempt, _Stands] = Coalescer(self._attempt_many)
        self._refer: Coalescer[tuple[int, str], None] = Coalescer(self._refer_many)

    async def keep_card(self, token: Annotated[str, IN_BODY], user_id: UserId | None = None) -> KeptCard:
        """How a card is charged from now on: for somebody, again and again; for nobody, once where the
        provider has it so. Invalid for a card that it does not take."""
        if user_id is None or not self._provider.once:
            return KeptCard(token, once=self._provider.once)
        try:
            async with self._in_time():
                customer = await self._customer(user_id)
                try:
                    card = await self._provider.attach(customer, token)
                except NoCustomer:
                    customer = await self._customer(user_id, lost=customer)
                    card = await self._provider.attach(customer, token)
        except (TimeoutError, NoCustomer) as away:
            raise Unavailable("The bank does not answer, so this card was not kept.") from away
        await self._db.execute(queries.keep_card, card.token, user_id, customer)
        return card

    async def _customer(self, user_id: UserId, lost: str = "") -> str:
        known = await self._db.fetchval(queries.customer_of, user_id)
        if known and known != lost:
            return known
        made = await self._provider.customer(user_id, lost)
        return await self._db.fetchval(queries.keep_customer, user_id, made, lost)

    async def charge(self, charge: Charge) -> Paid:
        """Captures, once a checkout; raises PaymentDeclined or PaymentUnavailable, which are as final.
        An answer with a next action is not: ask again when the shopper has acted. No connection of the
        database is held while the provider is asked."""
        ask = Ask(charge.checkout_id, charge.order_id, charge.amount, charge.currency, charge.token)
        stands = await self._stands(ask, charge.user_id or 0)
        if stands.status and stands.status != "action_required":
            return self._answer(stands.payment_id, stands.status, stands.reason, charge.checkout_id)
        answer, reason = await self._asked(ask._replace(customer=stands.customer), stands)
        status = _STATUS.get(answer.state, "declined")
        payment_id, status = await self._record(self._as_record(charge, status, reason))
        if status == "void" and answer.state == "captured":
            await self.void(charge.checkout_id, charge.order_id)
        return self._answer(payment_id, status, reason, charge.checkout_id, answer.url)

    async def _stands(self, ask: Ask, user_id: int) -> _Stands:
        """What is known already. Of a checkout of this moment a provider that remembers our keys knows it
        best."""
        if not self._provider.remembers:
            asked = _Attempt(ask.key, codec.text(ask), clock.now(), ask.token, user_id)
            return await self._attempt(asked)
        if ask.key >= ids.first_of(clock.now() - _FRESH):
            return _Stands()
        row = await self._payment(ask.key)
        if row is None:
            return _Stands(True)
        return _Stands(True, payment_id=row["payment_id"], status=row["status"], reason=row["reason"])

    async def _asked(self, ask: Ask, stands: _Stands) -> tuple[Answer, str]:
        """The charge's end, or where it waits for the shopper; and why there was no answer. What may have
        been asked before is looked up before it is asked again; what did not answer is looked up, and then
        cancelled."""
        reference = stands.reference
        try:
            async with self._in_time():
                answer = await self._provider.look_up(ask, reference) if stands.again else Answer("unknown")
                if answer.state == "unknown":
                    answer = await self._provider.authorise(ask)
                answer = await self._captured(ask, answer, reference)
                return answer, answer.reason
        except TimeoutError:
            log.warning("the provider did not answer; it is asked what happened", checkout=str(ask.key))
        try:
            async with self._in_time():
                answer = await self._provider.look_up(ask, reference)
                if answer.state in ("authorised", "challenged", "declined"):
                    answer = await self._captured(ask, answer, reference)
                    return answer, answer.reason
                if answer.state != "captured":
                    answer = await self._provider.cancel(ask, answer.reference or reference)
                return answer, "unavailable"
        except TimeoutError as away:
            raise Unavailable(
                "The bank does not answer. We keep asking what became of your payment."
            ) from away

    def _in_time(self) -> AbstractAsyncContextManager[object]:
        """How long a provider may take. The sandbox keeps that by itself: a timer for each charge is felt."""
        own = self._provider.remembers
        return nullcontext() if own else asyncio.timeout(self._settings.provider_timeout_s)

    async def _captured(self, ask: Ask, answer: Answer, reference: str) -> Answer:
        if answer.reference and answer.reference != reference and not self._provider.remembers:
            await self._refer((ask.key, answer.reference))
        if answer.state != "authorised":
            return answer
        return await self._provider.capture(ask, answer.reference or reference)

    async def void(self, checkout_id: CheckoutId, order_id: OrderId) -> None:
        """Undo: what was authorised is let go, what was captured is refunded; a charge that comes later is
        undone too."""
        currency = self._settings.currency
        await self._db.execute(queries.bury, ids.new(PaymentId), checkout_id, order_id, currency)
        payment = await self._payment(checkout_id)
        assert payment is not None
        if payment["status"] != "captured":
            answer = await self._cancelled(checkout_id, order_id)
            if answer.state == "captured":
                await self._db.execute(queries.found_charged, checkout_id, answer.amount)
            else:
                await self._db.execute(queries.abandon, checkout_id)
            payment = await self._payment(checkout_id)
            assert payment is not None
        if payment["status"] == "captured":
            await self._refund(payment["payment_id"], Back(f"void/{int(checkout_id)}", payment["amount"]))

    async def _cancelled(self, checkout_id: CheckoutId, order_id: OrderId) -> Answer:
        ask, reference = await self._asked_before(checkout_id)
        if ask is None and not self._provider.remembers:
            return Answer("unknown")  # never asked: there is nothing to let go
        ask = ask or Ask(checkout_id, order_id, 0, self._settings.currency, "")
        try:
            async with self._in_time():
                return await self._provider.cancel(ask, reference)
        except TimeoutError as away:
            raise Unavailable(
                "The bank does not answer. Your payment is undone as soon as it does."
            ) from away

    async def _asked_before(self, checkout_id: CheckoutId) -> tuple[Ask | None, str]:
        if self._provider.remembers:
            return None, ""
        row = next(iter(await self._db.fetch(queries.attempts, [checkout_id])), None)
        if row is None:
            return None, ""
        return codec.decode(row["ask"], Ask)._replace(customer=row["customer"]), row["reference"]

    async def refund(self, order_id: OrderId, back: Back) -> Refund:
        """Gives back a part of what an order paid, once a reference; RefundTooLarge beyond what is left."""
        payment_id = await self._db.fetchval(queries.captured, order_id)
        if payment_id is None:
            raise NotFound("Nothing was paid for this order.")
        return await self._refund(payment_id, back)

    async def of_order(self, order_id: OrderId) -> list[Payment]:
        rows = await self._db.fetch(queries.of_order, order_id)
        return [
            sql.row(Payment, {**row, "refunds": codec.decode(row["refunds"], list[Refund])}) for row in rows
        ]

    async def trial_balance(self, sellers_together: bool = False) -> list[Balance]:
        """Every account's balance; they sum to zero."""
        return sql.rows(Balance, await self._db.fetch(queries.trial_balance, sellers_together))

    async def challenged(self, ticket: str) -> CheckoutId:
        """Whose challenge this is; NotFound for a ticket that we did not give."""
        checkout_id = signing.unseal(self._key, ticket, CheckoutId)
        if checkout_id is None:
            raise NotFound
        return checkout_id

    async def answer_challenge(self, ticket: str, outcome: Outcome) -> CheckoutId:
        """The shopper told the sandbox's bank yes or no. Answers whose checkout can go on."""
        checkout_id = await self.challenged(ticket)
        if not isinstance(self._provider, Sandbox):
            raise NotFound
        await self._provider.answer(checkout_id, outcome.outcome == "approve")
        return checkout_id

    # -- what a provider tells of its own accord

    async def hear(self, letter: Letter) -> Heard:
        """Keeps a notice that the provider signed, once; raises BadSignature. What it says is not believed:
        the checkout asks the provider. Until `heard` says so it is taken up again."""
        if letter.provider != self._provider.name:
            raise NotFound("There is no such provider here.")
        try:
            notice = self._provider.hear(letter.body, letter.signature)
        except msgspec.DecodeError as error:
            raise Invalid("This notice cannot be read.") from error
        if not notice.event_id or len(notice.event_id) > 255:
            raise Invalid("This notice has no id.", pointer="/id")
        row = await self._db.fetchrow(
            queries.hear,
            letter.provider,
            notice.event_id,
            notice.kind[:100],
            notice.checkout_id,
            clock.now(),
        )
        assert row is not None
        if notice.trouble and not row["done"]:
            await self._refund_failed(notice)
        return Heard(letter.provider, notice.event_id, notice.checkout_id, row["done"], row["tries"])

    async def _refund_failed(self, notice: Notice) -> None:
        """The books say so, and an operator hears of it: the shopper is owed the money some other way."""
        order_id, owed, currency = None, 0, self._settings.currency
        if notice.refund_id is not None:
            await self._db.execute(queries.fail_refund, notice.refund_id, rules.CAME_BACK)
            if row := await self._db.fetchrow(queries.refund_of, notice.refund_id):
                order_id, owed, currency = row["order_id"], row["amount"], row["currency"]
        await self._open_case("refund_failed", notice.trouble, order_id, owed, 0, currency)

    async def heard(self, notice: Heard) -> None:
        """This notice was seen to."""
        await self._db.execute(queries.heard, notice.provider, notice.event_id, clock.now())

    async def unheard(self) -> list[Heard]:
        """Notices that nobody has seen to, a second old at least."""
        rows = await self._db.fetch(queries.unheard, clock.now() - timedelta(seconds=1))
        return sql.rows(Heard, rows)

    # -- by and by

    async def keep_tidy(self) -> None:
        """Lets go of authorisations that nobody came back for, and forgets old notices."""
        while await self.void_stale():
            pass
        await self._db.execute(queries.forget_notices, clock.now() - _NOTICES_KEPT)
        await asyncio.sleep(60)

    async def void_stale(self) -> int:
        """Voids what is authorised or challenged for longer than `stale_authorisation_s`, and has a last
        look at the attempts of that age; answers how many it has seen to."""
        before = clock.now() - timedelta(seconds=self._settings.stale_authorisation_s)
        seen = 0
        for row in await self._db.fetch(queries.waiting_too_long, before, _STALE_MAX):
            seen += await self._void_by_and_by(row["checkout_id"], row["order_id"])
        for row in await self._db.fetch(queries.attempts_left, before, _STALE_MAX):
            ask = codec.decode(row["ask"], Ask)
            if row["status"] == "captured" or await self._void_by_and_by(ask.key, ask.order_id):
                seen += 1
                await self._db.execute(queries.close_attempt, ask.key)
        return seen

    async def _void_by_and_by(self, checkout_id: int, order_id: int) -> bool:
        try:
            await self.void(CheckoutId(checkout_id), OrderId(order_id))
        except (Refusal, *AWAY) as error:
            log.warning(
                "an old authorisation could not be voided yet", checkout=checkout_id, reason=repr(error)
            )
            return False
        return True

    # -- cases

    async def cases(self, resolved: bool = False, before: CaseId | None = None) -> list[Case]:
        """Differences to the provider's books, newest first."""
        rows = await self._db.fetch(queries.cases, not resolved, before or 2**63 - 1, _PAGE_MAX)
        return sql.rows(Case, rows)

    async def resolve(self, case_id: CaseId, who: str, note: str) -> None:
        """An operator has seen to it, and says how; NotFound for what is not open."""
        note = note.strip()
        if not note or len(note) > CASE_NOTE_MAX:
            raise Invalid(f"Say in 1 to {CASE_NOTE_MAX:,} characters how it was resolved.", pointer="/note")
        if await self._db.fetchval(queries.resolve, case_id, clock.now(), who[:200], note) is None:
            raise NotFound("There is no such open case.")

    # --

    def _answer(
        self, payment_id: int, status: str, reason: str, checkout_id: CheckoutId, url: str = ""
    ) -> Paid:
        if status == "captured":
            return Paid(PaymentId(payment_id))
        if status == "action_required":
            ticket = signing.seal(self._key, checkout_id)
            return Paid(PaymentId(payment_id), NextAction("three_d_secure", url or f"/sandbox/3ds/{ticket}"))
        if reason == "unavailable":
            raise PaymentUnavailable
        raise PaymentDeclined(reason=reason or "card_declined")

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
            msgspec.json.encode(rules.gross(charge)).decode(),
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

    async def _attempt_many(self, asks: list[_Attempt]) -> list[_Stands | Exception]:
        rows = await self._db.fetch(queries.attempt_many, *sql.columns(asks))
        stands = {
            row["checkout_id"]: _Stands(
                row["again"],
                row["reference"],
                row["customer"],
                row["payment_id"] or 0,
                row["status"] or "",
                row["reason"] or "",
            )
            for row in rows
        }
        return [stands[ask.checkout_id] for ask in asks]

    async def _refer_many(self, asks: list[tuple[int, str]]) -> list[Exception | None]:
        await self._db.execute(queries.refer_many, *sql.columns(sorted(asks)))
        return [None] * len(asks)

    async def _refund(self, payment_id: int, back: Back) -> Refund:
        if back.amount <= 0:
            raise Invalid("A refund is more than nothing.", pointer="/amount")
        async with self._db.acquire() as db, db.transaction():
            payment: Any = await db.fetchrow(queries.lock_payment, payment_id)  # one refund after another
            known = await db.fetchrow(queries.refund_known, back.reference)
            if known is None:
                refund_id, amount = ids.new(RefundId), back.amount
                await self._begin_refund(db, payment, refund_id, back)
            elif known["payment_id"] != payment_id:
                raise Invalid("This reference is another payment's.", pointer="/reference")
            else:
                refund_id, amount = RefundId(known["refund_id"]), known["amount"]
        if known and known["status"] == "failed":
            return Refund(refund_id, amount, "failed")  # a case is open; it is not tried by itself
        if known is None or known["status"] == "pending":
            checkout_id, order_id = CheckoutId(payment["checkout_id"]), OrderId(payment["order_id"])
            ask, reference = await self._asked_before(checkout_id)
            ask = ask or Ask(checkout_id, order_id, payment["amount"], payment["currency"], "")
            try:
                async with self._in_time():
                    await self._provider.refund(refund_id, ask, reference, amount, known is not None)
            except TimeoutError as away:
                raise Unavailable(
                    "The bank does not answer. Your refund is made as soon as it does."
                ) from away
            accounts, amounts = rules.paid_back(amount)
            await self._db.execute(queries.finish_refund, refund_id, payment["currency"], accounts, amounts)
        return Refund(refund_id, amount, "done")

    async def _begin_refund(self, db: Any, payment: Any, refund_id: RefundId, back: Back) -> None:
        if payment["status"] != "captured":
            raise NotFound("Nothing was paid for this order.")
        if payment["refunded"] + back.amount > payment["amount"]:
            raise RefundTooLarge
        before: rules.Split = {}
        for row in await db.fetch(queries.given_back, payment["payment_id"]):
            for account, amount in msgspec.json.decode(row["parts"], type=dict[str, int]).items():
                before[account] = before.get(account, 0) + amount
        postings = dict(zip(payment["accounts"], payment["amounts"], strict=True))
        captured = rules.Captured(postings, msgspec.json.decode(payment["parts"], type=dict[str, int]))
        parts = rules.split(captured, before, back)
        accounts, amounts = rules.refund(captured, before, parts)
        await db.execute(
            queries.begin_refund,
            refund_id,
            payment["payment_id"],
            back.reference,
            back.amount,
            msgspec.json.encode(parts).decode(),
            accounts,
            amounts,
        )
