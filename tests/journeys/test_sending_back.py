"""Goods that come back: asked, approved, sent, received, paid back; by every name and code of the API."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from journeys.people import code, new_key, ok, until

NOT_NEEDED, DAMAGED = "not_needed", "damaged"


class Back:
    """An order that was delivered, and both sides of what comes back of it."""

    def __init__(self, town, seller, buyer, order, tea):
        self.town, self.seller, self.buyer, self.order, self.tea = town, seller, buyer, order, tea
        self.path = f"/orders/{order['order_id']}"
        self.lines = {line["offer_id"]: line["order_line_id"] for line in order["lines"]}

    def goods(self, quantity=1, listing=None):
        line_id = self.lines[(listing or self.tea)["offer_id"]]
        return [{"order_line_id": line_id, "quantity": quantity}]

    async def asks(self, quantity=1, reason=NOT_NEEDED, listing=None, **headers):
        ask = {"lines": self.goods(quantity, listing), "reason": reason, "comment": "See the picture."}
        return await self.buyer.ask("POST", f"{self.path}/returns", ask, **headers)

    async def asked(self, *args, **more):
        return ok(await self.asks(*args, **more), 201)["return_id"]

    async def at_seller(self, return_id, verb, body=None):
        return await self.seller.ask("POST", f"/seller/returns/{return_id}/{verb}", body)

    async def sent(self, return_id, number="R-1"):
        parcel = {"carrier": "Post", "tracking_number": number}
        return await self.buyer.ask("POST", f"{self.path}/returns/{return_id}/sent", parcel)

    async def on_its_way(self, *args, **more):
        return_id = await self.asked(*args, **more)
        ok(await self.at_seller(return_id, "approve"), 200)
        ok(await self.sent(return_id), 200)
        return return_id

    def parcel(self, withheld=None, listing=None, **units):
        line_id = self.lines[(listing or self.tea)["offer_id"]]
        lines = [
            {"order_line_id": line_id, "quantity": quantity, "condition": condition}
            for condition, quantity in units.items()
        ]
        return {"lines": lines} | ({"withheld": withheld} if withheld else {})

    async def receives(self, return_id, **more):
        return await self.at_seller(return_id, "receive", self.parcel(**more))

    async def now(self, return_id):
        found = (await self.buyer.get(f"{self.path}/returns"))["returns"]
        return next(back for back in found if back["return_id"] == return_id)

    async def refunds(self):
        [payment] = (await self.buyer.order(self.order["order_id"]))["payments"]
        return [refund["amount"] for refund in payment["refunds"]]

    async def line(self):
        order = await self.buyer.order(self.order["order_id"])
        return next(line for line in order["lines"] if line["offer_id"] == self.tea["offer_id"])


@pytest.fixture
def delivered(town, bea):
    async def delivered(quantity=2, price=10.0, more=(), arrived=None):
        tea = await bea.lists(price=price, quantity=10)
        gus = await (await town.guest()).ready()
        await gus.puts(tea["offer_id"], quantity)
        for listing in more:
            await gus.puts(listing["offer_id"], 1)
        order = await gus.buys()
        parcel = await bea.ships(order["order_id"])
        seen = {"status": "delivered"} | ({"at": arrived} if arrived else {})
        await bea.post(f"/seller/shipments/{parcel}/events", seen)
        return Back(town, bea, gus, order, tea)

    return delivered


async def test_money_and_goods_move_when_the_goods_do(delivered):
    back = await delivered(quantity=2)
    answer = ok(await back.asks(1), 201)
    assert (answer["status"], answer["return_id"][:4]) == ("requested", "ret_")
    return_id = answer["return_id"]
    for step, status in (
        (back.at_seller(return_id, "approve"), "approved"),
        (back.sent(return_id), "in_transit"),
    ):
        assert ok(await step, 200)["status"] == status
        assert await back.refunds() == []
        assert await back.seller.stock(back.tea["offer_id"]) == 8
        assert (await back.line())["returned"] == 0
    said = ok(await back.receives(return_id, sellable=1), 200)
    assert (said["status"], said["refund_amount"]) == ("refunded", 10.62)
    assert await back.refunds() == [10.62]
    assert await back.seller.stock(back.tea["offer_id"]) == 9
    assert (await back.line())["returned"] == 1


async def test_everything_of_a_return_is_shown_to_its_shopper(delivered):
    back = await delivered()
    first = await back.on_its_way(1, DAMAGED)
    ok(await back.receives(first, damaged=1, withheld={"amount": 2.5, "reason": "The lid is gone."}), 200)
    second = await back.asked(1)
    shown = (await back.buyer.get(f"{back.path}/returns"))["returns"]
    assert [each["return_id"] for each in shown] == [second, first]
    done = shown[1]
    assert (done["status"], done["reason"], done["comment"]) == ("refunded", DAMAGED, "See the picture.")
    assert (done["carrier"], done["tracking_number"]) == ("Post", "R-1")
    assert done["withheld"] == {"amount": 2.5, "reason": "The lid is gone."}
    assert (done["lines"][0]["quantity"], done["lines"][0]["damaged"]) == (1, 1)
    assert done["refund_amount"] == 8.12
    assert await back.refunds() == [8.12]
    assert await back.seller.stock(back.tea["offer_id"]) == 8


async def test_history_follows_a_return(delivered):
    back = await delivered(1)
    return_id = await back.on_its_way()
    ok(await back.receives(return_id, sellable=1), 200)
    wanted = {"return_asked", "return_approved", "return_sent", "returned", "return_refunded"}

    async def told():
        history = (await back.buyer.order(back.order["order_id"]))["history"]
        return wanted <= {past["status"] for past in history}

    await until(told)


async def test_a_refusal_says_why_and_frees_the_units(delivered):
    back = await delivered(1)
    first = await back.asked()
    assert code(await back.asks()) == (409, "not_returnable")
    said = ok(await back.at_seller(first, "refuse", {"reason": "It was worn."}), 200)
    assert (said["status"], said["refused_because"]) == ("refused", "It was worn.")
    ok(await back.at_seller(first, "refuse", {"reason": "It was worn."}), 200)
    assert code(await back.at_seller(first, "approve")) == (409, "return_moved_on")
    assert code(await back.sent(first)) == (409, "return_moved_on")
    assert code(await back.at_seller(first, "refuse", {"reason": " "})) == (422, "invalid")
    ok(await back.asks(), 201)
    assert await back.refunds() == []


async def test_a_shopper_thinks_better_of_it_until_it_is_sent(delivered):
    back = await delivered(1)
    for approved in (False, True):
        return_id = await back.asked()
        if approved:
            ok(await back.at_seller(return_id, "approve"), 200)
        for _ in range(2):
            gone = ok(await back.buyer.ask("DELETE", f"{back.path}/returns/{return_id}"), 200)
            assert gone["status"] == "closed"
        assert code(await back.at_seller(return_id, "approve")) == (409, "return_moved_on")
    sent = await back.on_its_way()
    assert code(await back.buyer.ask("DELETE", f"{back.path}/returns/{sent}")) == (409, "return_moved_on")


async def test_only_what_was_delivered_can_come_back(town, bea):
    tea = await bea.lists(price=10.0)
    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"], 2)
    order = await gus.buys()
    back = Back(town, bea, gus, order, tea)
    assert code(await back.asks()) == (409, "not_returnable")
    parcel = await bea.ships(order["order_id"], {**order["lines"][0], "quantity": 1})
    refused = await back.asks()
    assert code(refused) == (409, "not_returnable")
    assert "not delivered" in refused.json()["detail"]
    await bea.saw(parcel, "delivered")
    refused = await back.asks(2)
    assert code(refused) == (409, "not_returnable")
    [said] = refused.json()["lines"]
    assert (said["order_line_id"], said["returnable"], said["delivered"]) == (
        order["lines"][0]["order_line_id"],
        1,
        1,
    )
    ok(await back.asks(1), 201)


async def test_the_time_for_returns_ends(delivered):
    now = datetime.now(UTC)
    late = await delivered(arrived=(now - timedelta(days=30, minutes=1)).isoformat())
    refused = await late.asks()
    assert code(refused) == (409, "not_returnable")
    assert "30 days" in refused.json()["detail"]
    in_time = await delivered(arrived=(now - timedelta(days=30, minutes=-5)).isoformat())
    ok(await in_time.asks(), 201)


@pytest.mark.parametrize(
    ("reason", "parcels", "delivery"),
    [
        (NOT_NEEDED, [2], False),
        ("arrived_late", [2], False),
        ("other", [2], False),
        (DAMAGED, [2], True),
        ("wrong_item", [1, 1], True),
        ("not_as_described", [1], False),
    ],
)
async def test_delivery_is_paid_back_for_the_sellers_fault_once_all_is_back(
    delivered, reason, parcels, delivery
):
    back = await delivered(2)
    for units in parcels:
        ok(await back.receives(await back.on_its_way(units, reason), sellable=units), 200)
    goods = round(10.625 * sum(parcels) - 0.001, 2) if sum(parcels) == 1 else 21.25
    paid = round(sum(await back.refunds()), 2)
    assert paid == round(goods + (back.order["shipping"] if delivery else 0), 2)


async def test_delivery_is_kept_where_a_part_of_it_came_back_for_no_fault(delivered):
    back = await delivered(2)
    ok(await back.receives(await back.on_its_way(1, NOT_NEEDED), sellable=1), 200)
    ok(await back.receives(await back.on_its_way(1, DAMAGED), damaged=1), 200)
    assert round(sum(await back.refunds()), 2) == 21.25


async def test_what_is_missing_is_not_paid_and_only_the_sellable_is_sold_again(delivered):
    back = await delivered(3)
    return_id = await back.on_its_way(3, DAMAGED)
    said = ok(await back.receives(return_id, sellable=1, damaged=1, missing=1), 200)
    assert said["status"] == "refunded"
    assert await back.refunds() == [21.25]
    assert await back.seller.stock(back.tea["offer_id"]) == 8
    assert (await back.line())["returned"] == 2
    nothing = await back.on_its_way(1, DAMAGED)
    said = ok(await back.receives(nothing, missing=1), 200)
    assert (said["status"], said["refund_amount"]) == ("closed", None)
    assert await back.refunds() == [21.25]


async def test_more_than_it_is_worth_is_not_withheld(delivered):
    back = await delivered(1)
    return_id = await back.on_its_way()
    too_much = await back.receives(return_id, sellable=1, withheld={"amount": 10.64, "reason": "Used."})
    assert code(too_much) == (422, "invalid")
    assert too_much.json()["pointer"] == "/withheld/amount"
    assert (await back.now(return_id))["status"] == "in_transit"
    for amount, pointer in (("x", "/withheld/amount"), (-1, "/withheld/amount"), (1.001, "/withheld/amount")):
        wrong = await back.receives(return_id, sellable=1, withheld={"amount": amount, "reason": "Used."})
        assert (code(wrong), wrong.json()["pointer"]) == ((422, "invalid"), pointer)
    no_reason = await back.receives(return_id, sellable=1, withheld={"amount": 1, "reason": ""})
    assert code(no_reason) == (422, "invalid")
    ok(await back.receives(return_id, sellable=1, withheld={"amount": 10.63, "reason": "Used."}), 200)
    assert (await back.now(return_id))["status"] == "closed"
    assert await back.refunds() == []
    assert await back.seller.stock(back.tea["offer_id"]) == 10


async def test_every_unit_is_named_when_it_is_received(delivered):
    back = await delivered(2)
    return_id = await back.on_its_way(2)
    for units in ({"sellable": 1}, {"sellable": 2, "missing": 1}):
        assert code(await back.receives(return_id, **units)) == (422, "invalid")
    ok(await back.receives(return_id, sellable=1, missing=1), 200)


async def test_receiving_again_is_the_same_and_pays_once(delivered):
    back = await delivered(2)
    return_id = await back.on_its_way(2)
    answers = await asyncio.gather(*(back.receives(return_id, sellable=2) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["refund_amount"] for answer in answers} <= {21.25, None}
    assert ok(await back.receives(return_id, sellable=2), 200)["refund_amount"] == 21.25
    assert code(await back.receives(return_id, damaged=2)) == (409, "return_moved_on")
    assert await back.refunds() == [21.25]
    assert await back.seller.stock(back.tea["offer_id"]) == 10


async def test_goods_that_nobody_approved_are_not_received(delivered):
    back = await delivered(1)
    return_id = await back.asked()
    assert code(await back.receives(return_id, sellable=1)) == (409, "return_moved_on")
    ok(await back.at_seller(return_id, "approve"), 200)
    ok(await back.receives(return_id, sellable=1), 200)  # it came without a word


async def test_a_key_asks_once(delivered):
    back = await delivered(2)
    key = new_key()
    first = ok(await back.asks(1, idempotency_key=key), 201)
    again = await back.asks(1, idempotency_key=key)
    assert ok(again, 201) == first
    assert again.headers["idempotent-replayed"] == "true"
    assert code(await back.asks(2, idempotency_key=key)) == (422, "key_reused")
    assert len((await back.buyer.get(f"{back.path}/returns"))["returns"]) == 1


async def test_one_unit_asked_for_at_once_is_one_return(delivered):
    back = await delivered(1)
    answers = await asyncio.gather(*(back.asks() for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]


async def test_goods_of_two_sellers_go_back_one_by_one(town, bea, delivered):
    cal = await town.seller()
    cup = await cal.lists("A cup", price=5.0)
    back = await delivered(1, more=[cup])
    parcel = await cal.ships(back.order["order_id"])
    await cal.saw(parcel, "delivered")
    both = {"lines": back.goods() + back.goods(listing=cup), "reason": NOT_NEEDED}
    refused = await back.buyer.ask("POST", f"{back.path}/returns", both)
    assert (code(refused), refused.json()["pointer"]) == ((422, "invalid"), "/lines")
    at_cal = await back.asked(listing=cup)
    assert [each["return_id"] for each in (await cal.get("/seller/returns"))["returns"]] == [at_cal]
    for verb, body in (
        ("approve", None),
        ("refuse", {"reason": "No."}),
        ("receive", back.parcel(listing=cup, sellable=1)),
    ):
        assert code(await bea.ask("POST", f"/seller/returns/{at_cal}/{verb}", body)) == (404, "not_found")


async def test_returns_of_others_are_not_there(town, delivered):
    back, other = await delivered(1), await delivered(1)
    return_id = await back.asked()
    eve = await (await town.member()).ready()
    assert code(await eve.ask("GET", f"{back.path}/returns")) == (404, "not_found")
    assert code(await eve.ask("DELETE", f"{back.path}/returns/{return_id}")) == (404, "not_found")
    sent = {"carrier": "Post", "tracking_number": "R-1"}
    assert code(await eve.ask("POST", f"{back.path}/returns/{return_id}/sent", sent)) == (404, "not_found")
    # One's own order does not open another's return.
    for verb, path, body in (
        ("DELETE", f"{other.path}/returns/{return_id}", None),
        ("POST", f"{other.path}/returns/{return_id}/sent", sent),
    ):
        assert code(await other.buyer.ask(verb, path, body)) == (404, "not_found")
    assert code(await town.nobody.ask("GET", f"{back.path}/returns")) == (401, "sign_in_first")
    assert (await back.now(return_id))["status"] == "requested"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"reason": "late"}, "/reason"),
        ({"reason": None}, "/reason"),
        ({"lines": []}, "/lines"),
        ({"comment": "x" * 1_001}, "/comment"),
        ({"reasons": "damaged"}, "/reasons"),
    ],
)
async def test_a_malformed_ask_says_where(delivered, change, pointer):
    back = await delivered(1)
    ask = {"lines": back.goods(), "reason": NOT_NEEDED} | change
    refused = await back.buyer.ask("POST", f"{back.path}/returns", ask)
    assert code(refused)[0] == 422
    assert refused.json()["pointer"] == pointer


async def test_lists_are_by_status_and_go_on_by_key(delivered):
    back = await delivered(3)
    made = [await back.asked() for _ in range(3)]
    ok(await back.at_seller(made[0], "approve"), 200)
    first = await back.seller.get("/seller/returns?limit=2")
    assert [each["return_id"] for each in first["returns"]] == [made[2], made[1]]
    rest = await back.seller.get(f"/seller/returns?limit=2&cursor={first['next_cursor']}")
    assert [each["return_id"] for each in rest["returns"]] == [made[0]]
    assert rest["next_cursor"] is None
    approved = await back.seller.get("/seller/returns?status=approved")
    assert [each["return_id"] for each in approved["returns"]] == [made[0]]
    for query in ("status=lost", "limit=0", "limit=101", "cursor=x", "state=approved"):
        assert code(await back.seller.ask("GET", f"/seller/returns?{query}"))[0] == 422


async def test_an_operator_decides_in_place_of_a_seller(town, delivered):
    ops = await town.signed_in("ops@example.com")
    back = await delivered(2)
    refused, received = await back.asked(), await back.asked()
    assert code(await back.seller.ask("GET", "/operator/returns")) == (403, "forbidden")
    listed = await ops.get("/operator/returns?status=requested&limit=100")
    assert {refused, received} <= {each["return_id"] for each in listed["returns"]}
    said = ok(await ops.ask("POST", f"/operator/returns/{refused}/refuse", {"reason": "Worn."}), 200)
    assert (said["status"], said["decided_by"]) == ("refused", "operator")
    ok(await ops.ask("POST", f"/operator/returns/{received}/approve"), 200)
    ok(await back.sent(received), 200)
    asks = [
        ops.ask("POST", f"/operator/returns/{received}/receive", back.parcel(damaged=1)),
        back.receives(received, sellable=1),
    ]
    by_ops, by_seller = await asyncio.gather(*asks)
    assert sorted((by_ops.status_code, by_seller.status_code)) == [200, 409]
    assert await back.refunds() == [10.62]
    assert await back.seller.stock(back.tea["offer_id"]) == (9 if by_seller.status_code == 200 else 8)
    assert (await ops.get("/operator/returns?status=left_lying"))["next_cursor"] is None


async def test_letters_go_to_both_sides(town, delivered):
    back = await delivered(1)
    return_id = await back.on_its_way()
    ok(await back.receives(return_id, sellable=1), 200)
    wanted = ("is with Trader", "You can send it back", "is on its way", "has arrived", "goes back to you")

    async def written():
        page = await town.http.get(
            str(town.http.base_url.copy_with(path="/dev/mail")), params={"to": back.buyer.email}
        )
        return all(words in page.text for words in wanted)

    await until(written)
