"""Gift cards and store credit on pages: used in cart and checkout, seen on orders, made on the desk."""

import re
from typing import Any

import pytest
from house import House, Visitor
from house import house as house
from house import opened as opened
from journeys.people import HOME

from mercat import ids

BOB = {"email": "bob@example.com", "password": "battery staple", "name": "Bob"}
OLGA = {"email": "olga@example.com", "password": "battery staple", "name": "Olga"}
CUP = {"title": "A cup", "description": "", "category": "cups", "price": 30, "currency": "USD", "quantity": 9}


@pytest.fixture
async def olga(house: House) -> Visitor:
    olga = await house.member(OLGA)
    me = (await olga.api("GET", "/account", 200))["user_id"]
    await house.shop.accounts.grant(ids.parse(ids.UserId, me), "operator")
    await olga.api("POST", "/sessions", 201, {name: OLGA[name] for name in ("email", "password")})
    return olga


async def made(olga: Visitor, amount: str = "20") -> str:
    page = await olga.send("/operator/gift-cards", "/operator/gift-cards", amount=amount)
    found = re.search(r'id="code">([0-9A-Z-]+)<', page)
    assert found
    return found[1]


async def ann_with_a_cup(house: House) -> Visitor:
    bob = await house.member(BOB)
    await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
    cup = await bob.api("POST", "/seller/products", 201, CUP)
    ann = await house.member()
    await ann.api("POST", "/cart/items", 200, {"offer_id": cup["offer_id"], "quantity": 1})
    await ann.api("POST", "/addresses", 201, HOME)
    return ann


def filled(page: str) -> dict[str, Any]:
    """The checkout form as the page has it filled in."""
    form = re.search(r'<form[^>]*action="/checkout" .*?</form>', page, re.DOTALL)
    assert form
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
    for name, value in re.findall(
        r'type="(?:radio|checkbox)"[^>]*name="(\w+)" value="([^"]*)"[^>]* checked', form[0]
    ):
        fields[name] = value
    return fields


async def test_a_form_that_is_sent_twice_makes_one_card_and_shows_its_code_again(house, olga, db):
    path, key = "/operator/gift-cards", "a1b2c3"
    pages = [await olga.send(path, path, amount="20", key=key) for _ in range(2)]
    codes = [re.findall(r'id="code">([0-9A-Z-]+)<', page) for page in pages]
    assert codes[0] == codes[1]
    assert len(codes[0]) == 1
    assert await db.fetchval("select count(*) from payments.stored_value") == 1
    await olga.send(path, path, amount="30", key=key)
    rows = await db.fetch("select balance from payments.stored_value order by balance")
    assert [row[0] for row in rows] == [2_000, 3_000]
    assert await db.fetchval("select count(*) from payments.entry where kind = 'issued'") == 2


async def test_store_credit_that_is_sent_twice_is_given_once(house, olga, db):
    ann = await house.member()
    who = (await ann.api("GET", "/account", 200))["user_id"]
    page = f"/operator/people/{who}"
    for amount in ("5", "5", "7"):
        await olga.send(page, f"{page}/store-credit", 200, amount=amount, reason="Sorry", key="d4e5f6")
    assert await db.fetchval("select balance from payments.stored_value") == 1_200
    assert await db.fetchval("select count(*) from payments.entry where kind = 'issued'") == 2


async def test_the_desk_shows_a_code_once_and_disables_a_card(house, olga):
    wrong = await olga.send("/operator/gift-cards", "/operator/gift-cards", 422, amount="0")
    assert "One thing needs another look" in wrong
    code = await made(olga)
    page = await olga.page("/operator/gift-cards")
    assert code not in page
    assert f"•••• {code[-4:]}" in page
    [path] = re.findall(r'action="(/operator/gift-cards/\w+/disable)"', page)
    assert "It pays nothing from now on." in await olga.send("/operator/gift-cards", path)
    assert "Owed to holders of gift cards" in await olga.send("/operator/money", "/operator/money/balance")


async def test_a_gift_card_is_used_in_the_cart_and_the_order_says_so(house, olga):
    code = await made(olga)
    ann = await ann_with_a_cup(house)
    wrong = await ann.send("/cart", "/cart/gift-cards", 422, code="0000-0000")
    assert "We know no gift card of this code." in wrong
    page = await ann.send("/cart", "/cart/gift-cards", code=code)
    assert f"Gift card •••• {code[-4:]}" in page
    assert "\u2212$20.00" in page
    page = await ann.page("/checkout")
    assert "To pay by card" in page
    fields = filled(page)
    total = int(fields["seen_total"])
    assert int(fields["seen_by_card"]) == total - 2_000
    answer = await ann.http.post("/checkout", data=fields, follow_redirects=True)
    assert "was paid, once" in answer.text
    assert f"from gift card •••• {code[-4:]}" in answer.text
    order_id = answer.url.path.rpartition("/")[2]
    page = await ann.send(f"/orders/{order_id}", f"/orders/{order_id}/cancel")
    assert f"$20.00 to gift card •••• {code[-4:]}" in page
    assert "gift card" in await olga.page(f"/operator/orders/{order_id}")


async def test_a_gift_card_is_used_at_checkout_and_what_was_typed_stays(house, olga):
    code = await made(olga, "100")
    ann = await ann_with_a_cup(house)
    fields = filled(await ann.page("/checkout"))
    wrong = await ann.http.post("/checkout/gift-cards", data=fields | {"gift_code": "nonsense"})
    assert wrong.status_code == 422
    assert "We know no gift card of this code." in wrong.text
    fields |= {"method": "express"}
    # who presses the large button with a code that is typed and not used yet sees what it pays first
    answer = await ann.http.post("/checkout", data=fields | {"gift_code": code})
    assert answer.status_code == 200
    shown = filled(answer.text)
    assert (shown["method"], shown["card"], shown["seen_by_card"]) == ("express", "none", "0")
    assert "No card" in answer.text
    answer = await ann.http.post("/checkout", data=shown, follow_redirects=True)
    assert "was paid, once" in answer.text
    [order] = (await ann.api("GET", "/orders", 200))["orders"]
    order = await ann.api("GET", f"/orders/{order['order_id']}", 200)
    assert [each["kind"] for each in order["payments"]] == ["gift_card"]
    assert (await ann.api("GET", "/payment-methods", 200))["payment_methods"] == []


async def test_a_gift_card_is_taken_out_of_the_cart(house, olga):
    code = await made(olga)
    ann = await ann_with_a_cup(house)
    page = await ann.send("/cart", "/cart/gift-cards", code=code)
    [path] = re.findall(r'action="(/cart/gift-cards/\w+/remove)"', page)
    assert "\u2212$20.00" not in await ann.send("/cart", path)


async def test_store_credit_is_given_on_the_desk_and_used_unless_it_is_unticked(house, olga):
    ann = await ann_with_a_cup(house)
    me = (await ann.api("GET", "/account", 200))["user_id"]
    at = f"/operator/people/{me}"
    await olga.send(at, f"{at}/store-credit", 422, amount="x", reason="")
    page = await olga.send(at, f"{at}/store-credit", amount="7.50", reason="Late parcel")
    assert "Their store credit is changed." in page
    assert "There is less store credit than that." in await olga.send(
        at, f"{at}/store-credit", 409, amount="-8", reason="Mistake"
    )
    assert "Late parcel" in await ann.page("/account")
    fields = filled(await ann.page("/checkout"))
    total = int(fields["seen_total"])
    assert (fields["credit"], int(fields["seen_by_card"])) == ("yes", total - 750)
    del fields["credit"]  # unticked: without a script the sums are those of before
    answer = await ann.http.post("/checkout", data=fields)
    assert answer.status_code == 409
    assert "pays less than you saw" in answer.text
    shown = filled(answer.text)
    assert ("credit" in shown, int(shown["seen_by_card"])) == (False, total)
    answer = await ann.http.post("/checkout", data=shown | {"credit": "yes"}, follow_redirects=True)
    assert "from store credit" in answer.text
