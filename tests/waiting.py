"""How tests wait: they ask again and again whether something is so."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Answer = TypeVar("Answer")

_PAUSE_S = 0.01
"""Between two questions. Without it, a shop in the test's own process gets no turn while its answers come
from memory, and what is waited for never happens."""


async def until(ask: Callable[[], Awaitable[Answer]], within: float = 15) -> Answer:
    """Ask until the answer is true, and return it; raise TimeoutError after `within` seconds."""
    async with asyncio.timeout(within):
        while not (answer := await ask()):
            await asyncio.sleep(_PAUSE_S)
        return answer
