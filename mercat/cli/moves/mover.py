"""The steps of a move. Where it is stands in the shop's database (`events.move`), and in its folder by which
settings it runs, so whoever is killed is begun again, and goes on.

    filling     both places are kept in step, the former answers; the other is filled and compared
    switching   the other answers alone, once the last process has been replaced
    moved       it is there (a part that is back has no row; a database that was left says `back`)

A part of which one place alone is written (`OneWriter`) is handed over when it switches. Whether it was, the
shop's folder alone says.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from time import monotonic
from typing import Any, Literal, NamedTuple, Protocol

from mercat.cli.moves.parts import MovingPart, OneWriter, PlacesDiffer, Say, Way, of_part, without
from mercat.embedded import Trouble
from mercat.kit import sql

queries = sql.load("mercat.cli.moves")
Step = Literal["filling", "switching", "moved"]


class MoveState(NamedTuple):
    """How far the move of a part is."""

    way: Way
    step: Step


class ShopSettings(Protocol):
    """The settings by which parts of the shop are elsewhere, and its processes."""

    def now(self) -> dict[str, str]:
        """Return the settings that are kept in the shop's folder."""
        ...

    async def use(self, settings: Mapping[str, str], *, for_good: bool = False) -> None:
        """Keep settings, and replace all workers; Trouble where that fails, with the former ones in use, or,
        `for_good`, with these for all that start from now on."""
        ...

    def guarded(self, part: str, way: Way) -> AbstractContextManager[None]:
        """Have somebody look whether this process dies within the block, and let writers in again, or go on
        with those that know where the part is."""
        ...


class MoveRows(Protocol):
    """What the rows are in that say how far each part is: the shop's database, wherever that is."""

    async def fetch(self, query: str, *given: Any) -> list[Any]: ...

    async def execute(self, query: str, *given: Any) -> Any: ...


async def states(db: MoveRows) -> dict[str, MoveState]:
    """Read how far each part is."""
    rows = await db.fetch(queries.states)
    return {row["part"]: MoveState(row["way"], row["step"]) for row in rows}


class PartMover:
    """Moves one part after another."""

    def __init__(
        self,
        db: MoveRows,
        shop: ShopSettings,
        audit: Callable[[], Awaitable[str]],
        say: Say,
    ) -> None:
        """`audit`: checks the laws, and says what it checked; Trouble where one is broken."""
        self._db = db
        self._shop = shop
        self._audit = audit
        self._say = say

    async def move(self, part: MovingPart, way: Way, there: Mapping[str, str]) -> None:
        """Move a part, from wherever it stands now. `there`: the settings that it is there by; none where it
        goes back and the shop has none of it: it is here alone already, and only that is not written down.
        Of a part that one place alone is written of they are those of the place that was left then."""
        before = (await states(self._db)).get(part.name)
        if before == MoveState(way, "moved") and of_part(self._shop.now(), part):
            self._say(f"{part.name}: it is there already.")
            return
        if before and before.way == part.cannot_turn_back != way:
            raise Trouble(f"{part.name} is on its way {before.way}. First finish that.")
        if before and before.way != way and before.step != "moved" and isinstance(part, OneWriter):
            await self._keep_where_it_is(part, before)
            return
        if before and before.way != way and (before.step == "filling" or not there):
            await self._turn_round(part, way, there, before)
            return
        if before is None or before.way != way or before.step != "switching":
            await self._fill(part, way, there)
        await self._switch(part, way, there)

    async def _fill(self, part: MovingPart, way: Way, there: Mapping[str, str]) -> None:
        await self._check(part, way)
        await self._note(part, way, "filling")
        meanwhile = part.while_moving(way)
        if meanwhile is not None:
            self._say(f"{part.name}: the shop keeps both places in step from now on.")
            await self._shop.use({**without(self._shop.now(), part), **there, **meanwhile})
        try:
            await part.fill(way, lambda line: self._say(f"{part.name}: {line}"))
            self._say(f"{part.name}: {await part.verify(way)}")
        except PlacesDiffer as differs:
            raise Trouble(
                f"{part.name}: {differs} The former place serves on. Run this again, or give it up: "
                f"{_other_way(part, way)}"
            ) from None
        await self._note(part, way, "switching")

    async def _switch(self, part: MovingPart, way: Way, there: Mapping[str, str]) -> None:
        others = _at_rest(part, self._shop.now())
        settings = {**others, **there} if way == "there" else others
        if isinstance(part, OneWriter):
            await self._hand_over(part, way, settings)
        else:
            await self._shop.use(settings)
        await part.settle(way, lambda line: self._say(f"{part.name}: {line}"))
        await self._end(part, way)

    async def _hand_over(self, part: OneWriter, way: Way, settings: Mapping[str, str]) -> None:
        """Let it be written there from now on. What was handed over already only needs its processes."""
        if not self._is_handed_over(part, way):
            await self._check(part, way)
        begun = monotonic()
        with self._shop.guarded(part.name, way):
            try:
                if not self._is_handed_over(part, way):
                    self._say(f"{part.name}: nothing is written for some seconds.")
                    await part.hand_over(way, lambda line: self._say(f"{part.name}: {line}"))
                    self._say(f"{part.name}: it is handed over after {monotonic() - begun:.1f} s.")
                await self._shop.use(settings, for_good=True)
            except (Exception, asyncio.CancelledError, KeyboardInterrupt) as failed:
                if not self._is_handed_over(part, way):
                    await self._let_in_again(part, way)
                if isinstance(failed, PlacesDiffer):
                    raise Trouble(f"{part.name}: {failed} The former place serves on.") from None
                raise
        self._say(f"{part.name}: all is written there after {monotonic() - begun:.1f} s.")

    async def _check(self, part: MovingPart, way: Way) -> None:
        if isinstance(part, OneWriter):
            try:
                await part.check(way)
            except PlacesDiffer as differs:
                raise Trouble(f"{part.name}: {differs} Nothing was changed.") from None

    async def _let_in_again(self, part: OneWriter, way: Way) -> None:
        """Let writers in where it stays, also where this command is being ended. Where that fails the guard
        tries on, as it does not hear that all ended well."""
        try:
            await asyncio.shield(part.let_in(way))
        except Exception as failed:
            self._say(f"{part.name}: writers are not let in yet ({failed}); it is tried for some minutes.")

    async def _keep_where_it_is(self, part: OneWriter, before: MoveState) -> None:
        """Give up a move that has handed over nothing yet."""
        if before.step == "switching" and self._is_handed_over(part, before.way):
            raise Trouble(
                f"{part.name} is written there already. First finish that: {_this_way(part, before.way)}"
            )
        self._say(f"{part.name}: the move that was begun is given up.")
        await part.let_in(before.way, stays=True)
        if before.way == "there":
            await self._forget(part)
        else:
            await self._note(part, "there", "moved")
            self._say(f"{part.name}: done.")

    def _is_handed_over(self, part: MovingPart, way: Way) -> bool:
        return bool(of_part(self._shop.now(), part)) == (way == "there")

    async def _turn_round(
        self, part: MovingPart, way: Way, there: Mapping[str, str], before: MoveState
    ) -> None:
        """Give up a move the other way that has not switched yet: where this leads to is whole still."""
        self._say(f"{part.name}: the move that was begun is given up.")
        if before.step == "filling" and part.while_moving(before.way) is None:
            await self._forget(part)  # no process was told anything
            return
        await self._switch(part, way, there)

    async def _end(self, part: MovingPart, way: Way) -> None:
        try:
            self._say(f"{part.name}: {await self._audit()}")
        except Trouble as broken:
            raise Trouble(
                f"{part.name} has switched, and {broken} See `mercat audit`. Mend it and run this again, "
                f"or go the other way: {_other_way(part, way)}"
            ) from None
        if way == "there":
            await self._note(part, way, "moved")
            self._say(f"{part.name}: done.")
        else:
            await self._forget(part)

    async def _forget(self, part: MovingPart) -> None:
        await self._db.execute(queries.forget, part.name)
        self._say(f"{part.name}: done.")

    async def _note(self, part: MovingPart, way: Way, step: Step) -> None:
        await self._db.execute(queries.note, part.name, way, step)


def _at_rest(part: MovingPart, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of all other parts, which do not move."""
    others = without(settings, part)
    for way in ("there", "back"):
        for name in part.while_moving(way) or ():
            others.pop(name, None)
    return others


def _other_way(part: MovingPart, way: Way) -> str:
    return _this_way(part, "back" if way == "there" else "there")


def _this_way(part: MovingPart, way: Way) -> str:
    return f"mercat move-in {f'--to FILE --only {part.name}' if way == 'there' else f'--back {part.name}'}"
