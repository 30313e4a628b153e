"""The demo's flash sale as people live through it: joined, waited, bought; with and without scripts."""

import re
import subprocess
import sys
import uuid

import httpx
import pytest
from browser.conftest import DESK, PHONE
from browser.steps import fill_in, press_until_ordered, sign_in
from playwright.sync_api import Error, expect


def _turn(page):
    page.goto("/flash/demo")
    page.get_by_role("button", name="Join the queue").click()
    expect(page).to_have_url(re.compile("/flash/demo/wait"))
    expect(page.get_by_role("heading", name="It is your turn")).to_be_visible(timeout=20_000)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_waiting_and_buying(visit, faults, scripts):
    page = visit(PHONE, scripts=scripts)
    _turn(page)
    page.reload()
    expect(page.get_by_role("heading", name="It is your turn")).to_be_visible()
    if scripts:
        assert not faults(page)
        expect(page.locator(".clock")).to_have_text(re.compile(r"[0-4]:\d\d"))
    page.get_by_role("button", name="Buy now").click()
    expect(page).to_have_url(re.compile("/checkout"))
    fill_in(page)
    press_until_ordered(page)
    page.goto("/flash/demo/wait")
    expect(page.get_by_role("heading", name="You have bought it")).to_be_visible()


def test_without_a_turn_there_is_nothing_to_put_into_a_cart(visit):
    page = visit(DESK)
    page.goto("/flash/demo/wait")
    expect(page).to_have_url(re.compile("/flash/demo$"))
    page.goto("/search?q=" + page.get_by_role("heading", level=1).inner_text())
    page.locator("#results .card a").first.click()
    page.get_by_role("link", name="Go to the sale").click()
    expect(page).to_have_url(re.compile("/flash/demo$"))


def test_the_control_room_pauses_and_resumes_and_keeps_why(visit, faults):
    page = visit(DESK)
    sign_in(page, "ops")
    page.goto("/operator/flash/demo")
    form = page.locator("form", has=page.get_by_role("button", name="Pause", exact=True))
    form.get_by_label("Why").fill("A look at the till.")
    form.get_by_role("button").click()
    try:
        expect(page.locator("#now")).to_contain_text("Paused for a moment")
        waiting = visit(PHONE)
        waiting.goto("/flash/demo")
        waiting.get_by_role("button", name="Join the queue").click()
        expect(waiting.get_by_role("heading", name="You are in the queue")).to_be_visible()
        expect(waiting.locator("[data-eta]")).to_have_text("We cannot know yet")
        assert not faults(waiting)
    finally:
        form = page.locator("form", has=page.get_by_role("button", name="Resume", exact=True))
        form.get_by_label("Why").fill("All is well.")
        form.get_by_role("button").click()
    expect(page.locator("#now")).to_contain_text("On now")
    expect(page.get_by_role("cell", name="A look at the till.").first).to_be_visible()
    expect(waiting.get_by_role("heading", name="It is your turn")).to_be_visible(timeout=20_000)


def test_the_control_room_is_told_what_others_do(visit, faults):
    """Two operators: what one does the other sees without asking, and what they are writing stays."""
    here, there = visit(DESK), visit(PHONE, scripts=False)
    for page in (here, there):
        sign_in(page, "ops")
        page.goto("/operator/flash/demo")
    form = here.locator("form", has=here.get_by_role("button", name="Change the rate"))
    form.get_by_label("Why").fill("Being wri")
    form = there.locator("form", has=there.get_by_role("button", name="Change the ceiling"))
    form.get_by_label("People with a pass at once").fill("900")
    form.get_by_label("Why").fill("From a telephone without scripts.")
    form.get_by_role("button").click()
    expect(there.locator("#now")).to_contain_text("of 900 at most")
    expect(here.locator("#now")).to_contain_text("of 900 at most")
    expect(here.locator("#done-list")).to_contain_text("From a telephone without scripts.")
    expect(here.locator("#done-list")).to_contain_text("ops@example.com")
    form = here.locator("form", has=here.get_by_role("button", name="Change the rate"))
    expect(form.get_by_label("Why")).to_have_value("Being wri")
    assert not faults(here)
    there.get_by_role("link", name="Look again").click()
    form = there.locator("form", has=there.get_by_role("button", name="Add units"))
    form.get_by_label("Units to add").fill("9999999")
    form.get_by_label("Why").fill("More than there is.")
    form.get_by_role("button").click()
    expect(there.get_by_text("more are in stock")).to_be_visible()
    expect(there.locator("#f-why-units")).to_have_value("More than there is.")


def _act(page, sale, what, why, amount=None):
    room = f"/operator/flash/{sale}"
    try:
        page.goto(room)
    except Error:  # the room was loading itself anew, for its state had changed: that cut our way off
        page.goto(room)
    form = page.locator("form", has=page.get_by_role("button", name=what, exact=True))
    if amount is not None:
        form.get_by_role("spinbutton").fill(str(amount))
    form.get_by_label("Why").fill(why)
    with page.expect_navigation():  # the room tells of it live, before its page has come again
        form.get_by_role("button").click()
    expect(page.get_by_role("cell", name=why).first).to_be_visible()


def test_who_waits_is_told_all_without_asking_the_shop(visit, open_shop, faults):
    """The draw, a pause and the end reach the waiting page by the public document alone: it is never loaded
    again, and sends no cookie. The place it computed is the one that the shop says."""
    sale = f"w{uuid.uuid4().hex[:10]}"
    listed = httpx.get(f"http://127.0.0.1:{open_shop.port}/api/v1/products?limit=1&page=7").json()
    goods = listed["products"][0]["product_id"]
    plan = [sale, goods, "1", "2030-01-01T00:00:00", "--rate", "0", "--data", open_shop.data]
    subprocess.run([sys.executable, "-m", "mercat", "flash", "create", *plan], check=True)
    people = [visit(width) for width in (PHONE, DESK, DESK)]
    asked = []
    for page in people:
        page.goto(f"/flash/{sale}")
        page.get_by_role("button", name="Join before it begins").click()
        expect(page.get_by_role("heading", name="You are in")).to_be_visible()
        assert not faults(page)
        page.on("request", lambda each: asked.append(each))
    operator = visit(DESK)
    sign_in(operator, "ops")
    _act(operator, sale, "Start now", "It is time.")
    places = []
    for page in people:
        expect(page.get_by_role("heading", name="You are in the queue")).to_be_visible()
        expect(page).to_have_title(re.compile("^You are in the queue:"))
        places.append(page.locator("[data-place]").inner_text())
        assert not faults(page)
    _act(operator, sale, "Pause", "A look.")
    expect(people[0].locator("[data-paused]")).to_be_visible()
    expect(people[0].locator("[data-news]")).to_contain_text("paused")
    _act(operator, sale, "Resume", "Fine.")
    expect(people[0].locator("[data-paused]")).to_be_hidden()
    said = []
    for page in people:
        with page.expect_response(f"**/flash/{sale}/wait"):
            page.reload()
        said.append(page.locator("[data-place]").inner_text())
    assert said == places
    assert sorted(places) == ["1", "2", "3"]
    _act(operator, sale, "End the sale", "Enough.")
    for page in people:
        expect(page.get_by_role("heading", name="The sale is over")).to_be_visible()
        expect(page.locator("[data-news]")).to_have_text("The sale is over.")
        assert not faults(page)
    documents = [each for each in asked if "/api/v1/flash-sales/" in each.url]
    assert documents
    assert not any("cookie" in each.all_headers() for each in documents)
    assert sum(each.url.endswith("/wait") for each in asked) == len(people)  # those that we asked for
