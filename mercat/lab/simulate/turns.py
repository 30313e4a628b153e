"""Whose turn it is: one thing happens at a time in the whole simulation, and the seed's dice say which."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

_ROUNDS = 25


class Turns:
    """One thing at a time. Once everybody waits for a turn, the dice say who has the next."""

    def __init__(self) -> None:
        self.dice = random.Random(0)
        self.free = False
        self.trace: list[str] = []
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._came = asyncio.Event()
        self._done = asyncio.Event()
        self._busy = False

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncGenerator[None]:
        """Wait for a turn, and have it until the block ends."""
        if self.free:  # the stage is being set
            yield
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((name, mine))
        await mine
        self.trace.append(name)
        try:
            yield
        finally:
            self._busy = False
            self._done.set()

    async def until_quiet(self) -> None:
        """Give turns until nobody waits for one: all have ended, or sleep."""
        while True:
            for _ in range(_ROUNDS):  # let everybody come to where they wait
                await asyncio.sleep(0)
            if not self._waiting:
                return
            _, chosen = self._waiting.pop(self.dice.randrange(len(self._waiting)))
            if chosen.done():
                continue
            self._busy = True
            self._done.clear()
            chosen.set_result(None)
            await self._done.wait()
