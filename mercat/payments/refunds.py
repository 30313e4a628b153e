"""Refunds: parts of a payment that are paid back, each once."""

from typing import Any

import asyncpg
import msgspec

from mercat import ids
from mercat.ids import CheckoutId, OrderId, RefundId
from mercat.kit import sql
from mercat.kit.refusals import Invalid, NotFound, Unavailable
from mercat.payments import rules
from mercat.payments.attempts import Attempts
from mercat.payments.messages import Refund, RefundRequest, RefundTooLarge
from mercat.payments.provider import ChargeRequest, Provider, time_limit
from mercat.settings import Settings

queries = sql.load("mercat.payments")


class Refunds:
    def __init__(self, db: asyncpg.Pool, provider: Provider, settings: Settings, attempts: Attempts) -> None:
        self._db = db
        self._provider = provider
        self._settings = settings
        self._attempts = attempts

    async def of_order(self, order_id: OrderId, refund: RefundRequest) -> Refund:
        """Pay back a part of what an order paid; NotFound where nothing was captured."""
        payment_id = await self._db.fetchval(queries.captured, order_id)
        if payment_id is None:
            raise NotFound("Nothing was paid for this order.")
        return await self.make(payment_id, refund)

    async def make(self, payment_id: int, refund: RefundRequest) -> Refund:
        """Book a refund as owed, then pay it back, then book it as paid.

        Each step is taken up again by the same call, and the provider pays once a refund."""
        if refund.amount <= 0:
            raise Invalid("A refund is more than nothing.", pointer="/amount")
        async with self._db.acquire() as db, db.transaction():
            payment: Any = await db.fetchrow(queries.lock_payment, payment_id)  # one refund after another
            known = await db.fetchrow(queries.refund_known, refund.reference)
            if known is None:
                refund_id, amount = ids.new(RefundId), refund.amount
                await self._begin(db, payment, refund_id, refund)
            elif known["payment_id"] != payment_id:
                raise Invalid("This reference is another payment's.", pointer="/reference")
            else:
                refund_id, amount = RefundId(known["refund_id"]), known["amount"]
        if known and known["status"] == "failed":
            return Refund(refund_id, amount, "failed")  # a case is open; it is not tried by itself
        if known is None or known["status"] == "pending":
            await self._pay_back(payment, refund_id, amount, again=known is not None)
        return Refund(refund_id, amount, "done")

    async def _pay_back(self, payment: Any, refund_id: RefundId, amount: int, *, again: bool) -> None:
        checkout_id, order_id = CheckoutId(payment["checkout_id"]), OrderId(payment["order_id"])
        request, reference = None, ""
        if not self._provider.finds_by_our_key:
            request, reference = await self._attempts.find(checkout_id)
        request = request or ChargeRequest(checkout_id, order_id, payment["amount"], payment["currency"], "")
        try:
            async with time_limit(self._provider, self._settings.provider_timeout_s):
                await self._provider.refund(refund_id, request, reference, amount, again)
        except TimeoutError as error:
            raise Unavailable("The bank does not answer. Your refund is made as soon as it does.") from error
        accounts, amounts = rules.paid_back(amount)
        await self._db.execute(queries.finish_refund, refund_id, payment["currency"], accounts, amounts)

    async def _begin(self, db: Any, payment: Any, refund_id: RefundId, refund: RefundRequest) -> None:
        if payment["status"] != "captured":
            raise NotFound("Nothing was paid for this order.")
        if payment["refunded"] + refund.amount > payment["amount"]:
            raise RefundTooLarge
        before: rules.Split = {}
        for row in await db.fetch(queries.refund_parts, payment["payment_id"]):
            for account, amount in msgspec.json.decode(row["parts"], type=dict[str, int]).items():
                before[account] = before.get(account, 0) + amount
        postings = dict(zip(payment["accounts"], payment["amounts"], strict=True))
        captured = rules.Captured(postings, msgspec.json.decode(payment["parts"], type=dict[str, int]))
        parts = rules.split(captured, before, refund)
        accounts, amounts = rules.refund(captured, before, parts)
        await db.execute(
            queries.begin_refund,
            refund_id,
            payment["payment_id"],
            refund.reference,
            refund.amount,
            msgspec.json.encode(parts).decode(),
            accounts,
            amounts,
        )
