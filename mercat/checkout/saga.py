"""The purchase, as the business says it. The rules that make a crash harmless:

- `begin` committed all that is needed here: no step reads a cart, a price or the catalogue.
- Every step answers a second asking as it did the first. Refusals are answers too.
- The direction is decided once, by whoever holds the fence, before anything is made or undone.
- A shopper is told only what a commit already says.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import asyncpg
import msgspec
import structlog

from mercat import ids, money
from mercat.cart import Cart
from mercat.checkout.messages import CheckoutInProgress, Record, Said
from mercat.ids import CheckoutId
from mercat.inventory import Inventory, Line, OutOfStock
from mercat.kit import clock, codec, metrics, sql
from mercat.kit.batching import Coalescer
from mercat.kit.refusals import Overloaded, Refusal
from mercat.orders import OrderRefused, Orders
from mercat.payments import Charge, NextAction, PaymentDeclined, Payments, PaymentUnavailable
from mercat.settings import Settings

T = TypeVar("T")
queries = sql.load("mercat.checkout")
log = structlog.get_logger("mercat.checkout")
_TAKE_OVER_MAX = 50
_TRIES_MAX = 20  # at the pace of leases: five minutes


class Decision(NamedTuple):
    checkout_id: int
    fence: int
    direction: str
    reason: str | None


class Ending(NamedTuple):
    checkout_id: int
    fence: int
    status: int
    body: bytes
    at: datetime


class Saga:
    def __init__(
        self,
        db: asyncpg.Pool,
        inventory: Inventory,
        payments: Payments,
        orders: Orders,
        cart: Cart,
        settings: Settings,
    ) -> None:
        self._db = db
        self._inventory = inventory
        self._payments = payments
        self._orders = orders
        self._cart = cart
        self._settings = settings
        self.lease = timedelta(seconds=settings.lease_s)
        self._decide: Coalescer[Decision, bool] = Coalescer(self._decide_many)
        self._finish: Coalescer[Ending, bool] = Coalescer(self._finish_many)

    async def carry_out(
        self, record: Record, fence: int, direction: str | None = None, reason: Said | None = None
    ) -> Said:
        """Runs a checkout from the top, for whoever holds its lease under `fence`."""
        if direction == "forward":
            return await self._forward(record, fence)
        if direction == "undo":
            return await self._undo(record, fence, reason or refused(PaymentUnavailable()))
        try:
            await self._reserve(record)
            next_action = await self._charge(record)
        except (OutOfStock, PaymentDeclined, PaymentUnavailable) as refusal:
            return await self.turn(record, fence, refused(refusal))
        if next_action:
            return await self._wait(record, fence, next_action)
        await self._direct(record.order.checkout_id, fence, "forward", None)
        return await self._forward(record, fence)

    async def turn(self, record: Record, fence: int, reason: Said) -> Said:
        """Decides to undo, and undoes."""
        await self._direct(record.order.checkout_id, fence, "undo", reason)
        return await self._undo(record, fence, reason)

    async def _reserve(self, record: Record) -> None:
        order = record.order
        try:
            await self._inventory.reserve(
                order.checkout_id, [Line(line.offer_id, line.quantity) for line in order.lines]
            )
        except OutOfStock as short:
            for n, line in enumerate(order.lines):
                if line.offer_id == short.facts.get("offer_id"):
                    facts = {**short.facts, "pointer": f"/items/{n}", "product": line.title}
                    left = short.facts.get("available")
                    said = f"Only {left} of {line.title} left." if left else f"{line.title} is sold out."
                    raise OutOfStock(f"{said} Nothing was charged.", **facts) from None
            raise

    async def _charge(self, record: Record) -> NextAction | None:
        order = record.order
        charge = Charge(
            checkout_id=order.checkout_id,
            order_id=order.order_id,
            amount=order.total,
            currency=order.currency,
            token=record.token,
            sellers=record.sellers,
            shipping=order.shipping,
            tax=order.tax,
            user_id=order.user_id,
        )
        return (await self._payments.charge(charge)).next_action

    async def _forward(self, record: Record, fence: int) -> Said:
        order = record.order
        try:
            await self._orders.create(order)
        except OrderRefused:  # given up for good, so the money goes back
            reason = refused(
                PaymentUnavailable("Your order could not be stored, so your money was given back.")
            )
            if not await self._db.fetchval(queries.turn_back, order.checkout_id, fence, _reason(reason)):
                raise CheckoutInProgress from None
            return await self._undo(record, fence, reason)
        await self._inventory.confirm(order.checkout_id)
        lines = [Line(line.offer_id, line.quantity) for line in order.lines]
        await self._cart.spend(order.user_id, order.cart_id, lines)
        return await self._end(order.checkout_id, fence, confirmed(record))

    async def _undo(self, record: Record, fence: int, reason: Said) -> Said:
        order = record.order
        await self._payments.void(order.checkout_id, order.order_id)
        await self._inventory.release(order.checkout_id)
        return await self._end(order.checkout_id, fence, reason)

    async def _wait(self, record: Record, fence: int, next_action: NextAction) -> Said:
        """The shopper has to act first: no lease, and fifteen minutes from the beginning."""
        order = record.order
        until = order.placed_at + timedelta(seconds=self._settings.reservation_s)
        await self._db.fetchval(queries.wait, order.checkout_id, fence, until, clock.now())
        url = next_action.url
        if url.startswith("/"):  # a page of ours; a bank's has its whole address
            url = self._settings.link(url)
        return pending(record, NextAction(next_action.type, url))

    async def _direct(self, checkout_id: CheckoutId, fence: int, direction: str, reason: Said | None) -> None:
        said = _reason(reason) if reason else None
        if not await self._decide(Decision(checkout_id, fence, direction, said)):
            raise CheckoutInProgress  # somebody else holds the fence now, and will answer

    async def _end(self, checkout_id: CheckoutId, fence: int, said: Said) -> Said:
        if not await self._finish(Ending(checkout_id, fence, said.status, said.body, clock.now())):
            raise CheckoutInProgress
        if said.status != 201:
            metrics.checkouts_refused.labels(msgspec.json.decode(said.body)["code"]).inc()
        return said

    async def recover(self) -> int:
        """Takes over what nobody works on any more: a crash left it, or its shopper walked away."""
        rows = await self._db.fetch(queries.take_over_lapsed, clock.now(), self.lease, _TAKE_OVER_MAX)
        await asyncio.gather(*(self._recover(row) for row in rows))
        return len(rows)

    async def keep_recovering(self) -> None:
        while await self.recover():
            pass
        await asyncio.sleep(1)

    async def forget_old(self) -> int:
        """A refusal's key is good for a day; answers how many were forgotten."""
        return len(await self._db.fetch(queries.prune, ids.first_of(clock.now() - timedelta(days=1))))

    async def keep_forgetting(self) -> None:
        while await self.forget_old():
            pass
        await asyncio.sleep(600)

    async def _recover(self, row: Any) -> None:
        record = codec.decode(row["record"], Record)
        metrics.checkouts_recovered.inc()
        try:
            await self._bring_to_an_end(record, row)
        except (CheckoutInProgress, Overloaded):
            return  # its lease lapses again, and the next round sees to it
        except Exception as error:
            log.exception("a checkout cannot be carried out", checkout=str(record.order.checkout_id))
            if row["tries"] >= _TRIES_MAX:
                await self._db.execute(queries.park, row["checkout_id"], row["fence"], repr(error)[:1_000])

    async def _bring_to_an_end(self, record: Record, row: Any) -> None:
        late = clock.now() - row["begun_at"] > timedelta(seconds=self._settings.decide_within_s)
        if row["direction"] == "forward" and late:
            await self._forward_or_give_up(record, row["fence"])
        elif row["direction"] is None and row["waits_until"]:
            said = PaymentDeclined("The payment was not confirmed in time.", reason="not_confirmed")
            await self.turn(record, row["fence"], refused(said))
        elif row["direction"] is None and late:
            await self.turn(record, row["fence"], refused(PaymentUnavailable()))
        else:
            reason = decided(row["reason"])
            await self.carry_out(record, row["fence"], row["direction"], reason)

    async def _forward_or_give_up(self, record: Record, fence: int) -> None:
        """Paid, and still no order after a minute: the order is refused for good, and then all is undone."""
        try:
            await self._forward(record, fence)
        except Overloaded:
            await self._orders.refuse(record.order)
            await self._forward(record, fence)

    async def _decide_many(self, asks: list[Decision]) -> list[bool | Exception]:
        rows = await self._db.fetch(queries.decide_many, *sql.columns(asks))
        decided = {(row[0], row[1]) for row in rows}  # a batch may hold who has the lease, and who lost it
        return [(ask.checkout_id, ask.fence) in decided for ask in asks]

    async def _finish_many(self, asks: list[Ending]) -> list[bool | Exception]:
        rows = await self._db.fetch(queries.finish_many, *sql.columns(asks))
        ended = {(row[0], row[1]) for row in rows}
        return [(ask.checkout_id, ask.fence) in ended for ask in asks]


async def patiently(step: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Asks again while a part of the shop restarts; its asks are idempotent, so nothing is done twice."""
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + seconds, 0.05
    while True:
        try:
            return await step()
        except Overloaded:
            if loop.time() + pause > until:
                raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)


def confirmed(record: Record) -> Said:
    order = record.order
    said = {
        "order_id": order.order_id,
        "status": "confirmed",
        "total": money.shown(order.total, order.currency),
        "currency": order.currency,
        "estimated_delivery": order.estimated_delivery,
    }
    return Said(201, codec.encode(said))


def refused(refusal: Refusal) -> Said:
    return Said(refusal.status, codec.encode(refusal.problem()))


def pending(record: Record, next_action: NextAction | None = None) -> Said:
    said: dict[str, object] = {"status": "pending", "order_id": record.order.order_id}
    if next_action:
        said["next_action"] = next_action
    return Said(202, codec.encode(said), retry_after=1)


def decided(reason: str | None) -> Said | None:
    return codec.decode(reason, Said) if reason else None


def _reason(said: Said) -> str:
    return codec.text(said)
