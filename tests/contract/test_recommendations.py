"""What recommendations promise, whether they live in this process or behind HTTP."""

from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
from both_ways import posts_to
from starlette.applications import Starlette

from mercat import ids
from mercat.events import Document, Look, OrderLine, OrderPlaced, ProductChanged, ThingsLookedAt
from mercat.ids import OrderId, ProductId, UserId
from mercat.kit.event_log import deliver
from mercat.kit.refusals import Invalid
from mercat.kit.stand_ins import remote, serve_asks
from mercat.recommendations import API, Recommendations, rules
from mercat.recommendations.rules import BASKET_MAX

ANN, BOB, EVE = UserId(11), UserId(12), UserId(13)
TEA, CUP, POT, MILK, SPOON, LAMP = map(ProductId, range(1, 7))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def product(product_id, version=1, **more):
    known = Document(
        product_id=product_id,
        offer_id=ids.OfferId(product_id),
        seller_id=ids.SellerId(1),
        seller_name="Bob",
        title="Tea",
        description="",
        currency="USD",
        created_at=NOON,
        **{"price": 1_000, "category": f"own-{int(product_id)}", "in_stock": True, **more},
    )
    return ProductChanged(product_id=product_id, version=version, document=known)


def gone(product_id, version):
    return ProductChanged(product_id=product_id, version=version)


def placed(order, buyer, *products):
    lines = [
        OrderLine(
            order_line_id=ids.LineId(number),
            product_id=ProductId(each),
            offer_id=ids.OfferId(each),
            seller_id=ids.SellerId(1),
            title="Tea",
            quantity=1,
            unit_price=500,
            total=500,
        )
        for number, each in enumerate(products)
    ]
    return OrderPlaced(
        order_id=OrderId(order),
        checkout_id=ids.CheckoutId(order),
        cart_id=ids.CartId(order),
        user_id=buyer,
        email="ann@example.com",
        total=500,
        currency="USD",
        lines=lines,
        placed_at=NOON,
    )


@pytest.fixture
async def local(pool):
    return Recommendations(await pool("recommendations"))


@pytest.fixture
async def http(local):
    app = httpx.ASGITransport(Starlette(routes=serve_asks(API, local)))
    async with httpx.AsyncClient(transport=app, base_url="http://recommendations") as http:
        yield http


@pytest.fixture(params=["in process", "over http"])
def shelves(request, local, http):
    return local if request.param == "in process" else remote(Recommendations, API, posts_to(http))


@pytest.fixture
async def heard(pool, local):
    mine = await pool("recommendations")

    async def heard(*events):
        async with mine.acquire() as connection, connection.transaction():
            await deliver(connection, events, [local])

    return heard


@pytest.fixture
async def catalogue(heard):
    await heard(*(product(each) for each in (TEA, CUP, POT, MILK, SPOON, LAMP)))


async def test_what_is_bought_together_stands_together(shelves, heard, catalogue):
    await heard(
        placed(1, ANN, TEA, CUP), placed(2, BOB, CUP, TEA), placed(3, EVE, TEA, POT), placed(4, EVE, LAMP)
    )

    assert await shelves.bought_together(TEA) == [CUP, POT]
    assert await shelves.bought_together(CUP) == [TEA]
    assert await shelves.bought_together(TEA, limit=1) == [CUP]
    assert await shelves.bought_together(LAMP) == []
    assert await shelves.bought_together(ProductId(99)) == []


async def test_what_everybody_buys_says_little(shelves, heard, catalogue):
    """Milk is in every basket, so it met tea as often as the cup did: the cup says more (cosine)."""
    await heard(placed(1, ANN, TEA, CUP, MILK), placed(2, ANN, TEA, CUP, MILK))
    await heard(*(placed(10 + number, BOB, MILK, LAMP) for number in range(7)))

    assert await shelves.bought_together(TEA) == [CUP, MILK]


async def test_an_order_told_again_counts_once(shelves, heard, catalogue, db):
    orders = [placed(1, ANN, TEA, CUP), placed(2, ANN, TEA, POT), placed(3, ANN, TEA, POT)]
    await heard(*orders, *orders)
    await heard(*orders)

    counted = await db.fetch("select other_id, orders from recommendations.pair where product_id = $1", TEA)
    assert dict(counted) == {CUP: 1, POT: 2}
    assert await db.fetchval("select orders from recommendations.sold where product_id = $1", TEA) == 3
    assert await shelves.bought_together(TEA) == [POT, CUP]


async def test_what_is_sold_out_or_gone_is_left_out_everywhere(shelves, heard, catalogue):
    shelf = {"category": "kitchen"}
    await heard(*(product(each, 2, **shelf) for each in (TEA, CUP, POT, MILK)))
    await heard(placed(1, ANN, TEA, CUP, POT, MILK))
    await heard(product(CUP, 3, in_stock=False, **shelf), gone(POT, 3))

    assert await shelves.bought_together(TEA) == [MILK]
    assert await shelves.similar(TEA) == [MILK]
    assert CUP not in await shelves.popular()
    assert POT not in await shelves.goes_with([TEA])


async def test_an_older_word_never_overwrites_a_newer(shelves, heard, catalogue):
    await heard(placed(1, ANN, TEA, CUP))
    await heard(product(CUP, 3), product(CUP, 2, in_stock=False))
    await heard(product(CUP, 2, in_stock=False))
    assert await shelves.bought_together(TEA) == [CUP]


async def test_bought_together_is_not_more_of_the_same_thing(shelves, heard):
    """Whoever bought six lamps bought them as a set; on the page of one, five others say nothing new."""
    lamps, bulbs, shades = ([ProductId(tens + n) for n in range(6)] for tens in (100, 200, 300))
    for kind, products in (("lamps", lamps), ("bulbs", bulbs), ("shades", shades)):
        await heard(*(product(each, category=kind) for each in products))
    await heard(*(placed(n, ANN, *lamps) for n in range(1, 9)))
    await heard(
        *(placed(n, BOB, lamps[0], *bulbs) for n in range(10, 13)), placed(20, EVE, lamps[0], *shades)
    )

    shelf = await shelves.bought_together(lamps[0], 12)
    kinds = [each // 100 for each in shelf]
    assert kinds.count(1) == 1, "at most one more lamp"
    assert sorted(kinds) == [1, 2, 2, 3, 3]


async def test_what_nobody_has_bought_stands_with_what_its_like_was_bought_with(shelves, heard):
    new, old, bulb = ProductId(101), ProductId(102), ProductId(201)
    await heard(
        product(new, category="lamps"), product(old, category="lamps"), product(bulb, category="bulbs")
    )
    await heard(placed(1, ANN, old, bulb))
    assert await shelves.bought_together(new) == [bulb]


async def test_products_of_no_category_are_not_held_to_be_alike(shelves, heard):
    given = [ProductId(n) for n in range(101, 108)]
    await heard(*(product(each, category="uncategorised") for each in given), placed(1, ANN, *given))
    assert sorted(await shelves.bought_together(given[0])) == given[1:]


async def test_around_a_product_is_what_is_bought_with_it_then_what_is_like_it_and_nothing_twice(
    shelves, heard, catalogue
):
    await heard(*(product(each, 2, category="kitchen") for each in (TEA, CUP, POT, SPOON)))
    await heard(placed(1, ANN, TEA, CUP), placed(2, ANN, TEA, LAMP), placed(3, ANN, TEA, LAMP))

    shelf = await shelves.around(TEA)
    assert shelf[:2] == [LAMP, CUP]
    assert sorted(shelf[2:]) == [POT, SPOON]
    assert await shelves.around(TEA, 1) == [LAMP]


async def test_alike_is_the_same_category_a_near_price_and_better_the_same_brand(shelves, heard):
    await heard(
        product(TEA, category="tea", price=1_000, brand="Leaf"),
        product(CUP, category="tea", price=1_100, brand="Other"),
        product(POT, category="tea", price=900, brand="Leaf"),
        product(MILK, category="tea", price=5_000, brand="Leaf"),
        product(SPOON, category="tea", price=1_100, brand="Other", rating=5.0, review_count=500),
        product(LAMP, category="lamps", price=1_000, brand="Leaf"),
    )
    assert await shelves.similar(TEA) == [POT, SPOON, CUP, MILK]


async def test_alike_looks_at_the_nearest_prices_of_a_large_category(shelves, heard):
    await heard(*(product(ProductId(price), category="tea", price=price) for price in range(1, 1_001)))
    near = await shelves.similar(ProductId(500), 20)
    assert sorted(near) == sorted({*range(490, 511)} - {500})


async def test_you_see_what_goes_with_what_you_bought_but_not_what_you_have(shelves, heard, catalogue):
    await heard(
        placed(1, BOB, TEA, CUP), placed(2, BOB, TEA, CUP), placed(3, EVE, LAMP), placed(4, EVE, LAMP)
    )
    await heard(placed(5, ANN, TEA))

    shelf = await shelves.for_you(ANN, 3)
    assert shelf[:2] == [CUP, LAMP]  # what goes with it, then what is popular
    assert TEA not in await shelves.for_you(ANN)
    assert len(set(await shelves.for_you(ANN))) == len(await shelves.for_you(ANN)) == 5


async def test_a_stranger_sees_what_is_popular_and_before_that_what_is_rated_best(shelves, heard, catalogue):
    await heard(product(MILK, 2, rating=4.5, review_count=900), product(POT, 2, rating=5.0, review_count=1))
    assert (await shelves.popular(2)) == [MILK, POT]

    await heard(placed(1, ANN, LAMP), placed(2, BOB, LAMP, CUP))
    assert await shelves.for_you(EVE, 4) == [LAMP, CUP, MILK, POT]


async def test_a_cart_is_asked_as_a_whole(shelves, heard, catalogue):
    await heard(placed(1, ANN, TEA, CUP, POT), placed(2, BOB, TEA, MILK), placed(3, BOB, CUP, POT))
    assert (await shelves.goes_with([TEA, CUP], 2)) == [POT, MILK]
    assert len(await shelves.goes_with([], 6)) == 6  # an empty cart sees what is popular


@pytest.mark.parametrize("limit", [0, 101])
async def test_a_shelf_of_another_length_is_refused(shelves, limit):
    with pytest.raises(Invalid):
        await shelves.popular(limit)


async def test_a_huge_order_teaches_by_its_first_fifty_products(shelves, heard, db):
    many = [ProductId(number) for number in range(1, 201)]
    await heard(*(product(each) for each in many))
    await heard(placed(1, ANN, *many, *many))
    assert await db.fetchval("select count(*) from recommendations.pair") == BASKET_MAX * (BASKET_MAX - 1)
    assert len(await shelves.bought_together(ProductId(1), 100)) == BASKET_MAX - 1
    assert await shelves.bought_together(ProductId(60)) == []
    assert await shelves.goes_with(many, 10) == []  # what is in the cart is never proposed for it


def test_counting_is_plain():
    one, two = rules.lesson(placed(1, ANN, CUP, TEA, CUP)), rules.lesson(placed(2, ANN, TEA))
    assert one.basket == [CUP, TEA]
    assert {each: counted.orders for each, counted in rules.sold([one, two]).items()} == {CUP: 1, TEA: 2}
    assert {pair: counted.orders for pair, counted in rules.met([one, two]).items()} == {(TEA, CUP): 1}


def test_a_large_order_says_less_of_any_two_and_an_old_one_less_than_a_new():
    small, large = rules.lesson(placed(1, ANN, TEA, CUP)), rules.lesson(placed(2, ANN, TEA, CUP, POT, MILK))
    old = rules.lesson(msgspec.structs.replace(placed(3, ANN, TEA, CUP), placed_at=NOON - rules.HALF_LIFE))
    weights = [rules.met([each])[TEA, CUP].weight for each in (small, large, old)]
    assert weights[1] == pytest.approx(weights[0] / 3**rules.SIZE_POWER)
    assert weights[2] == pytest.approx(weights[0] / 2)


async def test_what_was_bought_with_it_lately_comes_before_what_was_long_ago(shelves, heard, catalogue):
    long_ago = NOON - timedelta(days=3 * 365)
    then = [
        msgspec.structs.replace(placed(n, ANN, TEA, CUP), placed_at=long_ago, order_id=OrderId(n))
        for n in range(1, 4)
    ]
    await heard(*then, placed(9, BOB, TEA, POT))
    assert await shelves.bought_together(TEA) == [POT, CUP]
    assert (await shelves.popular(2))[0] == TEA
    assert (await shelves.popular(3))[1] == POT


async def test_who_bought_it_before_is_told_first_of_it(shelves, heard, catalogue):
    await heard(placed(1, BOB, TEA, CUP), placed(2, BOB, TEA, CUP), placed(3, EVE, TEA, POT))
    assert (await shelves.goes_with([TEA], 2)) == [CUP, POT]
    assert (await shelves.goes_with([TEA], 2, EVE)) == [POT, CUP]
    assert (await shelves.goes_with([TEA], 2, ANN)) == [CUP, POT]


async def test_what_sells_near_somebody_is_of_orders_to_their_country(shelves, heard, catalogue):
    def to(country, order, *products):
        return msgspec.structs.replace(placed(order, ANN, *products), address={"country": country})

    await heard(
        to("DE", 1, TEA), to("DE", 2, TEA, CUP), to("FR", 3, LAMP), to("FR", 4, LAMP), placed(5, ANN, POT)
    )
    assert await shelves.popular_near("DE") == [TEA, CUP]
    assert await shelves.popular_near("FR") == [LAMP]
    assert await shelves.popular_near("JP") == []
    assert (await shelves.popular(1)) == [TEA]


async def test_what_somebody_viewed_is_shown_as_far_as_it_is_for_sale(shelves, heard, catalogue):
    await heard(product(CUP, 2, in_stock=False))
    assert await shelves.for_sale([POT, CUP, TEA, POT, ProductId(99)]) == [POT, TEA]
    assert await shelves.for_sale([POT, TEA], 1) == [POT]
    assert await shelves.for_sale([]) == []


def viewed(batch, *looks):
    told = [Look(1, "view", visitor, "phone", ProductId(each)) for visitor, each in looks]
    return ThingsLookedAt(batch_id=ids.BatchId(batch), looks=told)


async def test_what_visitors_look_at_one_after_the_other_stands_nearer(shelves, heard, db):
    given = [ProductId(n) for n in range(1, 301)]
    await heard(*(product(each, category="tea", price=1_000 + int(each)) for each in given))
    far = given[-1]
    assert far not in await shelves.similar(TEA, 20)
    told = [viewed(n, (n, TEA), (n, far)) for n in range(1, 40)]
    await heard(*told[:20])
    await heard(*told[20:], *told)
    await heard(*told)
    assert (await shelves.similar(TEA, 20))[0] == far
    seen = "select visitors from recommendations.viewed where product_id = $1 and other_id = $2"
    assert await db.fetchval(seen, TEA, far) == await db.fetchval(seen, far, TEA) == 39, "once each"


async def test_a_visit_goes_on_over_batches_and_is_forgotten_after_a_day(heard, catalogue, db):
    await heard(viewed(1, (7, TEA)))
    await heard(viewed(2, (7, CUP), (8, POT)))
    assert await db.fetchval("select visitors from recommendations.viewed where product_id = $1", TEA) == 1
    await db.execute("update recommendations.visit set day = day - 2")
    await heard(viewed(3, (9, POT)))
    assert await db.fetchval("select array_agg(visitor) from recommendations.visit") == [9]


async def test_a_new_product_stands_beside_what_its_title_says_it_is(shelves, heard):
    new, mug, lamp, kettle = (ProductId(n) for n in range(101, 105))
    for each, title, price in (
        (new, "Enamel camping mug, blue", 1_000),
        (lamp, "Reading lamp with clip", 1_000),
        (kettle, "Whistling kettle", 1_001),
        (mug, "Enamel camping mug, green", 1_500),
    ):
        told = product(each, category="kettles" if each == kettle else "uncategorised", price=price)
        assert told.document
        document = msgspec.structs.replace(told.document, title=title)
        await heard(msgspec.structs.replace(told, document=document))
    assert (await shelves.similar(new))[0] == mug
    await heard(placed(1, ANN, mug, kettle))
    assert (await shelves.bought_together(new))[0] == kettle, "what its like was bought with"
