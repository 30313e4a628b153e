"""Asking: what shoppers have searched for, counted, as suggestions for others.

Counted are searches that found products by all their words, as words alone: nobody is named, no number of
more than five digits is kept, and nothing is suggested before it was asked for three times. Counts fade by
half a month. The table has a largest size; what is asked for least goes first."""

import asyncio
import heapq
import time
from bisect import bisect_left
from datetime import date

import asyncpg
import structlog

from mercat.kit import clock, sql
from mercat.kit.db_errors import AWAY
from mercat.search.text import plain

log = structlog.get_logger("mercat.search")
queries = sql.load("mercat.search")
TIMES_MIN = 3
KEPT_MAX, SHOWN_MAX = 20_000, 10_000
_WORDS_MAX, _LETTERS_MAX, _DIGITS_MAX = 6, 60, 5
_NOTED_MAX = 2_000
_WRITE_S, _READ_S, _TIDY_S = 5.0, 30.0, 300.0
_HALF_LIFE_DAYS = 30
_EPOCH = date(2026, 1, 1)


def said(q: str) -> str:
    """The question as it is counted; empty where it is none to keep."""
    words = plain(q[: _LETTERS_MAX * 2])
    text = " ".join(words)
    private = "@" in q or any(word.isdigit() and len(word) > _DIGITS_MAX for word in words)
    fits = len(words) <= _WORDS_MAX and 2 <= len(text) <= _LETTERS_MAX
    return text if fits and not private else ""


def weight(today: date) -> float:
    """What one asking counts today: old ones need not be made less, for new ones count more."""
    return float(2 ** ((today - _EPOCH).days / _HALF_LIFE_DAYS))


class Asked:
    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self._noted: dict[str, int] = {}
        self._words: list[str] = []
        self._weights: list[float] = []
        self._read_at = self._tidied_at = float("-inf")
        self._writing: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None

    def note(self, q: str) -> None:
        """Somebody searched for this, and it was there."""
        words = said(q)
        if words and (words in self._noted or len(self._noted) < _NOTED_MAX):
            self._noted[words] = self._noted.get(words, 0) + 1
            if self._writing is None or self._writing.done():
                self._writing = asyncio.create_task(self._write_later())

    def beginning(self, typed: str, limit: int) -> list[str]:
        """Past questions that begin so, the most frequent first; half a minute old, at most."""
        if time.monotonic() - self._read_at > _READ_S and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self.read())
        typed = " ".join(typed.lower().split())
        if not typed:
            return []
        first, last = bisect_left(self._words, typed), bisect_left(self._words, typed + "\U0010ffff")
        best = heapq.nlargest(limit, range(first, last), key=lambda place: self._weights[place])
        return [self._words[place] for place in best]

    async def read(self) -> None:
        self._read_at = time.monotonic()
        try:
            rows = await self._db.fetch(queries.often_asked, TIMES_MIN, SHOWN_MAX)
        except AWAY as error:
            log.warning("past questions cannot be read", reason=repr(error)[:200])
            return
        ordered = sorted((row["words"], row["weight"]) for row in rows)
        self._words, self._weights = [words for words, _ in ordered], [weight for _, weight in ordered]

    async def _write_later(self) -> None:
        await asyncio.sleep(_WRITE_S)
        await self.write()

    async def write(self) -> None:
        noted, self._noted = self._noted, {}
        if not noted:
            return
        each = weight(clock.now().date())
        counts = list(noted.values())
        try:
            await self._db.execute(
                queries.count_asked, list(noted), counts, [each * count for count in counts]
            )
            if time.monotonic() - self._tidied_at > _TIDY_S:
                self._tidied_at = time.monotonic()
                await self._db.execute(queries.forget_asked, KEPT_MAX)
        except AWAY as error:
            log.warning("past questions cannot be counted", reason=repr(error)[:200])

    async def close(self) -> None:
        for task in (self._writing, self._reading):
            if task:
                task.cancel()
        await self.write()
