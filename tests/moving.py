"""Moves that are killed between any two of their statements, and begun again."""

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from msgspec.structs import replace

from mercat.cli.moves.mover import PartMover, states
from mercat.cli.moves.parts import MovingPart, Way
from mercat.settings import Settings


class KilledHere(BaseException):
    """As SIGKILL would."""


_LOOKS_MAX = 6


class Moments:
    """Counts the moments at which a process could die, and lets it at one of them."""

    def __init__(self, dies_at: int = 0) -> None:
        self.asked: Counter[str] = Counter()
        self._dies_at = dies_at
        self._count = 0

    def pass_one(self, *_: object) -> None:
        self._count += 1
        if self._count == self._dies_at:
            raise KilledHere


class DyingConnection:
    """A connection whose user may die before and after each statement. `looks` change nothing and are asked
    until something is so: they count a few times, for how often that is differs from run to run."""

    def __init__(self, db: Any, moments: Moments, looks: Collection[str] = ()) -> None:
        self._db, self._moments, self._looks = db, moments, looks

    def __getattr__(self, name: str) -> Any:
        async def ask(*given: Any, **named: Any) -> Any:
            if given and given[0] in self._looks:
                self._moments.asked[given[0]] += 1
                if self._moments.asked[given[0]] > _LOOKS_MAX:
                    return await getattr(self._db, name)(*given, **named)
            self._moments.pass_one()
            answer = await getattr(self._db, name)(*given, **named)
            self._moments.pass_one()
            return answer

        return ask


class Replaced:
    """The processes of a shop: `replace(settings)` is awaited for each in turn, as `mercat reload` does."""

    def __init__(
        self, told: Settings, workers: list[Callable[[Settings], Awaitable[None]]], meanwhile: Any
    ) -> None:
        self._told, self._workers, self._meanwhile = told, workers, meanwhile
        self.kept: dict[str, str] = {}
        self.moments = Moments()

    def now(self) -> dict[str, str]:
        return dict(self.kept)

    def settings(self) -> Settings:
        return _with(self._told, self.kept)

    def guarded(self, part: str, way: Way) -> AbstractContextManager[None]:
        return nullcontext()

    async def use(self, settings: Mapping[str, str], *, for_good: bool = False) -> None:
        self.moments.pass_one()
        self.kept = dict(settings)
        self.moments.pass_one()
        for worker in self._workers:
            await worker(self.settings())
            await self._meanwhile()
            self.moments.pass_one()


def _with(told: Settings, kept: Mapping[str, str]) -> Settings:
    known: dict[str, Any] = dict(kept)
    if "log_back" in known:
        known["log_back"] = known["log_back"] == "true"
    if "media_s3_secret_key" in known:
        known["media_s3_secret_key"] = type(told.media_s3_secret_key)(known["media_s3_secret_key"])
    return replace(told, **known)


async def nothing_is_broken() -> str:
    return "the test looks itself."


async def each_death(
    begin: Callable[[], Awaitable[tuple[Replaced, MovingPart, Mapping[str, str]]]],
    db: Any,
    way: Way,
    first: int = 1,
    step: int = 1,
) -> AsyncIterator[int]:
    """Begin a move again and again, each time killed some moments later and then begun anew; yield after
    each."""
    for dies_at in itertools.count(first, step):
        shop, part, there = await begin()
        shop.moments = Moments(dies_at)
        died = False
        try:
            dying: Any = DyingConnection(db, shop.moments)
            mover = PartMover(dying, shop, nothing_is_broken, shop.moments.pass_one)
            await mover.move(part, way, there)
        except KilledHere:
            died = True
        shop.moments = Moments()
        state = (await states(db)).get(part.name)
        if way == "there" or state is not None:
            mover = PartMover(db, shop, nothing_is_broken, lambda _: None)
            await mover.move(part, way, there)
        yield dies_at
        if not died:
            return
