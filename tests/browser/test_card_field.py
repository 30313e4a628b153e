"""The checkout page of a shop with live keys, where a new card is typed into Stripe's own field. Stripe is a
double; what browsers fetch from its addresses is answered by the stub below."""

import asyncio
import re
import threading
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
from browser.conftest import DESK, PHONE
from browser.steps import TOTAL_IS_NEW, fill_in, press_until_ordered, sign_in
from playwright.sync_api import expect
from scene import Scene

from mercat.inventory import Line
from mercat.lab.bench.shop import serving, staff
from mercat.lab.bench.stripe_double import StripeDouble

STRIPE_JS = """
window.Stripe = (key) => {
  let frame;
  const card = {
    mount(place) {
      frame = document.createElement("iframe");
      frame.src = "https://js.stripe.com/v3/field.html";
      frame.title = "Secure card payment input frame";
      frame.width = "100%";
      frame.height = "20";
      frame.setAttribute("frameborder", "0");
      place.append(frame);
    },
    on() {},
    focus() { frame.focus(); },
  };
  return {
    elements: () => ({ create: () => card }),
    createPaymentMethod: async () => {
      const body = new URLSearchParams({ key });
      const answer = await fetch("https://api.stripe.com/v1/payment_methods", { method: "POST", body });
      const made = await answer.json();
      return made.error ? made : { paymentMethod: made };
    },
  };
};
"""
FIELD = """<!doctype html><html lang="en"><title>Card</title>
<style>
  body { margin: 0; display: flex; font: 16px/20px sans-serif; background: none }
  input { border: 0; padding: 0; font: inherit; background: none; min-width: 0; outline: none }
</style>
<input aria-label="Card number" placeholder="Card number">
<input aria-label="Expiry and security code" placeholder="MM / YY CVC">
"""
HELD = "held"


class StripesSite:
    """What a browser finds at Stripe's addresses. `typed`: what stands in the field at the next presses: the
    test card it behaves as, or words that Stripe says of it."""

    def __init__(self, double, context):
        self._double = double
        self.typed, self.asked, self.held = [], [], []
        context.route("https://js.stripe.com/**", self._script)
        context.route("https://api.stripe.com/**", self._token)
        context.route("https://hooks.stripe.com/**", self._bank)

    def _script(self, route):
        script = route.request.url == "https://js.stripe.com/v3/"
        self.asked.append(route.request.url)
        route.fulfill(
            content_type="text/javascript" if script else "text/html", body=STRIPE_JS if script else FIELD
        )

    def _token(self, route):
        self.asked.append(route.request.url)
        assert route.request.post_data == "key=pk_live_double"
        typed = self.typed.pop(0) if self.typed else "pm_card_visa"
        if typed == HELD:
            self.held.append(route)
        else:
            self.answer(route, typed)

    def answer(self, route, typed="pm_card_visa"):
        known = typed.startswith("pm_")
        body = {"id": self._double.card(typed)} if known else {"error": {"message": typed}}
        route.fulfill(json=body, headers={"access-control-allow-origin": "*"})

    def _bank(self, route):
        """The bank asks, and the shopper says yes or no (`typed`) and is sent back."""
        intent = self._double.intents[urlsplit(route.request.url).path.rsplit("/", 1)[1]]
        back = intent["next_action"]["redirect_to_url"]["return_url"]
        self._double.authenticate(intent["id"], ok=self.typed.pop(0) == "yes")
        route.fulfill(status=302, headers={"location": back})

    def tokens(self):
        return [url for url in self.asked if url.startswith("https://api.stripe.com/")]


@pytest.fixture(scope="module")
def till(tmp_path_factory):
    """A shop with Stripe in a thread of its own: browsers have this one's event loop."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    folder, stack = tmp_path_factory.mktemp("shop"), AsyncExitStack()
    folder.chmod(0o755)
    folder.parent.chmod(0o755)

    async def open_shop():
        double = StripeDouble()
        more = {
            "MERCAT_PAYMENT_PROVIDER": "stripe",
            "MERCAT_STRIPE_KEY": "sk_live_double",
            "MERCAT_STRIPE_PUBLISHABLE_KEY": "pk_live_double",
            "MERCAT_STRIPE_URL": await stack.enter_async_context(double.serving()),
        }
        connection = await stack.enter_async_context(serving(folder, workers=1, more=more))
        async with staff(connection, more) as shop:
            scene = await Scene(shop, None).open()
            await shop.inventory.receive("more", [Line(scene.tea, 100)], scene.seller)
            offers = await shop.catalog.offers([scene.tea])
        return double, connection, offers[scene.tea].product_id

    def run(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(120)

    try:
        yield run(open_shop())
    finally:
        run(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)


@pytest.fixture
def come(till, browser):
    """Somebody new with tea in the cart: their page, and Stripe's site as they find it."""
    double, connection, tea = till
    contexts = []

    def come(width=DESK, *, scripts=True, member=None):
        context = browser.new_context(
            base_url=f"http://127.0.0.1:{connection.port}",
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        site = StripesSite(double, context)
        page = context.new_page()
        page.said = []
        page.on("console", lambda told: page.said.append(told.text) if "Policy" in told.text else None)
        page.on("pageerror", lambda error: page.said.append(str(error)))
        if member:
            account = {"email": f"{member}@example.com", "password": "mercat-test", "name": member}
            assert page.request.post("/api/v1/accounts", data=account).status == 201
            sign_in(page, member, password="mercat-test")
        fill_the_cart(page, tea)
        return page, site

    yield come
    for context in contexts:
        context.close()


def fill_the_cart(page, tea):
    page.goto(f"/p/{tea}")
    page.locator(".tocart button").click()
    if page.evaluate("document.documentElement.classList.contains('js')"):
        expect(page.locator("#added")).to_contain_text("Added to your cart")
    else:
        page.wait_for_url("**/cart")


def orders(page):
    page.goto("/orders")
    return page.locator("main .orderline")


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_guest_types_a_card_and_buys(come, faults, width):
    page, site = come(width)
    assert site.asked == [], "no other page asks Stripe for anything"
    page.goto("/checkout")
    fill_in(page)
    expect(page.locator("#card-field iframe")).to_be_visible()
    assert faults(page) == []
    expect(page.locator("main")).not_to_contain_text("test")
    press_until_ordered(page)
    expect(page.get_by_text("Thank you. Your order is confirmed.")).to_be_visible()
    assert len(site.tokens()) == 1, "a total that changed asks for no card again"
    assert page.said == []


def test_one_press_is_one_order(come):
    page, site = come()
    page.goto("/checkout")
    fill_in(page)
    site.typed = [HELD]
    sent = []
    page.on("request", lambda asked: sent.append(asked.method + urlsplit(asked.url).path))
    button = page.locator("#due button")
    button.dblclick(no_wait_after=True)
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("aria-busy", "true")
    page.get_by_label("City").press("Enter")
    expect(button).to_have_text(re.compile("Placing your order"), use_inner_text=True)
    assert "POST/checkout" not in sent
    [held] = site.held
    site.answer(held)
    expect(page.locator("#refused, .way").first).to_be_visible()
    assert (sent.count("POST/checkout"), len(site.tokens())) == (1, 1)


def test_what_stripe_says_of_a_card_stands_beside_it_and_nothing_is_lost(come):
    page, site = come(PHONE)
    page.goto("/checkout")
    fill_in(page)
    site.typed = ["Your card number is incomplete.", "Your card has expired."]
    for words in list(site.typed):
        page.locator("#due button").click()
        expect(page.locator("#card-wrong[role=alert]")).to_have_text(f"{words} Nothing was charged.")
        expect(page.locator("#due button")).to_be_enabled()
    expect(page.get_by_label("City")).to_have_value("Springfield")
    press_until_ordered(page)
    expect(orders(page)).to_have_count(1)


def test_a_card_that_the_bank_declines_is_typed_anew(come):
    page, site = come()
    page.goto("/checkout")
    fill_in(page)
    site.typed = ["pm_card_insufficient"]
    page.locator("#due button").click()
    refused = page.locator("#refused")
    expect(refused).to_be_visible()
    if page.get_by_text(TOTAL_IS_NEW).count():
        expect(page.get_by_label("The card you entered")).to_be_checked()
        page.locator("#due button").click()
    expect(refused).to_contain_text("not enough money on this card")
    expect(refused).to_contain_text("Nothing was charged.")
    expect(page.locator("#card-field iframe")).to_be_visible()
    page.locator("#due button").click()
    page.wait_for_url(re.compile(r"/orders/ord_"))
    expect(orders(page)).to_have_count(1)


@pytest.mark.parametrize("says", ["yes", "no"])
def test_the_bank_may_ask_first(come, says):
    page, site = come(PHONE)
    page.goto("/checkout")
    fill_in(page)
    site.typed = ["pm_card_authenticationRequired", says]
    page.locator("#due button").click()
    expect(page.locator("#refused, #pending").first).to_be_visible()
    if page.get_by_text(TOTAL_IS_NEW).count():
        page.locator("#due button").click()
    page.get_by_role("link", name="Continue at your bank").click()
    if says == "yes":
        expect(page.get_by_text("Thank you. Your order is confirmed.")).to_be_visible()
    else:
        expect(page.locator("#refused")).to_contain_text("did not approve")
        expect(page.locator("#card-field iframe")).to_be_visible()
    expect(orders(page)).to_have_count(1 if says == "yes" else 0)


def test_a_card_that_a_member_keeps_is_there_next_time_and_when_stripe_is_not(come, till, faults):
    double, _, tea = till
    page, site = come(member="ann")
    page.goto("/checkout")
    fill_in(page, None)
    page.get_by_label("Keep this card for next time").check()
    press_until_ordered(page)
    fill_the_cart(page, tea)
    page.context.route("https://js.stripe.com/**", lambda route: route.abort())
    page.goto("/checkout")
    alert = page.locator("#card-wrong")
    expect(alert).to_contain_text("could not be loaded")
    expect(alert).to_contain_text("pay with a card above")
    expect(page.get_by_label("Another card")).to_be_disabled()
    expect(page.get_by_label("Visa ending in 4242")).to_be_checked()
    assert faults(page) == []
    press_until_ordered(page)
    expect(orders(page)).to_have_count(2)
    assert len(double.customers) == 1
    assert len(site.tokens()) == 1


def test_where_stripe_cannot_be_reached_nothing_is_sent_and_it_says_so(come):
    page, _ = come(PHONE)
    page.context.route("https://js.stripe.com/**", lambda route: route.abort())
    page.goto("/checkout")
    fill_in(page)
    alert = page.locator("#card-wrong")
    expect(alert).to_contain_text("Load this page again")
    page.locator("#due button").click()
    expect(alert).to_contain_text("Nothing was charged.")
    expect(page.locator("#due button")).to_be_enabled()
    assert page.url.endswith("/checkout")
    expect(page.get_by_label("City")).to_have_value("Springfield")


def test_without_scripts_it_says_that_a_card_needs_them(come):
    page, site = come(scripts=False)
    page.goto("/checkout")
    expect(page.get_by_text("A new card needs JavaScript")).to_be_visible()
    expect(page.locator("#newcard")).to_be_hidden()
    fill_in(page)
    page.locator("#due button").click()
    expect(page.locator("#w-card")).to_contain_text("The card did not come through.")
    expect(orders(page)).to_have_count(0)
    assert site.asked == []
