"""What people do in the shop, step by step."""

import re

from playwright.sync_api import Page, expect

ADDRESS = {
    "Full name": "Ann Porter",
    "Street and number": "14 Mill Lane",
    "Postal code": "62701",
    "City": "Springfield",
    "State or region": "IL",
}


def sign_in(page: Page, who: str, to: str = "/account", password: str = "mercat") -> None:
    page.goto(f"/signin?next={to}")
    page.get_by_label("E-mail").fill(f"{who}@example.com")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{to}")


TOTAL_IS_NEW = re.compile("The total has changed|Please check the total")
"""What checkout says where the total of an address was not seen yet."""


def open_a_product(page: Page, nth: int = 0) -> str:
    """From the first page over a list to a product that is in stock; its title."""
    page.goto("/search?stock=1&sort=rating")
    page.locator("#results .card a").nth(nth).click()
    page.wait_for_url("**/p/**")
    return page.get_by_role("heading", level=1).inner_text()


def put_in_cart(page: Page, nth: int = 0) -> str:
    title = open_a_product(page, nth)
    page.locator(".tocart button").click()
    if page.evaluate("document.documentElement.classList.contains('js')"):
        expect(page.locator("#added")).to_contain_text("Added to your cart")
    else:
        page.wait_for_url("**/cart")
    return title


def fill_in(page: Page, email: str | None = "guest@example.com") -> None:
    """Checkout's form, with a new address."""
    if email:
        page.get_by_label("E-mail").fill(email)
    for label, value in ADDRESS.items():
        page.get_by_label(label, exact=False).first.fill(value)


def choose_card(page: Page, token: str) -> None:
    page.locator(f"label:has(#pay-{token})").click()


def press(page: Page) -> bool:
    """Press to place the order, once more where the total is new; whether it was."""
    page.locator("#due button").click()
    bank = page.get_by_role("heading", name="Approve this payment?")
    expect(page.locator("#refused, .way").or_(bank).first).to_be_visible()
    if not page.get_by_text(TOTAL_IS_NEW).count():
        return False
    page.locator("#due button").click()
    return True


def press_until_ordered(page: Page) -> str:
    """Places the order, agreeing to a new total where there is one; the order's id."""
    if not press(page) and page.locator("#refused").count():
        raise AssertionError(page.locator("#refused").inner_text())
    page.wait_for_url(re.compile(r"/orders/ord_"))
    return page.url.rsplit("/", 1)[1].partition("?")[0]
