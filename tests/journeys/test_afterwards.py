"""After buying: parcels of several sellers, cancelling, and the letters about it."""

import asyncio

from journeys.people import code, ok, until


async def _bought(town, *goods, card="tok_visa"):
    gus = await (await town.guest()).ready(card)
    for listing, quantity in goods:
        await gus.puts(listing["offer_id"], quantity)
    return gus, await gus.buys()


async def test_two_sellers_each_send_their_part(town, bea):
    cal = await town.seller()
    tea, cup = await bea.lists(price=10.0), await cal.lists("A cup", price=5.0)
    gus, order = await _bought(town, (tea, 2), (cup, 1))
    by_offer = {line["offer_id"]: line for line in order["lines"]}

    at_beas, at_cals = await bea.order_here(order["order_id"]), await cal.order_here(order["order_id"])
    assert [line["offer_id"] for line in at_beas["lines"]] == [tea["offer_id"]]
    assert [line["offer_id"] for line in at_cals["lines"]] == [cup["offer_id"]]
    assert at_beas["shipping_address"]["city"] == "Boston"
    foreign = {
        "order_id": order["order_id"],
        "lines": [{"order_line_id": by_offer[cup["offer_id"]]["order_line_id"], "quantity": 1}],
        "carrier": "Post",
        "tracking_number": "T-9",
    }
    assert code(await bea.ask("POST", "/seller/shipments", foreign)) == (404, "not_found")

    one = {**by_offer[tea["offer_id"]], "quantity": 1}
    first = await bea.ships(order["order_id"], one)
    assert (await gus.order(order["order_id"]))["status"] == "partially_shipped"
    assert (await bea.order_here(order["order_id"]))["status"] == "partially_shipped"
    second = await bea.ships(order["order_id"], one)
    assert (await bea.order_here(order["order_id"]))["status"] == "shipped"
    assert (await gus.order(order["order_id"]))["status"] == "partially_shipped"
    again = foreign | {"lines": [{"order_line_id": one["order_line_id"], "quantity": 1}]}
    assert code(await bea.ask("POST", "/seller/shipments", again)) == (409, "not_shippable")
    third = await cal.ships(order["order_id"])
    assert (await gus.order(order["order_id"]))["status"] == "shipped"

    assert code(await cal.ask("POST", f"/seller/shipments/{first}/events", {"status": "delivered"})) == (
        404,
        "not_found",
    )
    await bea.saw(first, "in_transit", "exception", "out_for_delivery", "delivered")
    backwards = await bea.ask("POST", f"/seller/shipments/{first}/events", {"status": "in_transit"})
    assert code(backwards) == (409, "out_of_order")
    await cal.saw(third, "delivered")
    assert (await gus.order(order["order_id"]))["status"] == "shipped"
    await bea.saw(second, "delivered")
    done = await gus.order(order["order_id"])
    assert done["status"] == "delivered"
    parcels = {parcel["shipment_id"]: parcel for parcel in done["shipments"]}
    assert [event["status"] for event in parcels[first]["events"]] == [
        "shipped",
        "in_transit",
        "exception",
        "out_for_delivery",
        "delivered",
    ]
    assert parcels[third]["tracking_number"] == "T-1"
    assert (await bea.order_here(order["order_id"]))["status"] == "delivered"


async def test_cancelling_gives_everything_back_once(town, bea):
    tea = await bea.lists(quantity=5, price=10.0)
    gus, order = await _bought(town, (tea, 2))
    assert await bea.stock(tea["offer_id"]) == 3
    path = f"/orders/{order['order_id']}/cancel"
    answers = await asyncio.gather(*(gus.ask("POST", path) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    cancelled = ok(await gus.ask("POST", path))
    assert cancelled["status"] == "cancelled"
    [payment] = cancelled["payments"]
    assert [refund["amount"] for refund in payment["refunds"]] == [order["total"]]
    assert await bea.stock(tea["offer_id"]) == 5
    assert [past["status"] for past in cancelled["history"]] == ["confirmed", "cancelled"]

    async def off_the_desk() -> bool:
        return (await bea.order_here(order["order_id"]))["status"] == "cancelled"

    await until(off_the_desk)
    parcel = {
        "order_id": order["order_id"],
        "lines": [{"order_line_id": order["lines"][0]["order_line_id"], "quantity": 1}],
        "carrier": "Post",
        "tracking_number": "T-1",
    }
    assert code(await bea.ask("POST", "/seller/shipments", parcel)) == (409, "not_shippable")


async def test_what_is_on_its_way_cannot_be_cancelled(town, bea):
    tea = await bea.lists(price=10.0)
    gus, order = await _bought(town, (tea, 2))
    path = f"/orders/{order['order_id']}/cancel"
    await bea.ships(order["order_id"], {**order["lines"][0], "quantity": 1})
    for _ in range(2):
        assert code(await gus.ask("POST", path)) == (409, "not_cancellable")
    [payment] = (await gus.order(order["order_id"]))["payments"]
    assert (payment["status"], payment["refunds"]) == ("captured", [])
    assert await bea.stock(tea["offer_id"]) == 8


async def test_cancelling_and_shipping_at_once_is_one_of_both(town, bea):
    teas = [await bea.lists() for _ in range(4)]
    for tea in teas:
        gus, order = await _bought(town, (tea, 1))
        await bea.order_here(order["order_id"])
        parcel = {
            "order_id": order["order_id"],
            "lines": [{"order_line_id": order["lines"][0]["order_line_id"], "quantity": 1}],
            "carrier": "Post",
            "tracking_number": "T-1",
        }
        cancelled, shipped = await asyncio.gather(
            gus.ask("POST", f"/orders/{order['order_id']}/cancel"),
            bea.ask("POST", "/seller/shipments", parcel),
        )
        assert (cancelled.status_code, shipped.status_code) in ((200, 409), (409, 201))
        now = await gus.order(order["order_id"])
        assert now["status"] == ("cancelled" if cancelled.status_code == 200 else "shipped")
        assert bool(now["payments"][0]["refunds"]) == (now["status"] == "cancelled")


async def test_letters_follow_the_order(town, bea):
    tea = await bea.lists()
    gus, order = await _bought(town, (tea, 1))
    await bea.saw(await bea.ships(order["order_id"]), "in_transit", "delivered")

    async def mailbox() -> str:
        page = await town.http.get(str(town.http.base_url.copy_with(path="/dev/mail")))
        return page.text

    async def all_four() -> bool:
        return (await mailbox()).count(gus.email) >= 4

    await until(all_four)
    assert (await mailbox()).count(gus.email) == 4  # confirmed, shipped, delivered, how is it: each once
