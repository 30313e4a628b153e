"""The draw is a fair order that anybody can recompute, and the pace follows how checkout does."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercat.checkout import CheckoutHealth
from mercat.flashsale import rules
from mercat.flashsale.rules import Draw


@given(
    seed=st.binary(min_size=32, max_size=32), roll=st.binary(min_size=32, max_size=32), n=st.integers(0, 300)
)
def test_everybody_has_one_place_and_every_place_one_person(seed, roll, n):
    draw = Draw(seed, roll, n)
    places = [draw.place_of(number) for number in range(1, n + 1)]
    assert sorted(places) == list(range(1, n + 1))
    assert [draw.number_of(place) for place in places] == list(range(1, n + 1))


@given(n=st.integers(0, 300), late=st.integers(1, 1_000))
def test_who_comes_after_the_start_keeps_the_number(n, late):
    draw = Draw(b"s" * 32, b"r" * 32, n)
    assert draw.place_of(n + late) == n + late == draw.number_of(n + late)


def test_a_place_in_a_draw_of_a_million_is_still_one_of_them():
    draw = Draw(b"s" * 32, b"r" * 32, 1_000_000)
    places = {draw.place_of(number) for number in range(1, 2_000)}
    assert len(places) == 1_999
    assert max(places) <= 1_000_000
    assert 400_000 < sum(places) / len(places) < 600_000
    assert all(draw.number_of(draw.place_of(number)) == number for number in (1, 77, 999_999, 1_000_000))


def test_places_do_not_depend_on_when_one_came():
    """Chi-squared over ten parts of the line, for the first hundred of a thousand in two hundred draws."""
    counts = [0] * 10
    for n in range(200):
        draw = Draw(hashlib.sha256(b"%d" % n).digest(), b"", 1_000)
        for number in range(1, 101):
            counts[(draw.place_of(number) - 1) // 100] += 1
    expected = sum(counts) / 10
    assert sum((count - expected) ** 2 / expected for count in counts) < 33.7  # p = 0.0001, 9 degrees


def test_another_list_is_another_order_though_the_seed_is_the_same():
    one, two = Draw(b"s" * 32, b"a" * 32, 100), Draw(b"s" * 32, b"b" * 32, 100)
    assert [one.place_of(n) for n in range(1, 101)] != [two.place_of(n) for n in range(1, 101)]


@pytest.mark.parametrize(
    "ill",
    [CheckoutHealth(100, 6, 0.1, 0), CheckoutHealth(100, 0, 2.0, 0), CheckoutHealth(0, 0, 0, 50)],
    ids=["errors", "slow", "hanging"],
)
def test_people_are_let_in_slower_while_checkout_does_badly(ill):
    pace = 1.0
    for _ in range(20):
        slower = rules.pace(pace, ill)
        assert slower < pace or slower == rules.PACE_MIN
        pace = slower
    for _ in range(20):
        pace = rules.pace(pace, CheckoutHealth(100, 0, 0.1, 0))
    assert pace == 1.0


def test_the_wait_is_said_only_where_it_is_known():
    assert rules.eta_s(ahead=250, rate=100, free=1_000) == 2
    assert rules.eta_s(ahead=1_000, rate=100, free=1_000) is None
    assert rules.eta_s(ahead=5, rate=0, free=1_000) is None
