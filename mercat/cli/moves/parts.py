"""What a part of a shop is that can be elsewhere."""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import ClassVar, Literal, Protocol, TypeVar

from mercat.embedded import Connection, Home, Trouble
from mercat.settings import Settings

Way = Literal["there", "back"]
"""To where the settings file says, or back to the shop's own machine."""
Say = Callable[[str], None]
Answer = TypeVar("Answer")
Place = TypeVar("Place")
_ANSWERS_WITHIN_S = 120
_ASKED_EVERY_S = 0.5


class PlacesDiffer(Exception):
    """What was filled is not what it was filled from; the message says how."""


class PartAway(Exception):
    """An engine does not do what it is asked; the message says which and why."""


class MovingPart(Protocol):
    """A part with the two places that it can be in."""

    name: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    """The settings that say where it is, the one without which it is at home first."""

    cannot_turn_back: ClassVar[Way | None]
    """A move this way, once begun, is finished before another one; any other can be given up."""

    def __init__(self, told: Settings) -> None:
        """`told`: the settings of the shop with those of this part, as if it were there."""
        ...

    def while_moving(self, way: Way) -> Mapping[str, str] | None:
        """Say which settings beside `keys` the shop has while it moves; None where it needs none then."""
        ...

    async def plan(self, way: Way) -> str:
        """Ask both places, and say how much there is to do and how long about; nothing is changed."""
        ...

    async def fill(self, way: Way, say: Say) -> None:
        """Make whole where it moves to, as often as it is asked. The shop keeps both in step by then."""
        ...

    async def verify(self, way: Way) -> str:
        """Compare both places, and say what was compared. Raises PlacesDiffer."""
        ...

    async def settle(self, way: Way, say: Say) -> None:
        """Finish once every process knows the new place alone."""
        ...


class OneWriter(MovingPart):
    """A part of which one place alone is written at any time: what the shop has of it is copied while it is
    written here, then the writers are kept out for some seconds, and it goes on there.

    Until the shop's folder says that it is there, giving it up loses nothing. From then on there is only
    forward, for people have written there."""

    cannot_turn_back: ClassVar[Way | None] = None

    def while_moving(self, way: Way) -> Mapping[str, str] | None:
        return None

    async def plan(self, way: Way) -> str:
        return f"{await self.extent(way)}, then nothing is written for some seconds"

    @abstractmethod
    async def extent(self, way: Way) -> str:
        """Ask where it is how much is copied, and say how."""
        ...

    @abstractmethod
    async def check(self, way: Way) -> None:
        """Refuse what cannot be done, before anything is changed. Raises PlacesDiffer."""
        ...

    @abstractmethod
    async def hand_over(self, way: Way, say: Say) -> None:
        """Keep writers out of where it was, bring the rest over, and make where it goes ready for them; as
        often as it is asked. Where that fails, whoever asked lets writers in again."""
        ...

    @abstractmethod
    async def let_in(self, way: Way, *, stays: bool = False) -> None:
        """Let writers into where it was before it goes this way; `stays`: it will not go."""
        ...


def in_order(way: Way, here: Place, there: Place) -> tuple[Place, Place]:
    """Return where a part goes away from, and where it goes."""
    return (here, there) if way == "there" else (there, here)


def engines_here(data: Path) -> Connection:
    """Find the engines of the shop's own machine; Trouble where it is closed."""
    engines = Home(data).engines()
    if engines is None:
        raise Trouble("The shop is not open.")
    return engines


async def patiently(
    ask: Callable[[], Awaitable[Answer]], away: tuple[type[Exception], ...], who: str
) -> Answer:
    """Ask until it answers; PartAway where it was `away` for two minutes."""
    end = monotonic() + _ANSWERS_WITHIN_S
    while True:
        try:
            return await ask()
        except away as error:
            if monotonic() > end:
                raise PartAway(f"{who} does not answer: {error}. See its log.") from error
        await asyncio.sleep(_ASKED_EVERY_S)


def without(settings: Mapping[str, str], part: "type[MovingPart] | MovingPart") -> dict[str, str]:
    """Return settings without those of a part, as values or as files that have them."""
    ours = {*part.keys, *(f"{key}_file" for key in part.keys)}
    return {name: value for name, value in settings.items() if name not in ours}


def of_part(settings: Mapping[str, str], part: "type[MovingPart] | MovingPart") -> dict[str, str]:
    """Return those of a part; none where its first is not among them."""
    ours = {name: value for name, value in settings.items() if name.removesuffix("_file") in part.keys}
    first = part.keys[0]
    return ours if ours.get(first) or ours.get(f"{first}_file") else {}
