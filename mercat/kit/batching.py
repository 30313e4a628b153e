"""Coalescing: many callers, one statement.

While one batch is in flight the next one gathers, so a batch is whatever arrived meanwhile: one ask
when the shop is quiet (no added wait), hundreds at the peak. Nothing is timed and nothing is tuned.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

import asyncpg
import structlog

from mercat.kit.db_errors import AWAY, WRONG_VALUE, unavailable
from mercat.kit.refusals import Overloaded, Unavailable

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")
log = structlog.get_logger("mercat.batching")
_ROLLED_BACK_TRIES = 20


class Coalescer(Generic[Ask, Answer]):
    """Turns a function of many asks into a function of one: `await coalescer(ask) -> answer`.

    `flush` is one transaction and returns one answer an ask, in the same order. An answer that is an
    exception is raised to that caller alone. `weigh` gives an ask's rows where they are many.
    """

    def __init__(
        self,
        flush: Callable[[list[Ask]], Awaitable[Sequence[Answer | Exception]]],
        *,
        batch_max: int = 500,
        waiting_max: int = 20_000,
        patience_s: float = 10.0,
        weigh: Callable[[Ask], int] | None = None,
        turns: bool = True,
    ) -> None:
        """Make a coalescer; `turns` makes its batches take turns with those of the whole process.

        While a few statements run, the other batches grow. Nobody waits in a quiet shop; only what is quick
        anyway goes without."""
        self._flush = flush
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._patience_s = patience_s
        self._weigh = weigh
        self._turns = turns
        self._waiting: deque[tuple[Ask, asyncio.Future[Answer], float]] = deque()
        self._draining: asyncio.Task[None] | None = None
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, ask: Ask) -> Answer:
        if self._closed or len(self._waiting) >= self._waiting_max:
            raise Overloaded
        loop = self._loop or self._remember_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((ask, answer, loop.time()))
        if self._draining is None or self._draining.done():
            self._draining = loop.create_task(self._drain())
        return await answer

    def _remember_loop(self) -> asyncio.AbstractEventLoop:
        """Look up the loop once: that is a system call in Python 3.11, and a coalescer lives on one loop."""
        self._loop = asyncio.get_running_loop()
        return self._loop

    async def close(self) -> None:
        """Answer whoever waits, then refuse."""
        self._closed = True
        if self._draining:
            await asyncio.wait([self._draining])

    def _turn(self) -> AbstractAsyncContextManager[None]:
        loop = self._loop or self._remember_loop()
        if loop not in _semaphores:
            _semaphores[loop] = PrioritySemaphore(AT_ONCE)
        return _semaphores[loop].turn(self._waited)

    def _waited(self) -> float:
        """Return how long those who wait have waited, in all and roughly."""
        waiting = self._waiting
        if not waiting:
            return 0.0
        return len(waiting) * ((self._loop or self._remember_loop()).time() - waiting[0][2])

    def _next(self) -> list[tuple[Ask, asyncio.Future[Answer]]]:
        batch: list[tuple[Ask, asyncio.Future[Answer]]] = []
        too_old = (self._loop or self._remember_loop()).time() - self._patience_s
        rows = 0
        while self._waiting and rows < self._batch_max:
            ask, caller, since = self._waiting.popleft()
            if caller.done():
                continue  # gave up before we began: nothing was done for it
            if since < too_old:
                caller.set_exception(Overloaded())
                continue
            rows += self._weigh(ask) if self._weigh else 1
            batch.append((ask, caller))
        return batch

    async def _drain(self) -> None:
        batch: list[tuple[Ask, asyncio.Future[Answer]]] = []
        try:
            while self._waiting:
                async with self._turn() if self._turns else nullcontext():
                    if not (batch := self._next()):
                        break
                    answers = await self._answers([ask for ask, _ in batch])
                for (_, caller), answer in zip(batch, answers, strict=True):
                    if caller.done():
                        continue  # gave up waiting; the work is done all the same
                    if isinstance(answer, Exception):
                        caller.set_exception(answer)
                    else:
                        caller.set_result(answer)
        except BaseException as died:
            # A drain that dies must not leave anybody waiting; the next ask starts a new one.
            for caller in [caller for _, caller in batch] + [caller for _, caller, _ in self._waiting]:
                if not caller.done():
                    caller.set_exception(Unavailable())
            self._waiting.clear()
            if not isinstance(died, Exception):
                raise
            log.exception("a batch was answered wrongly")

    async def _answers(
        self, asks: list[Ask], tries: int = _ROLLED_BACK_TRIES
    ) -> Sequence[Answer | Exception]:
        try:
            answers = await self._flush(asks)
        except asyncpg.TransactionRollbackError as error:  # deadlock, serialization: nothing happened
            return await self._answers(asks, tries - 1) if tries else [error] * len(asks)
        except (*WRONG_VALUE, asyncpg.IntegrityConstraintViolationError) as error:
            # One ask spoiled the statement, which the database undid: find it by halving, and only it fails.
            if len(asks) == 1:
                return [error]
            middle = len(asks) // 2
            return [*await self._answers(asks[:middle]), *await self._answers(asks[middle:])]
        except AWAY as error:
            # Unknown whether it happened: asks are idempotent, so whoever cares asks again.
            return [unavailable(error) for _ in asks]
        except Exception as error:
            log.exception("a batch failed", asks=len(asks))
            return [error] * len(asks)
        assert len(answers) == len(asks), "a flush answers every ask"
        return answers


class PrioritySemaphore:
    """Lets a few batches of a process run at a time.

    The next is the one whose asks have waited most in all: many asks move on together in large batches, and a
    few that wait long are not forgotten."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._lines: list[tuple[Callable[[], float], asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, waited: Callable[[], float]) -> AsyncGenerator[None]:
        """Wait for a turn and keep it while the block runs; `waited` gives the priority."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(waited)
        try:
            yield
        finally:
            self._hand_on()

    async def _wait(self, waited: Callable[[], float]) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = (waited, turn)
        self._lines.append(line)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._lines.remove(line)
            else:
                self._hand_on()
            raise

    def _hand_on(self) -> None:
        there = [line for line in self._lines if not line[1].done()]  # one just cancelled leaves by itself
        if there:
            line = max(there, key=lambda line: line[0]())
            self._lines.remove(line)
            line[1].set_result(None)
        else:
            self._free += 1


AT_ONCE = 2
"""Batches of a process that run at a time."""
_semaphores: WeakKeyDictionary[asyncio.AbstractEventLoop, PrioritySemaphore] = WeakKeyDictionary()
