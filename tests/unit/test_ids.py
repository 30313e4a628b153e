"""Ids carry their time, and say which were made before a moment."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercat import ids

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC))
MILLISECOND = timedelta(milliseconds=1)


@given(MOMENTS)
def test_the_time_inside_an_id_is_the_millisecond_it_was_made_in(moment: datetime) -> None:
    made = ids.IdMaker(255, lambda: int(moment.timestamp() * 1_000))(ids.OrderId)
    assert abs(ids.made_at(made) - moment) <= MILLISECOND
    assert ids.first_of(moment) <= made < ids.first_of(moment + 2 * MILLISECOND)


def test_before_there_were_ids_the_first_is_zero() -> None:
    assert ids.first_of(datetime(1999, 12, 31, tzinfo=UTC)) == 0
    assert ids.made_at(0) == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_process_without_a_number_of_its_own_makes_no_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_makers", [])
    monkeypatch.setattr(ids, "_maker", None)
    with pytest.raises(RuntimeError, match="worker number"):
        ids.new(ids.OrderId)
    maker = ids.work_as(63)
    assert ids.new(ids.OrderId)
    ids.stop(maker)
    with pytest.raises(RuntimeError, match="worker number"):
        ids.new(ids.OrderId)


def test_256_workers_make_different_ids_in_one_millisecond_and_bucket() -> None:
    makers = [ids.IdMaker(worker, lambda: 1_800_000_000_000) for worker in range(ids.WORKERS)]
    made = [maker(ids.OrderId, 5) for maker in makers for _ in range(17)]
    assert len({*made}) == len(made)
    assert {each.bucket for each in made} == {5}


@pytest.mark.parametrize("clock_goes", ["on", "back"])
def test_no_id_is_made_after_its_lease(clock_goes: str) -> None:
    now = [1_800_000_000_000]
    maker = ids.IdMaker(7, lambda: now[0])
    maker.lapse(now[0] + 1_000, time.monotonic_ns() + 10**12)
    assert maker(ids.OrderId)
    if clock_goes == "on":  # also while the machine slept, when the monotonic clock stood still
        now[0] += 1_001
    else:
        now[0] -= 3_600_000
        maker.lapse(now[0] + 10**9, time.monotonic_ns() - 1)
    with pytest.raises(ids.NumberLapsed):
        maker(ids.OrderId)
    maker.lapse(now[0] + 10**9, time.monotonic_ns() + 10**12)
    assert maker(ids.OrderId)


def test_a_burst_runs_ahead_of_the_clock_no_further_than_its_lease() -> None:
    maker = ids.IdMaker(7, lambda: 1_800_000_000_000)
    maker.lapse(1_800_000_000_000 + 2, time.monotonic_ns() + 10**12)
    made = [maker(ids.OrderId) for _ in range(3 * 16)]
    assert len({*made}) == len(made)
    with pytest.raises(ids.NumberLapsed):
        maker(ids.OrderId)
