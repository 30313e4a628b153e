"""Batches take turns, and nobody is forgotten."""

import asyncio

from mercat.kit.batching import PrioritySemaphore


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
