"""Somebody who bought without an account is forgotten by the key of any of their orders."""

from typing import Any

import pytest
from house import ANN, House, Visitor, credentials
from house import house as house
from house import opened as opened
from journeys.people import HOME, new_key, until
from valkeys import forget_all

from mercat import ids
from mercat.ids import OrderId, UserId
from mercat.kit.signing import link_key
from mercat.web.routes import PREFIX

pytestmark = pytest.mark.valkeys

BOB = {"email": "bob@example.com", "password": "battery staple", "name": "Bob"}
CUP = {"title": "A cup", "description": "", "category": "cups", "price": 5, "currency": "USD", "quantity": 9}
GUEST = "guest@example.com"


@pytest.fixture
async def cup(house: House) -> dict[str, str]:
    bob = await house.member(BOB)
    await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
    return await bob.api("POST", "/seller/products", 201, CUP)


async def buys(buyer: Visitor, cup: dict[str, str], email: str | None = GUEST) -> str:
    await buyer.api("POST", "/cart/items", 200, {"offer_id": cup["offer_id"], "quantity": 1})
    way: dict[str, Any] = {
        "shipping_address_id": (await buyer.api("POST", "/addresses", 201, HOME))["address_id"],
        "payment_method_id": (await buyer.api("POST", "/payment-methods", 201, {"token": "tok_visa"}))[
            "payment_method_id"
        ],
        "shipping_method": "standard",
        **({"email": email} if email else {}),
    }
    headers = {"idempotency-key": new_key()}
    answer = await buyer.http.post(f"{PREFIX}/orders/checkout", json=way, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["order_id"]


async def guest(house: House) -> Visitor:
    visitor = await house.visitor()
    await visitor.api("POST", "/sessions/guest", 201)
    return visitor


def by_key(house: House, order_id: str, path: str = "person") -> str:
    key = link_key(house.shop.settings, ids.parse(OrderId, order_id))
    return f"/orders/{order_id}/{path}?key={key}"


async def test_a_guest_is_forgotten_by_the_key_from_any_browser(house, cup, db):
    buyer, other = await guest(house), await guest(house)
    first, second = await buys(buyer, cup), await buys(buyer, cup)
    theirs = await buys(other, cup)
    await buyer.api("PUT", f"/wishlist/{cup['product_id']}", 200)
    token = buyer.http.cookies["mercat_session"]
    who = await house.shop.accounts.who(token)
    assert who

    async def written() -> bool:
        return len(await house.letters(GUEST)) == 3

    await until(written)
    elsewhere = await house.visitor()
    for _ in range(2):  # again is the same
        await elsewhere.api("DELETE", by_key(house, second), 200)
    await buyer.api("GET", "/orders", 401)
    assert await house.shop.accounts.who(token) is None
    await forget_all(house.shop.host.store)  # what the store loses does not come back either
    assert await house.shop.accounts.who(token) is None
    for table in ("address", "payment_method"):
        left = await db.fetchval(f"select count(*) from accounts.{table} where user_id = $1", who.user_id)
        assert left == 0, table

    async def burnt() -> bool:
        letters = await house.letters(GUEST)
        return len(letters) == 1 and theirs in letters[0]

    await until(burnt)

    async def emptied() -> bool:
        return not await db.fetchval("select count(*) from wishlist.item where user_id = $1", who.user_id)

    await until(emptied)
    kept = await elsewhere.api("GET", by_key(house, first, "").replace("/?", "?"), 200)
    assert (kept["total"] > 5, kept["status"]) == (True, "confirmed")
    await other.api("GET", f"/orders/{theirs}", 200)


async def test_a_guest_is_forgotten_by_their_own_session_too(house, cup):
    buyer = await guest(house)
    order_id = await buys(buyer, cup)
    await buyer.api("DELETE", f"/orders/{order_id}/person", 200)
    await buyer.api("GET", "/orders", 401)


async def test_nobody_else_forgets_a_guest(house, cup):
    buyer, other = await guest(house), await guest(house)
    order_id = await buys(buyer, cup)
    stranger = await house.visitor()
    await stranger.api("DELETE", f"/orders/{order_id}/person", 401)
    await stranger.api("DELETE", f"/orders/{order_id}/person?key=wrong", 401)
    await other.api("DELETE", f"/orders/{order_id}/person?key=wrong", 404)
    await other.api("DELETE", f"/orders/{order_id}/person", 404)
    await stranger.api("DELETE", by_key(house, "ord_0000000000001"), 404)
    await buyer.api("GET", f"/orders/{order_id}", 200)


async def test_an_order_of_an_account_forgets_nobody(house, cup):
    """Also one that was bought as a guest who has an account since: that is erased by who signs in."""
    ann, stranger = await house.member(), await house.visitor()
    own = await buys(ann, cup, None)
    later = await guest(house)
    bought = await buys(later, cup)
    await later.api("POST", "/sessions", 201, credentials(ANN))
    for order_id in (own, bought):
        said = await stranger.api("DELETE", by_key(house, order_id), 409)
        assert said["code"] == "has_account"
        page = await stranger.send(by_key(house, order_id, "forget"), by_key(house, order_id, "forget"), 409)
        assert "belongs to an account" in page
    await ann.api("GET", f"/orders/{own}", 200)
    assert len((await ann.api("GET", "/addresses", 200))["addresses"]) == 2


async def test_a_guest_is_out_though_the_process_died_after_the_commit(house, cup, monkeypatch):
    buyer = await guest(house)
    order_id = await buys(buyer, cup)
    running = house.shop.accounts.running
    end = running.end_guest

    async def dies(_: UserId) -> None:
        monkeypatch.setattr(running, "end_guest", end)
        raise RuntimeError("died")

    monkeypatch.setattr(running, "end_guest", dies)
    await (await house.visitor()).api("DELETE", by_key(house, order_id), 500)

    async def out() -> bool:
        return (await buyer.http.get(f"{PREFIX}/orders")).status_code == 401

    await until(out)


async def test_the_page_asks_once_more_and_says_that_it_is_done(house, cup):
    buyer = await guest(house)
    order_id = await buys(buyer, cup)
    elsewhere = await house.visitor()
    order = await elsewhere.page(by_key(house, order_id, "").replace("/?", "?"))
    assert "Have your data erased" in order
    at = by_key(house, order_id, "forget")
    assert "You are forgotten" in await elsewhere.send(at, at)
    await buyer.api("GET", "/orders", 401)
