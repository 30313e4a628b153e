"""Payouts and statements as the API and the desks show them: JSON, CSV and PDF of the same lines."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from starlette.responses import Response

from mercat import money
from mercat.ids import OrderId, PayoutId, RefundId, ReturnId, SellerId
from mercat.payments import EarningLine, LineKind, MoneyState, Payout, PayoutStatus, Statement
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.order_shown import numbers_of
from mercat.web.pdf import ON_LETTER, Column, Sheets, written
from mercat.web.schemas import Amount
from mercat.web.table_query import as_csv

PDF, CSV = "application/pdf", "text/csv"
STATEMENT_TYPES = "application/json, text/csv, application/pdf"
LINES = {
    "sale": "Sale",
    "commission": "Commission",
    "fee": "Fee",
    "delivery": "Delivery",
    "tax": "Tax that the seller remits",
    "discount": "Discount",
    "refund": "Refund",
    "reserve": "Held back for a return",
    "release": "Held back, given back",
    "payout_failed": "Payout that came back",
}
SHOP_REMITS = "Tax that does not stand here is remitted by the shop."
_PAGE = 1_000
_PDF_LINES_MAX = 5_000
_HEAD = ["line", "kind", "at", "order", "order_id", "reference", "amount", "currency"]


class PayoutShown(Struct, frozen=True, kw_only=True):
    payout_id: PayoutId
    seller_id: SellerId
    status: PayoutStatus
    amount: Amount
    currency: str
    account: str
    """Where to; its last digits alone."""
    run: str
    reason: str
    """Why it failed."""
    created_at: datetime
    paid_at: datetime | None


class LineShown(Struct, frozen=True, kw_only=True):
    kind: LineKind
    amount: Amount
    """What came in is positive."""
    order_id: OrderId | None
    order_number: str | None
    reference: str
    """What it was booked for: a refund, a return, a payout; of a sale the order."""
    at: datetime
    state: MoneyState | None = None
    """None once it was paid out."""


class StatementShown(Struct, frozen=True, kw_only=True):
    payout_id: PayoutId
    status: PayoutStatus
    amount: Amount
    currency: str
    account: str
    created_at: datetime
    paid_at: datetime | None
    totals: dict[str, Amount]
    """The sum of each kind of line; together they are the amount."""
    count: int
    lines: list[LineShown]
    next_cursor: int | None


def payout_shown(payout: Payout) -> PayoutShown:
    return PayoutShown(
        payout_id=payout.payout_id,
        seller_id=payout.seller_id,
        status=payout.status,
        amount=money.shown(payout.amount, payout.currency),
        currency=payout.currency,
        account=payout.account,
        run=payout.run,
        reason=payout.reason,
        created_at=payout.made_at,
        paid_at=payout.ended_at if payout.status == "paid" else None,
    )


async def statement_shown(
    shop: Shop, found: Statement, lines: Sequence[EarningLine], limit: int
) -> StatementShown:
    payout = found.payout
    return StatementShown(
        payout_id=payout.payout_id,
        status=payout.status,
        amount=money.shown(payout.amount, payout.currency),
        currency=payout.currency,
        account=payout.account,
        created_at=payout.made_at,
        paid_at=payout.ended_at if payout.status == "paid" else None,
        totals={kind: money.shown(amount, payout.currency) for kind, amount in found.totals.items()},
        count=found.count,
        lines=await lines_shown(shop, lines),
        next_cursor=lines[-1].line_id if len(lines) == limit else None,
    )


async def lines_shown(shop: Shop, lines: Sequence[EarningLine]) -> list[LineShown]:
    numbers = await numbers_of(shop, (line.order_id for line in lines))
    return [
        LineShown(
            kind=line.kind,
            amount=money.shown(line.amount, line.currency),
            order_id=line.order_id,
            order_number=numbers.get(line.order_id or 0),
            reference=reference_of(line),
            at=line.at,
            state=line.state,
        )
        for line in lines
    ]


def reference_of(line: EarningLine) -> str:
    """Name what a line was booked for, as that is named elsewhere."""
    if line.kind in ("reserve", "release"):
        return str(ReturnId(line.reference))
    if line.kind == "payout_failed":
        return str(PayoutId(line.reference))
    if line.kind == "refund" or (line.kind == "commission" and line.amount > 0):
        return str(RefundId(line.reference))
    return str(line.order_id or "")


async def statement_csv(shop: Shop, found: Statement) -> Response:
    """Stream all lines of a statement as a CSV file."""
    return as_csv(f"statement-{found.payout.payout_id}.csv", _HEAD, _rows(shop, found.payout))


async def statement_pdf(shop: Shop, found: Statement) -> Response:
    """Write a statement on paper: its sums, then its lines; of very many the first, and the CSV has all."""
    lines: list[EarningLine] = []
    async for page in _pages(shop, found.payout):
        lines += page
        if len(lines) >= _PDF_LINES_MAX:
            break
    lines = lines[:_PDF_LINES_MAX]
    numbers = await numbers_of(shop, (line.order_id for line in lines))
    seller = (await shop.sellers.names([found.payout.seller_id])).get(found.payout.seller_id, "Seller")
    shop_name = shop.settings.shop_name
    content = await written(lambda: _sheets(shop_name, seller, found, lines, numbers))
    name = f"statement-{found.payout.payout_id}.pdf"
    return Response(content, headers={"Content-Disposition": f'inline; filename="{name}"'}, media_type=PDF)


async def _pages(shop: Shop, payout: Payout) -> AsyncIterator[list[EarningLine]]:
    after = 0
    while True:
        lines = await shop.payments.statement_lines(payout.payout_id, payout.seller_id, after, _PAGE)
        yield lines
        if len(lines) < _PAGE:
            return
        after = lines[-1].line_id


async def _rows(shop: Shop, payout: Payout) -> AsyncIterator[Sequence[Any]]:
    n = 0
    async for lines in _pages(shop, payout):
        numbers = await numbers_of(shop, (line.order_id for line in lines))
        for line in lines:
            n += 1
            number = numbers.get(line.order_id or 0, "")
            amount = money.shown(line.amount, line.currency)
            order_id = str(line.order_id or "")
            yield (
                n,
                line.kind,
                line.at.isoformat(),
                number,
                order_id,
                reference_of(line),
                amount,
                line.currency,
            )


def _sheets(
    shop: str, seller: str, found: Statement, lines: Sequence[EarningLine], numbers: dict[int, str]
) -> bytes:
    payout = found.payout
    letter = payout.currency == "USD" and "US" in ON_LETTER
    sheets = Sheets(f"Statement of payout {payout.payout_id}", shop, letter=letter)
    sheets.begin(f"Statement, {seller}")
    sheets.text("Statement of payout", 20, bold=True)
    sheets.gap()
    paid = {"paid": "Paid", "pending": "Decided", "failed": "Failed"}[payout.status]
    facts = [
        f"Payout {payout.payout_id}",
        f"{paid} on {rendering.day_of(payout.ended_at or payout.made_at)}",
        f"To {payout.account}",
    ]
    if payout.reason:
        facts.append(payout.reason)
    sheets.beside(["Paid to", seller], facts)
    sheets.gap()
    sums = [(LINES[kind], money.words(amount, payout.currency)) for kind, amount in _in_order(found.totals)]
    sheets.sums([*sums, ("Payout", money.words(payout.amount, payout.currency))])
    sheets.text(SHOP_REMITS)
    sheets.gap()
    columns = [Column("When", 2), Column("What", 3), Column("Order", 2), Column("Amount", 2, True)]
    rows = [
        [
            rendering.day_of(line.at),
            LINES[line.kind],
            numbers.get(line.order_id or 0, str(line.order_id or "")),
            money.words(line.amount, line.currency),
        ]
        for line in lines
    ]
    sheets.table(columns, rows)
    if found.count > len(lines):
        sheets.gap()
        sheets.text(f"{found.count - len(lines):,} more lines stand in the CSV file of this statement.")
    return sheets.finish()


def _in_order(totals: dict[str, int]) -> list[tuple[str, int]]:
    return [(kind, totals[kind]) for kind in LINES if kind in totals]
