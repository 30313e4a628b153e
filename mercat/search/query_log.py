"""The query log: what shoppers have searched for, counted, as suggestions for others.

Counted are searches that found products by all their words, as words alone: nobody is named, no number of
more than five digits is kept, and nothing is suggested before it was searched for three times. Counts halve
in a month. The table has a largest size; the rarest queries are forgotten first."""

import asyncio
import heapq
import time
from bisect import bisect_left
from datetime import date

import asyncpg
import structlog

from mercat.kit import clock, sql
from mercat.kit.db_errors import AWAY
from mercat.search.query.analyze import plain_words

log = structlog.get_logger("mercat.search")
queries = sql.load("mercat.search")
_TIMES_MIN = 3
KEPT_MAX, _SUGGESTED_MAX = 20_000, 10_000
_WORDS_MAX, _LETTERS_MAX, _DIGITS_MAX = 6, 60, 5
_NOTED_MAX = 2_000
_WRITE_S, _READ_S, _FORGET_S = 5.0, 30.0, 300.0
_HALF_LIFE_DAYS = 30
_EPOCH = date(2026, 1, 1)


def loggable(q: str) -> str:
    """Return the query as it is counted; empty where it is not kept."""
    words = plain_words(q[: _LETTERS_MAX * 2])
    text = " ".join(words)
    private = "@" in q or any(word.isdigit() and len(word) > _DIGITS_MAX for word in words)
    fits = len(words) <= _WORDS_MAX and 2 <= len(text) <= _LETTERS_MAX
    return text if fits and not private else ""


def weight(today: date) -> float:
    """Return what one search counts today: old ones are never reduced, new ones count more."""
    return float(2 ** ((today - _EPOCH).days / _HALF_LIFE_DAYS))


class QueryLog:
    """Counts queries in memory, writes them every few seconds, and suggests past ones."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self._noted: dict[str, int] = {}
        self._queries: list[str] = []
        self._weights: list[float] = []
        self._read_at = self._forgot_at = float("-inf")
        self._writing: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None

    def note(self, q: str) -> None:
        """Count a search that found something."""
        words = loggable(q)
        if words and (words in self._noted or len(self._noted) < _NOTED_MAX):
            self._noted[words] = self._noted.get(words, 0) + 1
            if self._writing is None or self._writing.done():
                self._writing = asyncio.create_task(self._write_later())

    def starting_with(self, typed: str, limit: int) -> list[str]:
        """Return past queries that begin so, the most frequent first; half a minute old, at most."""
        if time.monotonic() - self._read_at > _READ_S and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self.read())
        typed = " ".join(typed.lower().split())
        if not typed:
            return []
        first, end = bisect_left(self._queries, typed), bisect_left(self._queries, typed + "\U0010ffff")
        best = heapq.nlargest(limit, range(first, end), key=lambda at: self._weights[at])
        return [self._queries[at] for at in best]

    async def read(self) -> None:
        """Read the frequent queries; where the database is away, what was read before stays."""
        self._read_at = time.monotonic()
        try:
            rows = await self._db.fetch(queries.frequent_queries, _TIMES_MIN, _SUGGESTED_MAX)
        except AWAY as error:
            log.warning("past queries cannot be read", reason=repr(error)[:200])
            return
        ordered = sorted((row["words"], row["weight"]) for row in rows)
        self._queries, self._weights = [words for words, _ in ordered], [weight for _, weight in ordered]

    async def _write_later(self) -> None:
        await asyncio.sleep(_WRITE_S)
        await self.write()

    async def write(self) -> None:
        """Write what was counted; where the database is away, it is lost."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        each = weight(clock.now().date())
        counts = list(noted.values())
        try:
            await self._db.execute(
                queries.count_queries, list(noted), counts, [each * count for count in counts]
            )
            if time.monotonic() - self._forgot_at > _FORGET_S:
                self._forgot_at = time.monotonic()
                await self._db.execute(queries.forget_rare_queries, KEPT_MAX)
        except AWAY as error:
            log.warning("past queries cannot be counted", reason=repr(error)[:200])

    async def close(self) -> None:
        """Write what is left."""
        for task in (self._writing, self._reading):
            if task:
                task.cancel()
        await self.write()
