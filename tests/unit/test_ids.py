"""Ids carry their time, and say which were made before a moment."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercat import ids

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC))
MILLISECOND = timedelta(milliseconds=1)


@given(MOMENTS)
def test_the_time_inside_an_id_is_the_millisecond_it_was_made_in(moment: datetime) -> None:
    made = ids.IdMaker(63, lambda: int(moment.timestamp() * 1_000))(ids.OrderId)
    assert abs(ids.made_at(made) - moment) <= MILLISECOND
    assert ids.first_of(moment) <= made < ids.first_of(moment + 2 * MILLISECOND)


def test_before_there_were_ids_the_first_is_zero() -> None:
    assert ids.first_of(datetime(1999, 12, 31, tzinfo=UTC)) == 0
    assert ids.made_at(0) == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_process_without_a_number_of_its_own_makes_no_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_maker", None)
    with pytest.raises(RuntimeError, match="worker number"):
        ids.new(ids.OrderId)
    ids.work_as(63)
    assert ids.new(ids.OrderId)
