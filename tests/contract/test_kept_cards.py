"""Cards through the doors of a shop with Stripe: what is kept works again, what is not works once, and the
page with Stripe's own field is the only one that lets Stripe in."""

import re
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest
from scene import Scene

from mercat import app
from mercat.accounts import NewPerson
from mercat.app import build_shop
from mercat.inventory import Line
from mercat.lab.bench.stripe_double import StripeDouble
from mercat.settings import Secret
from mercat.web.routes import PREFIX

HOME = {
    "name": "Ann",
    "line1": "1 Lane",
    "city": "Boston",
    "region": "MA",
    "postal_code": "02110",
    "country": "US",
}
OURS = {"sec-fetch-site": "same-origin"}


class Shop:
    """A shop with Stripe, and browsers that come to it."""

    def __init__(self, scene, door, double, stack):
        self.scene, self.door, self.double, self._stack = scene, door, double, stack

    async def comes(self, name=""):
        """A guest, or a member of that name, with two tins of tea in the cart."""
        browser = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.door, raise_app_exceptions=False),
            base_url="http://shop",
            headers=OURS,
        )
        await self._stack.enter_async_context(browser)
        if name:
            person = NewPerson(f"{name}@example.com", "mercat-test", name)
            await self.scene.shop.accounts.register(person)
            said = await browser.post(
                f"{PREFIX}/sessions", json={"email": person.email, "password": person.password}
            )
        else:
            said = await browser.post(f"{PREFIX}/sessions/guest")
        assert said.status_code == 201
        await self.fills_the_cart(browser)
        return browser

    async def fills_the_cart(self, browser):
        item = {"offer_id": str(self.scene.tea), "quantity": 2}
        assert (await browser.post(f"{PREFIX}/cart/items", json=item)).status_code == 200

    async def buys(self, browser, card):
        """Over the API, with a way to pay that is kept."""
        made = await browser.post(f"{PREFIX}/addresses", json=HOME)
        ask = {
            "shipping_address_id": made.json()["address_id"],
            "payment_method_id": card,
            "shipping_method": "standard",
            "email": "guest@example.com",
        }
        key = {"idempotency-key": made.json()["address_id"]}
        return await browser.post(f"{PREFIX}/orders/checkout", json=ask, headers=key)

    async def keeps(self, browser, token):
        return await browser.post(f"{PREFIX}/payment-methods", json={"token": token})

    async def kept(self, browser):
        return (await browser.get(f"{PREFIX}/payment-methods")).json()["payment_methods"]

    async def presses(self, browser, card, **more):
        """The page's form with this card, and the answer to it."""
        page = (await browser.get("/checkout")).text
        form = HOME | {"email": "guest@example.com", "method": "standard", "address": "", "card": card}
        form |= {name: _hidden(page, name) for name in ("csrf", "key")}
        form |= {"seen_total": "2624"} | more
        return await browser.post("/checkout", data=form)


def _hidden(page, name):
    return re.findall(rf'name="{name}" value="([^"]*)"', page)[0]


def _offered(page):
    """The ways to pay on the page: its value, and whether it is chosen."""
    return dict(re.findall(r'name="card" value="([^"]*)" required( checked)?', page))


@pytest.fixture
async def shop(settings, db):
    double = StripeDouble()
    async with double.serving() as url, AsyncExitStack() as stack:
        told = msgspec.structs.replace(
            settings,
            payment_provider="stripe",
            variables={
                "stripe_key": Secret("sk_live_double"),
                "stripe_publishable_key": Secret("pk_live_double"),
                "stripe_url": Secret(url),
            },
        )
        scene = await Scene(await build_shop(told, stack), db).open()
        await scene.shop.inventory.receive("more", [Line(scene.tea, 100)], scene.seller)
        yield Shop(scene, await app.public_app(scene.shop), double, stack)


async def test_what_a_member_keeps_works_again_and_again(shop):
    ann = await shop.comes("ann")
    token = shop.double.card()
    made = [await shop.keeps(ann, token) for _ in range(2)]
    assert {answer.status_code for answer in made} == {201}
    [card] = {answer.json()["payment_method_id"] for answer in made}
    [kept] = await shop.kept(ann)
    assert (kept["brand"], kept["last4"], kept["label"]) == ("Visa", "4242", "Visa ending in 4242")
    for _ in range(2):
        assert (await shop.buys(ann, card)).status_code == 201
        await shop.fills_the_cart(ann)
    assert len(shop.double.captured()) == 2
    await shop.scene.settled()


async def test_a_guests_card_is_for_one_purchase(shop):
    guest = await shop.comes()
    card = (await shop.keeps(guest, shop.double.card())).json()["payment_method_id"]
    assert await shop.kept(guest) == []
    assert (await shop.buys(guest, card)).status_code == 201
    await shop.fills_the_cart(guest)
    again = await shop.buys(guest, card)
    assert (again.status_code, again.json()["reason"]) == (402, "card_used_up")
    assert shop.double.customers == {}
    assert len(shop.double.captured()) == 1
    await shop.scene.settled()


async def test_a_card_that_stripe_does_not_take_is_refused_as_a_bad_token_is(shop):
    ann = await shop.comes("ann")
    tokens = ["tok_visa", "4242424242424242", "pm_nobodys", shop.double.card("pm_card_insufficient")]
    for token in tokens:
        no = await shop.keeps(ann, token)
        assert no.status_code == 422
        assert (no.json()["code"], no.json()["pointer"]) == ("invalid", "/token")
    assert not [path for _, path, *_ in shop.double.asked if "4242" in path], "a number goes nowhere"
    assert await shop.kept(ann) == []


async def test_while_stripe_is_away_no_card_is_kept_and_later_it_is(shop):
    ann, token = await shop.comes("ann"), shop.double.card()
    shop.double.faults = ["cut"]
    assert (await shop.keeps(ann, token)).status_code == 503
    assert (await shop.keeps(ann, token)).status_code == 201


async def test_many_cards_of_one_purchase_fill_nobodys_account(shop):
    guest = await shop.comes()
    made = [await shop.keeps(guest, shop.double.card()) for _ in range(52)]
    assert {answer.status_code for answer in made} == {201}


# -- the page


async def test_a_member_keeps_the_card_only_where_they_say_so(shop):
    ann = await shop.comes("ann")
    done = await shop.presses(ann, f"new:{shop.double.card()}")
    assert (done.status_code, await shop.kept(ann)) == (303, [])
    await shop.fills_the_cart(ann)
    done = await shop.presses(ann, f"new:{shop.double.card()}", keep="yes")
    assert done.status_code == 303
    [card] = await shop.kept(ann)
    await shop.fills_the_cart(ann)
    assert _offered((await ann.get("/checkout")).text) == {card["payment_method_id"]: " checked", "new:": ""}
    assert (await shop.presses(ann, card["payment_method_id"])).status_code == 303
    assert len(shop.double.captured()) == 3
    assert "Visa ending in 4242" in (await ann.get("/account")).text
    await shop.scene.settled()


async def test_what_was_entered_is_offered_until_it_was_tried(shop):
    guest = await shop.comes()
    token = shop.double.card("pm_card_chargeDeclined")
    wrong = await shop.presses(guest, f"new:{token}", email="nobody")
    assert wrong.status_code == 422
    assert _offered(wrong.text) == {f"new:{token}": " checked", "new:": ""}
    changed = await shop.presses(guest, f"new:{token}", seen_total="1")
    assert changed.status_code == 409
    assert _offered(changed.text) == {f"new:{token}": " checked", "new:": ""}
    declined = await shop.presses(guest, f"new:{token}")
    assert declined.status_code == 402
    assert "Nothing was charged." in declined.text
    assert _offered(declined.text) == {"new:": " checked"}
    done = await shop.presses(guest, f"new:{shop.double.card()}")
    assert done.status_code == 303
    await shop.scene.settled()


@pytest.mark.parametrize("card", ["new:", "new:pm_nobodys", "new:4242424242424242"])
async def test_a_card_that_cannot_be_kept_is_said_beside_the_field(shop, card):
    ann = await shop.comes("ann")
    no = await shop.presses(ann, card, keep="yes")
    assert no.status_code == 422
    assert re.search(r'id="w-card">[^<]+ Nothing was charged\.<', no.text)
    assert _offered(no.text) == {"new:": " checked"}
    assert "4242424242424242" not in no.text


async def test_one_page_lets_stripe_in_and_no_other(shop):
    guest = await shop.comes()
    page = await guest.get("/checkout")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["script-src"] == "'self' https://js.stripe.com https://*.js.stripe.com"
    assert policy["connect-src"] == "'self' https://api.stripe.com"
    assert policy["frame-src"] == "https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com"
    assert policy["object-src"] == "'none'"
    assert 'data-key="pk_live_double"' in page.text
    assert "sandbox" not in page.text
    for path in ("/", "/cart", "/orders", "/help", f"{PREFIX}/cart"):
        other = await guest.get(path)
        assert "stripe.com" not in other.headers["content-security-policy"] + other.text
        assert "no real card" not in other.text
