"""What goods cost in a market: by its rule or a price of their own, and the same wherever it stands."""

import asyncio
import re

import asyncpg
import pytest
from house import opened as opened
from journeys.people import code, new_key, until
from one_scene import one_scene
from trade import WIEN, trading

from mercat.audit import audit
from mercat.web.routes import PREFIX

EU = {"code": "eu", "name": "Euroland", "countries": ["AT", "DE"], "percent": 20, "round_to": 1, "less": 0.01}
BRAZIL = {"code": "br", "name": "Brazil", "countries": ["BR"], "percent": -10}


@pytest.fixture
async def trade(opened):
    async with opened() as house:
        yield await trading(house)


async def sets(trade, *markets, status=200, **more):
    return await trade.olga.api("PUT", "/operator/markets", status, {"markets": list(markets)} | more)


async def own(trade, offer_id, **prices):
    return await trade.bob.api("PUT", f"/seller/offers/{offer_id}/prices", 200, {"prices": prices})


async def product_of(trade, offer_id, country=""):
    offers = (await trade.bob.api("GET", "/seller/offers", 200))["offers"]
    product_id = next(each["product_id"] for each in offers if each["offer_id"] == offer_id)
    return await trade.ann.api("GET", f"/products/{product_id}?country={country}", 200)


async def test_markets_are_set_as_a_whole_and_shown(trade):
    assert await trade.olga.api("GET", "/operator/markets", 200) == {"markets": [], "version": 0}
    shown = await sets(trade, EU | {"countries": ["de", "at"], "currency": "USD"}, BRAZIL)
    brazil, eu = shown["markets"]
    assert eu == EU | {"countries": ["AT", "DE"], "currency": "USD", "tax_included": True, "rate": None}
    assert (brazil["percent"], brazil["round_to"], brazil["tax_included"]) == (-10, None, False)
    again = await sets(trade, *shown["markets"], version=shown["version"])
    assert again["markets"] == shown["markets"]
    changed = await sets(trade, status=409, version=shown["version"])
    assert changed["code"] == "markets_changed"
    assert (await sets(trade))["markets"] == []


@one_scene(
    ("market", "pointer"),
    [
        (EU | {"currency": "EUR"}, "/markets/0/currency"),
        (EU | {"percent": 1.234}, "/markets/0/percent"),
        (EU | {"less": 0.51}, "/markets/0/less"),
        (EU | {"rate": 0}, "/markets/0/rate"),
        (EU | {"rate": -1.1}, "/markets/0/rate"),
        (EU | {"rate": 1.0000001}, "/markets/0/rate"),
        (EU | {"rate": 1e7}, "/markets/0/rate"),
        (EU | {"rate": "1.1"}, "/markets/0/rate"),
        (EU | {"round_to": 0.001}, "/markets/0/round_to"),
        (EU | {"countries": ["XX"]}, "/markets/0/countries/0"),
        (EU | {"code": "E U"}, "/markets/0/code"),
    ],
)
async def test_what_cannot_be_a_market_is_refused_where_it_stands(trade, market, pointer):
    refused = await sets(trade, market, status=422)
    assert refused["pointer"] == pointer
    assert market.get("currency") != "EUR" or "sells in USD alone" in refused["detail"]


async def test_a_price_is_the_same_everywhere_to_the_cent(trade, db):
    cup = await trade.lists(trade.bob, price=10, title="Blue cup")
    mug = await trade.lists(trade.bob, price=10, title="Blue mug")
    await sets(trade, EU)
    await own(trade, mug, eu=14.5)
    there = {"Blue cup": 11.99, "Blue mug": 14.5}
    for offer_id in (cup, mug):
        here, abroad = [await product_of(trade, offer_id, country) for country in ("", "at")]
        assert (here["price"], here["offers"][0]["price"]) == (10, 10)
        assert abroad["price"] == abroad["offers"][0]["price"] == there[abroad["title"]]
        assert abroad["variants"][0]["offers"][0]["price"] == abroad["price"]

    async def found():
        return (await trade.ann.api("GET", "/search?q=blue", 200))["total"] == 2

    await until(found)
    for path, name in (("/search?q=blue", "results"), ("/products?limit=9", "products")):
        for country, prices in (("AT", there), ("US", {"Blue cup": 10, "Blue mug": 10})):
            shown = await trade.ann.api("GET", f"{path}&country={country}", 200)
            assert {each["title"]: each["price"] for each in shown[name]} == prices
    await trade.puts(cup, 2)
    await trade.ann.api("POST", "/cart/items?country=AT", 200, {"offer_id": mug, "quantity": 1})
    assert (await trade.ann.api("GET", "/cart", 200))["subtotal"] == 30
    cart = await trade.ann.api("GET", "/cart?country=AT", 200)
    assert {each["title"]: each["price"] for each in cart["items"]} == there
    assert cart["subtotal"] == 38.48
    address = await trade.lives(**WIEN)
    quote = await trade.quote(address)
    assert quote["subtotal"] == 38.48
    order = await trade.buys(address)
    assert {each["title"]: each["unit_price"] for each in order["lines"]} == there
    assert (order["subtotal"], order["total"]) == (38.48, quote["total"])
    page = await trade.ann.page(f"/orders/{order['order_id']}")
    assert "$11.99" in page
    assert "$14.50" in page
    async with db.acquire() as connection:
        assert [law for law in await audit(connection) if law.violations] == []


async def test_each_country_has_its_own_market_and_no_price_is_moved_twice(trade):
    cup = await trade.lists(trade.bob, price=10)
    await sets(trade, EU, {"code": "us", "name": "Home", "countries": ["US"], "percent": 50})
    for place, price in ((WIEN, 11.99), ({}, 15), (WIEN | {"country": "GB", "postal_code": "E1 6AN"}, 10)):
        await trade.puts(cup)
        address = await trade.lives(**place)
        assert (await trade.quote(address))["subtotal"] == price
        assert (await trade.buys(address))["subtotal"] == price
    await trade.puts(cup)
    assert (await trade.ann.api("GET", "/cart", 200))["subtotal"] == 15
    assert (await product_of(trade, cup))["price"] == 15


async def test_what_a_quote_said_holds_though_the_market_changes(trade):
    cup = await trade.lists(trade.bob, price=10)
    await sets(trade, EU)
    await trade.puts(cup)
    address = await trade.lives(**WIEN)
    quote = await trade.quote(address)
    await asyncio.gather(own(trade, cup, eu=99), sets(trade, EU | {"percent": 50}))
    card = await trade.ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"})
    way = {
        "shipping_address_id": address,
        "payment_method_id": card["payment_method_id"],
        "shipping_method": "standard",
    }

    async def buys(**more):
        headers = {"idempotency-key": new_key()}
        return await trade.ann.http.post(f"{PREFIX}/orders/checkout", json=way | more, headers=headers)

    assert (await trade.quote(address))["subtotal"] == 99
    assert code(await buys(expected_total=quote["total"])) == (409, "price_changed")
    bought = await buys(quote_id=quote["quote_id"])
    assert (bought.status_code, bought.json()["total"]) == (201, quote["total"])


async def test_sales_are_moved_and_own_prices_are_what_is_paid(trade):
    cup = await trade.lists(trade.bob, price=20)
    await trade.bob.api("PATCH", f"/seller/offers/{cup}", 200, {"sale": {"price": 10}})
    await sets(trade, EU, BRAZIL)
    await own(trade, cup, br=15)
    abroad = await product_of(trade, cup, "DE")
    assert (abroad["price"], abroad["was_price"], abroad["lowest_price_30_days"]) == (11.99, 23.99, 23.99)
    assert abroad["offers"][0]["sale"]["price"] == 11.99
    far = await product_of(trade, cup, "BR")
    assert (far["price"], far["was_price"], far["lowest_price_30_days"]) == (15, None, None)
    assert far["offers"][0]["sale"] is None
    shown = await trade.bob.api("GET", f"/seller/offers/{cup}/prices", 200)
    assert shown["price"] == 10
    assert {each["market"]: (each["price"], each["own"]) for each in shown["markets"]} == {
        "eu": (11.99, None),
        "br": (15, 15),
    }


async def test_what_is_money_costs_what_it_is_worth_everywhere(trade):
    card = await trade.lists(trade.bob, price=50, tax_class="gift_card")
    await sets(trade, EU)
    assert (await product_of(trade, card, "AT"))["price"] == 50
    await trade.ann.api("POST", "/cart/items?country=AT", 200, {"offer_id": card, "quantity": 1})
    assert (await trade.ann.api("GET", "/cart?country=AT", 200))["subtotal"] == 50


async def test_prices_are_of_ones_own_offers_and_of_markets_that_are_there(trade):
    cup = await trade.lists(trade.bob, price=20)
    await sets(trade, EU)
    await trade.eve.api("GET", f"/seller/offers/{cup}/prices", 404)
    await trade.eve.api("PUT", f"/seller/offers/{cup}/prices", 404, {"prices": {"eu": 1}})
    refused = await trade.bob.api("PUT", f"/seller/offers/{cup}/prices", 422, {"prices": {"mars": 1}})
    assert refused["pointer"] == "/prices/mars"
    for wrong in (0, 1.234, -1):
        refused = await trade.bob.api("PUT", f"/seller/offers/{cup}/prices", 422, {"prices": {"eu": wrong}})
        assert refused["pointer"] == "/prices/eu"
    await own(trade, cup, eu=5)
    await sets(trade, BRAZIL)
    shown = await trade.bob.api("GET", f"/seller/offers/{cup}/prices", 200)
    assert [(each["market"], each["own"]) for each in shown["markets"]] == [("br", None)]


async def test_a_country_is_in_one_market_whoever_writes(pool):
    db = await pool("catalog")
    await db.execute("insert into catalog.market values ('a', 'A', 0, 0, 0), ('b', 'B', 0, 0, 0)")
    await db.execute("insert into catalog.market_country values ('AT', 'a')")
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.execute("insert into catalog.market_country values ('AT', 'b')")


async def test_who_chooses_a_country_sees_its_prices_on_pages_of_their_own(trade):
    cup = await trade.lists(trade.bob, price=10)
    product = await product_of(trade, cup)
    address = f"/p/{product['product_id']}"
    plain = await trade.ann.http.get(address)
    assert "vary" not in plain.headers or "Cookie" not in plain.headers["vary"]
    await sets(trade, EU)

    async def told_to_vary():
        return "Cookie" in (await trade.ann.http.get(address)).headers.get("vary", "")

    await until(told_to_vary)
    assert "Cookie" in (await trade.ann.http.get("/fragments/suggest?q=cup")).headers["vary"]
    stranger = await trade.house.visitor()
    home = await stranger.http.get(address)
    assert "$10.00" in home.text
    assert "public" in home.headers["cache-control"]
    chosen = await stranger.http.post(
        "/country",
        data={"country": "AT"},
        headers={"referer": f"http://x{address}?a=b", "sec-fetch-site": "same-origin"},
    )
    assert (chosen.status_code, chosen.headers["location"]) == (303, f"{address}?a=b")
    there = await stranger.http.get(address)
    assert "$11.99" in there.text
    assert "Tax included" in there.text
    assert there.headers["cache-control"] == "private, no-store"
    assert re.search(r'value="AT" selected', there.text)
    assert "$10.00" in (await trade.ann.http.get(address)).text
    await stranger.http.post(
        "/cart/items", data={"offer_id": cup, "quantity": "1"}, headers={"sec-fetch-site": "same-origin"}
    )
    assert "$11.99" in await stranger.page("/cart")


async def test_a_rate_of_exchange_suggests_prices_and_charges_none_until_one_press_takes_them_over(trade):
    cup = await trade.lists(trade.bob, price=10)
    shown = await sets(trade, EU | {"rate": 1.185}, BRAZIL)
    assert [each["rate"] for each in shown["markets"]] == [None, 1.185]
    said = await trade.bob.api("GET", f"/seller/offers/{cup}/prices", 200)
    suggested = {each["market"]: (each["price"], each["suggested"], each["own"]) for each in said["markets"]}
    assert suggested == {"eu": (11.99, 11.99, None), "br": (9.0, None, None)}
    await sets(trade, EU | {"rate": 1.385}, BRAZIL)
    assert (await product_of(trade, cup, "AT"))["price"] == 11.99, "a rate charges nothing"
    at = f"/desk/prices/{cup}"
    page = await trade.bob.page(at)
    assert 'Suggested by the rate of exchange there: <b class="num">$13.99</b>' in page
    page = await trade.bob.send(at, f"{at}/markets", _suggested="1", br="8.50", eu="much")
    assert "The prices of the markets stand." in page
    assert (await product_of(trade, cup, "AT"))["price"] == 13.99
    assert (await product_of(trade, cup, "BR"))["price"] == 8.5
    await sets(trade, EU | {"rate": 2}, BRAZIL)
    assert (await product_of(trade, cup, "AT"))["price"] == 13.99, "nor does a new one"
    page = await trade.olga.page("/operator/markets?change=eu")
    assert re.search(r'name="rate"[^>]*value="2"|value="2"[^>]*name="rate"', page)
    await sets(trade, EU)
    assert "Take over what is suggested" not in await trade.bob.page(at)


async def test_what_is_suggested_is_taken_over_as_it_was_shown_or_not_at_all(trade):
    cup = await trade.lists(trade.bob, price=10)
    await sets(trade, EU | {"rate": 1.185}, BRAZIL)
    at = f"/desk/prices/{cup}"
    await trade.bob.api("PATCH", f"/seller/offers/{cup}", 200, {"price": 20})
    page = await trade.bob.send(at, f"{at}/markets", 412, _suggested="1", _suggested_eu="1199", br="8.50")
    assert "Other prices are suggested now." in page
    assert 'value="8.50"' in page, "what was typed is there"
    assert (await trade.bob.api("GET", f"/seller/offers/{cup}/prices", 200))["markets"][1]["own"] is None
    await trade.bob.send(at, f"{at}/markets", _suggested="1")
    assert (await product_of(trade, cup, "AT"))["price"] == 23.99


@one_scene(
    ("field", "typed", "words"),
    [
        ("rate", "1.0000004", "This is no rate: it has six decimals"),
        ("rate", "0.0000001", "This is no rate: it has six decimals"),
        ("percent", "1.005", "This is no percentage: it has two decimals"),
    ],
)
async def test_a_number_that_the_api_refuses_the_form_refuses_too(trade, field, typed, words):
    market = {"code": "eu", "name": "Euroland", "countries": "de", "percent": "20", field: typed}
    assert words in await trade.olga.send("/operator/markets", "/operator/markets", 422, **market)


@pytest.mark.parametrize("rate", ["27345.67", "1000000", "1.000001"])
async def test_a_rate_is_shown_with_all_its_digits(trade, rate):
    market = {"code": "eu", "name": "Euroland", "countries": "de", "percent": "0", "rate": rate}
    page = await trade.olga.send("/operator/markets", "/operator/markets", **market)
    assert f'data-label="Suggests at">{rate}</td>' in page


async def test_the_desks_set_markets_and_prices(trade):
    cup = await trade.lists(trade.bob, price=10)
    product = await product_of(trade, cup)
    typed = {
        "code": "eu",
        "name": "Euroland",
        "countries": "de, AT",
        "percent": "20",
        "round_to": "1",
        "less": "0.01",
    }
    await trade.olga.send("/operator/markets", "/operator/markets", **typed)
    page = await trade.olga.page(f"/operator/markets?product={product['product_id']}")
    assert "Euroland" in page
    assert "$11.99" in page
    assert "+20 %" in page
    await trade.bob.send(f"/desk/prices/{cup}", f"/desk/prices/{cup}/markets", eu="12.50")
    assert (await product_of(trade, cup, "AT"))["price"] == 12.5
    page = await trade.bob.page(f"/desk/prices/{cup}")
    assert 'value="12.50"' in page
    assert "Now $12.50." in page
    refused = await trade.bob.send(f"/desk/prices/{cup}", f"/desk/prices/{cup}/markets", 422, eu="much")
    assert "A price is written as 12.50." in refused
    assert '<a href="#f-m-eu">' in refused, "the summary leads to the field"
