"""A refusal says what a program needs to go on: which line, how many are left, both totals, the bank's
reason. The cart survives it, and its stock is free at once."""

import pytest
from journeys.people import BAHIA, HOME, code, new_key, ok


async def test_out_of_stock_names_the_line_and_what_is_left(town, bea):
    cup, tea = await bea.lists("A cup"), await bea.lists(quantity=3)
    gus, ida = await (await town.guest()).ready(), await (await town.guest()).ready()
    await gus.puts(cup["offer_id"], 1)
    await gus.puts(tea["offer_id"], 3)
    await ida.puts(tea["offer_id"], 1)
    await ida.buys()
    lines = [item["offer_id"] for item in (await gus.cart())["items"]]
    refused = await gus.tries_to_buy()
    assert code(refused) == (409, "out_of_stock")
    problem = refused.json()
    assert (problem["offer_id"], problem["available"]) == (tea["offer_id"], 2)
    assert problem["pointer"] == f"/items/{lines.index(tea['offer_id'])}"
    assert "Only 2" in problem["detail"]
    ok(await gus.ask("PATCH", f"/cart/items/{tea['offer_id']}", {"quantity": 2}))
    assert (await gus.buys())["status"] == "confirmed"
    assert await bea.stock(tea["offer_id"]) == 0
    assert await bea.stock(cup["offer_id"]) == 9


async def test_a_changed_price_says_both_totals_and_may_be_accepted_with_the_same_key(town, bea):
    tea = await bea.lists(price=10.0)
    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"], 2)
    key = new_key()
    refused = await gus.tries_to_buy(key, expected_total=20.0)
    assert code(refused) == (409, "price_changed")
    problem = refused.json()
    assert (problem["expected_total"], problem["total"]) == (20.0, 26.24)
    assert (await gus.cart())["item_count"] == 2
    bought = ok(await gus.tries_to_buy(key, expected_total=problem["total"]), 201)
    assert bought["total"] == 26.24


async def test_a_declined_card_says_why_and_another_card_is_another_key(town, bea):
    tea = await bea.lists(quantity=2)
    gus = await (await town.guest()).ready("tok_declined")
    await gus.puts(tea["offer_id"], 2)
    refused = await gus.tries_to_buy()
    assert code(refused) == (402, "payment_declined")
    assert refused.json()["reason"] == "card_declined"
    assert await bea.stock(tea["offer_id"]) == 2
    assert (await gus.cart())["item_count"] == 2
    await gus.pays_by("tok_visa")
    assert (await gus.buys())["status"] == "confirmed"


async def test_where_we_do_not_deliver_points_to_the_address(town, bea):
    tea = await bea.lists(quantity=1)
    gus = await (await town.guest()).ready(**BAHIA)
    await gus.puts(tea["offer_id"])
    where = {name: gus.way[name] for name in ("shipping_address_id", "shipping_method")}
    for refused in (await gus.tries_to_buy(), await gus.ask("POST", "/quotes", where)):
        assert code(refused) == (422, "address_not_served")
        assert refused.json()["pointer"] == "/shipping_address_id"
    assert await bea.stock(tea["offer_id"]) == 1


async def test_payments_and_refunds_of_an_order_say_the_same(town, bea):
    tea = await bea.lists(quantity=4, price=10.0)
    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"], 2)
    order = await gus.buys()
    await bea.saw(await bea.ships(order["order_id"]), "delivered")
    [line] = order["lines"]
    seen = []
    for _ in range(2):
        unit = {"order_line_id": line["order_line_id"], "quantity": 1}
        ask = {"lines": [unit], "reason": "not_needed"}
        back = (await gus.post(f"/orders/{order['order_id']}/returns", ask))["return_id"]
        await bea.post(f"/seller/returns/{back}/approve")
        await bea.post(f"/seller/returns/{back}/receive", {"lines": [{**unit, "condition": "sellable"}]})
        [payment] = (await gus.order(order["order_id"]))["payments"]
        seen.append((payment["status"], payment["amount"], [r["amount"] for r in payment["refunds"]]))
    assert seen == [
        ("partially_refunded", 26.24, [10.62]),
        ("partially_refunded", 26.24, [10.62, 10.63]),
    ]
    await gus.puts(tea["offer_id"], 1)
    other = await gus.buys()
    cancelled = await gus.post(f"/orders/{other['order_id']}/cancel")
    [payment] = cancelled["payments"]
    assert (payment["status"], payment["refunds"][0]["amount"]) == ("refunded", other["total"])
    assert {refund["status"] for refund in payment["refunds"]} == {"done"}


NUL = "a\0b"
LISTING = {
    "title": "Tea",
    "description": "",
    "category": "tea",
    "price": 3,
    "currency": "USD",
    "quantity": 1,
}


@pytest.mark.parametrize(
    ("path", "body", "refused", "pointer"),
    [
        ("/cart/items", {"quantity": 1, "product_id": 5}, (422, "invalid"), "/product_id"),
        ("/cart/items", {"quantity": 1, "product_id": ["a"]}, (422, "invalid"), "/product_id"),
        ("/cart/items", {"quantity": 1, "offer_id": "prod_0000000000001"}, (422, "invalid"), "/offer_id"),
        (
            "/cart/items",
            {"quantity": 1, "product_id": "prod_0000000000001"},
            (404, "not_found"),
            "/product_id",
        ),
        ("/cart/items", {"quantity": 1, "offer_id": "off_0000000000001"}, (404, "not_found"), "/offer_id"),
        ("/cart/items", {"quantity": 1, "product_id": NUL}, (422, "invalid"), "/product_id"),
        ("/addresses", {**HOME, "line1": " "}, (422, "invalid"), "/line1"),
        ("/addresses", {**HOME, "postal_code": "\n"}, (422, "invalid"), "/postal_code"),
        ("/addresses", {**HOME, "more": [{"deep": NUL}]}, (422, "invalid"), "/more/0/deep"),
        (
            "/accounts",
            {"email": "a@b.example\n", "password": "longenough", "name": "A"},
            (422, "invalid"),
            "/email",
        ),
        ("/seller/products", {**LISTING, "attributes": {"k" * 101: 1}}, (422, "invalid"), "/attributes"),
        ("/seller/products", {**LISTING, "attributes": {"": 1}}, (422, "invalid"), "/attributes"),
        ("/seller/products", {**LISTING, "attributes": {NUL: 1}}, (422, "invalid"), "/attributes"),
        (
            "/seller/shipments",
            {
                "order_id": "ord_0000000000001",
                "lines": [{"order_line_id": "oli_0000000000001", "quantity": 1}],
                "carrier": "Post",
                "tracking_number": "T",
            },
            (404, "not_found"),
            "/order_id",
        ),
    ],
)
async def test_a_refusal_points_to_the_field(bea, path, body, refused, pointer):
    said = await bea.ask("POST", path, body)
    assert code(said) == refused
    assert said.json()["pointer"] == pointer


async def test_a_parameter_that_no_text_may_be_is_named(town):
    said = await town.nobody.ask("GET", "/search?sort=rating&q=a%00b")
    assert code(said) == (422, "invalid")
    assert said.json()["pointer"] == "/q"


async def test_who_is_asked_to_sign_in_is_told_how(town):
    said = await town.nobody.ask("GET", "/cart")
    assert code(said) == (401, "sign_in_first")
    assert said.headers["www-authenticate"] == "Bearer"


async def test_a_quote_that_no_longer_holds_is_pointed_to(town, bea):
    tea = await bea.lists()
    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"])
    refused = await gus.tries_to_buy(quote_id="quo_of-somebody-else")
    assert code(refused) == (409, "quote_expired")
    assert refused.json()["pointer"] == "/quote_id"


async def test_what_is_being_paid_cannot_be_counted_away(town, bea):
    tea = await bea.lists(quantity=5)
    gus = await (await town.guest()).ready("tok_3ds")
    await gus.puts(tea["offer_id"], 3)
    ok(await gus.tries_to_buy(), 202)
    shelf = f"/seller/stock/{tea['offer_id']}"
    seen = (await bea.ask("GET", shelf)).headers["etag"]
    for quantity in (0, 2):
        refused = await bea.ask("PUT", shelf, {"quantity": quantity}, if_match=seen)
        assert code(refused) == (422, "invalid")
        assert refused.json()["pointer"] == "/quantity"
        assert refused.json()["detail"].startswith("3 are held")
    assert ok(await bea.ask("PUT", shelf, {"quantity": 3}, if_match=seen))["available"] == 0


async def test_another_sellers_shelf_is_not_there_whatever_the_condition(town, bea):
    tea = await bea.lists()
    cal = await town.seller()
    for condition in ("*", '"nonsense"', '"1"'):
        refused = await cal.ask(
            "PUT", f"/seller/stock/{tea['offer_id']}", {"quantity": 1}, if_match=condition
        )
        assert code(refused) == (404, "not_found")
