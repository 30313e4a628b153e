"""What inventory promises: nothing is oversold, every answer is final, and undoing comes in any order."""

import asyncio
import random

import httpx
import pytest
from both_ways import posts_to
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from mercat import ids
from mercat.inventory import API, Hold, Inventory, Line, Short, StockCount
from mercat.inventory.rules import ReservationAsk, share_out
from mercat.kit.refusals import NotFound, Stale
from mercat.kit.stand_ins import remote, serve_asks

TEA, CUP = ids.OfferId(101), ids.OfferId(102)
BOB = ids.SellerId(7)


@pytest.fixture
async def local(pool):
    inventory = Inventory(await pool("inventory"))
    await inventory.receive("first delivery", [Line(TEA, 10), Line(CUP, 3)], BOB)
    return inventory


@pytest.fixture(params=["in process", "over http"])
async def inventory(request, local):
    if request.param == "in process":
        yield local
    else:
        app = httpx.ASGITransport(Starlette(routes=serve_asks(API, local)))
        async with httpx.AsyncClient(transport=app, base_url="http://inventory") as http:
            yield remote(Inventory, API, posts_to(http))


async def reserve(inventory, checkout_id, *lines):
    [short] = await inventory.reserve_many([Hold(checkout_id, list(lines))])
    return short


def checkout():
    return ids.new(ids.CheckoutId)


async def left(inventory, offer=TEA):
    return (await inventory.stock([offer]))[offer].available


async def test_what_is_reserved_and_confirmed_leaves_the_shelf(inventory):
    first = checkout()
    assert await reserve(inventory, first, Line(TEA, 2), Line(CUP, 1)) is None
    assert await left(inventory) == 8
    assert await inventory.confirm_many([first]) == [True]
    stock = (await inventory.stock([TEA]))[TEA]
    assert (stock.on_hand, stock.reserved, stock.available) == (8, 0, 8)


async def test_all_lines_or_none_and_the_refusal_says_what_is_left(inventory):
    assert await reserve(inventory, checkout(), Line(TEA, 2), Line(CUP, 4)) == Short(CUP, 3)
    assert await left(inventory) == 10


async def test_asked_twice_it_answers_as_it_did_first(inventory):
    lucky, unlucky = checkout(), checkout()
    for _ in range(3):
        assert await reserve(inventory, lucky, Line(CUP, 3)) is None
        assert await reserve(inventory, unlucky, Line(CUP, 1)) == Short(CUP, 0)
    await inventory.release_many([lucky])
    # Its answer was final, even now that there are cups again.
    assert await reserve(inventory, unlucky, Line(CUP, 1)) == Short(CUP, 0)
    assert await left(inventory, CUP) == 3


async def test_what_is_asked_again_takes_nothing_from_others_of_its_set(inventory):
    first, second = checkout(), checkout()
    assert await reserve(inventory, first, Line(CUP, 2)) is None
    again, new = Hold(first, [Line(CUP, 2)], again=True), Hold(second, [Line(CUP, 1)])
    assert await inventory.reserve_many([again, new]) == [None, None]
    assert await left(inventory, CUP) == 0


async def test_released_stock_is_free_at_once_and_only_once(inventory):
    first = checkout()
    assert await reserve(inventory, first, Line(TEA, 10)) is None
    await inventory.release_many([first])
    await inventory.release_many([first])
    assert await left(inventory) == 10


async def test_a_release_before_a_late_reserve_makes_it_refused(inventory):
    late = checkout()
    await inventory.release_many([late])
    assert await reserve(inventory, late, Line(TEA, 1)) is not None
    assert await inventory.confirm_many([late]) == [False]
    assert await left(inventory) == 10


async def test_what_was_sold_cannot_be_released(inventory):
    first = checkout()
    assert await reserve(inventory, first, Line(TEA, 4)) is None
    assert await inventory.confirm_many([first]) == [True]
    assert await inventory.confirm_many([first]) == [True]
    await inventory.release_many([first])
    assert await left(inventory) == 6


async def test_goods_come_in_once_a_reference(inventory):
    for _ in range(2):
        await inventory.receive("second delivery", [Line(TEA, 5)], BOB)
        await inventory.put_back("order 1", [Line(TEA, 1)])
    assert await left(inventory) == 16


async def test_a_seller_counts_their_own_shelf_at_the_version_they_saw(inventory):
    [seen] = await inventory.owned(BOB, [TEA])
    assert (await inventory.count(BOB, TEA, seen.version, StockCount(4))).available == 4
    with pytest.raises(Stale):
        await inventory.count(BOB, TEA, seen.version, StockCount(9))
    with pytest.raises(NotFound):
        await inventory.count(ids.SellerId(8), TEA, seen.version, StockCount(9))


async def test_a_crowd_over_two_workers_buys_exactly_what_there_is(pool, local, db):
    other = Inventory(await pool("inventory"))
    await local.receive("for the crowd", [Line(TEA, 490), Line(CUP, 297)], BOB)
    dice = random.Random(1)
    asks = []
    for _ in range(900):
        lines = [Line(TEA, dice.randint(1, 2))] + ([Line(CUP, 1)] if dice.random() < 0.5 else [])
        dice.shuffle(lines)
        asks.append(Hold(checkout(), lines))
    sets = [asks[n : n + 30] for n in range(0, 900, 30)]
    halves = (local.reserve_many(each) if n % 2 else other.reserve_many(each) for n, each in enumerate(sets))
    answers = [answer for part in await asyncio.gather(*halves) for answer in part]

    assert {type(answer) for answer in answers} == {type(None), Short}
    assert await left(local) == 0
    held = await db.fetchval(
        "select sum(q) from inventory.reservation, unnest(offer_ids, quantities) u (o, q) "
        "where state = 'held' and o = $1",
        TEA,
    )
    assert held == 500


async def test_running_out_and_coming_back_is_told(local, told):
    first = checkout()
    await reserve(local, first, Line(CUP, 3))
    await local.release_many([first])
    facts = [(fact.offer_id, fact.available) for fact in await told()]
    assert facts == [(CUP, 0), (CUP, 3)]


@given(
    st.dictionaries(st.tuples(st.integers(1, 4), st.integers(1, 2)), st.integers(0, 6), max_size=8),
    st.lists(st.dictionaries(st.integers(1, 4), st.integers(1, 5), min_size=1, max_size=3), max_size=8),
)
def test_sharing_out_a_batch_is_sharing_out_one_by_one(available, wishes):
    asks = [ReservationAsk(n, tuple(wish.items())) for n, wish in enumerate(wishes)]
    left = dict(available)
    for ask, share in zip(asks, share_out(asks, available), strict=True):
        total = {
            offer: sum(units for place, units in left.items() if place[0] == offer) for offer in (1, 2, 3, 4)
        }
        possible = all(total[offer] >= quantity for offer, quantity in ask.lines)
        assert share.refused != possible
        for place, units in share.taken:
            left[place] -= units
            assert left[place] >= 0
        if possible:
            taken = {}
            for place, units in share.taken:
                taken[place[0]] = taken.get(place[0], 0) + units
            assert taken == dict(ask.lines)
