"""How long whoever asked will wait: what is asked for them further on is not waited for any longer."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar

_until: ContextVar[float | None] = ContextVar("mercat_deadline", default=None)


@asynccontextmanager
async def within(seconds: float) -> AsyncGenerator[None]:
    """Give the block so long, and what it asks of neighbours; TimeoutError when that is over."""
    loop = asyncio.get_running_loop()
    mark = _until.set(loop.time() + seconds)
    try:
        async with asyncio.timeout(seconds):
            yield
    finally:
        _until.reset(mark)


def left(most: float) -> float:
    """Return how many seconds are left, `most` where nobody is known to wait, and never less than none."""
    until = _until.get()
    return most if until is None else max(0.0, min(most, until - asyncio.get_running_loop().time()))
