"""The verbs of orders."""

from typing import Any, NamedTuple

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from mercat.events import OrderLine, OrderPlaced, ParcelMoved
from mercat.ids import LineId, OrderId, SellerId, ShipmentId, UserId, parse
from mercat.kit import codec, metrics, sql
from mercat.kit.batching import Coalescer
from mercat.kit.event_log import on
from mercat.kit.refusals import Invalid, NotFound, Unavailable
from mercat.orders import rules
from mercat.orders.forgetting import Forgetting
from mercat.orders.messages import (
    Happening,
    LineQuantity,
    NewOrder,
    NotCancellable,
    NotReturnable,
    NotShippable,
    Order,
    OrderLineView,
    OrderPage,
    OrderRefused,
    OrderStatus,
    OrderSummary,
    Owed,
)
from mercat.settings import Settings

queries = sql.load("mercat.orders")
_SELDOM = ("partially_shipped", "shipped", "cancelled")
_LAST = 2**63 - 1


class _Event(NamedTuple):
    """Something that happens to an order, once a reference; `detail` is JSON."""

    reference: str
    what: str
    who: str
    detail: str


class Orders:
    """Orders and what is decided of them, each decision under the lock of the order's row."""

    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self.forgetting = Forgetting(db, settings.legal_term_days)
        self._create: Coalescer[NewOrder, str] = Coalescer(
            self._create_many, batch_max=1_500, weigh=lambda order: 1 + len(order.lines)
        )

    async def create(self, order: NewOrder) -> None:
        """Place a paid order, once; OrderRefused where it was given up before."""
        if await self._create(order) == "refused":
            raise OrderRefused

    async def refuse(self, order: NewOrder) -> None:
        """Give an order up before it is made: a create that comes later is refused. NotCancellable where it
        was made already."""
        status = await self._db.fetchval(
            queries.refuse,
            order.order_id.bucket,
            order.order_id,
            order.user_id,
            order.checkout_id,
            order.cart_id,
            order.placed_at,
        )
        if status != "refused":
            raise NotCancellable

    async def order(self, order_id: OrderId, user_ids: list[UserId]) -> Order:
        """Answer an order of these people (a member, and the guests they were); NotFound for another's."""
        row = await self._db.fetchrow(queries.order, order_id.bucket, order_id, user_ids)
        if row is None:
            raise NotFound("There is no such order.")
        placed = Happening("confirmed", "shopper", row["created_at"])
        return sql.row(
            Order,
            {
                **row,
                "address": msgspec.json.decode(row["address"]),
                "lines": codec.decode(row["lines"], list[OrderLineView]),
                "history": [placed, *codec.decode(row["history"], list[Happening])],
            },
        )

    async def list_of(
        self, user_ids: list[UserId], page: int = 1, limit: int = 20, cursor: str | None = None
    ) -> OrderPage:
        """List these people's orders, the newest first; a cursor takes the place of a page."""
        before = _LAST
        if cursor:
            try:
                before, page = parse(OrderId, cursor), 1
            except ValueError:
                raise Invalid("This cursor is not one of ours.", pointer="/cursor") from None
        buckets = sorted({user_id.bucket for user_id in user_ids})
        rows = await self._db.fetch(queries.list_of, buckets, user_ids, before, limit + 1, (page - 1) * limit)
        total = await self._db.fetchval(queries.count_of, buckets, user_ids)
        return _page(rows, limit, total)

    async def newest(
        self, before: OrderId | None = None, limit: int = 50, status: OrderStatus | None = None
    ) -> OrderPage:
        """List everybody's orders, the newest first, for the operator's desk."""
        statement = queries.newest_of_seldom if status in _SELDOM else queries.newest
        rows = await self._db.fetch(statement, before or _LAST, limit + 1, status)
        return _page(rows, limit, len(rows))

    async def cancel(self, order_id: OrderId, user_ids: list[UserId], who: str) -> Order:
        """Decide a cancellation; answer the order as it now is. NotCancellable once anything has shipped."""
        await self._db.execute(queries.cancel, order_id.bucket, order_id, user_ids, who)
        order = await self.order(order_id, user_ids)
        if order.status != "cancelled":
            raise NotCancellable
        return order

    async def ship(
        self, order_id: OrderId, seller_id: SellerId, shipment_id: ShipmentId, lines: list[LineQuantity]
    ) -> UserId:
        """Decide that a seller's lines are shipped, once a shipment; answer whose order it is."""
        async with self._db.acquire() as db, db.transaction():
            order = await self._lock(db, order_id, pointer="/order_id")
            reference = f"shipped/{int(shipment_id)}"
            if known := await db.fetchrow(queries.happened, order_id.bucket, order_id, reference):
                if known["withdrawn"]:
                    raise NotShippable
                return UserId(order["user_id"])
            after = rules.ship(order["status"], await _lines(db, order_id), seller_id, lines)
            detail = codec.text({"shipment_id": shipment_id, "lines": lines})
            await self._settle(db, order_id, order, after, _Event(reference, "shipped", "seller", detail))
            return UserId(order["user_id"])

    async def arrived(self, order_id: OrderId, shipment_id: ShipmentId, lines: list[LineQuantity]) -> None:
        """Note that a shipment was delivered, once a shipment."""
        async with self._db.acquire() as db, db.transaction():
            parcel = [(line.order_line_id, line.quantity) for line in lines]
            await self._arrived(db, order_id, shipment_id, parcel)

    @on(ParcelMoved)
    async def follow_parcels(self, db: PoolConnectionProxy, events: list[ParcelMoved]) -> None:
        """Note what was delivered, where fulfilment said so and nobody else did."""
        for event in events:
            if event.status == "delivered":
                parcel = [(line.order_line_id, line.quantity) for line in event.lines]
                await self._arrived(db, event.order_id, event.shipment_id, parcel)

    async def return_(self, order_id: OrderId, reference: str, lines: list[LineQuantity]) -> Owed:
        """Decide a return, once a reference, and what it pays back; NotReturnable beyond what was shipped.

        Whose order it is, the asker has seen. Decided under the order's lock, returns never differ by a cent
        of tax."""
        async with self._db.acquire() as db, db.transaction():
            order = await self._lock(db, order_id)
            if known := await db.fetchrow(queries.happened, order_id.bucket, order_id, reference):
                if known["withdrawn"]:
                    raise NotReturnable
                return codec.decode(known["detail"], Owed)
            amounts = rules.Amounts(order["currency"], order["subtotal"], order["discount"], order["tax"])
            after, owed = rules.take_back(order["status"], amounts, await _lines(db, order_id), lines)
            event = _Event(reference, "returned", "shopper", codec.text(owed))
            await self._settle(db, order_id, order, after, event)
            return owed

    async def withdraw(self, order_id: OrderId, reference: str) -> bool:
        """Give up a parcel or a return that was begun: where it was not decided yet it never will be. False
        where it was."""
        async with self._db.acquire() as db, db.transaction():
            await self._lock(db, order_id)
            if known := await db.fetchrow(queries.happened, order_id.bucket, order_id, reference):
                return known["withdrawn"]
            await db.execute(
                queries.note, order_id.bucket, order_id, *_Event(reference, "withdrawn", "shop", "{}")
            )
            return True

    async def _arrived(
        self, db: Any, order_id: OrderId, shipment_id: ShipmentId, parcel: list[tuple[LineId, int]]
    ) -> None:
        order = await self._lock(db, order_id)
        reference = f"delivered/{int(shipment_id)}"
        if await db.fetchval(queries.happened, order_id.bucket, order_id, reference):
            return
        after = rules.deliver(await _lines(db, order_id), parcel)
        detail = codec.text({"shipment_id": shipment_id})
        await self._settle(db, order_id, order, after, _Event(reference, "delivered", "carrier", detail))

    async def _lock(self, db: Any, order_id: OrderId, **facts: str) -> Any:
        order = await db.fetchrow(queries.lock, order_id.bucket, order_id)
        if order is None:
            raise NotFound("There is no such order.", **facts)
        return order

    async def _settle(
        self, db: Any, order_id: OrderId, order: Any, lines: rules.Lines, event: _Event
    ) -> None:
        """Write how far the lines have come, the status they add up to, and what happened."""
        bucket = order_id.bucket
        changed = [(n, line.shipped, line.delivered, line.returned) for n, line in lines.items()]
        await db.execute(queries.set_lines, bucket, order_id, *sql.columns(changed, 4))
        status = rules.status_of(lines.values())
        if order["status"] != "cancelled" and status != order["status"]:
            await db.execute(queries.set_status, bucket, order_id, status)
            if status == "delivered":
                await db.execute(queries.tell_delivered, bucket, order_id, order["user_id"])
        await db.execute(queries.note, bucket, order_id, *event)

    async def _create_many(self, orders: list[NewOrder]) -> list[str | Exception]:
        heads = [_head_row(order) for order in orders]
        lines = [_line_row(order, line) for order in orders for line in order.lines]
        rows = await self._db.fetch(queries.create_many, *sql.columns(heads), *sql.columns(lines, 11))
        made = {row[0] for row in rows}
        metrics.orders_placed.inc(len(made))
        metrics.order_value.labels(orders[0].currency).inc(
            sum(order.total for order in orders if order.order_id in made)
        )
        answers: dict[int, str] = dict.fromkeys(made, "confirmed")
        if len(made) < len(orders):
            known = [
                (order.order_id.bucket, order.order_id) for order in orders if order.order_id not in made
            ]
            answers |= {row[0]: row[1] for row in await self._db.fetch(queries.states, *sql.columns(known))}
        return [answers.get(order.order_id) or Unavailable() for order in orders]


def _head_row(order: NewOrder) -> tuple[Any, ...]:
    """Make the columns of an order that `create_many` takes, with the fact that tells of it."""
    return (
        order.order_id.bucket,
        order.order_id,
        order.user_id,
        order.checkout_id,
        order.cart_id,
        order.email,
        order.subtotal,
        order.discount,
        order.shipping,
        order.tax,
        order.total,
        order.currency,
        order.shipping_method,
        order.estimated_delivery,
        codec.text(order.address),
        order.placed_at,
        codec.inner_text(_placed(order)),
    )


def _line_row(order: NewOrder, line: OrderLine) -> tuple[Any, ...]:
    return (
        order.order_id.bucket,
        order.order_id,
        line.order_line_id,
        line.product_id,
        line.offer_id,
        line.seller_id,
        line.title,
        line.image_url,
        line.quantity,
        line.unit_price,
        line.total,
    )


async def _lines(db: Any, order_id: OrderId) -> rules.Lines:
    rows = await db.fetch(queries.lines, order_id.bucket, order_id)
    return {LineId(row[0]): rules.LineState(*row[1:]) for row in (tuple(row) for row in rows)}


def _placed(order: NewOrder) -> OrderPlaced:
    return OrderPlaced(
        order_id=order.order_id,
        checkout_id=order.checkout_id,
        cart_id=order.cart_id,
        user_id=order.user_id,
        email=order.email,
        total=order.total,
        currency=order.currency,
        lines=order.lines,
        placed_at=order.placed_at,
        subtotal=order.subtotal,
        discount=order.discount,
        shipping=order.shipping,
        tax=order.tax,
        shipping_method=order.shipping_method,
        estimated_delivery=order.estimated_delivery.isoformat(),
        address=order.address,
    )


def _page(rows: list[Any], limit: int, total: int) -> OrderPage:
    orders = sql.rows(OrderSummary, rows[:limit])
    return OrderPage(orders, total, str(orders[-1].order_id) if len(rows) > limit else None)
