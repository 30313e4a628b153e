"""A seller's shelf, and how soon shoppers find what a seller changed."""

import asyncio
import uuid

from journeys.people import code, new_key, ok, until


def _word():
    """One that nobody has used yet."""
    return "zq" + "".join(chr(ord("a") + int(digit, 16)) for digit in uuid.uuid4().hex[:12])


async def test_stock_is_counted_at_the_version_that_was_seen(town, bea):
    tea = await bea.lists(quantity=10)
    path = f"/seller/stock/{tea['offer_id']}"
    seen = (await bea.ask("GET", path)).headers["etag"]
    assert code(await bea.ask("PUT", path, {"quantity": 4})) == (428, "condition_missing")
    counted = await bea.ask("PUT", path, {"quantity": 4}, if_match=seen)
    assert ok(counted)["available"] == 4
    assert counted.headers["etag"] != seen
    assert code(await bea.ask("PUT", path, {"quantity": 9}, if_match=seen)) == (412, "stale")
    assert code(await bea.ask("PUT", path, {"quantity": 9}, if_match='"other"')) == (412, "stale")
    seen = counted.headers["etag"]
    for meant in (f'"other", {seen}', "*"):
        counted = await bea.ask("PUT", path, {"quantity": 4}, if_match=meant)
        assert ok(counted)["available"] == 4
        seen = counted.headers["etag"]
    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"])
    await gus.buys()
    assert code(await bea.ask("PUT", path, {"quantity": 9}, if_match=seen)) == (412, "stale")
    assert await bea.stock(tea["offer_id"]) == 3
    for quantity in (-1, 1.5, None):
        refused = await bea.ask("PUT", path, {"quantity": quantity}, if_match=seen)
        assert code(refused) == (422, "invalid")


async def test_another_sellers_shelf_is_not_there(town, bea):
    cal = await town.seller()
    tea = await bea.lists()
    path = f"/seller/stock/{tea['offer_id']}"
    assert code(await cal.ask("GET", path)) == (404, "not_found")
    assert code(await cal.ask("PUT", path, {"quantity": 0}, if_match='"1"')) == (404, "not_found")
    change = await cal.ask("PATCH", f"/seller/offers/{tea['offer_id']}", {"price": 0.01})
    assert code(change) == (404, "not_found")
    assert await bea.stock(tea["offer_id"]) == 10


async def test_what_a_seller_changes_is_found_within_a_second(town, bea):
    word = _word()
    times = []
    tea = await bea.lists(f"{word} tea", quantity=1, price=10.0)

    async def found():
        return (await town.nobody.get(f"/search?q={word}"))["results"]

    async def listed():
        return any(product["in_stock"] for product in await found())

    times.append(await until(listed))
    [card] = await found()
    assert (card["price"], card["in_stock"], card["product_id"]) == (10.0, True, tea["product_id"])

    ok(await bea.ask("PATCH", f"/seller/offers/{tea['offer_id']}", {"price": 7.25}))

    async def cheaper():
        return (await found())[0]["price"] == 7.25

    times.append(await until(cheaper))
    product = await town.nobody.get(f"/products/{tea['product_id']}")
    assert product["price"] == 7.25

    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"])
    await gus.buys()

    async def sold_out():
        return not (await found())[0]["in_stock"]

    times.append(await until(sold_out))
    assert (await town.nobody.get(f"/search?q={word}&filters[in_stock]=true"))["total"] == 0

    ok(await bea.ask("PATCH", f"/seller/offers/{tea['offer_id']}", {"status": "draft"}))

    async def gone():
        return not await found()

    times.append(await until(gone))
    assert max(times) < 1, times


async def test_a_draft_is_nobodys_to_see_or_to_buy(town, bea):
    tea = await bea.lists(status="draft")
    gus = await town.guest()
    for verb, path, body in (
        ("GET", f"/products/{tea['product_id']}", None),
        ("POST", "/cart/items", {"offer_id": tea["offer_id"], "quantity": 1}),
        ("POST", "/cart/items", {"product_id": tea["product_id"], "quantity": 1}),
    ):
        assert (await gus.ask(verb, path, body)).status_code == 404, path
    ok(await bea.ask("PATCH", f"/seller/offers/{tea['offer_id']}", {"status": "active"}))
    assert (await town.nobody.get(f"/products/{tea['product_id']}"))["price"]
    await gus.puts(tea["offer_id"])


async def test_a_product_page_says_within_a_moment_that_the_last_one_went(town, bea):
    tea = await bea.lists(quantity=1)
    path = f"/products/{tea['product_id']}"

    async def in_stock():
        return (await town.nobody.get(path))["in_stock"]

    await until(in_stock)
    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"])
    await gus.buys()

    async def sold_out():
        return not await in_stock()

    assert await until(sold_out) < 5


async def test_a_listing_is_buyable_when_it_returns(town, bea):
    gus = await (await town.guest()).ready()
    for price in (0.5, 19.99, 1200):
        tea = await bea.lists(price=price, quantity=1)
        await gus.post("/cart/items", {"product_id": tea["product_id"], "quantity": 1})
        assert (await gus.buys())["subtotal"] == price


async def test_a_listing_that_cannot_be_is_refused_by_field(town, bea):
    good = {"title": "T", "description": "", "category": "tea", "price": 1, "currency": "USD", "quantity": 1}
    for field, wrong in [
        ("price", 1.999),
        ("price", -1),
        ("price", "1"),
        ("quantity", -1),
        ("title", ""),
        ("currency", "usd"),
        ("category", ""),
    ]:
        refused = await bea.ask("POST", "/seller/products", good | {field: wrong})
        assert refused.status_code == 422, (field, refused.text)
        assert refused.json()["pointer"] == f"/{field}"


async def test_registering_as_a_seller_works_in_the_session_that_runs(town):
    mia = await town.member()
    assert code(await mia.ask("GET", "/seller/orders")) == (403, "forbidden")
    name = f"Mia's {new_key()}"
    answers = await asyncio.gather(*(mia.post("/sellers", {"name": name}) for _ in range(3)))
    assert len({answer["seller_id"] for answer in answers}) == 1
    assert (await mia.get("/seller/orders"))["orders"] == []
    zoe = await town.member()
    assert code(await zoe.ask("POST", "/sellers", {"name": name})) == (409, "name_taken")


async def test_the_people_of_the_demo(town):
    ann, bob, ops = [await town.signed_in(f"{name}@example.com") for name in ("ann", "bob", "ops")]
    assert "shopper" in (await ann.get("/sessions/current"))["roles"]
    offers = (await bob.get("/seller/offers?limit=5"))["offers"]
    assert len(offers) == 5
    assert await bob.stock(offers[0]["offer_id"]) >= 0
    assert "operator" in (await ops.get("/sessions/current"))["roles"]
    assert code(await ann.ask("GET", "/seller/orders")) == (403, "forbidden")
    wrong = {"email": "ann@example.com", "password": "wrong!"}
    assert code(await town.nobody.ask("POST", "/sessions", wrong)) == (401, "wrong_password")
    await ann.ask("DELETE", "/sessions/current")
    assert (await ann.ask("GET", "/sessions/current")).status_code == 401
