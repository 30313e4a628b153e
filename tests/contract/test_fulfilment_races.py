"""Parcels when many hurry, and a seller's orders after a crash, late facts and facts that come twice."""

import asyncio
from datetime import UTC, date, datetime

import pytest
from both_ways import WAYS, reached

from mercat import ids
from mercat.countries import zones_from
from mercat.events import OrderCancelled, OrderLine, OrderPlaced
from mercat.fulfilment import API, AddressNotServed, Fulfilment, OutOfOrder
from mercat.fulfilment.rates import rates
from mercat.fulfilment.rules import PROGRESS, price
from mercat.ids import LineId, OrderId, SellerId, ShipmentId, UserId
from mercat.kit.clock import clock
from mercat.kit.event_log import deliver
from mercat.kit.refusals import NotFound
from mercat.web.routes import PREFIX

ANN = UserId(11)
BOB, EVE = SellerId(7), SellerId(8)
TEA = LineId(1)
PARCEL = ShipmentId(1)


@pytest.fixture
async def local(pool, settings):
    return Fulfilment(await pool("fulfilment"), settings)


@pytest.fixture(params=WAYS)
async def fulfilment(request, local):
    async with reached(request.param, Fulfilment, API, local) as fulfilment:
        yield fulfilment


@pytest.fixture
async def heard(pool, local):
    """Facts in one batch, as the service's own role hears them."""

    async def heard(*events):
        async with (await pool("fulfilment")).acquire() as connection, connection.transaction():
            await deliver(connection, events, [local])

    return heard


@pytest.fixture
def friday():
    clock.drive(lambda: datetime(2026, 3, 6, 12, tzinfo=UTC))
    yield
    clock.drive(None)


def placed(order, quantity=2):
    line = OrderLine(
        order_line_id=TEA,
        product_id=ids.ProductId(1),
        offer_id=ids.OfferId(1),
        seller_id=BOB,
        title="Tea",
        quantity=quantity,
        unit_price=1_000,
        total=1_000 * quantity,
    )
    return OrderPlaced(
        order_id=OrderId(order),
        checkout_id=ids.CheckoutId(order),
        cart_id=ids.CartId(order),
        user_id=ANN,
        email="ann@example.com",
        total=line.total,
        currency="USD",
        lines=[line],
        placed_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    )


def cancelled(order):
    return OrderCancelled(order_id=OrderId(order), user_id=ANN)


async def opened(fulfilment, shipment=PARCEL, seller=BOB, quantity=2):
    return await fulfilment.open(shipment, OrderId(1), ANN, seller, [(TEA, quantity)], "Post", "P")


async def statuses(fulfilment, **asked):
    return {int(order.order_id): order.status for order in await fulfilment.orders_of_seller(BOB, **asked)}


async def test_the_days_to_an_address_leave_out_sundays(fulfilment, friday):
    standard, express = await fulfilment.methods("US")
    assert (standard.days, standard.estimated_delivery) == (4, date(2026, 3, 11))
    assert (express.days, express.estimated_delivery) == (1, date(2026, 3, 7))


async def test_elsewhere_is_refused_and_says_which_field(fulfilment):
    with pytest.raises(AddressNotServed) as refused:
        await fulfilment.methods("AQ")
    assert (refused.value.status, refused.value.code()) == (422, "address_not_served")
    assert refused.value.facts["pointer"] == "/shipping_address_id"


def test_everywhere_express_is_sooner_and_dearer():
    for country, zone in zones_from("US").items():
        [(_, _, standard), (_, _, express)] = rates(zone, country, "")
        assert 0 < standard.cents < express.cents
        assert 0 < express.days < standard.days


def test_a_list_price_has_the_magnitude_of_its_currency():
    assert (price(499, "USD"), price(499, "JPY"), price(499, "KWD")) == (499, 499, 4_990)
    assert (price(499, "SEK"), price(1_999, "KRW")) == (4_990, 19_990)


async def test_handed_over_by_many_at_once_it_is_one_parcel(fulfilment, told):
    parcels = await asyncio.gather(*(opened(fulfilment) for _ in range(8)))
    assert all(parcel == parcels[0] for parcel in parcels)
    assert len(await told()) == 1


async def test_another_seller_cannot_open_the_same_parcel(fulfilment, told):
    parcel = await opened(fulfilment)
    with pytest.raises(NotFound):
        await opened(fulfilment, seller=EVE)
    assert await fulfilment.of_order(OrderId(1)) == [parcel]
    assert len(await told()) == 1


async def test_whoever_hurries_every_version_is_told_once(fulfilment, told):
    await opened(fulfilment)
    steps = [status for status in PROGRESS if status != "exception"] * 6
    asks = [fulfilment.seen(BOB, PARCEL, status) for status in steps]
    answers = await asyncio.gather(*asks, return_exceptions=True)
    assert {type(answer) for answer in answers if isinstance(answer, Exception)} <= {OutOfOrder}
    [parcel] = await fulfilment.of_order(OrderId(1))
    way = [PROGRESS[event.status] for event in parcel.events]
    assert parcel.status == "delivered"
    assert way == sorted(set(way))
    assert [(fact.version, fact.status) for fact in await told()] == list(
        enumerate((event.status for event in parcel.events), 1)
    )


async def test_after_an_exception_it_does_not_fall_back(fulfilment):
    await opened(fulfilment)
    await fulfilment.seen(BOB, PARCEL, "out_for_delivery")
    await fulfilment.seen(BOB, PARCEL, "exception", "Nobody at home")
    with pytest.raises(OutOfOrder):
        await fulfilment.seen(BOB, PARCEL, "in_transit")
    assert (await fulfilment.seen(BOB, PARCEL, "out_for_delivery")).status == "out_for_delivery"


async def test_placed_and_cancelled_in_one_batch_and_twice(fulfilment, heard):
    await heard(placed(1), cancelled(1), placed(2), placed(2))
    await heard(placed(1), cancelled(1))
    assert await statuses(fulfilment) == {1: "cancelled", 2: "to_ship"}


async def test_what_a_crash_left_behind_is_made_good_when_asked_again(fulfilment, heard, db):
    await heard(placed(1))
    await opened(fulfilment)
    await fulfilment.seen(BOB, PARCEL, "delivered")
    # As when it died after the parcel was written and before its order was.
    await db.execute("update fulfilment.seller_order set status = 'shipped'")
    await fulfilment.seen(BOB, PARCEL, "delivered")
    assert await statuses(fulfilment) == {1: "delivered"}
    await db.execute("update fulfilment.seller_order set status = 'to_ship'")
    await opened(fulfilment)
    assert await statuses(fulfilment) == {1: "delivered"}


async def test_who_saw_fewer_parcels_does_not_have_the_last_word(fulfilment, heard, db):
    await heard(placed(1))
    await opened(fulfilment, quantity=1)
    # As when another, who saw both parcels, was quicker.
    await db.execute("update fulfilment.seller_order set status = 'shipped'")
    await heard(placed(1))
    assert await statuses(fulfilment) == {1: "shipped"}


async def test_parcels_opened_at_once_make_the_order_shipped(fulfilment, heard):
    await heard(placed(1, quantity=12))
    await asyncio.gather(*(opened(fulfilment, ShipmentId(n), quantity=1) for n in range(1, 13)))
    assert await statuses(fulfilment) == {1: "shipped"}


async def test_a_status_is_walked_by_key(fulfilment, heard):
    await heard(*(placed(n) for n in range(1, 8)), cancelled(3), cancelled(5))
    assert await statuses(fulfilment, status="cancelled") == {5: "cancelled", 3: "cancelled"}
    assert await statuses(fulfilment, status="cancelled", after=OrderId(5)) == {3: "cancelled"}
    assert list(await statuses(fulfilment, status="to_ship", limit=2)) == [7, 6]


async def test_a_seller_can_ask_for_every_status_that_is_shown(people):
    for status in ("to_ship", "partially_shipped", "shipped", "delivered", "cancelled"):
        answer = await people.seller.get(f"{PREFIX}/seller/orders", params={"status": status})
        assert (answer.status_code, answer.json()["orders"]) == (200, [])
    answer = await people.seller.get(f"{PREFIX}/seller/orders", params={"status": "confirmed"})
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/status")
