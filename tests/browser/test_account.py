"""The account in a browser: sessions, two steps, addresses and cards, keys, and leaving."""

import time
import uuid

import pytest
from browser.conftest import DESK, PHONE
from browser.steps import ADDRESS, sign_in
from playwright.sync_api import Page, expect
from pyotp.totp import TOTP

PASSWORD = "correct horse"


def register(page: Page, name: str = "Ann Porter") -> str:
    email = f"{uuid.uuid4().hex[:10]}@example.com"
    page.goto("/register")
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Open the account").click()
    page.wait_for_url("**/account")
    return email


def enter(page: Page, email: str) -> None:
    page.goto("/signin")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def add_address(page: Page, **more: str) -> None:
    page.goto("/account")
    page.get_by_text("Add an address").click()
    for label, value in (ADDRESS | more).items():
        page.get_by_label(label, exact=False).last.fill(value)
    page.get_by_role("button", name="Save the address").click()


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_an_account_have_no_faults(visit, faults, width, scheme):
    page = visit(width, color_scheme=scheme)
    register(page, "N" * 60 + " " + "Porter")
    add_address(page, **{"Street and number": "1 " + "Long " * 20 + "Lane"})
    add_address(page)
    page.get_by_role("button", name="Save the card").click()
    expect(page.get_by_text("The card is saved.")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("link", name="Change the address").first.click()
    expect(page.get_by_role("heading", name="Change an address")).to_be_visible()
    assert faults(page) == []
    page.goto("/account/two-factor")
    assert faults(page) == []
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    assert faults(page) == []


@pytest.mark.parametrize("scripts", [True, False])
def test_two_steps_from_setting_up_to_signing_in(visit, faults, scripts):
    page = visit(PHONE, scripts=scripts)
    email = register(page)
    page.get_by_role("link", name="Set up two steps").click()
    page.get_by_role("button", name="Begin").click()
    app = TOTP(page.locator("dd.secret").inner_text())
    recovery = page.locator(".codes li").first.inner_text()
    page.get_by_role("textbox", name="Code").fill(app.at(int(time.time()) - 30))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Signing in has a second step from now on.")).to_be_visible()

    phone = visit(PHONE, scripts=scripts)
    enter(phone, email)
    expect(phone.get_by_role("heading", name="One more step")).to_be_visible()
    if scripts:
        expect(phone.get_by_role("textbox", name="Code")).to_be_focused()
    assert faults(phone) == [] if scripts else True
    phone.get_by_role("textbox", name="Code").fill("000000")
    phone.keyboard.press("Enter")
    expect(phone.get_by_role("alert")).to_contain_text("The code is wrong")
    phone.get_by_role("textbox", name="Code").fill(recovery)
    phone.get_by_role("button", name="Sign in").click()
    expect(phone.get_by_role("button", name="Sign out", exact=True).first).to_be_visible()


def test_a_session_is_ended_from_another_device(visit):
    page, phone = visit(), visit(PHONE)
    email = register(page)
    enter(phone, email)
    phone.wait_for_url("**/account")
    page.goto("/account")
    expect(page.get_by_text("This device")).to_have_count(1)
    page.get_by_role("button", name="Sign out everywhere else").click()
    expect(page.get_by_text("Signed out there.")).to_be_visible()
    phone.goto("/account")
    expect(phone.get_by_role("heading", name="Sign in")).to_be_visible()


def test_an_address_is_changed_made_the_default_and_removed(visit):
    page = visit()
    register(page)
    add_address(page, **{"State or region": "Illinois"})
    expect(page.get_by_text("Springfield, IL 62701")).to_be_visible()
    add_address(page, **{"Street and number": "2 Second Street"})
    page.get_by_role("button", name="Make 2 Second Street the default").click()
    row = page.locator("li").filter(has_text="2 Second Street")
    expect(row.get_by_text("Default", exact=True)).to_be_visible()
    row.get_by_role("link", name="Change the address").click()
    page.get_by_label("State or region").fill("Atlantis")
    page.get_by_role("button", name="Save the address").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose a region of this country")
    page.get_by_label("State or region").fill("texas")
    page.get_by_label("Postal code").fill("75001")
    page.get_by_role("button", name="Save the address").click()
    expect(page.get_by_text("Springfield, TX 75001")).to_be_visible()
    page.get_by_role("button", name="Remove the address of Ann Porter, 2 Second Street").click()
    expect(page.get_by_text("2 Second Street")).to_have_count(0)


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_seller_makes_and_ends_a_key(visit, faults, width):
    page = visit(width)
    sign_in(page, "bob", "/desk/keys")
    page.get_by_role("textbox", name="Name").fill("warehouse")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("alert")).to_contain_text("Tick at least one thing")
    page.get_by_label("Read and set stock").check()
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("The key is made")).to_be_visible()
    expect(page.locator(".secret")).to_contain_text("mk_")
    assert faults(page) == []
    page.get_by_role("button", name="End the key warehouse").first.click()
    page.wait_for_url("**/desk/keys")


def test_an_account_is_taken_along_and_deleted(visit):
    page = visit()
    email = register(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all that we keep of you").click()
    assert email in download.value.path().read_text()
    page.get_by_text("Delete your account").click()
    field = page.get_by_label("Present password").last
    field.fill("wrong horse")
    page.get_by_role("button", name="Delete the account for good").click()
    expect(page.get_by_role("alert")).to_contain_text("present password is wrong")
    page.get_by_label("Present password").last.fill(PASSWORD)
    page.get_by_role("button", name="Delete the account for good").click()
    expect(page.get_by_role("heading", name="You are forgotten")).to_be_visible()
    enter(page, email)
    expect(page.get_by_role("alert")).to_contain_text("E-mail address or password is wrong")
