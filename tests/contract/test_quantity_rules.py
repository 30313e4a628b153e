"""Rules of quantity: in the cart, the quote and the till, and how many one customer may have in all."""

import asyncio
from types import SimpleNamespace

import pytest
from one_scene import one_scene
from scene import Scene
from waiting import until

from mercat import ids
from mercat.catalog import OfferTerms, QuantityRules, quantity_problem
from mercat.checkout import Confirmed, Refused
from mercat.checkout.messages import Limited
from mercat.events import AccountErased, OrderForgotten
from mercat.kit.rpc import Caller
from mercat.web.routes import PREFIX

PRODUCTS = f"{PREFIX}/seller/products"
CUP = {"title": "A blue cup", "description": "", "category": "Cups", "price": 20, "quantity": 90}
RULES = {"min": 2, "max": 10, "step": 2, "per_customer": 6}
HOME = {
    "name": "A",
    "line1": "1 Lane",
    "city": "Boston",
    "region": "MA",
    "postal_code": "02110",
    "country": "US",
}


async def listed(people, **more) -> dict:
    made = await people.seller.post(PRODUCTS, json=CUP | more)
    assert made.status_code == 201, made.text
    return made.json()


async def put(people, made, quantity) -> dict:
    await people.shopper.delete(f"{PREFIX}/cart/items/{made['offer_id']}")
    body = {"offer_id": made["offer_id"], "quantity": quantity}
    answer = await people.shopper.post(f"{PREFIX}/cart/items", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def way(people) -> dict:
    address = (await people.shopper.post(f"{PREFIX}/addresses", json=HOME | {"country": "US"})).json()
    card = (await people.shopper.post(f"{PREFIX}/payment-methods", json={"token": "tok_visa"})).json()
    return {
        "shipping_address_id": address["address_id"],
        "shipping_method": "standard",
        "payment_method_id": card["payment_method_id"],
    }


async def buys(people, asked, key):
    head = {"Idempotency-Key": key}
    return await people.shopper.post(f"{PREFIX}/orders/checkout", json=asked, headers=head)


@pytest.mark.parametrize(
    ("quantity", "code"),
    [(1, "below_minimum"), (3, "not_in_steps"), (11, "above_maximum"), (8, "customer_limit"), (4, None)],
)
async def test_a_quantity_is_refused_in_the_cart_the_quote_and_at_the_till(people, quantity, code):
    made = await listed(people, quantity_rules=RULES)
    said = (await people.nobody.get(f"{PREFIX}/products/{made['product_id']}")).json()
    assert said["offers"][0]["quantity_rules"] == RULES
    cart = await put(people, made, quantity)
    assert [each["code"] for each in cart["problems"]] == ([code] if code else [])
    asked = await way(people)
    quote = {name: asked[name] for name in ("shipping_address_id", "shipping_method")}
    answers = [await people.shopper.post(f"{PREFIX}/quotes", json=quote), await buys(people, asked, "k1")]
    for answer in answers:
        if code is None:
            assert answer.status_code in (200, 201), answer.text
            continue
        told = answer.json()
        assert (answer.status_code, told["code"]) == (422, "quantity_refused"), told
        assert (told["pointer"], told["why"]) == ("/items/0/quantity", code)
    if code:
        assert (await people.shopper.get(f"{PREFIX}/orders")).json()["orders"] == []


async def test_what_a_customer_may_have_in_all_counts_over_their_orders(people):
    made = await listed(people, quantity_rules={"per_customer": 3})
    asked = await way(people)
    await put(people, made, 2)
    assert (await buys(people, asked, "k1")).status_code == 201
    await put(people, made, 2)
    quote = {name: asked[name] for name in ("shipping_address_id", "shipping_method")}
    for answer in (
        await people.shopper.post(f"{PREFIX}/quotes", json=quote),
        await buys(people, asked, "k2"),
    ):
        told = answer.json()
        assert (answer.status_code, told["code"], told["per_customer"]) == (409, "customer_limit", 3), told
        assert told["pointer"] == "/items/0/quantity"
    await put(people, made, 1)
    assert (await buys(people, asked, "k3")).status_code == 201


@one_scene(
    ("rules", "pointer"),
    [
        ({"min": 0}, "/quantity_rules/min"),
        ({"max": -1}, "/quantity_rules/max"),
        ({"step": 1.5}, "/quantity_rules/step"),
        ({"per_customer": "2"}, "/quantity_rules/per_customer"),
        ({"min": 5, "max": 4}, "/quantity_rules/max"),
        ({"step": 6, "max": 5}, "/quantity_rules/max"),
        ({"min": 5, "per_customer": 4}, "/quantity_rules/per_customer"),
        ({"most": 4}, "/quantity_rules/most"),
    ],
)
async def test_rules_by_which_nothing_can_be_bought_are_refused(people, rules, pointer):
    made = await listed(people)
    for door in (f"{PREFIX}/seller/offers/{made['offer_id']}", f"{PRODUCTS}/{made['product_id']}"):
        answer = await people.seller.patch(door, json={"quantity_rules": rules})
        assert (answer.status_code, answer.json()["pointer"]) == (422, pointer), answer.text


async def test_rules_are_changed_and_taken_away(people):
    made = await listed(people)
    door = f"{PREFIX}/seller/offers/{made['offer_id']}"
    assert (await people.seller.patch(door, json={"quantity_rules": RULES})).json()["quantity_rules"] == RULES
    page = (await people.nobody.get(f"/p/{made['product_id']}")).text
    assert 'value="2" min="2" max="6" step="2"' in page
    assert (await people.seller.patch(door, json={"price": 21})).json()["quantity_rules"] == RULES
    own = (await people.seller.get(f"{PRODUCTS}/{made['product_id']}")).json()
    assert own["quantity_rules"] == RULES == own["variants"][0]["quantity_rules"]
    assert (await people.seller.patch(door, json={"quantity_rules": None})).json()["quantity_rules"] is None
    assert (await put(people, made, 1))["problems"] == []


@pytest.mark.parametrize(
    ("rules", "fits"),
    [
        (QuantityRules(step=6), [6, 12, 18]),
        (QuantityRules(min=3, step=2, max=8), [3, 5, 7]),
        (QuantityRules(max=3), [1, 2, 3]),
        (None, [*range(1, 20)]),
    ],
)
def test_steps_are_counted_from_the_least_quantity(rules, fits):
    assert [n for n in range(1, 20) if quantity_problem(rules, n) is None] == fits


async def limited(scene: Scene, most: int) -> None:
    terms = OfferTerms(quantity_rules=QuantityRules(per_customer=most))
    await scene.shop.catalog.change_offer(scene.seller, scene.tea, terms=terms)


async def test_a_customer_who_races_themself_under_two_sessions_stays_within_the_limit(people, db):
    scene = await Scene(people.shop, db).open()
    await limited(scene, 3)
    others = [scene]
    for _ in range(4):
        other = Scene(people.shop, db)
        other.tea, other.seller = scene.tea, scene.seller
        other.ann = Caller(ids.new(ids.UserId), email="ann@example.org")
        await people.shop.cart.add(other.ann.user_id, scene.tea, 1)
        others.append(other)
    asks = [await each.ask() for each in others]
    answers = await asyncio.gather(
        *(people.shop.checkout.buy(each.ann, "k", ask) for each, ask in zip(others, asks, strict=True))
    )
    outcomes = [each.outcome for each in answers]
    units = sum(
        len([1]) * (2 if n == 0 else 1) for n, each in enumerate(outcomes) if isinstance(each, Confirmed)
    )
    assert units == 3, outcomes
    assert {each.code for each in outcomes if isinstance(each, Refused)} == {"customer_limit"}
    assert await scene.left() == (7, 0)


async def test_what_was_refused_or_cancelled_counts_no_more(people, db):
    scene = await Scene(people.shop, db).open()
    await limited(scene, 2)
    refused = await people.shop.checkout.buy(scene.ann, "a", await scene.ask("tok_declined"))
    assert isinstance(refused.outcome, Refused)
    bought = await people.shop.checkout.buy(scene.ann, "b", await scene.ask())
    assert isinstance(bought.outcome, Confirmed), bought.outcome
    await people.shop.cart.add(scene.ann.user_id, scene.tea, 2)
    again = await people.shop.checkout.buy(scene.ann, "c", await scene.ask())
    assert isinstance(again.outcome, Refused)
    await people.shop.checkout.cancel(scene.ann, bought.outcome.order_id)

    async def free() -> bool:
        return not await db.fetchval("select sum(units) from checkout.customer")

    await until(free)
    once_more = await people.shop.checkout.buy(scene.ann, "d", await scene.ask())
    assert isinstance(once_more.outcome, Confirmed), once_more.outcome


def counted_purchase(offer_id, email="Ann@Example.org"):
    """As much of a purchase as its limits are counted by."""
    order = SimpleNamespace(order_id=ids.new(ids.OrderId), email=email)
    record = SimpleNamespace(limited=[Limited(offer_id, 2, 3, 0, "Tea")])
    return SimpleNamespace(checkout_id=ids.new(ids.CheckoutId), order=order, record=record)


async def test_a_count_that_lands_after_its_purchase_was_undone_counts_nothing(people, db):
    limits, tea = people.shop.checkout.limits, ids.new(ids.OfferId)
    late, early = counted_purchase(tea), counted_purchase(tea)
    await limits.give_back([late])  # by who took over from a worker that was stalled
    for _ in range(2):
        _, refused = await limits.take([late])
        assert [each for each, _ in refused] == [late]
    assert await limits.take([early]) == ([], [])
    for _ in range(2):
        await limits.give_back([early])
    assert await db.fetchval("select sum(units) from checkout.customer") == 0


async def test_whom_units_were_counted_for_is_forgotten_with_them(people, db):
    scene = await Scene(people.shop, db).open()
    await limited(scene, 3)
    bought = await people.shop.checkout.buy(scene.ann, "k", await scene.ask())
    assert isinstance(bought.outcome, Confirmed), bought.outcome
    gone = AccountErased(user_id=scene.ann.user_id, people=[scene.ann.user_id], email=scene.ann.email or "")
    other = AccountErased(user_id=ids.UserId(5), people=[ids.UserId(5)], email="eve@example.org")
    for event, left in ((other, 1), (gone, 0), (gone, 0)):
        await people.shop.checkout.limits.forget_people(db, [event])
        for table in ("customer", "customer_units"):
            assert await db.fetchval(f"select count(*) from checkout.{table}") == left


async def test_an_order_that_is_forgotten_says_no_more_for_whom_its_units_were_counted(people, db):
    scene = await Scene(people.shop, db).open()
    await limited(scene, 5)
    orders = []
    for key in "ab":
        await people.shop.cart.add(scene.ann.user_id, scene.tea, 1)
        bought = await people.shop.checkout.buy(scene.ann, key, await scene.ask())
        assert isinstance(bought.outcome, Confirmed), bought.outcome
        orders.append(await people.shop.orders.order(bought.outcome.order_id, None))
    for left, order in zip((1, 0), orders, strict=True):
        event = OrderForgotten(order_id=order.order_id, checkout_id=order.checkout_id)
        await people.shop.checkout.limits.forget_orders(db, [event])
        assert await db.fetchval("select count(*) from checkout.customer") == left
