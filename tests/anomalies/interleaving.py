"""Races without luck: two processes of a shop, stopped before every statement and let on in every order.

As in context-bounded search (Musuvathi and Qadeer, 2007): one may run any number of steps, then the other all
of its, then the first goes on; so every place of each is met by the whole of the other. Beyond that, seeded
random orders.
"""

import asyncio
import random
from collections import deque
from contextlib import suppress

_GATED = ("fetch", "fetchrow", "fetchval", "execute", "executemany", "acquire", "do", "run")
_BLOCKED_S = 0.5  # a step that is not through by then waits for a row that the other holds
_STEPS_MAX = 300
_SERVICES = ("checkout", "inventory", "payments", "orders", "cart", "catalog", "accounts", "fulfilment")


class Actor:
    """One process: its statements wait at a gate while a race is on."""

    def __init__(self):
        self.stopped = deque()
        self.moved = asyncio.Event()
        self.racing = False
        self.under_way = 0
        self.task = None

    @property
    def done(self):
        return self.task.done()

    @property
    def still(self):
        return self.done or (self.under_way == 0 and bool(self.stopped))

    async def gate(self):
        if self.racing:
            passed = asyncio.get_running_loop().create_future()
            self.stopped.append(passed)
            self.moved.set()
            await passed

    def begin(self, work):
        self.racing = True
        self.task = asyncio.create_task(work)
        self.task.add_done_callback(lambda _: self.moved.set())

    async def stand(self):
        """Until it stands before its next statement, has ended, or is blocked by the other."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_BLOCKED_S):
                while not self.still:
                    self.moved.clear()
                    await self.moved.wait()

    async def step(self):
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

        async def step(*args, **more):
            await self._actor.gate()
            self._actor.under_way += 1
            try:
                return await work(*args, **more)
            finally:
                self._actor.under_way -= 1
                self._actor.moved.set()

        return step


class _Transaction:
    """What is done on one connection is one step: locks would block the other all the same."""

    def __init__(self, acquired, actor):
        self._acquired, self._actor = acquired, actor

    async def __aenter__(self):
        await self._actor.gate()
        self._actor.under_way += 1
        try:
            return await self._acquired.__aenter__()
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
    parts = [getattr(shop, name) for name in _SERVICES] + [shop.checkout.saga]
    parts.append(vars(shop.payments).get("_provider"))
    for part in parts:
        for name in ("_db", "_store"):
            if name in vars(part):
                setattr(part, name, Gated(vars(part)[name], actor))
    return actor


async def play(actors, works, order):
    """Runs the works in this order of steps; answers results (or exceptions), and who made each step."""
    made = []
    for actor, work in zip(actors, works, strict=True):
        actor.begin(work)
        await actor.stand()
    try:
        for chosen in order:
            if all(actor.done for actor in actors) or len(made) > _STEPS_MAX:
                break
            able = [n for n, actor in enumerate(actors) if actor.stopped]
            if not able:
                break
            n = chosen if chosen in able else able[0]
            made.append(n)
            await actors[n].step()
    finally:
        for actor in actors:
            actor.let_go()
        async with asyncio.timeout(30):
            results = await asyncio.gather(*(actor.task for actor in actors), return_exceptions=True)
    return results, made


def _first(who, steps):
    """`who` makes so many steps, then the other all of its, then `who` the rest."""
    yield from [who] * steps
    yield from [1 - who] * _STEPS_MAX


def _dice(seed):
    dice = random.Random(seed)
    while True:
        yield dice.randint(0, 1)


async def races(actors, scenes, limit=24, seed=7):
    """Plays `scenes() -> (works, check)` once an order, and checks what came of it."""
    works, check = await scenes()
    results, made = await play(actors, works, _first(0, _STEPS_MAX))
    await check(*results)
    places = [(who, n) for who in (0, 1) for n in range(1 - who, made.count(who))]
    if len(places) > limit * 3 // 4:
        places = sorted(random.Random(seed).sample(places, limit * 3 // 4))
    orders = [_first(*place) for place in places]
    orders += [_dice(seed + n) for n in range(limit - len(orders))]
    for order in orders:
        works, check = await scenes()
        results, _ = await play(actors, works, order)
        await check(*results)
    assert made.count(0) > 1, "a race needs steps"
    assert made.count(1) > 0, "a race needs two"
