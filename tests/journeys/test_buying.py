"""From the cart to an order: guests, members, cards that pay and cards that do not, and keys used again."""

import asyncio
import time
from typing import Any

import pytest
from journeys.people import BAHIA, Person, code, new_key, ok, until


async def test_a_guest_buys_and_is_written_to_once(town, bea):
    tea = await bea.lists(quantity=10, price=10.0)
    gus = await (await town.guest()).ready()
    cart = await gus.puts(tea["offer_id"], 2)
    assert (cart["subtotal"], cart["item_count"], cart["problems"]) == (20.0, 2, [])
    order = await gus.buys()
    assert (order["subtotal"], order["shipping"], order["tax"], order["total"]) == (20.0, 4.99, 1.25, 26.24)
    assert order["status"] == "confirmed"
    assert [(p["status"], p["amount"]) for p in order["payments"]] == [("captured", 26.24)]
    [line] = order["lines"]
    assert (line["product_id"], line["quantity"], line["unit_price"]) == (tea["product_id"], 2, 10.0)
    assert (await gus.cart())["items"] == []
    assert await bea.stock(tea["offer_id"]) == 8
    listed = await gus.get("/orders")
    assert [o["order_id"] for o in listed["orders"]] == [order["order_id"]]
    assert listed["total"] == 1

    async def letters() -> int:
        page = await town.http.get(str(town.http.base_url.copy_with(path="/dev/mail")))
        return page.text.count(f"{gus.email}")

    await until(letters)
    first = await letters()
    await gus.ask("GET", f"/orders/{order['order_id']}")
    assert await letters() == first


async def test_a_guest_needs_an_address_to_write_to(town, bea):
    tea = await bea.lists()
    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"])
    del gus.way["email"]
    refused = await gus.tries_to_buy()
    assert refused.status_code == 422
    assert refused.json()["pointer"] == "/email"
    assert (await gus.cart())["item_count"] == 1


async def test_the_carts_of_a_guest_and_a_member_become_one(town, bea):
    tea, cup = await bea.lists(), await bea.lists("A cup")
    name = new_key()
    account = {"email": f"{name}@example.org", "password": "mercat-test", "name": "Mia"}
    await town.nobody.post("/accounts", account)
    mia = await town.signed_in(account["email"], account["password"])
    await mia.puts(tea["offer_id"], 1)

    gus = await town.guest()
    await gus.puts(tea["offer_id"], 2)
    await gus.puts(cup["offer_id"], 3)
    credentials = {name: account[name] for name in ("email", "password")}
    session = await gus.post("/sessions", credentials)
    mia.token = session["token"]
    cart = await mia.cart()
    assert {item["offer_id"]: item["quantity"] for item in cart["items"]} == {
        tea["offer_id"]: 3,
        cup["offer_id"]: 3,
    }
    assert cart["item_count"] == 6
    await gus.post("/sessions", credentials)  # signing in again with the old token adds nothing again
    assert (await mia.cart())["item_count"] == 6
    order = await (await mia.ready()).buys()
    assert sum(line["quantity"] for line in order["lines"]) == 6


async def test_registering_keeps_the_cart_and_the_orders_of_the_guest(town, bea):
    tea = await bea.lists()
    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"])
    bought = await gus.buys()
    await gus.puts(tea["offer_id"], 4)
    account = {"email": f"{new_key()}@example.org", "password": "mercat-test", "name": "Mia"}
    await gus.post("/accounts", account)
    mia = await town.signed_in(account["email"], account["password"])
    assert (await mia.cart())["item_count"] == 4
    assert (await mia.order(bought["order_id"]))["total"] == bought["total"]
    assert (await mia.get("/orders"))["total"] == 1


async def test_a_declined_card_leaves_the_cart_and_frees_the_stock(town, bea):
    tea = await bea.lists(quantity=3)
    gus = await (await town.guest()).ready("tok_declined")
    await gus.puts(tea["offer_id"], 3)
    key = new_key()
    assert code(await gus.tries_to_buy(key)) == (402, "payment_declined")
    assert (await gus.cart())["item_count"] == 3
    assert await bea.stock(tea["offer_id"]) == 3
    again = await gus.tries_to_buy(key)  # a declined key is final
    assert code(again) == (402, "payment_declined")
    assert again.headers["idempotent-replayed"] == "true"
    assert (await gus.get("/orders"))["total"] == 0
    await gus.pays_by("tok_visa")
    assert (await gus.buys())["status"] == "confirmed"
    assert await bea.stock(tea["offer_id"]) == 0


async def test_the_same_key_is_the_same_order_byte_for_byte(town, bea):
    tea = await bea.lists(quantity=5)
    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"])
    key = new_key()
    first = await gus.tries_to_buy(key)
    assert first.status_code == 201
    assert "idempotent-replayed" not in first.headers
    await gus.puts(tea["offer_id"], 2)  # what is in the cart now is not bought by the old key
    for _ in range(2):
        again = await gus.tries_to_buy(key)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotent-replayed"] == "true"
    assert code(await gus.tries_to_buy(key, shipping_method="express")) == (422, "key_reused")
    assert (await gus.get("/orders"))["total"] == 1
    assert await bea.stock(tea["offer_id"]) == 4
    stranger = await (await town.guest()).ready()  # the same key of another person is another key
    await stranger.puts(tea["offer_id"])
    assert (await stranger.tries_to_buy(key)).json()["order_id"] != first.json()["order_id"]


async def test_a_purchase_needs_a_key_and_a_cart(town, bea):
    gus = await (await town.guest()).ready()
    assert code(await gus.ask("POST", "/orders/checkout", gus.way)) == (400, "bad_request")
    assert code(await gus.tries_to_buy()) == (422, "cart_empty")
    tea = await bea.lists()
    await gus.puts(tea["offer_id"])
    key = new_key()
    assert (await gus.tries_to_buy(key, shipping_method="pigeon")).status_code == 422
    assert (await gus.tries_to_buy(key)).status_code == 201  # what was malformed was not remembered


@pytest.mark.parametrize("address", [{"country": "ZZ"}, BAHIA], ids=["ZZ", "BR"])
async def test_where_we_do_not_deliver_is_said(town, bea, address):
    tea = await bea.lists()
    gus = await (await town.guest()).ready(**address)
    await gus.puts(tea["offer_id"])
    assert code(await gus.tries_to_buy()) == (422, "address_not_served")


async def _asked_by_the_bank(town, bea):
    tea = await bea.lists(quantity=1)
    gus = await (await town.guest()).ready("tok_3ds")
    await gus.puts(tea["offer_id"])
    key = new_key()
    waiting = ok(await gus.tries_to_buy(key), 202)
    assert waiting["status"] == "pending"
    assert await bea.stock(tea["offer_id"]) == 0  # kept for them
    assert ok(await gus.tries_to_buy(key), 202)["next_action"] == waiting["next_action"]
    assert ok(await gus.ask("GET", f"/orders/checkout/{key}"), 202)["next_action"] == waiting["next_action"]
    assert (await gus.cart())["problems"] == []  # their own reservation does not stand against them
    assert (await gus.get("/orders"))["total"] == 0
    return gus, tea, key, waiting


async def test_who_leaves_the_banks_page_can_end_the_payment_at_once(town, bea):
    gus, tea, key, waiting = await _asked_by_the_bank(town, bea)
    abandoned = await gus.ask("POST", "/orders/checkout/abandon", {"key": key})
    assert code(abandoned) == (402, "payment_declined")
    assert abandoned.json()["reason"] == "abandoned"
    assert await bea.stock(tea["offer_id"]) == 1
    again = await gus.ask("POST", "/orders/checkout/abandon", {"key": key})
    assert again.content == abandoned.content
    assert (await gus.tries_to_buy(key)).content == abandoned.content
    await town.http.post(waiting["next_action"]["url"], json={"outcome": "approve"})  # too late
    assert (await gus.get("/orders"))["total"] == 0
    await gus.pays_by("tok_visa")
    assert (await gus.buys())["status"] == "confirmed"
    for other, wanted in ((await (await town.guest()).ready(), key), (gus, "never-used")):
        assert code(await other.ask("POST", "/orders/checkout/abandon", {"key": wanted})) == (
            404,
            "not_found",
        )


async def test_buying_again_with_another_key_ends_the_payment_that_waits(town, bea):
    gus, tea, key, waiting = await _asked_by_the_bank(town, bea)
    await gus.pays_by("tok_visa")
    bought = await gus.buys()
    assert bought["order_id"] != waiting["order_id"]
    assert await bea.stock(tea["offer_id"]) == 0
    ended = await gus.ask("GET", f"/orders/checkout/{key}")
    assert (code(ended), ended.json()["reason"]) == ((402, "payment_declined"), "abandoned")
    done = ok(await gus.ask("POST", "/orders/checkout/abandon", {"key": key}), 402)
    assert done["reason"] == "abandoned"


async def test_a_bank_that_asks_and_is_told_yes(town, bea):
    gus, tea, key, waiting = await _asked_by_the_bank(town, bea)
    url = waiting["next_action"]["url"]
    answers = await asyncio.gather(*(town.http.post(url, json={"outcome": "approve"}) for _ in range(3)))
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert any(answer.status_code in (200, 201) for answer in answers)
    done = ok(await gus.tries_to_buy(key), 201)
    assert done["order_id"] == waiting["order_id"]
    assert (await gus.order(done["order_id"]))["status"] == "confirmed"
    await town.http.post(url, json={"outcome": "fail"})  # too late to change one's mind there
    assert (await gus.order(done["order_id"]))["status"] == "confirmed"
    assert (await gus.cart())["items"] == []
    assert await bea.stock(tea["offer_id"]) == 0


async def test_who_signs_in_while_their_bank_asks_buys_once(town, bea):
    gus, tea, key, waiting = await _asked_by_the_bank(town, bea)
    account = {"email": gus.email, "password": "a long walk home"}
    await gus.post("/accounts", account | {"name": "Gus"})
    session = await gus.post("/sessions", account)
    member = Person(town.http, session["token"], gus.email)
    member.way = gus.way
    assert ok(await member.tries_to_buy(key), 202)["next_action"] == waiting["next_action"]
    ok(await town.http.post(waiting["next_action"]["url"], json={"outcome": "approve"}))
    for again in (await member.tries_to_buy(key), await member.ask("GET", f"/orders/checkout/{key}")):
        assert ok(again, 200, 201)["order_id"] == waiting["order_id"]
    assert (await member.cart())["items"] == []
    assert (await member.get("/orders"))["total"] == 1
    assert await bea.stock(tea["offer_id"]) == 0


async def test_a_bank_that_asks_and_is_told_no(town, bea):
    gus, tea, key, waiting = await _asked_by_the_bank(town, bea)
    answer = await town.http.post(waiting["next_action"]["url"], json={"outcome": "fail"})
    assert code(answer) == (402, "payment_declined")
    assert code(await gus.tries_to_buy(key)) == (402, "payment_declined")
    assert await bea.stock(tea["offer_id"]) == 1
    assert (await gus.cart())["item_count"] == 1
    assert code(await gus.ask("GET", f"/orders/{waiting['order_id']}")) == (404, "not_found")
    await gus.pays_by("tok_visa")
    assert (await gus.buys())["status"] == "confirmed"


async def test_a_forged_ticket_of_the_bank_is_nobodys(town, open_shop):
    url = f"http://127.0.0.1:{open_shop.port}/sandbox/3ds/forged"
    assert code(await town.http.post(url, json={"outcome": "approve"})) == (404, "not_found")
    assert (await town.http.post(url, json={"outcome": "perhaps"})).status_code == 422


async def _through_the_timeout(town, bea, card):
    tea = await bea.lists(quantity=1)
    gus = await (await town.guest()).ready(card)
    await gus.puts(tea["offer_id"])
    key = new_key()
    answer: Any = None

    async def final() -> bool:
        nonlocal answer
        answer = await gus.tries_to_buy(key)
        return answer.status_code not in (202, 409)

    await until(final, within=60)
    return gus, tea, answer


async def test_a_bank_that_hangs_is_asked_what_happened(town, bea):
    began = time.perf_counter()
    (rich, sold, yes), (poor, unsold, no) = await asyncio.gather(
        _through_the_timeout(town, bea, "tok_timeout_charged"),
        _through_the_timeout(town, bea, "tok_timeout_uncharged"),
    )
    assert time.perf_counter() - began < 30
    assert yes.status_code == 201
    [payment] = (await rich.order(yes.json()["order_id"]))["payments"]
    assert (payment["status"], payment["refunds"]) == ("captured", [])
    assert await bea.stock(sold["offer_id"]) == 0
    assert code(no) == (402, "payment_unavailable")
    assert await bea.stock(unsold["offer_id"]) == 1
    assert (await poor.cart())["item_count"] == 1
    await poor.pays_by("tok_visa")
    assert (await poor.buys())["status"] == "confirmed"
