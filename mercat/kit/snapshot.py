"""A value that many ask for and few read: read again at most every so often, by one reader at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from typing import Generic, TypeVar

from mercat.kit.db_errors import AWAY, unavailable
from mercat.kit.refusals import Refusal

Value = TypeVar("Value")


class Snapshot(Generic[Value]):
    """A value as it was at most `fresh_s` seconds ago, or longer ago while it cannot be read.

    Who asks while it is being read waits for that reader; a value younger than `waits_s` is handed out
    meanwhile. Where reading fails, it is tried again after `fresh_s`, and the value is good until it is
    `keeps_s` old; after that `get` raises Unavailable, or the refusal that reading met. None is no value. For
    one event loop."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Value]],
        fresh_s: float,
        *,
        waits_s: float = 0,
        keeps_s: float = inf,
    ) -> None:
        self.fresh_s = fresh_s
        self.known: Value | None = None
        """The last value read, however old."""
        self._read = read
        self._waits_s = waits_s
        self._keeps_s = keeps_s
        self._read_at = self._due = -inf
        self._reading: asyncio.Task[Value] | None = None

    async def get(self) -> Value:
        """Return the value, read again where it is due."""
        now = asyncio.get_running_loop().time()
        if self.known is not None and now < self._due:
            return self.known
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_again(now))
            self._reading.add_done_callback(_retrieve)
        if self.known is not None and now - self._read_at < self._waits_s:
            return self.known
        return await asyncio.shield(self._reading)

    def forget(self) -> None:
        """Read the value anew when it is next asked for: it has changed, perhaps while it was being read."""
        self._read_at = self._due = -inf
        self._reading = None

    async def _read_again(self, began: float) -> Value:
        me = asyncio.current_task()
        try:
            value = await self._read()
        except (Refusal, *AWAY) as error:
            if self.known is None or began - self._read_at > self._keeps_s:
                raise error if isinstance(error, Refusal) else unavailable(error) from error
            if self._reading is me:
                self._due = asyncio.get_running_loop().time() + self.fresh_s
            return self.known
        else:
            if self._reading is me:
                self.known, self._read_at, self._due = value, began, began + self.fresh_s
            return value
        finally:
            if self._reading is me:
                self._reading = None


def _retrieve(reading: "asyncio.Task[Value]") -> None:
    """Keep asyncio from logging the failure of a reader that nobody waited for: the next one raises it."""
    if not reading.cancelled():
        reading.exception()
