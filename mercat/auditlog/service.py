"""The verbs of the audit log."""

import asyncpg

from mercat import ids
from mercat.auditlog.messages import DOCUMENT_MAX, Entry, EntryPage, NewEntry
from mercat.ids import EntryId
from mercat.kit import clock, sql

queries = sql.load("mercat.auditlog")
_LAST = 2**63 - 1


class AuditLog:
    """Who changed what, before and after. The database lets nobody change what is written."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def begin(self, new: NewEntry) -> EntryId:
        """Write down a change that is about to be tried: it is not tried where this fails."""
        entry_id = ids.new(EntryId)
        await self._db.execute(
            queries.begin,
            entry_id,
            clock.now(),
            new.user_id,
            new.who,
            new.what,
            new.subject,
            _kept(new.asked),
            _kept(new.before),
        )
        return entry_id

    async def finish(self, entry_id: EntryId, status: int, after: str) -> None:
        """Write down how a change ended, once."""
        await self._db.execute(queries.finish, entry_id, clock.now(), status, _kept(after))

    async def newest(
        self, who: str = "", what: str = "", subject: str = "", before: EntryId | None = None, limit: int = 50
    ) -> EntryPage:
        """List changes, the newest first: all, or of a person, a kind, a thing."""
        rows = await self._db.fetch(queries.newest, who, what, subject, before or _LAST, limit + 1)
        entries = sql.rows(Entry, rows[:limit])
        return EntryPage(entries, entries[-1].entry_id if len(rows) > limit else None)


def _kept(document: str) -> str:
    return document if len(document) <= DOCUMENT_MAX else ""
