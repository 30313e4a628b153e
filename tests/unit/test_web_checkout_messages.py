"""What a page says of a refused checkout."""

import pytest

from mercat.checkout import CartEmpty, Refused
from mercat.web.checkout_messages import UNMOVED, checkout_message
from mercat.web.routes import TABLE

BUY = next(route for route in TABLE if route.name == "buy")


@pytest.mark.parametrize("code", BUY.refuses)
def test_each_refusal_says_what_happened_whether_money_moved_and_what_to_do(code):
    said = checkout_message(Refused(code, "In its own words.", {}))
    assert said.title
    assert "charged" in said.money
    assert said.todo
    assert "{" not in said.what


def test_a_declined_card_says_why_where_the_bank_does():
    assert "security code" in checkout_message(_declined("incorrect_cvc")).what
    assert checkout_message(_declined("mystery")).what == "The bank said no to this payment."


@pytest.mark.parametrize("reason", ["authentication_failed", "not_confirmed", "abandoned"])
def test_who_did_not_approve_a_payment_is_not_told_that_the_bank_declined_the_card(reason):
    said = checkout_message(_declined(reason))
    assert said.title == "The payment was not approved"
    assert said.what


def test_a_refusal_that_was_not_stored_is_said_in_its_own_words():
    said = checkout_message(CartEmpty())
    assert said.what == str(CartEmpty())
    assert said.money != UNMOVED, "an order may have been placed before"


def _declined(reason: str) -> Refused:
    return Refused("payment_declined", "", {"reason": reason})
