"""The operator finds somebody and keeps them out, hides a product, and sees why an order is as it is."""

import uuid

from browser.conftest import PHONE
from browser.steps import fill_in, press_until_ordered, put_in_cart, sign_in
from playwright.sync_api import expect


def joins(page, name):
    """Somebody new has an account; their e-mail address."""
    email = f"{uuid.uuid4().hex}@example.com"
    account = {"email": email, "password": "correct horse", "name": name}
    assert page.request.post("/api/v1/accounts", data=account).status == 201
    return email


def test_an_operator_keeps_somebody_out_by_keyboard_on_a_phone(visit, faults):
    olga, name = visit(PHONE), "Wolfeschlegelsteinhausenbergerdorff" * 3
    sign_in(olga, "ops", "/operator/people")
    email = joins(visit(), name)
    olga.get_by_label("Name, e-mail or user id").fill(email)
    olga.keyboard.press("Enter")
    olga.get_by_role("link", name=name).focus()
    olga.keyboard.press("Enter")
    olga.wait_for_url("**/operator/people/usr_*")
    assert faults(olga) == []
    olga.locator("summary", has_text="Disable").focus()
    olga.keyboard.press("Enter")
    olga.get_by_role("button", name="Disable").focus()
    olga.keyboard.press("Enter")
    expect(olga.locator("main .notice")).to_contain_text("They are out")
    expect(olga.locator("main .badge").first).to_have_text("Disabled")
    assert faults(olga) == []

    out = visit()
    out.goto("/signin")
    out.get_by_label("E-mail").fill(email)
    out.get_by_label("Password").fill("correct horse")
    out.get_by_role("button", name="Sign in").click()
    expect(out.locator("#refused")).to_contain_text("disabled")

    olga.get_by_role("button", name="Let them in again").click()
    expect(olga.locator("main .notice")).to_contain_text("can sign in again")


def test_a_hidden_product_is_gone_and_comes_back(visit, faults):
    olga, shopper = visit(), visit()
    sign_in(olga, "ops", "/operator/products")
    row = olga.locator("tbody tr", has=olga.locator(".badge", has_text="On sale")).last
    row.locator("a[href^='/operator/products/prod_']").click()
    olga.wait_for_url("**/operator/products/prod_*")
    at = f"/p/{olga.url.rsplit('/', 1)[1]}"
    olga.locator("summary", has_text="Hide").click()
    olga.get_by_role("button", name="Hide it").click()
    olga.get_by_label("Why").fill("It was recalled by its maker.")
    olga.get_by_role("button", name="Hide it").click()
    expect(olga.get_by_text("It was recalled by its maker.")).to_be_visible()
    assert faults(olga) == []
    assert shopper.goto(at).status == 410
    olga.get_by_role("button", name="Show it again").click()
    expect(olga.locator("main .notice")).to_contain_text("on sale again")
    assert shopper.goto(at).status == 200


def test_an_order_says_why_and_takes_a_note(visit, faults):
    ann, olga = visit(), visit(PHONE)
    sign_in(ann, "ann")
    put_in_cart(ann)
    ann.goto("/checkout")
    if ann.locator("#address-new").count():
        ann.locator("label:has(#address-new)").click()
    fill_in(ann, None)
    order_id = press_until_ordered(ann)
    sign_in(olga, "ops", f"/operator/orders/{order_id}")
    expect(olga.locator(".way li").first).to_contain_text("An order stands once it is paid")
    olga.get_by_label("A note for other operators").fill("She calls at five.")
    olga.get_by_role("button", name="Add the note").click()
    expect(olga.locator("#h-notes ~ ul")).to_contain_text("She calls at five.")
    assert faults(olga) == []
