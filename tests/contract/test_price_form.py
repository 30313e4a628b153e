"""A seller's form of a price: with a sale in their own time zone, and rules of quantity."""

import re

import pytest
from one_scene import one_scene

from mercat.ids import OfferId, parse
from mercat.web.routes import PREFIX

CUP = {"title": "A blue cup", "description": "", "category": "Cups", "price": 20, "quantity": 9}
EMPTY = dict.fromkeys(("compare_at_price", "sale_price", "sale_from", "sale_until", "min", "max", "step"), "")


@pytest.fixture
async def form(people):
    made = (await people.seller.post(f"{PREFIX}/seller/products", json=CUP)).json()
    at = f"/desk/prices/{made['offer_id']}"
    token = re.search(r'name="csrf" value="([^"]+)"', (await people.seller.get(at)).text)
    assert token

    async def send(**typed):
        body = EMPTY | {"price": "20", "zone": "Europe/Vienna", "csrf": token[1]} | typed
        answer = await people.seller.post(at, data=body)
        offer_id = parse(OfferId, made["offer_id"])
        return answer, (await people.shop.catalog.offers([offer_id]))[offer_id], at

    return send


async def test_a_seller_types_a_sale_in_their_own_time_zone(people, form):
    answer, offer, at = await form(
        sale_price="15", sale_from="2036-07-01T09:00", sale_until="2036-12-24T18:00:30", compare_at_price="25"
    )
    assert answer.status_code == 303, answer.text
    assert (offer.sale.price, offer.compare_at_price, offer.regular_price) == (1_500, 2_500, 2_000)
    assert offer.sale.begins_at.isoformat() == "2036-07-01T07:00:00+00:00"
    assert offer.sale.ends_at.isoformat() == "2036-12-24T17:00:30+00:00"
    people.seller.cookies.set("zone", "Europe/Vienna")
    page = (await people.seller.get(at)).text
    assert 'value="2036-07-01T09:00:00"' in page
    assert 'value="2036-12-24T18:00:30"' in page
    _, offer, _ = await form()
    assert (offer.sale, offer.compare_at_price) == (None, None)


async def test_a_seller_types_rules_of_quantity(people, form):
    answer, offer, _ = await form(min="2", step="2", max="10", per_customer="20")
    assert answer.status_code == 303, answer.text
    rules = offer.quantity_rules
    assert (rules.min, rules.step, rules.max, rules.per_customer) == (2, 2, 10, 20)


@one_scene(
    ("typed", "words"),
    [
        ({"sale_price": "25"}, "below the regular one"),
        (
            {"sale_price": "5", "sale_from": "2036-02-02T10:00", "sale_until": "2036-02-02T09:00"},
            "ends after",
        ),
        ({"sale_until": "2036-02-02T09:00"}, "Say what it costs"),
        ({"sale_price": "5", "sale_until": "soon"}, "A time is written"),
        ({"sale_price": "5", "zone": "Mars/Base"}, "A time zone is written"),
        ({"compare_at_price": "19"}, "not below it"),
        ({"min": "5", "max": "4"}, "not below the least"),
    ],
)
async def test_what_does_not_fit_is_said_at_its_field(form, typed, words):
    answer, offer, _ = await form(**typed)
    assert answer.status_code == 422
    assert words in answer.text
    assert (offer.sale, offer.compare_at_price, offer.quantity_rules) == (None, None, None)


async def test_another_sellers_price_is_not_there(people, form):
    assert (await people.shopper.post(f"{PREFIX}/sellers", json={"name": "Ann's"})).status_code == 201
    _, _, at = await form()
    assert (await people.shopper.get(at)).status_code == 404
