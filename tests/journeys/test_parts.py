"""An order of several sellers: each part has its own way; what is not sent is paid back, whoever says so."""

import asyncio
import re

import pytest
from journeys.people import Person, code, new_key, ok, until


@pytest.fixture
async def ops(town):
    return await town.signed_in("ops@example.com")


async def _order_of_two(town, bea):
    """Three tins of Bea's at 10.00 and a cup of Cal's at 5.00: 35.00, twice 4.99, and a tax of 2.19."""
    cal = await town.seller()
    tea, cup = await bea.lists(price=10.0), await cal.lists("A cup", price=5.0)
    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"], 3)
    await gus.puts(cup["offer_id"], 1)
    order = await gus.buys()
    return gus, cal, order, tea, cup


def _line(order, offer):
    return next(line for line in order["lines"] if line["offer_id"] == offer["offer_id"])


def _units(order, offer, quantity):
    return {"lines": [{"order_line_id": _line(order, offer)["order_line_id"], "quantity": quantity}]}


def _refunded(order):
    return round(sum(refund["amount"] for refund in order["refunds"]) * 100)


async def test_an_order_shows_its_parts_by_seller(town, bea):
    gus, _cal, order, tea, _cup = await _order_of_two(town, bea)
    assert re.fullmatch(r"M-\d{7,}", order["number"])
    [beas, cals] = order["parts"]
    assert beas["seller"]["name"]
    assert beas["seller"]["seller_id"] == _line(order, tea)["seller_id"]
    assert round(beas["shipping"] * 100) + round(cals["shipping"] * 100) == round(order["shipping"] * 100)
    assert beas["status"] == cals["status"] == "confirmed"
    assert beas["shipping_method"] == "standard"
    assert beas["estimated_delivery"]
    assert beas["lines"] == [_line(order, tea)]
    assert beas["part_id"] != cals["part_id"]
    counts = ("quantity", "shipped", "delivered", "cancelled", "returned", "refunded")
    assert [beas["lines"][0][count] for count in counts] == [3, 0, 0, 0, 0, 0]
    parcel = await bea.ships(order["order_id"])
    now = await gus.order(order["order_id"])
    assert [part["status"] for part in now["parts"]] == ["shipped", "confirmed"]
    assert [each["shipment_id"] for each in now["parts"][0]["shipments"]] == [parcel]
    assert now["parts"][1]["shipments"] == []
    [listed] = (await gus.get("/orders"))["orders"]
    assert listed["number"] == order["number"]


async def test_a_shopper_cancels_some_units_and_gets_their_share_back(town, bea):
    gus, cal, order, tea, cup = await _order_of_two(town, bea)
    path = f"/orders/{order['order_id']}/cancel"
    await bea.ships(order["order_id"], {**_line(order, tea), "quantity": 1})
    refused = await gus.ask("POST", path, _units(order, tea, 3))
    assert code(refused) == (409, "not_cancellable")
    [named] = refused.json()["lines"]
    assert (named["order_line_id"], named["shipped"], named["cancellable"]) == (
        _line(order, tea)["order_line_id"],
        1,
        2,
    )
    now = ok(await gus.ask("POST", path, {**_units(order, tea, 2), "reason": "One is enough."}))
    assert [part["status"] for part in now["parts"]] == ["shipped", "confirmed"]
    assert _refunded(now) == 2_000 + 125  # two thirds of the tea's tax; its delivery is used
    now = ok(await gus.ask("POST", path, _units(order, cup, 1)))
    assert [part["status"] for part in now["parts"]] == ["shipped", "cancelled"]
    assert now["status"] == "shipped"
    assert _refunded(now) == 2_125 + 500 + 31 + 499  # and all of the cup's, with its delivery
    assert await bea.stock(tea["offer_id"]) == 9
    assert await cal.stock(cup["offer_id"]) == 10

    async def off_the_lists() -> bool:
        beas, cals = await bea.order_here(order["order_id"]), await cal.order_here(order["order_id"])
        return (beas["status"], cals["status"]) == ("shipped", "cancelled")

    await until(off_the_lists)
    assert (await bea.order_here(order["order_id"]))["lines"][0]["cancelled"] == 2


async def test_a_seller_who_cannot_send_cancels_their_part_and_no_others(town, bea):
    gus, cal, order, tea, _cup = await _order_of_two(town, bea)
    path = f"/seller/orders/{order['order_id']}/cancel"
    assert code(await cal.ask("POST", path, _units(order, tea, 1))) == (404, "not_found")
    dan = await town.seller()
    assert code(await dan.ask("POST", path)) == (404, "not_found")
    for _ in range(2):
        part = ok(await cal.ask("POST", path, {"reason": "It broke."}))
        assert (part["status"], [line["title"] for line in part["lines"]]) == ("cancelled", ["A cup"])
    now = await gus.order(order["order_id"])
    assert (now["status"], [part["status"] for part in now["parts"]]) == (
        "confirmed",
        ["confirmed", "cancelled"],
    )
    assert _refunded(now) == 500 + 31 + 499
    assert [past["by"] for past in now["history"] if past["status"] == "cancelled"] == ["seller"]

    async def told() -> bool:
        page = await town.http.get(str(town.http.base_url.copy_with(path="/dev/mail")))
        return "cannot send all of your order" in page.text and "$10.30" in page.text

    await until(told)


async def test_all_parts_cancelled_one_by_one_give_everything_back(town, bea):
    gus, _cal, order, tea, cup = await _order_of_two(town, bea)
    path = f"/orders/{order['order_id']}/cancel"
    for units in (_units(order, tea, 1), _units(order, cup, 1), _units(order, tea, 1)):
        ok(await gus.ask("POST", path, units))
    done = ok(await gus.ask("POST", path))
    assert done["status"] == "cancelled"
    assert _refunded(done) == round(order["total"] * 100)
    assert _refunded(ok(await gus.ask("POST", path))) == round(order["total"] * 100)


async def test_a_cancellation_with_a_key_is_one_however_often_it_is_sent(town, bea):
    gus, _cal, order, tea, _cup = await _order_of_two(town, bea)
    path, key = f"/orders/{order['order_id']}/cancel", new_key()
    for _ in range(3):
        ok(await gus.ask("POST", path, _units(order, tea, 1), idempotency_key=key))
    assert _line(await gus.order(order["order_id"]), tea)["cancelled"] == 1
    assert code(await gus.ask("POST", path, {"lines": []}))[0] == 422
    assert code(await gus.ask("POST", path, {"lins": []}))[0] == 422


async def test_an_operator_cancels_for_anybody(town, bea, ops):
    gus, _cal, order, tea, _cup = await _order_of_two(town, bea)
    path = f"/operator/orders/{order['order_id']}/cancel"
    assert code(await bea.ask("POST", path)) == (403, "forbidden")
    now = ok(await ops.ask("POST", path, _units(order, tea, 3)))
    assert [part["status"] for part in now["parts"]] == ["cancelled", "confirmed"]
    assert ok(await ops.ask("POST", path))["status"] == "cancelled"
    assert _refunded(await gus.order(order["order_id"])) == round(order["total"] * 100)


async def test_money_goes_back_without_goods_and_never_more_than_was_paid(town, bea, ops):
    gus, cal, order, _tea, cup = await _order_of_two(town, bea)
    sellers, operators = (f"/{who}/orders/{order['order_id']}/refunds" for who in ("seller", "operator"))
    late = {"amount": 5.0, "reason": "It came late."}
    assert code(await bea.ask("POST", sellers, late)) == (400, "bad_request")
    key = new_key()
    first = ok(await bea.ask("POST", sellers, late, idempotency_key=key), 201)
    assert ok(await bea.ask("POST", sellers, late, idempotency_key=key), 201) == first
    assert (first["amount"], first["status"]) == (5.0, "done")
    dan = await town.seller()
    assert code(await dan.ask("POST", sellers, late, idempotency_key=new_key())) == (404, "not_found")
    for wrong in ({"reason": "x"}, late | _units(order, cup, 1), late | {"amount": 0}, late | {"amount": -1}):
        assert code(await cal.ask("POST", sellers, wrong, idempotency_key=new_key()))[0] == 422
    too_much = await cal.ask("POST", sellers, late | {"amount": 10.31}, idempotency_key=new_key())
    assert code(too_much) == (409, "exceeds_captured")
    assert too_much.json()["left"] == 10.3  # the cup, its tax and its delivery
    units = _units(order, cup, 1) | {"reason": "It is chipped; keep it."}
    ok(await cal.ask("POST", sellers, units, idempotency_key=new_key()), 201)
    again = await cal.ask("POST", sellers, units, idempotency_key=new_key())
    assert code(again) == (409, "exceeds_captured")
    rest = round(order["total"] - 5.0 - 5.31, 2)
    everything = {"amount": rest, "reason": "We are sorry."}
    ok(await ops.ask("POST", operators, everything, idempotency_key=new_key()), 201)
    assert code(await ops.ask("POST", operators, late, idempotency_key=new_key())) == (
        409,
        "exceeds_captured",
    )
    now = await gus.order(order["order_id"])
    assert _refunded(now) == round(order["total"] * 100)
    assert now["payments"][0]["status"] == "refunded"
    assert {refund["kind"] for refund in now["refunds"]} == {"refund"}

    async def told() -> bool:
        page = await town.http.get(str(town.http.base_url.copy_with(path="/dev/mail")))
        return "$5.00 of your order" in page.text and "$5.31 of your order" in page.text

    await until(told)


async def test_a_refund_of_both_at_once_is_of_one(town, bea, ops):
    _gus, _cal, order, _tea, _cup = await _order_of_two(town, bea)
    all_of_it = {"amount": order["total"], "reason": "We are sorry."}
    path = f"/operator/orders/{order['order_id']}/refunds"
    answers = await asyncio.gather(
        *(ops.ask("POST", path, all_of_it, idempotency_key=new_key()) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def _letter_link(town, email):
    found: list[str] = []

    async def written() -> bool:
        page = await town.http.get(str(town.http.base_url.copy_with(path="/dev/mail")), params={"to": email})
        found[:] = re.findall(r"https?://[^\s\"<]+/orders/(ord_\w+)\?key=([\w-]+)", page.text)
        return bool(found)

    await until(written)
    return found


async def test_the_link_of_a_letter_works_anywhere_and_for_its_order_alone(town, bea):
    gus, _cal, order, tea, cup = await _order_of_two(town, bea)
    [(order_id, key), *_] = await _letter_link(town, gus.email)
    assert order_id == order["order_id"]
    stranger = Person(town.http)
    shown = ok(await stranger.ask("GET", f"/orders/{order_id}?key={key}"))
    assert shown["number"] == order["number"]
    assert code(await stranger.ask("GET", f"/orders/{order_id}")) == (401, "sign_in_first")
    for wrong in (key[:-1] + ("A" if key[-1] != "A" else "B"), "x", key.upper()):
        assert code(await stranger.ask("GET", f"/orders/{order_id}?key={wrong}"))[0] in (401, 404)
    other = await (await town.guest()).ready()
    await other.puts(tea["offer_id"])
    theirs = await other.buys()
    assert code(await stranger.ask("GET", f"/orders/{theirs['order_id']}?key={key}"))[0] in (401, 404)
    cancelled = ok(await stranger.ask("POST", f"/orders/{order_id}/cancel?key={key}", _units(order, cup, 1)))
    assert cancelled["parts"][1]["status"] == "cancelled"
    page = await town.http.get(
        str(town.http.base_url.copy_with(path=f"/orders/{order_id}")), params={"key": key}
    )
    assert page.status_code == 200
    assert order["number"] in page.text
    assert page.headers["referrer-policy"] == "same-origin"


async def test_an_order_is_found_by_number_and_address_and_nobody_learns_whether(town, bea):
    gus, _cal, order, _tea, _cup = await _order_of_two(town, bea)
    await _letter_link(town, gus.email)
    stranger = Person(town.http)
    wanted = {"number": order["number"], "email": gus.email.upper()}
    answers = [
        await stranger.ask("POST", "/orders/find", each)
        for each in (wanted, wanted | {"email": "eve@example.org"}, wanted | {"number": "M-1"})
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}

    async def twice() -> bool:
        page = await town.http.get(
            str(town.http.base_url.copy_with(path="/dev/mail")), params={"to": gus.email}
        )
        return page.text.count("asked for this letter again") == 1

    await until(twice)
