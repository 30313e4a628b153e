"""Purchases that nobody works on any more are brought to an end, and old refusals forgotten."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import structlog

from mercat import ids
from mercat.checkout.messages import CheckoutInProgress, PendingOrder, Refused
from mercat.checkout.parked import TRIES_MAX
from mercat.checkout.purchase import Purchase
from mercat.checkout.saga import Saga, decided
from mercat.kit import clock, codec, metrics, sql
from mercat.kit.refusals import Overloaded
from mercat.orders import Orders
from mercat.payments import PaymentDeclined, PaymentUnavailable
from mercat.settings import Settings

queries = sql.load("mercat.checkout")
log = structlog.get_logger("mercat.checkout")
_TAKE_OVER_MAX = 50


class Recovery:
    """Runs the saga again, from the top, for checkouts whose lease has lapsed."""

    def __init__(self, db: asyncpg.Pool, saga: Saga, orders: Orders, settings: Settings) -> None:
        self._db = db
        self._saga = saga
        self._orders = orders
        self._decide_within = timedelta(seconds=settings.decide_within_s)

    async def keep_recovering(self) -> None:
        """Recover until nothing is left; the back process does this all the time."""
        while await self.recover():
            pass
        await asyncio.sleep(1)

    async def recover(self) -> int:
        """Take over what nobody works on any more: a crash left it, or its shopper walked away. Answer how
        many were taken over."""
        rows = await self._db.fetch(queries.take_over_lapsed, clock.now(), self._saga.lease, _TAKE_OVER_MAX)
        await asyncio.gather(*(self._recover(row) for row in rows))
        return len(rows)

    async def keep_forgetting(self) -> None:
        """Forget old refusals, every ten minutes."""
        while await self.forget_old():
            pass
        await asyncio.sleep(600)

    async def forget_old(self) -> int:
        """Forget refusals of more than a day, and free their keys; answer how many."""
        return len(await self._db.fetch(queries.prune, ids.first_of(clock.now() - timedelta(days=1))))

    async def _recover(self, row: Any) -> None:
        record = codec.decode(row["record"], PendingOrder)
        metrics.checkouts_recovered.inc()
        try:
            purchase = Purchase.standing(record, row["fence"], row["direction"], decided(row["reason"]))
            await self._bring_to_an_end(purchase, row)
        except (CheckoutInProgress, Overloaded):
            return  # its lease lapses again, and the next round sees to it
        except Exception as error:
            log.exception("a checkout cannot be carried out", checkout=str(record.order.checkout_id))
            if row["tries"] >= TRIES_MAX:
                await self._db.execute(queries.park, row["checkout_id"], row["fence"], repr(error)[:1_000])

    async def _bring_to_an_end(self, purchase: Purchase, row: Any) -> None:
        late = clock.now() - row["begun_at"] > self._decide_within
        if row["direction"] == "forward" and late:
            await self._forward_or_give_up(purchase)
        elif row["direction"] is None and row["waits_until"]:
            declined = PaymentDeclined("The payment was not confirmed in time.", reason="not_confirmed")
            await self._saga.turn(purchase, Refused.by(declined))
        elif row["direction"] is None and late:
            await self._saga.turn(purchase, Refused.by(PaymentUnavailable()))
        else:
            await self._saga.carry_out(purchase)

    async def _forward_or_give_up(self, purchase: Purchase) -> None:
        """Place an order that is paid. Where it cannot be placed after a minute, it is refused for good, and
        then all is undone."""
        try:
            await self._saga.carry_out(purchase)
        except Overloaded:
            await self._orders.refuse(purchase.order)
            await self._saga.carry_out(purchase)
