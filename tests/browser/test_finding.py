"""Search and its filters, with scripts and without."""

import re

from browser.steps import open_a_product
from playwright.sync_api import expect


def count(page) -> int:
    return int(re.findall(r"of ([\d,]+)", page.locator("#results .bar p").inner_text())[0].replace(",", ""))


def test_a_filter_narrows_the_list_without_a_reload(visit):
    page = visit()
    page.goto("/search")
    everything = count(page)
    page.evaluate("window.here = true")
    page.locator("#filters label:has(input[name=price])").first.click()
    page.wait_for_url("**/search?price=0-25")
    expect(page.locator(".chips")).to_contain_text("Under $25")
    expect(page.locator("#price-0-25")).to_be_checked()
    fewer = count(page)
    assert 0 < fewer < everything
    assert page.evaluate("window.here") is True, "the page was loaded anew"
    page.go_back()
    expect(page.locator(".chips")).to_have_count(0)
    assert count(page) == everything
    page.go_forward()
    page.locator(".chips a").first.click()
    page.wait_for_url("**/search")
    assert count(page) == everything


def test_the_same_filter_without_scripts(visit):
    page = visit(scripts=False)
    page.goto("/search")
    everything = count(page)
    page.locator("#price-0-25").check()
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(re.compile("price=0-25"))
    assert 0 < count(page) < everything


def test_filters_on_a_phone_open_and_close(visit):
    page = visit(390)
    page.goto("/search")
    expect(page.locator("#filters")).to_be_hidden()
    page.get_by_role("link", name="Filters").click()
    expect(page.locator("#filters")).to_be_visible()
    page.get_by_role("link", name="Close filters").click()
    expect(page.locator("#filters")).to_be_hidden()


def test_on_a_phone_the_panel_stays_open_while_filters_are_ticked(visit):
    page = visit(390)
    page.goto("/search")
    page.get_by_role("link", name="Filters").click()
    page.locator("#filters label:has(#price-0-25)").click()
    page.wait_for_url("**/search?price=0-25")
    expect(page.locator("#price-0-25")).to_be_checked()
    expect(page.locator("#filters")).to_be_visible()
    page.locator("#filters label:has(#stock)").click()
    page.wait_for_url("**/search?price=0-25&stock=1")
    expect(page.locator("#filters")).to_be_visible()
    show = page.get_by_role("link", name=re.compile(r"Show [\d,]+ results"))
    expect(show).to_be_in_viewport()
    promised = int(re.sub(r"\D", "", show.inner_text()))
    show.click()
    expect(page.locator("#filters")).to_be_hidden()
    assert count(page) == promised


def test_a_price_of_ones_own_narrows_the_list(visit, faults):
    page = visit()
    page.goto("/search")
    everything = count(page)
    expect(page.locator("#filters legend", has_text="Price")).to_contain_text(" to $")
    page.locator("#price-from").fill("20")
    page.locator("#price-to").fill("30")
    page.get_by_role("button", name="Go by price").click()
    page.wait_for_url("**/search?price_from=20&price_to=30")
    expect(page.locator(".chips")).to_contain_text("Up to $30.00")
    assert 0 < count(page) < everything
    page.goto("/search?price_from=20&price_to=30")
    assert faults(page) == []


def test_numbers_are_narrowed_by_range(visit):
    page = visit()
    page.goto("/c/phones")
    ranges = page.locator("#filters input[name^='attr.'][value*='..']")
    everything, first = count(page), ranges.first
    promised = int(page.locator(f"#filters label:has(#{first.get_attribute('id')}) .count").inner_text())
    page.locator(f"#filters label:has(#{first.get_attribute('id')})").click()
    page.wait_for_url(re.compile(r"\.\."))
    expect(page.locator(".chips")).to_contain_text(re.compile("Under|to|and more"))
    assert count(page) == promised < everything


def test_counts_are_what_the_list_then_has(visit):
    page = visit()
    page.goto("/search")
    promised = int(page.locator("#filters label:has(#price-25-50) .count").inner_text().replace(",", ""))
    page.goto("/search?price=25-50")
    assert count(page) == promised


def test_suggestions_come_while_typing_and_by_arrow_keys(visit):
    page = visit()
    page.goto("/search?stock=1&sort=rating")
    word = re.findall(r"[A-Za-z]{4,}", page.locator("#results .name").first.inner_text())[0]
    box = page.get_by_role("searchbox")
    box.press_sequentially(word[:4])
    expect(page.locator("#suggest a").first).to_be_visible()
    box.press("ArrowDown")
    expect(page.locator("#suggest a").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(box).to_be_focused()
    expect(page.locator("#suggest a")).to_have_count(0)


def test_nothing_found_is_a_page_with_a_way_on(visit):
    page = visit()
    page.goto("/search?q=zzzzqqqq")
    expect(page.get_by_text("Nothing found for")).to_be_visible()
    expect(page.locator("main").get_by_role("link", name="All departments")).to_be_visible()


def test_a_press_that_is_not_answered_is_said(visit):
    page = visit()
    open_a_product(page)
    page.route("**/cart/items", lambda route: route.abort())
    page.locator(".tocart button").click()
    expect(page.get_by_text("The shop did not answer")).to_be_visible()
    page.unroute("**/cart/items")
    page.route("**/cart/items", lambda route: route.fulfill(status=503, body="full"))
    page.locator(".tocart button").click()
    expect(page.get_by_text("The shop did not answer")).to_be_visible()
    page.unroute("**/cart/items")
    page.locator(".tocart button").click()
    expect(page.locator("#added")).to_contain_text("Added to your cart")
    expect(page.get_by_text("The shop did not answer")).to_be_hidden()
    page.context.set_offline(True)
    expect(page.get_by_text("You seem to be offline")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("You seem to be offline")).to_be_hidden()


def test_a_page_beyond_the_last_leads_back(visit):
    page = visit()
    page.goto("/search?page=999")
    page.get_by_role("link", name="To the first page").click()
    expect(page.locator("#results .card").first).to_be_visible()
