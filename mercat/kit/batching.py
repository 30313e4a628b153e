"""Batching: many callers, one statement; and sets of them, which pass many statements together.

While one batch is in flight the next one gathers, so a batch is whatever arrived meanwhile: one ask
when the shop is quiet (no added wait), hundreds at the peak. Nothing is timed and nothing is tuned.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from copy import copy
from functools import partial, wraps
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import asyncpg
import structlog

from mercat.kit import tracing
from mercat.kit.db_errors import AWAY, WRONG_VALUE, unavailable
from mercat.kit.refusals import Overloaded, Unavailable

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")
Joining = TypeVar("Joining", bound="Member[Any]")
Owner = TypeVar("Owner")
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
        self._asked_in: dict[asyncio.Future[Answer], tracing.SpanContext | None] = {}
        """Where each ask was made, for the trace of the batch."""

    async def __call__(self, ask: Ask) -> Answer:
        if self._closed or len(self._waiting) >= self._waiting_max:
            raise Overloaded
        loop = self._loop or self._remember_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((ask, answer, loop.time()))
        if tracing.tracer is not None:
            self._asked_in[answer] = tracing.here()
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
                    asks = [ask for ask, _ in batch]
                    if tracing.tracer is None:
                        answers = await self._answers(asks)
                    else:
                        with tracing.together(self._flush, len(asks), self._places(batch)):
                            answers = await self._answers(asks)
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

    def _places(self, batch: list[tuple[Ask, asyncio.Future[Answer]]]) -> list[tracing.SpanContext | None]:
        places = [self._asked_in.pop(caller, None) for _, caller in batch]
        if not self._waiting:
            self._asked_in.clear()  # who gave up is not in a batch
        return places

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


class Member(Generic[Answer]):
    """One of a set: answered by itself, in whatever order; who has left is not waited for."""

    answered: "asyncio.Future[Answer | Callable[[], Awaitable[Answer]]]"
    left = False
    again = False
    """Whether its steps may have been asked before."""
    asked_in: tracing.SpanContext | None = None
    """Where it came from, for the trace of the set."""

    def join(self, answered: "asyncio.Future[Answer | Callable[[], Awaitable[Answer]]]") -> None:
        """Become one of a set."""
        self.answered, self.left = answered, False

    def answer(self, answer: Answer) -> None:
        """Leave the set: done."""
        self._leave(answer)

    def go_on(self, work: Callable[..., Awaitable[Answer]], *more: Any) -> None:
        """Leave the set and go on alone, in the task of whoever waits for the answer.

        `work` gets a copy, which may join other sets: this one has left for good."""
        self._leave(partial(work, copy(self), *more))

    def fail(self, error: BaseException) -> None:
        """Leave the set with an error."""
        self.left = True
        if not self.answered.done():
            self.answered.set_exception(error)

    def _leave(self, end: Answer | Callable[[], Awaitable[Answer]]) -> None:
        self.left = True
        if not self.answered.done():  # whoever waited may have given up
            self.answered.set_result(end)


def staying(members: Iterable[Joining]) -> list[Joining]:
    """List those who are still in the set."""
    return [member for member in members if not member.left]


class Sets(Generic[Joining]):
    """Lets what arrives go its way in sets, a few at a time: `await sets(member)` is the member's answer.

    `work` carries a set through and answers each member. If it fails, those that are still in the set go on
    alone, so that one that spoils a statement is found; while a part of the shop is away, all are told."""

    def __init__(
        self,
        work: Callable[[list[Joining]], Awaitable[None]],
        *,
        at_once: int,
        set_max: int = 128,
        waiting_max: int = 20_000,
        patience_s: float = 10.0,
    ) -> None:
        self._work = work
        self._at_once = at_once
        self._set_max = set_max
        self._waiting_max = waiting_max
        self._patience_s = patience_s
        self._waiting: deque[tuple[Joining, float]] = deque()
        self._running = 0
        self._drains: set[asyncio.Task[None]] = set()
        self._closed = False

    async def __call__(self, member: Joining) -> Any:
        if self._closed or len(self._waiting) >= self._waiting_max:
            raise Overloaded
        loop = asyncio.get_running_loop()
        member.join(loop.create_future())
        if tracing.tracer is not None:
            member.asked_in = tracing.here()
        self._waiting.append((member, loop.time()))
        if self._running < self._at_once:
            self._running += 1
            drain = loop.create_task(self._drain())
            self._drains.add(drain)
            drain.add_done_callback(self._drains.discard)
        end: Any = await member.answered
        go_on: Any = end if callable(end) else None
        return await go_on() if go_on else end

    async def close(self) -> None:
        """Carry through whoever waits, then refuse."""
        self._closed = True
        if self._drains:
            await asyncio.wait(list(self._drains))

    async def _drain(self) -> None:
        try:
            while self._waiting:
                await self._carry(self._next())
        except BaseException as died:
            why = Unavailable() if isinstance(died, asyncio.CancelledError) else died
            while self._waiting:  # a drain that dies must not leave anybody waiting
                self._waiting.popleft()[0].fail(why)
            raise
        finally:
            self._running -= 1

    def _next(self) -> list[Joining]:
        members: list[Joining] = []
        too_old = asyncio.get_running_loop().time() - self._patience_s
        while self._waiting and len(members) < self._set_max:
            member, since = self._waiting.popleft()
            if member.answered.done():
                continue  # gave up before we began: nothing was done for it
            if since < too_old:
                member.fail(Overloaded())
            else:
                members.append(member)
        return members

    async def _carry(self, members: list[Joining]) -> None:
        try:
            if members and tracing.tracer is None:
                await self._work(members)
            elif members:
                with tracing.together(self._work, len(members), [each.asked_in for each in members]):
                    await self._work(members)
            assert not staying(members), "a set answers each of its members"
        except Exception as error:
            left = staying(members)
            if len(members) == 1 or isinstance(error, Overloaded):
                for member in left:
                    member.fail(error)
                return
            log.warning("a set broke off; its members go on alone", members=len(left), reason=repr(error))
            for member in left:
                member.again = True
            await asyncio.gather(*(self._carry([member]) for member in left))
        except BaseException as died:
            for member in staying(members):
                member.fail(Unavailable() if isinstance(died, asyncio.CancelledError) else died)
            raise


async def through(members: Iterable[Joining], *steps: Callable[[list[Joining]], Awaitable[None]]) -> None:
    """Take members through steps, one after the other, each with those who are still in the set."""
    for step in steps:
        if going := staying(members):
            await step(going)


def set_verb(
    most: int = 1_000, weigh: Callable[[Any], int] = lambda _: 1
) -> Callable[
    [Callable[[Owner, list[Ask]], Awaitable[list[Answer]]]],
    Callable[[Owner, list[Ask]], Awaitable[list[Answer]]],
]:
    """Make a method one of sets: an answer an ask, `most` rows a transaction, nothing for an empty set.

    It is asked again where the database rolled back, and Unavailable where that is away: then it may have
    happened, or not."""

    def of_sets(
        verb: Callable[[Owner, list[Ask]], Awaitable[list[Answer]]],
    ) -> Callable[[Owner, list[Ask]], Awaitable[list[Answer]]]:
        @wraps(verb)
        async def ask(self: Owner, *args: list[Ask], **named: list[Ask]) -> list[Answer]:
            [asks] = *args, *named.values()
            answers: list[Answer] = []
            for part in _portions(asks, most, weigh):
                answers += await _retried(lambda part=part: verb(self, part))
            return answers

        return ask

    return of_sets


def _portions(asks: list[Ask], most: int, weigh: Callable[[Ask], int]) -> Iterator[list[Ask]]:
    begin = rows = 0
    for n, ask in enumerate(asks):
        weight = weigh(ask)
        if rows + weight > most and n > begin:
            yield asks[begin:n]
            begin, rows = n, 0
        rows += weight
    if begin < len(asks):
        yield asks[begin:]


async def _retried(work: Callable[[], Awaitable[Answer]]) -> Answer:
    for tries in range(_ROLLED_BACK_TRIES, -1, -1):
        try:
            return await work()
        except asyncpg.TransactionRollbackError:  # deadlock, serialization: nothing happened
            if not tries:
                raise
        except WRONG_VALUE:
            raise
        except AWAY as error:
            raise unavailable(error) from error
    raise AssertionError


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
