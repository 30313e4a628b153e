"""What stands beside an order: notes of operators, and what was refused of it and why."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog

from mercat import ids
from mercat.ids import NoteId, OrderId
from mercat.kit import clock, sql
from mercat.kit.refusals import NotFound
from mercat.orders.here import ELSEWHERE
from mercat.orders.messages import (
    ExceedsCaptured,
    NewNote,
    NotCancellable,
    NotReturnable,
    NotShippable,
    OrderNote,
    Remarks,
    WhatWasRefused,
)

queries = sql.load("mercat.orders")
log = structlog.get_logger("mercat.orders")
_REFUSALS_MAX = 200
"""Of one order; what is refused beyond them is told to who asks, and not kept."""
_KEPT = (NotCancellable, NotReturnable, NotShippable, ExceedsCaptured)


class OrderRemarks:
    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def add_note(self, order_id: OrderId, note: NewNote) -> OrderNote:
        """Note something about an order, once a key; NotFound where there is no such order."""
        given = (order_id.bucket, order_id, ids.new(NoteId), note.user_id, note.who, note.text)
        for _ in range(2):  # who waited for the same key of another sees its note in the second look
            if row := await self._db.fetchrow(queries.add_note, *given, note.once, clock.now()):
                return sql.row(OrderNote, row)
        raise NotFound("There is no such order.")

    async def remarks(self, order_id: OrderId) -> Remarks:
        """List the notes about an order and what was refused of it, the oldest first."""
        notes = await self._db.fetch(queries.notes, order_id.bucket, order_id)
        refusals = await self._db.fetch(queries.refusals, order_id.bucket, order_id)
        return Remarks(sql.rows(OrderNote, notes), sql.rows(WhatWasRefused, refusals))

    async def note_refusal(
        self, order_id: OrderId, reference: str, what: str, who: str, code: str, words: str
    ) -> None:
        """Keep that something was refused, once a reference. Whoever asked is told so whether it can be kept
        or not."""
        asked: tuple[Any, ...] = (order_id.bucket, order_id, reference, clock.now(), who, what, code, words)
        try:
            await self._db.execute(queries.note_refusal, *asked, _REFUSALS_MAX)
        except ELSEWHERE:
            raise
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("a refusal was not kept", order=str(order_id), reason=repr(error))

    @asynccontextmanager
    async def refusals_noted(
        self, order_id: OrderId, reference: str, what: str, who: str
    ) -> AsyncGenerator[None]:
        """Keep what the block refuses."""
        try:
            yield
        except _KEPT as refusal:
            await self.note_refusal(order_id, reference, what, who, refusal.code(), str(refusal))
            raise
