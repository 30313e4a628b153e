"""The verbs of orders."""

import asyncio
from typing import Any, NamedTuple, get_args

import asyncpg
import msgspec
import structlog
from asyncpg.pool import PoolConnectionProxy

from mercat import ids
from mercat.events import (
    AppliedDiscount,
    CancelledUnits,
    Event,
    OrderCancelled,
    OrderDelivered,
    OrderLine,
    OrderPlaced,
    ParcelMoved,
    PartChanged,
    ProductsArrived,
    ProductsRefunded,
    ReturnApproved,
    ReturnRefunded,
    ReturnRefused,
    ReturnSent,
    UnitsCancelled,
)
from mercat.ids import CancellationId, LineId, LinkId, OrderId, SellerId, ShipmentId, UserId, parse
from mercat.kit import codec, metrics, sql
from mercat.kit.batching import set_verb
from mercat.kit.event_log import on
from mercat.kit.refusals import Invalid, NotFound
from mercat.orders import rules
from mercat.orders.forgetting import OldOrders
from mercat.orders.here import ELSEWHERE, own
from mercat.orders.imported import ImportedOrders
from mercat.orders.messages import (
    Bill,
    EndedPart,
    Happening,
    LineQuantity,
    NewOrder,
    NotCancellable,
    NotReturnable,
    NotShippable,
    Order,
    OrderLineView,
    OrderPage,
    OrderStatus,
    OrderSummary,
    Owed,
    PaidBack,
    Part,
    PartDelivery,
    UnitMove,
)
from mercat.orders.moved import amounts_of, decided, shipping_of
from mercat.orders.remarks import OrderRemarks
from mercat.orders.sold import SoldOrders

queries = sql.load("mercat.orders")
log = structlog.get_logger("mercat.orders")
_LAST = 2**63 - 1
_ROWS_MAX = 1_500
COUNT_MAX = 10_000
"""So many orders of a status are counted at most."""
_NUMBERED_AT_ONCE = 1_000
_NUMBERING_REST_S = 600
_OWING = ("cancelled", "returned", "refunded")
_HAPPENED = {
    "cancel": "cancelled",
    "ask_return": "return_asked",
    "drop_return": "return_dropped",
    "receive_return": "returned",
    "refund": "refunded",
}
"""How the history calls a move of units."""
ReturnEvent = ReturnApproved | ReturnRefused | ReturnSent | ReturnRefunded
_OF_RETURNS: dict[type[Event], tuple[str, str]] = {
    ReturnApproved: ("return_approved", "seller"),
    ReturnRefused: ("return_refused", "seller"),
    ReturnSent: ("return_sent", "shopper"),
    ReturnRefunded: ("return_refunded", "shop"),
}
"""How the history calls what became of a return, and who did it unless the event says."""


class _Happened(NamedTuple):
    """Something that happens to an order, once a reference; `detail` is JSON."""

    reference: str
    what: str
    who: str
    detail: str


class Orders:
    """Orders and what is decided of them, each decision under the lock of the order's row."""

    def __init__(self, db: asyncpg.Pool, legal_term_days: int = 3_650) -> None:
        self._db = db
        self.forgetting = OldOrders(db, legal_term_days)
        self.old = ImportedOrders(db)
        self.take_old = self.old.take_old
        self.old_of = self.old.old_of
        self.find_old = self.old.find_old
        self.beside = OrderRemarks(db)
        self.add_note = self.beside.add_note
        self.remarks = self.beside.remarks
        self.note_refusal = self.beside.note_refusal
        self.reported = SoldOrders(db)
        self.sold = self.reported.sold
        self.sold_after = self.reported.sold_after

    @set_verb(_ROWS_MAX, weigh=lambda order: 1 + len(order.lines))
    async def create_many(self, orders: list[NewOrder]) -> list[bool]:
        """Place paid orders, each once; False for one that was given up before."""
        heads = [_head_row(order) for order in orders]
        lines = [_line_row(order, line) for order in orders for line in order.lines]
        rows = await self._db.fetch(queries.create_many, *sql.columns(heads), *sql.columns(lines, 15))
        made = {row[0] for row in rows}
        metrics.orders_placed.inc(len(made))
        metrics.order_value.labels(orders[0].currency).inc(
            sum(order.total for order in orders if order.order_id in made)
        )
        if len(made) < len(orders):
            known = [
                (order.order_id.bucket, order.order_id) for order in orders if order.order_id not in made
            ]
            states = await self._db.fetch(queries.states, *sql.columns(known))
            made |= {row[0] for row in states if row[1] != "refused"}
        return [order.order_id in made for order in orders]

    async def refuse(self, order: NewOrder) -> None:
        """Give an order up before it is made: a create that comes later is refused. NotCancellable where it
        was made already.

        Where the database does not store even that, it is enough that the order is not there."""
        bucket, order_id = order.order_id.bucket, order.order_id
        row = bucket, order_id, order.user_id, order.checkout_id, order.cart_id, order.placed_at
        try:
            status = await self._db.fetchval(queries.refuse, *row)
        except (asyncpg.PostgresConnectionError, ELSEWHERE):
            raise
        except asyncpg.PostgresError as error:
            log.warning("a refused order leaves no mark", order=str(order_id), reason=repr(error))
            [(_, status)] = await self._db.fetch(queries.states, [bucket], [order_id]) or [
                (order_id, "refused")
            ]
        if status != "refused":
            raise NotCancellable

    async def order(
        self, order_id: OrderId, user_ids: list[UserId] | None, seller_id: SellerId | None = None
    ) -> Order:
        """Answer an order of these people (a member, and the guests they were), or with a line of this
        seller's; NotFound for another's. None: anybody's, for who has another right to see it."""
        row = await self._db.fetchrow(queries.order, order_id.bucket, order_id, user_ids, seller_id)
        if row is None:
            raise NotFound("There is no such order.")
        return _order(row, codec.decode(row["history"], list[Happening]))

    async def exported(self, before: OrderId | None = None, limit: int = 200) -> list[Order]:
        """Answer everybody's orders with their lines, the newest first, a page at a time; of what happened
        only that they were placed."""
        rows = await self._db.fetch(queries.exported, before or _LAST, limit)
        return [_order(row, []) for row in rows]

    async def bill(self, order_id: OrderId) -> Bill:
        """Answer what each seller's part of an order cost, and what was decided to be paid back of it."""
        async with self._db.acquire() as db:
            order = await db.fetchrow(queries.bill, order_id.bucket, order_id)
            if order is None:
                raise NotFound("There is no such order.")
            amounts, lines = amounts_of(order), await _lines(db, order_id)
            rows = await db.fetch(queries.decisions, order_id.bucket, order_id, "")
        state = rules.OrderState(order["status"], amounts, lines, {})
        paid_back = [PaidBack(row["reference"], decided(row, state)) for row in rows if row["what"] in _OWING]
        return Bill(amounts.currency, rules.costs(amounts, lines), paid_back)

    async def find(self, number: int, email: str) -> None:
        """Tell that somebody wants the letter of an order again, if it has this number and went to this
        address; say nothing of whether it did."""
        await self._db.execute(queries.find, number, email.strip().lower(), ids.new(LinkId))

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

    async def counts(self) -> dict[str, int]:
        """Count everybody's orders by status; of a status with more than `COUNT_MAX` there is no number."""
        rows = await self._db.fetch(queries.counts, get_args(OrderStatus), COUNT_MAX + 1)
        return {row["status"]: row["orders"] for row in rows if row["orders"] <= COUNT_MAX}

    async def newest(
        self,
        before: OrderId | None = None,
        limit: int = 50,
        status: OrderStatus | None = None,
        since: OrderId | None = None,
    ) -> OrderPage:
        """List everybody's orders, the newest first, for the operator's desk."""
        wanted = [status] if status else get_args(OrderStatus)
        rows = await self._db.fetch(queries.newest, wanted, before or _LAST, limit + 1, since or 0)
        return _page(rows, limit, len(rows))

    async def among(
        self,
        order_ids: list[OrderId],
        number: int | None = None,
        status: OrderStatus | None = None,
        since: OrderId | None = None,
    ) -> list[OrderSummary]:
        """List those of these orders, and the one with this number, that are as asked; the newest first."""
        known = [(order_id.bucket, int(order_id)) for order_id in order_ids]
        rows = await self._db.fetch(queries.among, *sql.columns(known, 2), number, status, since or 0)
        return sql.rows(OrderSummary, rows)

    async def missing(self) -> list[str]:
        """List the databases of orders that do not answer at the moment, where there are several."""
        return []

    async def ended_parts(self, order_ids: list[OrderId]) -> list[EndedPart]:
        """List the sellers' parts of these orders that nothing more is sent of."""
        known = [(order_id.bucket, int(order_id)) for order_id in order_ids]
        return sql.rows(EndedPart, await self._db.fetch(queries.ended_parts, *sql.columns(known, 2)))

    async def paid_back(self, order_ids: list[OrderId]) -> list[OrderId]:
        """List those of these orders of which every unit was paid back without being cancelled."""
        known = [(order_id.bucket, int(order_id)) for order_id in order_ids]
        return [OrderId(row[0]) for row in await self._db.fetch(queries.paid_back, *sql.columns(known, 2))]

    async def move_units(self, order_id: OrderId, move: UnitMove) -> Owed:
        """Decide what becomes of units of an order, once a reference: they are cancelled, announced to come
        back, taken back, or paid back where they are. Answer what that owes, the same again.

        - `cancel`: `lines`, or all that `seller_id` (none: anybody) has left; NotCancellable, with which, for
          what is on its way. Pays their price, discount and tax, and the part's delivery with its last unit.
        - `ask_return`: `lines` that were delivered and stay; NotReturnable beyond. Owes nothing.
        - `drop_return`: `lines` that were asked and do not come after all. Owes nothing.
        - `receive_return`: `lines` that were asked and came, `missing` that did not; pays what came less
          `withheld`, and where it `pays_delivery` the part's, once all of the part came back.
        - `refund`: `lines` that stay where they are, or an `amount`; ExceedsCaptured beyond what is left, of
          `seller_id`'s part where one asks.

        All moves together pay back the order to the cent and never more. A reference that was withdrawn is
        refused as its kind is. What is refused is kept, for who asks why."""
        noted = self.beside.refusals_noted(order_id, move.reference, move.kind, move.who)
        async with noted, self._db.acquire() as db, db.transaction():
            order = await self._lock(db, order_id)
            if move.user_ids is not None and order["user_id"] not in move.user_ids:
                raise NotFound("There is no such order.")
            state, known = await self._state(db, order_id, order, move.reference)
            if known is not None:
                if known["what"] == "withdrawn":
                    raise rules.REFUSED[move.kind]("This was given up before it was decided. Ask again.")
                return decided(known, state)
            after, owed = rules.move(state, move)
            if move.kind == "cancel" and not owed.goods:
                return owed  # nothing was left of it
            owed = msgspec.structs.replace(owed, reason=move.reason)
            happened = _Happened(move.reference, _HAPPENED[move.kind], move.who, codec.inner_text(owed))
            lines = state.lines, after
            cancelled = _cancelled(order_id, order, lines, owed, move) if move.kind == "cancel" else None
            await self._settle(db, order_id, order, lines, happened, cancelled)
            return owed

    async def preview(self, order_id: OrderId, moves: list[UnitMove]) -> Owed:
        """Say what the last of these moves would owe, one after another; decide nothing."""
        async with self._db.acquire() as db, db.transaction():
            state, _ = await self._state(db, order_id, await self._lock(db, order_id), "")
            owed = Owed()
            for move in moves:
                lines, owed = rules.move(state, move)
                state = state._replace(lines=lines)
            return owed

    async def ship(
        self, order_id: OrderId, seller_id: SellerId, shipment_id: ShipmentId, lines: list[LineQuantity]
    ) -> UserId:
        """Decide that a seller's lines are shipped, once a shipment; answer whose order it is."""
        reference = f"shipped/{int(shipment_id)}"
        noted = self.beside.refusals_noted(order_id, reference, "ship", "seller")
        async with noted, self._db.acquire() as db, db.transaction():
            order = await self._lock(db, order_id, pointer="/order_id")
            if known := await db.fetchrow(queries.happened, order_id.bucket, order_id, reference):
                if known["withdrawn"]:
                    raise NotShippable
                return UserId(order["user_id"])
            before = await _lines(db, order_id)
            after = rules.ship(order["status"], before, seller_id, lines)
            detail = codec.text({"shipment_id": shipment_id, "lines": lines})
            happened = _Happened(reference, "shipped", "seller", detail)
            await self._settle(db, order_id, order, (before, after), happened)
            return UserId(order["user_id"])

    async def arrived(self, order_id: OrderId, shipment_id: ShipmentId, lines: list[LineQuantity]) -> None:
        """Note that a shipment was delivered, once a shipment."""
        async with self._db.acquire() as db, db.transaction():
            parcel = [(line.order_line_id, line.quantity) for line in lines]
            await self._arrived(db, order_id, shipment_id, parcel)

    @on(ParcelMoved)
    async def follow_parcels(self, db: PoolConnectionProxy, events: list[ParcelMoved]) -> None:
        """Note what was delivered, where fulfilment said so and nobody else did."""
        here = await own(db, (event.order_id.bucket for event in events))
        for event in events:
            if event.status == "delivered" and event.order_id.bucket in here:
                parcel = [(line.order_line_id, line.quantity) for line in event.lines]
                await self._arrived(db, event.order_id, event.shipment_id, parcel)

    @on(ReturnApproved, ReturnRefused, ReturnSent, ReturnRefunded)
    async def follow_returns(self, db: PoolConnectionProxy, events: list[ReturnEvent]) -> None:
        """Note in an order's history what became of its returns, beside what its own row decided of them."""
        here = await own(db, (event.order_id.bucket for event in events))
        for event in [event for event in events if event.order_id.bucket in here]:
            what, who = _OF_RETURNS[type(event)]
            reference = f"return/{int(event.return_id)}/{what}"
            bucket, detail = event.order_id.bucket, codec.text({"return_id": event.return_id})
            await db.execute(
                queries.note,
                bucket,
                event.order_id,
                reference,
                what,
                getattr(event, "by", who),
                detail,
            )

    async def return_(self, order_id: OrderId, reference: str, lines: list[LineQuantity]) -> Owed:
        """Decide a return, once a reference, and what it pays back; NotReturnable beyond what was shipped.

        Whose order it is, the asker has seen. Decided under the order's lock, returns never differ by a cent
        of tax."""
        async with self._db.acquire() as db, db.transaction():
            order = await self._lock(db, order_id)
            state, known = await self._state(db, order_id, order, reference)
            if known is not None:
                if known["what"] == "withdrawn":
                    raise NotReturnable
                return decided(known, state)
            after, owed = rules.take_back(state.status, state.amounts, state.lines, lines, state.given)
            happened = _Happened(reference, "returned", "shopper", codec.inner_text(owed))
            await self._settle(db, order_id, order, (state.lines, after), happened)
            return owed

    async def withdraw(self, order_id: OrderId, reference: str) -> bool:
        """Give up a parcel or a return that was begun: where it was not decided yet it never will be. False
        where it was."""
        async with self._db.acquire() as db, db.transaction():
            await self._lock(db, order_id)
            if known := await db.fetchrow(queries.happened, order_id.bucket, order_id, reference):
                return known["withdrawn"]
            await db.execute(
                queries.note, order_id.bucket, order_id, *_Happened(reference, "withdrawn", "shop", "{}")
            )
            return True

    async def keep_numbering(self) -> None:
        """Give the orders of an earlier release their numbers, some at a time; then rest."""
        while await self._db.fetch(queries.number_old, _NUMBERED_AT_ONCE):
            pass
        await asyncio.sleep(_NUMBERING_REST_S)

    async def _arrived(
        self, db: Any, order_id: OrderId, shipment_id: ShipmentId, parcel: list[tuple[LineId, int]]
    ) -> None:
        order = await self._lock(db, order_id)
        reference = f"delivered/{int(shipment_id)}"
        if await db.fetchval(queries.happened, order_id.bucket, order_id, reference):
            return
        before = await _lines(db, order_id)
        after = rules.deliver(before, parcel)
        detail = codec.text({"shipment_id": shipment_id})
        happened = _Happened(reference, "delivered", "carrier", detail)
        await self._settle(db, order_id, order, (before, after), happened)

    async def _lock(self, db: Any, order_id: OrderId, **facts: str) -> Any:
        order = await db.fetchrow(queries.lock, order_id.bucket, order_id)
        if order is None:
            raise NotFound("There is no such order.", **facts)
        return order

    async def _state(
        self, db: Any, order_id: OrderId, order: Any, reference: str
    ) -> tuple[rules.OrderState, Any]:
        """Read what is decided from, and what was decided under this reference already."""
        lines, amounts = await _lines(db, order_id), amounts_of(order)
        rows = await db.fetch(queries.decisions, order_id.bucket, order_id, reference)
        state = rules.OrderState(order["status"], amounts, lines, {})
        paid_back = [part for row in rows if row["what"] in _OWING for part in decided(row, state).parts]
        known = next((row for row in rows if row["reference"] == reference), None)
        return state._replace(given=rules.owed_of(paid_back)), known

    async def _settle(
        self,
        db: Any,
        order_id: OrderId,
        order: Any,
        lines: tuple[rules.Lines, rules.Lines],
        happened: _Happened,
        cancelled: UnitsCancelled | None = None,
    ) -> None:
        """Write how far the lines have come, the status they add up to, and what happened; tell of it."""
        before, after = lines
        bucket = order_id.bucket
        changed = [_counters(n, line) for n, line in after.items() if line != before[n]]
        if changed:
            await db.execute(queries.set_lines, bucket, order_id, *sql.columns(changed, 7))
        status = rules.status_of(after.values())
        if order["status"] not in ("cancelled", status):
            await db.execute(queries.set_status, bucket, order_id, status)
        await db.execute(queries.note, bucket, order_id, *happened)
        events = [cancelled] if cancelled else []
        events += _told(order_id, order, before, after)
        if cancelled and cancelled.whole:
            events.append(
                OrderCancelled(
                    order_id=order_id,
                    user_id=UserId(order["user_id"]),
                    email=order["email"],
                    total=cancelled.amount,
                    currency=order["currency"],
                    refund=cancelled.amount,
                )
            )
        if events:
            told = [(type(event).__name__, codec.inner_text(event)) for event in events]
            await db.execute(queries.tell, *sql.columns(told))


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
        codec.inner_text(order.parts) if order.parts else None,
        order.tax_included,
        codec.text(order.discounts) if order.discounts else None,
        order.rounding,
        order.taxed_by,
        order.tax_note,
        order.channel,
        codec.inner_text(_placed(order)).removesuffix("}"),
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
        line.discount,
        line.seller_discount,
        line.tax,
        line.shop_tax,
    )


def _order(row: Any, history: list[Happening]) -> Order:
    placed = Happening("confirmed", "shopper", row["created_at"])
    lines = codec.decode(row["lines"], list[OrderLineView])
    return sql.row(
        Order,
        {
            **row,
            "address": msgspec.json.decode(row["address"]),
            "lines": lines,
            "history": [placed, *history],
            "parts": _parts(row, lines),
            "discounts": codec.decode(row["discounts"] or "[]", list[AppliedDiscount]),
        },
    )


async def _lines(db: Any, order_id: OrderId) -> rules.Lines:
    rows = await db.fetch(queries.lines, order_id.bucket, order_id)
    return {LineId(row[0]): _line_state(row) for row in rows}


def _line_state(row: Any) -> rules.LineState:
    return rules.LineState(
        ids.OfferId(row["offer_id"]),
        SellerId(row["seller_id"]),
        row["quantity"],
        row["shipped"],
        row["delivered"],
        row["returned"],
        row["unit_price"],
        row["cancelled"],
        row["coming_back"],
        row["refunded"],
        ids.ProductId(row["product_id"]),
        row["discount"],
        row["seller_discount"],
        row["tax"],
        row["shop_tax"],
    )


def _counters(line_id: LineId, line: rules.LineState) -> tuple[int, ...]:
    moved = line.shipped, line.delivered, line.returned, line.cancelled, line.coming_back, line.refunded
    return line_id, *moved


def _parts(order: Any, lines: list[OrderLineView]) -> list[Part]:
    """Make the parts of an order: one a seller, in the order of their first lines."""
    known = codec.decode(order["parts"], list[PartDelivery]) if order["parts"] else []
    travels = {part.seller_id: part for part in known}
    states = {
        line.order_line_id: rules.LineState(
            line.offer_id,
            line.seller_id,
            line.quantity,
            line.shipped,
            line.delivered,
            line.returned,
            line.unit_price,
            line.cancelled,
        )
        for line in lines
    }
    shares, each = rules.shipping_by_part(amounts_of(order), states), rules.statuses(states)
    return [
        Part(
            part_id=f"{order['order_id']}-{n}",
            seller_id=seller_id,
            status="cancelled" if order["status"] == "cancelled" else each[seller_id],
            shipping=share,
            shipping_method=travels[seller_id].shipping_method if travels else order["shipping_method"],
            estimated_delivery=(
                travels[seller_id].estimated_delivery if travels else order["estimated_delivery"]
            ),
            pickup_name=travels[seller_id].pickup_name if travels else "",
            pickup_address=travels[seller_id].pickup_address if travels else "",
        )
        for n, (seller_id, share) in enumerate(shares.items(), 1)
    ]


def _cancelled(
    order_id: OrderId, order: Any, states: tuple[rules.Lines, rules.Lines], owed: Owed, move: UnitMove
) -> UnitsCancelled:
    before, after = states
    lines = [
        CancelledUnits(
            order_line_id=n,
            product_id=line.product_id,
            offer_id=line.offer_id,
            seller_id=line.seller_id,
            quantity=line.cancelled - before[n].cancelled,
            cancelled=line.cancelled,
        )
        for n, line in after.items()
        if line.cancelled > before[n].cancelled
    ]
    return UnitsCancelled(
        cancellation_id=ids.new(CancellationId, order_id.bucket),
        order_id=order_id,
        user_id=UserId(order["user_id"]),
        email=order["email"],
        lines=lines,
        amount=owed.amount,
        currency=order["currency"],
        who=move.who,
        reason=move.reason,
        whole=rules.status_of(after.values()) == "cancelled",
    )


def _told(order_id: OrderId, order: Any, before: rules.Lines, after: rules.Lines) -> list[Event]:
    """List what is told of units that moved: parts and the order in another status, products paid back."""
    user_id, was = UserId(order["user_id"]), rules.statuses(before)
    events: list[Event] = [
        PartChanged(
            order_id=order_id,
            user_id=user_id,
            seller_id=seller_id,
            status=status,
            product_ids=sorted({line.product_id for line in after.values() if line.seller_id == seller_id}),
        )
        for seller_id, status in rules.statuses(after).items()
        if status != was[seller_id]
    ]
    arrived = rules.arrived_products(after)
    if new := arrived - rules.arrived_products(before):
        events.append(ProductsArrived(order_id=order_id, user_id=user_id, product_ids=sorted(new)))
    if back := rules.refunded_products(after) - rules.refunded_products(before):
        events.append(ProductsRefunded(order_id=order_id, user_id=user_id, product_ids=sorted(back)))
    if rules.status_of(after.values()) == "delivered" != order["status"]:
        events.append(OrderDelivered(order_id=order_id, user_id=user_id, product_ids=sorted(arrived)))
    return events


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
        part_shipping=[shipping_of(part) for part in order.parts],
        tax_included=order.tax_included,
        discounts=order.discounts,
        tax_note=order.tax_note,
        gift_cards=order.gift_cards,
        commissions=order.commissions,
        channel=order.channel,
    )


def _page(rows: list[Any], limit: int, total: int) -> OrderPage:
    orders = sql.rows(OrderSummary, rows[:limit])
    return OrderPage(orders, total, str(orders[-1].order_id) if len(rows) > limit else None)
