"""Reconciliation: our books beside the provider's, and every difference a case for an operator."""

from datetime import datetime, timedelta
from typing import Any, get_args

import asyncpg
import structlog

from mercat import ids
from mercat.ids import CaseId, CheckoutId, OrderId, first_of
from mercat.kit import clock, sql
from mercat.kit.refusals import Invalid, NotFound
from mercat.payments.attempts import Attempts
from mercat.payments.messages import (
    CASE_NOTE_MAX,
    CASES_MAX,
    CaseCounts,
    CaseKind,
    CaseNote,
    CaseSort,
    Reconciled,
    ReconciliationCase,
)
from mercat.payments.provider import ChargeRequest, Provider
from mercat.payments.rules import BookDifference, BookedPayment, differences
from mercat.settings import Settings

queries = sql.load("mercat.payments")
log = structlog.get_logger("mercat.payments")
_SLICE = timedelta(hours=1)
_SETTLING = timedelta(minutes=2)
_PAGE = 1_000
_AGAIN = timedelta(minutes=10)
_SUBJECT_MAX = 200
_WHO_MAX = 200


class Reconciliation:
    def __init__(self, db: asyncpg.Pool, provider: Provider, settings: Settings, attempts: Attempts) -> None:
        self._db = db
        self._provider = provider
        self._settings = settings
        self._attempts = attempts

    async def reconcile(self, hours: float = 48) -> Reconciled:
        """Compare the charges of the last `hours`, but of the last two minutes, which may be on their way."""
        until = clock.now() - _SETTLING
        at = until - timedelta(hours=hours)
        checked = differing = opened = 0
        while at < until:
            end = min(at + _SLICE, until)
            seen, cases, fresh = await self._compare(at, end)
            checked, differing, opened = checked + seen, differing + cases, opened + fresh
            at = end
        return Reconciled(self._provider.name, checked, differing, opened)

    async def reconcile_if_due(self) -> Reconciled | None:
        """Reconcile once in `reconcile_every_s`, whichever process asks first; soon again after a failure."""
        every = timedelta(seconds=self._settings.reconcile_every_s)
        now = clock.now()
        if not every or await self._db.fetchval(queries.claim_reconciliation, now, every) is None:
            return None
        try:
            done = await self.reconcile(max(48, 2 * every / timedelta(hours=1)))
        except Exception as error:
            log.warning("the books could not be compared with the provider's", reason=repr(error)[:300])
            await self._db.execute(queries.set_reconciled_at, now - every + _AGAIN)
            return None
        if done.opened:
            log.warning("our books differ from the provider's", cases=done.opened)
        return done

    async def cases(
        self,
        resolved: bool = False,
        kind: CaseKind | None = None,
        sort: CaseSort = "-opened",
        after: CaseId | None = None,
        limit: int = CASES_MAX,
    ) -> list[ReconciliationCase]:
        """List differences to the provider's books: open or resolved, sorted, a page at a time."""
        way = -1 if sort.startswith("-") else 1
        asked = not resolved, kind, sort.removeprefix("-"), list(get_args(CaseKind)), way, after, limit
        return sql.rows(ReconciliationCase, await self._db.fetch(queries.cases, *asked))

    async def case_counts(self) -> CaseCounts:
        """Count open cases and resolved ones."""
        row: Any = await self._db.fetchrow(queries.case_counts)
        return sql.row(CaseCounts, row)

    async def resolve(self, case_id: CaseId, who: str, note: CaseNote) -> None:
        """Close a case with an operator's note; NotFound for what is not open."""
        note = note.strip()
        if not 1 <= len(note) <= CASE_NOTE_MAX:
            raise Invalid(f"Say in 1 to {CASE_NOTE_MAX:,} characters how it was resolved.", pointer="/note")
        if await self._db.fetchval(queries.resolve, case_id, clock.now(), who[:_WHO_MAX], note) is None:
            raise NotFound("There is no such open case.")

    async def open_case(
        self, difference: BookDifference, subject: str, order_id: int | None, currency: str
    ) -> bool:
        """Open a case, or note that an open one is seen again; answers whether it is new."""
        row = await self._db.fetchrow(
            queries.open_case,
            ids.new(CaseId),
            self._provider.name,
            difference.kind,
            subject[:_SUBJECT_MAX],
            order_id,
            difference.ours,
            difference.theirs,
            currency,
            difference.detail,
            clock.now(),
        )
        assert row is not None
        return row["fresh"]

    async def _compare(self, since: datetime, until: datetime) -> tuple[int, int, int]:
        """Compare an hour: their list with ours beside it, then what of ours was not on their list."""
        listed: set[int] = set()
        checked = 0
        opened: list[bool] = []
        async for page in self._provider.listed(since, until):
            keys = [charge.key for charge in page if charge.key is not None]
            listed.update(keys)
            checked += len(page)
            booked = {
                row["checkout_id"]: BookedPayment(*tuple(row)[1:])
                for row in await self._db.fetch(queries.booked_payments, keys)
            }
            for theirs in page:
                ours = booked.get(theirs.key or 0)
                order_id = ours.order_id if ours else None
                for each in differences(theirs, ours):
                    opened.append(await self.open_case(each, theirs.reference, order_id, theirs.currency))
        after, end = first_of(since), first_of(until)
        while rows := await self._db.fetch(queries.captured_between, after, end, _PAGE):
            after = rows[-1]["checkout_id"] + 1
            for row in rows:
                if row["checkout_id"] not in listed:
                    checked += 1
                    opened += await self._unlisted(row)
        return checked, len(opened), sum(opened)

    async def _unlisted(self, ours: Any) -> list[bool]:
        """Look up a payment of ours that their list of this hour lacks: it may stand in the next one's."""
        checkout_id, order_id = CheckoutId(ours["checkout_id"]), OrderId(ours["order_id"])
        request, reference = await self._attempts.find(checkout_id)
        request = request or ChargeRequest(checkout_id, order_id, ours["amount"], ours["currency"], "")
        result = await self._provider.look_up(request, reference)
        if result.state == "captured":
            return []
        difference = BookDifference("payment_without_charge", ours["amount"], 0)
        return [await self.open_case(difference, str(checkout_id), order_id, ours["currency"])]
