"""What the audit log is told, and what it answers."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from mercat.ids import EntryId, UserId

DOCUMENT_MAX = 20_000
"""Letters of what is kept of a change; what is longer is left out."""
WhoWords = Annotated[str, Meta(max_length=200)]


class NewEntry(Struct, frozen=True, kw_only=True):
    """A change that is about to be tried. `asked` and `before` are JSON, or empty."""

    user_id: UserId
    who: str
    what: str
    subject: str
    asked: str = ""
    before: str = ""


class Entry(Struct, frozen=True, kw_only=True):
    """A change. `status` as of HTTP, None where nobody knows how it ended; `after` is JSON, or empty."""

    entry_id: EntryId
    at: datetime
    user_id: UserId
    who: str
    what: str
    subject: str
    asked: str
    before: str
    after: str = ""
    status: int | None = None


class EntryPage(Struct, frozen=True):
    """A page of the log, and what asks for the next one."""

    entries: list[Entry]
    next_cursor: EntryId | None = None
