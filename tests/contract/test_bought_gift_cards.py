"""Gift cards are goods of the shop: made once when they are paid, sent by letter, void when paid back."""

import asyncio
import re

import pytest
from house import house as house
from house import opened as opened
from journeys.people import new_key, until
from one_scene import one_scene
from papers import after, pages_of
from trade import WIEN
from trade import trade as trade

from mercat import ids
from mercat.audit import audit
from mercat.events import GiftCardsBought, OrderPlaced
from mercat.gift_codes import code_of
from mercat.sellers import issuers
from mercat.web.routes import PREFIX

CODE = re.compile(r"\b(?:[0-9A-Z]{4}-){4}[0-9A-Z]{4}\b")
GRAN = "gran@example.com"


@pytest.fixture
async def card(trade):
    """The shop's own gift card of 25, as its operator lists it."""
    own = str(await trade.house.shop.sellers.own())
    product = {
        "title": "A gift card",
        "description": "",
        "category": "cups",
        "price": 25,
        "currency": "USD",
        "quantity": 99,
        "tax_class": "gift_card",
    }
    listed = await trade.olga.http.post(f"{PREFIX}/seller/products", json=product, headers={"Seller": own})
    assert listed.status_code == 201, listed.text
    return listed.json()["offer_id"]


async def buys(trade, **more):
    known = await trade.ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"})
    way = {
        "shipping_address_id": await trade.lives(region="MA"),
        "payment_method_id": known["payment_method_id"],
        "shipping_method": "standard",
    }
    headers = {"idempotency-key": new_key()}
    answer = await trade.ann.http.post(f"{PREFIX}/orders/checkout", json=way | more, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["order_id"]


async def seen(trade, order_id):
    return await trade.ann.api("GET", f"/orders/{order_id}", 200)


async def codes(trade, count, to=GRAN):
    """Wait for the letters of so many cards, and read their codes."""

    async def there():
        found = [CODE.search(body) for body in await trade.house.letters(to)]
        return sorted({each[0] for each in found if each})

    async def enough():
        return len(await there()) >= count

    await until(enough, 30)
    return await there()


async def laws(db):
    async with db.acquire() as connection:
        return [law for law in await audit(connection) if law.violations]


async def test_a_gift_card_is_made_once_it_is_paid_and_goes_by_letter(trade, card, db):
    await trade.puts(card, 2)
    quote = await trade.quote(await trade.lives(region="MA"))
    assert (quote["shipping"], quote["tax"], quote["total"]) == (0, 0, 50.0)
    order_id = await buys(trade, gift_to={"email": GRAN, "name": "Gran", "message": "Happy birthday"})
    first, second = await codes(trade, 2)
    [letter, *_] = await trade.house.letters(GRAN)
    assert "Happy birthday" in letter
    assert "$25.00" in letter

    async def arrived():
        return (await seen(trade, order_id))["status"] == "delivered"

    await until(arrived, 30)
    await trade.puts(await trade.lists(trade.bob, price=10))
    cart = await trade.ann.api("POST", "/cart/gift-cards", 200, {"code": first})
    assert [each["balance"] for each in cart["gift_cards"]] == [25.0]
    spent = await seen(trade, await buys(trade))
    assert [each["kind"] for each in spent["payments"]] == ["gift_card"]
    assert first != second
    stored = await db.fetch("select * from payments.stored_value")
    assert not any(first in str(tuple(row)) for row in stored)
    assert await laws(db) == []


async def test_who_names_nobody_gets_it_themselves(trade, card):
    await trade.puts(card)
    await buys(trade)
    assert len(await codes(trade, 1, "ann@example.com")) == 1


async def test_what_the_log_brings_again_makes_no_other_card(trade, card, db):
    await trade.puts(card, 3)
    order_id = await buys(trade, gift_to={"email": GRAN})
    known = await codes(trade, 3)
    order = await seen(trade, order_id)
    [line] = order["lines"]
    event = await _placed(trade, order)
    follow = trade.house.shop.checkout.gift_cards.hand_over
    await asyncio.gather(*(follow([event, event]) for _ in range(3)))
    assert await codes(trade, 3) == known
    assert await db.fetchval("select count(*) from payments.sold_gift_card") == line["quantity"] == 3
    assert await laws(db) == []


async def _placed(trade, order):
    order_id = ids.parse(ids.OrderId, order["order_id"])
    [line] = order["lines"]
    placed = await trade.house.shop.orders.order(order_id, None)
    return OrderPlaced(
        order_id=order_id,
        checkout_id=placed.checkout_id,
        cart_id=ids.CartId(1),
        user_id=placed.user_id,
        email="ann@example.com",
        total=0,
        currency="USD",
        lines=[],
        placed_at=placed.created_at,
        gift_cards=GiftCardsBought([ids.parse(ids.LineId, line["order_line_id"])], GRAN),
    )


async def test_a_crash_between_any_two_steps_is_carried_on(trade, card, db, monkeypatch):
    shop, broken = trade.house.shop, []

    def breaking(name, whole):
        async def once(*given, **named):
            answer = await whole(*given, **named)
            if name not in broken:
                broken.append(name)
                raise ConnectionError(f"died after {name}")
            return answer

        return once

    gift_cards = shop.checkout.gift_cards

    class Breaking:
        def __init__(self, real):
            self._real = real

        def __getattr__(self, name):
            whole = getattr(self._real, name)
            return breaking(name, whole) if name in ("ship", "issue_sold", "arrived") else whole

    monkeypatch.setattr(gift_cards, "_orders", Breaking(shop.orders))
    monkeypatch.setattr(gift_cards, "_payments", Breaking(shop.payments))
    await trade.puts(card, 2)
    order_id = await buys(trade, gift_to={"email": GRAN})
    assert len(await codes(trade, 2)) == 2

    async def arrived():
        return (await seen(trade, order_id))["status"] == "delivered" and len(broken) == 3

    await until(arrived, 30)
    assert await db.fetchval("select count(*) from payments.sold_gift_card") == 2
    assert await laws(db) == []


async def refunds(trade, order_id, **ask):
    """Ask for money back as an operator; `units` are of the first line."""
    line = (await seen(trade, order_id))["lines"][0]["order_line_id"]
    if units := ask.pop("units", 0):
        ask["lines"] = [{"order_line_id": line, "quantity": units}]
    path = f"{PREFIX}/operator/orders/{order_id}/refunds"
    headers = {"idempotency-key": ask.pop("key", "") or new_key()}
    return await trade.olga.http.post(path, json=ask | {"reason": "Changed their mind"}, headers=headers)


async def sold(trade, order_id):
    return await trade.house.shop.payments.sold_of(ids.parse(ids.OrderId, order_id))


async def spends(trade, code):
    """Buy something for ten with a gift card."""
    await trade.puts(await trade.lists(trade.bob, price=10))
    await trade.ann.api("POST", "/cart/gift-cards", 200, {"code": code})
    return await buys(trade)


async def test_nobody_gets_money_for_a_card_of_which_something_is_spent(trade, card, db):
    await trade.puts(card, 2)
    order_id = await buys(trade, gift_to={"email": GRAN})
    first, second = await codes(trade, 2)
    await spends(trade, first)
    refused = await refunds(trade, order_id, units=2)
    assert (refused.status_code, refused.json()["code"]) == (409, "gift_card_spent"), refused.text
    assert [each.is_void for each in await sold(trade, order_id)] == [False, False]
    held = await trade.ann.http.post(f"{PREFIX}/cart/gift-cards", json={"code": second})
    assert held.status_code == 200, "who was refused stops no card"
    paid = await refunds(trade, order_id, units=1)
    assert paid.status_code == 201, paid.text
    left = [each for each in await sold(trade, order_id) if not each.is_void]
    assert [each.balance < 2_500 for each in left] == [True], "the whole one was taken with the money"
    again = await refunds(trade, order_id, units=1)
    assert (again.status_code, again.json()["code"]) == (409, "gift_card_spent")
    assert await laws(db) == []


async def test_an_amount_leaves_what_gift_cards_cost(trade, card, db):
    await trade.puts(card)
    order_id = await buys(trade)
    await codes(trade, 1, "ann@example.com")
    refused = await refunds(trade, order_id, amount=1)
    assert (refused.status_code, refused.json()["code"], refused.json()["left"]) == (
        409,
        "exceeds_captured",
        0,
    )
    await trade.puts(card)
    await trade.puts(await trade.lists(trade.bob, price=10))
    mixed = await buys(trade)

    async def made():
        return len(await sold(trade, mixed)) == 1

    await until(made, 30)
    total = (await seen(trade, mixed))["total"]
    assert (await refunds(trade, mixed, amount=round(total - 25, 2))).status_code == 201
    assert (await refunds(trade, mixed, amount=1)).status_code == 409
    [line] = [each for each in (await seen(trade, mixed))["lines"] if each["unit_price"] == 25]
    ask = {"lines": [{"order_line_id": line["order_line_id"], "quantity": 1}]}
    paid = await refunds(trade, mixed, **ask)
    assert (paid.status_code, paid.json()["amount"]) == (201, 25.0), paid.text
    assert await laws(db) == []


async def test_a_card_is_spent_or_paid_back_never_both(trade, card, db):
    """Who spends and who pays back at once: one of the two."""
    for _ in range(3):
        await trade.puts(card)
        order_id = await buys(trade, gift_to={"email": GRAN})

        async def made(order_id=order_id):
            return len(await sold(trade, order_id)) == 1

        await until(made, 30)
        [only] = await sold(trade, order_id)
        code = code_of(trade.house.shop.settings, only.gift_card_id)
        await trade.puts(await trade.lists(trade.bob, price=10))
        await trade.ann.http.post(f"{PREFIX}/cart/gift-cards", json={"code": code})
        known = await trade.ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"})
        way = {
            "shipping_address_id": await trade.lives(region="MA"),
            "payment_method_id": known["payment_method_id"],
            "shipping_method": "standard",
        }
        headers = {"idempotency-key": new_key()}
        bought, paid = await asyncio.gather(
            trade.ann.http.post(f"{PREFIX}/orders/checkout", json=way, headers=headers),
            refunds(trade, order_id, units=1),
        )
        [now] = await sold(trade, order_id)
        assert now.is_void == (paid.status_code == 201), paid.text
        if bought.status_code == 201:
            tenders = (await seen(trade, bought.json()["order_id"]))["payments"]
            assert not (now.is_void and any(each["kind"] == "gift_card" for each in tenders))
        for each in (await trade.ann.api("GET", "/cart", 200))["items"]:
            await trade.ann.http.delete(f"{PREFIX}/cart/items/{each['offer_id']}")
        await trade.ann.http.delete(f"{PREFIX}/cart/gift-cards/{only.gift_card_id}")
    assert await laws(db) == []


@pytest.mark.parametrize("step", ["stop_sold", "move_units", "refund"])
async def test_a_refund_that_breaks_off_is_carried_on_and_pays_once(trade, card, db, monkeypatch, step):
    await trade.puts(card)
    order_id = await buys(trade, gift_to={"email": GRAN})
    await codes(trade, 1)
    back, died = trade.house.shop.checkout.money_back, []

    class Breaking:
        def __init__(self, real):
            self._real = real

        def __getattr__(self, name):
            whole = getattr(self._real, name)

            async def once(*given, **named):
                answer = await whole(*given, **named)
                if not died:
                    died.append(name)
                    raise ConnectionError(f"died after {name}")
                return answer

            return once if name == step else whole

    monkeypatch.setattr(back, "_orders", Breaking(back._orders))
    monkeypatch.setattr(back, "_payments", Breaking(back._payments))
    answer = await refunds(trade, order_id, units=1, key="k1")
    assert answer.status_code >= 500
    assert died == [step]
    again = await refunds(trade, order_id, units=1, key="k1")
    assert again.status_code == 201, again.text
    [only] = await sold(trade, order_id)
    assert (only.is_void, only.balance) == (True, 0)
    assert await db.fetchval("select count(*) from payments.value_movement where kind = 'voided'") == 1
    assert await db.fetchval("select count(*) from payments.refund") == 1
    assert await laws(db) == []


async def test_the_desk_pays_back_whole_cards_and_says_which_are_spent(trade, card, db):
    await trade.puts(card, 2)
    order_id = await buys(trade, gift_to={"email": GRAN})
    first, _ = await codes(trade, 2)
    await spends(trade, first)
    at = f"/operator/orders/{order_id}"
    page = await trade.olga.http.get(at)
    assert "1 is whole, of 1 something is spent" in page.text
    line = (await seen(trade, order_id))["lines"][0]["order_line_id"]
    form = f"{at}/refund-gift-cards"
    said = await trade.olga.send(at, form, 422, line=line, units="2", reason="Sorry", key="a1")
    assert "is spent, wholly or in part" in said
    await trade.olga.send(at, form, 200, line=line, units="1", reason="Sorry", key="a2")
    assert [each.is_void for each in await sold(trade, order_id)].count(True) == 1
    assert await laws(db) == []


async def test_on_invoices_a_card_has_no_tax_and_pays_what_it_does_not_reduce(trade, card, db):
    """A multi-purpose voucher (2006/112/EC art. 30b): tax is on what is bought with it."""
    vienna = await trade.ann.api("POST", "/addresses", 201, WIEN)
    known = await trade.ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"})

    async def buys_in_vienna():
        way = {
            "shipping_address_id": vienna["address_id"],
            "payment_method_id": known["payment_method_id"],
            "shipping_method": "standard",
        }
        headers = {"idempotency-key": new_key()}
        answer = await trade.ann.http.post(f"{PREFIX}/orders/checkout", json=way, headers=headers)
        assert answer.status_code == 201, answer.text
        return await seen(trade, answer.json()["order_id"])

    async def invoice(order_id):
        answer = await trade.ann.http.get(f"{PREFIX}/orders/{order_id}/invoice")
        assert answer.status_code == 200, answer.text
        [page] = pages_of(answer.content)
        return page

    await trade.puts(card)
    sale = await buys_in_vienna()
    assert (sale["tax"], sale["total"]) == (0, 25.0)
    page = await invoice(sale["order_id"])
    assert after(page, "Tax") == ["$0.00"]
    assert "was paid by" not in page
    [code] = await codes(trade, 1, "ann@example.com")
    await trade.puts(await trade.lists(trade.bob, price=30))
    await trade.ann.api("POST", "/cart/gift-cards", 200, {"code": code})
    spent = await buys_in_vienna()
    assert spent["discount"] == 0
    assert spent["tax"] > 4.9, "a fifth on top of goods and delivery is within the whole price"
    page = await invoice(spent["order_id"])
    assert "Discount" not in page
    assert after(page, "Tax") == [f"${spent['tax']:.2f}"]
    assert f"${spent['total']:.2f}" in page
    assert "$25.00 was paid by gift card" in page
    assert await laws(db) == []


async def test_a_gift_card_is_not_sent_back(trade, card):
    await trade.puts(card, 1)
    order_id = await buys(trade)
    await codes(trade, 1, "ann@example.com")

    async def arrived():
        return (await seen(trade, order_id))["status"] == "delivered"

    await until(arrived, 30)
    line = (await seen(trade, order_id))["lines"][0]["order_line_id"]
    ask = {"lines": [{"order_line_id": line, "quantity": 1}], "reason": "not_needed"}
    refused = await trade.ann.http.post(f"{PREFIX}/orders/{order_id}/returns", json=ask)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_returnable")


async def test_promotions_take_nothing_off_a_gift_card(trade, card):
    everything = {"name": "Half", "then": {"percent": 50}}
    await trade.olga.api("POST", "/operator/promotions", 201, everything)
    await trade.puts(card)
    product_id = (await trade.ann.api("GET", "/cart", 200))["items"][0]["product_id"]
    assert "50% off" not in await trade.ann.page(f"/p/{product_id}")
    await trade.puts(await trade.lists(trade.bob, price=10))
    assert (await trade.ann.api("GET", "/cart", 200))["discount"] == 5.0


async def test_a_class_makes_no_money_of_what_others_sell(trade, db):
    mine = await trade.lists(trade.bob, title="Money", price=25, tax_class="gift_card")
    await trade.puts(mine)
    quote = await trade.quote(await trade.lives(region="MA"))
    assert quote["tax"] > 0
    assert "Who gets the gift card?" not in await trade.ann.page("/checkout")
    product_id = (await trade.ann.api("GET", "/cart", 200))["items"][0]["product_id"]
    assert "MerchantReturnPolicy" in await trade.ann.page(f"/p/{product_id}")
    order_id = await buys(trade, gift_to={"email": GRAN})
    assert (await seen(trade, order_id))["status"] == "confirmed"
    assert await db.fetchval("select count(*) from payments.sold_gift_card") == 0


async def test_the_shop_alone_sells_gift_cards_that_are_money(trade, card):
    sellers = trade.house.shop.sellers
    own, bob = await sellers.own(), await sellers.named("Bob's")
    assert await issuers(sellers, [bob, own, bob]) == {own}
    assert await issuers(sellers, [bob]) == frozenset()


@one_scene(
    ("given", "pointer"),
    [
        ({"email": "nobody"}, "/gift_to/email"),
        ({"email": GRAN, "message": "x" * 501}, "/gift_to/message"),
        ({"email": GRAN, "message": "\u202e"}, "/gift_to/message"),
        ({}, "/gift_to/email"),
    ],
)
async def test_to_whom_it_goes_is_checked(trade, card, given, pointer):
    await trade.puts(card)
    way = {"shipping_address_id": await trade.lives(), "shipping_method": "standard", "gift_to": given}
    headers = {"idempotency-key": new_key()}
    refused = await trade.ann.http.post(f"{PREFIX}/orders/checkout", json=way, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["pointer"].startswith(pointer.rpartition("/")[0])


async def test_a_page_asks_to_whom_it_goes_and_remembers_it(trade, card):
    await trade.lives(region="MA")
    await trade.puts(card)
    product_id = (await trade.ann.api("GET", "/cart", 200))["items"][0]["product_id"]
    facts = await trade.ann.page(f"/p/{product_id}")
    assert "By e-mail, as soon as it is paid" in facts
    assert not any(each in facts for each in ("plus tax", "Standard delivery", "until it ships"))
    assert "MerchantReturnPolicy" not in facts
    page = await trade.ann.page("/checkout")
    assert "Who gets the gift card?" in page
    sent = {"gift_email": GRAN, "gift_name": "Gran", "gift_message": "For you"}
    refused = await trade.ann.send("/checkout", "/checkout", 422, **sent, method="standard", card="tok_x")
    assert GRAN in refused
    for name in ("address", "method"):
        found = re.search(rf'name="{name}" value="(\w+)"', page)
        assert found, name
        sent[name] = found[1]
    sent["card"] = "tok_visa"
    assert "Thank you" in await trade.ann.send("/checkout", "/checkout", 200, **sent)
    assert len(await codes(trade, 1)) == 1
