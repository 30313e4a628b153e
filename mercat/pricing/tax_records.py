"""What was sold, recorded with the tax provider, and reversed there when it is paid back: once each.

Followers note it in the transaction that moves them on; a duty of the back process tells the provider, by our
key, so that what comes twice is once. What it does not answer to is tried again for some days, what it
refuses waits for an operator. Sales whose tax the rates said, while it was away, are recorded too. A refund
that the bank could not pay stays reversed, as its credit note stays: it is owed still.
"""

import asyncio

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from mercat.events import OrderPlaced, RefundPaid
from mercat.ids import OrderId
from mercat.kit import clock, codec, metrics, sql
from mercat.kit.event_log import on
from mercat.kit.refusals import NotFound
from mercat.money import GIFT_CARD_CLASS
from mercat.pricing.messages import TAX_RECORDS_MAX, TaxRecord, TaxRecordStatus
from mercat.pricing.tax import TaxBook
from mercat.pricing.tax_provider import TaxProvider, TaxQuestion, TaxRefused

queries = sql.load("mercat.pricing")
log = structlog.get_logger("mercat.pricing")
_SAID = ("by_provider", "provider_away")
_TRIES_MAX = 9
"""Within some days; then it waits for an operator."""
_AT_ONCE = 20
_WAITS_S = 15.0
_REST_S = 1.0
_FAILURE_MAX = 300


class TaxRecords:
    """Note what the tax provider is to know, and tell it."""

    def __init__(self, db: asyncpg.Pool, book: TaxBook, provider: TaxProvider | None) -> None:
        self._db = db
        self._book = book
        self._provider = provider

    @on(OrderPlaced)
    async def follow_sales(self, db: PoolConnectionProxy, events: list[OrderPlaced]) -> None:
        """Note what was sold where the provider has to say what tax is owed; and what without a rate."""
        await self._book.count_sold(db, events)
        if self._provider is None:
            return
        rows = [
            (str(event.order_id), event.order_id, *_amounts(event, asked), event.currency, codec.text(asked))
            for event in events
            if event.tax_note in _SAID
            and any((*(asked := sold_question(event)).goods.values(), asked.shipping))
        ]
        if rows:
            await db.execute(queries.note_tax_sales, *sql.columns(rows), clock.now())

    @on(RefundPaid)
    async def follow_refunds(self, db: PoolConnectionProxy, events: list[RefundPaid]) -> None:
        """Note what was paid back of what is recorded. It stands below the sales: of one batch these are
        noted first."""
        if self._provider is not None:
            rows = [(str(each.refund_id), each.order_id, each.amount, each.currency) for each in events]
            await db.execute(queries.note_tax_reversals, *sql.columns(rows), clock.now())

    async def keep_recording(self) -> None:
        """Tell the provider what is due, then rest: for the back process."""
        if not await self.record_due():
            await asyncio.sleep(_REST_S)

    async def record_due(self) -> int:
        """Tell the provider what is due; return how much that was."""
        provider = self._provider
        if provider is None:
            return 0
        due = await self._db.fetch(queries.due_tax_records, clock.now(), _AT_ONCE)
        for row in due:
            try:
                async with asyncio.timeout(_WAITS_S):
                    await (self._record if row["kind"] == "sale" else self._reverse)(provider, row)
            except TaxRefused as refused:
                await self._failed(row, str(refused), refused=True)
            except Exception as error:
                await self._failed(row, f"no answer: {error!r}", refused=row["tries"] >= _TRIES_MAX)
        return len(due)

    async def tax_records(
        self, status: TaxRecordStatus | None = None, limit: int = TAX_RECORDS_MAX
    ) -> list[TaxRecord]:
        """List what the tax provider is told, the newest first."""
        return sql.rows(TaxRecord, await self._db.fetch(queries.tax_records, status, limit))

    async def retry_tax_record(self, key: str) -> None:
        """Tell the provider again what it did not record; NotFound where there is no such thing."""
        if await self._db.fetchval(queries.retry_tax_record, key, clock.now()) is None:
            raise NotFound("Nothing of this key waits to be recorded.")

    async def _record(self, provider: TaxProvider, row: asyncpg.Record) -> None:
        asked = codec.decode(row["asked"], TaxQuestion)
        made = await provider.record(row["key"], asked)
        amount = sum(asked.goods.values()) + asked.shipping + (0 if asked.included else made.tax)
        await self._db.execute(
            queries.tax_recorded, row["key"], made.reference, amount, made.tax, clock.now()
        )

    async def _reverse(self, provider: TaxProvider, row: asyncpg.Record) -> None:
        """Reverse what was paid back, at most what is left of the sale: gift cards in it were never told."""
        sale = await self._db.fetchrow(queries.recorded_sale, OrderId(row["order_id"]))
        left = sale["amount"] - sale["reversed"] if sale else 0
        amount, reference = min(row["amount"], left), ""
        if sale and amount:
            whole = amount == sale["amount"]
            reference = await provider.reverse(
                row["key"], sale["reference"], amount, row["currency"], whole=whole
            )
        await self._db.execute(queries.tax_recorded, row["key"], reference, amount, None, clock.now())

    async def _failed(self, row: asyncpg.Record, why: str, *, refused: bool) -> None:
        log.warning("not recorded with the tax provider", key=row["key"], tries=row["tries"], reason=why)
        if refused:
            metrics.tax_records_refused.inc()
        status = "refused" if refused else "waiting"
        await self._db.execute(queries.tax_not_recorded, row["key"], status, why[:_FAILURE_MAX])


def sold_question(order: OrderPlaced) -> TaxQuestion:
    """Say what the provider is told of an order: what it was asked before, of what was bought then."""
    goods: dict[str, int] = {}
    for line in order.lines:
        if line.tax_class != GIFT_CARD_CLASS:
            goods[line.tax_class] = goods.get(line.tax_class, 0) + line.total - line.discount
    address = order.address
    return TaxQuestion(
        goods,
        order.shipping,
        order.currency,
        address.get("country", "").upper(),
        address.get("region", ""),
        address.get("postal_code", ""),
        order.tax_included,
    )


def _amounts(order: OrderPlaced, asked: TaxQuestion) -> tuple[int, int]:
    """Answer what a sale comes to at the provider as it was charged, and the tax."""
    return sum(asked.goods.values()) + asked.shipping + (0 if asked.included else order.tax), order.tax
