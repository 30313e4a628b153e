"""Homes and reports of both desks, as people see them."""

import os
import re

import pytest
from browser.conftest import DESK, PHONE
from browser.steps import choose_card, fill_in, press_until_ordered, put_in_cart, sign_in
from playwright.sync_api import expect

PICTURES = os.environ.get("MERCAT_PICTURES", "")
OWN_FAULTS = re.compile("inline style or handler")  # of fields that the driver's own tools look at


@pytest.mark.parametrize("width", [390, 1_280])
@pytest.mark.parametrize(
    ("who", "path"),
    [
        ("ops", "/operator/home"),
        ("ops", "/operator/reports/sales"),
        ("bob", "/desk/home"),
        ("bob", "/desk/reports/stock"),
    ],
)
def test_homes_and_reports_fit_and_are_sound(visit, faults, who, path, width):
    page = visit(width)
    sign_in(page, who)
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [fault for fault in faults(page) if not OWN_FAULTS.search(fault)] == []


def test_a_report_is_asked_for_by_its_form_and_a_plot_has_its_numbers(visit):
    page = visit(scripts=False)
    sign_in(page, "ops")
    page.goto("/operator/home")
    expect(page.get_by_role("heading", name="What to do first")).to_be_visible()
    expect(page.locator("[data-part=today] dt").first).to_have_text("Orders")
    expect(page.locator(".plot")).to_have_count(4)
    page.locator(".plot summary").first.click()
    expect(page.locator(".plot table").first).to_be_visible()
    page.get_by_role("link", name="All reports").click()
    page.get_by_label("By").select_option("seller")
    page.get_by_label("Compare with").select_option("previous")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("by=seller.*compare=previous"))
    expect(page.locator("dd").get_by_text("before").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="This as a CSV file").click()
    assert download.value.suggested_filename == "sales.csv"
    page.goto("/operator/reports/sales?by=wek")
    expect(page.get_by_role("alert")).to_contain_text("Did you mean `week`?")


def test_the_figures_of_today_move_by_themselves(visit):
    desk, buyer = visit(), visit()
    sign_in(desk, "ops")
    desk.goto("/operator/home")
    orders = desk.locator("[data-part=today] dd").first
    before = int(orders.inner_text().replace(",", ""))
    put_in_cart(buyer)
    buyer.goto("/checkout")
    fill_in(buyer)
    choose_card(buyer, "tok_visa")
    press_until_ordered(buyer)
    expect(orders).to_have_text(f"{before + 1:,}", timeout=30_000)
    expect(desk.locator("[data-live-away]")).to_be_hidden()


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_an_experiment_is_begun_read_and_stopped(visit, faults, width):
    page = visit(width)
    sign_in(page, "ops", "/operator/experiments")
    page.get_by_label("Name", exact=True).fill(f"Two rankers at {width}")
    page.get_by_label("What is compared").select_option("search_ranking")
    page.get_by_role("button", name="Begin").click()
    shown = page.get_by_role("region", name=f"Two rankers at {width}", exact=True)
    expect(shown.get_by_text("No difference can be seen yet")).to_be_visible()
    assert faults(page) == []
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/experiments-{width}.png", full_page=True)
    shown.get_by_role("button", name="Stop").click()
    expect(shown.get_by_text("An operator stopped it.")).to_be_visible()


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize(("who", "desk"), [("ops", "operator"), ("bob", "desk")])
def test_a_report_is_saved_below_it_and_deleted(visit, faults, who, desk, width):
    page = visit(width)
    sign_in(page, who)
    page.goto(f"/{desk}/reports/sales?by=week&tz=Europe/Berlin")
    page.get_by_label("Mail me this report each week, as").fill(f"By week at {width}")
    page.get_by_role("button", name="Save").click()
    saved = page.get_by_role("region", name="Mailed each week")
    expect(saved.get_by_text(f"By week at {width}").first).to_be_visible()
    assert [fault for fault in faults(page) if not OWN_FAULTS.search(fault)] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/saved-{who}-{width}.png", full_page=True)
    saved.get_by_role("button", name=f"Delete By week at {width}").click()
    expect(page.get_by_text("Nothing yet.")).to_be_visible()
