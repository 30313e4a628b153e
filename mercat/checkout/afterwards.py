"""What happens to an order afterwards: cancel, ship, track, return. The order's row decides; what follows
from its decision is begun durably and run again until it is done."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import structlog
from msgspec import Struct

from mercat import ids
from mercat.accounts import Accounts
from mercat.checkout.messages import Return, Returned, Ship, Track
from mercat.fulfilment import Fulfilment, Shipment
from mercat.ids import OrderId, ReturnId, SellerId, ShipmentId, UserId
from mercat.inventory import Inventory, Line
from mercat.kit import clock, sql, wire
from mercat.kit.refusals import Forbidden, NotFound
from mercat.kit.web import Caller
from mercat.orders import NotCancellable, NotReturnable, NotShippable, Order, Orders, Taken
from mercat.payments import Payments
from mercat.settings import Settings

queries = sql.load("mercat.checkout")
log = structlog.get_logger("mercat.checkout")


class Undoing(Struct, frozen=True):
    """What has to be given back: money to the shopper, goods to the shelf."""

    order_id: OrderId
    amount: int
    lines: list[Line]


class Sending(Struct, frozen=True):
    """A parcel that a seller hands over."""

    shipment_id: ShipmentId
    seller_id: SellerId
    ask: Ship


class Afterwards:
    def __init__(
        self,
        db: asyncpg.Pool,
        accounts: Accounts,
        fulfilment: Fulfilment,
        inventory: Inventory,
        payments: Payments,
        orders: Orders,
        settings: Settings,
    ) -> None:
        self._db = db
        self._accounts = accounts
        self._fulfilment = fulfilment
        self._inventory = inventory
        self._payments = payments
        self._orders = orders
        self._settings = settings

    async def people(self, caller: Caller) -> list[UserId]:
        """The caller, and the guests they were before they signed in."""
        if caller.guest:
            return [caller.user_id]
        return [caller.user_id, *await self._accounts.guests_of(caller.user_id)]

    async def cancel(self, caller: Caller, order_id: OrderId) -> Order:
        """Before anything has shipped: money back, goods back. Again: the same answer, no other refund."""
        people = await self.people(caller)
        order = await self._orders.order(order_id, people)
        await self._begin_following(f"cancel/{int(order_id)}", order_id, _everything(order))
        try:
            order = await self._orders.cancel(order_id, people, "shopper")
        except NotCancellable:  # nothing else says that it was not decided: the answer may have been lost
            await self._done(f"cancel/{int(order_id)}")
            raise
        await self._undo(f"cancel/{int(order_id)}", _everything(order))
        return order

    async def ship(self, caller: Caller, ask: Ship) -> Shipment:
        """A seller hands over a parcel: the order's row decides, then the shipment is opened."""
        if caller.seller_id is None:
            raise Forbidden
        shipment_id = ids.new(ShipmentId, ask.order_id.bucket)
        reference = f"ship/{int(shipment_id)}"
        sending = Sending(shipment_id, caller.seller_id, ask)
        await self._begin_following(reference, ask.order_id, sending)
        try:
            return await self._send(reference, sending)
        except (NotShippable, NotFound):
            await self._done(reference)
            raise

    async def _send(self, reference: str, sending: Sending) -> Shipment:
        ask = sending.ask
        taken = [Taken(line.order_line_id, line.quantity) for line in ask.lines]
        user_id = await self._orders.ship(ask.order_id, sending.seller_id, sending.shipment_id, taken)
        shipment = await self._fulfilment.open(
            sending.shipment_id,
            ask.order_id,
            user_id,
            sending.seller_id,
            [(line.order_line_id, line.quantity) for line in ask.lines],
            ask.carrier,
            ask.tracking_number,
        )
        await self._done(reference)
        return shipment

    async def track(self, caller: Caller, shipment_id: ShipmentId, ask: Track) -> Shipment:
        """A carrier saw a parcel; the last one delivered makes the order delivered."""
        if caller.seller_id is None:
            raise Forbidden
        shipment = await self._fulfilment.seen(
            caller.seller_id, shipment_id, ask.status, ask.location, ask.at
        )
        if ask.status == "delivered":
            lines = [Taken(line.order_line_id, line.quantity) for line in shipment.lines]
            await self._orders.arrived(shipment.order_id, shipment_id, lines)
        return shipment

    async def return_(self, caller: Caller, order_id: OrderId, ask: Return) -> Returned:
        """Sends goods back: their price and tax are refunded, and they go back to the shelf."""
        people = await self.people(caller)
        order = await self._orders.order(order_id, people)
        return_id = ids.new(ReturnId, order_id.bucket)
        taken = [Taken(line.order_line_id, line.quantity) for line in ask.lines]
        reference = f"return/{int(return_id)}"
        undoing = _part(order, taken)
        await self._begin_following(reference, order_id, undoing)
        try:
            await self._orders.return_(order_id, reference, taken)
        except (NotReturnable, NotFound):
            await self._done(reference)
            raise
        await self._undo(reference, undoing)
        return Returned(return_id)

    async def keep_undoing(self) -> None:
        """Runs again what a crash left half given back or half sent; only what the order's row decided is
        carried out."""
        rows = await self._db.fetch(
            queries.undoing_lapsed, clock.now(), timedelta(seconds=self._settings.lease_s)
        )
        for row in rows:
            try:
                await self._take_up_undoing(row)
            except Exception:
                log.exception("what follows for an order could not be done yet", reference=row["reference"])
        if not rows:
            await asyncio.sleep(1)

    async def _take_up_undoing(self, row: Any) -> None:
        reference, order_id = row["reference"], OrderId(row["order_id"])
        what, _, number = reference.partition("/")
        said = f"shipped/{number}" if what == "ship" else reference
        if not await self._orders.decided(order_id, what, said):
            await self._done(reference)
        elif what == "ship":
            await self._send(reference, wire.decode(row["record"], Sending))
        else:
            await self._undo(reference, wire.decode(row["record"], Undoing))

    async def _begin_following(self, reference: str, order_id: OrderId, record: Undoing | Sending) -> None:
        until = clock.now() + timedelta(seconds=self._settings.lease_s)
        await self._db.execute(queries.undoing_begin, reference, order_id, wire.text(record), until)

    async def _undo(self, reference: str, undoing: Undoing) -> None:
        if undoing.amount:
            await self._payments.refund(undoing.order_id, undoing.amount, reference)
        await self._inventory.put_back(reference, undoing.lines)
        await self._done(reference)

    async def _done(self, reference: str) -> None:
        await self._db.execute(queries.undoing_done, reference, clock.now())


def _everything(order: Order) -> Undoing:
    return Undoing(order.order_id, order.total, [Line(line.offer_id, line.quantity) for line in order.lines])


def _part(order: Order, taken: list[Taken]) -> Undoing:
    """Goods and their share of the tax; what delivery cost is not given back. The last unit's share of the
    tax takes the rest, so that returns never add up to more than was paid."""
    lines = {line.order_line_id: line for line in order.lines}
    goods = sum(lines[t.order_line_id].unit_price * t.quantity for t in taken if t.order_line_id in lines)
    returned = sum(line.unit_price * line.returned for line in order.lines)
    base = order.subtotal or 1
    tax = order.tax * (returned + goods) // base - order.tax * returned // base
    back = [Line(lines[t.order_line_id].offer_id, t.quantity) for t in taken if t.order_line_id in lines]
    return Undoing(order.order_id, goods + tax, back)
