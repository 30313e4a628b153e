"""Limits of promotions are exact whoever races for them, and whatever comes twice or too late."""

import asyncio
from datetime import timedelta

import pytest
from both_ways import WAYS, reached

from mercat import ids
from mercat.events import AccountErased, OrderCancelled, OrderForgotten, OrderPlaced
from mercat.kit import clock
from mercat.kit.refusals import NotFound
from mercat.orders import Orders
from mercat.promotions import (
    API,
    CodesAsk,
    CodesExhausted,
    NewPromotion,
    PricedGoods,
    PromotionChange,
    Promotions,
    Redeem,
    ReductionAsk,
    TooManyPromotions,
    Use,
)
from mercat.promotions.messages import CODES_EVER_MAX, STANDING_MAX


@pytest.fixture
async def local(pool, settings):
    return Promotions(await pool("promotions"), Orders(await pool("orders"), 30), settings)


@pytest.fixture(params=WAYS)
async def promotions(request, local):
    async with reached(request.param, Promotions, API, local) as promotions:
        yield promotions


def redeem(*uses, email="", user_id=None):
    user_id = user_id or ids.new(ids.UserId)
    return Redeem(
        ids.new(ids.CheckoutId), ids.new(ids.OrderId), user_id, email or f"{user_id}@example.org", list(uses)
    )


async def set_up(promotions, **more):
    added = await promotions.add(NewPromotion(name="Spring", then={"amount": 500}, **more))
    return added.promotion.promotion_id, added.codes


async def race(promotions, asks, sets=8):
    """Have several processes redeem sets of purchases at once; answer who was granted."""
    portions = [asks[n::sets] for n in range(sets)]
    answers = await asyncio.gather(*(promotions.redeem_many(each) for each in portions if each))
    return [
        ask
        for portion, said in zip([each for each in portions if each], answers, strict=True)
        for ask, refused in zip(portion, said, strict=True)
        if refused is None
    ]


async def test_of_200_who_race_for_the_last_20_uses_20_get_one(promotions):
    promotion_id, _ = await set_up(promotions, limit=20)
    granted = await race(promotions, [redeem(Use(promotion_id, 500)) for _ in range(200)])
    assert len(granted) == 20
    assert (await promotions.one(promotion_id)).uses == 20


async def test_a_budget_is_given_to_the_last_that_fits_and_never_beyond(promotions):
    promotion_id, _ = await set_up(promotions, budget=2_300)
    granted = await race(promotions, [redeem(Use(promotion_id, 500)) for _ in range(40)])
    assert len(granted) == 4
    assert (await promotions.one(promotion_id)).spent == 2_000


async def test_one_person_under_two_sessions_counts_once(promotions):
    promotion_id, _ = await set_up(promotions, limit_per_customer=1)
    asks = [redeem(Use(promotion_id, 500), email="Ann@Example.org ") for _ in range(6)]
    asks += [redeem(Use(promotion_id, 500), email="ann@example.org") for _ in range(6)]
    assert len(await race(promotions, asks)) == 1
    same = ids.new(ids.UserId)
    others = [redeem(Use(promotion_id, 500), email=f"{n}@example.org", user_id=same) for n in range(6)]
    assert len(await race(promotions, others)) == 1


async def test_a_code_for_a_single_use_is_one_purchases(promotions):
    promotion_id, [code] = await set_up(promotions, codes=CodesAsk(1))
    asks = [redeem(Use(promotion_id, 500, code)) for _ in range(30)]
    assert len(await race(promotions, asks)) == 1


async def test_first_orders_are_one_a_person_whatever_the_promotion(promotions):
    first, _ = await set_up(promotions, when={"first_order": True})
    second, _ = await set_up(promotions, when={"first_order": True})
    asks = [redeem(Use(each, 500), email="ann@example.org") for each in (first, second) * 6]
    assert len(await race(promotions, asks)) == 1


async def test_a_redemption_that_comes_twice_counts_once_and_answers_the_same(promotions):
    promotion_id, _ = await set_up(promotions, limit=1)
    first, second = redeem(Use(promotion_id, 500)), redeem(Use(promotion_id, 500))
    said = [await promotions.redeem_many([first, second]) for _ in range(3)]
    assert said[0][0] is None
    assert said[0][1].why == "code_used_up"
    assert said[0] == said[1] == said[2]
    assert (await promotions.one(promotion_id)).uses == 1


async def test_what_is_given_back_is_free_once_and_a_late_redemption_is_refused(promotions):
    promotion_id, [code] = await set_up(promotions, codes=CodesAsk(1), limit=1, limit_per_customer=1)
    ask = redeem(Use(promotion_id, 500, code))
    late = redeem(Use(promotion_id, 500, code))
    assert await promotions.redeem_many([ask]) == [None]
    for _ in range(2):
        await promotions.release_many([ask, late])
    assert [each for each in await promotions.redeem_many([ask, late]) if each is None] == []
    again = redeem(Use(promotion_id, 500, code), user_id=ask.user_id)
    assert await promotions.redeem_many([again]) == [None]
    shown = await promotions.one(promotion_id)
    assert (shown.uses, shown.spent) == (1, 500)


async def test_releasing_and_redeeming_at_once_leave_nothing_behind(promotions, db):
    promotion_id, _ = await set_up(promotions, limit=100, limit_per_customer=1)
    asks = [redeem(Use(promotion_id, 500)) for _ in range(30)]
    await asyncio.gather(
        *(promotions.redeem_many([ask]) for ask in asks),
        *(promotions.release_many([ask]) for ask in asks),
    )
    await promotions.release_many(asks)
    shown = await promotions.one(promotion_id)
    assert (shown.uses, shown.spent) == (0, 0)
    assert await db.fetchval("select coalesce(sum(uses), 0) from promotions.person_use") == 0


async def test_a_cancelled_order_gives_back_once_however_often_it_is_told(local, db):
    promotion_id, _ = await set_up(local, limit=2)
    ask, other = redeem(Use(promotion_id, 500)), redeem(Use(promotion_id, 500))
    await local.redeem_many([ask, other])
    told = [OrderCancelled(order_id=ask.order_id, user_id=ask.user_id)]
    for _ in range(2):
        await local.redeeming.follow_cancellations(db, told)
    assert (await local.one(promotion_id)).uses == 1
    assert (await local.redemption(ask.order_id)).because == "the order was cancelled"


async def test_the_limit_cannot_be_lowered_below_what_is_used(promotions):
    promotion_id, _ = await set_up(promotions, limit=5)
    await promotions.redeem_many([redeem(Use(promotion_id, 500)) for _ in range(3)])
    with pytest.raises(Exception, match="used 3 times"):
        await promotions.change(promotion_id, PromotionChange(limit=2))
    assert (await promotions.change(promotion_id, PromotionChange(limit=3))).limit == 3


@pytest.mark.long
async def test_a_hundred_thousand_codes_are_made_and_found(promotions):
    promotion_id, codes = await set_up(promotions, codes=CodesAsk(100_000, "A-"))
    assert len(set(codes)) == 100_000
    goods = [PricedGoods(ids.OfferId(1), ids.ProductId(1), ids.SellerId(1), 1, 1_000)]
    [reduced] = await promotions.reduce_many(
        [ReductionAsk(ids.new(ids.UserId), goods, [codes[77_777].lower()])]
    )
    assert [each.discount.amount for each in reduced.reductions] == [500]
    assert [use.code for use in reduced.uses] == [codes[77_777]]
    assert len(await promotions.codes(promotion_id, limit=500)) == 500


def placed(ask):
    return OrderPlaced(
        order_id=ask.order_id,
        checkout_id=ask.checkout_id,
        cart_id=ids.new(ids.CartId),
        user_id=ask.user_id,
        email=ask.email,
        total=500,
        currency="USD",
        lines=[],
        placed_at=clock.now(),
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"limit_per_customer": 1}),
        ({"limit_per_customer": 1}, {"limit_per_customer": None}),
        ({"when": {"first_order": True}}, {"when": {}}),
        ({"limit": 9}, {"when": {"first_order": True}}),
    ],
)
async def test_what_is_given_back_is_what_was_counted_whatever_the_limits_became(local, db, before, after):
    promotion_id, _ = await set_up(local, **before)
    ask = redeem(Use(promotion_id, 500))
    await local.redeem_many([ask])
    await local.change(promotion_id, PromotionChange(**after))
    later = redeem(Use(promotion_id, 500), user_id=ask.user_id)
    counted = await local.redeem_many([later]) == [None]
    for _ in range(2):
        told = [OrderCancelled(order_id=ask.order_id, user_id=ask.user_id)]
        await local.redeeming.follow_cancellations(db, told)
    left = await db.fetchval("select coalesce(max(uses), 0) from promotions.person_use")
    limited = bool(after.get("limit_per_customer") or after.get("when"))
    assert left == int(counted and limited)
    assert (await local.one(promotion_id)).uses == int(counted)


async def test_who_has_bought_before_has_no_first_order_also_with_a_quote_of_a_guest(local, db):
    promotion_id, _ = await set_up(local, when={"first_order": True})
    first = redeem(email="ann@example.org")
    await local.redeeming.follow_orders(db, [placed(first)])
    [refused] = await local.redeem_many([redeem(Use(promotion_id, 500), email="Ann@example.org")])
    assert refused.why == "not_for_you"
    assert await local.redeem_many([redeem(Use(promotion_id, 500), email="eve@example.org")]) == [None]


async def test_one_of_two_orders_is_cancelled_and_its_buyer_is_not_new(local, db):
    await set_up(local, when={"first_order": True})
    ann = ids.new(ids.UserId)
    both = [redeem(user_id=ann), redeem(user_id=ann)]
    goods = [PricedGoods(ids.OfferId(1), ids.ProductId(1), ids.SellerId(1), 1, 1_000)]

    async def is_new():
        [reduced] = await local.reduce_many([ReductionAsk(ann, goods)])
        return bool(reduced.reductions)

    await local.redeeming.follow_orders(db, [placed(each) for each in both])
    assert not await is_new()
    await local.redeeming.follow_cancellations(db, [OrderCancelled(order_id=both[0].order_id, user_id=ann)])
    assert not await is_new()
    await local.redeeming.follow_cancellations(db, [OrderCancelled(order_id=both[1].order_id, user_id=ann)])
    assert await is_new()


async def test_an_order_that_is_forgotten_leaves_nobody_here(local, db):
    promotion_id, _ = await set_up(local, limit_per_customer=5, when={"first_order": True})
    erased, forgotten = redeem(Use(promotion_id, 500)), redeem(Use(promotion_id, 500))
    await local.redeem_many([erased, forgotten])
    await local.redeeming.follow_orders(db, [placed(erased), placed(forgotten)])
    gone = AccountErased(user_id=erased.user_id, people=[erased.user_id], email=erased.email)
    await local.redeeming.forget_people(db, [gone])
    told = OrderForgotten(order_id=forgotten.order_id, checkout_id=forgotten.checkout_id)
    for _ in range(2):
        await local.redeeming.forget_orders(db, [told])
    persons = "select count(*) from promotions.redemption where persons <> '{}' or counted_persons <> '{}'"
    for left in (
        persons,
        "select count(*) from promotions.person_use",
        "select count(*) from promotions.buyer",
    ):
        assert await db.fetchval(left) == 0
    await local.redeeming.follow_cancellations(
        db, [OrderCancelled(order_id=each.order_id, user_id=each.user_id) for each in (erased, forgotten)]
    )
    assert (await local.one(promotion_id)).uses == 0


async def test_a_code_of_an_ended_promotion_does_not_read_all_promotions_again(pool, settings, monkeypatch):
    monkeypatch.setattr("mercat.promotions.service._FRESH_S", 3_600)
    local = Promotions(await pool("promotions"), Orders(await pool("orders"), 30), settings)
    long_ago = clock.now() - timedelta(days=9)
    await set_up(local, code="OLD", ends_at=long_ago)
    promotion_id, _ = await set_up(local, code="NEW")
    goods = [PricedGoods(ids.OfferId(1), ids.ProductId(1), ids.SellerId(1), 1, 1_000)]
    ask = ReductionAsk(ids.new(ids.UserId), goods, ["OLD"])
    [first] = await local.reduce_many([ask])
    assert [each.why for each in first.codes] == ["code_expired"]
    read = await local._standing.get()
    await local.reduce_many([ask])
    assert await local._standing.get() is read
    elsewhere = Promotions(await pool("promotions"), Orders(await pool("orders"), 30), settings)
    made_this_moment, _ = await set_up(elsewhere, code="JUST")
    [found] = await local.reduce_many([ReductionAsk(ask.user_id, goods, ["JUST"])])
    assert [each.discount.promotion_id for each in found.reductions] == [made_this_moment]
    assert made_this_moment != promotion_id


async def test_a_seller_has_so_many_promotions_at_once_whoever_sets_up_at_the_same_time(local, db):
    seller = ids.new(ids.SellerId)
    first, _ = await set_up(local, seller_id=seller, ends_at=clock.now() + timedelta(days=9))
    await db.execute(
        "insert into promotions.promotion (promotion_id, seller_id, name, has_codes, rule, combines,"
        " by_seller, priority, created_at) select n, $1, 'x', false, (select rule from promotions.promotion"
        " limit 1), true, true, 0, now() from generate_series(1, $2) n",
        seller,
        STANDING_MAX - 2,
    )
    tried = await asyncio.gather(*(set_up(local, seller_id=seller) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in tried].count(TooManyPromotions) == 2
    await set_up(local, seller_id=ids.new(ids.SellerId))
    ended = clock.now() - timedelta(days=1)
    over, _ = await set_up(local, seller_id=seller, starts_at=ended - timedelta(days=1), ends_at=ended)
    with pytest.raises(TooManyPromotions):
        await local.change(over, PromotionChange(ends_at=None))
    await local.remove(first, seller)
    assert (await local.change(over, PromotionChange(ends_at=None))).ends_at is None


async def test_a_promotion_has_so_many_codes_in_all(local, db):
    promotion_id, _ = await set_up(local, codes=CodesAsk(3))
    most = CODES_EVER_MAX - 4
    await db.execute("update promotions.promotion set single_codes = $1 + 3", most)
    with pytest.raises(CodesExhausted):
        await local.add_codes(promotion_id, CodesAsk(2))
    assert len(await local.add_codes(promotion_id, CodesAsk(1))) == 1
    assert len(await local.codes(promotion_id)) == 4


async def test_promotions_and_codes_are_their_sellers_own(local):
    bob, eve = ids.new(ids.SellerId), ids.new(ids.SellerId)
    promotion_id, [code] = await set_up(local, seller_id=bob, codes=CodesAsk(1))
    with pytest.raises(NotFound):
        await local.remove(promotion_id, eve)
    with pytest.raises(NotFound):
        await local.add_codes(promotion_id, CodesAsk(1), eve)
    with pytest.raises(NotFound):
        await local.codes(promotion_id, seller_id=eve)
    assert [each.code for each in await local.codes(promotion_id, seller_id=bob)] == [code]
    await local.remove(promotion_id, bob)
    with pytest.raises(NotFound):
        await local.remove(promotion_id, bob)


async def test_a_promotion_is_called_the_same_however_its_name_was_typed(promotions):
    promotion_id, _ = await set_up(promotions)
    changed = await promotions.change(promotion_id, PromotionChange(name=" Cafe\u0301 "))
    assert changed.name == "Caf\u00e9"
