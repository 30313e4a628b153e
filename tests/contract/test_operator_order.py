"""Why an order is as it is, what operators note about it, and its letters once more."""

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest
from house import ANN, House, Visitor
from house import house as house
from house import opened as opened
from journeys.people import HOME, new_key, until

from mercat import ids
from mercat.ids import OrderId
from mercat.kit import clock
from mercat.orders import NewNote
from mercat.web.routes import PREFIX

OLGA = {"email": "olga@example.com", "password": "a desk of one's own", "name": "Olga"}
BOB = {"email": "bob@example.com", "password": "battery staple", "name": "Bob"}
CUP = {"title": "A cup", "description": "", "category": "cups", "price": 10, "currency": "USD", "quantity": 9}


class Sold:
    """A shop that has sold two cups, and its people."""

    def __init__(self, ann: Visitor, bob: Visitor, olga: Visitor, order: dict[str, Any]) -> None:
        self.ann, self.bob, self.olga = ann, bob, olga
        self.order_id = order["order_id"]
        self.at = f"/operator/orders/{self.order_id}"
        self.line = order["lines"][0]["order_line_id"]

    async def order(self) -> Any:
        return await self.olga.api("GET", self.at, 200)

    async def decided(self) -> list[tuple[str, str, str]]:
        return [(each["what"], each["outcome"], each["who"]) for each in (await self.order())["decisions"]]

    async def ships(self, house: House, quantity: int) -> str:
        parcel = {
            "order_id": self.order_id,
            "lines": [{"order_line_id": self.line, "quantity": quantity}],
            "carrier": "Post",
            "tracking_number": "T-1",
        }

        async def there() -> bool:
            return bool((await self.bob.api("GET", "/seller/orders", 200))["orders"])

        await until(there)
        return (await self.bob.api("POST", "/seller/shipments", 201, parcel))["shipment_id"]


@pytest.fixture
async def sold(house: House) -> Sold:
    olga, bob, ann = await house.member(OLGA), await house.member(BOB), await house.member()
    await house.shop.accounts.set_operator(OLGA["email"], given=True)
    await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
    cup = await bob.api("POST", "/seller/products", 201, CUP)
    await ann.api("POST", "/cart/items", 200, {"offer_id": cup["offer_id"], "quantity": 2})
    way = {
        "shipping_address_id": (await ann.api("POST", "/addresses", 201, HOME))["address_id"],
        "payment_method_id": (await ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"}))[
            "payment_method_id"
        ],
        "shipping_method": "standard",
    }
    ann.http.headers["idempotency-key"] = new_key()
    bought = await ann.api("POST", "/orders/checkout", 201, way)
    del ann.http.headers["idempotency-key"]
    return Sold(ann, bob, olga, await ann.api("GET", f"/orders/{bought['order_id']}", 200))


async def test_what_was_decided_and_refused_is_said_with_its_rule(house, sold):
    one = {"lines": [{"order_line_id": sold.line, "quantity": 1}], "reason": "One is enough."}
    await sold.ann.api("POST", f"/orders/{sold.order_id}/cancel", 200, one)
    shipment = await sold.ships(house, 1)
    no = await sold.ann.api("POST", f"/orders/{sold.order_id}/cancel", 409, one)
    back = {"lines": [{"order_line_id": sold.line, "quantity": 1}], "reason": "not_needed"}
    early = await sold.ann.api("POST", f"/orders/{sold.order_id}/returns", 409, back)
    sold.olga.http.headers["idempotency-key"] = new_key()
    much = await sold.olga.api("POST", f"{sold.at}/refunds", 409, {"amount": 1_000, "reason": "Generous."})
    assert await sold.decided() == [
        ("Ordered", "done", "shopper"),
        ("Cancelled", "done", "shopper"),
        ("Shipped", "done", "seller"),
        ("Cancelling was refused", "refused", "shopper"),
        ("A return was refused", "refused", "shopper"),
        ("A refund was refused", "refused", "operator"),
    ]
    said = (await sold.order())["decisions"]
    assert [each["why"] for each in said] == [
        "",
        "One is enough.",
        "",
        no["detail"],
        early["detail"],
        much["detail"],
    ]
    refund = said[1]["refund"]
    assert refund["price"] - refund["discount"] + refund["tax"] + refund["shipping"] == refund["amount"]
    assert refund["price"] == 10
    assert all(each["rule"] for each in said)
    page = await sold.olga.page(sold.at)
    assert "What is on its way is not cancelled." in page
    assert "One is enough." in page
    assert shipment


async def test_a_return_that_is_too_late_says_so(house, sold, clock_ahead):
    shipment = await sold.ships(house, 2)
    await sold.bob.api("POST", f"/seller/shipments/{shipment}/events", 201, {"status": "delivered"})
    clock_ahead(40 * 86_400)
    back = {"lines": [{"order_line_id": sold.line, "quantity": 1}], "reason": "not_needed"}
    await sold.ann.api("POST", f"/orders/{sold.order_id}/returns", 409, back)
    [late] = [each for each in (await sold.order())["decisions"] if each["outcome"] == "refused"]
    assert "more than 30 days ago" in late["why"]


async def test_the_same_ask_again_is_refused_once_in_the_record(house, sold):
    await sold.ships(house, 2)
    for _ in range(3):
        await sold.ann.api("POST", f"/orders/{sold.order_id}/cancel", 409)
    assert [each[1] for each in await sold.decided()].count("refused") == 1


async def test_a_refusal_is_told_though_it_cannot_be_kept(house, sold, db):
    await sold.ships(house, 2)
    await db.execute("revoke insert on orders.refusal from mercat_orders")
    try:
        said = await sold.ann.api("POST", f"/orders/{sold.order_id}/cancel", 409)
    finally:
        await db.execute("grant insert on orders.refusal to mercat_orders")
    assert said["code"] == "not_cancellable"


async def test_refusals_of_one_order_do_not_pile_up(house, sold):
    order_id = ids.parse(OrderId, sold.order_id)
    orders = house.shop.orders
    for n in range(210):
        await orders.note_refusal(order_id, f"cancel/{n}", "cancel", "shopper", "not_cancellable", "No.")
    assert len((await orders.remarks(order_id)).refusals) == 200


async def test_notes_are_added_once_with_who_and_when_and_never_changed(house, sold, db):
    sold.olga.http.headers["idempotency-key"] = new_key()
    note = {"text": "Called her.\nShe waits for the other cup."}
    made = await sold.olga.api("POST", f"{sold.at}/notes", 201, note)
    assert await sold.olga.api("POST", f"{sold.at}/notes", 201, note) == made
    del sold.olga.http.headers["idempotency-key"]
    await sold.olga.api("POST", f"{sold.at}/notes", 201, {"text": "She calls again."})
    notes = (await sold.order())["notes"]
    assert [(each["who"], each["text"]) for each in notes] == [
        ("Olga", note["text"]),
        ("Olga", "She calls again."),
    ]
    await sold.olga.api("POST", f"{sold.at}/notes", 422, {"text": ""})
    await sold.olga.api("POST", "/operator/orders/ord_0000000000001/notes", 404, note)
    await sold.ann.api("POST", f"{sold.at}/notes", 403, note)
    with pytest.raises(asyncpg.RestrictViolationError):
        await db.execute("update orders.note set text = 'No.'")
    entries = (await sold.olga.api("GET", f"/operator/audit-log?subject={sold.at}", 200))["entries"]
    assert [each["what"] for each in entries if each["status"] == 201] == ["note_order", "note_order"]
    assert "Called her" not in str(entries)


async def test_a_form_that_is_sent_twice_notes_once(house, sold):
    order_id = ids.parse(OrderId, sold.order_id)
    note = NewNote(user_id=ids.new(ids.UserId), who="Olga", text="Once.", once="a-key")
    first, second = await asyncio.gather(*(house.shop.orders.add_note(order_id, note) for _ in range(2)))
    assert (await house.shop.orders.remarks(order_id)).notes == [first] == [second]
    page = await sold.olga.send(sold.at, f"{sold.at}/notes", text="From the page.")
    assert "From the page." in page
    assert "Write the note." in await sold.olga.send(sold.at, f"{sold.at}/notes", 422, text="")


async def test_notes_go_when_their_order_forgets_its_person(house, sold, db):
    order_id = ids.parse(OrderId, sold.order_id)
    note = NewNote(user_id=ids.new(ids.UserId), who="Olga", text="Ann called.", once="k")
    await house.shop.orders.add_note(order_id, note)
    await sold.ann.api("POST", f"/orders/{sold.order_id}/cancel", 200, {"reason": "I move to 4 Mill Lane."})
    assert "4 Mill Lane" in await sold.olga.page(sold.at)
    await db.execute("update orders.orders set placed_at = placed_at - interval '20 years'")
    await sold.ann.api("DELETE", "/account", 200, {"current_password": ANN["password"]})

    async def remembered() -> bool:
        return await db.fetchval("select exists (select from orders.erased)")

    await until(remembered)
    assert await house.shop.orders.forgetting.forget_due() == 1
    assert (await house.shop.orders.remarks(order_id)).notes == []
    page = await sold.olga.page(sold.at)
    assert "somebody who was forgotten" in page
    assert "4 Mill Lane" not in page
    await house.shop.orders.add_note(order_id, msgspec.structs.replace(note, once="later"))
    assert await house.shop.orders.forgetting.forget_due() == 1  # what is noted afterwards goes too
    assert (await house.shop.orders.remarks(order_id)).notes == []


async def test_a_letter_that_was_sent_is_sent_again_and_none_of_another_order(house, sold, db):
    async def letters() -> Any:
        return (await sold.order())["letters"]

    await until(letters)
    [letter] = await letters()
    before = clock.now()
    at = f"{sold.at}/letters/{letter['mail_id']}/resend"
    await sold.olga.api("POST", at, 200)
    [again] = await letters()
    assert again["sent_at"] > letter["sent_at"]
    assert again["sent_at"] >= before.isoformat()[:19]
    await sold.olga.api("POST", f"{sold.at}/letters/{letter['mail_id'] + 1}/resend", 404)
    await sold.olga.api("POST", f"{sold.at}/letters/0/resend", 404)
    other = f"/operator/orders/ord_0000000000001/letters/{letter['mail_id']}/resend"
    await sold.olga.api("POST", other, 404)
    page = await sold.olga.send(sold.at, f"{sold.at}/letters", mail_id=str(letter["mail_id"]))
    assert "once more" in page
    answer = await sold.ann.http.post(PREFIX + at)
    assert answer.status_code == 403
