"""A shopper's own order as a page: they cancel by line, follow a parcel to its carrier, and buy again."""

import re
from typing import Any

import pytest
from house import House, Visitor
from house import house as house
from house import opened as opened
from journeys.people import HOME, new_key

from mercat.web.routes import PREFIX

BOB = {"email": "bob@example.com", "password": "battery staple", "name": "Bob"}
EVE = {"email": "eve@example.com", "password": "battery staple", "name": "Eve"}
CUP = {"title": "A cup", "description": "", "category": "cups", "price": 5, "currency": "USD", "quantity": 9}


@pytest.fixture
async def bob(house: House) -> Visitor:
    bob = await house.member(BOB)
    await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
    return bob


async def buys(buyer: Visitor, *goods: tuple[dict[str, str], int]) -> dict[str, Any]:
    for each, quantity in goods:
        await buyer.api("POST", "/cart/items", 200, {"offer_id": each["offer_id"], "quantity": quantity})
    card = await buyer.api("POST", "/payment-methods", 201, {"token": "tok_visa"})
    way = {
        "shipping_address_id": (await buyer.api("POST", "/addresses", 201, HOME))["address_id"],
        "payment_method_id": card["payment_method_id"],
        "shipping_method": "standard",
    }
    headers = {"idempotency-key": new_key()}
    answer = await buyer.http.post(f"{PREFIX}/orders/checkout", json=way, headers=headers)
    assert answer.status_code == 201, answer.text
    return await buyer.api("GET", f"/orders/{answer.json()['order_id']}", 200)


async def two_kinds(bob: Visitor) -> tuple[dict[str, str], dict[str, str]]:
    cup = await bob.api("POST", "/seller/products", 201, CUP)
    pot = await bob.api("POST", "/seller/products", 201, CUP | {"title": "A pot", "price": 20})
    return cup, pot


def counts(order: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {line["title"]: (line["cancelled"], line["refunded"]) for line in order["lines"]}


async def test_some_of_an_order_is_cancelled_by_line_and_the_rest_comes(house, bob):
    ann = await house.member()
    order = await buys(ann, *((each, 2) for each in await two_kinds(bob)))
    at = f"/orders/{order['order_id']}"
    lines = {line["title"]: line["order_line_id"] for line in order["lines"]}
    none = {f"q-{line_id}": "0" for line_id in lines.values()}
    page = await ann.send(at, f"{at}/cancel", 422, **none)
    assert "Say how many you do not want." in page
    page = await ann.send(at, f"{at}/cancel", 422, **none | {f"q-{lines['A cup']}": "x"})
    one = none | {f"q-{lines['A cup']}": "1", "reason": "One is enough."}
    await ann.send(at, f"{at}/cancel", 200, **one)
    now = await ann.api("GET", at, 200)
    assert (counts(now), now["status"]) == ({"A cup": (1, 1), "A pot": (0, 0)}, "confirmed")
    [refund] = now["refunds"]
    assert refund["amount"] == 5.31  # with its tax
    page = await ann.page(at)
    assert "Cancel what has not shipped" in page
    assert 'max="1"' in page
    packing = page[page.index("is packing this") :]
    assert re.search(r">A cup</a></span>", packing)  # one of the two is left
    assert re.search(r'>A pot</a> <span class="soft num">. 2</span>', packing)
    everything = {f"q-{lines['A cup']}": "1", f"q-{lines['A pot']}": "2"}
    await ann.send(at, f"{at}/cancel", 200, **everything)
    assert (await ann.api("GET", at, 200))["status"] == "cancelled"
    assert f"{at}/cancel" not in await ann.page(at)


async def test_a_parcel_leads_to_its_carrier_where_that_is_known(house, bob):
    ann = await house.member()
    cup, _ = await two_kinds(bob)
    order = await buys(ann, (cup, 2))
    for carrier in ("UPS", "The neighbour's van"):
        line = {"order_line_id": order["lines"][0]["order_line_id"], "quantity": 1}
        sent = {"order_id": order["order_id"], "lines": [line], "carrier": carrier, "tracking_number": "1Z 9"}
        parcel = await bob.api("POST", "/seller/shipments", 201, sent)
    shown = await ann.api("GET", f"/orders/{order['order_id']}", 200)
    pages = {each["carrier"]: each["tracking_url"] for each in shown["shipments"]}
    assert pages == {"UPS": "https://www.ups.com/track?tracknum=1Z%209", "The neighbour's van": None}
    page = await ann.page(f"/orders/{order['order_id']}")
    assert 'href="https://www.ups.com/track?tracknum=1Z%209"' in page
    assert "/review" not in page  # who may write one has it
    came = f"/seller/shipments/{parcel['shipment_id']}/events"
    await bob.api("POST", came, 201, {"status": "delivered"})
    assert (await ann.page(f"/orders/{order['order_id']}")).count("/review") == 1


async def test_what_was_ordered_is_bought_again_as_far_as_it_is_for_sale(house, bob):
    ann, other = await house.member(), await house.visitor()
    cup, pot = await two_kinds(bob)
    order = await buys(ann, (cup, 2), (pot, 1))
    at = f"/orders/{order['order_id']}"
    await bob.api("PATCH", f"/seller/offers/{pot['offer_id']}", 200, {"status": "paused"})
    for _ in range(2):  # again changes nothing
        page = await ann.send(at, f"{at}/again")
        assert "1 of the things you ordered is not for sale any more" in page
        [item] = (await ann.api("GET", "/cart", 200))["items"]
        assert (item["offer_id"], item["quantity"]) == (cup["offer_id"], 2)
    assert (await other.http.post(f"{at}/again")).status_code in (403, 404)


async def test_the_timeline_says_who_sent_and_who_cancelled(house, bob):
    ann, eve = await house.member(), await house.member(EVE)
    await house.shop.accounts.set_operator(EVE["email"], given=True)
    cup, pot = await two_kinds(bob)
    order = await buys(ann, (cup, 2), (pot, 2))
    at = f"/orders/{order['order_id']}"
    lines = {line["title"]: line["order_line_id"] for line in order["lines"]}
    sent = {"order_id": order["order_id"], "carrier": "UPS", "tracking_number": "1Z 9"}
    one = {"lines": [{"order_line_id": lines["A cup"], "quantity": 1}]}
    parcel = await bob.api("POST", "/seller/shipments", 201, sent | one)
    assert ">Bob&#39;s shipped a parcel<" in await ann.page(at)
    await bob.api("POST", f"/seller/shipments/{parcel['shipment_id']}/events", 201, {"status": "delivered"})
    await ann.api("POST", f"{at}/cancel", 200, one)
    for who, path in ((bob, f"/seller{at}/cancel"), (eve, f"/operator{at}/cancel")):
        await who.api("POST", path, 200, {"lines": [{"order_line_id": lines["A pot"], "quantity": 1}]})
    page = await ann.page(at)
    for words in (
        "The parcel from Bob&#39;s arrived",
        "You cancelled something",
        "Bob&#39;s cancelled something",
        "The shop cancelled something",
    ):
        assert f">{words}<" in page
    history = (await ann.api("GET", at, 200))["history"]
    parcels = [each.get("shipment_id") for each in history if each["status"] in ("shipped", "delivered")]
    assert parcels == [parcel["shipment_id"]] * 2
    assert "seller, Bob&#39;s<" in await eve.page(f"/operator{at}")
