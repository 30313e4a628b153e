"""The operator's desk for searches: rules are made, changed, removed and put back."""

import re
import uuid

from browser.steps import sign_in
from playwright.sync_api import expect


def test_a_synonym_is_added_changed_removed_and_put_back(visit):
    word = f"w{uuid.uuid4().hex[:10]}"
    page = visit(scripts=False)
    sign_in(page, "ops", "/operator/search")
    page.get_by_role("link", name="Add a synonym").click()
    page.get_by_label("Who searches for").fill(word)
    page.get_by_label("also finds").fill(word)
    page.get_by_role("button", name="Add it").click()
    expect(page.locator("#w-other")).to_contain_text("both are the same words already")
    expect(page.get_by_label("Who searches for")).to_have_value(word)
    page.get_by_label("also finds").fill("lamp")
    page.get_by_role("button", name="Add it").click()
    page.wait_for_url("**/operator/search")
    row = page.get_by_role("region", name="Rules").get_by_role("row").filter(has_text=word)
    expect(row).to_contain_text("also finds “lamp”")
    row.get_by_role("link", name="Edit").click()
    page.get_by_label("Both mean the same").check()
    page.get_by_label("Until").fill("2020-01-31")
    page.get_by_label("From").fill("2020-01-01")
    page.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("is the same as “lamp”")
    expect(row).to_contain_text("1 January 2020 to 31 January 2020")
    expect(row).to_contain_text("over")
    row.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("region", name="Rules").get_by_text(word)).to_have_count(0)
    changes = page.get_by_role("region", name="Changes").get_by_role("row").filter(has_text=word)
    expect(changes).to_have_count(3)
    changes.first.get_by_role("button", name="Put back").click()
    expect(row).to_contain_text("is the same as “lamp”")
    row.get_by_role("button", name="Remove").click()


def test_a_pin_by_the_address_of_a_page_and_by_keyboard(visit):
    word = f"w{uuid.uuid4().hex[:10]}"
    page = visit(390)
    page.goto("/search?stock=1&sort=rating")
    address = page.locator("#results .name a").first.get_attribute("href")
    title = page.locator("#results .name").first.inner_text()
    sign_in(page, "ops", "/operator/search")
    page.goto(f"/operator/search/new?kind=pin&words={word}")
    page.get_by_label("finds this product").fill("nothing of ours")
    page.get_by_label("at place").fill("1")
    page.keyboard.press("Enter")
    expect(page.locator("#w-product_id")).to_contain_text("Paste the product's page")
    page.get_by_label("finds this product").fill(f"http://shop.example{address}")
    page.keyboard.press("Enter")
    page.wait_for_url("**/operator/search")
    row = page.get_by_role("region", name="Rules").get_by_role("row").filter(has_text=word)
    expect(row).to_contain_text(re.compile(re.escape(title[:20])))
    expect(row).to_contain_text("at place 1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    row.get_by_role("button", name="Remove").press("Enter")
    expect(page.get_by_role("region", name="Rules").get_by_text(word)).to_have_count(0)


def test_the_desk_for_searches_is_the_operators(visit):
    page = visit()
    sign_in(page, "ann")
    for path in ("/operator/search", "/operator/search/new?kind=pin"):
        assert page.goto(path).status == 403
