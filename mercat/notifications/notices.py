"""Letters whose people are looked up: noted down with the fact, and written in batches some time later.

A notice is locked, its people are asked for, their letters are stored and the notice moves on, in one
transaction: whoever dies between any two of these has written nothing, and the next one begins again."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from mercat.events import Event
from mercat.kit import clock, codec, sql
from mercat.notifications.letter import LetterKind
from mercat.notifications.letters import KINDS
from mercat.notifications.lookup import Asked, Found, Lookup, Note
from mercat.notifications.sources import Sources
from mercat.settings import Settings

queries = sql.load("mercat.notifications")
log = structlog.get_logger("mercat.notifications")
GATHERED_MAX = 20
"""Of the facts that become one letter, those that it names; the others are counted."""
_REST_S = 0.5
_TRIES_MAX = 20
_LONGEST_WAIT = timedelta(hours=1)
FAILED = "letter_undeliverable"


class Notices:
    """Notes down which letters are to be written, and writes them."""

    def __init__(self, db: asyncpg.Pool, settings: Settings, sources: Sources | None) -> None:
        self._db = db
        self._settings = settings
        self._sources = sources

    async def note(self, db: PoolConnectionProxy, events: list[Event], new: set[tuple[str, int]]) -> None:
        """Note down what facts ask for; `new`: the letters, by kind and subject, that they made just now."""
        now = clock.now()
        for name, kind in KINDS.items():
            if kind.lookup is None or kind.event is None:
                continue
            first = kind.lookup.first
            facts = [fact for fact in events if isinstance(fact, kind.event) and kind.when(fact)]
            if first:
                subject_id = KINDS[first].subject_id
                # By what they are about: one that comes twice is new once.
                named = {(first, int(subject_id(fact))): fact for fact in facts}
                facts = [fact for name, fact in named.items() if name in new]
            notes = [note for fact in facts for note in kind.lookup.notes(fact)]
            if notes:
                await self._store(db, name, kind.lookup, notes, now)

    async def note_failures(self, db: PoolConnectionProxy, about: list[Any]) -> None:
        """Note down letters that could not be delivered, for operators."""
        lookup = KINDS[FAILED].lookup
        assert lookup
        await self._store(db, FAILED, lookup, [Note(0, each) for each in about], clock.now())

    async def _store(
        self,
        db: PoolConnectionProxy,
        name: str,
        lookup: Lookup[Any],
        notes: Iterable[Note[Any]],
        now: datetime,
    ) -> None:
        gathered: dict[tuple[int, int], list[Any]] = {}
        for note in notes:
            about = gathered.setdefault((note.subject_id, note.version), [])
            if lookup.gathers or not about:
                about.append(note.about)
        rows = [
            (name, *key, codec.inner_text(about[:GATHERED_MAX]), len(about))
            for key, about in sorted(gathered.items())
        ]
        due_at = now + timedelta(seconds=lookup.delay_s(self._settings))
        add = queries.gather_notices if lookup.gathers else queries.add_notices
        await db.execute(add, *sql.columns(rows, 5), due_at)

    async def keep_writing(self) -> None:
        """Write what is due, then rest."""
        await self.write_due()
        await asyncio.sleep(_REST_S)

    async def write_due(self) -> int:
        """Write the letters of every notice that is due; answers how many batches that were."""
        batches = 0
        while self._sources and await self._write_next(self._sources):
            batches += 1
        return batches

    async def _write_next(self, ask: Sources) -> bool:
        now = clock.now()
        row = await self._db.fetchrow(queries.next_notice, now)
        if row is None:
            return False
        key = row["kind"], row["subject_id"], row["version"]
        try:
            async with self._db.acquire() as db, db.transaction():
                await self._write(db, ask, key, now)
        except Exception as error:
            tries: int = row["tries"] + 1
            log.warning("a notice was not written", kind=key[0], tries=tries, reason=repr(error)[:200])
            if tries < _TRIES_MAX:
                wait = min(timedelta(seconds=2**tries), _LONGEST_WAIT)
                await self._db.execute(queries.put_off, *key, now + wait)
            else:
                await self._db.execute(queries.drop_notice, *key)
        return True

    async def _write(
        self, db: PoolConnectionProxy, ask: Sources, key: tuple[str, int, int], now: datetime
    ) -> None:
        # Whoever forgets people waits for us: what we ask for now cannot be stored after they are forgotten.
        await db.execute(queries.hold_off_forgetting)
        row = await db.fetchrow(queries.lock_notice, *key, now)
        if row is None:  # another one was here first
            return
        kind = KINDS.get(key[0])
        lookup = kind.lookup if kind else None
        found: Found | None = None
        if kind and lookup:
            about: list[Any] = [
                codec.convert(each, lookup.about) for each in codec.decode(row["facts"], list[Any])
            ]
            found = await lookup.find(ask, Asked(about, row["facts_count"], row["after"]))
            if found:
                # A gathered notice is no other's: what comes later is another letter.
                version = f"n{row['notice_id']}" if lookup.gathers else str(key[2])
                await self._store_letters(db, key[0], kind, key[1], version, found)
        if found is None or found.after is None:
            await db.execute(queries.drop_notice, *key)
        else:
            await db.execute(queries.move_notice, *key, found.after, now)

    async def _store_letters(
        self,
        db: PoolConnectionProxy,
        name: str,
        kind: LetterKind[Any],
        subject_id: int,
        version: str,
        found: Found,
    ) -> None:
        shown = codec.text(found.shown)
        order_id = kind.order_id(found.shown)
        rows = [
            (subject_id, name, f"mail/{version}/{to.user_id}", order_id, to.email, int(to.user_id), shown)
            for to in found.people
        ]
        await db.fetch(queries.write, *sql.columns(rows, 7), clock.now(), bool(self._settings.smtp_url))
