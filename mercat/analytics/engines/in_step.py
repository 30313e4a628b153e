"""Two engines of facts, while a shop moves from one to the other: both take what comes, the first answers.

What was there before is copied page by page; a fact, a product or a look that is there already stays.
Whatever the other one refuses is EngineAway, for the first has taken nothing then: both are told again."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

from msgspec import Struct

from mercat.analytics.engine import Batch, EngineAway, Fact, FactEngine, LookRow, Params, ProductNamed

TABLES = ("facts", "products", "looks")
_KEYS = {"facts": "order_id", "products": "product", "looks": "batch"}
_SIZES = {"facts": 1, "products": 1, "looks": 50}
"""How many orders a key of a table weighs as much as: a batch has up to 1,000 looks."""
_COMPARED = ("facts", "shelves", "products", "looks")


class CopyPlace(Struct, frozen=True):
    """How far copying is: which of `TABLES`, behind which key, and how many rows it was. Past the last table
    everything is copied."""

    table: int = 0
    after: int = 0
    rows: int = 0

    @property
    def ended(self) -> bool:
        return self.table == len(TABLES)


class InStepEngines:
    """Both engines of a shop that moves."""

    def __init__(
        self, answers: FactEngine, other: FactEngine, empty: Callable[[], None] | None = None
    ) -> None:
        """`empty`: empties the other, where that is the shop's own file, which may have what is old."""
        self._answers, self._other = answers, other
        self._empty = empty

    def position(self) -> int | None:
        return self._answers.position()

    def append(self, batch: Batch, position: int) -> set[date]:
        """Keep it in both. Who is killed between is told it again, as the answering one is behind."""
        with _waited_for():
            self._other.append(batch, max(position, self._other.position() or 0))
        return self._answers.append(batch, position)

    def start_anew(self) -> None:
        with _waited_for():
            self._other.start_anew()
        self._answers.start_anew()

    def add(self, batch: Batch) -> set[date]:
        with _waited_for():
            self._other.add(batch)
        return self._answers.add(batch)

    def finish(self, position: int) -> None:
        with _waited_for():
            self._other.finish(position)
        self._answers.finish(position)

    def give_up(self) -> None:
        try:
            with _waited_for():
                self._other.give_up()
        finally:
            self._answers.give_up()

    def settle(self, before: date) -> None:
        """Write down the sums of searches where they are read; the other does it once it answers."""
        self._answers.settle(before)

    def forget_looks(self, before: date) -> None:
        with _waited_for():
            self._other.forget_looks(before)
        self._answers.forget_looks(before)

    def ask(self, name: str, params: Params) -> list[dict[str, Any]]:
        return self._answers.ask(name, params)

    def close(self) -> None:
        self._other.close()
        self._answers.close()

    def begin_copy(self) -> None:
        """Begin anew, with nothing in the other where that is ours to empty."""
        if self._empty:
            with _waited_for():
                self._empty()

    def copy(self, place: CopyPlace, most: int) -> CopyPlace:
        """Copy what comes next, of at most so many orders or products, or as much in batches of looks."""
        table = TABLES[place.table]
        most = max(1, most // _SIZES[table])
        rows = self._answers.ask(f"{table}_after", {"after": place.after, "most": most})
        keys = {row[_KEYS[table]] for row in rows}
        with _waited_for():
            self._other.append(_batch(table, rows), self._other.position() or 0)
        if len(keys) == most:
            return CopyPlace(place.table, max(keys), place.rows + len(rows))
        # What comes from here on is written to both.
        if place.table + 1 == len(TABLES):
            position = self._answers.position() or 0
            with _waited_for():
                self._other.append(Batch(), position)
        return CopyPlace(place.table + 1, 0, place.rows + len(rows))

    def differences(self) -> list[str]:
        """Compare what both have; say what is not the same."""
        return [line for table in _COMPARED for line in self._differences(table)]

    def _differences(self, table: str) -> Iterator[str]:
        here = {tuple(row.values()) for row in self._answers.ask(f"{table}_compared", {})}
        with _waited_for():
            there = {tuple(row.values()) for row in self._other.ask(f"{table}_compared", {})}
        if here != there:
            keys = sorted({str(row[0]) for row in here ^ there})
            yield f"{len(keys):,} sums of {table} differ, the first of {keys[0] or 'all'}"


@contextmanager
def _waited_for() -> Generator[None]:
    """Raise EngineAway for whatever the other engine raises."""
    try:
        yield
    except Exception as error:
        raise EngineAway(f"the engine beside does not take part: {error}") from error


def _batch(table: str, rows: Sequence[dict[str, Any]]) -> Batch:
    if table == "products":
        return Batch(products=[ProductNamed(**row) for row in rows])
    timed: list[dict[str, Any]] = [{**row, "happened": _utc(row["happened"])} for row in rows]
    if table == "looks":
        return Batch(looks=[LookRow(**row) for row in timed])
    return Batch(facts=[Fact(**row) for row in timed])


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
