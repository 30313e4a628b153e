"""Offers of several sellers for one product: made, featured by a rule that is told, bought by their id."""

import pytest

from mercat.web.routes import PREFIX

OFFERS = f"{PREFIX}/seller/offers"
PRODUCTS = f"{PREFIX}/seller/products"
MUG = {
    "title": "Mug",
    "description": "",
    "category": "kitchen",
    "price": 10,
    "quantity": 5,
    "currency": "USD",
    "gtin": "4006381333931",
}


@pytest.fixture
async def ann(people):
    """The shopper, who sells too."""
    assert (await people.shopper.post(f"{PREFIX}/sellers", json={"name": "Ann's"})).status_code == 201
    return people.shopper


async def listed(people, **more):
    made = await people.seller.post(PRODUCTS, json=MUG | more)
    assert made.status_code == 201, made.text
    return made.json()


async def offered(client, **ask):
    made = await client.post(OFFERS, json={"price": 9, "quantity": 2} | ask)
    assert made.status_code == 201, made.text
    return made.json()["offer_id"]


async def standing(client, offer_id):
    answer = await client.get(f"{OFFERS}/{offer_id}/featured")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("by", ["product_id", "gtin", "gtin with zeros", "sku_id"])
async def test_another_sellers_offer_stands_beside_and_is_bought_by_its_id(people, ann, by):
    made = await listed(people)
    ask = {
        "product_id": {"product_id": made["product_id"]},
        "gtin": {"gtin": "4006381333931"},
        "gtin with zeros": {"gtin": "04006381333931"},
        "sku_id": {"product_id": made["product_id"], "sku_id": made["sku_id"]},
    }[by]
    offer_id = await offered(ann, **ask, condition="used", sku="MINE-1")
    product = (await people.nobody.get(f"{PREFIX}/products/{made['product_id']}")).json()
    assert product["offer_id"] == made["offer_id"]
    assert [(each["offer_id"], each["price"], each["condition"]) for each in product["offers"]] == [
        (made["offer_id"], 10, "new"),
        (offer_id, 9, "used"),
    ]
    page = (await people.nobody.get(f"/p/{made['product_id']}")).text
    assert "Other sellers" in page
    assert "Used" in page
    cart = await people.operator.post(f"{PREFIX}/cart/items", json={"offer_id": offer_id, "quantity": 2})
    assert cart.json()["problems"] == []
    assert cart.json()["items"][0]["price"] == 9


async def test_the_featured_offer_follows_the_rule_and_says_why(people, ann):
    made = await listed(people)
    mine = made["offer_id"]
    assert await standing(people.seller, mine) == {
        "featured": True,
        "reasons": ["only_offer"],
        "price_to_win": None,
    }
    hers = await offered(ann, product_id=made["product_id"], price=10)
    assert (await standing(ann, hers)) == {
        "featured": False,
        "reasons": ["later_at_this_price"],
        "price_to_win": 9.99,
    }
    assert (await standing(people.seller, mine))["reasons"] == ["first_at_this_price"]
    await ann.patch(f"{OFFERS}/{hers}", json={"price": 9.99})
    assert (await standing(ann, hers))["featured"]
    assert (await standing(people.seller, mine)) == {
        "featured": False,
        "reasons": ["price"],
        "price_to_win": 9.99,
    }
    product = (await people.nobody.get(f"{PREFIX}/products/{made['product_id']}")).json()
    assert (product["offer_id"], product["price"], product["seller"]["name"]) == (hers, 9.99, "Ann's")
    await ann.patch(f"{OFFERS}/{hers}", json={"status": "paused"})
    assert (await standing(ann, hers))["reasons"] == ["not_for_sale"]
    assert (await standing(people.seller, mine))["reasons"] == ["only_offer"]


async def test_a_used_one_is_not_featured_before_a_new_one_however_cheap(people, ann):
    made = await listed(people)
    hers = await offered(ann, product_id=made["product_id"], price=1, condition="refurbished")
    assert (await standing(ann, hers)) == {"featured": False, "reasons": ["not_new"], "price_to_win": None}
    assert (await standing(people.seller, made["offer_id"]))["reasons"] == ["only_new"]


async def test_what_cannot_be_offered_is_refused_with_its_place(people, ann):
    made = await listed(people)
    several = await listed(
        people,
        title="Tee",
        gtin=None,
        variants=[{"options": {"Size": size}, "price": 5, "quantity": 1} for size in ("S", "M")],
    )
    price = {"price": 5, "quantity": 1}
    for ask, status, pointer in (
        (price, 422, "/product_id"),
        (price | {"product_id": "prod_0000000000001"}, 404, "/product_id"),
        (price | {"gtin": "96385074"}, 404, "/gtin"),
        (price | {"gtin": "96385075"}, 422, "/gtin"),
        (price | {"product_id": several["product_id"]}, 422, "/sku_id"),
        (price | {"product_id": several["product_id"], "sku_id": made["sku_id"]}, 404, "/sku_id"),
        (price | {"product_id": made["product_id"], "price": 0}, 422, "/price"),
        (price | {"product_id": made["product_id"], "condition": "broken"}, 422, "/condition"),
        ({"price": 5, "product_id": made["product_id"]}, 422, "/quantity"),
    ):
        refused = await ann.post(OFFERS, json=ask)
        assert (refused.status_code, refused.json()["pointer"]) == (status, pointer), refused.text
    one = several["variants"][1]["sku_id"]
    await offered(ann, product_id=several["product_id"], sku_id=one, sku="A")
    again = await ann.post(OFFERS, json=price | {"product_id": several["product_id"], "sku_id": one})
    assert (again.status_code, again.json()["code"]) == (409, "offer_exists")
    taken = await ann.post(OFFERS, json=price | {"product_id": made["product_id"], "sku": "A"})
    assert (taken.status_code, taken.json()["code"]) == (409, "sku_taken")
    own = await people.seller.post(OFFERS, json=price | {"product_id": made["product_id"]})
    assert own.status_code == 409


async def test_a_product_that_its_lister_archives_goes_on_with_its_other_sellers(people, ann):
    made = await listed(people)
    hers = await offered(ann, product_id=made["product_id"])
    assert (await people.seller.delete(f"{PRODUCTS}/{made['product_id']}")).status_code == 200
    product = (await people.nobody.get(f"{PREFIX}/products/{made['product_id']}")).json()
    assert [each["offer_id"] for each in product["offers"]] == [hers]
    assert (await people.shopper.get(f"{OFFERS}/{made['offer_id']}/featured")).status_code == 404
