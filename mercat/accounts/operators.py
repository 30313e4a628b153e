"""What operators do about people: finding them, disabling, forgetting, and who else is an operator.

PostgreSQL decides, and sessions follow what it says (`Sessions.settle`): at once, and once more by the event
that the same commit tells, so that a crash in between leaves nobody signed in."""

from collections.abc import Sequence
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from mercat import ids
from mercat.accounts.messages import (
    AboutOneself,
    ExportedPerson,
    FoundPerson,
    LastOperator,
    PeopleCounts,
    PeopleSearch,
    PeopleWords,
)
from mercat.accounts.rules import normal_email, words_asked
from mercat.accounts.sessions import Sessions
from mercat.events import AccountErased, StandingChanged
from mercat.ids import UserId
from mercat.kit import clock, codec, sql
from mercat.kit.event_log import on
from mercat.kit.refusals import NotFound

queries = sql.load("mercat.accounts")


class Operators:
    def __init__(self, db: asyncpg.Pool, sessions: Sessions) -> None:
        self._db = db
        self._sessions = sessions

    async def find_people(
        self,
        words: PeopleWords = "",
        which: PeopleSearch = "all",
        before: UserId | None = None,
        limit: int = 50,
    ) -> list[FoundPerson]:
        """Find people, the newest first: by how words of the name or the e-mail address begin, or by the user
        id."""
        try:
            user_id = ids.parse(UserId, words.strip())
        except ValueError:
            user_id = None
        if user_id is not None:
            rows = await self._db.fetch(queries.one_person, user_id, which, before)
        elif asked := words_asked(words):
            rows = await self._db.fetch(queries.people_like, asked, which, before, limit)
        elif which == "all":
            rows = await self._db.fetch(queries.people, before, limit)
        else:
            rows = await self._db.fetch(queries.people_seldom, which, before, limit)
        return sql.rows(FoundPerson, rows)

    async def exported_people(self, before: UserId | None = None, limit: int = 500) -> list[ExportedPerson]:
        """Answer all accounts with an address each, the newest first, a page at a time."""
        rows = await self._db.fetch(queries.exported_people, before, limit)
        return [
            sql.row(ExportedPerson, {**row, "address": codec.decode(row["address"], dict[str, str])})
            for row in rows
        ]

    async def found_person(self, user_id: UserId) -> FoundPerson:
        """Return an account as operators see it; NotFound for a guest."""
        row = await self._db.fetchrow(queries.one_person, user_id, "all", None)
        if row is None:
            raise NotFound("There is no such account.")
        return sql.row(FoundPerson, row)

    async def people_counts(self) -> PeopleCounts:
        """Count those of whom there are few."""
        [row] = await self._db.fetch(queries.people_counts)
        return sql.row(PeopleCounts, row)

    async def disable(self, user_id: UserId, by: UserId) -> FoundPerson:
        """Keep somebody out, until they are enabled: their sessions and keys end and none begins. Again it
        changes nothing. AboutOneself, LastOperator, NotFound."""
        async with self._db.acquire() as db, db.transaction():
            await hold_operators(db, user_id, by)
            if not await db.fetchval(queries.disable, user_id, clock.now()):
                raise NotFound("There is no such account.")
            await db.execute(queries.end_keys_of, user_id)
            await db.fetch(queries.tell_standing, user_id)
        await self._sessions.settle(user_id)
        return await self.found_person(user_id)

    async def enable(self, user_id: UserId) -> FoundPerson:
        """Let somebody who was disabled sign in again; the keys that ended do not come back."""
        if not await self._db.fetchval(queries.enable, user_id):
            raise NotFound("There is no such account.")
        return await self.found_person(user_id)

    async def erase_person(self, user_id: UserId, by: UserId) -> None:
        """Forget somebody as if they had left. AboutOneself, LastOperator, NotFound."""
        async with self._db.acquire() as db, db.transaction():
            await hold_operators(db, user_id, by)
            if not await db.fetch(queries.erase, user_id):
                raise NotFound("There is no such account.")
        await self._sessions.settle(user_id)

    async def make_operator(self, user_id: UserId, given: bool) -> FoundPerson:
        """Let somebody run the shop, or (`given` is false) no longer; in running sessions at once.

        NotFound; LastOperator where nobody would be left."""
        async with self._db.acquire() as db, db.transaction():
            if not given:
                await hold_operators(db, user_id)
            if not await db.fetchval(queries.set_operator, user_id, given):
                raise NotFound("There is no such account.")
            await db.fetch(queries.tell_standing, user_id)
        await self._sessions.settle(user_id)
        return await self.found_person(user_id)

    async def set_operator(self, email: str, given: bool) -> None:
        """Do the same by e-mail address."""
        person = await self._db.fetchrow(queries.by_email, normal_email(email) or email)
        if person is None:
            raise NotFound("Nobody has an account with this e-mail address.")
        await self.make_operator(UserId(person["user_id"]), given)

    @on(StandingChanged, outside=True)
    async def follow_standing(self, events: list[StandingChanged]) -> None:
        """Bring sessions up to what was decided, where who decided it died before."""
        await self._settle({event.user_id for event in events})

    @on(AccountErased, outside=True)
    async def follow_erased(self, events: list[AccountErased]) -> None:
        """End the sessions of who was erased, where who did it died before."""
        await self._settle({event.user_id for event in events if not event.guest})
        for guest_id in {event.user_id for event in events if event.guest}:
            await self._sessions.end_guest(guest_id)

    async def _settle(self, user_ids: set[UserId]) -> None:
        for user_id in user_ids:
            await self._sessions.settle(user_id)


async def hold_operators(db: PoolConnectionProxy, user_id: UserId, by: UserId | None = None) -> None:
    """Hold all operators, so that two at once cannot each take the other away; LastOperator for the only
    one, AboutOneself where it is who asks."""
    if user_id == by:
        raise AboutOneself
    rows: Sequence[Any] = await db.fetch(queries.lock_operators)
    if [row["user_id"] for row in rows] == [user_id]:
        raise LastOperator
