"""Sales: a price for a while, which begins and ends to the second wherever a price is shown or paid."""

import itertools
import json
import re
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from one_scene import one_scene
from waiting import until

from mercat.catalog import Columns, ImportBatch, SalePrice, recognise
from mercat.catalog.rules import priced
from mercat.countries import says_lowest_price
from mercat.ids import OfferId, ProductId, parse
from mercat.kit import clock
from mercat.web.cache import PUBLIC, public_headers
from mercat.web.routes import PREFIX

PRODUCTS = f"{PREFIX}/seller/products"
OFFERS = f"{PREFIX}/seller/offers"
CUP = {"title": "A blue cup", "description": "Holds tea.", "category": "Cups", "price": 20, "quantity": 9}
HOUR = timedelta(hours=1)


def at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def listed(people, **more) -> dict:
    made = await people.seller.post(PRODUCTS, json=CUP | more)
    assert made.status_code == 201, made.text
    return made.json()


async def sells(people, made, **sale):
    answer = await people.seller.patch(f"{OFFERS}/{made['offer_id']}", json=sale)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def product(people, made) -> dict:
    return (await people.nobody.get(f"{PREFIX}/products/{made['product_id']}")).json()


async def shown(people, made) -> tuple[float, float | None]:
    """Return the price and the price before it, which every place must say."""
    said = await product(people, made)
    price = said["price"], said["was_price"]
    [offer] = said["offers"]
    assert (offer["price"], offer["was_price"]) == price
    page = (await people.nobody.get(f"/p/{made['product_id']}")).text
    told = [json.loads(each) for each in re.findall(r'ld\+json">(.*?)</script>', page)]
    [linked] = [each for each in told if each["@type"] == "Product"]
    assert float(linked["offers"]["price"]) == price[0]
    struck = re.findall(r'class="price cost">\$([0-9.]+)(?: <s class="was">.*?\$([0-9.]+)</s>)?', page)
    assert [(float(now), float(was) if was else None) for now, was in struck] == [price]
    item = (await people.nobody.get("/feeds/google.xml")).text
    assert f"<g:price>{price[1] or price[0]:.2f} USD</g:price>" in item
    assert (f"<g:sale_price>{price[0]:.2f} USD" in item) == (price[1] is not None)
    cards = await people.nobody.get(f"{PREFIX}/search", params={"q": "blue cup"})
    for card in cards.json()["results"]:
        assert (card["price"], card.get("was_price")) == price
        assert "coming_prices" not in card
    cart = (await people.shopper.get(f"{PREFIX}/cart")).json()
    for item in cart["items"]:
        assert (item["price"], item["was_price"]) == price
    return price


async def found(people) -> bool:
    answer = await people.nobody.get(f"{PREFIX}/search", params={"q": "blue cup"})
    return bool(answer.json()["results"])


async def test_a_sale_begins_and_ends_to_the_second_everywhere(people, clock_ahead):
    made = await listed(people)
    await people.shopper.post(f"{PREFIX}/cart/items", json={"offer_id": made["offer_id"], "quantity": 1})
    await until(lambda: found(people))
    said = await sells(people, made, sale={"price": 15, "from": at(600), "until": at(1200)})
    assert (said["price"], said["price_now"], said["sale"]["price"]) == (20, 20, 15)

    async def told() -> bool:
        results = await people.shop.search.find(query)
        return bool(results.cards() and results.cards()[0].coming_prices)

    from mercat.search import SearchQuery

    query = SearchQuery(q="blue cup", sort="newest")
    await until(told)
    assert await shown(people, made) == (20, None)
    clock_ahead(500)
    assert await shown(people, made) == (20, None)
    clock_ahead(601)
    assert await shown(people, made) == (15, 20)
    [problem] = (await people.shopper.get(f"{PREFIX}/cart")).json()["problems"]
    assert (problem["code"], problem["price"]) == ("price_changed", 15)
    clock_ahead(1_100)
    assert await shown(people, made) == (15, 20)
    clock_ahead(1201)
    assert await shown(people, made) == (20, None)


async def test_filter_and_sort_by_price_follow_a_sale(people, clock_ahead):
    made = await listed(people)
    await listed(people, title="Another blue cup", price=18)
    await sells(people, made, sale={"price": 5, "from": at(600)})

    async def cheapest() -> list[str]:
        asked = {"q": "blue cup", "sort": "price_asc", "filters[price_max]": 18}
        answer = await people.nobody.get(f"{PREFIX}/search", params=asked)
        return [each["title"] for each in answer.json()["results"]]

    async def before() -> bool:
        return await cheapest() == ["Another blue cup"]

    async def after() -> bool:
        return await cheapest() == ["A blue cup", "Another blue cup"]

    await until(before)
    clock_ahead(601)
    await until(after)


async def test_what_was_missed_while_the_shop_was_closed_is_told_later(people, clock_ahead):
    made = await listed(people)
    product_id = parse(ProductId, made["product_id"])
    await sells(people, made, sale={"price": 5, "from": at(600), "until": at(1200)})
    retelling = people.shop.catalog.retelling
    while await retelling.tell_flips():
        pass
    version = (await people.shop.catalog.product(product_id)).version
    clock_ahead(5_000)
    await until(lambda: told_since(people, product_id, version))
    assert not await retelling.tell_flips()


async def told_since(people, product_id, version) -> bool:
    await people.shop.catalog.retelling.tell_flips()
    async for page in every(people.shop):
        for each in page:
            if each.product_id == product_id:
                return each.version > version
    return False


def every(shop):
    from mercat.shop import every_product

    return every_product(shop.catalog)


@one_scene(
    ("change", "pointer"),
    [
        ({"sale": {"price": 20}}, "/sale/price"),
        ({"sale": {"price": 25}}, "/sale/price"),
        ({"sale": {"price": 0}}, "/sale/price"),
        ({"sale": {"price": -1}}, "/sale/price"),
        ({"sale": {"price": 1.234}}, "/sale/price"),
        ({"sale": {"price": 5, "from": at(100), "until": at(50)}}, "/sale/until"),
        ({"sale": {"price": 5, "until": "tomorrow"}}, "/sale/until"),
        ({"compare_at_price": 19}, "/compare_at_price"),
        ({"price": 30, "compare_at_price": 29}, "/compare_at_price"),
        ({"sale": {"price": 5, "to": at(50)}}, "/sale/to"),
    ],
)
async def test_a_sale_that_is_none_is_refused_and_nothing_is_written(people, change, pointer):
    made = await listed(people)
    doors = [(f"{OFFERS}/{made['offer_id']}", change), (f"{PRODUCTS}/{made['product_id']}", change)]
    for door, body in doors:
        answer = await people.seller.patch(door, json=body)
        assert (answer.status_code, answer.json()["pointer"]) == (422, pointer), answer.text
    answer = await people.seller.post(PRODUCTS, json=CUP | change)
    assert (answer.status_code, answer.json()["pointer"]) == (422, pointer), answer.text
    of_one = {
        "options": [{"name": "Size", "values": ["S"]}],
        "variants": [{"options": {"Size": "S"}, "price": 20, "quantity": 1} | change],
    }
    answer = await people.seller.post(PRODUCTS, json=CUP | of_one)
    assert (answer.status_code, answer.json()["pointer"]) == (422, f"/variants/0{pointer}"), answer.text
    said = await product(people, made)
    assert (said["price"], said["was_price"]) == (20, None)


async def test_a_sale_is_given_with_a_product_and_of_each_variant(people):
    made = await listed(people, sale={"price": 15}, compare_at_price=25)
    said = await product(people, made)
    assert (said["price"], said["was_price"], said["offers"][0]["sale"]["price"]) == (15, 20, 15)
    own = (await people.seller.get(f"{PRODUCTS}/{made['product_id']}")).json()
    assert (own["price"], own["compare_at_price"], own["sale"]["price"]) == (20, 25, 15)

    sizes = [{"options": {"Size": size}, "price": 20, "quantity": 1} for size in "SM"]
    sizes[1]["sale"] = {"price": 12, "until": at(3_600)}
    options = [{"name": "Size", "values": ["S", "M"]}]
    made = await listed(people, options=options, variants=sizes, title="Two cups")
    said = await product(people, made)
    assert (said["price"], said["was_price"]) == (12, 20)
    assert [each["offers"][0]["price"] for each in said["variants"]] == [20, 12]

    answer = await people.seller.patch(
        f"{PRODUCTS}/{made['product_id']}",
        json={"variants": [{"options": {"Size": size}, "sale": None} for size in "SM"]},
    )
    assert answer.status_code == 200, answer.text
    assert (await product(people, made))["was_price"] is None


async def test_without_a_sale_a_price_is_compared_with_what_is_higher(people):
    made = await listed(people, compare_at_price=25)
    assert (await product(people, made))["was_price"] == 25
    await sells(people, made, price=30)
    assert (await product(people, made))["was_price"] is None
    await sells(people, made, compare_at_price=None, price=20)
    assert (await product(people, made))["was_price"] is None


async def test_a_sale_that_is_over_is_not_in_the_way_of_a_lower_price(people, clock_ahead):
    made = await listed(people)
    await sells(people, made, sale={"price": 15, "until": at(60)})
    clock_ahead(120)
    assert (await sells(people, made, price=12))["sale"] is None
    await sells(people, made, sale={"price": 11})
    answer = await people.seller.patch(f"{OFFERS}/{made['offer_id']}", json={"price": 10})
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/sale/price")


async def test_of_two_sellers_the_cheaper_is_featured_when_a_sale_begins(people, clock_ahead):
    made = await listed(people, gtin="4006381333931")
    assert (await people.shopper.post(f"{PREFIX}/sellers", json={"name": "Ann's"})).status_code == 201
    other = await people.shopper.post(
        OFFERS,
        json={"gtin": "4006381333931", "price": 30, "quantity": 1, "sale": {"price": 9, "from": at(600)}},
    )
    assert other.status_code == 201, other.text
    assert (await product(people, made))["offer_id"] == made["offer_id"]
    clock_ahead(601)
    said = await product(people, made)
    assert (said["offer_id"], said["price"], said["was_price"]) == (other.json()["offer_id"], 9, 30)
    standing = (await people.seller.get(f"{OFFERS}/{made['offer_id']}/featured")).json()
    assert (standing["featured"], standing["price_to_win"]) == (False, 9)


async def test_the_rule_in_python_and_in_the_database_is_one(people):
    db = await asyncpg.connect(
        **people.shop.settings.database(),
        user="mercat_catalog",
        password=people.shop.settings.secret("mercat_catalog"),
    )
    now = datetime(2026, 11, 27, 12, tzinfo=UTC)
    bounds = [None, now - HOUR, now, now + HOUR]
    made = await listed(people)
    offer_id = parse(OfferId, made["offer_id"])
    asked = """
        select catalog.price_at(o, $6), catalog.was_price_at(o, $6)
        from (select (jsonb_populate_record(o, jsonb_build_object('price', $2::bigint,
            'compare_at_price', $7::bigint, 'sale_price', $3::bigint, 'sale_from', $4::timestamptz,
            'sale_until', $5::timestamptz))).*
            from catalog.offer o where offer_id = $1) o"""
    asked = asked.replace("price_at(o, $6)", "price_at(row(o.*)::catalog.offer, $6)")
    cases = itertools.product([100], [None, 50, 100, 120], bounds, bounds, [now], [None, 80, 150])
    for price, reduced, begins, ends, when, compared in cases:
        sale = None if reduced is None else SalePrice(price=reduced, begins_at=begins, ends_at=ends)
        ours = priced(price, compared, sale, when)
        theirs = await db.fetchrow(asked, int(offer_id), price, reduced, begins, ends, when, compared)
        assert theirs is not None
        assert (ours.price, ours.was_price) == tuple(theirs), (reduced, begins, ends, compared)
    await db.close()


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (3_600, PUBLIC),
        (4.5, "public, max-age=2, must-revalidate"),
        (2.5, "public, max-age=1, must-revalidate"),
        (1.5, "public, max-age=0, must-revalidate"),
        (0.5, "public, max-age=0, must-revalidate"),
        (-5, "public, max-age=0, must-revalidate"),
    ],
)
def test_no_cache_keeps_a_price_beyond_the_next_flip(left, kept):
    now = datetime(2026, 11, 27, 12, tzinfo=UTC)
    clock.clock.drive(lambda: now)
    try:
        assert public_headers("p", until=now + timedelta(seconds=left))["Cache-Control"] == kept
    finally:
        clock.clock.drive(None)


SHOPIFY = {"handle": "cup", "title": "Cup", "variant_price": "15.00"}
WOO = {"sku": "C", "type": "simple", "name": "Cup", "regular_price": "20"}
GOOGLE = {"id": "C", "title": "Cup", "availability": "in stock", "price": "20 USD", "sale_price": "15 USD"}
MAGENTO = {
    "sku": "C",
    "attribute_set_code": "Default",
    "product_type": "simple",
    "name": "Cup",
    "price": "20",
}
PLAIN = {"external_id": "C", "title": "Cup", "price": "20"}
BLACK_FRIDAY = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (SHOPIFY | {"variant_compare_at_price": "20.00"}, (1_500, 2_000, None)),
        (SHOPIFY | {"variant_compare_at_price": "12.00"}, (1_500, None, None)),
        (WOO | {"sale_price": "15"}, (2_000, None, (1_500, None, None))),
        (
            WOO
            | {
                "sale_price": "15",
                "date_sale_price_starts": "2026-11-27",
                "date_sale_price_ends": "2026-11-27",
            },
            (2_000, None, (1_500, BLACK_FRIDAY, BLACK_FRIDAY + 24 * HOUR)),
        ),
        (WOO | {"sale_price": "25"}, (2_000, None, None)),
        (WOO | {"regular_price": "", "sale_price": "15"}, (1_500, None, None)),
        (GOOGLE, (2_000, None, (1_500, None, None))),
        (
            GOOGLE | {"sale_price_effective_date": "2026-11-27T02:00+0200/2026-11-27T09:00-0300"},
            (2_000, None, (1_500, BLACK_FRIDAY, BLACK_FRIDAY + 12 * HOUR)),
        ),
        (
            MAGENTO | {"special_price": "15", "special_price_from_date": "2026-11-27", "msrp": "30"},
            (2_000, 3_000, (1_500, BLACK_FRIDAY, None)),
        ),
        (
            PLAIN | {"compare_at_price": "30", "sale_price": "15", "sale_until": "2026-11-27T01:00Z"},
            (2_000, 3_000, (1_500, None, BLACK_FRIDAY + HOUR)),
        ),
    ],
)
def test_files_of_other_shops_bring_their_sales(row, wanted):
    [variant] = recognise([row]).read(Columns(row)).variants
    sale = variant.sale and (variant.sale.price, variant.sale.begins_at, variant.sale.ends_at)
    assert (variant.price, variant.compare_at_price, sale) == wanted


async def test_a_row_that_says_only_a_sale_changes_only_that(people):
    seller = await people.shop.sellers.by_name("Feeder")
    whole = {"external_id": "C", "title": "A blue cup", "price": "20", "quantity": "3"}
    part = {"external_id": "C", "sale_price": "15"}
    for row in (whole, part):
        read = recognise([row]).read(Columns(row))
        await people.shop.sellers.list_many(seller, ImportBatch(rows=[read], overrules=True))
    [card] = (await people.nobody.get("/feeds/google.xml")).text.split("<item>")[1:]
    assert "<g:price>20.00 USD</g:price><g:sale_price>15.00 USD</g:sale_price>" in card


async def lowest(people, made) -> float | None:
    said = await product(people, made)
    assert said["offers"][0]["lowest_price_30_days"] == said["lowest_price_30_days"]
    return said["lowest_price_30_days"]


DAY = 86_400


async def test_the_lowest_price_of_the_thirty_days_before_a_reduction(people, clock_ahead):
    made = await listed(people)
    assert await lowest(people, made) is None
    clock_ahead(1 * DAY)
    await sells(people, made, price=16)
    clock_ahead(2 * DAY)
    await sells(people, made, price=25)
    assert await lowest(people, made) is None
    clock_ahead(10 * DAY)
    await sells(people, made, sale={"price": 18})
    assert await lowest(people, made) == 16
    clock_ahead(20 * DAY)  # a reduction that goes on longer is the same one
    await sells(people, made, sale={"price": 18, "until": at(45 * DAY)})
    assert await lowest(people, made) == 16
    clock_ahead(46 * DAY)  # it ended by itself: nobody wrote anything
    assert await lowest(people, made) is None
    await sells(people, made, sale={"price": 20})
    assert await lowest(people, made) == 18
    await sells(people, made, sale=None)
    clock_ahead(120 * DAY)
    await sells(people, made, sale={"price": 20})
    assert await lowest(people, made) == 25


async def test_former_prices_are_dropped_once_no_reduction_can_be_compared_with_them(people, clock_ahead, db):
    made, retelling = await listed(people), people.shop.catalog.retelling
    steps = [
        (1, {"price": 16}),
        (2, {"price": 25}),
        (50, {"compare_at_price": 30}),
        (51, {"sale": {"price": 18, "until": at(90 * DAY)}}),
        (60, {"sale": {"price": 17, "from": at(60 * DAY), "until": at(62 * DAY)}}),
        (100, {"price": 22}),
        (101, {"price": 24}),
        (150, {"sale": {"price": 20}}),
        (200, {"sale": None}),
    ]
    asked = """select array(select catalog.lowest_price_at(o, $1::timestamptz + n * interval '9 days')
        from generate_series(0, 20) n) from catalog.offer o"""
    dropped = 0
    for day, change in steps:
        clock_ahead(day * DAY)
        await sells(people, made, **change)
        moment = datetime.fromisoformat(at(day * DAY))
        before = await db.fetchval(asked, moment)
        rows = await db.fetchval("select count(*) from catalog.former_price")
        assert await retelling.prune_prices(OfferId(0)) is not None
        assert await db.fetchval(asked, moment) == before
        dropped += rows - await db.fetchval("select count(*) from catalog.former_price")
    assert dropped > 3
    last = await db.fetchval("select max(offer_id) from catalog.former_price")
    assert await retelling.prune_prices(OfferId(last)) is None


async def test_the_lowest_price_counts_a_sale_that_only_its_times_began(people, clock_ahead):
    made = await listed(people)
    await sells(people, made, sale={"price": 9, "from": at(5 * DAY), "until": at(6 * DAY)})
    clock_ahead(5.5 * DAY)
    assert await lowest(people, made) == 20
    clock_ahead(10 * DAY)
    await sells(people, made, sale={"price": 15})
    assert await lowest(people, made) == 9


async def test_the_lowest_price_stands_beside_a_reduction_where_the_law_asks_for_it(people):
    made = await listed(people, sale={"price": 15})
    page = f"/p/{made['product_id']}"
    assert "Lowest price in the 30 days" not in (await people.nobody.get(page)).text
    assert await lowest(people, made) == 15
    assert says_lowest_price("auto", "EUR")
    assert not says_lowest_price("auto", "USD")
    assert says_lowest_price("always", "USD")
    assert not says_lowest_price("never", "EUR")
