"""What sellers earned, line by line, and from when on it may be paid out.

Lines follow the journal: those of a capture and of a refund are written with their entry, in its
transaction. A row has all lines of a seller by one entry, as arrays; `payments.seller_line` shows them one by
one.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from mercat.events import (
    OrderPlaced,
    PartChanged,
    RefundPaid,
    ReturnClosed,
    ReturnRefunded,
    ReturnRefused,
    ReturnRequested,
    SellerStatusChanged,
)
from mercat.ids import SellerId
from mercat.kit import clock, sql
from mercat.kit.event_log import on
from mercat.payments import rules
from mercat.payments.messages import EarningLine, MoneyState, SellerBalance
from mercat.settings import Settings

queries = sql.load("mercat.payments")
Connection = asyncpg.Connection | PoolConnectionProxy
Earned = tuple[int, int, int, str, str, str]
"""What a seller earned by a capture or a refund: order, seller, reference and currency, and the kinds and
amounts of its lines as array literals."""
_Booked = tuple[int, int, int, str, str, str, Any]
_ReturnOver = ReturnRefused | ReturnRefunded | ReturnClosed


class Earnings:
    """Keeps the lines of sellers' accounts."""

    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._currency = settings.currency
        self._hold = timedelta(days=settings.payout_hold_days)

    async def seller_balances(self, seller_ids: list[SellerId]) -> dict[SellerId, SellerBalance]:
        """Answer what sellers have, by state."""
        rows = await self._db.fetch(queries.seller_balances, seller_ids, self._currency, clock.now())
        found = {row["seller_id"]: (row["pending"], row["available"], row["reserved"]) for row in rows}
        return {each: SellerBalance(*found.get(each, (0, 0, 0)), self._currency) for each in seller_ids}

    async def unpaid_lines(
        self, seller_id: SellerId, state: MoneyState | None = None, after: int | None = None, limit: int = 50
    ) -> list[EarningLine]:
        """List what was not paid out to a seller yet, the newest first."""
        asked = seller_id, self._currency, clock.now(), state, after, limit
        return sql.rows(EarningLine, await self._db.fetch(queries.unpaid_lines, *asked))

    # -- what is learnt from the log

    @on(OrderPlaced)
    async def book_sales(self, db: asyncpg.Connection, events: list[OrderPlaced]) -> None:
        """Write the lines of what a worker of an earlier release captured for these orders."""
        told = [(event.order_id, event.checkout_id) for event in events]
        if missing := await db.fetch(queries.not_earned, *sql.columns(told)):
            await book_captures(db, [row["checkout_id"] for row in missing])

    @on(RefundPaid)
    async def book_paid_back(self, db: asyncpg.Connection, events: list[RefundPaid]) -> None:
        """Write the lines of refunds that a worker of an earlier release booked."""
        orders = sorted({event.order_id for event in events})
        if missing := await db.fetch(queries.refunds_without_lines, [event.refund_id for event in events]):
            await book_captures(db, [row["checkout_id"] for row in missing])
            await book_refunds(db, orders)

    @on(PartChanged)
    async def release_parts(self, db: asyncpg.Connection, events: list[PartChanged]) -> None:
        """Say from when on a part may be paid out: some days after delivery, or once it was cancelled."""
        now = clock.now()
        due = {"delivered": now + self._hold, "cancelled": now}
        rows = [
            (event.order_id, event.seller_id, due[event.status]) for event in events if event.status in due
        ]
        await db.execute(queries.release_parts, *sql.columns(rows, 3))

    @on(ReturnRequested)
    async def hold_for_returns(self, db: asyncpg.Connection, events: list[ReturnRequested]) -> None:
        """Hold what is left of these parts; of what was paid out already, so much of what comes next."""
        returns = [event.return_id for event in events]
        orders, sellers = [event.order_id for event in events], [event.seller_id for event in events]
        await self._lock(db, sellers)
        await db.execute(queries.open_returns, returns, orders, sellers)
        await db.execute(queries.hold_parts, orders, sellers)
        await db.execute(queries.reserve_paid, returns, clock.now())

    @on(ReturnRefused, ReturnRefunded, ReturnClosed)
    async def end_returns(self, db: asyncpg.Connection, events: list[_ReturnOver]) -> None:
        """Let go of parts of which no return is open any more."""
        orders, sellers = [event.order_id for event in events], [event.seller_id for event in events]
        await self._lock(db, sellers)
        await db.execute(queries.end_returns, [event.return_id for event in events])
        await db.execute(queries.hold_parts, orders, sellers)

    @on(SellerStatusChanged)
    async def suspend_payees(self, db: asyncpg.Connection, events: list[SellerStatusChanged]) -> None:
        """Let who is suspended wait for their money until they are let in again."""
        rows = [(event.seller_id, event.status == "suspended", event.version) for event in events]
        await db.execute(queries.suspend_payees, *sql.columns(rows))

    async def _lock(self, db: Connection, sellers: Sequence[int]) -> None:
        await db.execute(queries.begin_payees, sorted(set(sellers)))
        await db.execute(queries.lock_payees, sorted(set(sellers)))


async def book_captures(db: Connection, checkout_ids: Sequence[int]) -> None:
    """Write the lines of these captures, where they are not there yet."""
    rows: list[_Booked] = []
    for payment in await db.fetch(queries.captures_of, list(checkout_ids)):
        lines = rules.lines_of_capture(captured_of(payment))
        of = payment["order_id"], payment["checkout_id"], payment["currency"]
        rows += [(*earned, payment["at"]) for earned in earned_by(*of, lines)]
    if rows:
        await db.execute(queries.book_earnings, *sql.columns(rows))


async def book_refunds(db: Connection, order_ids: Sequence[int]) -> None:
    """Write the lines of all refunds of these orders, where they are not there yet."""
    rows: list[_Booked] = []
    before: dict[int, rules.Split] = {}
    for row in await db.fetch(queries.refunds_of, list(order_ids)):
        earlier = before.setdefault(row["payment_id"], {})
        parts = msgspec.json.decode(row["refund_parts"], type=dict[str, int])
        postings = dict(zip(row["refund_accounts"], row["refund_amounts"], strict=True))
        lines = rules.lines_of_refund(captured_of(row), earlier, parts, postings)
        of = row["order_id"], row["refund_id"], row["currency"]
        rows += [(*earned, row["refund_at"]) for earned in earned_by(*of, lines)]
        for account, amount in parts.items():
            earlier[account] = earlier.get(account, 0) + amount
    await db.execute(queries.book_earnings, *sql.columns(rows, 7))


def earned_by(
    order_id: int, reference: int, currency: str, lines: Iterable[rules.BookedLine]
) -> list[Earned]:
    """Put the lines that a capture or a refund makes into one row a seller."""
    sellers: dict[int, tuple[list[str], list[str]]] = {}
    for seller_id, kind, amount in lines:
        kinds, amounts = sellers.setdefault(seller_id, ([], []))
        kinds.append(kind)
        amounts.append(str(amount))
    return [
        (order_id, seller_id, reference, currency, "{" + ",".join(kinds) + "}", "{" + ",".join(amounts) + "}")
        for seller_id, (kinds, amounts) in sellers.items()
    ]


def captured_of(payment: Any) -> rules.Captured:
    """Read what was booked of a payment when the money came."""
    postings: dict[str, int] = {}
    for account, amount in zip(payment["accounts"] or (), payment["amounts"] or (), strict=True):
        postings[account] = postings.get(account, 0) + amount
    return rules.Captured(
        postings,
        msgspec.json.decode(payment["parts"], type=dict[str, int]),
        msgspec.json.decode(payment["kept"] or "{}", type=rules.Kept),
    )
