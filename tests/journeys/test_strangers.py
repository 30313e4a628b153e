"""What is another's is not there, and what a role may not do is refused."""

import pytest
from journeys.people import code, ok


async def test_anothers_order_address_and_card_are_not_there(town, bea):
    tea = await bea.lists()
    gus, eve = await (await town.guest()).ready(), await (await town.member()).ready()
    await gus.puts(tea["offer_id"])
    order = await gus.buys()
    gone = (404, "not_found")
    path = f"/orders/{order['order_id']}"
    assert code(await eve.ask("GET", path)) == gone
    assert code(await eve.ask("POST", f"{path}/cancel")) == gone
    unit = {"order_line_id": order["lines"][0]["order_line_id"], "quantity": 1}
    goods = {"lines": [unit], "reason": "not_needed"}
    assert code(await eve.ask("POST", f"{path}/returns", goods)) == gone
    assert (await gus.order(order["order_id"]))["status"] == "confirmed"

    await eve.puts(tea["offer_id"])
    for field in ("shipping_address_id", "payment_method_id"):
        refused = await eve.tries_to_buy(**{field: gus.way[field]})
        assert code(refused) == gone
        assert refused.json()["pointer"] == f"/{field}"
    foreign = gus.way["shipping_address_id"]
    assert code(await eve.ask("GET", f"/shipping-methods?address_id={foreign}")) == gone
    quote = {"shipping_address_id": foreign, "shipping_method": "standard"}
    assert code(await eve.ask("POST", "/quotes", quote)) == gone
    assert len((await eve.get("/addresses"))["addresses"]) == 1
    assert len((await eve.get("/payment-methods"))["payment_methods"]) == 1
    assert (await eve.get("/orders"))["total"] == 0
    assert code(await town.nobody.ask("GET", path)) == (401, "sign_in_first")
    cal = await town.seller()
    assert (await cal.get("/seller/orders"))["orders"] == []


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/seller/orders"),
        ("GET", "/seller/offers"),
        ("POST", "/seller/products"),
        ("GET", "/seller/stock/off_0000000000001"),
        ("PUT", "/seller/stock/off_0000000000001"),
        ("PATCH", "/seller/offers/off_0000000000001"),
        ("POST", "/seller/shipments"),
        ("POST", "/seller/shipments/shp_0000000000001/events"),
    ],
)
async def test_only_sellers_sell(town, verb, path):
    mia, gus = await town.member(), await town.guest()
    body = None if verb == "GET" else {}
    assert code(await mia.ask(verb, path, body)) == (403, "forbidden")
    assert code(await gus.ask(verb, path, body)) == (403, "forbidden")
    assert code(await town.nobody.ask(verb, path, body)) == (401, "sign_in_first")


async def test_a_session_that_ended_is_none(town):
    mia = await town.member()
    ok(await mia.ask("DELETE", "/sessions/current"))
    assert code(await mia.ask("GET", "/orders")) == (401, "sign_in_first")
    assert (
        await mia.ask("GET", "/products")
    ).status_code == 200  # a stale token is ignored where none is needed
