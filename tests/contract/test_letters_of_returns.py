"""The letters of a return: to its shopper at each state, and to the seller when one is asked for."""

from datetime import UTC, datetime

import pytest

from mercat import events, ids
from mercat.kit.event_log import deliver
from mercat.notifications import Notifications

ORDER, BACK, ANN, BOB = ids.OrderId(1), ids.ReturnId(2), ids.UserId(11), ids.SellerId(21)
PLACED = events.OrderPlaced(
    order_id=ORDER,
    checkout_id=ids.CheckoutId(1),
    cart_id=ids.CartId(1),
    user_id=ANN,
    email="ann@example.com",
    total=2_000,
    currency="USD",
    lines=[],
    placed_at=datetime(2026, 3, 1, tzinfo=UTC),
)
OF = {"return_id": BACK, "order_id": ORDER, "user_id": ANN, "seller_id": BOB, "seller_name": "Bob's"}
INSIDE = [events.ReturnLine(order_line_id=ids.LineId(3), title="A tin of tea", quantity=2)]
CAME = [
    events.ReturnLine(order_line_id=ids.LineId(3), title="A tin of tea", quantity=2, sellable=1, missing=1)
]
ASKED = {
    "reason": "not_as_described",
    "comment": "It is green.",
    "lines": INSIDE,
    "seller_email": "bob@example.com",
}
SAID = {
    "return_requested": (events.ReturnRequested(**OF, **ASKED, approved=False), "2 x A tin of tea"),
    "return_approved": (events.ReturnApproved(**OF, by="seller"), "send them to Bob's"),
    "return_refused": (events.ReturnRefused(**OF, by="seller", why="It was worn."), '"It was worn."'),
    "return_sent": (events.ReturnSent(**OF, carrier="Post", tracking_number="R-1"), "R-1"),
    "return_received": (events.ReturnReceived(**OF, by="seller", lines=CAME), "1 x A tin of tea: not there"),
    "return_refunded": (
        events.ReturnRefunded(**OF, amount=750, currency="USD", withheld=250, withheld_because="Used."),
        "keeps $2.50 of the price",
    ),
    "return_closed": (events.ReturnClosed(**OF, withdrawn=True), "withdrawn"),
}


@pytest.fixture
async def hear(pool, settings):
    db = await pool("notifications")
    notifications = Notifications(db, settings)

    async def hear(*told):
        for event in (PLACED, *told):
            async with db.acquire() as connection, connection.transaction():
                await deliver(connection, [event], [notifications])
        return await notifications.mailbox()

    return hear


@pytest.mark.parametrize("kind", SAID)
async def test_a_shopper_is_written_to_at_each_state_of_a_return_once(hear, kind):
    told, words = SAID[kind]
    [letter] = [mail for mail in await hear(told, told) if mail.kind == kind]
    assert letter.recipient == "ann@example.com"
    assert words in letter.body
    assert f"/orders/{ORDER}" in letter.body


async def test_what_the_shop_approves_by_itself_is_one_letter(hear):
    asked = events.ReturnRequested(**OF, **ASKED, approved=True)
    letters = await hear(asked, events.ReturnApproved(**OF, by="shop"))
    to_ann = [mail.kind for mail in letters if mail.recipient == "ann@example.com"]
    assert to_ann == ["return_approved", "order_confirmed"]


@pytest.mark.parametrize(("approved", "words"), [(False, "Approve or refuse it"), (True, "has approved it")])
async def test_a_seller_is_told_why_something_comes_back(hear, approved, words):
    letters = await hear(events.ReturnRequested(**OF, **ASKED, approved=approved))
    [letter] = [mail for mail in letters if mail.recipient == "bob@example.com"]
    assert letter.kind == "return_to_decide"
    for said in ("2 x A tin of tea", "not as described", '"It is green."', "/desk/returns", words):
        assert said in letter.body
