"""Find, buy, follow: as people do it, with whatever they do it with."""

import re

import pytest
from browser.conftest import DESK, PHONE
from browser.steps import (
    TOTAL_IS_NEW,
    choose_card,
    fill_in,
    open_a_product,
    press,
    press_until_ordered,
    put_in_cart,
    sign_in,
)
from playwright.sync_api import expect


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_guest_finds_buys_and_follows(visit, width):
    page = visit(width)
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    title = put_in_cart(page)
    expect(page.locator("#badge .pill")).to_contain_text("1")
    page.get_by_role("link", name="Check out").first.click()
    page.wait_for_url("**/checkout")
    fill_in(page)
    order_id = press_until_ordered(page)
    expect(page.get_by_text("Thank you. Your order is confirmed.")).to_be_visible()
    expect(page.locator("main")).to_contain_text(title)
    expect(page.locator(".way").first).to_contain_text("Ordered and paid")
    page.goto("/orders")
    page.locator(f"a[href='/orders/{order_id}']").click()
    expect(page.locator("main")).to_contain_text(re.compile(r"M-\d+"))
    expect(page.locator("#badge .pill")).to_have_count(0)


def test_everything_works_without_scripts(visit):
    page = visit(scripts=False)
    page.goto("/")
    page.get_by_role("searchbox").fill("a")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/search?q=a")
    page.goto("/search?stock=1&sort=rating")
    page.locator("#results .card a").first.click()
    title = page.get_by_role("heading", level=1).inner_text()
    page.get_by_label("Quantity").fill("2")
    page.locator(".tocart button").click()
    page.wait_for_url("**/cart")
    expect(page.locator("main")).to_contain_text(title)
    quantity = page.get_by_label(f"Quantity of {title}")
    expect(quantity).to_have_value("2")
    quantity.fill("1")
    page.get_by_role("button", name="Update").click()
    expect(page.get_by_label(f"Quantity of {title}")).to_have_value("1")
    page.get_by_role("link", name="Check out").click()
    fill_in(page)
    press_until_ordered(page)
    expect(page.get_by_text("Thank you. Your order is confirmed.")).to_be_visible()


def test_the_keyboard_is_enough(visit):
    page = visit()
    open_a_product(page)

    def tab_to(selector: str) -> None:
        for _ in range(120):
            page.keyboard.press("Tab")
            if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"Tab never comes to {selector}")

    page.goto(page.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    tab_to(".tocart button")
    page.keyboard.press("Enter")
    expect(page.locator("#added")).to_contain_text("Added to your cart")
    tab_to("#added a[href='/checkout']")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "what has the focus must show it"
    page.keyboard.press("Enter")
    page.wait_for_url("**/checkout")
    answers = [
        ("email", "keys@example.com"),
        ("name", "Ann Porter"),
        ("line1", "14 Mill Lane"),
        ("postal_code", "62701"),
        ("city", "Springfield"),
        ("region", "IL"),
    ]
    for field, value in answers:
        tab_to(f"#f-{field}")
        page.keyboard.type(value)
    page.keyboard.press("Tab")  # leaves the region: the totals are worked out anew
    tab_to("input[name=method]")
    page.keyboard.press("ArrowDown")
    expect(page.locator("input[name=method]:checked")).to_have_value("express")
    tab_to("input[name=card]")
    tab_to("#due button")
    page.keyboard.press("Enter")
    expect(page.locator("#refused, .way").first).to_be_visible()
    if page.get_by_text(TOTAL_IS_NEW).count():
        tab_to("#due button")
        page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/orders/ord_"))


def test_a_long_address_makes_no_page_wider(visit, faults):
    page = visit(PHONE)
    put_in_cart(page)
    page.goto("/checkout")
    fill_in(page, f"{'a' * 60}@{'b' * 60}.example.com")
    choose_card(page, "tok_visa")
    order_id = press_until_ordered(page)
    for path in (f"/orders/{order_id}", "/dev/mail"):
        page.goto(path)
        assert faults(page) == []


def test_a_declined_card_moves_no_money_and_loses_nothing(visit):
    page = visit()
    put_in_cart(page)
    page.goto("/checkout")
    fill_in(page, "declined@example.com")
    choose_card(page, "tok_declined")
    press(page)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("declined")
    expect(alert).to_contain_text("Nothing was charged.")
    expect(alert).to_contain_text("Choose another card")
    expect(page.get_by_label("E-mail")).to_have_value("declined@example.com")
    expect(page.locator("main")).to_contain_text("14 Mill Lane")
    choose_card(page, "tok_visa")
    press_until_ordered(page)
    expect(page.get_by_text("Thank you. Your order is confirmed.")).to_be_visible()


@pytest.mark.parametrize("outcome", ["Approve", "Refuse"])
def test_the_bank_may_ask_first(visit, outcome):
    page = visit(PHONE)
    put_in_cart(page)
    page.goto("/checkout")
    fill_in(page)
    choose_card(page, "tok_3ds")
    press(page)
    expect(page.get_by_role("heading", name="Approve this payment?")).to_be_visible()
    page.get_by_role("button", name=outcome).click()
    if outcome == "Approve":
        page.wait_for_url(re.compile("/orders/ord_"))
        expect(page.get_by_text("Thank you. Your order is confirmed.")).to_be_visible()
    else:
        expect(page.get_by_role("alert")).to_contain_text("Nothing was charged.")
        page.goto("/orders")
        expect(page.get_by_text("No orders yet")).to_be_visible()


def test_a_form_sent_twice_orders_once(visit):
    page = visit(scripts=False)
    put_in_cart(page)
    page.goto("/checkout")
    fill_in(page)
    page.locator("#due button").click()  # the tax of the address is not in the total yet
    expect(page.get_by_text(TOTAL_IS_NEW)).to_be_visible()
    fields = {}
    for each in page.locator("main form :is(input:not([type=radio]), input:checked, select)").all():
        fields[each.get_attribute("name")] = each.input_value()
    ours = {"Sec-Fetch-Site": "same-origin"}
    answers = [page.request.post("/checkout", form=fields, headers=ours, max_redirects=0) for _ in range(3)]
    assert len({answer.headers["location"] for answer in answers}) == 1
    page.goto("/orders")
    expect(page.locator("main .orderline")).to_have_count(1)


def test_totals_that_change_under_the_finger_do_not_swallow_the_press(visit):
    page = visit()
    put_in_cart(page)
    page.goto("/checkout")
    fill_in(page)
    page.get_by_label("State or region").fill("NY")
    button = page.locator("#due button")
    button.hover()
    with page.expect_response("**/checkout/totals"):
        page.mouse.down()  # leaves the field, and the totals are asked for
    expect(page.locator("[class*=htmx-]")).to_have_count(0)
    page.mouse.up()
    expect(page.locator("#refused, .way").first).to_be_visible()


def test_the_button_cannot_be_pressed_twice(visit):
    page = visit()
    put_in_cart(page)
    page.goto("/checkout")
    fill_in(page)
    sent = []
    page.on(
        "request",
        lambda request: (
            sent.append(request.url)
            if request.method == "POST" and request.url.endswith("/checkout")
            else None
        ),
    )
    page.locator("#due button").dblclick(no_wait_after=True)
    page.wait_for_load_state()
    expect(page.get_by_role("alert").or_(page.get_by_text("Thank you."))).to_be_visible()
    assert len(sent) == 1


def test_what_is_sold_out_or_nonsense_is_said_beside_the_cart(visit):
    page = visit(scripts=False)
    title = put_in_cart(page)
    page.get_by_label(f"Quantity of {title}").fill("9999")
    page.get_by_role("button", name="Update").click()
    expect(page.get_by_text("Something changed since you were here")).to_be_visible()
    page.goto("/checkout")
    expect(page.get_by_text("Your cart needs a look first")).to_be_visible()


def test_an_order_can_be_cancelled_until_it_ships(visit):
    page = visit()
    sign_in(page, "ann")
    put_in_cart(page)
    page.goto("/checkout")
    if page.locator("#address-new").count():
        page.locator("label:has(#address-new)").click()
    fill_in(page, None)
    press_until_ordered(page)
    page.get_by_text("Cancel this order").click()
    page.get_by_role("button", name="See what you get back").click()
    paid = page.locator(".sums .total dd").inner_text()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{paid} back")
    page.get_by_role("button", name="Cancel and refund me").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled and refunded")


def test_a_guests_cart_comes_along(visit):
    page = visit()
    title = put_in_cart(page)
    sign_in(page, "ann", "/cart")
    expect(page.locator("main")).to_contain_text(title)


def test_another_sites_form_is_refused(visit):
    page = visit()
    put_in_cart(page)
    page.goto("/cart")
    line = page.locator(".lines form").first.get_attribute("action")
    foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    assert page.request.post(line, form={"quantity": "0"}, headers=foreign).status == 403
    assert page.request.post(line, form={"quantity": "0"}).status == 403
    page.reload()
    expect(page.locator(".lines > li")).to_have_count(1)
