"""Who does without letters says so once: in the account, or by the link in a letter, with no session."""

import re

import pytest
from house import House, Visitor
from house import house as house
from house import opened as opened
from journeys.people import until

from mercat.ids import ProductId, UserId
from mercat.kit import codec
from mercat.notifications.letters._wished import WishedProduct

OPTIONAL = {"review_request", "price_drop", "back_in_stock"}
SELLERS = {"weekly_report", "payout_paid", "order_to_pack", "low_stock", "review_received"}


async def about_tea(house: House, db, to: str, version: int, user_id: UserId | None = None) -> str:
    """A letter about a better price; the path that ends such letters."""
    tea = WishedProduct(ProductId(1), "Tea", 500, "USD", 900)
    [mail_id] = [
        row["mail_id"]
        for row in await db.fetch(
            """insert into notifications.mail (subject_id, kind, channel, recipient, user_id, facts, made_at)
               values (1, 'price_drop', $1, $2, $3, $4, now()) returning mail_id""",
            f"mail/{version}/x",
            to,
            user_id,
            codec.text(tea),
        )
    ]
    letter = await house.shop.notifications.letter(mail_id)
    found = re.search(r"http://\S+(/unsubscribe/\S+)", letter.body)
    assert found
    assert found[0] in letter.html
    return found[1]


async def wanted(visitor: Visitor) -> dict[str, bool]:
    return (await visitor.api("GET", "/account/notifications", 200))["wanted"]


async def test_an_account_chooses_what_it_gets_and_cannot_do_without_what_is_needed(house):
    ann = await house.member()
    shown = await ann.api("GET", "/account/notifications", 200)
    assert shown["wanted"] == dict.fromkeys(OPTIONAL, True)
    assert shown["about"].keys() == OPTIONAL
    assert {"order_confirmed", "refund_paid", "password_reset"} <= set(shown["needed"])

    changed = await ann.api("PUT", "/account/notifications", 200, {"wanted": {"price_drop": False}})
    assert changed["wanted"] == {"review_request": True, "price_drop": False, "back_in_stock": True}
    assert await ann.api("PUT", "/account/notifications", 200, changed) == changed  # what is shown is taken
    needed = await ann.api("PUT", "/account/notifications", 409, {"wanted": {"order_confirmed": False}})
    assert (needed["code"], needed["pointer"]) == ("notification_needed", "/wanted/order_confirmed")
    unknown = await ann.api("PUT", "/account/notifications", 422, {"wanted": {"gossip": False}})
    assert unknown["pointer"] == "/wanted/gossip"
    await (await house.visitor()).api("GET", "/account/notifications", 401)

    await ann.api("POST", "/sellers", 201, {"name": "Ann's"})
    assert (await wanted(ann)).keys() == OPTIONAL | SELLERS


async def test_the_account_page_has_the_same_choices(house):
    ann = await house.member()
    page = await ann.send("/account", "/account/notifications", **{"wants-review_request": "1"})
    assert "you get the letters that you chose" in page
    assert await wanted(ann) == {"review_request": True, "price_drop": False, "back_in_stock": False}


async def test_a_link_shows_a_button_and_one_press_ends_such_letters(house, db):
    ann = await house.member()
    path = await about_tea(house, db, "ann@example.com", 1)
    nobody = await house.visitor()
    assert "Send me no more of these" in await nobody.page(path)
    assert "costs less" in await nobody.page(path)
    assert (await wanted(ann))["price_drop"] is True  # a program that follows links ends nothing

    one_click = {"List-Unsubscribe": "One-Click"}
    for body in ({"data": one_click}, {"files": {"List-Unsubscribe": (None, "One-Click")}}, {}):
        answer = await nobody.http.post(path, **body, follow_redirects=False)
        assert answer.status_code == 200, answer.text
    assert (await wanted(ann))["price_drop"] is False
    assert "You get no more" in await nobody.page(path)

    await nobody.send(path, f"{path}/again")
    assert (await wanted(ann))["price_drop"] is True


async def test_what_waits_to_be_sent_is_not_sent_after_that(house, db):
    ann = await house.member()
    path = await about_tea(house, db, "ann@example.com", 1)
    await about_tea(house, db, "ann@example.com", 2)
    await about_tea(house, db, "eve@example.com", 3)
    await db.execute(
        "update notifications.mail set due_at = now() where kind = 'price_drop' and channel <> 'mail/1/x'"
    )
    await ann.http.post(path)
    left = await db.fetch(
        "select recipient from notifications.mail where kind = 'price_drop' and due_at is not null"
    )
    assert [row["recipient"] for row in left] == ["eve@example.com"]


@pytest.mark.parametrize("way", ["account", "link"])
async def test_who_unsubscribed_as_a_guest_or_a_person_gets_none(house, db, way):
    ann = await house.member()
    user_id = UserId(int(await db.fetchval("select user_id from accounts.person")))
    path = await about_tea(house, db, "ann@example.com", 1, user_id)
    if way == "link":
        await (await house.visitor()).http.post(path)
        # The person is known by more than the address: it holds when they move to another one.
        await db.execute("update accounts.person set email = 'new@example.com'")
    else:
        await ann.api("PUT", "/account/notifications", 200, {"wanted": {"price_drop": False}})
    assert (await wanted(ann))["price_drop"] is False
    again = await ann.api("PUT", "/account/notifications", 200, {"wanted": {"price_drop": True}})
    assert again["wanted"]["price_drop"] is True


async def test_a_link_is_not_guessed_and_is_good_for_its_own_letter_alone(house, db):
    path = await about_tea(house, db, "ann@example.com", 1)
    nobody = await house.visitor()
    for wrong in (
        path[:-1] + ("A" if path[-1] != "A" else "B"),
        "/unsubscribe/1",
        "/unsubscribe/" + "A" * 30,
    ):
        for verb in ("GET", "POST"):
            assert (await nobody.http.request(verb, wrong)).status_code == 404
    assert await db.fetchval("select count(*) from notifications.unwanted") == 0


async def test_choices_are_forgotten_with_the_person(house, db):
    ann = await house.member()
    await ann.api("PUT", "/account/notifications", 200, {"wanted": {"price_drop": False}})
    await (await house.visitor()).http.post(await about_tea(house, db, "ann@example.com", 1))
    assert await db.fetchval("select count(*) from notifications.unwanted") == 2
    body = {"current_password": "correct horse"}
    assert (await ann.http.request("DELETE", "/api/v1/account", json=body)).status_code == 200

    async def forgotten() -> bool:
        left = await db.fetchval(
            "select count(*) from notifications.mail where recipient = 'ann@example.com'"
        )
        return not left and not await db.fetchval("select count(*) from notifications.unwanted")

    await until(forgotten, 30)
