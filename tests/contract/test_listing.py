"""Listing a product is one act with its stock, wherever its neighbours live and whenever a process dies."""

import asyncio
from contextlib import AsyncExitStack
from typing import get_args

import httpx
import msgspec
import pytest
from both_ways import WAYS, posts_to, reached
from starlette.applications import Starlette

from mercat.app import build_shop
from mercat.catalog import ImportBatch, ImportRow, ImportVariant, NewProduct
from mercat.cli.open_demo import ImportOptions, import_files, rows
from mercat.events import OffersListed, ProductChanged
from mercat.inventory import StockCount, StockQuantity
from mercat.kit.event_log import deliver
from mercat.kit.refusals import Invalid, KeyReused
from mercat.sellers import API, Sellers
from mercat.web.desk.listing_form import as_form, read_change, read_new
from mercat.web.forms import FormErrors

TEA = NewProduct(title="Tea", description="Green.", price=500)


class Died(Exception):
    """The process ends here."""


@pytest.fixture
async def shop(settings):
    async with AsyncExitStack() as stack:
        yield await build_shop(settings, stack)


@pytest.fixture
async def bob(shop):
    return await shop.sellers.by_name("Bob's")


@pytest.fixture(params=WAYS)
async def sellers(request, shop):
    async with reached(request.param, Sellers, API, shop.sellers) as sellers:
        yield sellers


@pytest.fixture
def imported(tmp_path, db):
    """Import generated products and a row with whatever a row may hold; answer what stands of them."""
    file = tmp_path / "products.jsonl"
    odd = {
        "external_id": "odd",
        "title": "Pot",
        "description": "é" * 30_000,
        "attributes": {"whole": 56, "half": 0.5, "yes": True, "text": "x"},
        "variants": [{"price": 100, "sku": "a/b c"}, {"price": 200, "sku": "d"}],
        "released": "2026-01-01",
    }
    lines = [*rows(60), msgspec.json.encode(odd) + b"\n"]
    file.write_bytes(b"".join(lines))

    async def imported(shop, seller):
        [done] = await import_files(
            shop,
            [file],
            ImportOptions(seller=seller),
            note=lambda note: None,
            progress=lambda done: None,
        )
        assert (done.added, done.left_out) == (61, 0)
        found = await db.fetch(
            "select p.external_id, p.title, p.description, p.attributes::text, p.tags, p.created_at, k.key,"
            " k.options::text as options, o.price, o.status, o.in_stock, s.on_hand,"
            " r.product_id is not null as rated"
            " from catalog.product p join catalog.sku k using (product_id)"
            " join catalog.offer o using (sku_id)"
            " left join inventory.stock s using (offer_id)"
            " left join reviews.rating r on r.product_id = p.product_id"
            " where o.seller_name = $1 order by p.external_id, k.place",
            seller,
        )
        return [tuple(row) for row in found]

    return imported


@pytest.fixture
def follow(db, told, shop):
    async def follow(*services):
        """Bring everything that was told so far to these services, as their followers do."""
        async with db.acquire() as connection, connection.transaction():
            await deliver(connection, await told(), services)

    return follow


async def stock(shop, offer_id):
    shelf = (await shop.inventory.stock([offer_id])).get(offer_id)
    return shelf.on_hand if shelf else None


async def test_what_is_listed_can_be_bought_when_the_verb_returns(shop, sellers, bob, told):
    listed = await sellers.list_product(bob, TEA, 12)
    assert await stock(shop, listed.offer_id) == 12
    offer = (await shop.catalog.offers([listed.offer_id]))[listed.offer_id]
    assert (offer.in_stock, offer.status, offer.seller_name) == (True, "active", "Bob's")
    facts = await told()
    assert sum(isinstance(fact, ProductChanged) for fact in facts) == 1
    [brought] = [fact for fact in facts if isinstance(fact, OffersListed)]
    assert [(each.offer_id, each.quantity) for each in brought.offers] == [(listed.offer_id, 12)]


async def test_the_stock_comes_once_whoever_brings_it_first(shop, bob, follow):
    listed = await shop.sellers.list_product(bob, TEA, 12)
    await follow(shop.inventory)
    await follow(shop.inventory)
    assert await stock(shop, listed.offer_id) == 12

    early = await shop.catalog.create(bob, "Bob's", TEA, 7)
    await follow(shop.inventory)
    assert await stock(shop, early.offer_id) == 7


@pytest.mark.parametrize("step", ["before the listing", "before the stock", "after the stock"])
async def test_dying_between_any_two_steps_leaves_no_goods_without_stock(
    shop, bob, follow, step, monkeypatch
):
    async def dies(*_):
        raise Died

    receive = shop.inventory.receive

    async def dies_afterwards(*given):
        await receive(*given)
        raise Died

    with monkeypatch.context() as patch:
        if step == "before the listing":
            patch.setattr(shop.catalog, "create", dies)
        else:
            patch.setattr(shop.inventory, "receive", dies if step == "before the stock" else dies_afterwards)
        with pytest.raises(Died):
            await shop.sellers.list_product(bob, TEA, 12, "form 1")
    await follow(shop.inventory)
    offers = await shop.catalog.of_seller(bob)
    assert len(offers) == (0 if step == "before the listing" else 1)
    assert [await stock(shop, offer.offer_id) for offer in offers] == [12] * len(offers)

    again = await shop.sellers.list_product(bob, TEA, 12, "form 1")
    await follow(shop.inventory)
    assert [offer.offer_id for offer in await shop.catalog.of_seller(bob)] == [again.offer_id]
    assert await stock(shop, again.offer_id) == 12


async def test_a_key_lists_once_and_one_thing_only(shop, sellers, bob):
    first, *rest = await asyncio.gather(*(sellers.list_product(bob, TEA, 3, "key") for _ in range(5)))
    assert rest == [first] * 4
    assert await sellers.list_product(bob, TEA, 3, "key") == first
    assert await stock(shop, first.offer_id) == 3
    for product, quantity in ((TEA, 4), (msgspec.structs.replace(TEA, title="Cup"), 3)):
        with pytest.raises(KeyReused):
            await sellers.list_product(bob, product, quantity, "key")
    eve = await shop.sellers.by_name("Eve's")
    assert await sellers.list_product(eve, TEA, 3, "key") != first
    assert len(await shop.catalog.of_seller(bob)) == 1


async def test_what_is_listed_without_stock_has_a_shelf_to_count(shop, bob):
    listed = await shop.sellers.list_product(bob, TEA, 0)
    [shelf] = await shop.inventory.owned(bob, [listed.offer_id])
    assert (shelf.on_hand, shelf.version) == (0, 1)
    assert (await shop.inventory.count(bob, listed.offer_id, 1, StockCount(5))).on_hand == 5


async def test_a_batch_follows_the_same_rule(shop, bob, follow, monkeypatch):
    rows = [
        ImportRow(external_id="mug", title="Mug", variants=[ImportVariant(500, 4, sku="a")]),
        ImportRow(external_id="cup", title="Cup", variants=[ImportVariant(300, sku="b")]),
    ]

    async def dies(*_):
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(shop.inventory, "receive", dies)
        with pytest.raises(Died):
            await shop.sellers.list_many(bob, ImportBatch(rows=rows, stock=9))
    await follow(shop.inventory)
    assert (await shop.sellers.list_many(bob, ImportBatch(rows=rows, stock=9))).unchanged == 2
    offers = {offer.title: offer.offer_id for offer in await shop.catalog.of_seller(bob)}
    assert {title.split()[0]: await stock(shop, offer) for title, offer in offers.items()} == {
        "Mug": 4,
        "Cup": 9,
    }


async def test_how_many_may_be_listed_is_what_may_be_counted(shop, bob):
    """One type for the field of a form, the API and the shelf."""
    most = get_args(StockQuantity)[1].le
    async with reached("over http", Sellers, API, shop.sellers) as sellers:
        listed = await sellers.list_product(bob, TEA, most)
        with pytest.raises(Invalid):
            await sellers.list_product(bob, TEA, most + 1)
    assert await stock(shop, listed.offer_id) == most
    counted = msgspec.convert({"quantity": most}, StockCount)
    assert (await shop.inventory.count(bob, listed.offer_id, 1, counted)).on_hand == most
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"quantity": most + 1}, StockCount)


@pytest.mark.parametrize("apart", ["catalog", "inventory", "sellers"])
async def test_an_import_into_a_shop_of_several_processes(settings, monkeypatch, apart, shop, imported):
    """`mercat import` where one of those it needs lives elsewhere: the same products, offers and stock."""
    transport = httpx.ASGITransport(Starlette(routes=shop.host.internal_routes()))
    elsewhere = httpx.AsyncClient(transport=transport, base_url=f"http://elsewhere/internal/{apart}")
    monkeypatch.setattr("mercat.kit.host.Neighbour.__call__", lambda _, *sent: posts_to(elsewhere)(*sent))
    away = msgspec.structs.replace(settings, addresses={apart: "http://elsewhere"})
    async with AsyncExitStack() as stack:
        parted = await build_shop(away, stack)
        assert apart not in parted.host.here
        here, there = await imported(shop, "Here"), await imported(parted, "There")
    assert here == there
    assert len(here) > 60


async def test_whatever_was_imported_can_be_saved_at_the_desk_as_it_was_shown(shop, bob):
    """No limit of the form is narrower than the importer's: as many details and pictures, no description."""
    attributes = {
        **{f"Detail {n}": n / 2 for n in range(496)},
        "Text: with a colon": "a: b",
        "Of two lines": "one\ntwo",
        "Yes or no": True,
        "Long": "x" * 2_000,
    }
    row = ImportRow(
        external_id="largest",
        title="x" * 500,
        attributes=attributes,
        images=[f"https://img.example/{n}.jpg" for n in range(50)],
    )
    await shop.sellers.list_many(bob, ImportBatch(rows=[row], stock=2_000_000))
    [offer] = await shop.catalog.of_seller(bob)
    listing = await shop.catalog.listing(bob, offer.product_id)
    read = read_change(as_form(listing, offer.product_id), listing, offer.product_id)
    assert not isinstance(read, FormErrors), read
    change, _ = read
    await shop.catalog.change_product(bob, offer.product_id, change, listing.mark)
    assert await shop.catalog.listing(bob, offer.product_id) == listing


def test_the_forms_quantity_is_the_shelfs():
    typed = {"title": "Tea", "description": "Green.", "category": "tea", "price": "5"}
    for quantity, taken in (("2000000", True), ("10000000", True), ("10000001", False)):
        read = read_new({**typed, "quantity": quantity}, "USD")
        assert isinstance(read, FormErrors) != taken, read
