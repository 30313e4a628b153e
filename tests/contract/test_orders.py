"""What orders promise: placed once or refused for good, and one row decides what happens next."""

import asyncio
import random
from datetime import UTC, date, datetime

import msgspec
import pytest
from both_ways import WAYS, reached
from hypothesis import given
from hypothesis import strategies as st

from mercat import ids, money
from mercat.events import OrderLine, ParcelMoved, ProductsArrived, ProductsRefunded, ShipmentLine
from mercat.kit.refusals import Invalid, NotFound
from mercat.orders import (
    API,
    ExceedsCaptured,
    LineQuantity,
    NewOrder,
    NotCancellable,
    NotReturnable,
    NotShippable,
    Orders,
    Owed,
    PartDelivery,
    UnitMove,
    costs_as_placed,
)
from mercat.orders.rules import (
    Amounts,
    LineState,
    OrderState,
    deliver,
    move,
    owed_of,
    ship,
    status_of,
    take_back,
)
from mercat.orders.service import _placed

BOB, EVE = ids.SellerId(7), ids.SellerId(8)


@pytest.fixture
async def local(pool):
    return Orders(await pool("orders"))


@pytest.fixture(params=WAYS)
async def orders(request, local):
    async with reached(request.param, Orders, API, local) as orders:
        yield orders


def new_order(user=None, *quantities):
    """Two teas of Bob's and a cup of Eve's, unless said otherwise."""
    user = user or ids.new(ids.UserId)
    bucket = user.bucket
    lines = [
        OrderLine(
            order_line_id=ids.new(ids.LineId, bucket),
            product_id=ids.ProductId(100 + n),
            offer_id=ids.OfferId(200 + n),
            seller_id=(BOB, EVE)[n % 2],
            title=("Tea", "Cup")[n % 2],
            quantity=quantity,
            unit_price=1_000,
            total=1_000 * quantity,
        )
        for n, quantity in enumerate(quantities or (2, 1))
    ]
    subtotal = sum(line.total for line in lines)
    return NewOrder(
        order_id=ids.new(ids.OrderId, bucket),
        user_id=user,
        checkout_id=ids.new(ids.CheckoutId, bucket),
        cart_id=ids.new(ids.CartId, bucket),
        email="ann@example.org",
        lines=lines,
        subtotal=subtotal,
        discount=0,
        shipping=499,
        tax=100,
        total=subtotal + 599,
        currency="USD",
        shipping_method="standard",
        estimated_delivery=date(2026, 12, 1),
        address={"name": "Ann", "city": "Boston"},
        placed_at=datetime.now(UTC),
    )


async def placed(orders, *quantities):
    order = new_order(None, *quantities)
    assert await orders.create_many([order]) == [True]
    return order


def all_of(order, seller):
    return [
        LineQuantity(line.order_line_id, line.quantity) for line in order.lines if line.seller_id == seller
    ]


def parcel(order):
    return ids.new(ids.ShipmentId, order.order_id.bucket)


async def cancels(orders, order, people=None):
    """Its shopper, or whoever tries, cancels all of it."""
    return await orders.move_units(
        order.order_id,
        UnitMove(
            kind="cancel",
            reference=f"cancel/{int(order.order_id)}",
            who="shopper",
            user_ids=[order.user_id] if people is None else people,
        ),
    )


async def status(orders, order):
    return (await orders.order(order.order_id, [order.user_id])).status


async def test_an_order_is_placed_once_with_its_lines_and_told_once(orders, told):
    order = new_order()
    await asyncio.gather(*(orders.create_many([order]) for _ in range(5)))
    assert await orders.create_many([order]) == [True]
    shown = await orders.order(order.order_id, [order.user_id])
    assert (shown.status, shown.total, shown.address) == ("confirmed", order.total, order.address)
    assert [(line.offer_id, line.quantity, line.total) for line in shown.lines] == [
        (ids.OfferId(200), 2, 2_000),
        (ids.OfferId(201), 1, 1_000),
    ]
    [fact] = await told()
    assert (fact.order_id, fact.total, fact.lines) == (order.order_id, order.total, order.lines)


async def test_what_was_given_up_is_never_made(orders, told):
    order = new_order()
    for _ in range(2):
        await orders.refuse(order)
        assert await orders.create_many([order]) == [False]
    with pytest.raises(NotFound):
        await orders.order(order.order_id, [order.user_id])
    assert (await orders.list_of([order.user_id])).orders == []
    made = await placed(orders)
    with pytest.raises(NotCancellable):
        await orders.refuse(made)
    assert [fact.order_id for fact in await told()] == [made.order_id]


async def test_a_batch_answers_item_by_item(local):
    bad = [new_order() for _ in range(3)]
    for order in bad:
        await local.refuse(order)
    good = [new_order(None, *range(1, 2 + n % 4)) for n in range(60)]
    assert await local.create_many(good[:1]) == [True]
    answers = await local.create_many([*good[:30], *bad, *good[30:]])
    assert answers == [True] * 30 + [False] * 3 + [True] * 30
    for order in good:
        lines = (await local.order(order.order_id, [order.user_id])).lines
        assert [line.quantity for line in lines] == [line.quantity for line in order.lines]


async def test_anothers_order_is_not_there(orders):
    order = await placed(orders)
    for strangers in ([ids.new(ids.UserId)], []):
        with pytest.raises(NotFound):
            await orders.order(order.order_id, strangers)
        with pytest.raises(NotFound):
            await cancels(orders, order, strangers)
    assert await status(orders, order) == "confirmed"
    with pytest.raises(NotFound):
        await orders.order(ids.OrderId(order.order_id + 1), [order.user_id])


async def test_orders_are_listed_newest_first_by_page_and_by_cursor(orders):
    user, guest = ids.new(ids.UserId), ids.new(ids.UserId)
    made = [new_order(who) for who in (user, guest, user, user, guest)]
    for order in made:
        await orders.create_many([order])
    await placed(orders)
    newest = sorted((order.order_id for order in made), reverse=True)
    first = await orders.list_of([user, guest], 1, 2)
    second = await orders.list_of([user, guest], 1, 2, first.next_cursor)
    third = await orders.list_of([user, guest], 1, 2, second.next_cursor)
    walked = [order.order_id for page in (first, second, third) for order in page.orders]
    assert walked == newest
    assert (first.total, third.next_cursor) == (5, None)
    assert [order.order_id for order in (await orders.list_of([user, guest], 2, 2)).orders] == newest[2:4]
    assert (await orders.list_of([user], 9)).orders == []
    with pytest.raises(Invalid):
        await orders.list_of([user], 1, 2, "nonsense")
    assert len((await orders.newest(None, 4)).orders) == 4


async def test_an_operator_lists_everybodys_orders_by_status(orders):
    made = sorted([await placed(orders) for _ in range(4)], key=lambda order: order.order_id)
    for order in made[:2]:
        await cancels(orders, order)

    async def walk(status):
        seen, before = [], None
        while (page := await orders.newest(before, 1, status)).orders:
            seen.append(page.orders[0].order_id)
            before = seen[-1]
        return seen

    assert await walk("cancelled") == [made[1].order_id, made[0].order_id]
    assert await walk("confirmed") == [made[3].order_id, made[2].order_id]
    assert await walk("shipped") == []
    assert len(await walk(None)) == 4


async def test_every_sellers_parcel_moves_the_order_on(orders, told):
    order = await placed(orders)
    first, second = parcel(order), parcel(order)
    teas = all_of(order, BOB)
    for _ in range(2):  # once a shipment
        assert await orders.ship(order.order_id, BOB, first, teas) == order.user_id
    assert await status(orders, order) == "partially_shipped"
    with pytest.raises(NotShippable):
        await orders.ship(order.order_id, BOB, parcel(order), teas)
    with pytest.raises(NotFound):
        await orders.ship(order.order_id, BOB, parcel(order), all_of(order, EVE))
    with pytest.raises(NotFound):
        await orders.ship(order.order_id, ids.SellerId(9), parcel(order), teas)
    await orders.ship(order.order_id, EVE, second, all_of(order, EVE))
    assert await status(orders, order) == "shipped"
    for _ in range(2):
        await orders.arrived(order.order_id, first, teas)
    assert await status(orders, order) == "shipped"
    await orders.arrived(order.order_id, second, all_of(order, EVE))
    assert await status(orders, order) == "delivered"
    names = [type(fact).__name__ for fact in await told()]
    moved = ["ProductsArrived", "ProductsArrived", "OrderDelivered"]
    assert [name for name in names if name != "PartChanged"] == ["OrderPlaced", *moved]


async def test_the_first_unit_of_a_product_that_arrives_is_told_and_no_further_one(orders, told):
    order = await placed(orders)
    [line] = all_of(order, BOB)
    for n in range(2):
        one = [LineQuantity(line.order_line_id, 1)]
        sent = parcel(order)
        await orders.ship(order.order_id, BOB, sent, one)
        await orders.arrived(order.order_id, sent, one)
        arrived = [event.product_ids for event in await told() if isinstance(event, ProductsArrived)]
        assert arrived == [[order.lines[0].product_id]], n


async def test_cancelling_is_decided_once_and_told_once(orders, told):
    order = await placed(orders)
    answers = await asyncio.gather(*(cancels(orders, order) for _ in range(4)))
    assert {answer.amount for answer in answers} == {order.total}
    with pytest.raises(NotShippable):
        await orders.ship(order.order_id, BOB, parcel(order), all_of(order, BOB))
    with pytest.raises(NotReturnable):
        await orders.return_(order.order_id, "return/1", all_of(order, BOB))
    history = (await orders.order(order.order_id, [order.user_id])).history
    assert [past.what for past in history] == ["confirmed", "cancelled"]
    assert [type(fact).__name__ for fact in await told()] == [
        "OrderPlaced",
        "UnitsCancelled",
        "PartChanged",
        "PartChanged",
        "ProductsRefunded",
        "OrderCancelled",
    ]


async def test_what_has_shipped_cannot_be_cancelled(orders):
    order = await placed(orders)
    await orders.ship(order.order_id, BOB, parcel(order), all_of(order, BOB))
    with pytest.raises(NotCancellable):
        await cancels(orders, order)


async def test_cancelling_and_shipping_at_once_is_one_of_both(local):
    for _ in range(5):
        order = await placed(local)
        cancelled, shipped = await asyncio.gather(
            cancels(local, order),
            local.ship(order.order_id, BOB, parcel(order), all_of(order, BOB)),
            return_exceptions=True,
        )
        refused = [type(answer) for answer in (cancelled, shipped) if isinstance(answer, Exception)]
        assert refused in ([NotCancellable], [NotShippable])


async def test_only_what_was_shipped_comes_back_once(orders):
    order = await placed(orders, 3)
    [line] = order.lines
    await orders.ship(order.order_id, BOB, parcel(order), [LineQuantity(line.order_line_id, 2)])
    with pytest.raises(NotReturnable):
        await orders.return_(order.order_id, "return/1", [LineQuantity(line.order_line_id, 3)])
    for _ in range(2):
        back = await orders.return_(order.order_id, "return/2", [LineQuantity(line.order_line_id, 2)])
        assert [(part.offer_id, part.quantity, part.amount) for part in back.goods] == [
            (line.offer_id, 2, 2 * line.unit_price)
        ]
    with pytest.raises(NotReturnable):
        await orders.return_(order.order_id, "return/3", [LineQuantity(line.order_line_id, 1)])
    with pytest.raises(NotFound):
        await orders.return_(order.order_id, "return/4", [LineQuantity(ids.LineId(1), 1)])


async def test_a_parcel_heard_of_twice_arrives_once(local, pool, told):
    order = await placed(local)
    shipment_id = parcel(order)
    for seller in (BOB, EVE):
        await local.ship(order.order_id, seller, parcel(order), all_of(order, seller))
    fact = ParcelMoved(
        shipment_id=shipment_id,
        order_id=order.order_id,
        user_id=order.user_id,
        seller_id=BOB,
        version=2,
        status="delivered",
        at=datetime.now(UTC),
        carrier="Post",
        tracking_number="T",
        lines=[ShipmentLine(line.order_line_id, line.quantity) for line in order.lines],
    )
    async with (await pool("orders")).acquire() as db:
        for _ in range(2):
            await local.follow_parcels(db, [msgspec.structs.replace(fact, status="in_transit"), fact, fact])
    assert await status(local, order) == "delivered"
    assert [type(fact).__name__ for fact in await told()].count("OrderDelivered") == 1


def line(quantity, shipped=0, delivered=0, returned=0, price=333):
    return LineState(ids.OfferId(1), BOB, quantity, shipped, delivered, returned, price)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=5))
def test_a_status_says_no_more_than_its_lines(raw):
    lines = [line(q, min(q, s), min(q, s, d)) for q, s, d in raw]
    status = status_of(lines)
    assert (status == "delivered") == all(each.delivered == each.quantity for each in lines)
    if status == "shipped":
        assert all(each.shipped == each.quantity for each in lines)
    assert (status == "confirmed") == (not any(each.shipped for each in lines))


def test_a_line_that_stands_twice_in_a_parcel_counts_twice():
    tea = ids.LineId(1)
    after = ship("confirmed", {tea: line(3)}, BOB, [LineQuantity(tea, 1), LineQuantity(tea, 2)])
    assert after[tea].shipped == 3
    assert deliver(after, [(tea, 1), (tea, 2)])[tea].delivered == 3
    assert deliver(after, [(tea, 9), (ids.LineId(2), 1)])[tea].delivered == 3
    with pytest.raises(NotShippable):
        ship("confirmed", {tea: line(3)}, BOB, [LineQuantity(tea, 2), LineQuantity(tea, 2)])


@given(st.lists(st.integers(1, 3), min_size=1, max_size=6), st.integers(0, 5_000), st.integers(0, 333))
def test_returns_one_after_another_pay_back_all_of_the_tax_and_of_the_discount(parts, tax, discount):
    tea, units = ids.LineId(1), sum(parts)
    lines, amounts = {tea: line(units, units)}, Amounts("USD", 333 * units, discount, tax)
    owed = []
    for part in parts:
        before = owed_of(piece for one in owed for piece in one.parts)
        lines, one = take_back("shipped", amounts, lines, [LineQuantity(tea, part)], before)
        owed.append(one)
    given = owed_of(piece for one in owed for piece in one.parts)[BOB]
    assert (given.tax, given.discount) == (tax, discount)
    assert sum(one.amount for one in owed) == 333 * units + tax - discount
    with pytest.raises(NotReturnable):
        take_back("shipped", amounts, lines, [LineQuantity(tea, 1)], {})


def moving(order, kind, *quantities, **more):
    """So many of the first line, the second, …"""
    lines = [
        LineQuantity(line.order_line_id, quantity)
        for line, quantity in zip(order.lines, quantities, strict=False)
        if quantity
    ]
    reference = more.pop("reference", f"{kind}/{int(ids.new(ids.ReturnId))}")
    who = more.pop("who", "shopper")
    return UnitMove(kind=kind, reference=reference, who=who, lines=lines or None, **more)


async def shipped_and_there(orders, order, seller=BOB):
    shipment = parcel(order)
    await orders.ship(order.order_id, seller, shipment, all_of(order, seller))
    await orders.arrived(order.order_id, shipment, all_of(order, seller))


async def line_of(orders, order, n=0):
    return (await orders.order(order.order_id, [order.user_id])).lines[n]


async def test_units_are_cancelled_one_by_one_and_pay_back_the_order_to_the_cent(orders, told):
    order = await placed(orders, 3, 1)  # teas of Bob's and a cup of Eve's
    first = moving(order, "cancel", 1, reason="Too many.")
    owed = [await orders.move_units(order.order_id, first) for _ in range(2)][1]
    assert [(part.seller_id, part.price, part.tax, part.shipping) for part in owed.parts] == [
        (BOB, 1_000, 25, 0)
    ]
    now = await orders.order(order.order_id, [order.user_id])
    assert [(line.cancelled, line.refunded) for line in now.lines] == [(1, 1), (0, 0)]
    assert now.status == "confirmed"
    rest = await orders.move_units(order.order_id, moving(order, "cancel", 2))
    assert [(part.price, part.tax, part.shipping) for part in rest.parts] == [(2_000, 50, 374)]
    now = await orders.order(order.order_id, [order.user_id])
    assert [part.status for part in now.parts] == ["cancelled", "confirmed"]
    assert now.status == "confirmed"
    last = await orders.move_units(order.order_id, moving(order, "cancel"))
    assert owed.amount + rest.amount + last.amount == order.total
    assert await status(orders, order) == "cancelled"
    assert await orders.move_units(order.order_id, moving(order, "cancel")) == Owed()
    kinds = [type(fact).__name__ for fact in await told()]
    assert kinds.count("UnitsCancelled") == 3
    assert kinds.count("OrderCancelled") == 1


async def test_what_is_on_its_way_is_named_where_it_cannot_be_cancelled(orders):
    order = await placed(orders, 2, 1)
    await orders.ship(order.order_id, BOB, parcel(order), [LineQuantity(order.lines[0].order_line_id, 1)])
    for units in ((2, 0), ()):
        with pytest.raises(NotCancellable) as refused:
            await orders.move_units(order.order_id, moving(order, "cancel", *units))
        [named] = refused.value.facts["lines"]
        assert (named["shipped"], named["cancellable"]) == (1, 1)
        assert str(named["order_line_id"]) == str(order.lines[0].order_line_id)
    await orders.move_units(order.order_id, moving(order, "cancel", 1, 1))
    now = await orders.order(order.order_id, [order.user_id])
    assert [part.status for part in now.parts] == ["shipped", "cancelled"]
    assert now.status == "shipped"
    with pytest.raises(NotShippable):
        await orders.ship(order.order_id, BOB, parcel(order), [LineQuantity(order.lines[0].order_line_id, 1)])


async def test_a_seller_moves_units_of_their_own_lines_alone(orders):
    order = await placed(orders, 2, 1)
    with pytest.raises(NotFound):
        await orders.move_units(order.order_id, moving(order, "cancel", 0, 1, seller_id=BOB, who="seller"))
    with pytest.raises(NotFound):
        await orders.move_units(order.order_id, moving(order, "cancel", seller_id=ids.SellerId(9)))
    with pytest.raises(NotFound):
        await orders.move_units(order.order_id, moving(order, "cancel", 1, user_ids=[ids.new(ids.UserId)]))
    owed = await orders.move_units(order.order_id, moving(order, "cancel", seller_id=EVE, who="seller"))
    assert [part.seller_id for part in owed.parts] == [EVE]
    assert [part.status for part in (await orders.order(order.order_id, [order.user_id])).parts] == [
        "confirmed",
        "cancelled",
    ]


async def test_units_come_back_once_they_were_asked_for_and_are_paid_when_they_are_there(orders):
    order = await placed(orders, 3, 1)
    with pytest.raises(NotReturnable):  # not delivered yet
        await orders.move_units(order.order_id, moving(order, "ask_return", 1))
    await shipped_and_there(orders, order)
    assert (await orders.move_units(order.order_id, moving(order, "ask_return", 3))).amount == 0
    with pytest.raises(NotReturnable):
        await orders.move_units(order.order_id, moving(order, "ask_return", 1))
    await orders.move_units(order.order_id, moving(order, "drop_return", 1))
    assert (await line_of(orders, order)).coming_back == 2
    with pytest.raises(NotReturnable):
        await orders.move_units(order.order_id, moving(order, "receive_return", 3))
    missing = [LineQuantity(order.lines[0].order_line_id, 1)]
    arrived = moving(order, "receive_return", 1, missing=missing, withheld=25)
    owed = await orders.move_units(order.order_id, arrived)
    assert (owed.amount, owed.withheld) == (1_000, 25)
    line = await line_of(orders, order)
    assert (line.coming_back, line.returned, line.refunded) == (0, 1, 1)
    assert await orders.move_units(order.order_id, arrived) == owed


async def test_delivery_is_paid_back_once_all_of_a_part_came_back_for_the_sellers_reasons(orders):
    order = await placed(orders, 2, 1)
    await shipped_and_there(orders, order)
    owed = []
    for _ in range(2):
        await orders.move_units(order.order_id, moving(order, "ask_return", 1))
        back = moving(order, "receive_return", 1, pays_delivery=True)
        owed += (await orders.move_units(order.order_id, back)).parts
    assert [(part.price, part.tax, part.shipping) for part in owed] == [(1_000, 33, 0), (1_000, 34, 333)]


async def test_a_refund_without_goods_never_exceeds_what_is_left(orders):
    order = await placed(orders, 2, 1)
    part_of_bob = 2_000 + 67 + 333
    too_much = moving(order, "refund", amount=part_of_bob + 1, seller_id=BOB, who="seller")
    with pytest.raises(ExceedsCaptured):
        await orders.move_units(order.order_id, too_much)
    some = await orders.move_units(order.order_id, moving(order, "refund", amount=400, seller_id=BOB))
    assert (some.amount, [part.seller_id for part in some.parts]) == (400, [BOB])
    units = await orders.move_units(order.order_id, moving(order, "refund", 1))
    assert units.amount == 1_033
    with pytest.raises(ExceedsCaptured):
        await orders.move_units(order.order_id, moving(order, "refund", 2))
    rest = await orders.move_units(order.order_id, moving(order, "cancel"))
    assert some.amount + units.amount + rest.amount == order.total
    with pytest.raises(ExceedsCaptured):
        await orders.move_units(order.order_id, moving(order, "refund", amount=1, who="operator"))


async def test_the_last_cent_of_a_part_pays_back_its_units_and_no_cent_before(orders, told):
    order = await placed(orders, 2, 1)
    part_of_bob = 2_000 + 67 + 333
    for amount, refunded in ((part_of_bob - 1, [0, 0]), (1, [2, 0])):
        ask = moving(order, "refund", amount=amount, seller_id=BOB, who="seller")
        assert (await orders.move_units(order.order_id, ask)).amount == amount
        lines = (await orders.order(order.order_id, [order.user_id])).lines
        assert [line.refunded for line in lines] == refunded
    await orders.move_units(
        order.order_id, moving(order, "refund", amount=order.total - part_of_bob, who="operator")
    )
    lines = (await orders.order(order.order_id, [order.user_id])).lines
    assert [line.refunded for line in lines] == [line.quantity for line in lines]
    refunded = [event.product_ids for event in await told() if isinstance(event, ProductsRefunded)]
    assert refunded == [[order.lines[0].product_id], [order.lines[1].product_id]]


async def test_what_was_paid_back_before_it_came_back_is_not_paid_again(orders):
    order = await placed(orders, 2)
    await shipped_and_there(orders, order)
    everything = moving(order, "refund", amount=order.total, who="operator")
    await orders.move_units(order.order_id, everything)
    await orders.move_units(order.order_id, moving(order, "ask_return", 2))
    for _ in range(2):
        assert (await orders.move_units(order.order_id, moving(order, "receive_return", 1))).amount == 0
    line = await line_of(orders, order)
    assert (line.returned, line.refunded) == (2, 2)


async def test_a_move_that_was_given_up_is_never_decided(orders):
    order = await placed(orders, 2)
    ask = moving(order, "cancel", 1)
    assert await orders.withdraw(order.order_id, ask.reference)
    with pytest.raises(NotCancellable):
        await orders.move_units(order.order_id, ask)
    assert (await line_of(orders, order)).cancelled == 0


async def test_what_release_0_1_0_cancelled_and_took_back_counts(local, db):
    gone, back = await placed(local, 2, 1), await placed(local, 2, 1)
    await db.execute("update orders.orders set status = 'cancelled' where order_id = $1", gone.order_id)
    await db.execute(
        "insert into orders.history (bucket, order_id, reference, what, who) "
        "values ($1, $2, 'cancelled', 'cancelled', 'shopper')",
        gone.order_id.bucket,
        gone.order_id,
    )
    line = await line_of(local, gone)
    assert (line.cancelled, line.refunded) == (2, 2)
    with pytest.raises(ExceedsCaptured):
        await local.move_units(gone.order_id, moving(gone, "refund", amount=1, who="operator"))
    await shipped_and_there(local, back)
    await db.execute(
        "update orders.line set returned = 1 where order_line_id = $1", back.lines[0].order_line_id
    )
    goods = [{"seller_id": int(BOB), "offer_id": 200, "quantity": 1, "amount": 1_000}]
    await db.execute(
        "insert into orders.history (bucket, order_id, reference, what, who, detail) "
        "values ($1, $2, 'return/1', 'returned', 'shopper', $3)",
        back.order_id.bucket,
        back.order_id,
        msgspec.json.encode({"goods": goods, "tax": 33, "discount": 0}).decode(),
    )
    assert (await line_of(local, back)).refunded == 1
    rest = await local.move_units(
        back.order_id, moving(back, "refund", amount=back.total - 1_033, who="operator")
    )
    assert rest.amount == back.total - 1_033
    with pytest.raises(ExceedsCaptured):
        await local.move_units(back.order_id, moving(back, "refund", amount=1, who="operator"))


async def test_an_order_has_a_number_that_its_fact_and_lists_know(orders, told, db):
    order, other = await placed(orders), await placed(orders)
    shown = await orders.order(order.order_id, [order.user_id])
    [listed] = (await orders.list_of([order.user_id])).orders
    facts = await told()
    assert shown.number == listed.number == facts[0].number
    assert (await orders.order(other.order_id, [other.user_id])).number == shown.number + 1


async def test_an_order_of_an_earlier_release_gets_a_number(local, db):
    order = await placed(local)
    await db.execute("update orders.orders set number = null where order_id = $1", order.order_id)
    numbering = asyncio.create_task(local.keep_numbering())
    async with asyncio.timeout(5):
        while (await local.order(order.order_id, [order.user_id])).number is None:
            pass
    numbering.cancel()


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 999)), min_size=1, max_size=5),
    st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(0, 900)),
    st.data(),
)
def test_moves_in_any_order_pay_back_the_whole_and_never_more(raw, extras, data):
    lines = {
        ids.LineId(n): LineState(ids.OfferId(n), (BOB, EVE)[n % 2], quantity, 0, 0, 0, price)
        for n, (quantity, price) in enumerate(raw)
    }
    subtotal = sum(each.quantity * each.unit_price for each in lines.values())
    shipping, tax, discount = extras
    amounts = Amounts(
        "USD", subtotal, min(discount, subtotal), tax if subtotal else 0, shipping if subtotal else 0
    )
    total = subtotal - amounts.discount + amounts.tax + amounts.shipping
    owed = []

    def state():
        return OrderState("confirmed", amounts, lines, owed_of(part for one in owed for part in one.parts))

    def asks(kind, **more):
        return UnitMove(kind=kind, reference="x", who="operator", **more)

    for _ in range(data.draw(st.integers(0, 6))):
        n = data.draw(st.sampled_from(sorted(lines)))
        kind = data.draw(st.sampled_from(["cancel", "refund", "amount"]))
        units = [LineQuantity(n, data.draw(st.integers(1, 4)))]
        try:
            if kind == "amount":
                lines, one = move(state(), asks("refund", amount=data.draw(st.integers(1, 500))))
            else:
                lines, one = move(state(), asks(kind, lines=units))
        except (NotCancellable, ExceedsCaptured):
            continue
        owed.append(one)
        assert all(each.cancelled <= each.refunded <= each.quantity for each in lines.values())
    lines, last = move(state(), asks("cancel"))
    given = sum(one.amount for one in owed)
    assert given <= total
    assert given + last.amount == total


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
@pytest.mark.parametrize("delivered_apart", [False, True])
async def test_a_bill_is_what_was_told_of_the_order(orders, currency, delivered_apart):
    """Who follows the log parts an order by seller as its rows do, to the cent."""
    dice = random.Random(f"{currency}{delivered_apart}")
    for _ in range(20):
        order = new_order(None, *(dice.randint(1, 9) for _ in range(dice.randint(1, 6))))
        tens = {name: 10 * dice.randint(0, 90) for name in ("discount", "shipping", "tax")}
        total = order.subtotal - tens["discount"] + tens["shipping"] + tens["tax"]
        order = msgspec.structs.replace(order, currency=currency, total=total, **tens)
        if delivered_apart:
            sellers = list(dict.fromkeys(line.seller_id for line in order.lines))
            parts = [
                PartDelivery(seller_id=seller_id, shipping=share * 10, shipping_method="standard")
                for seller_id, share in zip(
                    sellers, money.allocate(order.shipping // 10, [*range(1, 1 + len(sellers))]), strict=True
                )
            ]
            order = msgspec.structs.replace(order, parts=parts)
        await orders.create_many([order])
        bill = await orders.bill(order.order_id)
        assert costs_as_placed(_placed(order)) == bill.parts
        assert sum(part.amount for part in bill.parts) == order.total
    with pytest.raises(NotFound):
        await orders.bill(ids.new(ids.OrderId))
