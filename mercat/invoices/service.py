"""The verbs of invoices.

A number is taken under the lock of its seller's row, in the transaction that writes what it numbers: there is
no gap after a crash, and two who issue at once take one after the other. All of it can be asked again.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress

import asyncpg
import structlog

from mercat.events import OrderPlaced, RefundPaid
from mercat.ids import OrderId, SellerId
from mercat.invoices.messages import IssuerDetails, Paper, PaperKind, PaperUnits
from mercat.kit import clock, codec, sql
from mercat.kit.event_log import on
from mercat.kit.refusals import NotFound, Overloaded
from mercat.orders import Bill, Orders, Owed, OwedPart, costs_as_placed
from mercat.payments import Payments, Refund
from mercat.sellers import Sellers

queries = sql.load("mercat.invoices")
log = structlog.get_logger("mercat.invoices")
_RECEIVED = "/received"
_NOBODY = "Seller"

Draft = tuple[OrderId, SellerId, int, PaperKind, str, int, int, int, int, str, str]
"""What is to be issued: order, seller, refund, kind, currency, the four amounts, units and cause."""


class Invoices:
    """Issues invoices and credit notes, each once."""

    unhurried = True

    def __init__(self, db: asyncpg.Pool, orders: Orders, payments: Payments, sellers: Sellers) -> None:
        self._db = db
        self._orders = orders
        self._payments = payments
        self._sellers = sellers

    async def papers_of(self, order_id: OrderId) -> list[Paper]:
        """List an order's papers by seller, the invoice before its credit notes; issue first what is missing:
        of an order that was placed this moment, or before there were any."""
        drafts = await self._drafts(order_id)
        papers = await self._papers(order_id)
        known = {(paper.seller_id, paper.refund_id or 0) for paper in papers}
        if any((draft[1], draft[2]) not in known for draft in drafts):
            await self._issue(drafts)
            papers = await self._papers(order_id)
        return papers

    async def details(self, seller_id: SellerId) -> str:
        """Answer what a seller's invoices say of the seller, beside the name."""
        return await self._db.fetchval(queries.details, seller_id) or ""

    async def set_details(self, seller_id: SellerId, details: IssuerDetails | None) -> None:
        """Say what a seller's invoices say from now on; those that were issued stay as they are."""
        await self._db.execute(queries.set_details, seller_id, (details or "").strip())

    @on(OrderPlaced, outside=True)
    async def follow_orders(self, events: list[OrderPlaced]) -> None:
        """Issue an invoice for each seller's part of these orders. Not in the transaction that moves the
        position: who holds a connection asks no neighbour."""
        unknown = [event.order_id for event in events if _parts_are_unknown(event)]
        known = [event for event in events if not _parts_are_unknown(event)]
        placed = ((event, part) for event in known for part in costs_as_placed(event))
        with _or_later():
            for order_id in unknown:
                with suppress(NotFound):
                    await self.papers_of(order_id)
            await self._issue([_draft(event.order_id, event.currency, part) for event, part in placed])

    @on(RefundPaid, outside=True)
    async def follow_refunds(self, events: list[RefundPaid]) -> None:
        """Issue the credit notes of these refunds."""
        for order_id in dict.fromkeys(event.order_id for event in events):
            with _or_later(), suppress(NotFound):  # of a purchase that became no order
                await self.papers_of(order_id)

    async def _papers(self, order_id: OrderId) -> list[Paper]:
        rows = await self._db.fetch(queries.papers, order_id)
        return [
            sql.row(Paper, {**row, "units": codec.decode(row["units"], list[PaperUnits])}) for row in rows
        ]

    async def _drafts(self, order_id: OrderId) -> list[Draft]:
        """Say what an order should have by now. What was paid back is read before what was decided, so that
        each refund has its decision."""
        payments = await self._payments.of_order(order_id)
        bill = await self._orders.bill(order_id)
        drafts = [_draft(order_id, bill.currency, part) for part in bill.parts]
        for payment in payments:
            for refund in payment.refunds:
                if refund.status == "done":
                    drafts += _credits(order_id, bill, refund)
        return drafts

    async def _issue(self, drafts: Sequence[Draft]) -> None:
        """Give what is not there yet its numbers, and write it. Nobody is asked while locks are held, and
        all are taken at once, in one order."""
        sellers = sorted({draft[1] for draft in drafts})
        names = await self._sellers.names(sellers)
        rows = [
            (order_id, seller_id, refund_id, kind, names.get(seller_id, _NOBODY), *rest)
            for order_id, seller_id, refund_id, kind, *rest in drafts
        ]
        async with self._db.acquire() as db, db.transaction():
            await db.execute(queries.begin_issuers, sellers)
            await db.execute(queries.lock_issuers, sellers)
            await db.execute(queries.issue, *sql.columns(rows, 12), clock.now())


def _parts_are_unknown(placed: OrderPlaced) -> bool:
    """Say whether only the order's rows know what each part cost to deliver: 0.1.0 did not tell it."""
    return placed.part_shipping is None and len({line.seller_id for line in placed.lines}) > 1


def _credits(order_id: OrderId, bill: Bill, refund: Refund) -> list[Draft]:
    """Part a refund by seller, as the order's row decided it."""
    cause, references = refund.reference.partition("/")[0], (refund.reference, refund.reference + _RECEIVED)
    owed = next((each.owed for each in bill.paid_back if each.reference in references), None)
    if owed is None:
        log.error("a refund that no order decided", order=str(order_id), refund=str(refund.refund_id))
        return []
    return [
        _draft(order_id, bill.currency, part, refund.refund_id, _units(owed, part.seller_id), cause)
        for part in owed.parts
    ]


def _units(owed: Owed, seller_id: SellerId) -> list[PaperUnits]:
    return [
        PaperUnits(goods.order_line_id, goods.quantity)
        for goods in owed.goods
        if goods.seller_id == seller_id and goods.order_line_id
    ]


def _draft(
    order_id: OrderId,
    currency: str,
    part: OwedPart,
    refund_id: int = 0,
    units: Sequence[PaperUnits] = (),
    cause: str = "",
) -> Draft:
    kind: PaperKind = "credit_note" if refund_id else "invoice"
    amounts = part.price, part.discount, part.tax, part.shipping
    return order_id, part.seller_id, refund_id, kind, currency, *amounts, codec.text(units), cause


@contextmanager
def _or_later() -> Generator[None]:
    """Take a service that is away for a database that is: what follows from the log is tried again then, and
    never parked."""
    try:
        yield
    except Overloaded as error:
        raise ConnectionError("a service is away") from error
