"""What benchmarks say of a run, and what they can be told."""

from collections import Counter
from typing import Any, cast

import pytest

from mercat.cli.lab import bench_of
from mercat.lab.bench import NAMES, options_of
from mercat.lab.bench.checkout import ShopperPool
from mercat.lab.bench.load import Result
from mercat.lab.bench.overload import _overloaded, _report


def run(latencies_ms, answered):
    result = Result()
    result.began, result.ended = 100.0, 110.0
    result.latencies = [each / 1_000 for each in latencies_ms]
    result.answered = answered
    return result


def test_a_run_is_shown_by_tenths():
    assert run([], [0.0, 0.5, 9.99, 10.0]).rates() == [2.0, 0, 0, 0, 0, 0, 0, 0, 0, 2.0]


def test_what_came_after_the_end_is_another_rate():
    assert run([], [0.5, 1.0, 4.9, 5.1, 9.0]).rate_between(0.5, 5) == 2 / 4.5


async def test_what_is_told_of_overload_is_of_one_run_at_three_times():
    """Without its lead of two seconds."""

    async def asking(connections: int, seconds: float, rate: float) -> Result:
        result = Result()
        result.answered, result.waited = [1.0, *[3.0] * 30], [9.0, *[0.2] * 30]
        result.statuses = Counter({201: 800})
        result.ended = result.began + 8
        return result

    found = await _overloaded(asking, 10)
    assert (found["best_per_s"], found["good_per_s"], found["share_of_best"]) == (100.0, 3.0, 0.03)
    assert (found["p50_ms"], found["p99_ms"]) == (200.0, 200.0)
    told = _report({"checkout": found}, 0).shown()
    assert told["ratio"] == round(told["rate_per_s"] / told["floor_per_s"], 3)


def test_a_latency_counts_in_one_part():
    found = run([1, 5, 5.1, 99, 100, 101, 9_000], []).histogram()
    assert {name: count for name, count in found.items() if count} == {
        "5": 2,
        "10": 1,
        "100": 2,
        "200": 1,
        "more": 1,
    }
    assert sum(found.values()) == 7


@pytest.mark.parametrize(
    ("name", "options"), [("browse", {"hot": True}), ("checkout", {"people": 5}), ("flash", {"lines": 3})]
)
def test_an_option_of_another_benchmark_is_refused(name, options, capsys):
    assert bench_of(name, 1, options, as_json=True) == 2
    assert "takes --" in capsys.readouterr().err


def test_every_option_is_some_benchmarks():
    taken = set().union(*(options_of(name) for name in NAMES))
    assert {"people", "products", "rate", "fault", "lines", "hot", "kafka", "promotions"} <= taken


class _Shop:
    class host:
        store = None


@pytest.mark.parametrize(("lines", "hot"), [(1, True), (2, True), (2, False), (100, True), (100, False)])
def test_baskets_have_so_many_lines_and_the_hot_one(lines, hot):
    baskets = ShopperPool(cast(Any, _Shop), [], cast(Any, range(400)), lines, hot=hot)._baskets
    some = [next(baskets) for _ in range(400)]
    assert {len(each) for each in some} == {lines}
    assert all("0" in each for each in some) == hot


def test_baskets_have_the_code_that_is_given():
    offers = cast(Any, [7])
    assert next(ShopperPool(cast(Any, _Shop), [], offers, 1, code="TEN")._baskets)["codes"] == '["TEN"]'
