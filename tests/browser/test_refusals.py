"""A page that says no: what happened, that no money moved, and what to do next; and then it can be done."""

import time

import httpx
import pytest
from browser.steps import TOTAL_IS_NEW, choose_card, fill_in
from playwright.sync_api import expect


@pytest.fixture
def bob(open_shop):
    """A seller, as a program."""
    base = f"http://127.0.0.1:{open_shop.port}/api/v1"
    with httpx.Client(base_url=base, timeout=30) as http:
        session = http.post("/sessions", json={"email": "bob@example.com", "password": "mercat"}).json()
        http.headers["authorization"] = f"Bearer {session['token']}"
        yield http


@pytest.fixture
def at_the_till(visit, bob):
    """A page at checkout with three cups, its form filled; and the cup."""
    cup = {"title": "A cup for refusals", "description": "Blue.", "category": "Mugs & Cups", "price": 10.0}
    made = bob.post("/seller/products", json=cup | {"currency": "USD", "quantity": 3})
    assert made.status_code == 201, made.text
    cup = made.json()
    until = time.monotonic() + 10  # it can be bought at once; that pages say so comes through the log
    while not bob.get(f"/products/{cup['product_id']}").json()["in_stock"]:
        assert time.monotonic() < until, "it never came in stock"
    page = visit()
    page.goto(f"/p/{cup['product_id']}")
    page.locator(".tocart button").click()
    expect(page.locator("#added")).to_contain_text("Added to your cart")
    page.goto("/cart")
    quantity = page.locator(".lines [name=quantity]").first
    with page.expect_response("**/cart/items/**"):
        quantity.fill("3")
        quantity.press("Enter")
    page.goto("/checkout")
    fill_in(page)
    page.keyboard.press("Tab")
    expect(page.locator("#press")).to_contain_text("Place order")
    return page, cup


def press(page):
    """Places the order, agreeing to the total of the address that was just written."""
    page.locator("#due button").click()
    expect(page.locator("#refused").or_(page.locator(".way")).first).to_be_visible()
    if page.get_by_text(TOTAL_IS_NEW).count():
        page.locator("#due button").click()


def refused(page, *words):
    alert = page.locator("#refused")
    for said in (*words, "Nothing was charged"):
        expect(alert).to_contain_text(said)


def test_sold_out_in_between(at_the_till, bob):
    page, cup = at_the_till
    shelf = bob.get(f"/seller/stock/{cup['offer_id']}")
    put = {"if-match": shelf.headers["etag"]}
    assert bob.put(f"/seller/stock/{cup['offer_id']}", json={"quantity": 2}, headers=put).status_code == 200
    press(page)
    refused(page, "sold out while you were here", "Only 2 of A cup for refusals left", "Lower the quantity")


def test_another_price_in_between_is_accepted_or_not(at_the_till, bob):
    page, cup = at_the_till
    assert bob.patch(f"/seller/offers/{cup['offer_id']}", json={"price": 11.0}).status_code == 200
    page.locator("#due button").click()
    refused(page, "The total has changed", "If you agree, press the button again")
    expect(page.locator("#due")).to_contain_text("$33.00")
    press(page)
    expect(page.locator(".way").first).to_be_visible()


def test_a_card_that_is_declined_and_another(at_the_till):
    page, _ = at_the_till
    choose_card(page, "tok_declined")
    press(page)
    refused(page, "Your bank declined the card", "Choose another card")
    choose_card(page, "tok_visa")
    press(page)
    expect(page.locator(".way").first).to_be_visible()
