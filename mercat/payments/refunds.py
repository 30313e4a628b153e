"""Refunds: parts of a payment that are paid back, each once."""

from typing import Any, NamedTuple

import asyncpg
import msgspec

from mercat import ids, money
from mercat.ids import CheckoutId, OrderId, RefundId
from mercat.kit import clock, sql
from mercat.kit.refusals import Invalid, NotFound, Unavailable
from mercat.payments import rules
from mercat.payments.attempts import Attempts
from mercat.payments.earnings import book_captures, captured_of, earned_by
from mercat.payments.messages import Refund, RefundRequest, RefundTooLarge
from mercat.payments.provider import ChargeRequest, Provider, time_limit
from mercat.payments.stored_value import StoredValue
from mercat.settings import Settings

queries = sql.load("mercat.payments")


class _Back(NamedTuple):
    """Where a refund goes: on which accounts, what each gift card and store credit gets, and how much counts
    as given back of what each of them paid."""

    accounts: rules.Split
    to: dict[int, int]
    of: dict[int, int]


class Refunds:
    def __init__(
        self,
        db: asyncpg.Pool,
        provider: Provider,
        settings: Settings,
        attempts: Attempts,
        values: StoredValue,
    ) -> None:
        self._db = db
        self._provider = provider
        self._settings = settings
        self._attempts = attempts
        self._values = values

    async def of_order(self, order_id: OrderId, refund: RefundRequest) -> Refund:
        """Pay back a part of what an order paid; NotFound where nothing was captured."""
        payment_id = await self._db.fetchval(queries.captured, order_id)
        if payment_id is None:
            raise NotFound("Nothing was paid for this order.")
        return await self.make(payment_id, refund)

    async def make(self, payment_id: int, refund: RefundRequest) -> Refund:
        """Book a refund as owed, then pay it back, then book it as paid.

        Each step is taken up again by the same call, and the provider pays once a refund. One that comes to
        nothing is booked too, for its parts are not nothing; no provider is asked."""
        if refund.amount < 0:
            raise Invalid("A refund is more than nothing.", pointer="/amount")
        async with self._db.acquire() as db, db.transaction():
            payment: Any = await db.fetchrow(queries.lock_payment, payment_id)  # one refund after another
            known = await db.fetchrow(queries.refund_known, refund.reference)
            if known is None:
                refund_id, amount = ids.new(RefundId), refund.amount
                by_card = amount - await self._begin(db, payment, refund_id, refund)
            elif known["payment_id"] != payment_id:
                raise Invalid("This reference is another payment's.", pointer="/reference")
            else:
                refund_id, amount = RefundId(known["refund_id"]), known["amount"]
                by_card = amount - known["stored"]
        if known and known["status"] == "failed":
            return Refund(refund_id, amount, "failed")  # a case is open; it is not tried by itself
        if known is None or known["status"] == "pending":
            await self._pay_back(payment, refund_id, by_card, again=known is not None)
        return Refund(refund_id, amount, "done")

    async def _pay_back(self, payment: Any, refund_id: RefundId, amount: int, *, again: bool) -> None:
        checkout_id, order_id = CheckoutId(payment["checkout_id"]), OrderId(payment["order_id"])
        if amount:
            request, reference = None, ""
            if not self._provider.finds_by_our_key:
                request, reference = await self._attempts.find(checkout_id)
            request = request or ChargeRequest(
                checkout_id, order_id, payment["amount"] - payment["tendered"], payment["currency"], ""
            )
            try:
                async with time_limit(self._provider, self._settings.provider_timeout_s):
                    await self._provider.refund(refund_id, request, reference, amount, again)
            except TimeoutError as error:
                raise Unavailable(
                    "The bank does not answer. Your refund is made as soon as it does."
                ) from error
        accounts, amounts = rules.paid_back(amount)
        await self._db.execute(queries.finish_refund, refund_id, payment["currency"], accounts, amounts)

    async def _begin(self, db: Any, payment: Any, refund_id: RefundId, refund: RefundRequest) -> int:
        """Book a refund; answer how much of it went to gift cards and store credit, which is at once."""
        if payment["status"] != "captured":
            raise NotFound("Nothing was paid for this order.")
        if payment["refunded"] + refund.amount > payment["amount"]:
            raise RefundTooLarge
        if refund.amount == 0 and payment["amount"] and not refund.sellers:
            raise Invalid("A refund is more than nothing.", pointer="/amount")
        before: rules.Split = {}
        for row in await db.fetch(queries.refund_parts, payment["payment_id"]):
            for account, amount in msgspec.json.decode(row["parts"], type=dict[str, int]).items():
                before[account] = before.get(account, 0) + amount
        captured = captured_of(payment)
        parts = rules.split(captured, before, refund)
        back = await self._back(db, payment, refund)
        stored = sum(back.to.values())
        accounts, amounts = rules.refund(captured, before, parts, back.accounts)
        postings = dict(zip(accounts, amounts, strict=True))
        lines = rules.lines_of_refund(captured, before, parts, postings)
        await db.execute(
            queries.begin_refund,
            refund_id,
            payment["payment_id"],
            refund.reference,
            refund.amount,
            stored,
            msgspec.json.encode(parts).decode(),
            accounts,
            amounts,
        )
        if back.of:
            of = list(back.of), list(back.of.values())
            await db.execute(queries.count_refunded, payment["checkout_id"], *of)
        await self._values.returned(db, refund_id, back.to)
        await db.execute(queries.take_sold, refund.reference, clock.now())
        await self._book_lines(db, payment, refund_id, lines)
        if payment["amount"] and payment["refunded"] + refund.amount == payment["amount"]:
            await db.execute(queries.release_orders, [payment["order_id"]], clock.now())
        return stored

    async def _back(self, db: Any, payment: Any, refund: RefundRequest) -> _Back:
        """Say where a refund goes: to where the payment came from, or all of it to store credit. What was
        paid by a gift card that cannot be used any more goes to it all the same."""
        tenders: list[Any] = []
        if payment["tendered"]:
            tenders = await db.fetch(queries.tenders_of, payment["checkout_id"])
        remaining = [tender["remaining"] for tender in tenders]
        by_card = payment["amount"] - payment["refunded"] - sum(remaining)
        step = money.step(payment["currency"])
        _, *shares = rules.shares_back([by_card, *remaining], refund.amount, step)
        of = {tender["value_id"]: share for tender, share in zip(tenders, shares, strict=True) if share}
        if refund.credit_to is not None and refund.amount:
            to = {await self._values.credit_of(db, refund.credit_to): refund.amount}
            return _Back({"store_credit": refund.amount}, {int(value): n for value, n in to.items()}, of)
        accounts: rules.Split = {}
        for tender in tenders:
            if share := of.get(tender["value_id"]):
                account = rules.ACCOUNT_OF[tender["kind"]]
                accounts[account] = accounts.get(account, 0) + share
        return _Back(accounts, of, of)

    async def _book_lines(
        self, db: Any, payment: Any, refund_id: RefundId, lines: list[rules.BookedLine]
    ) -> None:
        """Write what a refund means for its sellers beside what they earned, which may not be there yet."""
        await book_captures(db, [payment["checkout_id"]])
        of = payment["order_id"], refund_id, payment["currency"]
        rows = [(*earned, clock.now()) for earned in earned_by(*of, lines)]
        await db.execute(queries.book_earnings, *sql.columns(rows, 7))
