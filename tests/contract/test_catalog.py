"""What the catalogue promises, whether it lives in this process or behind HTTP."""

import asyncio
from contextlib import suppress
from typing import Any

import httpx
import msgspec
import pytest
from both_ways import posts_to
from starlette.applications import Starlette

from mercat import ids
from mercat.catalog import (
    API,
    Catalog,
    CategoryExists,
    CategoryUnknown,
    ImportBatch,
    ImportRow,
    ImportVariant,
    NewProduct,
    ProductChange,
)
from mercat.events import ProductChanged, RatingChanged, StockChanged
from mercat.ids import OfferId, ProductId, SellerId
from mercat.kit.event_log import deliver
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.stand_ins import remote, serve_asks
from mercat.kit.valkey import ValkeyServer
from mercat.kit.valkey_cluster import open_store

pytestmark = pytest.mark.valkeys

BOB, EVE = SellerId(7), SellerId(8)
TEA = NewProduct(
    title="Green tea",
    description="From the hills.",
    category="Tea & Herbs",
    brand="Leafy",
    price=799,
    attributes={"Grams": 100.0, "Organic": True, "Origin": "Assam"},
    images=["https://img.example/tea.jpg"],
    tags=["tea"],
    external_id="tea-1",
)


@pytest.fixture
async def local(pool, cache, settings):
    catalog = Catalog(await pool("catalog"), cache, settings)
    await catalog.add_category("Tea & Herbs")
    return catalog


@pytest.fixture(params=["in process", "over http"])
async def catalog(request, local):
    if request.param == "in process":
        yield local
    else:
        app = httpx.ASGITransport(Starlette(routes=serve_asks(API, local)))
        async with httpx.AsyncClient(transport=app, base_url="http://catalog") as http:
            yield remote(Catalog, API, posts_to(http))


@pytest.fixture
def heard(db, local):
    async def heard(*events):
        async with db.acquire() as connection, connection.transaction():
            await deliver(connection, events, [local])

    return heard


def stock(offer_id, version, available):
    return StockChanged(offer_id=offer_id, version=version, available=available)


def changes(facts):
    return [fact for fact in facts if isinstance(fact, ProductChanged)]


async def until(seen, wanted, seconds=5):
    async with asyncio.timeout(seconds):
        while await seen() != wanted:
            await asyncio.sleep(0.01)


async def test_what_is_listed_can_be_bought_at_once(catalog, told):
    listed = await catalog.create(BOB, "Bob's", TEA)

    offer = (await catalog.offers([listed.offer_id]))[listed.offer_id]
    assert (offer.title, offer.price, offer.currency, offer.status) == ("Green tea", 799, "USD", "active")
    assert (offer.product_id, offer.sku_id, offer.seller_id) == (listed.product_id, listed.sku_id, BOB)
    assert await catalog.featured(listed.product_id) == listed.offer_id
    product = await catalog.product(listed.product_id)
    assert (product.title, product.price, product.offer_id) == ("Green tea", 799, listed.offer_id)
    assert product.attributes == TEA.attributes
    assert (product.external_id, product.brand, product.tags) == ("tea-1", "Leafy", ["tea"])
    assert [place.slug for place in product.category_path] == ["tea-herbs"]

    [change] = changes(await told())
    assert (change.product_id, change.version) == (listed.product_id, 1)
    assert change.document is not None
    assert (change.document.offer_id, change.document.price) == (listed.offer_id, 799)
    assert change.document.categories == ["tea-herbs"]
    assert change.document.attributes == TEA.attributes


async def test_a_product_without_a_picture_gets_a_drawn_one(catalog):
    listed = await catalog.create(BOB, "Bob's", NewProduct(title="Cup", price=100))
    product = await catalog.product(listed.product_id)
    assert product.image_url == f"/media/art/{listed.product_id}.svg"
    assert product.category == "uncategorised"


async def test_what_cannot_be_sold_is_refused_with_the_field(catalog, told):
    for change, pointer in (
        ({"price": 0}, "/price"),
        ({"currency": "GBP"}, "/currency"),
        ({"price": 2**50, "status": "draft"}, "/price"),
    ):
        with pytest.raises(Invalid) as refused:
            await catalog.create(BOB, "Bob's", msgspec.structs.replace(TEA, **change))
        assert refused.value.facts["pointer"] == pointer
    assert await told() == []


async def test_an_external_id_is_unique_for_its_seller_only(catalog):
    await catalog.create(BOB, "Bob's", TEA)
    with pytest.raises(Invalid) as refused:
        await catalog.create(BOB, "Bob's", TEA)
    assert refused.value.facts["pointer"] == "/external_id"
    await catalog.create(EVE, "Eve's", TEA)


async def test_a_draft_in_another_currency_sells_once_its_seller_prices_and_publishes_it(catalog):
    draft = msgspec.structs.replace(TEA, price=500, currency="GBP", status="draft")
    listed = await catalog.create(BOB, "Bob's", draft)
    with pytest.raises(NotFound):
        await catalog.featured(listed.product_id)
    with pytest.raises(NotFound):
        await catalog.product(listed.product_id)
    with pytest.raises(Invalid):
        await catalog.change_offer(BOB, listed.offer_id, None, "active")

    offer = await catalog.change_offer(BOB, listed.offer_id, 650, "active")
    assert (offer.price, offer.currency, offer.status) == (650, "USD", "active")
    assert await catalog.featured(listed.product_id) == listed.offer_id


async def test_only_its_seller_changes_an_offer(catalog, told):
    listed = await catalog.create(BOB, "Bob's", TEA)
    before = len(await told())
    with pytest.raises(NotFound):
        await catalog.change_offer(EVE, listed.offer_id, 1)
    with pytest.raises(NotFound):
        await catalog.change_offer(BOB, OfferId(1), 1)
    assert (await catalog.offers([listed.offer_id]))[listed.offer_id].price == 799
    assert len(await told()) == before


async def test_a_change_that_makes_no_sense_is_refused(local):
    listed = await local.create(BOB, "Bob's", TEA)
    for change in ((-1, None), (0, None), (2**50, None), (None, "gone"), (-1, "draft"), (2**70, "draft")):
        with pytest.raises(Invalid):
            await local.change_offer(BOB, listed.offer_id, *change)
    assert (await local.offers([listed.offer_id]))[listed.offer_id].price == 799


async def test_each_change_is_told_once_whole_and_with_a_higher_version(catalog, told):
    listed = await catalog.create(BOB, "Bob's", TEA)
    await catalog.change_offer(BOB, listed.offer_id, 899)
    await catalog.change_offer(BOB, listed.offer_id, 899)  # as it is: nothing to tell
    await catalog.change_offer(BOB, listed.offer_id, None, "paused")
    await catalog.change_offer(BOB, listed.offer_id, None, "active")

    facts = changes(await told())
    assert [fact.version for fact in facts] == [1, 2, 3, 4]
    prices = [fact.document and fact.document.price for fact in facts]
    assert prices == [799, 899, None, 899]


async def test_stock_is_followed_by_version_and_replays_change_nothing(catalog, heard, told):
    listed = await catalog.create(BOB, "Bob's", TEA)
    offer = listed.offer_id

    async def in_stock():
        return (await catalog.offers([offer]))[offer].in_stock

    assert not await in_stock()
    await heard(stock(offer, 1, 5))
    assert await in_stock()
    await heard(stock(offer, 3, 0))
    assert not await in_stock()
    await heard(stock(offer, 2, 5), stock(offer, 3, 0), stock(offer, 1, 5))  # late and again
    assert not await in_stock()
    await heard(stock(offer, 6, 1), stock(offer, 5, 0))  # one batch, out of order
    assert await in_stock()
    await heard(stock(offer, 7, 3))  # still there: nothing that anybody sees
    await heard(stock(OfferId(12345), 1, 3))  # nobody's

    facts = changes(await told())
    assert [(fact.version, fact.document and fact.document.in_stock) for fact in facts] == [
        (1, False),
        (2, True),
        (3, False),
        (4, True),
    ]


async def test_ratings_are_followed_by_version_and_replays_change_nothing(catalog, heard, told):
    listed = await catalog.create(BOB, "Bob's", TEA)

    def rated(version, rating, histogram):
        return RatingChanged(
            product_id=listed.product_id,
            version=version,
            rating=rating,
            review_count=sum(histogram),
            histogram=histogram,
        )

    await heard(rated(2, 4.5, [0, 0, 0, 1, 1]))
    await heard(rated(1, 5.0, [0, 0, 0, 0, 1]), rated(2, 4.5, [0, 0, 0, 1, 1]))
    product = await catalog.product(listed.product_id)
    assert (product.rating, product.review_count, product.histogram) == (4.5, 2, [0, 0, 0, 1, 1])
    facts = changes(await told())
    ratings = [(fact.version, fact.document and fact.document.rating) for fact in facts]
    assert ratings == [(1, 0.0), (2, 4.5)]


async def test_the_featured_offer_is_the_cheapest_that_can_be_had(local, catalog, heard):
    row = ImportRow(
        external_id="shirt",
        title="Shirt",
        options={"Size": ["S", "M"]},
        variants=[
            ImportVariant(900, 0, {"Size": "S"}, "shirt-s"),
            ImportVariant(1_200, 4, {"Size": "M"}, "shirt-m"),
        ],
    )
    await local.take(ImportBatch(rows=[row]), BOB, "Bob's")
    [change] = await catalog.documents(ProductId(0))
    assert (change.document.price, change.document.in_stock) == (1_200, True)

    product = await catalog.product(change.product_id)
    assert product.options == {"Size": ["S", "M"]}
    assert [variant.options["Size"] for variant in product.variants] == ["S", "M"]
    small, medium = product.variants
    assert (small.offers[0].price, small.offers[0].in_stock) == (900, False)
    assert product.offer_id == medium.offers[0].offer_id
    assert [offer.price for offer in product.offers] == [1_200, 900]
    offer = (await catalog.offers([small.offers[0].offer_id]))[small.offers[0].offer_id]
    assert offer.title == "Shirt (S)"

    await heard(stock(small.offers[0].offer_id, 1, 2))  # cheaper, and here again
    assert await catalog.featured(change.product_id) == small.offers[0].offer_id
    await catalog.change_offer(BOB, small.offers[0].offer_id, None, "paused")
    assert await catalog.featured(change.product_id) == medium.offers[0].offer_id


async def test_categories_are_a_tree_and_each_has_a_slug_of_its_own(local, catalog):
    paths = [
        ["Phones", "Cases"],
        ["Laptops", "Cases"],
        ["Laptops"],
        ["Café & Tea"],
        ["茶"],
        ["茶壺"],
        [],
    ]
    rows = [
        ImportRow(external_id=str(n), title="x", category_path=path, variants=[ImportVariant(100)])
        for n, path in enumerate(paths)
    ]
    await local.take(ImportBatch(rows=rows, stock=1), BOB, "Bob's")

    known = {category.slug: category for category in await catalog.categories()}
    assert len({category.slug for category in known.values()}) == 9
    assert {"uncategorised", "phones", "laptops", "cafe-tea", "cha", "cha-hu"} < set(known)
    cases = {known[slug].parent_id: slug for slug in known if known[slug].name == "Cases"}
    assert cases.keys() == {known["phones"].category_id, known["laptops"].category_id}
    documents = {
        change.document.external_id: change.document for change in await catalog.documents(ProductId(0))
    }
    phones_cases = cases[known["phones"].category_id]
    assert documents["0"].category == phones_cases
    assert documents["0"].categories == ["phones", phones_cases]
    assert documents["0"].category_names == ["Phones", "Cases"]
    assert documents["6"].category == "uncategorised"

    listed = await catalog.create(BOB, "Bob's", NewProduct(title="y", price=1, category=phones_cases))
    assert (await catalog.product(listed.product_id)).category == phones_cases
    listed = await catalog.create(BOB, "Bob's", NewProduct(title="z", price=1, category="café & TEA"))
    assert (await catalog.product(listed.product_id)).category == "cafe-tea"


async def test_categories_are_told_apart_by_the_letters_of_any_script_and_by_nothing_else(local, catalog):
    names = ["日本茶", "紅茶", "Чай", "Tea", "Tea (茶)", "../..", "ペット", "ベッド", "A/V Cables"]
    slugs = [(await catalog.add_category(name)).slug for name in names]
    assert slugs[:4] == ["ri-ben-cha", "hong-cha", "chay", "tea"]
    assert slugs[6:8] == ["petto", "betdo"]
    assert len(set(slugs)) == len(names)
    for again in ("чай", "\uff34\uff25\uff21", " Tea ", "Re\u0301sume\u0301"):
        if again.startswith("Re"):
            await catalog.add_category("Résumé")
        with pytest.raises(CategoryExists):
            await catalog.add_category(again)
    for given, slug in (
        ("\uff34\uff25\uff21", "tea"),
        ("ЧАЙ", "chay"),
        ("a/v cables", slugs[8]),
        ("A\\/V Cables", slugs[8]),
    ):
        listed = await catalog.create(BOB, "Bob's", NewProduct(title="x", price=1, category=given))
        assert (await catalog.product(listed.product_id)).category == slug
    await local.take(
        ImportBatch(
            rows=[
                ImportRow(external_id="a", title="x", category_path=["TEA", "Green"]),
                ImportRow(external_id="b", title="x", category_path=["tea", "green"]),
                ImportRow(external_id="c", title="x", category_path=["ペット"]),
            ]
        ),
        BOB,
        "Bob's",
    )
    assert [each.name for each in await catalog.categories()].count("Green") == 1
    assert "green" not in [each.name for each in await catalog.categories()]


async def test_what_is_listed_in_no_category_of_the_shop_is_refused_with_the_closest(catalog):
    await catalog.add_category("Kitchenware")
    with pytest.raises(CategoryUnknown) as refused:
        await catalog.create(BOB, "Bob's", NewProduct(title="x", price=1, category="kitchenwear"))
    assert refused.value.facts["closest"][0] == "kitchenware"
    with pytest.raises(CategoryUnknown):
        await catalog.create(BOB, "Bob's", NewProduct(title="x", price=1, category="not-a-cat"))
    assert {each.name for each in await catalog.categories()} == {
        "Uncategorised",
        "Tea & Herbs",
        "Kitchenware",
    }


async def test_one_category_is_made_by_two_who_need_it_at_the_same_time(local, pool, cache, settings):
    other = Catalog(await pool("catalog"), cache, settings)

    def rows(prefix):
        return [
            ImportRow(external_id=f"{prefix}{n}", title="x", category_path=["All", f"Kind {n}", "Small"])
            for n in range(20)
        ]

    await asyncio.gather(
        local.take(ImportBatch(rows=rows("a"), stock=1), BOB, "Bob's"),
        other.take(ImportBatch(rows=rows("b"), stock=1), EVE, "Eve's"),
    )
    known = await local.categories()
    assert len(known) == 1 + 1 + 1 + 20 + 20
    assert len({category.slug for category in known}) == len(known)


async def test_cards_come_in_the_order_asked_and_without_what_is_not_for_sale(catalog):
    tea = await catalog.create(BOB, "Bob's", TEA)
    cup = await catalog.create(BOB, "Bob's", NewProduct(title="Cup", price=300))
    gone = await catalog.create(BOB, "Bob's", NewProduct(title="Gone", status="draft"))
    asked = [cup.product_id, gone.product_id, ProductId(99), tea.product_id]
    assert [card.title for card in await catalog.cards(asked)] == ["Cup", "Green tea"]

    everything = await catalog.documents(ProductId(0))
    assert [change.product_id for change in everything] == sorted(
        [tea.product_id, cup.product_id, gone.product_id]
    )
    assert [change.document is None for change in everything] == [False, False, True]
    page = await catalog.documents(everything[0].product_id, 1)
    assert [change.product_id for change in page] == [everything[1].product_id]


async def test_a_seller_sees_their_own_offers_the_newest_first(catalog):
    mine = [
        (await catalog.create(BOB, "Bob's", NewProduct(title=f"{n}", price=1))).offer_id for n in range(3)
    ]
    await catalog.create(EVE, "Eve's", TEA)
    first = await catalog.of_seller(BOB, None, 2)
    assert [offer.offer_id for offer in first] == sorted(mine, reverse=True)[:2]
    rest = await catalog.of_seller(BOB, first[-1].offer_id, 2)
    assert [offer.offer_id for offer in rest] == [min(mine)]


async def test_a_seller_finds_their_offers_by_words_and_status_and_walks_them_by_price(catalog):
    made = {}
    for title, price in (("Green TEA 50%", 500), ("Black tea", 900), ("Tea pot", 500), ("Cup", 100)):
        product = NewProduct(title=title, price=price)
        made[title] = (await catalog.create(BOB, "Bob's", product)).offer_id
    await catalog.create(EVE, "Eve's", TEA)
    await catalog.change_offer(BOB, made["Tea pot"], None, "paused")

    async def titles(after=None, limit=50, **asked):
        return [offer.title for offer in await catalog.of_seller(BOB, after, limit, **asked)]

    assert await titles(words="tea") == ["Tea pot", "Black tea", "Green TEA 50%"]
    assert await titles(words="50% green") == ["Green TEA 50%"]
    assert await titles(words="tea_") == []
    assert await titles(words="tea", status="active") == ["Black tea", "Green TEA 50%"]
    cheapest = ["Cup", "Green TEA 50%", "Tea pot", "Black tea"]
    assert await titles(sort="cheapest") == cheapest
    for sort, walk in (("cheapest", cheapest), ("dearest", [cheapest[place] for place in (3, 1, 2, 0)])):
        seen, after = [], None
        while page := await catalog.of_seller(BOB, after, 1, sort=sort):
            seen.append(page[0].title)
            after = page[0].offer_id
        assert seen == walk


async def test_what_is_not_there_is_not_found(catalog):
    with pytest.raises(NotFound):
        await catalog.product(ids.new(ProductId))
    with pytest.raises(NotFound):
        await catalog.featured(ids.new(ProductId))
    assert await catalog.offers([OfferId(3)]) == {}


@pytest.fixture
async def elsewhere(pool, settings):
    """The catalogue in another process: caches and ears of its own."""
    store = open_store(settings.cache_url)
    other = Catalog(await pool("catalog"), store, settings)
    yield other
    await store.close()


async def listening(catalog, speaker):
    """Begins to hear news, and returns when it does."""
    task = asyncio.create_task(catalog.listen())
    heard = asyncio.Event()
    test = ids.new(ProductId)
    catalog.on_change(lambda product_id: heard.set() if product_id == test else None)
    async with asyncio.timeout(5):
        while not heard.is_set():
            await speaker._changes.clear_caches([test])
            await asyncio.sleep(0.01)
    return task


async def closed(task):
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_new_price_is_seen_in_every_process_at_once(local, elsewhere):
    listed = await local.create(BOB, "Bob's", TEA)
    ears = await listening(elsewhere, local)
    changed = []
    elsewhere.on_change(changed.append)
    assert (await elsewhere.product(listed.product_id)).price == 799
    assert (await elsewhere.product(listed.product_id)) is (await elsewhere.product(listed.product_id))

    await local.change_offer(BOB, listed.offer_id, 999)
    assert (await local.product(listed.product_id)).price == 999

    async def price():
        return (await elsewhere.product(listed.product_id)).price

    await until(price, 999, seconds=1)
    assert changed == [listed.product_id]
    await closed(ears)


async def test_what_the_back_process_changes_is_seen_too(local, elsewhere, heard):
    listed = await local.create(BOB, "Bob's", TEA)
    ears = await listening(elsewhere, local)
    assert not (await elsewhere.product(listed.product_id)).in_stock

    await heard(stock(listed.offer_id, 1, 5))
    [now] = await local.documents(ProductId(0))
    await heard(now)  # as its own follower hears it, after the commit

    async def in_stock():
        return (await elsewhere.product(listed.product_id)).in_stock

    await until(in_stock, True, seconds=1)
    await closed(ears)


async def test_without_news_a_product_is_stale_for_no_longer_than_promised(pool, cache, settings, local):
    short = msgspec.structs.replace(settings, product_cache_s=0.6)
    deaf = Catalog(await pool("catalog"), cache, short)
    listed = await local.create(BOB, "Bob's", TEA)
    await deaf.product(listed.product_id)
    began = asyncio.get_running_loop().time()

    await (await pool("catalog")).execute("update catalog.offer set price = 999")  # and nobody is told

    async def price():
        return (await deaf.product(listed.product_id)).price

    assert await price() == 799

    async def as_promised():
        asked = asyncio.get_running_loop().time()
        found = await price()
        assert found == 999 or asked - began < 0.6 + 0.2
        return found

    await until(as_promised, 999)


async def test_a_cache_that_is_away_costs_no_answer(pool, settings):
    nobody = ValkeyServer("unix:///tmp/mercat-nobody-is-here.sock")
    catalog = Catalog(await pool("catalog"), nobody, settings)
    await catalog.add_category("Tea & Herbs")
    listed = await catalog.create(BOB, "Bob's", TEA)
    assert (await catalog.product(listed.product_id)).price == 799
    await catalog.change_offer(BOB, listed.offer_id, 999)
    assert (await catalog.product(listed.product_id)).price == 999
    await nobody.close()


class Slow:
    """A database that holds back what the first reader of a product has read."""

    def __init__(self, db):
        self._db = db
        self.has_read, self.may_go_on = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._db, name)

    async def fetch(self, *asked):
        rows = await self._db.fetch(*asked)
        if not self.has_read.is_set():
            self.has_read.set()
            await self.may_go_on.wait()
        return rows


class Counted:
    """A database, and how many statements it was asked to read."""

    def __init__(self, db):
        self._db = db
        self.read = 0

    def __getattr__(self, name):
        return getattr(self._db, name)

    async def fetch(self, *asked):
        self.read += 1
        return await self._db.fetch(*asked)


async def test_a_product_that_does_not_exist_is_asked_for_once(pool, cache, settings):
    db: Any = Counted(await pool("catalog"))
    catalog, nobody = Catalog(db, cache, settings), ids.new(ids.ProductId)
    with pytest.raises(NotFound):
        await catalog.product(nobody)
    assert await catalog.names([nobody]) == []
    assert db.read == 2


@pytest.mark.parametrize("told", ["cleared", "kept by another", "by word alone"])
async def test_who_is_slow_never_puts_an_older_product_into_the_caches(pool, cache, settings, local, told):
    """Read before a change and kept after it: neither others nor the slow one itself see it again."""
    listed = await local.create(BOB, "Bob's", TEA)
    slow: Any = Slow(await pool("catalog"))
    late, other = Catalog(slow, cache, settings), Catalog(await pool("catalog"), cache, settings)
    reading = asyncio.create_task(late.product(listed.product_id))
    await slow.has_read.wait()
    if told == "cleared":
        await local.change_offer(BOB, listed.offer_id, 999)
    else:  # the change is committed, and nobody has been told yet but one who reads
        nobody = ValkeyServer("unix:///tmp/mercat-nobody-is-here.sock")
        await Catalog(await pool("catalog"), nobody, settings).change_offer(BOB, listed.offer_id, 999)
        await nobody.close()
        if told == "kept by another":
            assert (await other.product(listed.product_id)).price == 999
        else:
            assert (await late.product(listed.product_id)).price == 999
    slow.may_go_on.set()
    assert (await reading).price == 799  # it asked before
    for reader in (late, other, Catalog(await pool("catalog"), cache, settings)):
        assert (await reader.product(listed.product_id)).price == 999


async def test_a_process_that_has_seen_a_version_asks_for_no_older_one(pool, cache, settings, local):
    """The shared cache lost what it knew: an older product in it is passed by."""
    listed = await local.create(BOB, "Bob's", TEA)
    short = msgspec.structs.replace(settings, product_cache_s=0)
    reader = Catalog(await pool("catalog"), cache, short)
    await Catalog(await pool("catalog"), cache, settings).product(listed.product_id)
    older = await cache.do("GET", f"product:{listed.product_id}")
    await local.change_offer(BOB, listed.offer_id, 999)
    assert (await reader.product(listed.product_id)).price == 999
    await cache.do("SET", f"product:{listed.product_id}", older)
    assert (await reader.product(listed.product_id)).price == 999


async def test_a_seller_sees_a_product_as_it_stands_and_changes_it(catalog):
    listed = await catalog.create(BOB, "Bob's", TEA)
    standing = await catalog.listing(BOB, listed.product_id)
    assert (standing.title, standing.category, standing.brand) == ("Green tea", "tea-herbs", "Leafy")
    assert standing.attributes == {"Grams": 100.0, "Organic": True, "Origin": "Assam"}
    assert [image.url for image in standing.images] == ["https://img.example/tea.jpg"]
    await catalog.change_product(BOB, listed.product_id, ProductChange(title="Black tea", brand=None))
    changed = await catalog.listing(BOB, listed.product_id)
    assert changed == msgspec.structs.replace(standing, mark=changed.mark, title="Black tea", brand=None)
    assert changed.mark != standing.mark
    for seller, product in ((EVE, listed.product_id), (BOB, ProductId(99))):
        with pytest.raises(NotFound):
            await catalog.listing(seller, product)


async def test_of_two_who_edit_one_listing_the_second_is_told(catalog):
    listed = await catalog.create(BOB, "Bob", NewProduct(title="Tea", price=100, currency="USD"))
    seen = (await catalog.listing(BOB, listed.product_id)).mark
    changes = [ProductChange(title=title) for title in ("Green tea", "Black tea")]
    said = await asyncio.gather(
        *(catalog.change_product(BOB, listed.product_id, change, seen) for change in changes),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in said) == ["Changed", "Stale"]
    kept = await catalog.listing(BOB, listed.product_id)
    taken = changes[[type(each).__name__ for each in said].index("Changed")]
    assert kept.title == taken.title
    assert kept.mark != seen
    await catalog.change_product(BOB, listed.product_id, taken, seen)  # sent twice: it is so already
    assert await catalog.listing(BOB, listed.product_id) == kept
