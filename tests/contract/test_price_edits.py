"""Prices of many offers changed at once: seen first, set in the background, put back."""

import asyncio
import itertools
import re

import asyncpg
import pytest
from contract.test_seller_imports import counts, sends
from contract.test_undo import undone
from journeys.people import ok, until
from one_scene import one_scene

from mercat.catalog import OffersMeant, PriceEdit, PriceMove, SalePrice
from mercat.catalog.rules import ending_so, moved
from mercat.ids import ImportId, OfferId, parse
from mercat.kit import clock
from mercat.web.routes import PREFIX

PATH = f"{PREFIX}/seller/price-edits"
GOODS = """external_id,title,price,quantity
mug,Mug,10,7
jar,Blue jar,12.34,5
pan,Blue pan,30,3
"""


@pytest.fixture
async def goods(people):
    await sends(people, GOODS)
    answer = await people.seller.get(f"{PREFIX}/seller/offers?limit=100")
    return {each["title"]: each["offer_id"] for each in answer.json()["offers"]}


async def preview(people, **ask):
    return ok(await people.seller.post(f"{PATH}/preview", json=ask))


async def edit(people, **ask):
    """Look, change, and wait until it is done; answers the report."""
    seen = (await preview(people, **ask))["seen"]
    answer = await people.seller.post(PATH, json=ask | {"seen": seen})
    assert answer.status_code == 202, answer.text
    return await ended(people, answer.json()["import_id"])


async def ended(people, import_id):
    found = {}

    async def is_done():
        found.update((await people.seller.get(f"{PREFIX}/seller/imports/{import_id}")).json())
        return found["status"] in ("done", "failed")

    await until(is_done, within=60)
    return found


async def prices(people):
    answer = await people.seller.get(f"{PREFIX}/seller/offers?limit=100")
    return {
        each["title"]: (each["price"], each["price_now"], each["compare_at_price"])
        for each in ok(answer)["offers"]
    }


@pytest.mark.parametrize(
    ("amount", "move", "currency", "becomes"),
    [
        (1_000, PriceMove(percent=-1_000), "USD", 900),
        (1_005, PriceMove(percent=-5_000), "USD", 503),
        (999, PriceMove(percent=333), "USD", 1_032),
        (1_000, PriceMove(amount=-250), "USD", 750),
        (1_000, PriceMove(to=5), "USD", 5),
        (1_000, PriceMove(percent=-1_250), "JPY", 875),
        (12_340, PriceMove(percent=-1_000), "KWD", 11_110),
    ],
)
def test_an_amount_follows_from_another(amount, move, currency, becomes):
    assert moved(amount, move, currency) == becomes


@pytest.mark.parametrize(
    ("amount", "ending", "currency", "becomes"),
    [
        (1_234, 99, "USD", 1_199),
        (1_250, 99, "USD", 1_299),
        (1_249, 99, "USD", 1_199),
        (1_199, 99, "USD", 1_199),
        (1_249, 0, "USD", 1_200),
        (40, 0, "USD", 100),
        (10, 99, "USD", 99),
        (1_449, 999, "USD", 999),
        (1_234, 80, "JPY", 1_280),
        (12_340, 990, "KWD", 11_990),
    ],
)
def test_of_the_prices_that_end_so_it_is_the_nearest(amount, ending, currency, becomes):
    assert ending_so(amount, ending, currency) == becomes


async def test_each_price_is_seen_before_it_changes(people, goods):
    shown = await preview(people, q="blue", price={"percent": -10}, ending=0.99)
    assert (shown["changed"], shown["unchanged"], shown["refused"]) == (2, 0, 0)
    assert {each["title"]: (each["before"]["price"], each["after"]["price"]) for each in shown["offers"]} == {
        "Blue jar": (12.34, 10.99),
        "Blue pan": (30, 26.99),
    }
    assert (await prices(people))["Blue jar"][0] == 12.34
    report = await edit(people, q="blue", price={"percent": -10}, ending=0.99)
    assert (report["status"], counts(report)) == ("done", [2, 0, 2, 0, 0])
    assert report["file"] == "Prices 10 % less, ending in $0.99"
    assert {name: each[0] for name, each in (await prices(people)).items()} == {
        "Mug": 10,
        "Blue jar": 10.99,
        "Blue pan": 26.99,
    }
    document = await people.nobody.get(f"/p/{await product_of(people, goods['Blue jar'])}")
    assert "$10.99" in document.text


async def product_of(people, offer_id):
    offer_id = parse(OfferId, offer_id)
    return (await people.shop.catalog.offers([offer_id]))[offer_id].product_id


async def test_a_sale_and_what_it_is_compared_with(people, goods):
    only = [goods["Mug"], goods["Blue pan"]]
    sale = {"price": {"percent": -20}, "until": "2199-01-01T00:00:00Z"}
    await edit(people, offers=only, price={"amount": -1}, sale=sale, compare_at_price={"percent": 0})
    assert (await prices(people)) == {
        "Mug": (9, 7.2, 10),
        "Blue pan": (29, 23.2, 30),
        "Blue jar": (12.34, 12.34, None),
    }
    await edit(people, offers=only, sale=None, compare_at_price=None)
    assert (await prices(people))["Mug"] == (9, 9, None)


async def test_what_is_refused_says_why_and_the_others_change(people, goods):
    pan = parse(OfferId, goods["Blue pan"])
    await people.shop.catalog.set_flash_price(pan, "flash_1", 100, clock.now())
    shown = await preview(people, price={"amount": -11})
    assert {each["title"]: each["code"] for each in shown["offers"]} == {
        "Mug": "invalid",
        "Blue jar": "",
        "Blue pan": "in_flash_sale",
    }
    report = await edit(people, price={"amount": -11})
    assert counts(report) == [3, 0, 1, 0, 2]
    assert sorted(each["detail"] for each in report["problems"])[1] == "Mug: It would cost nothing, or less."
    assert (await prices(people))["Blue jar"][0] == 1.34


async def test_it_can_be_undone_and_says_what_was_changed_since(people, goods):
    before = await prices(people)
    sale = {"price": {"to": 5}}
    report = await edit(people, price={"percent": 50}, sale=sale, compare_at_price={"to": 99})
    await people.seller.patch(f"{PREFIX}/seller/offers/{goods['Blue jar']}", json={"price": 20})
    said = await undone(people, report["import_id"])
    assert said == {
        "put_back": 2,
        "changed_since": 1,
        "since": [{"kind": "offer", "title": "Blue jar"}],
    }
    after = await prices(people)
    assert {name: after[name] for name in ("Mug", "Blue pan")} == {
        name: before[name] for name in ("Mug", "Blue pan")
    }
    assert after["Blue jar"] == (20, 20, None)
    page = await people.seller.get(f"/desk/upload/{report['import_id']}")
    assert "<li>Blue jar</li>" in page.text


async def test_a_price_that_changed_after_the_look_is_looked_at_again(people, goods):
    ask = {"price": {"percent": -10}}
    seen = (await preview(people, **ask))["seen"]
    await people.seller.patch(f"{PREFIX}/seller/offers/{goods['Mug']}", json={"price": 20})
    answer = await people.seller.post(PATH, json=ask | {"seen": seen})
    assert (answer.status_code, answer.json()["code"]) == (412, "stale")
    assert (await prices(people))["Mug"][0] == 20


async def test_one_that_changes_between_the_order_and_the_work_stays(people, goods):
    """The catalogue is asked with what was seen, after somebody set another price."""
    [seller] = await people.shop.sellers.sellers()
    mug = parse(OfferId, goods["Mug"])
    wanted = PriceEdit(meant=OffersMeant(offers=[mug]), price=PriceMove(percent=1_000))
    seen = await people.shop.catalog.preview_prices(seller.seller_id, wanted)
    await people.shop.catalog.change_offer(seller.seller_id, mug, 2_000)
    edited = await people.shop.catalog.edit_prices(seller.seller_id, ImportId(5), seen.offers)
    assert (edited.changed, [each.code for each in edited.refused]) == (0, ["changed_meanwhile"])
    assert (await prices(people))["Mug"][0] == 20


async def test_the_same_work_again_changes_nothing_and_counts_the_same(people, goods, db):
    """As a process does that died after the commit: even if somebody changed a price since."""
    [seller] = await people.shop.sellers.sellers()
    wanted = PriceEdit(price=PriceMove(percent=1_000))
    seen = await people.shop.catalog.preview_prices(seller.seller_id, wanted)
    first = await people.shop.catalog.edit_prices(seller.seller_id, ImportId(5), seen.offers)
    await people.shop.catalog.change_offer(seller.seller_id, parse(OfferId, goods["Mug"]), 1_000)
    before = await prices(people)
    again = await people.shop.catalog.edit_prices(seller.seller_id, ImportId(5), seen.offers)
    assert (again, again.changed) == (first, 3)
    assert await prices(people) == before
    assert before["Mug"][0] == 10


async def test_a_process_that_dies_before_the_commit_leaves_all_to_the_next(people, goods, db):
    class Dies(Exception):
        """What a process that is killed does to its transaction."""

    [seller] = await people.shop.sellers.sellers()
    seen = await people.shop.catalog.preview_prices(
        seller.seller_id, PriceEdit(price=PriceMove(percent=1_000))
    )
    execute = asyncpg.Connection.execute

    async def failing(self, query, *args, **more):
        if "catalog.tell " in query:
            raise Dies
        return await execute(self, query, *args, **more)

    before = await prices(people)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg.Connection, "execute", failing)
        with pytest.raises(Dies):
            await people.shop.catalog.edit_prices(seller.seller_id, ImportId(5), seen.offers)
    assert await prices(people) == before
    assert (await people.shop.catalog.edit_prices(seller.seller_id, ImportId(5), seen.offers)).changed == 3


async def test_pressed_twice_it_is_begun_once(people, goods, db):
    ask = {"price": {"percent": -10}}
    ask["seen"] = (await preview(people, **ask))["seen"]
    headers = {"idempotency-key": "k1"}
    both = await asyncio.gather(*(people.seller.post(PATH, json=ask, headers=headers) for _ in range(2)))
    begun = {each.json().get("import_id") for each in both if each.status_code == 202}
    assert len(begun) == 1, [each.text for each in both]
    assert await db.fetchval("select count(*) from sellers.import where format = 'prices'") == 1
    [import_id] = begun
    await ended(people, import_id)
    late = await people.seller.post(PATH, json=ask, headers=headers)
    assert (late.status_code, late.json()["import_id"]) == (202, import_id)
    assert (await prices(people))["Mug"][0] == 9


@one_scene(
    ("ask", "pointer", "code"),
    [
        ({"price": {"percent": -100}}, "/price/percent", "invalid"),
        ({"price": {"percent": 1.234}}, "/price/percent", "invalid"),
        ({"price": {"to": 0}}, "/price/to", "invalid"),
        ({"price": {"to": 1.999}}, "/price/to", "invalid"),
        ({"price": {"percent": 1, "amount": 1}}, "/price", "invalid"),
        ({"price": {}}, "/price", "invalid"),
        ({"sale": {"price": {}}}, "/sale/price", "invalid"),
        ({"compare_at_price": {"percent": 1, "to": 3}}, "/compare_at_price", "invalid"),
        ({"ending": -1}, "/ending", "invalid"),
        ({"q": "blue"}, None, "no_price_changes"),
        ({"offers": [], "ending": 0.99}, "/offers", "invalid"),
        ({"offers": ["off_0000000000000001"], "ending": 0.99}, "/offers", None),
    ],
)
async def test_what_makes_no_sense_is_pointed_at(people, goods, ask, pointer, code):
    answer = await people.seller.post(f"{PATH}/preview", json=ask)
    assert answer.status_code in (404, 422), answer.text
    problem = answer.json()
    assert code is None or problem["code"] == code
    assert pointer is None or problem["pointer"].startswith(pointer)


@one_scene(
    ("name", "wrong"),
    itertools.product(["percent", "amount", "to"], ["10", True, [], {}, "", 10**30]),
)
async def test_what_is_no_number_is_pointed_at(people, goods, name, wrong):
    for ask, at in (
        ({"price": {name: wrong}}, "/price"),
        ({"compare_at_price": {name: wrong}}, "/compare_at_price"),
        ({"sale": {"price": {name: wrong}}}, "/sale/price"),
    ):
        answer = await people.seller.post(f"{PATH}/preview", json=ask)
        assert (answer.status_code, answer.json()["pointer"]) == (422, f"{at}/{name}"), answer.text


async def test_another_sellers_prices_are_not_there(people, goods):
    assert (await people.shopper.post(f"{PREFIX}/sellers", json={"name": "Ann's"})).status_code == 201
    ask = {"offers": [goods["Mug"]], "price": {"percent": -10}}
    assert (await people.shopper.post(f"{PATH}/preview", json=ask)).status_code == 404
    ask = {"price": {"percent": -10}}
    assert ok(await people.shopper.post(f"{PATH}/preview", json=ask))["offers"] == []
    assert (await people.nobody.post(f"{PATH}/preview", json=ask)).status_code == 401


async def test_beyond_a_thousand_the_list_is_to_be_narrowed(people):
    rows = "".join(f"p{n},{'Odd' if n % 2 else 'Even'} {n},5,1\n" for n in range(1_001))
    await sends(people, f"external_id,title,price,quantity\n{rows}")
    answer = await people.seller.post(f"{PATH}/preview", json={"ending": 0.99})
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_offers")
    report = await edit(people, q="odd", ending=0.99)
    assert counts(report) == [500, 0, 500, 0, 0]


async def test_at_the_desk_it_is_seen_and_then_done(people, goods):
    query = {
        "see": "1",
        "which": "chosen",
        "offers": [goods["Mug"], goods["Blue jar"]],
        "zone": "Europe/Vienna",
    }
    typed = {
        "price": "percent_less",
        "price_by": "10",
        "sale": "to",
        "sale_by": "5",
        "sale_until": "2036-07-01T09:00",
    }
    page = await people.seller.get("/desk/price-edits", params=query | typed)
    assert page.status_code == 200, page.text
    assert "2 prices would be others" in page.text
    assert "$9.00" in page.text
    form = page.text.split('method="post" class="row"')[1].split("</form>")[0]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    answer = await people.seller.post("/desk/price-edits", data=fields)
    assert answer.status_code == 303, answer.text
    again = await people.seller.post("/desk/price-edits", data=fields)
    assert again.headers["location"] == answer.headers["location"]
    await ended(people, answer.headers["location"].rsplit("/", 1)[1])
    assert await prices(people) == {
        "Mug": (9, 5, None),
        "Blue jar": (11.11, 5, None),
        "Blue pan": (30, 30, None),
    }
    mug = parse(OfferId, goods["Mug"])
    sale = (await people.shop.catalog.offers([mug]))[mug].sale
    assert isinstance(sale, SalePrice)
    assert sale.ends_at is not None
    assert sale.ends_at.isoformat() == "2036-07-01T07:00:00+00:00"


@one_scene(
    ("typed", "words"),
    [
        ({"which": "chosen"}, "Choose at least one"),
        ({"price": "percent_less"}, "Say how much."),
        ({"price": "percent_less", "price_by": "100"}, "This does not fit"),
        ({"price": "to", "price_by": "much"}, "A number is written"),
        ({"sale_until": "2036-07-01T09:00"}, "Say what it costs meanwhile"),
        ({}, "This changes no price"),
    ],
)
async def test_what_does_not_fit_is_said_at_its_field(people, goods, typed, words):
    page = await people.seller.get("/desk/price-edits", params={"see": "1"} | typed)
    assert page.status_code == 422
    assert words in page.text
