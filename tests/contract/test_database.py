"""A connection that is handed back holds nothing."""

import asyncio
import uuid

import pytest

from mercat.kit.db_errors import WRONG_VALUE

_HELD = """
select count(*) from pg_locks l join pg_stat_activity a using (pid)
where a.usename = 'mercat_events' and l.relation = 'events.log'::regclass
"""
_ASKED = "select id from events.log where id = $1::bigint"


async def test_arguments_that_cannot_be_sent_leave_no_table_held(pool, db):
    events = await pool("events")
    with pytest.raises(WRONG_VALUE):
        await events.fetch(_ASKED, "a word")
    assert await db.fetchval(_HELD) == 0
    assert await events.fetch(_ASKED, 1) == []


async def test_who_leaves_before_a_statement_is_executed_leaves_no_table_held(pool, db, monkeypatch):
    events = await pool("events")
    async with events.acquire() as connection:
        prepared, of = asyncio.Event(), type(connection._con)._get_statement

        async def get_statement(self, *given, **named):
            found = await of(self, *given, **named)
            prepared.set()
            await asyncio.Event().wait()
            return found

        monkeypatch.setattr(type(connection._con), "_get_statement", get_statement)
    new = f"{_ASKED} -- {uuid.uuid4()}"  # one that no test has left prepared
    asked = asyncio.create_task(events.fetch(new, 1))
    await prepared.wait()
    assert await db.fetchval(_HELD) > 0
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert await db.fetchval(_HELD) == 0
