"""What an experiment shows, and when it has to stop."""

import random

import pytest

from mercat.analytics import arm_of
from mercat.analytics.experiments import guard, needed, verdict, z_of
from mercat.analytics.messages import Arm
from mercat.ids import ExperimentId

ONE = ExperimentId(1)


def arms(visitors: int, bought_a: int, bought_b: int, ms_a: float = 20, ms_b: float = 20) -> tuple[Arm, Arm]:
    return (
        Arm(ONE, "A", visitors, bought_a, visitors, ms_a),
        Arm(ONE, "B", visitors, bought_b, visitors, ms_b),
    )


def test_a_visitor_sees_the_same_way_always_and_half_of_them_see_each():
    seen = [arm_of(ONE, visitor) for visitor in range(10_000)]
    assert seen == [arm_of(ONE, visitor) for visitor in range(10_000)]
    assert 4_800 < seen.count("A") < 5_200
    other = [arm_of(ExperimentId(2), visitor) for visitor in range(10_000)]
    assert 4_800 < sum(one == two for one, two in zip(seen, other, strict=True)) < 5_200


def test_two_proportions_are_compared_as_the_handbook_does():
    """NIST/SEMATECH e-Handbook, 7.3.3: 38 of 200 and 34 of 200 defectives less the continuity of rounding."""
    a, b = Arm(ONE, "A", 200, 34), Arm(ONE, "B", 200, 38)
    pooled = 72 / 400
    assert z_of(a, b) == pytest.approx(0.02 / (pooled * (1 - pooled) * 2 / 200) ** 0.5)
    assert z_of(a, b) == -z_of(b, a)
    assert z_of(Arm(ONE, "A"), b) == 0


def test_nothing_is_said_before_enough_visits_and_then_what_is_true():
    assert verdict(*arms(0, 0, 0), 10).needed is None
    early = verdict(*arms(1_000, 50, 90), 10)
    assert (early.outcome, early.needed) == ("open", 2 * (needed(arms(1_000, 50, 90)[0], 10) - 1_000))
    assert "more visits are needed" in early.words
    better = verdict(*arms(100_000, 5_000, 5_400), 10)
    assert (better.outcome, better.words) == ("better", "B sells 8 % more; 99 % sure.")
    assert verdict(*arms(100_000, 5_400, 5_000), 10).outcome == "worse"
    same = verdict(*arms(100_000, 5_000, 5_020), 10)
    assert (same.outcome, same.words) == ("same", "A and B sell alike: a difference of 10 % was not found.")


def test_ways_that_are_alike_are_called_so_nineteen_times_of_twenty():
    chance = random.Random(7)
    each = needed(Arm(ONE, "A", 1_000, 100), 30)

    def ordered() -> int:
        return sum(chance.random() < 0.1 for _ in range(2 * each))

    found = [verdict(*arms(2 * each, ordered(), ordered()), 30).outcome for _ in range(200)]
    assert found.count("same") > 180


@pytest.mark.parametrize(
    ("two", "said"),
    [
        (arms(1_000, 100, 40), "B sold less: 4.0% of visitors ordered, 10.0% with A."),
        (arms(1_000, 100, 80), None),
        (arms(100, 40, 1), None),
        (arms(1_000, 100, 100, 40, 200), "B was slower"),
        (arms(1_000, 100, 100, 4, 40), None),
        (arms(1_000, 100, 100, 200, 40), None),
    ],
)
def test_the_guard_stops_what_does_harm_and_nothing_else(two, said):
    because = guard(*two)
    assert because == said if said is None else because and because.startswith(said)
