"""Races without luck: two processes of a shop, stopped before every statement and let on in every order.

As in context-bounded search (Musuvathi and Qadeer, 2007), by how often one is interrupted. Once: one runs any
number of steps, then the other all of its, then the first goes on; so every place of each is met by the whole
of the other. Twice: one stops before a write, the other before one of its own, the first goes on to its end,
and then the other; between two writes nobody can tell the difference. Where leases and reservations matter,
the clock moves at the first interruption.
"""

import asyncio
import random
import re
from collections import deque
from contextlib import suppress
from typing import NamedTuple

from mercat.cart import scripts
from mercat.kit.composition import parts_of
from mercat.shop import CHECKOUT_PATH

_GATED = ("fetch", "fetchrow", "fetchval", "execute", "executemany", "acquire", "do", "run", "run_many")
_BLOCKED_S = 0.5  # a step that is not through by then waits for a row that the other holds
_STEPS_MAX = 300
_WRITES_MAX = 11
_WRITES = re.compile(r"\b(insert into|update \w|delete from|redis\.call\('(H?SET|DEL))|^(DEL|acquire)")
_SCRIPTS = {text: name for name, text in vars(scripts).items() if name.isupper()}
_SERVICES = sorted(CHECKOUT_PATH - {"flashsale"} | {"fulfilment"})


class Actor:
    """One process: its statements wait at a gate while a race is on."""

    def __init__(self):
        self.stopped = deque()
        self.mutants = {}
        self.wrong = []
        self.steps = []
        """Of the race that is on: each statement's name, and whether it writes."""
        self.moved = asyncio.Event()
        self.racing = False
        self.under_way = 0
        self.task: asyncio.Task[object] | None = None

    @property
    def done(self):
        return self.task is not None and self.task.done()

    @property
    def still(self):
        return self.done or (self.under_way == 0 and bool(self.stopped))

    def spoilt(self, text):
        """The statement or script, as a mutant has it."""
        for old, new in self.mutants.get(named(text), ()):
            assert old in text, f"{named(text)} has changed: the mutant no longer fits"
            text = text.replace(old, new)
        return text

    def watch(self, text, args, answer):
        """Who lost the lease of a purchase writes nothing more to it."""
        if named(text) in ("checkout.decide_many", "checkout.finish_many"):
            asked = set(zip(args[0], args[1], strict=True))
            self.wrong += [named(text) for row in answer if (row[0], row[1]) not in asked]

    async def gate(self, text):
        if self.racing:
            self.steps.append((named(text), bool(_WRITES.search(text))))
            passed = asyncio.get_running_loop().create_future()
            self.stopped.append(passed)
            self.moved.set()
            await passed

    def begin(self, work):
        self.racing = True
        self.steps = []
        self.task = asyncio.create_task(work)
        self.task.add_done_callback(lambda _: self.moved.set())

    async def stand(self):
        """Until it stands before its next statement, has ended, or is blocked by the other."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_BLOCKED_S):
                while not self.still:
                    self.moved.clear()
                    await self.moved.wait()

    @property
    def writes(self):
        """How many it has made, with the one before which it stands."""
        return sum(writes for _, writes in self.steps)

    async def starts(self, work):
        self.begin(work)
        await self.stand()

    async def step(self):
        if self.stopped:
            self.stopped.popleft().set_result(None)
            await self.stand()

    def let_go(self):
        self.racing = False
        while self.stopped:
            self.stopped.popleft().set_result(None)


class Gated:
    """A pool or a Valkey whose every statement is a step of its actor."""

    def __init__(self, inside, actor):
        self._inside, self._actor = inside, actor

    def __getattr__(self, name):
        work = getattr(self._inside, name)
        if name not in _GATED:
            return work
        if name == "acquire":
            return lambda *args, **more: _Transaction(work(*args, **more), self._actor)

        async def step(text, *args, **more):
            await self._actor.gate(text)
            self._actor.under_way += 1
            try:
                answer = await work(self._actor.spoilt(text), *args, **more)
                self._actor.watch(text, args, answer)
                return answer
            finally:
                self._actor.under_way -= 1
                self._actor.moved.set()

        return step


class Spoilt:
    """A connection whose statements are those of its actor's mutants."""

    def __init__(self, inside, actor):
        self._inside, self._actor = inside, actor

    def __getattr__(self, name):
        work = getattr(self._inside, name)
        if name not in _GATED:
            return work
        return lambda text, *args, **more: work(self._actor.spoilt(text), *args, **more)


class _Transaction:
    """What is done on one connection is one step: locks would block the other all the same."""

    def __init__(self, acquired, actor):
        self._acquired, self._actor = acquired, actor

    async def __aenter__(self):
        await self._actor.gate("acquire")
        self._actor.under_way += 1
        try:
            return Spoilt(await self._acquired.__aenter__(), self._actor)
        except BaseException:
            self._actor.under_way -= 1
            raise

    async def __aexit__(self, *why):
        try:
            return await self._acquired.__aexit__(*why)
        finally:
            self._actor.under_way -= 1
            self._actor.moved.set()


def gate(shop):
    """The actor whose statements all statements of this shop's buying services are from now on."""
    actor = Actor()
    parts = [part for name in _SERVICES for part in parts_of(getattr(shop, name))]
    for part in parts:
        for name in ("_db", "_store"):
            if name in getattr(part, "__dict__", ()):
                setattr(part, name, Gated(vars(part)[name], actor))
    return actor


def named(text):
    """`inventory.reserve` of `/* mercat.inventory.reserve */ …`, or the name of a script of the cart."""
    if text in _SCRIPTS:
        return _SCRIPTS[text]
    return (
        text[3:].split(" ", 1)[0].removeprefix("mercat.") if text.startswith("/*") else text.split(" ", 1)[0]
    )


class Order(NamedTuple):
    """Whose steps: `first` makes so many, the clock moves, the other goes on until it stands before its write
    of this number; `first` goes to its end, and then the other."""

    first: int
    steps: int = _STEPS_MAX
    others_writes: int = _STEPS_MAX
    ahead: float = 0


async def play(actors, works, order, moves=None):
    """Runs the works in this order; answers results (or exceptions), and how many writes the other had made
    when it was interrupted or had ended."""
    first, other = actors[order.first], actors[1 - order.first]
    try:
        await first.starts(works[order.first])
        for _ in range(order.steps):
            await first.step()
        if moves:
            moves(order.ahead)
        await other.starts(works[1 - order.first])  # who has not begun knows no time yet
        while other.stopped and other.writes < order.others_writes:
            await other.step()
        reached = other.writes
        for _ in range(_STEPS_MAX):
            await (first if first.stopped else other).step()
    finally:
        for actor in actors:
            actor.let_go()
        async with asyncio.timeout(30):
            results = await asyncio.gather(*(actor.task for actor in actors), return_exceptions=True)
    return results, reached


async def races(actors, scenes, limit=24, seed=7, moves=None, ahead=(0,)):
    """Plays `scenes() -> (works, check)` once an order, and checks what came of it. `moves(seconds)` puts the
    clock ahead, by one of `ahead`."""

    async def once(order):
        if moves:
            moves(0)
        works, check = await scenes()
        results, reached = await play(actors, works, order, moves)
        await check(*results)
        assert [actor.wrong for actor in actors] == [[], []]
        return reached

    await once(Order(0))
    steps = [actor.steps for actor in actors]
    assert len(steps[0]) > 1, "a race needs steps"
    assert steps[1], "a race needs two"
    dice = random.Random(seed)
    singles = [Order(who, n, ahead=max(ahead)) for who in (0, 1) for n in range(1 - who, len(steps[who]))]
    before = [
        (who, n, jump)
        for jump in ahead
        for who in (0, 1)
        for n, (_, writes) in enumerate(steps[who])
        if writes
    ]
    doubles = [Order(who, n, writes, jump) for who, n, jump in before for writes in range(2, _WRITES_MAX)]
    dice.shuffle(doubles)
    chosen = dice.sample(singles, min(len(singles), limit * 2 // 3))
    for order in chosen:
        await once(order)
    played, ends = len(chosen), {}
    for order in doubles:
        place = order.first, order.steps, order.ahead
        if played >= limit or order.others_writes > ends.get(place, _WRITES_MAX):
            continue
        played += 1
        reached = await once(order)
        if reached < order.others_writes:
            ends[place] = reached  # there are no more: later places are the same order
