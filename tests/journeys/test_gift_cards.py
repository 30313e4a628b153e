"""Gift cards and store credit: made by an operator, put into a cart, spent beside a card, and given back."""

import asyncio
from typing import Any

import pytest
from journeys.people import code, new_key, ok


@pytest.fixture
async def olga(town):
    return await town.signed_in("ops@example.com")


async def gift_card(olga, amount: float = 20.0) -> Any:
    return ok(await olga.ask("POST", "/operator/gift-cards", {"amount": amount, "currency": "USD"}), 201)


async def left_on(olga, card: Any) -> float:
    cards = (await olga.get("/operator/gift-cards?limit=100"))["gift_cards"]
    return next(each["balance"] for each in cards if each["gift_card_id"] == card["gift_card_id"])


async def test_an_operator_makes_lists_and_disables_gift_cards(town, bea, olga):
    card = await gift_card(olga)
    assert len(card["code"]) == 24
    [listed, *_] = (await olga.get("/operator/gift-cards?limit=1"))["gift_cards"]
    assert listed["gift_card_id"] == card["gift_card_id"]
    assert (listed["balance"], listed["currency"], listed["status"]) == (20.0, "USD", "active")
    assert listed["code"] == f"•••• {card['code'][-4:]}"
    gus = await town.guest()
    path = f"/operator/gift-cards/{card['gift_card_id']}"
    assert (await olga.post(f"{path}/disable"))["status"] == "disabled"
    refused = await gus.ask("POST", "/cart/gift-cards", {"code": card["code"]})
    assert code(refused) == (422, "gift_card_not_usable")
    assert (await olga.post(f"{path}/enable"))["status"] == "active"
    for person in (bea, gus):
        assert (await person.ask("POST", "/operator/gift-cards", {})).status_code == 403
    other = await olga.ask("POST", "/operator/gift-cards", {"amount": 5, "currency": "EUR"})
    assert code(other) == (422, "other_currency")
    assert "EUR" in other.json()["detail"]
    assert "USD" in other.json()["detail"]
    for amount in (0, -5, 0.001, "x"):
        wrong = await olga.ask("POST", "/operator/gift-cards", {"amount": amount, "currency": "USD"})
        assert (wrong.status_code, wrong.json()["pointer"]) == (422, "/amount")
    entries = (await olga.get(f"/operator/audit-log?subject={path}"))["entries"]
    assert [each["what"] for each in entries] == ["enable_gift_card", "disable_gift_card"]
    assert card["code"] not in str((await olga.get("/operator/audit-log"))["entries"])


async def test_a_gift_card_and_a_card_pay_one_order_and_each_gets_back_its_share(town, bea, olga):
    tea = await bea.lists(price=30.0)
    card = await gift_card(olga)
    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"], 2)
    typed = card["code"].lower().replace("-", " ")
    for _ in range(2):
        cart = await gus.post("/cart/gift-cards", {"code": typed})
        assert cart["gift_cards"] == [
            {
                "gift_card_id": card["gift_card_id"],
                "last4": card["code"][-4:],
                "balance": 20.0,
                "applies": 20.0,
            }
        ]
    order = await gus.buys()
    assert order["total"] == 60 + 4.99 + 3.75
    paid = [(each["kind"], each["amount"], each["status"]) for each in order["payments"]]
    assert paid == [("card", 48.74, "captured"), ("gift_card", 20.0, "captured")]
    assert await left_on(olga, card) == 0
    assert (await gus.cart())["gift_cards"] == []

    units = [{"order_line_id": order["lines"][0]["order_line_id"], "quantity": 1}]
    await gus.post(f"/orders/{order['order_id']}/cancel", {"lines": units})
    half = await left_on(olga, card)
    assert half == pytest.approx(20 * 31.87 / 68.74, abs=0.011)
    await gus.post(f"/orders/{order['order_id']}/cancel")
    assert await left_on(olga, card) == 20.0
    order = await gus.order(order["order_id"])
    assert {each["status"] for each in order["payments"]} == {"refunded"}
    back = {
        kind: sum(e["amount"] for e in order["refunds"] if e["to"] == kind) for kind in ("card", "gift_card")
    }
    assert back == {"card": pytest.approx(48.74), "gift_card": pytest.approx(20.0)}


async def test_a_gift_card_that_pays_all_needs_no_card(town, bea, olga):
    tea = await bea.lists()
    card = await gift_card(olga, 50)
    gus = await (await town.guest()).ready()
    del gus.way["payment_method_id"]
    await gus.puts(tea["offer_id"])
    refused = await gus.tries_to_buy()
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/payment_method_id")
    await gus.post("/cart/gift-cards", {"code": card["code"]})
    order = await gus.buys()
    [payment] = order["payments"]
    assert (payment["kind"], payment["amount"], payment["last4"]) == (
        "gift_card",
        order["total"],
        card["code"][-4:],
    )
    assert await left_on(olga, card) == pytest.approx(50 - order["total"])
    await gus.puts(tea["offer_id"], 5)
    await gus.post("/cart/gift-cards", {"code": card["code"]})
    refused = await gus.tries_to_buy()
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/payment_method_id")
    assert (await gus.cart())["item_count"] == 5


@pytest.mark.parametrize("card", ["tok_declined", "tok_3ds"])
async def test_a_refused_order_spends_no_gift_card(town, bea, olga, card):
    tea = await bea.lists(price=30.0)
    gift = await gift_card(olga)
    gus = await (await town.guest()).ready(card)
    await gus.puts(tea["offer_id"])
    await gus.post("/cart/gift-cards", {"code": gift["code"]})
    key = new_key()
    answer = await gus.tries_to_buy(key)
    if card == "tok_3ds":
        assert answer.status_code == 202
        assert await left_on(olga, gift) == 0
        answer = await gus.ask("POST", "/orders/checkout/abandon", {"key": key})
    assert code(answer) == (402, "payment_declined")
    assert await left_on(olga, gift) == 20.0
    [shown] = (await gus.cart())["gift_cards"]
    assert shown["balance"] == 20.0


async def test_two_who_race_for_one_gift_card_spend_it_once(town, bea, olga):
    tea = await bea.lists(price=15.0)
    gift = await gift_card(olga, 25)
    racers = []
    for _ in range(4):
        gus = await (await town.guest()).ready()
        del gus.way["payment_method_id"]
        await gus.puts(tea["offer_id"])
        await gus.post("/cart/gift-cards", {"code": gift["code"]})
        racers.append(gus)
    answers = await asyncio.gather(*(each.tries_to_buy() for each in racers))
    bought = [each.json()["total"] for each in answers if each.status_code == 201]
    assert len(bought) == 1
    refused = {(each.status_code, each.json().get("code")) for each in answers if each.status_code != 201}
    assert refused <= {(409, "gift_card_spent"), (422, "invalid")}
    assert await left_on(olga, gift) == pytest.approx(25 - bought[0])


async def test_who_reckons_with_a_gift_card_that_was_emptied_is_not_charged_instead(town, bea, olga):
    tea = await bea.lists(price=15.0)
    gift = await gift_card(olga, 25)
    first, second = [await (await town.guest()).ready() for _ in range(2)]
    for gus in (first, second):
        await gus.puts(tea["offer_id"])
        await gus.post("/cart/gift-cards", {"code": gift["code"]})
    await first.buys()
    ok(await olga.ask("POST", f"/operator/gift-cards/{gift['gift_card_id']}/disable"))
    assert code(await second.tries_to_buy()) == (409, "gift_card_spent")
    ok(await second.ask("DELETE", f"/cart/gift-cards/{gift['gift_card_id']}"))
    assert [each["kind"] for each in (await second.buys())["payments"]] == ["card"]


async def test_a_gift_card_leaves_the_cart_by_its_id_or_its_end(town, olga):
    first, second = await gift_card(olga), await gift_card(olga, 5)
    gus = await town.guest()
    for each in (first, second):
        cart = await gus.post("/cart/gift-cards", {"code": each["code"]})
    assert [each["applies"] for each in cart["gift_cards"]] == [0, 0]  # nothing is in the cart yet
    cart = ok(await gus.ask("DELETE", f"/cart/gift-cards/{first['code'][-4:]}"))
    cart = ok(await gus.ask("DELETE", f"/cart/gift-cards/{second['gift_card_id']}"))
    assert cart["gift_cards"] == []
    assert (await gus.ask("DELETE", "/cart/gift-cards/ZZZZ")).status_code == 404


async def test_who_guesses_codes_is_stopped(town, olga):
    right = await gift_card(olga)
    eve = await town.guest()
    answers = [await eve.ask("POST", "/cart/gift-cards", {"code": f"{n:020d}"}) for n in range(60)]
    codes = [code(each) for each in answers]
    assert codes[0] == (422, "gift_card_unknown")
    assert codes[-1] == (429, "too_many_requests")
    assert answers[-1].headers["retry-after"]
    assert code(await eve.ask("POST", "/cart/gift-cards", {"code": right["code"]}))[0] == 429


async def test_store_credit_is_given_spent_and_given_back(town, bea, olga):
    tea = await bea.lists()
    mia = await (await town.member()).ready()
    mine = (await mia.get("/account"))["user_id"]
    path = f"/operator/people/{mine}/store-credit"
    assert await mia.get("/account/store-credit") == {"balance": 0, "currency": "USD", "entries": []}
    given = ok(await olga.ask("POST", path, {"amount": 12.5, "reason": "Your parcel was late."}), 201)
    assert given["balance"] == 12.5
    assert code(await olga.ask("POST", path, {"amount": -13, "reason": "no"})) == (409, "credit_too_small")
    assert code(await olga.ask("POST", path, {"amount": 1, "reason": " "}))[0] == 422
    assert (
        await olga.ask("POST", path.replace(mine, "usr_0000000000001"), {"amount": 1, "reason": "x"})
    ).status_code == 404
    assert (await olga.post(path, {"amount": -2.5, "reason": "A mistake."}))["balance"] == 10.0
    await mia.puts(tea["offer_id"])
    order = await mia.buys(use_store_credit=True)
    assert [(each["kind"], each["amount"]) for each in order["payments"]] == [
        ("card", pytest.approx(order["total"] - 10)),
        ("store_credit", 10.0),
    ]
    assert (await mia.get("/account/store-credit"))["balance"] == 0
    refund = ok(
        await olga.ask(
            "POST",
            f"/operator/orders/{order['order_id']}/refunds",
            {"amount": 5, "reason": "a dent", "to": "store_credit"},
            idempotency_key=new_key(),
        ),
        201,
    )
    assert (refund["to"], refund["amount"]) == ("store_credit", 5.0)
    await mia.puts(tea["offer_id"])
    gift = await olga.post("/operator/gift-cards", {"amount": 500, "currency": "USD"})
    await mia.post("/cart/gift-cards", {"code": gift["code"]})
    whole = await mia.buys()
    back = ok(
        await olga.ask(
            "POST",
            f"/operator/orders/{whole['order_id']}/refunds",
            {"amount": 5, "reason": "a dent"},
            idempotency_key=new_key(),
        ),
        201,
    )
    assert (back["to"], back["payment_id"]) == ("gift_card", whole["payments"][0]["payment_id"])
    assert [back] == (await mia.order(whole["order_id"]))["refunds"]
    await mia.post(f"/orders/{order['order_id']}/cancel")
    credit = await mia.get("/account/store-credit")
    order = await mia.order(order["order_id"])
    to_credit = sum(each["amount"] for each in order["refunds"] if each["to"] == "store_credit")
    assert credit["balance"] == pytest.approx(to_credit)
    assert sum(each["amount"] for each in order["refunds"]) == pytest.approx(order["total"])
    assert {each["kind"] for each in credit["entries"]} == {"issued", "held", "refunded"}
    exported = await mia.get("/account/export")
    assert exported["store_credit"]["balance"] == credit["balance"]


async def test_a_guest_has_no_store_credit(town, bea, olga):
    tea = await bea.lists()
    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"])
    order = await gus.buys(use_store_credit=True)
    assert [each["kind"] for each in order["payments"]] == ["card"]
    refused = await olga.ask(
        "POST",
        f"/operator/orders/{order['order_id']}/refunds",
        {"amount": 5, "reason": "a dent", "to": "store_credit"},
        idempotency_key=new_key(),
    )
    assert code(refused) == (409, "no_account")
