"""A promotion may give something: it comes along by itself, and who promised it bears it."""

import uuid

import pytest
from market import market as market
from market import why

from mercat.audit import audit
from mercat.ids import PromotionId
from mercat.kit import clock
from mercat.promotions import BENEFITS, Promotion, does_in_words, wording


async def laws(db):
    async with db.acquire() as connection:
        return [law for law in await audit(connection) if law.violations]


def gifts(cart):
    return [(item["offer_id"], item["quantity"], item["price"]) for item in cart["items"] if item["gift"]]


async def test_a_gift_comes_along_in_cart_quote_and_order(market, db):
    spoon = await market.lists(4.0)
    tea = await market.lists(10.0)
    given = await market.promotion(
        {"gift": {"offer_id": spoon}}, name="A spoon", when={"min_subtotal": 20}, limit=5
    )
    assert gifts(await market.puts(tea)) == []
    cart = await market.puts(tea)
    assert gifts(cart) == [(spoon, 1, 4.0)]
    assert (cart["subtotal"], cart["discount"], cart["total"], cart["item_count"]) == (24.0, 4.0, 20.0, 3)
    way = await market.way(region="OR", city="Portland", postal_code="97201")
    quote = await market.quote(way)
    assert (quote["subtotal"], quote["discount"]) == (24.0, 4.0)
    assert quote["total"] == round(20 + quote["shipping"], 2)
    assert [(each["name"], each["amount"]) for each in quote["discounts"]] == [("A spoon", 4.0)]
    order = await market.bought(way, quote_id=quote["quote_id"], expected_total=quote["total"])
    lines = {line["offer_id"]: (line["quantity"], line["total"], line["discount"]) for line in order["lines"]}
    assert lines == {tea: (2, 20.0, 0), spoon: (1, 4.0, 4.0)}
    assert (order["discount"], order["total"]) == (4.0, quote["total"])
    assert await market.uses(given) == (1, 4.0)
    assert (await market.ok(market.people.shopper, "GET", "/cart"))["items"] == []
    explained = await market.ok(
        market.people.operator, "GET", f"/operator/orders/{order['order_id']}/explain"
    )
    assert [(rule["applied"], rule["amount"]) for rule in explained["rules"]] == [(True, 4.0)]
    done = await market.ok(market.people.shopper, "POST", f"/orders/{order['order_id']}/cancel", {})
    assert sum(refund["amount"] for refund in done["refunds"]) == order["total"]
    assert await laws(db) == []


async def test_a_gift_that_is_bought_too_is_one_more_of_it(market, db):
    tea = await market.lists(10.0)
    await market.promotion({"gift": {"offer_id": tea}}, when={"min_quantity": 2})
    cart = await market.puts(tea, 2)
    assert [(item["quantity"], item["gift"]) for item in cart["items"]] == [(2, False), (1, True)]
    order = await market.bought(await market.way())
    assert [(line["quantity"], line["discount"]) for line in order["lines"]] == [(3, 10.0)]
    assert (await market.ok(market.people.shopper, "GET", "/cart"))["items"] == []
    assert await laws(db) == []


async def test_what_is_sold_out_does_not_come_along_and_nothing_is_refused(market):
    spoon, tea = await market.lists(4.0, quantity=0), await market.lists(10.0)
    given = await market.promotion({"gift": {"offer_id": spoon}}, code="SPOON", limit=5)
    await market.puts(tea)
    cart = await market.gives("SPOON")
    assert (gifts(cart), why(cart)) == ([], [(False, "code_used_up")])
    order = await market.bought(await market.way())
    assert [line["offer_id"] for line in order["lines"]] == [tea]
    assert await market.uses(given) == (0, 0)


async def test_a_quote_with_a_gift_holds_for_its_cart_only(market):
    spoon, tea = await market.lists(4.0), await market.lists(10.0)
    await market.promotion({"gift": {"offer_id": spoon}})
    await market.puts(tea)
    way = await market.way()
    quote = await market.quote(way)
    await market.puts(spoon)
    refused = await market.buys(way, quote_id=quote["quote_id"])
    assert (refused.status_code, refused.json()["code"]) == (409, "quote_expired")


async def test_a_sellers_gift_is_their_own(market):
    others = await market.lists(4.0)
    people = market.people
    for who, offer in ((people.seller, "off_0"), (people.seller, 7), (people.seller, None)):
        body = {"name": "x", "then": {"gift": {"offer_id": offer}}}
        refused = await market.ask(who, "POST", "/seller/promotions", body)
        assert (refused.status_code, refused.json()["pointer"]) == (422, "/then/gift/offer_id")
    other = await market.ask(people.shopper, "POST", "/sellers", {"name": f"S {uuid.uuid4().hex[:6]}"})
    assert other.status_code == 201
    body = {"name": "x", "then": {"gift": {"offer_id": others}}}
    refused = await market.ask(people.shopper, "POST", "/seller/promotions", body)
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/then/gift/offer_id")


async def test_a_form_sets_a_gift_up(market):
    spoon = await market.lists(4.0)
    await market.promotion({"gift": {"offer_id": spoon}}, name="A spoon")
    page = (await market.people.operator.get("/operator/promotions")).text
    assert "a gift" in page
    found = await market.ok(market.people.operator, "GET", "/operator/promotions")
    one = found["promotions"][0]["promotion_id"]
    assert spoon in (await market.people.operator.get(f"/operator/promotions/{one}")).text


@pytest.mark.parametrize(("percent", "shipping"), [(10, 0), (50, 6.0)])
async def test_delivery_is_free_above_what_is_paid_for_the_goods(market, percent, shipping):
    rate = {"code": "standard", "name": "Post", "price": 6, "free_above": 40, "days": 3}
    zone = {"name": "Home", "countries": ["US"], "methods": [rate]}
    await market.ok(market.people.operator, "PUT", "/operator/shipping-zones", {"zones": [zone]})
    await market.promotion({"percent": percent})
    await market.puts(await market.lists(10.0), 5)
    way = await market.way()
    path = f"/shipping-methods?address_id={way['shipping_address_id']}"
    [method] = (await market.ok(market.people.shopper, "GET", path))["methods"]
    quote = await market.quote(way)
    order = await market.bought(way)
    assert (method["price"], quote["shipping"], order["shipping"]) == (shipping, shipping, shipping)
    assert order["total"] == quote["total"]


async def test_shoppers_read_what_is_taken_off_and_why(market):
    people = market.people
    tea = await market.lists(10.0)
    await market.promotion({"percent": 10}, name="Welcome", code="WELCOME10", when={"category": ["tea"]})
    await market.promotion({"amount": 1}, name="Spring", when={"min_subtotal": 5})
    cart = await market.puts(tea)
    page = (await people.nobody.get(f"/p/{cart['items'][0]['product_id']}")).text
    assert "$1.00 off" in page
    assert "from $5.00" in page
    assert "WELCOME10" not in page
    cart = await market.gives("WELCOME10")
    words = ["10 % off tea, because of WELCOME10", "$1.00 off"]
    assert [each["words"] for each in cart["discounts"]] == words
    page = (await people.shopper.get("/cart")).text
    assert [each for each in words if each not in page] == []
    order = await market.bought(await market.way())
    assert [each["words"] for each in order["discounts"]] == words
    assert words[0] in (await people.shopper.get(f"/orders/{order['order_id']}")).text


@pytest.mark.parametrize(
    ("then", "when", "words"),
    [
        ({"percent": 12.5}, {"brand": ["Porter"]}, "12.5 % off Porter"),
        ({"amount": 500}, {}, "$5.00 off"),
        ({"fixed_price": 700}, {"tag": ["sale"]}, "sale for $7.00 each"),
        ({"free_shipping": True}, {}, "free delivery"),
        (
            {"buy": {"quantity": 2, "get": 1, "percent": 100}},
            {"category": ["home/green-tea"]},
            "buy 2 green tea, get 1 free",
        ),
        ({"buy": {"quantity": 1, "get": 1, "percent": 50}}, {}, "buy 1, get 1 at 50 % off"),
        ({"gift": {"offer_id": "off_1"}}, {}, "a gift"),
    ],
)
def test_every_kind_says_what_it_does(then, when, words):
    made = Promotion(promotion_id=PromotionId(1), name="x", then=then, when=when, created_at=clock.now())
    assert does_in_words(made, "USD") == words


def test_no_kind_is_without_words():
    assert set(wording._SAYINGS) == set(BENEFITS)
