"""DuckDB in the shop's folder: one file that one process owns, columns on disk, answers in milliseconds.

Facts and the position up to which they were read are one transaction, so that whoever was killed anywhere
reads on without a gap. What comes twice is found by its key among the facts of the same orders."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, cast

import duckdb
import msgspec
import numpy as np

from mercat.analytics.engine import Batch, Fact, LookRow, Params, ProductNamed
from mercat.analytics.engines.statements import OF_A_DAY, Statements
from mercat.kit import codec

_PARAMETER = re.compile(r"\$([a-z_]\w*)")
_STATEMENTS = Path(__file__).with_suffix(".sql")
_TYPES = {
    "int": "BIGINT",
    "str": "VARCHAR",
    "datetime": "TIMESTAMP",
    "Literal": "VARCHAR",
    "list": "BIGINT[]",
}
FILE = "facts.duckdb"
_SUMMED = ("searched", "words", "quarters")
_UNSETTLE = ["unsettle_searches", "unsettle_words", "unsettle_quarters"]


class DuckDbEngine:
    """The facts of one shop in a file."""

    def __init__(self, file: Path, memory_mb: int, threads: int = 2) -> None:
        """Open the file, or make it. OSError where another process has it."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._statements = Statements(_STATEMENTS)
        config: dict[str, Any] = {
            "memory_limit": f"{memory_mb}MB",
            "threads": threads,
            "temp_directory": str(file.parent / "spill"),
        }
        try:
            self._db = duckdb.connect(str(file), config=config)
        except duckdb.IOException as error:
            raise OSError(str(error)) from error
        self._settled: date | None = None
        self._open_since: datetime = datetime.max
        """No look before it is of a day that is not settled: what is asked of such days begins here."""
        try:
            self._begin()
        except BaseException:
            self._db.close()  # nobody else will
            raise

    def _begin(self) -> None:
        self._db.execute("set global TimeZone = 'UTC'")
        self._db.execute("begin")  # one commit and not one a table, which took as long as all the rest
        for statement in self._statements.each_of("schema"):
            self._db.execute(statement)
        self._db.execute("commit")
        row = self._db.execute(self._statements.text("latest_settled")).fetchone()
        self._settled = row[0] if row else None
        row = self._db.execute(self._statements.text("open_since")).fetchone()
        self._open_since = row[0] if row and row[0] else datetime.max

    def position(self) -> int | None:
        row = self._db.execute(self._statements.text("position")).fetchone()
        return row[0] if row else None

    def append(self, batch: Batch, position: int) -> set[date]:
        self._db.execute("begin")
        try:
            days = self.add(batch)
            self.finish(position)
        except BaseException:
            self.give_up()
            raise
        return days

    def start_anew(self) -> None:
        self._db.execute("begin")
        self._db.execute(self._statements.text("forget_facts"))

    def add(self, batch: Batch) -> set[date]:
        days = self._take_facts(batch.facts)
        self._take("take_products", ProductNamed, batch.products)
        if batch.looks:
            self._look_back({row[0] for row in self._take("take_looks", LookRow, batch.looks)})
        return days

    def finish(self, position: int) -> None:
        self._db.execute(self._statements.text("forget_position"))
        self._db.execute(self._statements.text("move_on"), {"position": position})
        self._db.execute("commit")

    def give_up(self) -> None:
        with suppress(duckdb.TransactionException):  # the statement that failed may have ended it
            self._db.execute("rollback")

    def settle(self, before: date) -> None:
        while days := self._db.execute(
            self._statements.text("days_to_settle"), {"before": before}
        ).fetchall():
            for (day,) in days:
                self._settle(day)
        self._open_since = max(self._open_since, _midnight(before))

    def forget_looks(self, before: date) -> None:
        self._in_one([f"forget_{each}" for each in ("looks", *_SUMMED, "settled")], {"before": before})

    def ask(self, name: str, params: Params) -> list[dict[str, Any]]:
        """Answer a question of this engine's statements."""
        text = self._statements.text(name, params)
        used = set(_PARAMETER.findall(text))
        known = {"open_since": self._open_since, **params}
        cursor = self._db.cursor().execute(text, {each: known[each] for each in used})
        names = [column[0] for column in cast("Any", cursor.description)]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def empty(self) -> None:
        """Forget everything."""
        for statement in self._statements.each_of("empty"):
            self._db.execute(statement)
        self._settled, self._open_since = None, datetime.max

    def close(self) -> None:
        self._db.close()

    def _look_back(self, days: set[date]) -> None:
        """Take back what was settled of days that looks came for; before they are seen, so that nobody who
        asks passes them over."""
        if not days:
            return
        self._open_since = min(self._open_since, _midnight(min(days)))
        late = sorted(day for day in days if self._settled and day <= self._settled)
        for name in ("unsettle", *_UNSETTLE) if late else ():
            self._db.execute(self._statements.text(name), {"days": late})

    def _settle(self, day: date) -> None:
        settle = ["settle", "sum_words", "sum_quarters", "settled"]
        self._in_one(_UNSETTLE, {"days": [day]}, settle, {"day": day})
        self._settled = max(day, self._settled or day)

    def _in_one(self, *steps: Any) -> None:
        """Run statements in one transaction: names and the parameters of all of them, in turn."""
        self._db.execute("begin")
        try:
            for names, params in zip(steps[::2], steps[1::2], strict=True):
                for name in names:
                    self._db.execute(self._statements.text(name, OF_A_DAY), params)
            self._db.execute("commit")
        except BaseException:
            self.give_up()
            raise

    def _take_facts(self, facts: Sequence[Fact]) -> set[date]:
        """Keep the facts that are not here yet; return the days (UTC) of those."""
        if not facts:
            return set()
        orders = sorted({fact.order_id for fact in facts})
        bounds = {"least": orders[0], "most": orders[-1], "orders": orders}
        here = set(self._db.execute(self._statements.text("facts_here"), bounds).fetchall())
        every = {(fact.kind, fact.source, fact.line): fact for fact in reversed(facts)}
        fresh = [fact for key, fact in every.items() if key not in here]
        if fresh:
            self._db.register("told", _columns(fresh))
            try:
                self._db.execute(self._statements.text("take_facts"))
            finally:
                self._db.unregister("told")
        return {fact.happened.astimezone(UTC).date() for fact in fresh}

    def _take(self, name: str, kind: type[msgspec.Struct], rows: Sequence[Any]) -> list[Any]:
        if not rows:
            return []
        given = {"rows": codec.text([msgspec.structs.asdict(row) for row in rows]), "shape": _shape(kind)}
        text = self._statements.text(name).replace("$shape", f"'{given.pop('shape')}'")
        return self._db.execute(text, given).fetchall()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _columns(facts: Sequence[Fact]) -> dict[str, Any]:
    """Make a column of each field, as DuckDB reads it in place."""
    columns: dict[str, Any] = {}
    every: Any = zip(*map(msgspec.structs.astuple, facts), strict=True)
    for field, values in zip(codec.fields_of(Fact), every, strict=True):
        if field.type is datetime:
            naive = [value.astimezone(UTC).replace(tzinfo=None) for value in values]
            columns[field.name] = np.array(naive, dtype="datetime64[us]")
        else:
            columns[field.name] = np.array(values, dtype=np.int64 if field.type is int else object)
    return columns


def _shape(kind: type[msgspec.Struct]) -> str:
    """Write a struct's fields as DuckDB's from_json takes them."""
    columns = {field.name: _TYPES[getattr(field.type, "__name__", "str")] for field in codec.fields_of(kind)}
    return msgspec.json.encode([columns]).decode()
