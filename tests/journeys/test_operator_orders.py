"""An operator finds any order by what people say of it, sees all that followed, and acts on it."""

from urllib.parse import urlencode

from journeys.people import code, new_key, ok, until


async def test_an_order_is_found_by_number_id_mail_name_and_tracking_number(town, bea):
    tea = await bea.lists()
    mia = await (await town.member()).ready(name="Zyxwina_ O'Operator")
    await mia.puts(tea["offer_id"], 2)
    order = await mia.buys()
    olga = await town.signed_in("ops@example.com")
    await bea.order_here(order["order_id"])
    number = (await mia.order(order["order_id"]))["number"]
    mail = (await olga.get(f"/operator/orders/{order['order_id']}"))["email"]
    await bea.ships(order["order_id"])
    tracked = (await mia.order(order["order_id"]))["shipments"][0]["tracking_number"]

    async def found(**asked):
        said = await olga.get(f"/operator/orders?{urlencode(asked)}")
        return [each["order_id"] for each in said["orders"]]

    async def confirmed():
        return order["order_id"] in await found(q=mail)

    await until(confirmed)
    for words in (number, number.removeprefix("M-"), order["order_id"], mail.upper(), "zyxwina_ o'op"):
        assert await found(q=words) == [order["order_id"]], words
    assert order["order_id"] in await found(q=tracked.lower())
    account = (await mia.get("/account"))["name"]
    assert await found(q=account) == [order["order_id"]], "of whose account, whoever it goes to"
    assert await found(q="zyxwinax") == []
    assert await found(q="%") == []
    assert await found(q="nobody@example.com") == []
    assert await found(q=number, status="cancelled") == []
    assert await found(q=number, status="shipped") == [order["order_id"]]
    assert await found(q="\u200b") == [], "nothing that could be seen"
    seller_id = (await mia.order(order["order_id"]))["parts"][0]["seller"]["seller_id"]
    assert order["order_id"] in await found(seller=seller_id)
    assert await found(q=number, seller=seller_id) == [order["order_id"]]
    assert await found(to="2020-01-01") == []
    assert order["order_id"] in await found(**{"from": "2020-01-01", "limit": "100"})
    for person in (mia, bea):
        assert (await person.ask("GET", "/operator/orders")).status_code == 403
        assert (await person.ask("GET", f"/operator/orders/{order['order_id']}")).status_code == 403


async def test_all_pages_of_a_search_by_name_are_of_parcels_or_of_accounts(town, bea):
    tea = await bea.lists()
    mia = await (await town.member()).ready()
    account = (await mia.get("/account"))["name"]
    olga = await town.signed_in("ops@example.com")
    orders = []
    for name in (None, account):
        if name:
            await mia.ready(name=name)
        await mia.puts(tea["offer_id"])
        orders.append((await mia.buys())["order_id"])
        await bea.order_here(orders[-1])

    async def found(**asked):
        return await olga.get(f"/operator/orders?{urlencode({'q': account, 'limit': 1} | asked)}")

    first = await found()
    assert [each["order_id"] for each in first["orders"]] == orders[1:]
    assert (await found(cursor=first["next_cursor"]))["orders"] == []


async def test_an_operator_sees_an_order_whole_refunds_of_it_and_is_written_down(town, bea):
    tea = await bea.lists()
    mia = await (await town.member()).ready()
    await mia.puts(tea["offer_id"])
    bought = await mia.buys()
    olga = await town.signed_in("ops@example.com")
    path = f"/operator/orders/{bought['order_id']}"
    order = await olga.get(path)
    mail = order["email"]
    assert (mail.endswith("@example.org"), order["parts"][0]["status"]) == (True, "confirmed")

    async def letter():
        return [each["kind"] for each in (await olga.get(path))["letters"]] == ["order_confirmed"]

    await until(letter)
    refund = {"amount": 1, "reason": "For the trouble."}
    assert (await olga.ask("POST", f"{path}/refunds", refund)).status_code == 400
    made = ok(await olga.ask("POST", f"{path}/refunds", refund, **{"idempotency-key": new_key()}))
    assert made["amount"] == 1
    much = {"amount": bought["total"], "reason": "All of it."}
    assert code(await olga.ask("POST", f"{path}/refunds", much, **{"idempotency-key": new_key()})) == (
        409,
        "exceeds_captured",
    )
    entries = (await olga.get(f"/operator/audit-log?subject={path}"))["entries"]
    assert [(each["what"], each["status"]) for each in entries[:2]] == [
        ("operator_refunds", 409),
        ("operator_refunds", 201),
    ]
    assert (len(entries[1]["before"]["refunds"]), len(entries[1]["after"]["refunds"])) == (0, 1)
    assert mail not in str(entries)
