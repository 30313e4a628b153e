"""Papers are a press away: for who bought, who sold and operators, at both widths."""

import os
import re

import pytest
from browser.steps import fill_in, press_until_ordered, put_in_cart, sign_in
from papers import pages_of
from playwright.sync_api import Page, expect

PHONE, DESK = 390, 1_280
SHOTS = os.environ.get("MERCAT_SHOTS", "")
"""A folder for pictures of the pages, to look at."""


def look(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def printed(page: Page, link: str | re.Pattern[str]) -> list[str]:
    """The pages of the PDF to which a link of this page leads."""
    address = page.get_by_role("link", name=link).first.get_attribute("href")
    assert address
    answer = page.request.get(address)
    assert answer.headers["content-type"] == "application/pdf"
    return pages_of(answer.body())


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_who_bought_sold_or_runs_the_shop_prints_the_papers(visit, faults, width, scheme):
    shot = f"{width}-{scheme}"
    page = visit(width, color_scheme=scheme)
    title = put_in_cart(page)
    page.goto("/checkout")
    fill_in(page)
    order_id = press_until_ordered(page)
    page.goto(f"/orders/{order_id}")
    [invoice] = printed(page, "Invoice (PDF)")
    assert title[:20] in " ".join(invoice.split())
    page.get_by_text("Cancel this order").click()
    page.get_by_role("button", name="See what you get back").click()
    page.get_by_role("button", name="Cancel and refund me").click()
    expect(page.get_by_role("link", name=re.compile("Credit note"))).to_be_visible()
    assert printed(page, re.compile("Credit note"))[0].startswith("Credit note")
    assert len(printed(page, "Invoice (PDF)")) == 2
    assert faults(page) == []
    look(page, f"order-{shot}")

    ops = visit(width, color_scheme=scheme)
    sign_in(ops, "ops", f"/operator/orders/{order_id}")
    assert len(printed(ops, "Invoices (PDF)")) == 2
    assert faults(ops) == []
    look(ops, f"operator-{shot}")


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_seller_prints_the_slip_and_says_what_invoices_say(visit, faults, width, scheme):
    shot = f"{width}-{scheme}"
    guest = visit()
    put_in_cart(guest)
    guest.goto("/checkout")
    fill_in(guest)
    press_until_ordered(guest)
    page = visit(width, color_scheme=scheme)
    sign_in(page, "bob", "/desk/invoices")
    page.get_by_label("Beside").fill("Bob's Bazaar Ltd\n1 Market Row\nVAT GB 123456789")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It stands on the invoices")).to_be_visible()
    assert faults(page) == []
    look(page, f"details-{shot}")
    page.goto("/desk/orders")
    expect(page.get_by_role("link", name=re.compile("Packing slip")).first).to_be_visible()
    assert faults(page) == []
    look(page, f"desk-{shot}")
    assert printed(page, re.compile("Packing slip"))[0].startswith("Packing slip")
    assert printed(page, re.compile("^Invoice of order"))[0].startswith("Invoice")
