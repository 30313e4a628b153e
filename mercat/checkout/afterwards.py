"""What happens to an order afterwards: cancel, ship, track, return. The order's row decides; what follows
from its decision is begun durably and run again until it is done."""

import asyncio
from datetime import timedelta
from typing import Annotated

import asyncpg
import structlog
from msgspec import Struct

from mercat import ids
from mercat.accounts import Accounts
from mercat.checkout.messages import Parked, Return, Returned, Ship, Track
from mercat.fulfilment import Fulfilment, Shipment
from mercat.ids import OrderId, ReturnId, SellerId, ShipmentId, UserId
from mercat.inventory import Inventory, Line
from mercat.kit import clock, codec, sql
from mercat.kit.batching import AWAY
from mercat.kit.refusals import Forbidden, NotFound, Overloaded
from mercat.kit.rpc import IN_BODY, Caller
from mercat.orders import Goods, NotCancellable, NotReturnable, NotShippable, Order, Orders, Taken
from mercat.payments import Payments, RefundRequest, SellerPart
from mercat.settings import Settings

queries = sql.load("mercat.checkout")
log = structlog.get_logger("mercat.checkout")
TRIES_MAX = 20
"""So often recovery tries, at the pace of leases, before an operator has to look: five minutes."""
_PARKED_MAX = 200


class Cancelling(Struct, frozen=True):
    """An order that is to be given up, and by whom."""

    order_id: OrderId
    people: list[UserId]


class Returning(Struct, frozen=True):
    """Goods that are to come back."""

    order_id: OrderId
    lines: list[Taken]


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
        await self._orders.order(order_id, people)
        cancelling = Cancelling(order_id, people)
        await self._begin_following(f"cancel/{int(order_id)}", order_id, cancelling)
        return await self._cancel(f"cancel/{int(order_id)}", cancelling)

    async def _cancel(self, reference: str, cancelling: Cancelling) -> Order:
        try:
            order = await self._orders.cancel(cancelling.order_id, cancelling.people, "shopper")
        except NotCancellable:  # nothing else says that it was not decided: the answer may have been lost
            await self._done(reference)
            raise
        await self._payments.refund(order.order_id, _everything(order, reference))
        await self._put_back(reference, [Line(line.offer_id, line.quantity) for line in order.lines])
        return order

    async def ship(self, caller: Caller, ask: Ship) -> Shipment:
        """A seller hands over a parcel: the order's row decides, then the shipment is opened."""
        if caller.seller_id is None:
            raise Forbidden
        shipment_id = ids.new(ShipmentId, ask.order_id.bucket)
        reference = f"ship/{int(shipment_id)}"
        sending = Sending(shipment_id, caller.seller_id, ask)
        await self._begin_following(reference, ask.order_id, sending)
        return await self._send(reference, sending)

    async def _send(self, reference: str, sending: Sending) -> Shipment:
        ask = sending.ask
        taken = [Taken(line.order_line_id, line.quantity) for line in ask.lines]
        try:
            user_id = await self._orders.ship(ask.order_id, sending.seller_id, sending.shipment_id, taken)
        except (NotShippable, NotFound):
            await self._done(reference)
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
        await self._orders.order(order_id, await self.people(caller))
        return_id = ids.new(ReturnId, order_id.bucket)
        reference = f"return/{int(return_id)}"
        returning = Returning(order_id, [Taken(line.order_line_id, line.quantity) for line in ask.lines])
        await self._begin_following(reference, order_id, returning)
        await self._return(reference, returning)
        return Returned(return_id)

    async def _return(self, reference: str, returning: Returning) -> None:
        order_id = returning.order_id
        try:
            owed = await self._orders.return_(order_id, reference, returning.lines)
        except (NotReturnable, NotFound):
            await self._done(reference)
            raise
        if owed.amount:
            sellers = _by_seller(owed.goods)
            back = RefundRequest(reference, owed.amount, sellers, tax=owed.tax, discount=owed.discount)
            await self._payments.refund(order_id, back)
        await self._put_back(reference, [Line(part.offer_id, part.quantity) for part in owed.goods])

    async def keep_undoing(self) -> None:
        while await self.undo_lapsed():
            pass
        await asyncio.sleep(1)

    async def undo_lapsed(self) -> int:
        """Carries on what was begun and broke off. A cancellation is decided by whoever comes first; a
        parcel or a return that the order's row had not decided is withdrawn there, for who sent it may have
        sent another since. What fails again and again is parked for an operator.
        Answers how many were taken up."""
        rows = await self._db.fetch(
            queries.undoing_lapsed, clock.now(), timedelta(seconds=self._settings.lease_s)
        )
        for row in rows:
            try:
                await self._take_up_undoing(row["reference"], row["record"])
            except (Overloaded, *AWAY):
                continue  # a part of the shop is away: its lease lapses again
            except Exception as error:
                log.exception("what follows for an order could not be done yet", reference=row["reference"])
                if row["tries"] >= TRIES_MAX:
                    await self._db.execute(queries.undoing_park, row["reference"], repr(error)[:1_000])
        return len(rows)

    async def _take_up_undoing(self, reference: str, record: str) -> None:
        try:
            what, _, number = reference.partition("/")
            if what == "cancel":
                await self._cancel(reference, codec.decode(record, Cancelling))
            elif what == "ship":
                sending = codec.decode(record, Sending)
                if await self._orders.withdraw(sending.ask.order_id, f"shipped/{number}"):
                    await self._done(reference)
                else:
                    await self._send(reference, sending)
            else:
                returning = codec.decode(record, Returning)
                if await self._orders.withdraw(returning.order_id, reference):
                    await self._done(reference)
                else:
                    await self._return(reference, returning)
        except (NotCancellable, NotReturnable, NotShippable, NotFound):
            pass  # the order's row says no, and this is closed

    async def parked(self) -> list[Parked]:
        """What recovery has given up, for an operator: the oldest first."""
        rows = await self._db.fetch(queries.parked, _PARKED_MAX)
        return [
            sql.row(Parked, {**row, "order_id": row["order_id"] or codec.decode(row["text"], OrderId)})
            for row in rows
        ]

    async def retry(self, reference: Annotated[str, IN_BODY]) -> None:
        """An operator has mended what was in the way: recovery takes it up again at once."""
        what, _, number = reference.partition("/")
        if not number.isdigit() or len(number) > 19:
            raise NotFound("Nothing of this name is parked.")
        if what == "buy":
            done = await self._db.execute(queries.unpark, int(number), clock.now())
        else:
            done = await self._db.execute(queries.undoing_unpark, reference, clock.now())
        if done == "UPDATE 0":
            raise NotFound("Nothing of this name is parked.")

    async def _begin_following(
        self, reference: str, order_id: OrderId, record: Cancelling | Returning | Sending
    ) -> None:
        until = clock.now() + timedelta(seconds=self._settings.lease_s)
        await self._db.execute(queries.undoing_begin, reference, order_id, codec.text(record), until)

    async def _put_back(self, reference: str, lines: list[Line]) -> None:
        await self._inventory.put_back(reference, lines)
        await self._done(reference)

    async def _done(self, reference: str) -> None:
        await self._db.execute(queries.undoing_done, reference, clock.now())


def _everything(order: Order, reference: str) -> RefundRequest:
    goods = [Goods(line.seller_id, line.offer_id, line.quantity, line.total) for line in order.lines]
    return RefundRequest(reference, order.total, _by_seller(goods), order.shipping, order.tax, order.discount)


def _by_seller(goods: list[Goods]) -> list[SellerPart]:
    sellers: dict[SellerId, int] = {}
    for part in goods:
        sellers[part.seller_id] = sellers.get(part.seller_id, 0) + part.amount
    return [SellerPart(seller_id, amount) for seller_id, amount in sellers.items()]
