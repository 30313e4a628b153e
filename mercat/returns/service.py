"""The verbs of returns."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import asyncpg

from mercat.ids import LineId, OrderId, ReturnId, SellerId
from mercat.kit import clock, codec, sql
from mercat.kit.refusals import NotFound
from mercat.returns import rules
from mercat.returns.messages import (
    Decider,
    GoodsReturn,
    NewReturn,
    ReceivedGoods,
    ReturnedLine,
    ReturnMovedOn,
    ReturnPage,
    ReturnStatus,
    ReturnWhy,
    Sent,
)
from mercat.settings import Settings

queries = sql.load("mercat.returns")
_LAST = 2**63 - 1


class Returns:
    """Goods on their way back. Every step is one compare-and-set on the return's row, so of two that decide
    at once (seller and operator, shopper and seller) one does, and the other is told to look again.

    `seller_id` is who asks; without it an operator does, and nothing is another's."""

    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._lying = timedelta(days=settings.return_decide_days)

    async def open(self, new: NewReturn) -> GoodsReturn:
        """Write down a return that the order's row allowed, once."""
        now = clock.now()
        lines = [
            (
                line.order_line_id,
                line.product_id,
                line.offer_id,
                line.title,
                line.image_url,
                line.unit_price,
                line.quantity,
            )
            for line in new.lines
        ]
        await self._db.execute(
            queries.open,
            new.return_id,
            new.order_id,
            new.user_id,
            new.seller_id,
            new.seller_name,
            new.reason,
            new.comment,
            new.currency,
            "approved" if new.approved else "requested",
            "shop" if new.approved else "",
            now if new.approved else None,
            new.seller_email,
            now,
            *sql.columns(lines, 7),
        )
        return await self.one(new.return_id)

    async def one(
        self, return_id: ReturnId, order_id: OrderId | None = None, seller_id: SellerId | None = None
    ) -> GoodsReturn:
        """Answer a return, of this order or seller where they are given; NotFound for another's."""
        row = await self._db.fetchrow(queries.one, return_id, order_id, seller_id)
        if row is None:
            raise NotFound("There is no such return.")
        return _return(row)

    async def of_order(self, order_id: OrderId) -> list[GoodsReturn]:
        """List the returns of an order, the newest first."""
        return [_return(row) for row in await self._db.fetch(queries.of_order, order_id)]

    async def newest(
        self,
        seller_id: SellerId | None = None,
        status: ReturnStatus | None = None,
        before: ReturnId | None = None,
        limit: int = 20,
    ) -> ReturnPage:
        """List a seller's returns, or everybody's, the newest first."""
        rows = await self._db.fetch(queries.newest, seller_id, status, before or _LAST, limit + 1)
        return _page(rows, limit)

    async def left_lying(self, before: ReturnId | None = None, limit: int = 20) -> ReturnPage:
        """List what sellers have left lying for so long that an operator decides it, the newest first."""
        since = clock.now() - self._lying
        return _page(await self._db.fetch(queries.left_lying, since, before or _LAST, limit + 1), limit)

    async def counts(self, seller_id: SellerId | None = None) -> dict[str, int]:
        """Count a seller's returns, or everybody's, by status; `left_lying` among everybody's."""
        found = {row["status"]: row["returns"] for row in await self._db.fetch(queries.counts, seller_id)}
        if seller_id is None:
            since = clock.now() - self._lying
            found["left_lying"] = await self._db.fetchval(queries.count_left_lying, since)
        return found

    async def approve(self, return_id: ReturnId, seller_id: SellerId | None = None) -> GoodsReturn:
        """Let goods come back. Again changes nothing; ReturnMovedOn once it was refused or withdrawn."""
        await self._db.execute(queries.approve, return_id, seller_id, _who(seller_id), clock.now())
        back = await self.one(return_id, seller_id=seller_id)
        if back.status not in ("approved", "in_transit"):
            raise ReturnMovedOn
        return back

    async def refuse(
        self, return_id: ReturnId, why: ReturnWhy, seller_id: SellerId | None = None
    ) -> GoodsReturn:
        """Refuse a return that nobody has approved; again, for the same reason, changes nothing."""
        await self._db.execute(queries.refuse, return_id, seller_id, _who(seller_id), why, clock.now())
        back = await self.one(return_id, seller_id=seller_id)
        if (back.status, back.refused_because) != ("refused", why):
            raise ReturnMovedOn
        return back

    async def withdraw(self, return_id: ReturnId, order_id: OrderId) -> GoodsReturn:
        """Close a return that its shopper thinks better of, until it is sent; again changes nothing."""
        await self._db.execute(queries.withdraw, return_id, order_id, clock.now())
        back = await self.one(return_id, order_id)
        if (back.status, back.decided_by) != ("closed", "shopper"):
            raise ReturnMovedOn
        return back

    async def sent(self, return_id: ReturnId, order_id: OrderId, sent: Sent) -> GoodsReturn:
        """Note that the shopper handed approved goods to a carrier; until they are here the number can be put
        right."""
        await self._db.execute(
            queries.sent, return_id, order_id, sent.carrier, sent.tracking_number, clock.now()
        )
        back = await self.one(return_id, order_id)
        if (back.carrier, back.tracking_number) != (sent.carrier, sent.tracking_number):
            raise ReturnMovedOn
        return back

    async def receive(
        self, return_id: ReturnId, goods: ReceivedGoods, seller_id: SellerId | None = None
    ) -> GoodsReturn:
        """Decide what came back and in which condition. Again with the same changes nothing; ReturnMovedOn
        where something else was decided before, or nothing was approved."""
        back = await self.one(return_id, seller_id=seller_id)
        found = rules.counted(back.lines, goods)
        withheld = goods.withheld.amount if goods.withheld else 0
        if back.status in ("approved", "in_transit"):
            because = goods.withheld.reason if goods.withheld else ""
            await self._receive(back, found, withheld, because, seller_id)
            back = await self.one(return_id, seller_id=seller_id)
        if not rules.received_so(back, found, withheld):
            raise ReturnMovedOn
        return back

    async def settle(self, return_id: ReturnId, amount: int) -> GoodsReturn:
        """Note that a received return was paid back, once; with nothing to pay it is closed."""
        await self._db.execute(queries.settle, return_id, amount, clock.now())
        return await self.one(return_id)

    async def _receive(
        self,
        back: GoodsReturn,
        found: Mapping[LineId, rules.Counts],
        withheld: int,
        because: str,
        seller_id: SellerId | None,
    ) -> None:
        counts = [(line_id, *counted) for line_id, counted in found.items()]
        await self._db.execute(
            queries.receive,
            back.return_id,
            seller_id,
            _who(seller_id),
            clock.now(),
            withheld,
            because,
            *sql.columns(counts, 4),
        )


def _who(seller_id: SellerId | None) -> Decider:
    return "operator" if seller_id is None else "seller"


def _return(row: Any) -> GoodsReturn:
    return sql.row(GoodsReturn, {**row, "lines": codec.decode(row["lines"], list[ReturnedLine])})


def _page(rows: list[Any], limit: int) -> ReturnPage:
    returns = [_return(row) for row in rows[:limit]]
    return ReturnPage(returns, returns[-1].return_id if len(rows) > limit else None)
