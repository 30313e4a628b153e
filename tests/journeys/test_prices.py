"""Prices that change on the way: what a shopper was shown is honoured, or refused with both prices."""

from journeys.people import code, new_key, ok, until


async def _becomes(bea, offer_id, price):
    """The seller asks another price from now on."""
    ok(await bea.ask("PATCH", f"/seller/offers/{offer_id}", {"price": price}))


async def _shopper(town, offer_id, quantity=2):
    gus = await (await town.guest()).ready()
    await gus.puts(offer_id, quantity)
    return gus


async def _sees(gus, price):
    """The cart shows the price of now; other workers hear of it within five seconds at worst."""

    async def seen() -> bool:
        return (await gus.cart())["items"][0]["price"] == price

    assert await until(seen) < 5


async def test_a_price_that_changed_since_it_was_added_is_shown_and_charged(town, bea):
    tea = await bea.lists(price=10.0)
    gus = await _shopper(town, tea["offer_id"])
    await _becomes(bea, tea["offer_id"], 12.5)
    await _sees(gus, 12.5)
    cart = await gus.cart()
    [line], [problem] = cart["items"], cart["problems"]
    assert (line["price_at_add"], line["price"], line["line_total"]) == (10.0, 12.5, 25.0)
    assert (problem["code"], problem["price"]) == ("price_changed", 12.5)
    refused = await gus.tries_to_buy(expected_total=26.24)
    assert code(refused) == (409, "price_changed")
    assert (refused.json()["expected_total"], refused.json()["total"]) == (26.24, 31.55)
    order = await gus.buys(expected_total=31.55)
    assert (order["subtotal"], order["tax"], order["total"]) == (25.0, 1.56, 31.55)


async def test_a_quote_is_honoured_although_the_price_changed(town, bea):
    tea = await bea.lists(price=10.0)
    gus = await _shopper(town, tea["offer_id"])
    where = {name: gus.way[name] for name in ("shipping_address_id", "shipping_method")}
    quote = await gus.post("/quotes", where)
    parts = quote["subtotal"] - quote["discount"] + quote["shipping"] + quote["tax"]
    assert round(parts, 2) == quote["total"] == 26.24
    await _becomes(bea, tea["offer_id"], 99.0)
    await _sees(gus, 99.0)
    order = await gus.buys(quote_id=quote["quote_id"])
    assert order["total"] == 26.24
    assert order["payments"][0]["amount"] == 26.24


async def test_a_quote_holds_for_its_cart_address_and_way_only(town, bea):
    tea = await bea.lists(price=10.0)
    gus = await _shopper(town, tea["offer_id"])
    where = {name: gus.way[name] for name in ("shipping_address_id", "shipping_method")}
    quote_id = (await gus.post("/quotes", where))["quote_id"]
    stranger = await _shopper(town, tea["offer_id"])
    expired = (409, "quote_expired")
    assert code(await stranger.tries_to_buy(quote_id=quote_id)) == expired
    assert code(await gus.tries_to_buy(quote_id=quote_id, shipping_method="express")) == expired
    assert code(await gus.tries_to_buy(quote_id=quote_id[:-4] + "AAAA")) == expired
    await gus.puts(tea["offer_id"], 1)
    key = new_key()
    assert code(await gus.tries_to_buy(key, quote_id=quote_id)) == expired
    await gus.ask("PATCH", f"/cart/items/{tea['offer_id']}", {"quantity": 2})
    assert (await gus.buys(quote_id=quote_id))["total"] == 26.24


async def test_shipping_and_tax_depend_on_where_it_goes(town, bea):
    tea = await bea.lists(price=10.0)
    gus = await _shopper(town, tea["offer_id"])
    abroad = await gus.post(
        "/addresses",
        {"name": "A", "line1": "1 Weg", "city": "Wien", "postal_code": "1010", "country": "AT"},
    )
    methods = (await gus.get(f"/shipping-methods?address_id={abroad['address_id']}"))["methods"]
    prices = {method["code"]: method["price"] for method in methods}
    assert prices.keys() >= {"standard", "express"}
    for way, price in prices.items():
        asked = {"shipping_address_id": abroad["address_id"], "shipping_method": way}
        quote = await gus.post("/quotes", asked)
        assert (quote["subtotal"], quote["shipping"], quote["tax_included"]) == (20.0, price, True)
        assert quote["tax"] == round((20.0 + price) / 6, 2)  # 20 % in it


async def test_what_is_not_for_sale_any_more_is_not_sold(town, bea):
    tea = await bea.lists()
    gus = await _shopper(town, tea["offer_id"])
    ok(await bea.ask("PATCH", f"/seller/offers/{tea['offer_id']}", {"status": "paused"}))

    async def refused() -> bool:
        return bool((await gus.cart())["problems"])

    await until(refused)
    [problem] = (await gus.cart())["problems"]
    assert problem["code"] == "not_for_sale"
    assert code(await gus.tries_to_buy()) == (409, "out_of_stock")
    ok(await bea.ask("PATCH", f"/seller/offers/{tea['offer_id']}", {"status": "active"}))

    async def fine() -> bool:
        return not (await gus.cart())["problems"]

    await until(fine)
    assert (await gus.buys())["status"] == "confirmed"


async def test_quantities_are_whole_numbers_in_their_bounds(town, bea):
    tea = await bea.lists()
    gus = await town.guest()
    for quantity in (0, -1, 10_000, 1.5, True, None, "2", 10**30):
        item = {"offer_id": tea["offer_id"], "quantity": quantity}
        refused = await gus.ask("POST", "/cart/items", item)
        assert code(refused) == (422, "invalid"), quantity
        assert refused.json()["pointer"] == "/quantity"
    await gus.puts(tea["offer_id"], 9_999)
    assert (await gus.puts(tea["offer_id"], 9_999))["item_count"] == 9_999
    by_product = f"/cart/items/{tea['product_id']}"
    assert ok(await gus.ask("PATCH", by_product, {"quantity": 3}))["item_count"] == 3
    assert ok(await gus.ask("PATCH", by_product, {"quantity": 0}))["items"] == []
    assert code(await gus.ask("DELETE", by_product)) == (404, "not_found")
