"""A snapshot is read seldom, by one at a time, and is better than nothing while it cannot be read."""

import asyncio

import pytest

from mercat.kit.refusals import NotFound, Unavailable
from mercat.kit.snapshot import Snapshot


class Source:
    """Counts its readers; `answer` may be an exception."""

    def __init__(self):
        self.readings = 0
        self.answer = "first"
        self.began = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self):
        self.readings += 1
        answer = self.answer
        self.began.set()
        await self.open.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def source():
    return Source()


@pytest.fixture
async def time(monkeypatch):
    """`time[0]` is the loop's time in seconds."""
    time = [0.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: time[0])
    return time


async def test_it_is_read_again_when_it_is_no_longer_fresh(source, time):
    snapshot = Snapshot(source, 2)
    assert [await snapshot.get() for _ in range(3)] == ["first"] * 3
    source.answer, time[0] = "second", 1.9
    assert await snapshot.get() == "first"
    time[0] = 2
    assert await snapshot.get() == "second"
    assert source.readings == 2


async def test_many_who_ask_at_once_have_one_reader(source):
    snapshot = Snapshot(source, 0)
    assert await asyncio.gather(*(snapshot.get() for _ in range(100))) == ["first"] * 100
    assert source.readings == 1


async def test_one_who_goes_away_does_not_take_the_reader_from_the_others(source):
    snapshot = Snapshot(source, 2)
    source.open.clear()
    impatient, patient = asyncio.create_task(snapshot.get()), asyncio.create_task(snapshot.get())
    await source.began.wait()
    impatient.cancel()
    source.open.set()
    assert await patient == "first"


async def test_while_it_cannot_be_read_the_old_value_is_good_and_reading_is_tried_again_later(source, time):
    snapshot = Snapshot(source, 2, keeps_s=10)
    await snapshot.get()
    source.answer, time[0] = OSError("gone"), 5
    assert [await snapshot.get() for _ in range(3)] == ["first"] * 3
    assert source.readings == 2
    time[0] = 11
    with pytest.raises(Unavailable):
        await snapshot.get()
    source.answer = "back"
    assert await snapshot.get() == "back"


@pytest.mark.parametrize(("failure", "told"), [(NotFound(), NotFound), (TimeoutError(), Unavailable)])
async def test_without_any_value_the_failure_is_told(source, failure, told):
    snapshot, source.answer = Snapshot(source, 2), failure
    for _ in range(2):
        with pytest.raises(told):
            await snapshot.get()
    assert source.readings == 2


async def test_what_is_forgotten_is_read_anew_though_somebody_is_just_reading_it(source, time):
    snapshot = Snapshot(source, 2)
    source.open.clear()
    early = asyncio.create_task(snapshot.get())
    await source.began.wait()
    source.answer = "second"
    snapshot.forget()
    late = asyncio.create_task(snapshot.get())
    while source.readings < 2:
        await asyncio.sleep(0)
    source.open.set()
    assert [await early, await late, await snapshot.get()] == ["first", "second", "second"]


async def test_a_young_value_is_handed_out_while_it_is_being_read(source, time):
    snapshot = Snapshot(source, 1, waits_s=5)
    await snapshot.get()
    source.answer, time[0] = "second", 3
    assert await snapshot.get() == "first"
    while source.readings < 2 or snapshot.known == "first":
        await asyncio.sleep(0)
    assert await snapshot.get() == "second"
    source.answer, time[0] = "third", 9
    assert await snapshot.get() == "third"
