"""The desks' editors of delivery and tax, by forms alone, and what shoppers see of it."""

import asyncio
import csv
import io
import json
import re
from typing import Any

import pytest
from house import ANN, PREFIX, Visitor
from house import house as house
from house import opened as opened
from journeys.people import HOME, until
from papers import pages_of
from trade import WIEN, trading
from trade import trade as trade

ROW = {"title-0": "Post", "code-0": "standard", "price-0": "5.00", "days-0": "3"}


async def test_an_operator_adds_changes_and_removes_a_zone(trade):
    page = await trade.olga.page("/operator/shipping")
    assert "These are the rates that the shop comes with" in page
    at = "/operator/shipping/zones/new"
    page = await trade.olga.send(at, at, 422, name="Alps", **ROW | {"price-0": "5.001"})
    assert "Tick a country, or write its code." in page
    assert "A price is a number such as" in page
    page = await trade.olga.send(at, at, 422, name="Alps", others="XX", **ROW)
    assert "There is no such country" in page
    page = await trade.olga.send(
        at, at, name="Alps", others="LI", subdivisions="", **ROW, **{"in-AT": "1", "per_kg-0": "1.00"}
    )
    assert "Saved. Every price is by it from now on." in page
    shown = await trade.olga.api("GET", "/operator/shipping-zones", 200)
    assert shown["built_in"] is False
    assert shown["zones"][-1]["countries"] == ["AT", "LI"]
    assert shown["zones"][-1]["methods"][0]["per_kg"] == 1.0
    last = f"/operator/shipping/zones/{len(shown['zones']) - 1}"
    more = {"title-1": "Corner", "code-1": "corner", "price-1": "0", "days-1": "1", "pickup_name-1": "Corner"}
    await trade.olga.send(last, last, name="Alps", **ROW, **{"in-AT": "1"}, **more)
    shown = await trade.olga.api("GET", "/operator/shipping-zones", 200)
    assert [rate["code"] for rate in shown["zones"][-1]["methods"]] == ["standard", "corner"]
    page = await trade.olga.page("/operator/shipping?country=AT&weight_g=500&amount=20&units=1")
    assert "Corner" in page
    await trade.olga.send(last, f"{last}/remove")
    assert (
        len((await trade.olga.api("GET", "/operator/shipping-zones", 200))["zones"])
        == len(shown["zones"]) - 1
    )
    assert "/operator/shipping" in await trade.olga.page("/operator/audit-log")


async def test_who_saves_what_somebody_else_changed_meanwhile_is_told(trade):
    page = await trade.bob.page("/desk/shipping")
    assert "Your parcels cost what the shop says." in page
    at = "/desk/shipping/zones/new"
    before = await trade.bob.page(at)
    await trade.bob.send(at, at, name="Home", **ROW, **{"in-US": "1"})
    seen = before.split('name="seen" value="')[1].split('"')[0]
    page = await trade.bob.send(at, at, 412, name="Again", seen=seen, **ROW, **{"in-US": "1"})
    assert "Somebody else changed this meanwhile" in page
    assert len((await trade.bob.api("GET", "/seller/shipping-profile", 200))["zones"]) == 1


async def test_of_two_who_set_what_they_saw_the_second_is_told_to_look_again(trade):
    rate = {"country": "US", "rate": 0.1, "shipping_taxed": False, "included": False}
    for who, path, new in (
        (trade.olga, "/operator/shipping-zones", {"zones": []}),
        (trade.bob, "/seller/shipping-profile", {"zones": [], "handling_days": 2}),
        (trade.olga, "/operator/tax-rates", {"rates": [rate]}),
    ):
        at = f"{PREFIX}{path}"
        first = {"If-Match": (await who.http.get(at)).headers["ETag"]}
        answers = await asyncio.gather(*(who.http.put(at, json=new, headers=first) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [200, 412, 412], f"{path}, first of all"
        again = await who.http.put(at, json=new, headers=first)
        assert (again.status_code, again.json()["code"]) == (412, "stale"), path
        seen = {"If-Match": (await who.http.get(at)).headers["ETag"]}
        answers = await asyncio.gather(*(who.http.put(at, json=new, headers=seen) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [200, 412, 412], path
        assert (await who.http.put(at, json=new)).status_code == 200, "whatever stands"


async def test_a_seller_says_how_long_they_pack(trade):
    at = "/desk/shipping/handling"
    page = await trade.bob.send("/desk/shipping", at, 422, handling_days="2", cut_off="9", time_zone="UTC")
    assert "A time such as 14:00." in page
    page = await trade.bob.send("/desk/shipping", at, 422, time_zone="UTC", holidays="soon and later")
    assert "A country&#39;s code, or days" in page
    await trade.bob.send(
        "/desk/shipping", at, handling_days="2", cut_off="14:00", time_zone="Europe/Vienna", holidays="at"
    )
    kept = await trade.bob.api("GET", "/seller/shipping-profile", 200)
    assert (kept["handling_days"], kept["cut_off"], kept["holidays"]) == (2, "14:00", "AT")


async def test_checkout_shows_each_part_with_its_day_and_where_is_served(trade):
    bike = {"code": "bike", "name": "Bike", "price": 2.5, "days": 0}
    mine = {"zones": [{"name": "Home", "countries": ["US"], "methods": [bike]}]}
    await trade.bob.api("PUT", "/seller/shipping-profile", 200, mine)
    await trade.puts(await trade.lists(trade.bob))
    await trade.puts(await trade.lists(trade.eve, title="Another cup"))
    await trade.lives()
    page = await trade.ann.page("/checkout")
    assert "Bob&#39;s: Bike" in page
    assert "Eve&#39;s: Standard delivery" in page
    await trade.olga.api(
        "PUT", "/operator/shipping-zones", 200, {"zones": [mine["zones"][0] | {"countries": ["CA"]}]}
    )
    page = await trade.ann.page("/checkout")
    assert "We do not deliver to United States yet." in page
    assert "we deliver to Canada" in page


async def test_who_chose_a_pickup_point_reads_everywhere_where_to_fetch_it(trade):
    point = {"name": "Corner shop", "address": "1 High St"}
    for who, path in ((trade.bob, "/seller/shipping-profile"), (trade.olga, "/operator/shipping-zones")):
        ways = [{"code": "standard", "name": "Standard", "price": 5, "days": 2}]
        if who is trade.bob:
            ways.append({"code": "corner", "name": "Pickup", "price": 0, "days": 1, "pickup": point})
        await who.api("PUT", path, 200, {"zones": [{"name": "Home", "countries": ["US"], "methods": ways}]})
    for seller in (trade.bob, trade.eve):
        await trade.puts(await trade.lists(seller))
    home = await trade.lives()
    parts = (await trade.methods(home))["corner"]["parts"]
    assert sorted((each["pickup"] or {}).get("name", "") for each in parts) == ["", "Corner shop"]
    assert "Fetch it at Corner shop, 1 High St" in await trade.ann.page("/checkout")

    order = await trade.buys(home, "corner")
    assert {part["seller"]["name"]: part["pickup"] for part in order["parts"]} == {
        "Bob's": point,
        "Eve's": None,
    }
    page = await trade.ann.page(f"/orders/{order['order_id']}")
    for words in ("Fetch it at", "Corner shop", "1 High St", "What Bob&#39;s sends", "Going to"):
        assert words in page
    assert HOME["line1"] in page
    assert "Fetched at <b>Corner shop</b>" in await trade.olga.page(f"/operator/orders/{order['order_id']}")

    async def listed() -> list[dict[str, Any]]:
        return [each for who in (trade.bob, trade.eve) for each in await _orders_of(who)]

    async def both() -> bool:
        return len(await listed()) == 2

    await until(both)
    assert [each["pickup"] for each in await listed()] == [point, None]
    assert "To the pickup point <b>Corner shop</b>, 1 High St" in await trade.bob.page("/desk/orders")
    assert "pickup point" not in await trade.eve.page("/desk/orders")
    slip = await trade.bob.http.get(f"/desk/orders/{order['order_id']}/packing-slip")
    assert "Corner shop" in "".join(pages_of(slip.content))

    there = {"pickup_name": "Corner shop", "pickup_address": "1 High St"}
    for who, points in ((trade.bob, [there]), (trade.eve, [dict.fromkeys(there, "")])):
        await _in_files(who, "/desk/orders.csv", f"{PREFIX}/seller/exports/orders", points)
    await _in_files(trade.olga, "", f"{PREFIX}/operator/exports/orders", [there, dict.fromkeys(there, "")])

    async def told() -> bool:
        letters = await trade.house.letters(ANN["email"])
        return any("Fetch at Corner shop, 1 High St: A cup." in each for each in letters)

    await until(told)
    await trade.puts(order["lines"][0]["offer_id"])
    alone = await trade.buys(home, "corner")
    page = await trade.ann.page(f"/orders/{alone['order_id']}")
    assert re.search(rf'id="to">In the name of</h2><p class="small">{HOME["name"]}</p>', page)
    assert HOME["line1"] not in page


async def _in_files(who: Visitor, desk: str, export: str, points: list[dict[str, str]]) -> None:
    """Check where the lines of the files of orders are fetched, and that no address says it."""
    for path in filter(None, (desk, f"{export}.csv")):
        rows = [*csv.DictReader(io.StringIO((await who.http.get(path)).text))]
        assert [[*row.items()][-2:] for row in rows] == [[*point.items()] for point in points], path
    orders = [json.loads(each) for each in (await who.http.get(f"{export}.jsonl")).text.splitlines()]
    lines = [line for order in orders for line in order["lines"]]
    assert [{name: line[name] for name in points[0]} for line in lines] == points
    assert not any(name in order["address"] for order in orders for name in points[0])


async def _orders_of(seller: Visitor) -> list[dict[str, Any]]:
    return (await seller.api("GET", "/seller/orders", 200))["orders"]


async def test_forms_offer_the_countries_that_somebody_sends_to(trade):
    post = {"code": "standard", "name": "Post", "price": 5.0, "days": 3}
    zones = [{"name": "Zone", "countries": ["BR", "AT"], "methods": [post]}]
    await trade.olga.api("PUT", "/operator/shipping-zones", 200, {"zones": zones})
    zones = [{"name": "Mine", "countries": ["LI"], "methods": [post]}]
    await trade.bob.api("PUT", "/seller/shipping-profile", 200, {"zones": zones})
    await trade.puts(await trade.lists(trade.bob))
    page = await trade.ann.page("/checkout")
    for name in ("Brazil", "Austria", "Liechtenstein"):
        assert f">{name}</option>" in page
    assert ">Germany</option>" not in page


async def test_a_product_says_what_its_own_delivery_costs_and_whether_tax_is_in_it(trade):
    bike = {"code": "bike", "name": "Bike", "price": 2.5, "days": 0}
    zones = {"zones": [{"name": "Home", "countries": ["US"], "methods": [bike]}]}
    await trade.bob.api("PUT", "/seller/shipping-profile", 200, zones)
    listed = await trade.bob.api(
        "POST",
        "/seller/products",
        201,
        {"title": "Tea", "description": "", "category": "cups", "price": 5, "currency": "USD", "quantity": 1},
    )
    page = await trade.ann.page(f"/p/{listed['product_id']}")
    assert "Bike, $2.50" in page
    assert "plus tax" in page


def shown_version(page):
    return page.split('name="version" value="')[1].split('"')[0]


async def test_rates_of_tax_are_previewed_and_imported(trade):
    page = await trade.olga.page("/operator/tax?country=AT&amount=120")
    assert "Tax $20.00, in the price: the shopper pays $120.00." in page
    page = await trade.olga.page("/operator/tax")
    assert "each with its source and day" in page
    content = await trade.olga.page("/operator/tax")
    csrf = content.split('name="csrf" value="')[1].split('"')[0]

    first = shown_version(content)

    async def imports(text, version=first):
        data = {"csrf": csrf, "version": version}
        return await trade.olga.http.post(
            "/operator/tax", data=data, files={"file": ("rates.csv", text)}, follow_redirects=True
        )

    wrong = await imports(b"country,rate,included\nUS,lots,no\n")
    assert wrong.status_code == 422
    assert "line 2" in wrong.text
    right = await imports(b"country,rate,included\nUS,0.05,no\n")
    assert "The rates of the file stand from now on." in right.text
    [rate] = (await trade.olga.api("GET", "/operator/tax-rates", 200))["rates"]
    assert (rate["country"], rate["rate"]) == ("US", 0.05)
    late = await imports(b"country,rate,included\nUS,0.5,no\n")
    assert late.status_code == 412, "somebody else imported since the page was shown"
    assert (await trade.olga.api("GET", "/operator/tax-rates", 200))["rates"] == [rate]
    seen = shown_version(await trade.olga.page("/operator/tax"))
    assert (await imports(b"country,rate,included\nUS,0.05,no\n", seen)).status_code == 200
    assert "No rate is known there." in await trade.olga.page("/operator/tax?country=AT&amount=120")
    wien = await trade.ann.api("POST", "/addresses", 201, WIEN)
    await trade.puts(await trade.lists(trade.bob))
    assert (await trade.quote(wien["address_id"]))["tax_note"] == "rate_unknown"


async def test_terms_of_one_day_are_told_in_the_singular(opened):
    async with opened(return_days=1, payout_hold_days=1) as house:
        trade = await trading(house)
        await trade.puts(await trade.lists(trade.bob))
        product_id = (await trade.ann.api("GET", "/cart", 200))["items"][0]["product_id"]
        for who, page in (
            (trade.ann, f"/p/{product_id}"),
            (trade.bob, "/desk/money"),
            (trade.olga, "/operator/payouts"),
        ):
            shown = await who.page(page)
            assert "1 day" in shown, page
            assert "1 days" not in shown, page
        assert '<th scope="row">Orders' in await trade.bob.page("/desk/exports")


async def test_a_shop_that_takes_nothing_back_says_so_to_machines(opened):
    async with opened(return_days=0) as house:
        trade = await trading(house)
        await trade.puts(await trade.lists(trade.bob))
        product_id = (await trade.ann.api("GET", "/cart", 200))["items"][0]["product_id"]
        shown = await trade.ann.page(f"/p/{product_id}")
        assert "MerchantReturnNotPermitted" in shown
        assert not any(each in shown for each in ("ReturnByMail", "merchantReturnDays", "send back within"))


@pytest.mark.parametrize(("home", "asked"), [("DE", True), ("MC", True), ("US", False)])
async def test_a_vat_number_is_asked_for_where_it_changes_what_is_paid(opened, home, asked):
    async with opened(home_country=home) as house:
        trade = await trading(house)
        await trade.puts(await trade.lists(trade.bob))
        for page in ("/checkout", "/account"):
            assert ("VAT number" in await trade.ann.page(page)) == asked, page
