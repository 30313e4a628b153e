"""What orders promise: placed once or refused for good, and one row decides what happens next."""

import asyncio
from datetime import UTC, date, datetime

import msgspec
import pytest
from both_ways import WAYS, reached
from hypothesis import given
from hypothesis import strategies as st

from mercat import ids
from mercat.events import OrderLine, ParcelMoved, ShipmentLine
from mercat.kit.refusals import Invalid, NotFound
from mercat.orders import (
    API,
    LineQuantity,
    NewOrder,
    NotCancellable,
    NotReturnable,
    NotShippable,
    OrderRefused,
    Orders,
)
from mercat.orders.rules import Amounts, LineState, deliver, ship, status_of, take_back

BOB, EVE = ids.SellerId(7), ids.SellerId(8)


@pytest.fixture
async def local(pool, settings):
    return Orders(await pool("orders"), settings)


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
    await orders.create(order)
    return order


def all_of(order, seller):
    return [
        LineQuantity(line.order_line_id, line.quantity) for line in order.lines if line.seller_id == seller
    ]


def parcel(order):
    return ids.new(ids.ShipmentId, order.order_id.bucket)


async def status(orders, order):
    return (await orders.order(order.order_id, [order.user_id])).status


async def test_an_order_is_placed_once_with_its_lines_and_told_once(orders, told):
    order = new_order()
    await asyncio.gather(*(orders.create(order) for _ in range(5)))
    await orders.create(order)
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
        with pytest.raises(OrderRefused):
            await orders.create(order)
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
    mixed = [*good[:30], *bad, *good[30:], good[0]]
    answers = await asyncio.gather(*(local.create(order) for order in mixed), return_exceptions=True)
    assert [type(answer) for answer in answers].count(OrderRefused) == 3
    assert [type(answer) for answer in answers].count(type(None)) == 61
    for order in good:
        lines = (await local.order(order.order_id, [order.user_id])).lines
        assert [line.quantity for line in lines] == [line.quantity for line in order.lines]


async def test_anothers_order_is_not_there(orders):
    order = await placed(orders)
    for strangers in ([ids.new(ids.UserId)], []):
        with pytest.raises(NotFound):
            await orders.order(order.order_id, strangers)
        with pytest.raises(NotFound):
            await orders.cancel(order.order_id, strangers, "shopper")
    assert await status(orders, order) == "confirmed"
    with pytest.raises(NotFound):
        await orders.order(ids.OrderId(order.order_id + 1), [order.user_id])


async def test_orders_are_listed_newest_first_by_page_and_by_cursor(orders):
    user, guest = ids.new(ids.UserId), ids.new(ids.UserId)
    made = [new_order(who) for who in (user, guest, user, user, guest)]
    for order in made:
        await orders.create(order)
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
        await orders.cancel(order.order_id, [order.user_id], "shopper")

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
    assert [type(fact).__name__ for fact in await told()] == ["OrderPlaced", "OrderDelivered"]


async def test_cancelling_is_decided_once_and_told_once(orders, told):
    order = await placed(orders)
    people = [order.user_id]
    answers = await asyncio.gather(*(orders.cancel(order.order_id, people, "shopper") for _ in range(4)))
    assert {answer.status for answer in answers} == {"cancelled"}
    with pytest.raises(NotShippable):
        await orders.ship(order.order_id, BOB, parcel(order), all_of(order, BOB))
    with pytest.raises(NotReturnable):
        await orders.return_(order.order_id, "return/1", all_of(order, BOB))
    history = (await orders.order(order.order_id, people)).history
    assert [past.what for past in history] == ["confirmed", "cancelled"]
    assert [type(fact).__name__ for fact in await told()] == ["OrderPlaced", "OrderCancelled"]


async def test_what_has_shipped_cannot_be_cancelled(orders):
    order = await placed(orders)
    await orders.ship(order.order_id, BOB, parcel(order), all_of(order, BOB))
    with pytest.raises(NotCancellable):
        await orders.cancel(order.order_id, [order.user_id], "shopper")


async def test_cancelling_and_shipping_at_once_is_one_of_both(local):
    for _ in range(5):
        order = await placed(local)
        cancelled, shipped = await asyncio.gather(
            local.cancel(order.order_id, [order.user_id], "shopper"),
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


@given(st.lists(st.integers(1, 3), min_size=1, max_size=6), st.integers(0, 5_000), st.integers(0, 500))
def test_returns_one_after_another_pay_back_all_of_the_tax_and_of_the_discount(parts, tax, discount):
    tea, units = ids.LineId(1), sum(parts)
    lines, amounts = {tea: line(units, units)}, Amounts("USD", 333 * units, discount, tax)
    owed = []
    for part in parts:
        lines, one = take_back("shipped", amounts, lines, [LineQuantity(tea, part)])
        owed.append(one)
    assert (sum(one.tax for one in owed), sum(one.discount for one in owed)) == (tax, discount)
    assert sum(one.amount for one in owed) == 333 * units + tax - discount
    with pytest.raises(NotReturnable):
        take_back("shipped", amounts, lines, [LineQuantity(tea, 1)])
