"""Delivery on the desks, without scripts: a seller's zone, its preview, and what a shopper sees of it."""

import re
import uuid

import pytest
from browser.conftest import DESK, PHONE
from browser.steps import sign_in
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
