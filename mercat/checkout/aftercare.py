"""What becomes of an order: it is shipped and tracked; see `money_back` and `goods_back` for the rest.

The order's row decides; what follows from its decision is begun durably (`checkout.undoing`) and run again
until it is done. Every step is idempotent by the reference: `cancel/…`, `ship/…` or `return/…`.
"""

import asyncio
from datetime import timedelta

import asyncpg
import structlog
from msgspec import Struct

from mercat import ids
from mercat.checkout import goods_back, money_back
from mercat.checkout.messages import Ship, Track
from mercat.checkout.neighbours import Neighbours
from mercat.checkout.parked import TRIES_MAX
from mercat.checkout.refund_request import refund_request
from mercat.checkout.undoing import Begun, Undoing
from mercat.fulfilment import Shipment
from mercat.ids import OrderId, SellerId, ShipmentId
from mercat.inventory import Line
from mercat.kit import clock, codec, sql
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Forbidden, NotFound, Overloaded
from mercat.kit.rpc import Caller
from mercat.orders import (
    ExceedsCaptured,
    LineQuantity,
    NotCancellable,
    NotReturnable,
    NotShippable,
)
from mercat.settings import Settings

queries = sql.load("mercat.checkout")
log = structlog.get_logger("mercat.checkout")


class Returning(Struct, frozen=True):
    """Goods that release 0.1.0 has begun to take back, and pays at once."""

    order_id: OrderId
    lines: list[LineQuantity]


class Sending(Struct, frozen=True):
    """A parcel that a seller hands over."""

    shipment_id: ShipmentId
    seller_id: SellerId
    ask: Ship


class Aftercare:
    """Ships and tracks, and carries on what broke off."""

    def __init__(
        self,
        db: asyncpg.Pool,
        neighbours: Neighbours,
        settings: Settings,
        undoing: Undoing,
        money: money_back.MoneyBack,
        goods: goods_back.GoodsBack,
    ) -> None:
        self._db = db
        self._undoing = undoing
        self._money_back = money
        self._goods_back = goods
        self._fulfilment = neighbours.fulfilment
        self._inventory = neighbours.inventory
        self._payments = neighbours.payments
        self._orders = neighbours.orders
        self._lease = timedelta(seconds=settings.lease_s)

    async def ship(self, caller: Caller, ask: Ship) -> Shipment:
        """Hand over a seller's parcel: the order's row decides, then the shipment is opened."""
        if caller.seller_id is None:
            raise Forbidden
        shipment_id = ids.new(ShipmentId, ask.order_id.bucket)
        sending = Sending(shipment_id, caller.seller_id, ask)
        begun = await self._undoing.begin(f"ship/{int(shipment_id)}", ask.order_id, sending)
        return await self._send(begun, sending)

    async def track(self, caller: Caller, shipment_id: ShipmentId, ask: Track) -> Shipment:
        """Note that a carrier saw a parcel; the last one delivered makes the order delivered."""
        if caller.seller_id is None:
            raise Forbidden
        shipment = await self._fulfilment.seen(
            caller.seller_id, shipment_id, ask.status, ask.location, ask.at
        )
        if ask.status == "delivered":
            lines = [LineQuantity(line.order_line_id, line.quantity) for line in shipment.lines]
            await self._orders.arrived(shipment.order_id, shipment_id, lines)
        return shipment

    async def keep_recovering(self) -> None:
        """Recover until nothing is left; the back process does this all the time."""
        while await self.recover():
            pass
        await asyncio.sleep(1)

    async def recover(self) -> int:
        """Carry on what was begun and broke off; answer how many were taken up.

        A parcel that the order's row had not decided is withdrawn there, for who sent it may have sent
        another since. What fails again and again is parked for an operator."""
        rows = await self._db.fetch(queries.undoing_lapsed, clock.now(), self._lease)
        for row in rows:
            try:
                await self._take_up(Begun(row["reference"], row["turn"]), row["record"])
            except (Overloaded, *AWAY):
                continue  # a part of the shop is away: its lease lapses again
            except Exception as error:
                log.exception("what follows for an order could not be done yet", reference=row["reference"])
                if row["tries"] >= TRIES_MAX:
                    await self._db.execute(queries.undoing_park, row["reference"], repr(error)[:1_000])
        return len(rows)

    async def _take_up(self, begun: Begun, record: str) -> None:
        kind, _, number = begun.reference.partition("/")
        try:
            if kind in money_back.KINDS:
                await self._money_back.take_up(begun, record)
            elif kind in goods_back.KINDS:
                await self._goods_back.take_up(begun, record)
            elif kind == "ship":
                sending = codec.decode(record, Sending)
                if await self._orders.withdraw(sending.ask.order_id, f"shipped/{number}"):
                    await self._undoing.done(begun)
                else:
                    await self._send(begun, sending)
            else:
                returning = codec.decode(record, Returning)
                if await self._orders.withdraw(returning.order_id, begun.reference):
                    await self._undoing.done(begun)
                else:
                    await self._return(begun, returning)
        except (ExceedsCaptured, NotCancellable, NotReturnable, NotShippable, NotFound):
            pass  # the order's row says no, and this is closed

    async def _send(self, begun: Begun, sending: Sending) -> Shipment:
        ask = sending.ask
        try:
            user_id = await self._orders.ship(ask.order_id, sending.seller_id, sending.shipment_id, ask.lines)
        except (NotShippable, NotFound):
            await self._undoing.refused(begun)
            raise
        shipment = await self._fulfilment.open(
            sending.shipment_id,
            ask.order_id,
            user_id,
            sending.seller_id,
            [(line.order_line_id, line.quantity) for line in ask.lines],
            ask.carrier,
            ask.tracking_number,
        )
        await self._undoing.done(begun)
        return shipment

    async def _return(self, begun: Begun, returning: Returning) -> None:
        order_id, reference = returning.order_id, begun.reference
        try:
            owed = await self._orders.return_(order_id, reference, returning.lines)
        except (NotReturnable, NotFound):
            await self._undoing.refused(begun)
            raise
        if owed.parts:
            await self._payments.refund(order_id, refund_request(reference, owed))
        lines = [Line(part.offer_id, part.quantity) for part in owed.goods]
        await self._inventory.put_back(reference, lines)
        await self._undoing.done(begun)
