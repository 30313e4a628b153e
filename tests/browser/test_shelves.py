"""Shelves as people see them: on home, product, cart and account, and on a page of their own."""

import os

import pytest
from browser.steps import open_a_product, put_in_cart, sign_in
from playwright.sync_api import expect

PICTURES = os.environ.get("MERCAT_PICTURES", "")


def product_links(page):
    return page.locator(".rail .card .name a")


def picture(page, name):
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1_280])
def test_shelves_fit_and_are_sound_wherever_they_stand(visit, faults, width, scheme):
    page = visit(width, color_scheme=scheme)
    page.goto("/")
    page.locator("#yours").scroll_into_view_if_needed()
    expect(page.get_by_role("heading", name="For you")).to_be_visible()
    title = put_in_cart(page)
    page.goto("/cart")
    expect(page.get_by_role("heading", name="Goes with your cart")).to_be_visible()
    picture(page, f"cart-{width}-{scheme}")
    for path in ("/", "/cart", "/for-you"):
        page.goto(path)
        if path != "/cart":
            page.locator("#yours").scroll_into_view_if_needed()
            viewed = page.locator("#viewed")
            expect(viewed.get_by_role("heading", name=title)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        picture(page, f"{path.strip('/') or 'home'}-{width}-{scheme}")
        assert faults(page) == [], path


def test_what_was_viewed_stays_in_the_browser_until_it_is_to_be_forgotten(visit):
    page = visit()
    page.goto("/for-you")
    expect(page.locator("#viewed")).to_have_count(0)
    for place in range(3):
        here = open_a_product(page, place)
    page.locator("#yours").scroll_into_view_if_needed()
    expect(page.locator("#viewed .card")).to_have_count(2)
    page.goto("/for-you")
    expect(page.locator("#viewed .card")).to_have_count(3)
    expect(page.locator("#viewed .card").first).to_contain_text(here)
    page.get_by_role("button", name="Forget these").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#viewed")).to_have_text("Forgotten.")
    page.reload()
    expect(page.get_by_role("heading", name="What may please you")).to_be_visible()
    expect(page.locator("#viewed")).to_have_count(0)


def test_without_scripts_home_leads_to_the_shelves(visit):
    page = visit(scripts=False)
    page.goto("/")
    page.get_by_role("link", name="For you: what may please you").click()
    expect(page.get_by_role("heading", name="For you", exact=True)).to_be_visible()
    assert product_links(page).count() > 0


def test_an_account_has_its_shelf(visit, faults):
    page = visit()
    sign_in(page, "ann")
    page.goto("/account")
    expect(page.get_by_role("heading", name="For you")).to_be_visible()
    picture(page, "account")
    assert faults(page) == []
