"""The facts of reports: from DuckDB in the shop's folder into ClickHouse, and back.

The process that has the file does the work, as nobody else can open it; this asks it, page by page."""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import ClassVar, Protocol

from mercat.analytics import CopyPlace, keeper_of
from mercat.cli.moves.parts import Answer, PlacesDiffer, Say, Way, patiently
from mercat.kit.refusals import Refusal
from mercat.settings import Settings

_SAYS_EVERY_S = 10


class FactKeeper(Protocol):
    """What the keeper of the facts does while they move."""

    async def begin_copy(self) -> None: ...

    async def copy_on(self, place: CopyPlace) -> CopyPlace: ...

    async def compare_copy(self) -> list[str]: ...


class ReportFacts:
    """The facts of a shop's reports: a `MovingPart`."""

    name: ClassVar[str] = "analytics"
    keys: ClassVar[tuple[str, ...]] = ("clickhouse_url",)
    cannot_turn_back: ClassVar[Way | None] = None

    def __init__(self, told: Settings, keeper: FactKeeper | None = None) -> None:
        self._told = told
        self._keeper = keeper

    def while_moving(self, way: Way) -> dict[str, str]:
        return {"moving": "analytics" if way == "there" else "analytics-back"}

    async def plan(self, way: Way) -> str:
        return (
            "all facts, products and looks are copied by the back worker, a million in a minute or two, and "
            "their sums are compared; reports are answered all the time"
        )

    async def fill(self, way: Way, say: Say) -> None:
        keeper, said_at, place = self._asked(), monotonic(), CopyPlace()
        await _patiently(keeper.begin_copy)
        while not place.ended:
            place = await _patiently(lambda place=place: keeper.copy_on(place))
            if monotonic() - said_at > _SAYS_EVERY_S:
                said_at = monotonic()
                say(f"{place.rows:,} rows are copied.")
        say(f"{place.rows:,} rows were copied.")

    async def verify(self, way: Way) -> str:
        if different := await _patiently(self._asked().compare_copy):
            more = " Empty the database there first." if way == "there" else ""
            raise PlacesDiffer(f"{'; '.join(different)}.{more}")
        return "the sums of all facts, products and looks are the same in both places."

    async def settle(self, way: Way, say: Say) -> None:
        """Nothing is left to do: both had everything."""

    def _asked(self) -> FactKeeper:
        if self._keeper is None:
            self._keeper, _ = keeper_of(self._told)
        return self._keeper


async def _patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask until the back worker, which was just replaced, has opened both engines."""
    return await patiently(ask, (Refusal, OSError), "The back worker, asked for reports,")
