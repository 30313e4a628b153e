"""Experiments: who is shown which way, what came of it, and whether to go on: decisions without IO.

A visitor is the number of the day that looks have, so nobody is known by it, and the same browser may see the
other way tomorrow. What is compared is the share of visitors who ordered after they were shown a way."""

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

from mercat.analytics.messages import Arm, ArmName, Verdict
from mercat.ids import ExperimentId

_SURE = 1.959964
"""The normal quantile of 95 %, both sides."""
_POWER = 0.841621
"""That of 80 %: how often a difference that is there is found."""
_WORSE = -3.090232
"""That of 0.1 %, one side: the guard looks often, so it believes only what is hardly chance."""
_GUARDED_VISITORS, _GUARDED_ORDERS, _GUARDED_ANSWERS = 200, 10, 200
_SLOWER, _SLOWER_MS = 1.5, 50.0
NEEDED_MAX = 10**9


def arm_of(experiment_id: ExperimentId, visitor: int) -> ArmName:
    """Say which way a visitor is shown: always the same in an experiment, and by chance in each."""
    digest = blake2b(f"{int(experiment_id)}/{visitor}".encode(), digest_size=1).digest()
    return "B" if digest[0] & 1 else "A"


def mark(experiment_id: ExperimentId, arm: ArmName) -> str:
    """Name a way of an experiment, as looks of visitors who were shown it do."""
    return f"{int(experiment_id)}/{arm}"


def z_of(a: Arm, b: Arm) -> float:
    """Compare two proportions: how many standard errors B's is above A's, with the variance of both pooled.

    NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3, "How can we determine whether two processes
    produce the same proportion of defectives?". 0 where nothing can be said."""
    if not (a.visitors and b.visitors):
        return 0.0
    pooled = (a.bought + b.bought) / (a.visitors + b.visitors)
    variance = pooled * (1 - pooled) * (1 / a.visitors + 1 / b.visitors)
    return (b.rate - a.rate) / math.sqrt(variance) if variance else 0.0


def needed(a: Arm, least_effect: int) -> int:
    """Return how many visitors each way needs, so that a difference of so many percent of A's rate is found
    in four of five experiments, and one that is not there in one of twenty.

    NIST/SEMATECH e-Handbook of Statistical Methods, 7.2.4.2, "Sample sizes required"."""
    first = a.rate
    second = min(1.0, first * (1 + least_effect / 100))
    spread = first * (1 - first) + second * (1 - second)
    if second == first:
        return NEEDED_MAX
    return min(NEEDED_MAX, math.ceil((_SURE + _POWER) ** 2 * spread / (second - first) ** 2))


def verdict(a: Arm, b: Arm, least_effect: int) -> Verdict:
    """Say what an experiment shows. Before both ways were shown to as many as are needed it says nothing:
    who looks each day and stops at the first difference finds one where there is none."""
    each = needed(a, least_effect)
    missing = max(0, each - a.visitors) + max(0, each - b.visitors)
    if each == NEEDED_MAX:
        return Verdict("open", "No difference can be seen yet: nobody who was shown A has ordered.", None)
    if missing:
        said = f"No difference can be seen yet: {missing:,} more visits are needed."
        return Verdict("open", said, missing)
    z = z_of(a, b)
    change = (b.rate / a.rate - 1) * 100
    if abs(z) < _SURE:
        return Verdict("same", f"A and B sell alike: a difference of {least_effect} % was not found.", 0)
    sure = min(99, math.floor(100 * (1 - math.erfc(abs(z) / math.sqrt(2)))))
    outcome: Literal["better", "worse"] = "better" if z > 0 else "worse"
    words = f"B sells {abs(change):.0f} % {'more' if z > 0 else 'less'}; {sure} % sure."
    return Verdict(outcome, words, 0)


def guard(a: Arm, b: Arm) -> str | None:
    """Say why an experiment has to stop now: B sells less than A beyond doubt, or answers much later."""
    sold = min(a.visitors, b.visitors) >= _GUARDED_VISITORS and a.bought + b.bought >= _GUARDED_ORDERS
    if sold and z_of(a, b) < _WORSE:
        return f"B sold less: {b.rate:.1%} of visitors ordered, {a.rate:.1%} with A."
    answered = min(a.answers, b.answers) >= _GUARDED_ANSWERS
    if answered and b.latency_ms > max(a.latency_ms * _SLOWER, a.latency_ms + _SLOWER_MS):
        slow = f"one answer of twenty took {b.latency_ms:.0f} ms and longer"
        return f"B was slower: {slow}, {a.latency_ms:.0f} ms with A."
    return None


def arms_of(experiment_id: ExperimentId, found: Sequence[Arm]) -> tuple[Arm, Arm]:
    """Find the two ways of an experiment among what was counted; one that nobody was shown has nothing."""
    known = {each.arm: each for each in found if each.experiment_id == experiment_id}
    return known.get("A", Arm(experiment_id, "A")), known.get("B", Arm(experiment_id, "B"))
