"""Our books beside the provider's: every difference is a case for an operator."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import structlog

from mercat import ids
from mercat.ids import CaseId, CheckoutId, OrderId
from mercat.kit import clock, codec, sql
from mercat.payments.messages import Reconciled
from mercat.payments.provider import Ask, Listed, Provider
from mercat.settings import Settings

queries = sql.load("mercat.payments")
log = structlog.get_logger("mercat.payments")
_SLICE = timedelta(hours=1)
_SETTLING = timedelta(minutes=2)
_PAGE = 1_000
_AGAIN = timedelta(minutes=10)


class Reconciling:
    def __init__(self, db: asyncpg.Pool, provider: Provider, settings: Settings) -> None:
        self._db = db
        self._provider = provider
        self._settings = settings

    async def reconcile(self, hours: float = 48) -> Reconciled:
        """Compares the charges of the last `hours`, but for those of the last two minutes, which may be on
        their way. A case that is open already is not opened again."""
        until = clock.now() - _SETTLING
        at = until - timedelta(hours=hours)
        checked = differences = opened = 0
        while at < until:
            end = min(at + _SLICE, until)
            seen, different, fresh = await self._compare(at, end)
            checked, differences, opened = checked + seen, differences + different, opened + fresh
            at = end
        return Reconciled(self._provider.name, checked, differences, opened)

    async def keep_reconciling(self) -> None:
        await self.reconcile_if_due()
        await asyncio.sleep(60)

    async def reconcile_if_due(self) -> Reconciled | None:
        """Once in `reconcile_every_s`, whichever process asks first; after a failure in ten minutes again."""
        every = timedelta(seconds=self._settings.reconcile_every_s)
        now = clock.now()
        if not every or await self._db.fetchval(queries.reconcile_due, now, every) is None:
            return None
        try:
            done = await self.reconcile(max(48, 2 * every / timedelta(hours=1)))
        except Exception as error:
            log.warning("the books could not be compared with the provider's", reason=repr(error)[:300])
            await self._db.execute(queries.reconcile_again, now - every + _AGAIN)
            return None
        if done.opened:
            log.warning("our books differ from the provider's", cases=done.opened)
        return done

    async def _compare(self, since: datetime, until: datetime) -> tuple[int, int, int]:
        """An hour: their list with ours beside it, then what of ours was not on their list."""
        there: set[int] = set()
        checked = 0
        found: list[bool] = []
        async for page in self._provider.listed(since, until):
            keys = [charge.key for charge in page if charge.key is not None]
            ours = {row["checkout_id"]: row for row in await self._db.fetch(queries.ours, keys)}
            for charge in page:
                checked += 1
                if charge.key is not None:
                    there.add(charge.key)
                found += await self._differs(charge, ours.get(charge.key or 0))
        after, last = ids.first_of(since), ids.first_of(until)
        while rows := await self._db.fetch(queries.ours_captured, after, last, _PAGE):
            after = rows[-1]["checkout_id"] + 1
            for row in rows:
                if row["checkout_id"] not in there:
                    checked += 1
                    found += await self._is_there(row)
        return checked, len(found), sum(found)

    async def _differs(self, charge: Listed, ours: Any) -> list[bool]:
        """Cases of one charge of theirs, each with whether it is new."""
        status = ours["status"] if ours else ""
        order_id = ours["order_id"] if ours else None
        subject, currency = charge.reference, charge.currency
        if charge.state == "authorised" and status != "action_required":
            detail = "Money is held for a checkout that never took it."
            return [
                await self._open_case(
                    "authorisation_left", subject, order_id, 0, charge.amount, currency, detail
                )
            ]
        if charge.state != "captured":
            if status != "captured":
                return []
            return [
                await self._open_case(
                    "payment_without_charge", subject, order_id, ours["amount"], 0, currency
                )
            ]
        if status != "captured":
            if charge.refunded == charge.amount:
                return []
            return [
                await self._open_case(
                    "charged_without_payment", subject, order_id, 0, charge.amount, currency
                )
            ]
        found: list[bool] = []
        if ours["amount"] != charge.amount or ours["currency"] != charge.currency:
            detail = "" if ours["currency"] == charge.currency else f"Ours is in {ours['currency']}."
            found.append(
                await self._open_case(
                    "amount_differs",
                    subject,
                    order_id,
                    ours["amount"],
                    charge.amount,
                    charge.currency,
                    detail,
                )
            )
        if ours["refunded"] != charge.refunded and not ours["paying_back"]:
            found.append(
                await self._open_case(
                    "refund_differs", subject, order_id, ours["refunded"], charge.refunded, charge.currency
                )
            )
        return found

    async def _is_there(self, ours: Any) -> list[bool]:
        """A payment of ours that their list of this hour lacks: it may stand in the next one's."""
        checkout_id, order_id = CheckoutId(ours["checkout_id"]), OrderId(ours["order_id"])
        row = next(iter(await self._db.fetch(queries.attempts, [checkout_id])), None)
        ask = (
            codec.decode(row["ask"], Ask)
            if row
            else Ask(checkout_id, order_id, ours["amount"], ours["currency"], "")
        )
        answer = await self._provider.look_up(ask, row["reference"] if row else "")
        if answer.state == "captured":
            return []
        return [
            await self._open_case(
                "payment_without_charge", str(checkout_id), order_id, ours["amount"], 0, ours["currency"]
            )
        ]

    async def _open_case(
        self,
        kind: str,
        subject: str,
        order_id: int | None,
        ours: int,
        theirs: int,
        currency: str,
        detail: str = "",
    ) -> bool:
        """Opens a case, or says that it is seen again; was it new?"""
        row = await self._db.fetchrow(
            queries.open_case,
            ids.new(CaseId),
            self._provider.name,
            kind,
            subject[:200],
            order_id,
            ours,
            theirs,
            currency,
            detail,
            clock.now(),
        )
        assert row is not None
        return row["fresh"]
