"""The purchase, as the business says it. The rules that make a crash harmless:

- `begin` committed all that is needed here: no step reads a cart, a price or the catalogue.
- Every step answers a second asking as it did the first. Refusals are answers too.
- The direction is decided once, by whoever holds the fence, before anything is made or undone.
- A shopper is told only what a commit already says.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import asyncpg
import msgspec

from mercat.checkout.messages import (
    CheckoutAnswer,
    CheckoutInProgress,
    CheckoutOutcome,
    Confirmed,
    Pending,
    PendingOrder,
    Present,
    Refused,
)
from mercat.checkout.neighbours import Neighbours
from mercat.ids import CheckoutId
from mercat.inventory import Line, OutOfStock
from mercat.kit import clock, codec, metrics, sql
from mercat.kit.batching import Coalescer
from mercat.orders import OrderRefused
from mercat.payments import Charge, NextAction, PaymentDeclined, PaymentUnavailable
from mercat.settings import Settings

queries = sql.load("mercat.checkout")


class Decision(NamedTuple):
    """A direction, by whoever holds the fence; `reason` is the refusal that is answered after undoing."""

    checkout_id: int
    fence: int
    direction: str
    reason: str | None


class Ending(NamedTuple):
    """A final answer as it is stored: how it is presented, and the refusal, if it is one."""

    checkout_id: int
    fence: int
    status: int
    body: bytes
    refusal: str | None
    at: datetime


class Saga:
    """Carries a purchase out, forward or back; each step may be asked again at any time."""

    def __init__(
        self, db: asyncpg.Pool, neighbours: Neighbours, settings: Settings, present: Present
    ) -> None:
        self._db = db
        self._inventory = neighbours.inventory
        self._payments = neighbours.payments
        self._orders = neighbours.orders
        self._cart = neighbours.cart
        self._settings = settings
        self._present = present
        self.lease = timedelta(seconds=settings.lease_s)
        self._decide: Coalescer[Decision, bool] = Coalescer(self._decide_many)
        self._finish: Coalescer[Ending, bool] = Coalescer(self._finish_many)

    async def carry_out(
        self,
        record: PendingOrder,
        fence: int,
        direction: str | None = None,
        reason: Refused | None = None,
    ) -> CheckoutAnswer:
        """Run a checkout from the top, for whoever holds its lease under `fence`. CheckoutInProgress where
        somebody else has the lease by now."""
        if direction == "forward":
            return await self.forward(record, fence)
        if direction == "undo":
            return await self._undo(record, fence, reason or Refused.by(PaymentUnavailable()))
        try:
            await self._reserve(record)
            next_action = await self._charge(record)
        except (OutOfStock, PaymentDeclined, PaymentUnavailable) as refusal:
            return await self.turn(record, fence, Refused.by(refusal))
        if next_action:
            return await self._wait(record, fence, next_action)
        await self._direct(record.order.checkout_id, fence, "forward", None)
        return await self.forward(record, fence)

    async def forward(self, record: PendingOrder, fence: int) -> CheckoutAnswer:
        """Place the order of a checkout that was decided forward, and end it."""
        order = record.order
        try:
            await self._orders.create(order)
        except OrderRefused:  # given up for good, so the money goes back
            reason = Refused.by(
                PaymentUnavailable("Your order could not be stored, so your money was given back.")
            )
            if not await self._db.fetchval(queries.turn_back, order.checkout_id, fence, codec.text(reason)):
                raise CheckoutInProgress from None
            return await self._undo(record, fence, reason)
        await self._inventory.confirm(order.checkout_id)
        lines = [Line(line.offer_id, line.quantity) for line in order.lines]
        await self._cart.spend(order.user_id, order.cart_id, lines)
        return await self._end(order.checkout_id, fence, confirmed(record))

    async def turn(self, record: PendingOrder, fence: int, reason: Refused) -> CheckoutAnswer:
        """Decide to undo, and undo."""
        await self._direct(record.order.checkout_id, fence, "undo", reason)
        return await self._undo(record, fence, reason)

    def answer(self, outcome: CheckoutOutcome) -> CheckoutAnswer:
        """Present an outcome."""
        return CheckoutAnswer(outcome, *self._present(outcome))

    async def _reserve(self, record: PendingOrder) -> None:
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
                    words = f"Only {left} of {line.title} left." if left else f"{line.title} is sold out."
                    raise OutOfStock(f"{words} Nothing was charged.", **facts) from None
            raise

    async def _charge(self, record: PendingOrder) -> NextAction | None:
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

    async def _undo(self, record: PendingOrder, fence: int, reason: Refused) -> CheckoutAnswer:
        order = record.order
        await self._payments.void(order.checkout_id, order.order_id)
        await self._inventory.release(order.checkout_id)
        return await self._end(order.checkout_id, fence, reason)

    async def _wait(self, record: PendingOrder, fence: int, next_action: NextAction) -> CheckoutAnswer:
        """Let go of the lease while the shopper has to act: fifteen minutes from the beginning."""
        order = record.order
        until = order.placed_at + timedelta(seconds=self._settings.reservation_s)
        await self._db.fetchval(queries.wait, order.checkout_id, fence, until, clock.now())
        url = next_action.url
        if url.startswith("/"):  # a page of ours; a bank's has its whole address
            url = self._settings.link(url)
        return self.answer(Pending(order.order_id, NextAction(next_action.type, url)))

    async def _direct(
        self, checkout_id: CheckoutId, fence: int, direction: str, reason: Refused | None
    ) -> None:
        text = codec.text(reason) if reason else None
        if not await self._decide(Decision(checkout_id, fence, direction, text)):
            raise CheckoutInProgress  # somebody else holds the fence now, and will answer

    async def _end(self, checkout_id: CheckoutId, fence: int, outcome: Confirmed | Refused) -> CheckoutAnswer:
        answer = self.answer(outcome)
        refusal = codec.text(outcome) if isinstance(outcome, Refused) else None
        ending = Ending(checkout_id, fence, answer.status, answer.body, refusal, clock.now())
        if not await self._finish(ending):
            raise CheckoutInProgress
        if isinstance(outcome, Refused):
            metrics.checkouts_refused.labels(outcome.code).inc()
        return answer

    async def _decide_many(self, asks: list[Decision]) -> list[bool | Exception]:
        rows = await self._db.fetch(queries.decide_many, *sql.columns(asks))
        written = {(row[0], row[1]) for row in rows}  # a batch may hold who has the lease, and who lost it
        return [(ask.checkout_id, ask.fence) in written for ask in asks]

    async def _finish_many(self, asks: list[Ending]) -> list[bool | Exception]:
        rows = await self._db.fetch(queries.finish_many, *sql.columns(asks))
        ended = {(row[0], row[1]) for row in rows}
        return [(ask.checkout_id, ask.fence) in ended for ask in asks]


def confirmed(record: PendingOrder) -> Confirmed:
    """Make the value of a purchase that is done."""
    order = record.order
    return Confirmed(order.order_id, order.total, order.currency, order.estimated_delivery)


def stored_answer(row: Any) -> CheckoutAnswer:
    """Read a final answer again. Of a refusal that a process of release 0.1.0 stored beside newer ones, only
    the presented bytes are known."""
    if row["confirmed"]:
        outcome = confirmed(codec.decode(row["record"], PendingOrder))
    else:
        outcome = decided(row["refusal"]) or Refused("refused", "This order was not placed.")
    return CheckoutAnswer(outcome, row["status"], row["body"], replayed=True)


def decided(reason: str | None) -> Refused | None:
    """Read the refusal that a checkout is undone for; None for what release 0.1.0 wrote there, which was
    bytes for programs."""
    try:
        return codec.decode(reason, Refused) if reason else None
    except msgspec.ValidationError:
        return None
