"""What operators do about products: finding, hiding and moving them. What is hidden is for sale nowhere."""

from typing import Any

import pytest
from flash_scene import SALE
from flash_scene import scene as scene
from house import ANN, House, Visitor
from house import house as house
from house import opened as opened
from journeys.people import HOME, new_key, until

from mercat import ids
from mercat.catalog import Moderation
from mercat.ids import ProductId
from mercat.kit.refusals import Refusal
from mercat.web.routes import PREFIX

OLGA = {"email": "olga@example.com", "password": "a desk of one's own", "name": "Olga"}
BOB = {"email": "bob@example.com", "password": "battery staple", "name": "Bob"}
CUP = {"description": "", "category": "cups", "price": 5, "currency": "USD", "quantity": 4}
WHY = "It was recalled by its maker."


async def staffed(house: House) -> tuple[Visitor, Visitor]:
    olga, bob = await house.member(OLGA), await house.member(BOB)
    await house.shop.accounts.set_operator(OLGA["email"], given=True)
    await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
    return olga, bob


async def listed(bob: Visitor, title: str, **more: Any) -> dict[str, str]:
    return await bob.api("POST", "/seller/products", 201, {"title": title, **CUP, **more})


async def titles(visitor: Visitor, path: str) -> list[str]:
    return [each["title"] for each in (await visitor.api("GET", path, 200))["products"]]


async def test_products_are_found_by_words_id_seller_and_status(house):
    olga, bob = await staffed(house)
    red, _, draft = (
        await listed(bob, "A red cup"),
        await listed(bob, "A blue cup"),
        await listed(bob, "A white cup", status="draft"),
    )
    at = "/operator/products"
    assert await titles(olga, at) == ["A white cup", "A blue cup", "A red cup"]
    assert await titles(olga, f"{at}?q=CUP red") == ["A red cup"]
    assert await titles(olga, f"{at}?q={draft['product_id']}") == ["A white cup"]
    assert await titles(olga, f"{at}?status=draft") == ["A white cup"]
    seller_id = (await olga.api("GET", f"{at}/{red['product_id']}", 200))["seller_id"]
    assert len(await titles(olga, f"{at}?seller={seller_id}&q=cup")) == 3
    assert await titles(olga, f"{at}?seller=sel_0000000000001") == []
    first = await olga.api("GET", f"{at}?limit=2", 200)
    rest = await olga.api("GET", f"{at}?limit=2&cursor={first['next_cursor']}", 200)
    assert ([each["title"] for each in rest["products"]], rest["next_cursor"]) == (["A red cup"], None)


async def test_what_is_hidden_is_for_sale_nowhere_until_it_is_shown_again(house):
    olga, bob = await staffed(house)
    ann = await house.member()
    cup = await listed(bob, "A zircon cup")
    product, at = cup["product_id"], f"/operator/products/{cup['product_id']}"

    async def found() -> bool:
        return bool((await ann.api("GET", "/search?q=zircon", 200))["results"])

    async def not_found() -> bool:
        return not await found()

    await until(found)
    await ann.api("POST", "/cart/items", 200, {"offer_id": cup["offer_id"], "quantity": 1})
    address = await ann.api("POST", "/addresses", 201, HOME)
    card = await ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"})
    way = {
        "shipping_address_id": address["address_id"],
        "payment_method_id": card["payment_method_id"],
        "shipping_method": "standard",
    }
    for _ in range(2):  # again changes nothing
        shown = await olga.api("PATCH", at, 200, {"hidden": True, "reason": WHY})
        assert (shown["status"], shown["hidden_because"]) == ("hidden", WHY)
    assert (await ann.api("GET", f"/products/{product}", 410))["code"] == "gone"
    await ann.page(f"/p/{product}", 410)
    await until(not_found)
    assert [each["code"] for each in (await ann.api("GET", "/cart", 200))["problems"]] == ["not_for_sale"]
    assert "not for sale any more" in await ann.page("/cart")
    ann.http.headers["idempotency-key"] = new_key()
    assert "not for sale any more" in (await ann.api("POST", "/orders/checkout", 409, way))["detail"]
    await ann.api("POST", "/cart/items", 404, {"product_id": product, "quantity": 1})

    shown = await olga.api("PATCH", at, 200, {"hidden": False})
    assert (shown["status"], shown["hidden_because"], shown["hidden_at"]) == ("active", "", None)
    await ann.api("GET", f"/products/{product}", 200)
    await until(found)
    ann.http.headers["idempotency-key"] = new_key()
    await ann.api("POST", "/orders/checkout", 201, way)


async def test_its_seller_sees_why_and_cannot_undo_it(house):
    olga, bob = await staffed(house)
    sue = await house.member({"email": "sue@example.com", "password": "battery staple", "name": "Sue"})
    await sue.api("POST", "/sellers", 201, {"name": "Sue's"})
    cup = await listed(bob, "A cup", gtin="4006381333931")
    product = cup["product_id"]
    await olga.api("PATCH", f"/operator/products/{product}", 200, {"hidden": True, "reason": WHY})
    assert (await bob.api("GET", f"/seller/products/{product}", 200))["hidden_because"] == WHY
    [line] = (await bob.api("GET", "/seller/products", 200))["products"]
    [offer] = (await bob.api("GET", "/seller/offers", 200))["offers"]
    assert line["hidden_because"] == offer["hidden_because"] == WHY
    assert "recalled by its maker" in await bob.page("/desk")
    assert "recalled by its maker" in await bob.page(f"/desk/products/{product}")

    await bob.api("PATCH", f"/seller/products/{product}", 200, {"status": "paused"})
    await bob.api("PATCH", f"/seller/products/{product}", 200, {"status": "active", "title": "Another cup"})
    await bob.api("PATCH", f"/seller/offers/{cup['offer_id']}", 200, {"status": "active", "price": 4})
    await sue.api("POST", "/seller/offers", 404, {"gtin": "4006381333931", "price": 3, "quantity": 1})
    await bob.api("PATCH", f"/operator/products/{product}", 403, {"hidden": False})
    await (await house.visitor()).api("GET", f"/products/{product}", 410)
    standing = await bob.api("GET", f"/seller/offers/{cup['offer_id']}/featured", 200)
    assert (standing["featured"], standing["reasons"]) == (False, ["not_for_sale"])


async def test_hiding_needs_a_reason_and_moving_a_category_that_is_there(house):
    olga, bob = await staffed(house)
    await house.shop.catalog.add_category("Mugs")
    cup = await listed(bob, "A cup")
    at = f"/operator/products/{cup['product_id']}"
    assert (await olga.api("PATCH", at, 422, {"hidden": True}))["pointer"] == "/reason"
    assert (await olga.api("PATCH", at, 422, {"hidden": True, "reason": "  "}))["pointer"] == "/reason"
    unknown = await olga.api("PATCH", at, 422, {"category": "cupz"})
    assert (unknown["code"], unknown["pointer"], "cups" in unknown["closest"]) == (
        "category_unknown",
        "/category",
        True,
    )
    assert (await olga.api("PATCH", at, 200, {"category": "Mugs"}))["category"] == "mugs"
    shown = await (await house.visitor()).api("GET", f"/products/{cup['product_id']}", 200)
    assert shown["category"] == "mugs"
    await olga.api("PATCH", "/operator/products/prod_0000000000001", 404, {"hidden": False})
    [entry, *_] = (await olga.api("GET", f"/operator/audit-log?subject={at}", 200))["entries"]
    assert (entry["before"]["category"], entry["after"]["category"]) == ("cups", "mugs")


async def test_a_pass_of_a_flash_sale_does_not_buy_what_is_hidden(scene):
    await scene.opens(rate=5)
    ann = scene.person()
    await scene.sales.join(ann, SALE)
    await scene.tick()
    stand = await scene.stands(ann)
    assert stand.pass_
    sale = await scene.sales.sale(SALE)
    await scene.shop.catalog.moderate(sale.product_id, Moderation(hidden=True, reason=WHY))
    with pytest.raises(Refusal) as refused:
        await scene.buys(ann, stand.pass_)
    assert "not for sale any more" in str(refused.value)


async def test_an_import_of_its_seller_does_not_put_it_back(house):
    olga, bob = await staffed(house)

    async def imported(title: str) -> str:
        rows = f"external_id,title,price,category,quantity,status\nC-1,{title},6,cups,3,active\n".encode()
        sent = await bob.http.post(f"{PREFIX}/seller/imports", files={"file": ("c.csv", rows, "text/csv")})
        at = f"/seller/imports/{sent.json()['import_id']}"

        async def done() -> bool:
            return (await bob.api("GET", at, 200))["status"] == "done"

        await until(done)
        [found] = (await olga.api("GET", "/operator/products?q=C-1", 200))["products"]
        return found["product_id"]

    product_id = await imported("A cup")
    await olga.api("PATCH", f"/operator/products/{product_id}", 200, {"hidden": True, "reason": WHY})
    assert await imported("A new cup") == product_id
    shown = await olga.api("GET", f"/operator/products/{product_id}", 200)
    assert (shown["title"], shown["status"]) == ("A new cup", "hidden")


async def test_the_pages_find_hide_show_and_move(house):
    olga, bob = await staffed(house)
    await house.shop.catalog.add_category("Mugs")
    long = await listed(bob, "W" * 400)
    at = f"/operator/products/{long['product_id']}"
    assert "Nothing matches" in await olga.page("/operator/products?q=nothing")
    assert long["product_id"] in await olga.page("/operator/products?status=active")
    assert "its seller reads it" in await olga.send(at, f"{at}/hide", 422, reason="")
    assert "off sale everywhere" in await olga.send(at, f"{at}/hide", reason=WHY)
    assert WHY in await olga.page(at)
    assert "on sale again" in await olga.send(at, f"{at}/show")
    assert "new category" in await olga.send(at, f"{at}/move", category="mugs")
    assert "There is no category" in await olga.send(at, f"{at}/move", 422, category="cupz")
    product = await house.shop.catalog.product(ids.parse(ProductId, long["product_id"]))
    assert product.category == "mugs"
    assert (await house.member(ANN)) is not None
