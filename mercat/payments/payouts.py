"""Payouts: what is available to a seller is taken, transferred, and booked as paid; each once.

A payout, its lines and its entry are one transaction under the lock of its seller's row; so of two runs the
second finds nothing left. The transfer comes after it, under the payout's id: whoever dies before its end is
followed by `settle`, which asks the provider again. Only who turns `pending` into another status books it.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import structlog

from mercat import ids
from mercat.ids import PayoutId, SellerId
from mercat.kit import clock, sql
from mercat.kit.refusals import NotFound
from mercat.payments.messages import (
    EarningLine,
    NotPaid,
    NotPaidBecause,
    Payout,
    PayoutRun,
    PayoutsNotSetUp,
    PayoutStatus,
    Statement,
)
from mercat.payments.payout_provider import PayoutProvider, Transfer
from mercat.settings import Settings

queries = sql.load("mercat.payments")
log = structlog.get_logger("mercat.payments")
_PAGE = 200
_LEASE = timedelta(minutes=5)
_REST_S = 60
_NOT_PAID_SHOWN = 1_000
_REASON_MAX = 300


class _TooLittle(Exception):
    """What was available became less while it was being taken."""


class Payouts:
    """Pays sellers out, and says what each payout is made of."""

    def __init__(
        self, db: asyncpg.Pool, provider: PayoutProvider, settings: Settings, *, real_money: bool
    ) -> None:
        """`real_money`: whether shoppers pay any, which the sandbox cannot pass on."""
        self._db = db
        self._provider = provider
        self._settings = settings
        self._real_money = real_money
        self._currency = settings.currency

    # -- reading

    async def payouts(
        self,
        seller_id: SellerId | None = None,
        status: PayoutStatus | None = None,
        after: PayoutId | None = None,
        limit: int = 20,
    ) -> list[Payout]:
        """List a seller's payouts, or everybody's, the newest first."""
        return sql.rows(Payout, await self._db.fetch(queries.payouts, seller_id, status, after, limit))

    async def payout_counts(self, seller_id: SellerId | None = None) -> dict[str, int]:
        """Count a seller's payouts, or everybody's, by status."""
        rows = await self._db.fetch(queries.payout_counts, seller_id)
        return {row["status"]: row["payouts"] for row in rows}

    async def statement(self, payout_id: PayoutId, seller_id: SellerId | None = None) -> Statement:
        """Answer a payout with the sums of its lines; NotFound for another seller's."""
        row = await self._db.fetchrow(queries.payout, payout_id, seller_id)
        if row is None:
            raise NotFound("There is no such payout.")
        totals = await self._db.fetch(queries.statement_totals, payout_id)
        sums = {each["kind"]: each["amount"] for each in totals}
        return Statement(sql.row(Payout, row), sums, sum(each["lines"] for each in totals))

    async def statement_lines(
        self, payout_id: PayoutId, seller_id: SellerId | None = None, after: int = 0, limit: int = 100
    ) -> list[EarningLine]:
        """List the lines of a payout's statement, in the order in which they were booked; of a seller, theirs
        alone."""
        rows = await self._db.fetch(queries.statement_lines, payout_id, seller_id, after, limit)
        return sql.rows(EarningLine, rows)

    # -- paying

    async def run_payouts(self, dry_run: bool = False, seller_id: SellerId | None = None) -> PayoutRun:
        """Pay everybody out who can be, or one seller; `dry_run` only says whom.

        Named alone, a seller whose account was refused is tried again. PayoutsNotSetUp where the sandbox
        would have to pass on real money."""
        self._check_set_up()
        run = f"by hand/{int(ids.new(PayoutId))}"
        if seller_id is not None and not dry_run:
            await self._db.execute(queries.try_payee_again, seller_id)
        if dry_run:
            return await self._planned(run, seller_id)
        return await self._carry_out(run, seller_id)

    async def keep_paying(self) -> None:
        """Run when it is due, and finish what runs have left; then rest a minute."""
        await self.run_if_due()
        await self.settle()
        await asyncio.sleep(_REST_S)

    async def run_if_due(self) -> PayoutRun | None:
        """Run once a day or week, whichever process asks first; who died is followed after its lease."""
        now = clock.now()
        run = due_run(self._settings.payout_schedule, now)
        if run is None or not self._is_set_up:
            return None
        fence = await self._db.fetchval(queries.claim_payout_run, run, now, now + _LEASE)
        if fence is None:
            return None
        done = await self._carry_out(run, None, fence)
        await self._db.execute(queries.finish_payout_run, run, fence, clock.now())
        return done

    async def settle(self) -> int:
        """Transfer what was decided and not transferred; answers how many payouts came to their end."""
        finished, after = 0, 0
        while rows := await self._db.fetch(queries.pending_payouts, after, _PAGE):
            after = rows[-1]["payout_id"]
            for row in rows:
                finished += await self._transfer(row)
        return finished

    @property
    def _is_set_up(self) -> bool:
        return self._provider.real_money or not self._real_money

    def _check_set_up(self) -> None:
        if not self._is_set_up:
            raise PayoutsNotSetUp

    async def _planned(self, run: str, seller_id: SellerId | None) -> PayoutRun:
        payouts: list[Payout] = []
        not_paid: list[NotPaid] = []
        now = clock.now()
        async for row in self._due(seller_id):
            if why := self._why_not(row):
                not_paid.append(NotPaid(row["seller_id"], row["amount"], why))
            else:
                payouts.append(_plan(row, run, self._currency, now))
        return PayoutRun(run, payouts, not_paid[:_NOT_PAID_SHOWN], self._currency)

    async def _carry_out(self, run: str, seller_id: SellerId | None, fence: int | None = None) -> PayoutRun:
        not_paid: list[NotPaid] = []
        async for row in self._due(seller_id):
            if why := self._why_not(row):
                not_paid.append(NotPaid(row["seller_id"], row["amount"], why))
            else:
                await self._pay_out(row["seller_id"], run)
            if fence and not await self._db.fetchval(
                queries.keep_payout_run, run, fence, clock.now() + _LEASE
            ):
                break  # another process goes on with it
        await self.settle()
        payouts = sql.rows(Payout, await self._db.fetch(queries.payouts_of_run, run))
        return PayoutRun(run, payouts, not_paid[:_NOT_PAID_SHOWN], self._currency)

    async def _due(self, seller_id: SellerId | None) -> AsyncIterator[Any]:
        """Yield who has anything available or owes, by seller."""
        after = -1
        while True:
            rows = await self._db.fetch(
                queries.due_payouts, self._currency, clock.now(), seller_id, after, _PAGE
            )
            for row in rows:
                if row["amount"]:
                    yield row
            if len(rows) < _PAGE:
                return
            after = rows[-1]["seller_id"]

    def _why_not(self, row: Any) -> NotPaidBecause | None:
        if row["amount"] < max(1, self._settings.payout_minimum):
            return "below_minimum"
        if row["suspended"]:
            return "seller_suspended"
        if row["refused"]:
            return "account_refused"
        return None if row["destination"] or self._provider.destination else "no_account"

    async def _pay_out(self, seller_id: int, run: str) -> None:
        """Decide a payout: take what is available, with its entry. Twice in a run, or at once, is once."""
        try:
            async with self._db.acquire() as db, db.transaction():
                await db.execute(queries.begin_payees, [seller_id])
                await db.execute(queries.lock_payees, [seller_id])
                payee: Any = await db.fetchrow(queries.payout_destination, seller_id)
                destination = payee["destination"] or self._provider.destination
                if payee["waits"] or not destination or await db.fetchval(queries.has_payout, seller_id, run):
                    return
                amount = await db.fetchval(
                    queries.pay_out,
                    ids.new(PayoutId),
                    seller_id,
                    run,
                    self._currency,
                    destination,
                    payee["account"] or self._provider.name,
                    clock.now(),
                )
                if amount is None or amount < self._settings.payout_minimum:
                    raise _TooLittle
        except _TooLittle:
            return

    async def _transfer(self, row: Any) -> bool:
        """Have a payout transferred, and book what came of it; False where it is not known yet."""
        payout_id = PayoutId(row["payout_id"])
        transfer = Transfer(
            payout_id, SellerId(row["seller_id"]), row["amount"], row["currency"], row["destination"]
        )
        try:
            async with asyncio.timeout(self._settings.provider_timeout_s):
                result = await self._provider.pay(transfer)
        except TimeoutError:
            log.warning("a payout is not known to be paid; it is asked again", payout=str(payout_id))
            return False
        if result.state == "paid":
            await self._db.execute(queries.finish_payout, payout_id, result.reference, clock.now())
        else:
            reason = result.reason[:_REASON_MAX]
            await self._db.execute(queries.fail_payout, payout_id, reason, clock.now())
        return True


def due_run(schedule: str, now: datetime) -> str | None:
    """Name the run of a moment by the calendar of UTC; None where there is no schedule."""
    if schedule == "daily":
        return f"daily/{now:%Y-%m-%d}"
    year, week, _ = now.isocalendar()
    return f"weekly/{year}-W{week:02d}" if schedule == "weekly" else None


def _plan(row: Any, run: str, currency: str, now: datetime) -> Payout:
    return Payout(
        payout_id=PayoutId(0),
        seller_id=SellerId(row["seller_id"]),
        run=run,
        status="pending",
        amount=row["amount"],
        currency=currency,
        account="",
        reason="",
        made_at=now,
    )
