"""The operator's desk for money: the books, a difference that is resolved, and work that goes on again."""

import psycopg2
import pytest
from browser.conftest import DESK, PHONE
from browser.steps import fill_in, press_until_ordered, put_in_cart, sign_in
from playwright.sync_api import expect

from mercat import ids

A_CASE = """
insert into payments.matter (case_id, provider, kind, subject, ours, theirs, currency, opened_at, seen_at)
values (%s, 'sandbox', 'refund_differs', %s, 0, 500, 'USD', now(), now())
"""
PARKED = """
insert into checkout.undoing (reference, order_id, record, lease_until, tries, parked)
values (%s, %s, %s, now(), 20, 'LookupError: the bank knew nothing')
"""
ACCOUNTS = ["Held by the payment provider", "Payable to sellers", "Commission earned", "Tax collected"]


@pytest.fixture
def owner(open_shop):
    told = open_shop.postgres()
    told["dbname"] = told.pop("database")
    connection = psycopg2.connect(**told)
    connection.autocommit = True
    with connection.cursor() as cursor:
        yield cursor
    connection.close()


def test_the_books_balance_on_the_desk(visit):
    page = visit()
    put_in_cart(page)
    page.goto("/checkout")
    fill_in(page)
    press_until_ordered(page)
    page = visit()
    sign_in(page, "ops", "/operator/money")
    page.get_by_role("button", name="Add up the journal").click()
    expect(page.get_by_text("The books balance in USD.")).to_be_visible()
    table = page.get_by_role("region", name="Trial balance")
    for account in ACCOUNTS:
        expect(table.get_by_text(account)).to_be_visible()


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_case_is_found_by_its_kind_and_resolved_with_a_note(visit, owner, faults, width):
    subject = f"pi_of_{width}"
    owner.execute(A_CASE, (int(ids.new(ids.CaseId)), subject))
    page = visit(width)
    sign_in(page, "ops", "/operator/money")
    assert faults(page) == []
    page.get_by_label("Kind").select_option("amount_differs")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No open cases")).to_be_visible()
    page.get_by_label("Kind").select_option("refund_differs")
    page.get_by_role("button", name="Show").click()
    row = page.locator("tr", has_text=subject)
    row.get_by_label("What was done").fill("Booked by hand.")
    row.get_by_role("button", name="Resolve").click()
    page.wait_for_url("**/operator/money")
    expect(page.get_by_text(subject)).to_have_count(0)
    page.get_by_role("link", name="Resolved").click()
    expect(page.locator("tr", has_text=subject)).to_contain_text("Booked by hand.")


def test_what_is_parked_is_taken_up_again(visit, owner, faults):
    order_id = ids.new(ids.OrderId)
    record = f'{{"order_id": "{order_id}", "lines": []}}'
    owner.execute(PARKED, (f"return/{int(order_id)}", int(order_id), record))
    page = visit(PHONE)
    sign_in(page, "ops", "/operator/parked")
    assert faults(page) == []
    row = page.locator("tr", has_text=str(order_id))
    expect(row).to_contain_text("the bank knew nothing")
    row.get_by_role("button", name="Retry").click()
    expect(page.get_by_text(str(order_id))).to_have_count(0)
    owner.execute("delete from checkout.undoing where order_id = %s", (int(order_id),))


def test_the_desk_is_the_operators(visit):
    page = visit()
    sign_in(page, "ann")
    for path in ("/operator/money", "/operator/parked"):
        assert page.goto(path).status == 403
