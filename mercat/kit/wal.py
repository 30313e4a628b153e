"""PostgreSQL's write-ahead log as where events are told, and the slot that keeps them until they are read."""

import asyncio
import struct
from typing import Any, NamedTuple, Protocol

import asyncpg

from mercat.kit import sql

queries = sql.load("mercat.kit")
SLOT = "mercat"
"""The replication slot of the relay."""
MARK = "mercat.mark"
"""The kind of a message that is no event. Once the slot is confirmed beyond it, all that was told before is
in the log."""


class WalEvent(NamedTuple):
    """An event as the WAL has it: the end of its commit, and its number within that commit."""

    commit: int
    number: int
    kind: str
    body: str


class WalReader(Protocol):
    """Where the relay takes events from."""

    def take(self, cursor: Any, most: int) -> list[WalEvent]: ...


class Transactions:
    """A reader of pgoutput: Begin 'B', Message 'M', Commit 'C'.

    Source: PostgreSQL manual, Logical Replication Message Formats."""

    def __init__(self) -> None:
        self.inside = False
        self.emptied = False
        self.ended = 0
        self.marked = False
        """A mark was read: somebody waits for what is confirmed."""
        self._commit = 0
        self._number = 0
        self._mark = False

    def take(self, cursor: Any, most: int) -> list[WalEvent]:
        """Read what has come, up to so many; `emptied` says that there is no more for now."""
        facts: list[WalEvent] = []
        self.emptied = False
        while len(facts) < most:
            message = cursor.read_message()
            if message is None:
                self.emptied = True
                break
            data: bytes = message.payload
            tag = data[:1]
            if tag == b"B":
                self.inside, self._number, self._mark = True, 0, False
                (self._commit,) = struct.unpack_from(">Q", data, 1)
            elif tag == b"M":
                kind, _, content = data[10:].partition(b"\0")
                if kind == MARK.encode():
                    self._mark = True
                    continue
                self._number += 1
                facts.append(WalEvent(self._commit, self._number, kind.decode(), content[4:].decode()))
            elif tag == b"C":
                self.inside = False
                (self.ended,) = struct.unpack_from(">Q", data, 10)
                self.marked |= self._mark
        return facts


def lsn_of(shown: str) -> int:
    """Read a place in the WAL as PostgreSQL writes it."""
    high, _, low = shown.partition("/")
    return int(high, 16) << 32 | int(low, 16)


def shown(lsn: int) -> str:
    """Write a place in the WAL as PostgreSQL does."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


async def open_slot(db: asyncpg.Pool | asyncpg.Connection, slot: str = SLOT) -> None:
    """Make PostgreSQL keep its write-ahead log until the relay has read it: from here on no event is lost."""
    if not await db.fetchval(queries.slot_exists, slot):
        await db.execute(queries.open_slot, slot)


async def forget_other_places(db: asyncpg.Pool | asyncpg.Connection) -> None:
    """Let the relay begin where its slot does in a database that came by a dump: how far the former server's
    write-ahead log was read says nothing of ours, and what is told here would be taken for told already."""
    await db.execute(queries.forget_place)


async def readable(number: int, seconds: float) -> bool:
    """Wait until there is something to read, at most so long; say whether there is.

    The socket is watched only meanwhile: a reader that stayed would wake the loop without end while what
    came is being written."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(number, readable.set)
    try:
        await wait(readable, seconds)
    finally:
        loop.remove_reader(number)
    return readable.is_set()


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long."""
    # Not wait_for: before Python 3.12 it can swallow a cancellation.
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
