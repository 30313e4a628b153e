"""Who may sell, and whose a seller is: goods of who is not active are not for sale, and come back."""

import msgspec
import pytest
from journeys.people import HOME, until
from one_scene import one_scene

from mercat.web.routes import PREFIX

CUP = {
    "title": "A zebra cup",
    "description": "Blue.",
    "category": "cups",
    "price": 10.0,
    "currency": "USD",
    "quantity": 3,
}


@pytest.fixture
def settings(settings):
    return msgspec.structs.replace(settings, seller_approval="manual")


async def ok(answer, status=200):
    answer = await answer
    assert answer.status_code == status, answer.text
    return answer.json()


async def sellers(people, status=""):
    query = f"?status={status}" if status else ""
    return (await ok(people.operator.get(f"{PREFIX}/operator/sellers{query}")))["sellers"]


def decide(people, seller_id, what, **body):
    path = f"{PREFIX}/operator/sellers/{seller_id}/{what}"
    return people.operator.post(path, json=body) if body else people.operator.post(path)


async def found(people):
    return (await ok(people.nobody.get(f"{PREFIX}/search?q=zebra")))["total"]


async def buyable(people, product_id):
    return (await ok(people.nobody.get(f"{PREFIX}/products/{product_id}")))["price"]


async def test_goods_of_a_seller_are_for_sale_while_they_are_let_in(people):
    [bob] = await sellers(people, "pending")
    assert (bob["name"], bob["status"], bob["has_people"]) == ("Bob's", "pending", True)
    cup = await ok(people.seller.post(f"{PREFIX}/seller/products", json=CUP), 201)
    assert await buyable(people, cup["product_id"]) is None
    assert (await ok(people.seller.get(f"{PREFIX}/seller/offers")))["offers"][0]["status"] == "active"

    assert (await ok(decide(people, bob["seller_id"], "approve")))["status"] == "active"
    await until(lambda: _is(found(people), 1))
    await until(lambda: _is(buyable(people, cup["product_id"]), 10))
    item = {"offer_id": cup["offer_id"], "quantity": 1}
    await ok(people.shopper.post(f"{PREFIX}/cart/items", json=item))

    missing = await decide(people, bob["seller_id"], "suspend")
    assert missing.status_code == 422
    said = await ok(decide(people, bob["seller_id"], "suspend", reason="Complaints."))
    assert (said["status"], said["reason"]) == ("suspended", "Complaints.")
    assert await sellers(people, "active") == []
    await until(lambda: _is(found(people), 0))
    await until(lambda: _is(buyable(people, cup["product_id"]), None))
    address = await ok(people.shopper.post(f"{PREFIX}/addresses", json=HOME), 201)
    card = await ok(people.shopper.post(f"{PREFIX}/payment-methods", json={"token": "tok_visa"}), 201)
    buys = {
        "shipping_address_id": address["address_id"],
        "shipping_method": "standard",
        "payment_method_id": card["payment_method_id"],
    }
    key = {"idempotency-key": "k" * 20}
    refused = await people.shopper.post(f"{PREFIX}/orders/checkout", json=buys, headers=key)
    assert refused.status_code == 409, refused.text
    again = await people.nobody.post(f"{PREFIX}/sessions/guest")
    guest = {"authorization": f"Bearer {again.json()['token']}"}
    added = await people.nobody.post(f"{PREFIX}/cart/items", json=item, headers=guest)
    assert [each["code"] for each in added.json()["problems"]] == ["not_for_sale"]
    page = await people.seller.get("/desk")
    assert "off sale" in page.text

    await ok(decide(people, bob["seller_id"], "approve"))
    await until(lambda: _is(found(people), 1))
    key = {"idempotency-key": "j" * 20}
    bought = await people.shopper.post(f"{PREFIX}/orders/checkout", json=buys, headers=key)
    assert bought.status_code == 201, bought.text


async def _is(value, wanted):
    return await value == wanted


@one_scene(
    "name",
    ["BOB'S", " bob s", "B0b's", "Bo\u200bb\u2019s", "MERCAT", "Mer\u0441at\u2122", "The Mercat Support"],
)
async def test_names_that_look_alike_are_taken(people, name):
    refused = await people.shopper.post(f"{PREFIX}/sellers", json={"name": name})
    assert (refused.status_code, refused.json()["code"]) == (409, "name_taken")


async def test_operators_act_for_a_seller_that_nobody_has_until_it_is_assigned(people):
    shop = people.shop
    lonely = await shop.sellers.by_name("Lonely Goods")
    own = await shop.sellers.own()
    acting = {"seller": str(lonely)}
    bob = next(each for each in await sellers(people) if each["name"] == "Bob's")
    listed = await ok(people.operator.post(f"{PREFIX}/seller/products", json=CUP, headers=acting), 201)
    offers = await ok(people.operator.get(f"{PREFIX}/seller/offers", headers=acting))
    assert [each["offer_id"] for each in offers["offers"]] == [listed["offer_id"]]
    own_offers = await ok(people.operator.get(f"{PREFIX}/seller/offers", headers={"seller": str(own)}))
    assert own_offers["offers"] == []
    for who, named, status in (
        (people.operator, "", 403),
        (people.operator, bob["seller_id"], 403),
        (people.operator, "sel_0000000000099", 404),
        (people.operator, "nonsense", 404),
        (people.seller, str(lonely), 403),
        (people.shopper, str(lonely), 403),
    ):
        answer = await who.get(f"{PREFIX}/seller/offers", headers={"seller": named} if named else {})
        assert answer.status_code == status, (named, answer.text)

    nobody = await decide(people, lonely, "assign", email="nobody@example.com")
    assert (nobody.status_code, nobody.json()["pointer"]) == (422, "/email")
    taken = await decide(people, lonely, "assign", email="bob@example.com")
    assert (taken.status_code, taken.json()["code"]) == (409, "already_seller")
    assert (await ok(decide(people, lonely, "assign", email="ann@example.com")))["has_people"]
    assert (await decide(people, own, "assign", email="olga@example.com")).status_code == 409
    offers = await ok(people.shopper.get(f"{PREFIX}/seller/offers"))
    assert [each["offer_id"] for each in offers["offers"]] == [listed["offer_id"]]
    assert (await people.operator.get(f"{PREFIX}/seller/offers", headers=acting)).status_code == 403


async def test_a_key_that_was_used_for_one_seller_is_not_another_sellers(people):
    first, second = [await people.shop.sellers.by_name(name) for name in ("One", "Two")]
    key = {"idempotency-key": "the-same"}
    path = f"{PREFIX}/seller/products"
    await ok(people.operator.post(path, json=CUP, headers=key | {"seller": str(first)}), 201)
    reused = await people.operator.post(path, json=CUP, headers=key | {"seller": str(second)})
    assert (reused.status_code, reused.json()["code"]) == (422, "key_reused")
