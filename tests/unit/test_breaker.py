import asyncio

import pytest

from mercat.kit.breaker import Breaker


async def ill() -> str:
    raise OSError


async def hangs() -> str:
    await asyncio.Event().wait()
    return "never"


@pytest.mark.parametrize(("armed", "patience"), [(False, 3), (True, 1)])
async def test_it_opens_after_so_many_failures_and_after_the_first_where_it_is_armed(armed, patience):
    breaker = Breaker("shelves", failures=3, rest_s=60)
    breaker.armed = armed
    for left in reversed(range(patience)):
        assert await breaker.ask(ill(), "none") == "none"
        assert breaker.state == ("closed" if left else "open")


async def test_armed_it_waits_half_as_long():
    breaker = Breaker("shelves", timeout_s=0.1)
    waits: list[float] = []
    for breaker.armed in (False, True):
        began = asyncio.get_running_loop().time()
        assert await breaker.ask(hangs(), "none") == "none"
        waits.append(asyncio.get_running_loop().time() - began)
    assert waits[0] >= 0.1 > waits[1] >= 0.05
