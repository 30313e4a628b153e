"""How a process of the simulator dies, loses an answer or falls asleep, and whose turn it is.

Every statement, commit and Valkey call of a shop goes through its `Process`, one at a time in the whole
simulation. Which of those that wait goes next, the seed's dice say; so the same seed does the same again.
"""

import asyncio
import math
import random
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Literal, NamedTuple

import asyncpg

from mercat.cart import scripts
from mercat.kit.composition import parts_of
from mercat.kit.refusals import Unavailable
from mercat.kit.valkey import Command, Store
from mercat.lab.simulate.mutations import Plant
from mercat.shop import Shop

Moment = Literal["dies before", "dies after", "unanswered before", "unanswered after", "sleeps before"]
MOMENTS: tuple[Moment, ...] = (
    *("dies before", "dies after", "unanswered before", "unanswered after", "sleeps before"),
)
_WRITES = re.compile(r"\b(insert into|update|delete from)\b|redis\.call\('(H?SET|DEL)'")
_BREAKS, _FALLS_ASLEEP = 0.08, 0.25
_VERBS = ("fetch", "fetchrow", "fetchval", "execute")
_SCRIPTS = {text: name.lower() for name, text in vars(scripts).items() if name.isupper()}
_SORTED = ("checkout.take_over_lapsed", "checkout.undoing_lapsed", "payments.take_pending_webhooks")
_ROUNDS = 25


class Crash(Exception):
    """The process died here."""


class Point(NamedTuple):
    """A place to break off: a statement, a commit or a call of Valkey, and how."""

    name: str
    moment: Moment


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
        """Gives turns until nobody waits for one: all have ended, or sleep."""
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


class Plan:
    """Where it breaks off, and how: of the seed and a statement's name alone, so nothing has to be listed.

    `passed`: every statement, commit and call that came by; `met`: where it broke off."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._at: dict[str, tuple[Moment, int] | None] = {}
        self._seen: dict[str, int] = {}
        self.passed: set[str] = set()
        self.met: set[Point] = set()
        self.over = False

    def moment(self, name: str, *, writes: bool) -> Moment | None:
        self.passed.add(name)
        if self.over:
            return None
        if name not in self._at:
            self._at[name] = self._decide(name, writes)
        self._seen[name] = self._seen.get(name, 0) + 1
        planned = self._at[name]
        if planned is None or self._seen[name] != planned[1]:
            return None
        self.met.add(Point(name, planned[0]))
        return planned[0]

    def _decide(self, name: str, writes: bool) -> tuple[Moment, int] | None:
        dice = random.Random(f"{self._seed}/{name}")
        which = dice.choice((1, 1, 2))
        if writes and dice.random() < _FALLS_ASLEEP:  # the moment at which a late worker does the most harm
            return "sleeps before", which
        return (dice.choice(MOMENTS), which) if dice.random() < _BREAKS else None


class Process:
    """A shop whose statements and calls may be the last thing that it does."""

    def __init__(self, name: str, shop: Shop, turns: Turns, plant: Plant | None) -> None:
        self.name = name
        self.shop = shop
        self.turns = turns
        self.plan: Plan | None = None
        self.dead = False
        self.wake = asyncio.Event()
        self.asleep = 0
        self.seen: list[Callable[[str, tuple[Any, ...], Any], None]] = []
        self.sorts: Callable[[str, Any], Any] | None = None
        self._plant = plant
        self._texts: dict[str, str] = {}
        # Of claims that come together the smaller id is the first, and ids are not of the seed.
        vars(vars(vars(shop.flashsale)["_passes"])["_claims"])["_batch_max"] = 1
        parts = [part for service in shop.host.here.values() for part in parts_of(service)]
        for part in parts:
            if "_db" in getattr(part, "__dict__", ()):
                setattr(part, "_db", Mortal(vars(part)["_db"], self))  # noqa: B010
        for name_of_store, store in (("store", shop.host.store), ("cache", shop.host.cache)):
            self._stand_before(name_of_store, store)
        if plant and plant.spoil:
            plant.spoil(shop)

    async def look_at_sales(self) -> None:
        """Once a seed: both would look again by the machine's clock."""
        sales, gate = vars(vars(self.shop.flashsale)["_sales"]), vars(self.shop.checkout.gate)
        sales["_seen_at"] = -math.inf
        await gate["_sales"].sale_offers()
        sales["_seen_at"] = math.inf
        gate["_offers"] = {each.offer_id: each for each in await gate["_sales"].sale_offers()}
        gate["_seen_at"] = math.inf

    def begin(self, plan: Plan) -> None:
        self.plan, self.dead, self.wake, self.asleep = plan, False, asyncio.Event(), 0

    def text(self, statement: str) -> str:
        """The statement, as the plant has it."""
        if not self._plant or not self._plant.rewrites:
            return statement
        if statement not in self._texts:
            old_and_new = self._plant.rewrites.get(_named(statement), ())
            spoilt = statement
            for old, new in old_and_new:
                if old not in spoilt:
                    raise RuntimeError(f"{_named(statement)} has changed: the plant no longer fits.")
                spoilt = spoilt.replace(old, new)
            self._texts[statement] = spoilt
        return self._texts[statement]

    async def statement(self, work: Any, text: str, args: tuple[Any, ...], *, alone: bool) -> Any:
        """`alone`: outside of a transaction, so it takes a turn of its own."""
        name = _named(text)

        async def ask() -> Any:
            answer = await work(self.text(text), *args)
            if name in _SORTED and self.sorts and not self.turns.free:
                answer = sorted(answer, key=partial(self.sorts, name))
            for see in self.seen:
                see(name, args, answer)
            return answer

        lost = asyncpg.ConnectionDoesNotExistError
        return await self.through(name, ask, lost, alone=alone, writes=bool(_WRITES.search(text)))

    async def through(
        self,
        name: str,
        work: Callable[[], Awaitable[Any]],
        lost: type[Exception],
        *,
        alone: bool = True,
        writes: bool = False,
    ) -> Any:
        moment = self._moment(name, writes)
        if moment == "sleeps before":
            if alone:
                self.asleep += 1
                await self.wake.wait()
                self.asleep -= 1
            moment = None
        if not alone:
            return await self._broken_off(moment, work, lost)
        async with self.turns.turn(f"{self.name} {name} {moment or ''}"):
            return await self._broken_off(moment, work, lost)

    async def _broken_off(
        self, moment: Moment | None, work: Callable[[], Awaitable[Any]], lost: type[Exception]
    ) -> Any:
        if (self.dead and not self.turns.free) or moment == "dies before":
            self.dead = True
            raise Crash
        if moment == "unanswered before":
            raise lost("the connection broke")
        answer = await work()
        if moment == "dies after":
            self.dead = True
            raise Crash
        if moment == "unanswered after":
            raise lost("the connection broke")
        return answer

    def _moment(self, name: str, writes: bool) -> Moment | None:
        return None if self.turns.free or self.plan is None else self.plan.moment(name, writes=writes)

    def _stand_before(self, name: str, store: Store) -> None:
        together = vars(store)["_together"]
        pipeline = vars(together)["_flush"]
        hashes: dict[str, str] = vars(store)["_hashes"]

        async def perhaps_the_last(commands: list[Command]) -> list[Any]:
            called, writes = _called(commands[0], hashes)

            async def ask() -> Any:
                return await pipeline(commands)

            try:
                return await self.through(f"{name}.{called}", ask, Unavailable, writes=writes)
            except Unavailable as away:
                return [away] * len(commands)

        setattr(together, "_flush", perhaps_the_last)  # noqa: B010


class Mortal:
    """A pool or a connection whose statements go through a process."""

    def __init__(self, of: Any, process: Process, *, alone: bool = True, gone: type[Crash] = Crash) -> None:
        """`gone`: what is raised where the process dies."""
        self._of = of
        self._gone = gone
        self._process = process
        self._alone = alone
        self._last = ""

    def __getattr__(self, name: str) -> Any:
        work = getattr(self._of, name)
        if name not in _VERBS:
            return work

        async def perhaps_the_last(text: str, *args: Any) -> Any:
            self._last = _named(text)
            with self._dying():
                return await self._process.statement(work, text, args, alone=self._alone)

        return perhaps_the_last

    @contextmanager
    def _dying(self) -> Generator[None]:
        try:
            yield
        except Crash as crash:
            raise self._gone from crash

    @asynccontextmanager
    async def acquire(self) -> AsyncGenerator[Any]:
        """A connection of one's own has the turn until it is given back: nobody else could lock its rows."""
        process = self._process
        async with process.turns.turn(f"{process.name} connection"):
            if process.dead and not process.turns.free:
                raise self._gone
            async with self._of.acquire() as connection:
                yield Mortal(connection, process, alone=False, gone=self._gone)

    def transaction(self, **how: Any) -> AbstractAsyncContextManager[None]:
        return self._transaction(**how)

    @asynccontextmanager
    async def _transaction(self, **how: Any) -> AsyncGenerator[None]:
        begun = self._of.transaction(**how)
        await begun.start()
        try:
            yield
        except BaseException:
            await begun.rollback()
            raise
        ended = False

        async def commit() -> None:
            nonlocal ended
            await begun.commit()
            ended = True

        try:
            name = f"{self._last}.commit"
            with self._dying():
                await self._process.through(name, commit, asyncpg.ConnectionDoesNotExistError, alone=False)
        finally:
            if not ended:
                await begun.rollback()


def _named(statement: str) -> str:
    """`inventory.reserve` of `/* mercat.inventory.reserve */ …`."""
    if not statement.startswith("/*"):
        return "-".join(statement.split()[:2])
    return statement[3:].split(" ", 1)[0].removeprefix("mercat.")


def _called(command: Command, hashes: dict[str, str]) -> tuple[str, bool]:
    """Its name, and whether it writes."""
    if command[0] != "EVALSHA":
        return str(command[0]).lower(), command[0] in ("SET", "HSET", "DEL", "GETDEL")
    text = next((text for text, sha in hashes.items() if sha == command[1]), "")
    return _SCRIPTS.get(text, "script"), bool(_WRITES.search(text))
