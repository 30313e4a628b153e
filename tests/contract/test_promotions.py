"""What promotions promise over the API: codes in the cart, quotes, exact limits, who bears what, and why."""

import asyncio

import httpx
import pytest
import waiting
from market import market as market
from market import why
from one_scene import one_scene

from mercat.checkout.preparation import Preparation
from mercat.promotions import Promotions
from mercat.web.routes import PREFIX


async def test_a_code_takes_its_percentage_off_cart_quote_and_order(market):
    promotion = await market.promotion({"percent": 10}, code="WELCOME10")
    offer = await market.lists()
    cart = await market.puts(offer, 3)
    assert (cart["discount"], cart["codes"]) == (0, [])
    cart = await market.gives("  welcome10 ")
    assert cart["codes"] == [{"code": "WELCOME10", "applied": True}]
    [discount] = cart["discounts"]
    assert (discount["promotion_id"], discount["code"], discount["amount"]) == (
        promotion["promotion_id"],
        "WELCOME10",
        3.0,
    )
    assert (cart["discount"], cart["total"]) == (3.0, 27.0)
    way = await market.way()
    quote = await market.quote(way)
    assert (quote["discount"], quote["codes"]) == (3.0, cart["codes"])
    assert quote["total"] == round(30 - 3 + quote["shipping"] + quote["tax"], 2)
    order = await market.bought(way, quote_id=quote["quote_id"], expected_total=quote["total"])
    assert (order["discount"], order["total"]) == (3.0, quote["total"])
    assert [each["amount"] for each in order["discounts"]] == [3.0]
    assert (await market.ok(market.people.shopper, "GET", "/cart"))["codes"] == []


async def test_a_code_that_is_taken_out_takes_nothing_off(market):
    await market.promotion({"amount": 4}, code="FOUR")
    await market.puts(await market.lists())
    assert (await market.gives("FOUR"))["discount"] == 4.0
    cart = await market.ok(market.people.shopper, "DELETE", "/cart/codes/four")
    assert (cart["discount"], cart["codes"]) == (0, [])
    assert (await market.ask(market.people.shopper, "DELETE", "/cart/codes/four")).status_code == 404


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        ({"when": {"min_subtotal": 50}}, "below_minimum"),
        ({"when": {"min_quantity": 6}}, "below_minimum"),
        ({"when": {"brand": ["Nobody"]}}, "not_for_these_goods"),
        ({"when": {"tag": ["sale"]}}, "not_for_these_goods"),
        ({"when": {"category": ["cups"]}}, "not_for_these_goods"),
        ({"when": {"customer_group": ["vip"]}}, "not_for_you"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "code_expired"),
        ({"starts_at": "2090-01-01T00:00:00Z"}, "code_unknown"),
        ({"when": {"category": ["tea"], "brand": ["porter"], "min_quantity": 2, "country": ["DE"]}}, None),
    ],
)
async def test_a_code_says_why_it_takes_nothing_off(market, setup, expected):
    await market.promotion({"percent": 50}, code="CODE", **setup)
    await market.puts(await market.lists(), 2)
    cart = await market.gives("CODE")
    assert why(cart) == [(expected is None, expected)]
    assert cart["discount"] == (0 if expected else 10.0)
    assert why(await market.gives("nothing"))[1] == (False, "code_unknown")


async def test_a_country_holds_once_it_is_known(market):
    await market.promotion({"percent": 50}, code="DE50", when={"country": ["DE"]})
    await market.puts(await market.lists())
    assert why(await market.gives("DE50")) == [(True, None)]
    assert why(await market.quote(await market.way())) == [(False, "not_for_you")]


async def test_one_that_does_not_combine_stands_alone_where_that_saves_more(market):
    await market.promotion({"percent": 10}, name="Ten for all")
    await market.promotion({"percent": 5}, code="FIVE", combines=False)
    await market.promotion({"percent": 30}, code="THIRTY", combines=False)
    await market.puts(await market.lists())
    cart = await market.gives("FIVE")
    assert (cart["discount"], why(cart)) == (1.0, [(False, "does_not_combine")])
    cart = await market.gives("THIRTY")
    assert (cart["discount"], why(cart)) == (3.0, [(False, "does_not_combine"), (True, None)])


async def test_delivery_is_free_from_a_subtotal_on_and_the_cart_says_how_far_it_is(market):
    await market.promotion({"free_shipping": True}, when={"min_subtotal": 30})
    offer = await market.lists()
    assert (await market.puts(offer, 2))["free_delivery_in"] == 10.0
    assert (await market.puts(offer, 1))["free_delivery_in"] == 0
    quote = await market.quote(await market.way())
    assert (quote["shipping"], quote["discount"]) == (0, 0)
    assert [each["shipping_amount"] > 0 for each in quote["discounts"]] == [True]


@pytest.mark.parametrize(
    ("then", "quantity", "discount"),
    [
        ({"percent": 12.5}, 3, 3.75),
        ({"amount": 100}, 3, 30.0),
        ({"fixed_price": 7.5}, 3, 7.5),
        ({"fixed_price": 70}, 3, 0),
        ({"buy": {"quantity": 2, "get": 1, "percent": 100}}, 5, 10.0),
        ({"buy": {"quantity": 1, "get": 1, "percent": 50}}, 5, 10.0),
    ],
)
async def test_each_benefit(market, then, quantity, discount):
    await market.promotion(then)
    assert (await market.puts(await market.lists(), quantity))["discount"] == discount


async def test_a_sellers_promotion_is_of_their_goods_and_borne_by_them(market, db):
    people = market.people
    own = await market.promotion({"percent": 20}, people.seller, "/seller/promotions")
    assert own["funded_by"] == "seller"
    cart = await market.puts(await market.lists())
    assert cart["discount"] == 2.0
    order = await market.bought(await market.way())
    assert order["discount"] == 2.0
    booked = await db.fetchval(
        "select sum(a) from payments.entry, unnest(accounts, amounts) u (n, a) where n = 'discounts'"
    )
    assert booked is None
    others = (await market.ok(people.operator, "GET", "/operator/promotions"))["promotions"]
    assert [each["promotion_id"] for each in others] == [own["promotion_id"]]
    shops = await market.promotion({"percent": 5}, code="SHOP")
    path = f"/seller/promotions/{shops['promotion_id']}"
    assert (await market.ask(people.seller, "GET", path)).status_code == 404
    assert (await market.ask(people.seller, "DELETE", path)).status_code == 404
    assert (await market.ok(people.seller, "GET", "/seller/promotions"))["promotions"] == [
        {name: value for name, value in own.items() if name != "codes"}
    ]


async def test_the_last_use_is_one_buyers_and_comes_back_when_the_order_is_cancelled(market):
    promotion = await market.promotion({"percent": 50}, code="LAST", limit=1, budget=6)
    offer = await market.lists()
    way = await market.way()
    await market.puts(offer)
    await market.gives("LAST")
    quote = await market.quote(way)
    order = await market.bought(way, quote_id=quote["quote_id"])
    assert (order["discount"], await market.uses(promotion)) == (5.0, (1, 5.0))
    await market.puts(offer)

    assert why(await market.gives("LAST")) == [(False, "code_used_up")]
    await market.ok(market.people.shopper, "POST", f"/orders/{order['order_id']}/cancel", {})

    async def given_back():
        return await market.uses(promotion) == (0, 0)

    await waiting.until(given_back)
    explained = await market.ok(
        market.people.operator, "GET", f"/operator/orders/{order['order_id']}/explain"
    )
    assert (explained["uses"], explained["because"]) == ("given_back", "the order was cancelled")
    assert [(each["applied"], each["amount"]) for each in explained["rules"]] == [(True, 5.0)]


async def test_who_finds_it_used_up_at_the_till_is_refused_before_money_moves(market, db):
    promotion = await market.promotion({"percent": 50}, code="ONCE", limit=1)
    offer = await market.lists()
    ways, quotes = [], []
    for who in (market.people.shopper, market.people.seller):
        ways.append(await market.way(who))
        await market.puts(offer, who=who)
        await market.gives("ONCE", who)
        quotes.append(await market.quote(ways[-1], who))
    first = await market.buys(ways[0], quote_id=quotes[0]["quote_id"])
    second = await market.buys(ways[1], market.people.seller, quote_id=quotes[1]["quote_id"])
    assert (first.status_code, second.status_code) == (201, 409)
    refused = second.json()
    assert (refused["code"], refused["why"], refused["promotion_id"]) == (
        "price_changed",
        "code_used_up",
        promotion["promotion_id"],
    )
    assert await db.fetchval("select count(*) from payments.payment where status = 'captured'") == 1
    assert await market.uses(promotion) == (1, 5.0)
    assert await db.fetchval("select reserved from inventory.stock") == 0


async def test_a_declined_card_gives_the_use_back(market):
    promotion = await market.promotion({"percent": 50}, code="MINE", limit=5, limit_per_customer=1)
    await market.puts(await market.lists())
    await market.gives("MINE")
    declined = await market.buys(await market.way(card="tok_declined"))
    assert (declined.status_code, await market.uses(promotion)) == (402, (0, 0))
    await market.bought(await market.way())
    await market.puts(await market.lists())
    assert why(await market.gives("MINE")) == [(False, "code_used_up")]


async def test_single_use_codes_are_each_good_once(market):
    promotion = await market.promotion({"percent": 50}, codes={"count": 3, "prefix": "VIP-"})
    path = f"/operator/promotions/{promotion['promotion_id']}"
    more = await market.ok(market.people.operator, "POST", f"{path}/codes", {"count": 2, "prefix": "Z"})
    codes = [*promotion["codes"], *more["codes"]]
    assert len(set(codes)) == 5
    assert all(code.startswith("VIP-") for code in codes[:3])
    offer = await market.lists()
    assert (await market.puts(offer))["discount"] == 0
    assert (await market.gives(codes[0].lower()))["discount"] == 5.0
    assert why(await market.gives(codes[1])) == [(True, None), (False, "does_not_combine")]
    order = await market.bought(await market.way())
    assert order["discount"] == 5.0
    await market.puts(offer)
    assert why(await market.gives(codes[0])) == [(False, "code_used_up")]
    listed = await market.ok(market.people.operator, "GET", f"{path}/codes")
    assert {each["code"] for each in listed["codes"] if each["used"]} == {codes[0]}
    assert len(listed["codes"]) == 5


async def test_a_first_order_is_somebodys_first(market, people):
    await market.promotion({"percent": 50}, code="FIRST", when={"first_order": True})
    offer = await market.lists()
    way = await market.way()
    await market.puts(offer)
    await market.gives("FIRST")
    assert (await market.bought(way))["discount"] == 5.0

    async def known():
        await market.puts(offer)
        return why(await market.gives("FIRST")) == [(False, "not_for_you")]

    await waiting.until(known)


async def test_groups_are_set_by_operators(market):
    user_id = (await market.ok(market.people.shopper, "GET", "/account"))["user_id"]
    path = f"/operator/people/{user_id}/groups"
    await market.promotion({"percent": 10}, when={"customer_group": ["Staff"]})
    offer = await market.lists()
    assert (await market.puts(offer))["discount"] == 0
    assert await market.ok(market.people.operator, "PUT", path, {"groups": ["STAFF"]}) == {
        "groups": ["staff"]
    }
    assert (await market.ok(market.people.shopper, "GET", "/cart"))["discount"] == 1.0
    assert (await market.ask(market.people.shopper, "PUT", path, {"groups": []})).status_code == 403


@one_scene(
    ("body", "pointer"),
    [
        ({"then": {}}, "/then"),
        ({"then": {"percent": 10, "amount": 5}}, "/then"),
        ({"then": {"percent": 101}}, "/then/percent"),
        ({"then": {"free_shipping": False}}, "/then/free_shipping"),
        ({"then": {"percents": 10}}, "/then/percents"),
        ({"then": {"amount": 1.005}}, "/then/amount"),
        ({"then": {"amount": 0}}, "/then/amount"),
        ({"then": {"buy": {"quantity": 0, "get": 1, "percent": 100}}}, "/then/buy/quantity"),
        ({"then": {"percent": 10}, "when": {"country": ["US", "XX"]}}, "/when/country"),
        ({"then": {"percent": 10}, "when": {"colour": ["red"]}}, "/when/colour"),
        ({"then": {"percent": 10}, "when": {"brand": "Porter"}}, "/when/brand"),
        ({"then": {"percent": 10}, "when": {"category": ["teas and more"]}}, "/when/category"),
        ({"then": {"percent": 10}, "limit": 0}, "/limit"),
        (
            {"then": {"percent": 10}, "starts_at": "2030-01-02T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"},
            "/ends_at",
        ),
    ],
)
async def test_terms_that_cannot_be_are_refused_with_their_place(market, db, body, pointer):
    answer = await market.ask(market.people.operator, "POST", "/operator/promotions", {"name": "x"} | body)
    assert (answer.status_code, answer.json().get("pointer")) == (422, pointer)
    assert ("whole number" in answer.json()["detail"]) == (pointer in ("/limit", "/then/buy/quantity"))
    assert await db.fetchval("select count(*) from promotions.promotion") == 0


async def test_a_promotion_is_changed_and_removed(market):
    promotion = await market.promotion({"percent": 10}, code="SPRING", limit=5)
    path = f"/operator/promotions/{promotion['promotion_id']}"
    changed = await market.ok(
        market.people.operator, "PATCH", path, {"then": {"percent": 20}, "limit": None, "code": "Sommer"}
    )
    assert (changed["then"], changed["limit"], changed["code"]) == ({"percent": 20}, None, "Sommer")
    await market.puts(await market.lists())
    assert why(await market.gives("spring")) == [(False, "code_unknown")]
    assert (await market.gives("sommer"))["discount"] == 2.0
    taken = await market.ask(
        market.people.operator,
        "POST",
        "/operator/promotions",
        {"name": "x", "then": {"percent": 1}, "code": "SOMMER"},
    )
    assert (taken.status_code, taken.json()["code"]) == (409, "code_taken")
    await market.ok(market.people.operator, "DELETE", path)
    assert (await market.ok(market.people.shopper, "GET", "/cart"))["discount"] == 0
    assert (await market.ask(market.people.operator, "GET", path)).status_code == 404


async def test_a_preview_says_what_a_basket_would_pay(market):
    await market.promotion({"percent": 10}, name="Ten", when={"min_quantity": 2})
    offer = await market.lists()
    body = {"items": [{"offer_id": offer, "quantity": 3}], "country": "US"}
    shown = await market.ok(market.people.operator, "POST", "/operator/promotions/preview", body)
    assert (shown["subtotal"], shown["discount"], shown["total"]) == (30.0, 3.0, 27.0)
    assert [(each["name"], each["applied"]) for each in shown["rules"]] == [("Ten", True)]


async def test_an_order_of_nothing_is_paid_and_its_books_come_back_to_nothing(market, db):
    await market.promotion({"percent": 100}, code="ALL")
    await market.promotion({"free_shipping": True}, code="SENT")
    await market.puts(await market.lists(), 2)
    await market.gives("ALL")
    await market.gives("SENT")
    order = await market.bought(await market.way(card="tok_declined"))
    assert (order["total"], order["discount"], order["shipping"]) == (0, 20.0, 0)
    await market.ok(market.people.shopper, "POST", f"/orders/{order['order_id']}/cancel", {})
    left = await db.fetch(
        "select n from payments.entry, unnest(accounts, amounts) u (n, a) group by n having sum(a) <> 0"
    )
    assert left == []


async def test_a_guests_codes_come_along_when_they_sign_in(market, people):
    await market.promotion({"percent": 10}, code="MOVES")
    token = (await people.nobody.post(f"{PREFIX}/sessions/guest")).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    offer = await market.lists()
    await people.nobody.post(f"{PREFIX}/cart/items", json={"offer_id": offer, "quantity": 1}, headers=headers)
    await people.nobody.post(f"{PREFIX}/cart/codes", json={"code": "MOVES"}, headers=headers)
    account = {"email": "ann@example.com", "password": "mercat-test"}
    signed_in = await people.nobody.post(f"{PREFIX}/sessions", json=account, headers=headers)
    assert signed_in.status_code == 201
    assert (await market.ok(people.shopper, "GET", "/cart"))["discount"] == 1.0


async def _guest(people):
    token = (await people.nobody.post(f"{PREFIX}/sessions/guest")).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    transport = people.nobody._transport
    return httpx.AsyncClient(transport=transport, base_url=people.nobody.base_url, headers=headers)


async def test_delivery_that_a_promotion_makes_cost_again_is_asked_for_once_for_a_set(market, monkeypatch):
    rate = {"code": "standard", "name": "Post", "price": 5.0, "days": 3, "free_above": 28.0}
    zones = {"zones": [{"name": "Home", "countries": ["US"], "methods": [rate]}]}
    await market.ok(market.people.operator, "PUT", "/operator/shipping-zones", zones)
    await market.promotion({"percent": 10}, code="TEN", limit=100)
    offer, buyers = await market.lists(), [await _guest(market.people) for _ in range(6)]
    ways = [await market.way(each) for each in buyers]
    for each in buyers:
        await market.puts(offer, 3, each)
    for each in buyers[1:]:
        await market.gives("TEN", each)
    reduce_many, asked = Promotions.reduce_many, []

    async def counted(self, asks):
        asked.append(len(asks))
        return await reduce_many(self, asks)

    prepare, sets = Preparation.prepare, []

    async def prepared(self, asks):
        sets.append(len(asks))
        return await prepare(self, asks)

    monkeypatch.setattr(Promotions, "reduce_many", counted)
    monkeypatch.setattr(Preparation, "prepare", prepared)
    orders = await asyncio.gather(
        *(market.buys(way, each, email="a@example.com") for way, each in zip(ways, buyers, strict=True))
    )
    shown = [
        await market.ok(each, "GET", f"/orders/{order.json()['order_id']}")
        for each, order in zip(buyers, orders, strict=True)
    ]
    assert [(each["discount"], each["shipping"]) for each in shown] == [(0, 0)] + [(3.0, 5.0)] * 5
    assert sum(sets) == len(buyers)
    assert len(asked) <= 3 * len(sets), "three for each set, however many purchases are in it"
