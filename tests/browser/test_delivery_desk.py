"""Delivery on the desks, without scripts: a seller's zone, its preview, and what a shopper sees of it."""

import re
import uuid

import pytest
from browser.conftest import DESK, PHONE
from browser.steps import open_a_product, sign_in
from playwright.sync_api import expect


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_seller_adds_a_zone_sees_what_it_costs_and_removes_it(visit, faults, width):
    name = f"Islands {uuid.uuid4().hex[:6]}"
    page = visit(width, scripts=False)
    sign_in(page, "bob", "/desk/shipping")
    page.get_by_role("link", name="Add a zone").click()
    assert faults(page) == []
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("New Zealand").check()
    page.get_by_label("What shoppers read").fill("Boat")
    page.get_by_label("Code", exact=True).fill("boat")
    page.get_by_label("Price in USD").fill("7.50")
    page.get_by_label("Carrier's days").fill("20")
    page.get_by_label("More a kg").fill("2.00")
    page.get_by_role("button", name="Save the zone").click()
    page.wait_for_url("**/desk/shipping?said=saved")
    assert faults(page) == []
    row = page.get_by_role("region", name="Zones").get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("Boat: $7.50 + $2.00 a kg")
    page.get_by_label("To", exact=True).select_option("NZ")
    page.get_by_label("Weight in grams").fill("1500")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#preview")).to_contain_text("$10.50")
    row.get_by_role("link", name=re.compile("^Edit")).click()
    page.get_by_role("button", name="Remove this zone").click()
    page.wait_for_url("**/desk/shipping?said=removed")
    expect(page.get_by_text(name)).to_have_count(0)


def test_a_market_is_made_and_a_visitor_of_it_sees_its_prices(visit, faults):
    code, path = f"m{uuid.uuid4().hex[:6]}", "/operator/markets"
    page = visit(DESK, scripts=False, color_scheme="dark")
    sign_in(page, "ops", path)
    page.get_by_label("Name", exact=True).fill("Islands")
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_label("Countries", exact=True).fill("NZ")
    page.get_by_label("Percent more").fill("100")
    page.get_by_label("Round to a multiple").fill("1000")
    page.get_by_label("Less (USD)").fill("1")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/operator/markets?said=set")
    try:
        shopper = visit(PHONE, color_scheme="dark")
        open_a_product(shopper)
        address = shopper.url
        shopper.get_by_label("Prices for").select_option("NZ")
        shopper.get_by_role("contentinfo").get_by_role("button", name="Show").click()
        expect(shopper.get_by_label("Prices for")).to_have_value("NZ")
        there = shopper.locator(".cost").first.inner_text()
        assert shopper.url == address
        assert faults(shopper) == []
        page.goto(f"{path}?product={address}")
        expect(page.locator("#preview").get_by_role("row").filter(has_text="Islands")).to_contain_text(
            there.split()[0]
        )
        assert faults(page) == []
        seller = visit(PHONE, scripts=False)
        sign_in(seller, "bob", "/desk")
        seller.locator("a[href^='/desk/prices/']").first.click()
        seller.get_by_label("Islands (USD)").fill("much")
        seller.get_by_role("button", name="Save the prices of the markets").click()
        expect(seller.locator("#errors")).to_contain_text("A price is written as 12.50.")
        assert faults(seller) == []
        seller.locator("main a[href^='/p/']").first.evaluate("it => it.textContent = 'x'.repeat(300)")
        assert faults(seller) == [], "a title without a space"
    finally:
        page.goto(path)
        page.get_by_role("button", name="Remove Islands").click()
        page.wait_for_url("**/operator/markets?said=removed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_operators_pages_of_delivery_and_tax(visit, faults, width, scheme):
    page = visit(width, color_scheme=scheme)
    sign_in(page, "ops", "/operator/shipping")
    for path in ("/operator/shipping", "/operator/shipping/zones/0", "/operator/tax"):
        page.goto(path)
        assert faults(page) == [], path
    page.get_by_label("Goods sent to").select_option("DE")
    page.get_by_label("Amount in USD").fill("119")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#preview")).to_contain_text("Tax $19.00, in the price")
    expect(
        page.get_by_role("region", name="Rates").get_by_role("row").filter(has_text="TEDB").first
    ).to_be_visible()
