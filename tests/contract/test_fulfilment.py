"""What fulfilment promises: parcels move forward only, and a seller sees their own lines."""

from datetime import UTC, date, datetime, timedelta

import pytest
from both_ways import WAYS, reached
from hypothesis import given
from hypothesis import strategies as st

from mercat import ids
from mercat.countries import SERVED
from mercat.events import OrderCancelled, OrderLine, OrderPlaced
from mercat.fulfilment import API, AddressNotServed, Fulfilment, OutOfOrder
from mercat.fulfilment.days import arrives
from mercat.fulfilment.rules import PROGRESS
from mercat.fulfilment.service import queries
from mercat.kit import clock
from mercat.kit.event_log import deliver
from mercat.kit.refusals import Invalid, NotFound

BOB, EVE = ids.SellerId(7), ids.SellerId(8)
ORDER, ANN = ids.OrderId(11), ids.UserId(12)


@pytest.fixture
async def local(pool, settings):
    return Fulfilment(await pool("fulfilment"), settings)


@pytest.fixture(params=WAYS)
async def fulfilment(request, local):
    async with reached(request.param, Fulfilment, API, local) as fulfilment:
        yield fulfilment


def line(number, seller, quantity=2):
    return OrderLine(
        order_line_id=ids.LineId(number),
        product_id=ids.ProductId(number),
        offer_id=ids.OfferId(number),
        seller_id=seller,
        title="Tea",
        quantity=quantity,
        unit_price=100,
        total=100 * quantity,
    )


def order(*lines, order_id=ORDER):
    return OrderPlaced(
        order_id=order_id,
        checkout_id=ids.CheckoutId(1),
        cart_id=ids.CartId(1),
        user_id=ANN,
        email="ann@example.org",
        total=400,
        currency="USD",
        lines=list(lines or (line(1, BOB), line(2, EVE))),
        placed_at=datetime.now(UTC),
        address={"city": "Boston"},
        estimated_delivery="2026-12-01",
    )


async def hears(local, pool, *facts):
    async with (await pool("fulfilment")).acquire() as db:
        for fact in facts:
            follow = local.cancel_orders if isinstance(fact, OrderCancelled) else local.take_orders
            await follow(db, [fact])


async def sent(fulfilment, seller=BOB, number=1, quantity=2, shipment=21):
    lines = [(ids.LineId(number), quantity)]
    return await fulfilment.open(ids.ShipmentId(shipment), ORDER, ANN, seller, lines, "Post", "T-1")


async def test_the_ways_to_an_address(fulfilment):
    at_home = {method.code: method for method in await fulfilment.methods("us", "MA")}
    assert {code: method.price for code, method in at_home.items()} == {"standard": 499, "express": 1_299}
    assert at_home["express"].estimated_delivery < at_home["standard"].estimated_delivery
    for country in SERVED:
        assert {method.code for method in await fulfilment.methods(country)} == {"standard", "express"}
    with pytest.raises(AddressNotServed):
        await fulfilment.methods("ZZ")


async def test_a_parcel_is_opened_once_and_told_as_it_moves(fulfilment, told):
    for _ in range(2):
        parcel = await sent(fulfilment)
    assert (parcel.status, parcel.version, parcel.tracking_number) == ("shipped", 1, "T-1")
    assert [(each.order_line_id, each.quantity) for each in parcel.lines] == [(ids.LineId(1), 2)]
    at = datetime(2026, 11, 20, 10, tzinfo=UTC)
    for status in ("in_transit", "in_transit", "exception", "in_transit", "delivered", "delivered"):
        parcel = await fulfilment.seen(BOB, parcel.shipment_id, status, "Hub", at)
    assert [event.status for event in parcel.events] == [
        "shipped",
        "in_transit",
        "exception",
        "in_transit",
        "delivered",
    ]
    assert (parcel.events[-1].location, parcel.events[-1].at) == ("Hub", at)
    facts = await told()
    assert [(fact.status, fact.version) for fact in facts] == [
        ("shipped", 1),
        ("in_transit", 2),
        ("exception", 3),
        ("in_transit", 4),
        ("delivered", 5),
    ]
    assert await fulfilment.of_order(ORDER) == [parcel]


async def test_a_parcel_on_its_way_is_seen_in_every_town_once(fulfilment):
    parcel = await sent(fulfilment)
    for town in ("Reno", "Reno", "", "Sparks", "Reno"):  # the last one is the first, told again
        parcel = await fulfilment.seen(BOB, parcel.shipment_id, "in_transit", town)
    parcel = await fulfilment.seen(BOB, parcel.shipment_id, "delivered", "Elko")
    parcel = await fulfilment.seen(BOB, parcel.shipment_id, "delivered", "Wells")
    assert [(event.status, event.location) for event in parcel.events] == [
        ("shipped", ""),
        ("in_transit", "Reno"),
        ("in_transit", "Sparks"),
        ("delivered", "Elko"),
    ]


async def test_a_parcel_is_not_seen_in_the_future(fulfilment):
    parcel = await sent(fulfilment)
    with pytest.raises(Invalid) as refused:
        await fulfilment.seen(BOB, parcel.shipment_id, "in_transit", at=clock.now() + timedelta(days=1))
    assert refused.value.facts["pointer"] == "/at"


async def test_a_parcel_never_goes_back(fulfilment):
    parcel = await sent(fulfilment)
    await fulfilment.seen(BOB, parcel.shipment_id, "out_for_delivery")
    for status in ("shipped", "in_transit"):
        with pytest.raises(OutOfOrder):
            await fulfilment.seen(BOB, parcel.shipment_id, status)
    await fulfilment.seen(BOB, parcel.shipment_id, "delivered")
    with pytest.raises(OutOfOrder):
        await fulfilment.seen(BOB, parcel.shipment_id, "exception")


async def test_another_sellers_parcel_is_not_there(fulfilment):
    parcel = await sent(fulfilment)
    with pytest.raises(NotFound):
        await fulfilment.seen(EVE, parcel.shipment_id, "delivered")
    with pytest.raises(NotFound):
        await fulfilment.seen(BOB, ids.ShipmentId(99), "delivered")
    with pytest.raises(Invalid):
        await fulfilment.seen(BOB, parcel.shipment_id, "eaten")
    with pytest.raises(Invalid):
        await fulfilment.seen(BOB, parcel.shipment_id, "delivered", at=datetime(2026, 11, 20))
    [same] = await fulfilment.of_order(ORDER)
    assert same.status == "shipped"


async def test_a_seller_sees_their_own_lines_and_how_far_they_are(fulfilment, local, pool):
    await hears(local, pool, order(), order())
    [bobs] = await fulfilment.orders_of_seller(BOB)
    assert [each.order_line_id for each in bobs.lines] == [ids.LineId(1)]
    assert (bobs.status, bobs.address, bobs.lines[0].shipped) == ("to_ship", {"city": "Boston"}, 0)
    await sent(fulfilment, quantity=1)
    [bobs] = await fulfilment.orders_of_seller(BOB, "partially_shipped")
    assert (bobs.lines[0].shipped, len(bobs.shipments)) == (1, 1)
    second = await sent(fulfilment, quantity=1, shipment=22)
    [bobs] = await fulfilment.orders_of_seller(BOB)
    assert bobs.status == "shipped"
    await fulfilment.seen(BOB, second.shipment_id, "delivered")
    await fulfilment.seen(BOB, ids.ShipmentId(21), "delivered")
    assert [each.status for each in await fulfilment.orders_of_seller(BOB)] == ["delivered"]
    [eves] = await fulfilment.orders_of_seller(EVE)
    assert (eves.status, eves.shipments) == ("to_ship", [])


async def test_a_parcel_that_was_faster_than_the_news_of_its_order(fulfilment, local, pool):
    await sent(fulfilment)
    await hears(local, pool, order())
    [bobs] = await fulfilment.orders_of_seller(BOB)
    assert (bobs.status, bobs.lines[0].shipped) == ("shipped", 2)


async def test_a_desk_hears_of_a_parcel_whose_seller_died_before_telling_it(fulfilment, local, pool, told):
    await hears(local, pool, order(line(1, BOB)))
    parcel = await sent(fulfilment)
    now = clock.now()
    await local._db.fetch(queries.seen, parcel.shipment_id, BOB, "delivered", PROGRESS["delivered"], "", now)
    assert [each.status for each in await fulfilment.orders_of_seller(BOB)] == ["shipped"]
    async with local._db.acquire() as db:
        await deliver(db, await told(), [local])
    assert [each.status for each in await fulfilment.orders_of_seller(BOB)] == ["delivered"]


async def test_a_cancelled_order_is_off_the_desk(fulfilment, local, pool):
    await hears(local, pool, order(), OrderCancelled(order_id=ORDER, user_id=ANN), order())
    assert [each.status for each in await fulfilment.orders_of_seller(BOB)] == ["cancelled"]
    assert await fulfilment.orders_of_seller(BOB, "to_ship") == []


async def test_a_desk_is_walked_by_key(fulfilment, local, pool):
    await hears(local, pool, *(order(order_id=ids.OrderId(100 + n)) for n in range(5)))
    first = await fulfilment.orders_of_seller(BOB, limit=3)
    rest = await fulfilment.orders_of_seller(BOB, after=first[-1].order_id, limit=3)
    assert [each.order_id for each in [*first, *rest]] == [104, 103, 102, 101, 100]


@given(st.dates(date(2026, 1, 1), date(2030, 1, 1)), st.integers(1, 20))
def test_nothing_arrives_on_a_sunday(today, days):
    day = arrives(today, days)
    assert day.weekday() != 6
    assert days <= (day - today).days <= days + days // 6 + 1
