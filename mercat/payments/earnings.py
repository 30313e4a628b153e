"""What sellers earned, line by line, and from when on it may be paid out.

Lines follow the journal: those of a capture are written when its order is told, those of a refund with the
refund, in its transaction. So a balance is what the journal says as soon as the log was followed that far.
"""

from collections.abc import Sequence
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
        """Write the lines of what was captured for these orders."""
        await book_captures(db, [event.checkout_id for event in events])

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
    rows: list[tuple[Any, ...]] = []
    for payment in await db.fetch(queries.captures_of, list(checkout_ids)):
        for seller_id, kind, amount in rules.lines_of_capture(captured_of(payment)):
            rows.append(
                (
                    payment["order_id"],
                    seller_id,
                    payment["checkout_id"],
                    kind,
                    amount,
                    payment["currency"],
                    payment["at"],
                )
            )
    if rows:
        await db.execute(queries.book_lines, *sql.columns(rows))


async def book_refunds(db: Connection, order_ids: Sequence[int]) -> None:
    """Write the lines of all refunds of these orders, where they are not there yet."""
    lines: list[tuple[Any, ...]] = []
    before: dict[int, rules.Split] = {}
    for row in await db.fetch(queries.refunds_of, list(order_ids)):
        earlier = before.setdefault(row["payment_id"], {})
        parts = msgspec.json.decode(row["refund_parts"], type=dict[str, int])
        postings = dict(zip(row["refund_accounts"], row["refund_amounts"], strict=True))
        for seller_id, kind, amount in rules.lines_of_refund(captured_of(row), earlier, parts, postings):
            booked = row["order_id"], seller_id, row["refund_id"], kind, amount, row["currency"]
            lines.append((*booked, row["refund_at"]))
        for account, amount in parts.items():
            earlier[account] = earlier.get(account, 0) + amount
    await db.execute(queries.book_lines, *sql.columns(lines, 7))


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
