"""Letters as mail programs show them, and the pages where one does without them."""

import re

import pytest
from browser.conftest import DESK, PHONE
from browser.steps import fill_in, press_until_ordered, put_in_cart, sign_in
from playwright.sync_api import expect

_OF_PAGES = re.compile("no (header|main|footer|nav)|not one main|inline style|is twice|px high|no skip")
"""What is no fault of a letter: it has no frame of the shop's, and mail programs know only inline styles."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_letter_and_the_way_out_of_such_letters(visit, faults, width, scheme):
    page = visit(width, color_scheme=scheme)
    put_in_cart(page)
    page.goto("/checkout")
    email = f"guest-{width}-{scheme}@example.com"
    fill_in(page, email)
    press_until_ordered(page)

    def letter(words: str, to: str) -> None:
        """Open the newest letter with these words, once it is there."""
        for _ in range(60):
            page.goto(f"/dev/mail?to={to}")
            found = page.locator("article", has_text=words)
            if found.count():
                break
            page.wait_for_timeout(250)
        page.goto(found.first.get_by_role("link", name="as mail programs show it").get_attribute("href"))

    letter("is confirmed", email)
    assert [each for each in faults(page) if not _OF_PAGES.search(each)] == []
    expect(page.get_by_role("heading", level=1)).to_contain_text("is confirmed")
    page.get_by_role("link", name="See your order").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert re.search(r"/orders/ord_\w+\?key=", page.url)


def test_who_does_without_letters_says_so_with_the_keyboard(visit, faults):
    page = visit(PHONE)
    sign_in(page, "ann")
    assert faults(page) == []
    box = page.get_by_label("Something on your wishlists costs less")
    expect(box).to_be_checked()
    box.focus()
    page.keyboard.press("Space")
    page.locator("section:has(#letters)").get_by_role("button", name="Save").focus()
    page.keyboard.press("Enter")
    expect(page.locator("main .notice")).to_contain_text("you get the letters that you chose")
    expect(box).not_to_be_checked()
    box.check()
    page.locator("section:has(#letters)").get_by_role("button", name="Save").click()
    expect(box).to_be_checked()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_link_in_a_letter_has_a_button(visit, faults, scheme):
    page = visit(PHONE, color_scheme=scheme)
    sign_in(page, "ann")
    put_in_cart(page)
    page.goto("/checkout")
    if page.locator("#address-new").count():
        page.locator("label:has(#address-new)").click()
    fill_in(page, None)
    press_until_ordered(page)
    link = page.locator("article a[href*='/unsubscribe/']")
    for _ in range(120):
        page.goto("/dev/mail?to=bob@example.com")
        if link.count():
            break
        page.wait_for_timeout(250)
    page.goto(link.first.get_attribute("href"))
    assert faults(page) == []
    expect(page.get_by_text("Orders to pack")).to_be_visible()
    page.get_by_role("button", name="Send me no more of these").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("You get no more of these letters")
    assert faults(page) == []
    page.get_by_role("button", name="send them again").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("You get these letters again")
