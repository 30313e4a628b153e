"""How a process of the simulator dies, loses an answer or falls asleep.

Every statement, commit and Valkey call of a shop goes through its `SimulatedProcess`, one at a time in the
whole simulation (`turns.py`); so the same seed does the same again.
"""

import asyncio
import math
import random
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Literal, NamedTuple, cast

import asyncpg

from mercat.cart import scripts
from mercat.kit.composition import parts_of
from mercat.kit.refusals import Unavailable
from mercat.kit.valkey import Command, Store
from mercat.lab.simulate.mutations import Mutation
from mercat.lab.simulate.turns import Turns
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


class Crash(Exception):
    """The process died here."""


class Point(NamedTuple):
    """A place to break off: a statement, a commit or a call of Valkey, and how."""

    name: str
    moment: Moment


class FaultPlan:
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
        """Decide whether this one breaks off, and how; it counts as passed."""
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


class SimulatedProcess:
    """A shop whose statements and calls may be the last thing that it does."""

    def __init__(self, name: str, shop: Shop, turns: Turns, mutation: Mutation | None) -> None:
        self.name = name
        self.shop = shop
        self.turns = turns
        self.plan: FaultPlan | None = None
        self.dead = False
        self.wake = asyncio.Event()
        self.asleep = 0
        self.seen: list[Callable[[str, tuple[Any, ...], Any], None]] = []
        self.sorts: Callable[[str, Any], Any] | None = None
        self._mutation = mutation
        self._texts: dict[str, str] = {}
        # Of claims that come together the smaller id is the first, and ids are not of the seed.
        cast(Any, shop.flashsale)._passes._claims._batch_max = 1
        parts = [part for service in shop.host.here.values() for part in parts_of(service)]
        for part in parts:
            if "_db" in getattr(part, "__dict__", ()):
                vars(part)["_db"] = FaultyPool(vars(part)["_db"], self)
        for name_of_store, store in (("store", shop.host.store), ("cache", shop.host.cache)):
            self._intercept(name_of_store, store)
        if mutation and mutation.spoil:
            mutation.spoil(shop)

    async def look_at_sales(self) -> None:
        """Look at sales, promotions, zones, taxes, markets and commissions once a seed: all would look again
        by the machine's clock."""
        shop = cast(Any, self.shop)
        preparation = shop.checkout.preparation
        commissions = preparation._commissions
        for snapshot in (
            shop.flashsale._sales._standing,
            shop.checkout.gate._offers,
            shop.promotions._standing,
            shop.fulfilment._profiles,
            shop.pricing._tax._known,
            commissions._rules,
            commissions._parents,
            preparation._prices._known,
            shop.cart._prices._known,
        ):
            snapshot.forget()
            await snapshot.get()
            snapshot._due = math.inf

    def begin(self, plan: FaultPlan) -> None:
        """Begin a seed: alive, awake, with a plan of its own."""
        self.plan, self.dead, self.wake, self.asleep = plan, False, asyncio.Event(), 0

    def text(self, statement: str) -> str:
        """Answer the statement as the mutation has it."""
        if not self._mutation or not self._mutation.rewrites:
            return statement
        if statement not in self._texts:
            old_and_new = self._mutation.rewrites.get(_named(statement), ())
            spoilt = statement
            for old, new in old_and_new:
                if old not in spoilt:
                    raise RuntimeError(f"{_named(statement)} has changed: the mutation no longer fits.")
                spoilt = spoilt.replace(old, new)
            self._texts[statement] = spoilt
        return self._texts[statement]

    async def statement(self, work: Any, text: str, args: tuple[Any, ...], *, alone: bool) -> Any:
        """Execute a statement through the plan. `alone`: outside of a transaction, in a turn of its own."""
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
        """Do one piece of work in its turn, unless the plan breaks it off. `lost` is raised where its answer
        is."""
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

    def _intercept(self, name: str, store: Store) -> None:
        pipeline = cast(Any, store)._pipeline
        hashes: dict[str, str] = vars(store)["_hashes"]

        async def in_its_turn(commands: list[Command]) -> list[Any]:
            called, writes = _called(commands[0], hashes)

            async def ask() -> Any:
                return await pipeline(commands)

            try:
                return await self.through(f"{name}.{called}", ask, Unavailable, writes=writes)
            except Unavailable as away:
                return [away] * len(commands)

        vars(store)["_pipeline"] = in_its_turn


class FaultyPool:
    """A pool or a connection whose statements go through a process."""

    def __init__(
        self, of: Any, process: SimulatedProcess, *, alone: bool = True, gone: type[Crash] = Crash
    ) -> None:
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

        async def in_its_turn(text: str, *args: Any) -> Any:
            self._last = _named(text)
            with self._dying():
                return await self._process.statement(work, text, args, alone=self._alone)

        return in_its_turn

    @contextmanager
    def _dying(self) -> Generator[None]:
        try:
            yield
        except Crash as crash:
            raise self._gone from crash

    @asynccontextmanager
    async def acquire(self) -> AsyncGenerator[Any]:
        """Take a connection, and the turn until it is given back: nobody else could lock its rows."""
        process = self._process
        async with process.turns.turn(f"{process.name} connection"):
            if process.dead and not process.turns.free:
                raise self._gone
            async with self._of.acquire() as connection:
                yield FaultyPool(connection, process, alone=False, gone=self._gone)

    def transaction(self, **how: Any) -> AbstractAsyncContextManager[None]:
        """Begin a transaction whose commit goes through the plan, too."""
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
