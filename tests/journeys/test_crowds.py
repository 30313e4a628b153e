"""Many at once: for the last unit, for twenty, and one person who clicks too often."""

import asyncio
from collections import Counter

from journeys.people import code, new_key


async def _wants(town, offer_id, quantity=1):
    person = await (await town.guest()).ready()
    await person.puts(offer_id, quantity)
    return person


def _codes(answers):
    return Counter("ok" if answer.status_code == 201 else code(answer)[1] for answer in answers)


async def test_two_race_for_the_last_unit(town, bea):
    tea = await bea.lists(quantity=1)
    two = [await _wants(town, tea["offer_id"]) for _ in range(2)]
    answers = await asyncio.gather(*(person.tries_to_buy() for person in two))
    assert _codes(answers) == {"ok": 1, "out_of_stock": 1}
    [late] = [answer.json() for answer in answers if answer.status_code == 409]
    assert late["available"] == 0
    assert late["pointer"] == "/items/0"
    [left] = [person for person, answer in zip(two, answers, strict=True) if answer.status_code == 409]
    [problem] = (await left.cart())["problems"]
    assert (problem["code"], problem["available"]) == ("sold_out", 0)


async def test_two_hundred_race_for_twenty(town, bea):
    tea = await bea.lists(quantity=20)
    crowd = await asyncio.gather(*(_wants(town, tea["offer_id"]) for _ in range(200)))
    answers = await asyncio.gather(*(person.tries_to_buy() for person in crowd))
    assert _codes(answers) == {"ok": 20, "out_of_stock": 180}
    stock = await bea.get(f"/seller/stock/{tea['offer_id']}")
    assert (stock["quantity"], stock["reserved"], stock["available"]) == (0, 0, 0)
    assert len({answer.json()["order_id"] for answer in answers if answer.status_code == 201}) == 20


async def test_a_cart_takes_what_is_sold_out_and_says_so(town, bea):
    tea = await bea.lists(quantity=2)
    gus = await _wants(town, tea["offer_id"], 3)
    [problem] = (await gus.cart())["problems"]
    assert (problem["code"], problem["offer_id"], problem["available"]) == ("not_enough", tea["offer_id"], 2)
    refused = await gus.tries_to_buy()
    assert code(refused) == (409, "out_of_stock")
    assert refused.json()["available"] == 2
    await gus.ask("PATCH", f"/cart/items/{tea['product_id']}", {"quantity": 2})
    assert (await gus.buys())["lines"][0]["quantity"] == 2


async def test_ten_clicks_are_one_order(town, bea):
    tea = await bea.lists(quantity=5)
    gus = await _wants(town, tea["offer_id"])
    key = new_key()
    answers = await asyncio.gather(*(gus.tries_to_buy(key) for _ in range(10)))
    assert set(_codes(answers)) <= {"ok", "checkout_in_progress"}
    bodies = {answer.content for answer in answers if answer.status_code == 201}
    assert len(bodies) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert int(answer.headers["retry-after"]) >= 1
    later = await gus.tries_to_buy(key)
    assert later.content in bodies
    assert (await gus.get("/orders"))["total"] == 1
    assert await bea.stock(tea["offer_id"]) == 4


async def test_two_tabs_buy_one_cart_once(town, bea):
    tea = await bea.lists(quantity=5)
    gus = await _wants(town, tea["offer_id"])
    answers = await asyncio.gather(*(gus.tries_to_buy() for _ in range(4)))
    found = _codes(answers)
    assert found["ok"] == 1
    assert set(found) <= {"ok", "checkout_in_progress", "cart_empty"}
    assert (await gus.get("/orders"))["total"] == 1
    assert await bea.stock(tea["offer_id"]) == 4
