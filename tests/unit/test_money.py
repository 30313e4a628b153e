"""Amounts of currencies without decimals, with two and with three."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercat import money
from mercat.orders.rules import share


@pytest.mark.parametrize(
    ("said", "currency", "kept"),
    [("79.99", "USD", 7_999), ("500", "JPY", 500), ("1.230", "KWD", 1_230), ("12", "ISK", 12)],
)
def test_amounts_are_kept_in_minor_units(said, currency, kept):
    assert money.minor(Decimal(said), currency) == kept
    assert Decimal(str(money.shown(kept, currency))) == Decimal(said)


@pytest.mark.parametrize(("said", "currency"), [("1.5", "JPY"), ("1.001", "USD"), ("1.234", "KWD")])
def test_what_cannot_be_charged_is_no_amount(said, currency):
    with pytest.raises(ValueError, match="decimal"):
        money.minor(Decimal(said), currency)


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.sampled_from([1, 10]))
def test_tax_is_the_nearest_step_half_up(amount, rate, step):
    tax = money.tax(amount, rate, step)
    assert tax % step == 0
    assert -step * 10**6 <= 2 * (amount * rate - tax * 10**6) < step * 10**6


@given(
    st.integers(0, 10**6), st.lists(st.integers(1, 1_000), min_size=1, max_size=8), st.sampled_from([1, 10])
)
def test_shares_in_any_order_are_the_whole(amount, parts, step):
    amount -= amount % step
    whole, before, shares = sum(parts), 0, []
    for part in parts:
        shares.append(share(amount, whole, before, before + part, step))
        before += part
    assert sum(shares) == amount
    assert all(each >= 0 and each % step == 0 for each in shares)
