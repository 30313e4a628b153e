"""A product with variants, over HTTP: listed, read, changed, archived; its SKUs, GTINs, options and stock."""

import asyncio

from one_scene import one_scene
from valkeys import forget_all
from waiting import until

from mercat.web.routes import PREFIX

MUG = {
    "title": "Mug",
    "description": "Holds tea.",
    "category": "kitchen",
    "currency": "USD",
    "options": [{"name": "Size", "values": ["S", "L"]}, {"name": "Colour", "values": ["Red", "Blue"]}],
    "variants": [
        {
            "options": {"Size": size, "Colour": colour},
            "sku": f"MUG-{size}-{colour}",
            "price": 10 + n,
            "quantity": n,
        }
        for n, (size, colour) in enumerate([("S", "Red"), ("S", "Blue"), ("L", "Red")], 1)
    ],
}
PRODUCTS = f"{PREFIX}/seller/products"


async def listed(people, **more):
    made = await people.seller.post(PRODUCTS, json=MUG | more)
    assert made.status_code == 201, made.text
    return made.json()


async def shown(people, product_id):
    answer = await people.seller.get(f"{PRODUCTS}/{product_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_product_is_listed_with_its_variants_and_everybody_sees_them(people):
    made = await listed(people)
    assert [each["sku"] for each in made["variants"]] == ["MUG-S-Red", "MUG-S-Blue", "MUG-L-Red"]
    product = (await people.nobody.get(f"{PREFIX}/products/{made['product_id']}")).json()
    assert product["options"] == {"Size": ["S", "L"], "Colour": ["Red", "Blue"]}
    assert list(product["options"]) == ["Size", "Colour"]
    assert [each["sku"] for each in product["variants"]] == ["MUG-S-Red", "MUG-S-Blue", "MUG-L-Red"]
    assert [each["offers"][0]["price"] for each in product["variants"]] == [11, 12, 13]
    assert all(each["image_url"] for each in product["variants"])
    cart = await people.shopper.post(
        f"{PREFIX}/cart/items", json={"offer_id": made["variants"][2]["offer_id"], "quantity": 3}
    )
    assert cart.json()["problems"] == []
    assert cart.json()["items"][0]["price"] == 13


async def test_its_seller_reads_it_by_the_names_that_listed_it(people):
    made = await listed(people, brand="Potts", attributes={"Dishwasher": True})
    seen = await shown(people, made["product_id"])
    for name in ("title", "description", "category", "currency", "options"):
        assert seen[name] == MUG[name]
    assert (seen["status"], seen["brand"], seen["attributes"]) == ("active", "Potts", {"Dishwasher": True})
    assert (seen["price"], seen["quantity"]) == (11, 6)
    assert [(each["sku"], each["price"], each["quantity"]) for each in seen["variants"]] == [
        ("MUG-S-Red", 11, 1),
        ("MUG-S-Blue", 12, 2),
        ("MUG-L-Red", 13, 3),
    ]
    assert {each["offer_id"] for each in seen["variants"]} == {each["offer_id"] for each in made["variants"]}
    assert seen["images"] == [f"/media/art/{made['product_id']}.svg"]


async def test_a_product_without_variants_stays_as_short_as_it_was(people):
    plain = {"title": "Jug", "description": "", "category": "kitchen", "price": 5, "currency": "USD"}
    made = await people.seller.post(
        PRODUCTS, json=plain | {"quantity": 2, "sku": "JUG", "gtin": "4006381333931"}
    )
    assert made.status_code == 201, made.text
    seen = await shown(people, made.json()["product_id"])
    assert (seen["price"], seen["quantity"], seen["options"]) == (5, 2, [])
    [only] = seen["variants"]
    assert (only["sku"], only["gtin"], only["options"]) == ("JUG", "4006381333931", {})
    for name in ("price", "quantity"):
        less = {key: value for key, value in (plain | {"quantity": 2}).items() if key != name}
        refused = await people.seller.post(PRODUCTS, json=less)
        assert (refused.status_code, refused.json()["pointer"]) == (422, f"/{name}")
    changed = await people.seller.patch(f"{PRODUCTS}/{made.json()['product_id']}", json={"price": 6})
    assert changed.json()["price"] == 6
    assert changed.json()["variants"][0]["sku"] == "JUG"


@one_scene(
    ("change", "pointer"),
    [
        ({"gtin": "4006381333930"}, "/variants/1/gtin"),
        ({"gtin": "123"}, "/variants/1/gtin"),
        ({"gtin": "x"}, "/variants/1/gtin"),
        ({"price": -1}, "/variants/1/price"),
        ({"price": 0}, "/variants/1/price"),
        ({"price": 1.001}, "/variants/1/price"),
        ({"quantity": -1}, "/variants/1/quantity"),
        ({"options": {"Size": "S", "Colour": "Red"}}, "/variants/1/options"),
        ({"options": {"Size": "S"}}, "/variants/1/options"),
        ({"options": {"Size": "S", "Colour": "Green"}}, "/variants/1/options/Colour"),
        ({"skuu": "A"}, "/variants/1/skuu"),
    ],
)
async def test_what_a_variant_may_not_be_is_said_at_its_place(people, change, pointer):
    variants = [*MUG["variants"]]
    variants[1] = variants[1] | change
    refused = await people.seller.post(PRODUCTS, json=MUG | {"variants": variants})
    assert (refused.status_code, refused.json()["pointer"]) == (422, pointer)
    assert (await people.seller.get(PRODUCTS)).json()["products"] == []


@one_scene("alike", ["Red\u200b", "\uff32ed", "R\u00aded", "Re\u2060d"])
async def test_two_options_or_values_that_look_the_same_are_refused(people, alike):
    values = [{"name": "Size", "values": ["S"]}, {"name": "Colour", "values": ["Red", alike]}]
    variants = [
        {"options": {"Size": "S", "Colour": each}, "price": 5, "quantity": 1} for each in ("Red", alike)
    ]
    body = {"title": "Mug", "description": "", "category": "Cups", "currency": "USD", "variants": variants}
    refused = await people.seller.post(PRODUCTS, json=body | {"options": values})
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/options/1/values")
    refused = await people.seller.post(PRODUCTS, json=body)
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/variants/1/options")
    named = [{"name": "Red", "values": ["S"]}, {"name": alike, "values": ["S"]}]
    refused = await people.seller.post(PRODUCTS, json=body | {"options": named})
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/options")


@one_scene("url", ["//else.example/a.png", "/\\elsewhere.example", "/\t/elsewhere.example"])
async def test_no_picture_is_of_an_address_that_only_looks_like_the_shops_own(people, url):
    body = {"title": "Mug", "description": "", "category": "Cups", "price": 5, "quantity": 1}
    refused = await people.seller.post(PRODUCTS, json=body | {"images": [url]})
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/images/0")
    own = await people.seller.post(PRODUCTS, json=body | {"images": ["/media/art/demo-1.svg?k=ball&s=1"]})
    assert own.status_code == 201, own.text


async def test_a_sku_is_one_of_its_seller(people):
    made = await listed(people)
    again = await people.seller.post(PRODUCTS, json=MUG | {"title": "Other mug"})
    assert (again.status_code, again.json()["code"]) == (409, "sku_taken")
    assert again.json()["pointer"] == "/variants/0/sku"
    twice = [MUG["variants"][0], MUG["variants"][1] | {"sku": "MUG-S-Red"}]
    within = await people.seller.post(PRODUCTS, json=MUG | {"variants": twice})
    assert (within.status_code, within.json()["code"]) == (409, "sku_taken")
    assert (await people.shopper.post(f"{PREFIX}/sellers", json={"name": "Ann's"})).status_code == 201
    assert (await people.shopper.post(PRODUCTS, json=MUG)).status_code == 201
    assert (await people.seller.delete(f"{PRODUCTS}/{made['product_id']}")).status_code == 200
    assert (await people.seller.post(PRODUCTS, json=MUG)).status_code == 201


async def test_two_listings_at_once_cannot_both_have_a_sku(people):
    answers = await asyncio.gather(
        *(people.seller.post(PRODUCTS, json=MUG | {"title": f"Mug {n}"}) for n in range(4))
    )
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]


async def test_the_same_key_lists_once_with_the_same_ids(people):
    key = {"Idempotency-Key": "k-1"}
    first = await people.seller.post(PRODUCTS, json=MUG, headers=key)
    await forget_all(people.shop.host.store)  # the answer is forgotten; the listing is not
    tokens = {"email": "bob@example.com", "password": "mercat-test"}
    token = (await people.nobody.post(f"{PREFIX}/sessions", json=tokens)).json()["token"]
    people.nobody.cookies.clear()
    headers = key | {"authorization": f"Bearer {token}"}
    again = await people.nobody.post(PRODUCTS, json=MUG, headers=headers)
    assert again.status_code == 201
    assert again.json() == first.json()


async def test_variants_are_changed_added_and_removed_by_one_patch(people):
    made = await listed(people)
    at = f"{PRODUCTS}/{made['product_id']}"
    red, blue, large = made["variants"]
    wanted = [
        {"sku_id": large["sku_id"], "price": 20, "gtin": "4006381333931"},
        {"sku": "MUG-S-Red", "options": {"Size": "S", "Colour": "Red"}},
        {"options": {"Size": "L", "Colour": "Blue"}, "sku": "MUG-L-Blue", "price": 21, "quantity": 9},
    ]
    changed = await people.seller.patch(at, json={"title": "Fine mug", "variants": wanted})
    assert changed.status_code == 200, changed.text
    seen = changed.json()
    assert seen == await shown(people, made["product_id"])
    assert [(each["sku"], each["price"], each["quantity"]) for each in seen["variants"]] == [
        ("MUG-L-Red", 20, 3),
        ("MUG-S-Red", 11, 1),
        ("MUG-L-Blue", 21, 9),
    ]
    assert seen["variants"][0]["offer_id"] == large["offer_id"]
    assert (seen["title"], seen["description"]) == ("Fine mug", "Holds tea.")
    public = (await people.nobody.get(f"{PREFIX}/products/{made['product_id']}")).json()
    assert [each["sku"] for each in public["variants"]] == ["MUG-L-Red", "MUG-S-Red", "MUG-L-Blue"]
    assert public["variants"][0]["gtin"] == "4006381333931"
    gone = await people.shopper.post(
        f"{PREFIX}/cart/items", json={"offer_id": blue["offer_id"], "quantity": 1}
    )
    assert [each["code"] for each in gone.json()["problems"]] == ["not_for_sale"]
    again = await people.seller.patch(at, json={"title": "Fine mug", "variants": wanted})
    assert again.json()["variants"][2]["sku_id"] == seen["variants"][2]["sku_id"]
    assert red["offer_id"] == again.json()["variants"][1]["offer_id"]


async def test_variants_change_names_with_each_other(people):
    made = await listed(people)
    red, blue, large = made["variants"]
    wanted = [
        {"sku_id": red["sku_id"], "sku": "MUG-S-Blue", "options": {"Size": "S", "Colour": "Blue"}},
        {"sku_id": blue["sku_id"], "sku": "MUG-S-Red", "options": {"Size": "S", "Colour": "Red"}},
        {"sku_id": large["sku_id"]},
    ]
    changed = await people.seller.patch(f"{PRODUCTS}/{made['product_id']}", json={"variants": wanted})
    assert changed.status_code == 200, changed.text
    assert [each["sku"] for each in changed.json()["variants"]] == ["MUG-S-Blue", "MUG-S-Red", "MUG-L-Red"]
    assert changed.json()["variants"][0]["offer_id"] == red["offer_id"]


async def test_what_was_read_can_be_sent_back_and_changes_nothing(people):
    made = await listed(people)
    seen = await shown(people, made["product_id"])
    given = {name: seen[name] for name in ("title", "description", "category", "options", "images", "status")}
    kept = ("sku_id", "offer_id", "options", "sku", "gtin", "price", "quantity", "weight_g", "images")
    given["variants"] = [{name: each[name] for name in kept} for each in seen["variants"]]
    again = await people.seller.patch(f"{PRODUCTS}/{made['product_id']}", json=given)
    assert again.status_code == 200, again.text
    assert again.json() == seen


async def test_stock_is_changed_with_the_etag_that_was_read_and_never_over_a_sale(people):
    made = await listed(people)
    at = f"{PRODUCTS}/{made['product_id']}"
    more = {"variants": [{"sku_id": each["sku_id"], "quantity": 50} for each in made["variants"]]}
    without = await people.seller.patch(at, json=more)
    assert (without.status_code, without.json()["code"]) == (428, "condition_missing")
    etag = (await people.seller.get(at)).headers["etag"]
    assert not etag.startswith("W/")
    for bad in ('"x"', f"W/{etag}"):
        stale = await people.seller.patch(at, json=more, headers={"If-Match": bad})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    counted = await people.seller.patch(at, json=more, headers={"If-Match": etag})
    assert [each["quantity"] for each in counted.json()["variants"]] == [50, 50, 50]
    late = await people.seller.patch(at, json=more, headers={"If-Match": etag})
    assert late.status_code == 412
    assert counted.headers["etag"] != etag


async def test_a_draft_is_not_for_sale_until_it_is(people):
    made = await listed(people, status="draft")
    assert (await people.nobody.get(f"{PREFIX}/products/{made['product_id']}")).status_code == 404
    assert (await shown(people, made["product_id"]))["status"] == "draft"
    changed = await people.seller.patch(f"{PRODUCTS}/{made['product_id']}", json={"status": "active"})
    assert changed.json()["status"] == "active"
    product = (await people.nobody.get(f"{PREFIX}/products/{made['product_id']}")).json()
    assert product["price"] == 11


async def test_an_archived_product_is_gone_for_shoppers_and_kept_in_the_sellers_books(people):
    made = await listed(people)
    at = f"{PRODUCTS}/{made['product_id']}"
    for _ in range(2):
        archived = await people.seller.delete(at)
        assert (archived.status_code, archived.json()["status"]) == (200, "archived")
    gone = await people.nobody.get(f"{PREFIX}/products/{made['product_id']}")
    assert (gone.status_code, gone.json()["code"]) == (410, "gone")
    page = await people.nobody.get(f"/p/{made['product_id']}")
    assert page.status_code == 410
    assert "not sold here any more" in page.text
    assert (await shown(people, made["product_id"]))["status"] == "archived"
    assert (await people.seller.get(PRODUCTS)).json()["products"] == []
    [line] = (await people.seller.get(PRODUCTS, params={"status": "archived"})).json()["products"]
    assert line["product_id"] == made["product_id"]
    assert (await people.seller.patch(at, json={"title": "Back"})).status_code == 410
    put = await people.seller.patch(f"{PREFIX}/seller/offers/{made['offer_id']}", json={"status": "active"})
    assert put.status_code == 404
    assert (await people.seller.get(f"{PREFIX}/seller/offers")).json()["offers"] == []


async def test_a_sellers_products_are_listed_and_filtered(people):
    mug = await listed(people)
    jug = await listed(people, title="Jug", variants=[], options=[], price=3, quantity=4, status="draft")
    every = (await people.seller.get(PRODUCTS)).json()
    assert [each["title"] for each in every["products"]] == ["Jug", "Mug"]
    assert (
        every["products"][1]
        | {
            "price": 11,
            "quantity": 6,
            "variant_count": 3,
            "status": "active",
        }
        == every["products"][1]
    )
    page = (await people.seller.get(PRODUCTS, params={"limit": 1})).json()
    rest = (await people.seller.get(PRODUCTS, params={"limit": 1, "cursor": page["next_cursor"]})).json()
    assert [each["product_id"] for each in page["products"] + rest["products"]] == [
        jug["product_id"],
        mug["product_id"],
    ]
    for params, titles in (
        ({"q": "mu"}, ["Mug"]),
        ({"status": "draft"}, ["Jug"]),
        ({"sku": "MUG-L-Red"}, ["Mug"]),
        ({"category": "kitchen"}, ["Jug", "Mug"]),
        ({"category": "garden"}, []),
    ):
        found = (await people.seller.get(PRODUCTS, params=params)).json()
        assert [each["title"] for each in found["products"]] == titles, params
    assert (await people.seller.get(PRODUCTS, params={"stauts": "draft"})).status_code == 422


async def test_anothers_product_is_not_there(people):
    made = await listed(people)
    assert (await people.shopper.post(f"{PREFIX}/sellers", json={"name": "Ann's"})).status_code == 201
    at = f"{PRODUCTS}/{made['product_id']}"
    assert (await people.shopper.get(at)).status_code == 404
    assert (await people.shopper.patch(at, json={"title": "Mine"})).status_code == 404
    assert (await people.shopper.delete(at)).status_code == 404


async def test_two_thousand_variants_are_listed_read_and_changed(people):
    variants = [
        {"options": {"Number": str(n)}, "sku": f"N{n}", "price": 1, "quantity": 1} for n in range(2_000)
    ]
    ask = {"title": "Numbers", "description": "", "category": "kitchen", "variants": variants}
    made = await people.seller.post(PRODUCTS, json=ask)
    assert made.status_code == 201, made.text
    at = f"{PRODUCTS}/{made.json()['product_id']}"
    seen = (await people.seller.get(at)).json()
    assert len(seen["variants"]) == 2_000
    page = await people.nobody.get(f"/p/{made.json()['product_id']}")
    assert page.status_code == 200
    changed = await people.seller.patch(at, json={"variants": variants[:1_999]})
    assert len(changed.json()["variants"]) == 1_999
    over = await people.seller.post(PRODUCTS, json=ask | {"variants": [*variants, variants[0]]})
    assert (over.status_code, over.json()["pointer"]) == (422, "/variants")


async def test_a_product_is_found_by_the_codes_of_its_variants(people):
    gtin = MUG["variants"][0] | {"gtin": "04006381333931"}
    made = await listed(people, variants=[gtin, *MUG["variants"][1:]])
    for code in ("MUG-S-Blue", "4006381333931"):

        async def found(code=code):
            return (await people.nobody.get(f"{PREFIX}/search", params={"q": code})).json()["results"]

        assert [each["product_id"] for each in await until(found)] == [made["product_id"]]


async def test_a_product_with_several_lines_in_a_cart_does_not_say_which(people):
    made = await listed(people)
    for each in made["variants"][:2]:
        await people.shopper.post(f"{PREFIX}/cart/items", json={"offer_id": each["offer_id"], "quantity": 1})
    at = f"{PREFIX}/cart/items/{made['product_id']}"
    for refused in (await people.shopper.delete(at), await people.shopper.patch(at, json={"quantity": 2})):
        assert (refused.status_code, refused.json()["code"]) == (409, "ambiguous_line")
        assert set(refused.json()["offer_ids"]) == {each["offer_id"] for each in made["variants"][:2]}
    assert (await people.shopper.get(f"{PREFIX}/cart")).json()["item_count"] == 2
    one = await people.shopper.delete(f"{PREFIX}/cart/items/{made['variants'][0]['offer_id']}")
    assert one.json()["item_count"] == 1
    assert (await people.shopper.delete(at)).json()["item_count"] == 0


async def test_a_wish_that_is_not_for_sale_is_shown_as_away(people):
    made = await listed(people)
    assert (await people.shopper.put(f"{PREFIX}/wishlist/{made['product_id']}")).status_code == 200
    assert "Not for sale" not in (await people.shopper.get("/wishlist")).text
    for gone in ({"status": "paused"}, None):
        at = f"{PRODUCTS}/{made['product_id']}"
        done = await (people.seller.patch(at, json=gone) if gone else people.seller.delete(at))
        assert done.status_code == 200
        page = (await people.shopper.get("/wishlist")).text
        assert "Not for sale at the moment" in page
        assert "Mug" in page
        [item] = (await people.shopper.get(f"{PREFIX}/wishlist")).json()["items"]
        assert (item["product_id"], item["product"]) == (made["product_id"], None)
