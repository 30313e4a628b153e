"""Batches take turns, sets wait for nobody, and nobody is forgotten."""

import asyncio
from typing import Any

import pytest

from mercat.kit.batching import Member, PrioritySemaphore, Sets, set_verb, through
from mercat.kit.refusals import Overloaded, Unavailable


async def test_the_next_turn_is_theirs_who_waited_most_in_all() -> None:
    turns = PrioritySemaphore(1)
    came: list[str] = []

    async def pass_through(name: str, waited: float) -> None:
        async with turns.turn(lambda: waited):
            came.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(
        pass_through("first", 0), pass_through("few", 2), pass_through("many", 9), pass_through("some", 5)
    )
    assert came == ["first", "many", "some", "few"]


async def test_who_gives_up_while_waiting_keeps_no_turn() -> None:
    turns = PrioritySemaphore(1)
    inside = asyncio.Event()

    async def wait() -> None:
        async with turns.turn(lambda: 1.0):
            inside.set()

    async with turns.turn(lambda: 0.0):
        gone, stays = asyncio.create_task(wait()), asyncio.create_task(wait())
        await asyncio.sleep(0)
        gone.cancel()
    async with asyncio.timeout(5):
        await stays
    assert inside.is_set()
    assert gone.cancelled() or await _was_cancelled(gone)


async def test_a_turn_given_to_who_is_just_cancelled_goes_on_to_the_next() -> None:
    turns = PrioritySemaphore(1)
    passed: list[str] = []

    async def wait(name: str) -> None:
        async with turns.turn(lambda: 2.0 if name == "gone" else 1.0):
            passed.append(name)

    async with turns.turn(lambda: 0.0):
        gone, stays = asyncio.create_task(wait("gone")), asyncio.create_task(wait("stays"))
        await asyncio.sleep(0)
    gone.cancel()  # after the turn was handed to it, before it could take it
    async with asyncio.timeout(5):
        await stays
    assert passed == ["stays"]


async def _was_cancelled(task: "asyncio.Task[None]") -> bool:
    try:
        await task
    except asyncio.CancelledError:
        return True
    return False


class Number(Member[int]):
    def __init__(self, number: int) -> None:
        self.number = number


async def test_who_leaves_a_set_is_answered_before_it_is_through() -> None:
    goes_on, left = asyncio.Event(), asyncio.Event()

    async def alone(one: Number) -> int:
        left.set()
        return -one.number

    async def work(members: list[Number]) -> None:
        members[0].go_on(alone)
        await goes_on.wait()
        for member in members[1:]:
            member.answer(member.number)

    sets = Sets(work, at_once=1)
    asks = [asyncio.create_task(sets(Number(n))) for n in (1, 2, 3)]
    async with asyncio.timeout(5):
        assert await asks[0] == -1
    assert left.is_set()
    assert not asks[1].done()
    goes_on.set()
    assert await asyncio.gather(*asks) == [-1, 2, 3]


async def test_who_goes_on_alone_may_join_other_sets_and_is_not_in_the_first_any_more() -> None:
    seen: list[list[int]] = []

    async def leave(members: list[Number]) -> None:
        members[0].go_on(others)
        await asyncio.sleep(0.01)

    async def note(members: list[Number]) -> None:
        seen.append([member.number for member in members])
        for member in members:
            member.answer(member.number)

    others = Sets(note, at_once=1)
    firsts = Sets(lambda members: through(members, leave, note), at_once=1)
    assert await asyncio.gather(*(firsts(Number(n)) for n in (1, 2, 3))) == [1, 2, 3]
    assert sorted(seen) == [[1], [2, 3]]


async def test_one_that_spoils_a_set_fails_alone() -> None:
    async def work(members: list[Number]) -> None:
        if any(member.number == 13 for member in members):
            raise LookupError("spoilt")
        for member in members:
            member.answer(member.number + 1000 * member.again)

    sets = Sets(work, at_once=1)
    answers = await asyncio.gather(*(sets(Number(n)) for n in (12, 13, 14)), return_exceptions=True)
    assert [answers[0], answers[2]] == [1012, 1014]
    assert isinstance(answers[1], LookupError)


async def test_while_a_part_is_away_all_of_a_set_are_told_and_asked_once() -> None:
    asked: list[int] = []

    async def work(members: list[Number]) -> None:
        asked.append(len(members))
        raise Unavailable

    sets = Sets(work, at_once=1)
    answers = await asyncio.gather(*(sets(Number(n)) for n in range(5)), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert asked == [5]


async def test_no_more_sets_are_on_their_way_than_may_be_and_nobody_waits_for_ever() -> None:
    under_way = most = 0

    async def work(members: list[Number]) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        for member in members:
            member.answer(member.number)

    sets = Sets(work, at_once=2, set_max=3)

    async def comes(n: int) -> int:
        await asyncio.sleep(n * 0.0002)
        return await sets(Number(n))

    async with asyncio.timeout(10):
        assert await asyncio.gather(*(comes(n) for n in range(60))) == list(range(60))
    assert most == 2
    await sets.close()
    with pytest.raises(Overloaded):
        await sets(Number(1))


async def test_a_set_that_dies_leaves_nobody_waiting() -> None:
    class Death(BaseException):
        pass

    async def work(members: list[Number]) -> None:
        await asyncio.sleep(0)
        raise Death

    sets = Sets(work, at_once=1, set_max=2)
    answers = await asyncio.gather(*(sets(Number(n)) for n in range(5)), return_exceptions=True)
    assert all(isinstance(answer, Death) for answer in answers)


async def test_a_verb_of_sets_takes_them_in_portions_and_asks_nothing_for_an_empty_one() -> None:
    class Scales:
        def __init__(self) -> None:
            self.portions: list[list[int]] = []

        @set_verb(10, weigh=lambda number: number)
        async def weigh(self, numbers: list[int]) -> list[int]:
            self.portions.append(numbers)
            return [2 * number for number in numbers]

    scales = Scales()
    assert await scales.weigh([]) == []
    named: Any = scales.weigh  # as the routes call it
    assert await named(numbers=[4, 5, 6, 30, 1]) == [8, 10, 12, 60, 2]
    assert scales.portions == [[4, 5], [6], [30], [1]]
