"""The move of buckets, one after another, each in steps after any of which it can go on or be undone.

state there      state here       who has it
coming           leaving          here: it is copied, and what is written of it is noted
ready            leaving          here: writers wait, all is there, and the relay has told all of it
ready            gone             nobody, until it is taken: a moment
arrived          gone             there: the rows here are left over, and cleared away later
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress

import asyncpg
from msgspec import Struct

from mercat.kit import sql
from mercat.kit.wal import MARK
from mercat.resharding.copying import Copier, CopyDiffers, clear
from mercat.resharding.database import CannotMove, Database, Move, Table, queries

CLEARED_AFTER_S = 30.0
"""What was asked of the former database before the hand-over is answered by then."""
_TRIES = 8
_TOLD_WITHIN_S = 2.0
_RELAYED_WITHIN_S = 15.0
"""Before writers wait: for a relay that begins, or is behind."""
_LOOKS_AGAIN_S = 0.005
_TRIED_AGAIN_S = 0.25
_NO_MOMENT = asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError
_NOT_TAKEN = ("coming", "ready", "dropped")
_LEFT_OVER = ("gone", *_NOT_TAKEN)


class Progress(Struct, frozen=True):
    """What was done of one bucket: orders and people copied so far, and for how long writers had to wait."""

    bucket: int
    what: str
    copied: int = 0
    waited_ms: int = 0


class _NotTold(Exception):
    """The relay is behind."""


class BucketMover:
    """Moves buckets between databases that `opened` gave it; no other mover does meanwhile."""

    def __init__(
        self,
        databases: Sequence[Database],
        told: Callable[[Progress], None] = lambda _: None,
        clear_after_s: float | None = CLEARED_AFTER_S,
    ) -> None:
        """`clear_after_s`: how long rows stay where they were before; None: until the next move."""
        self._databases = list(databases)
        self._named = {each.name: each for each in databases}
        self._told = told
        self._clear_after_s = clear_after_s
        self._tables: list[Table] = []

    async def move(self, buckets: Iterable[int], to: str) -> int:
        """Bring these buckets there, wherever they are; return how many were elsewhere.

        CannotMove says why one stays, for now, where it is. Those before it have moved."""
        if to not in self._named:
            raise CannotMove(f"There is no database of orders {to!r}. There are: {', '.join(self._named)}.")
        wanted, target = sorted(buckets), self._named[to]
        await self._begin()
        moved = 0
        for bucket in wanted:
            moved += await self._bring(bucket, target)
        await self._clear(wanted)
        return moved

    async def back(self, buckets: Iterable[int]) -> int:
        """Undo the moves of these buckets that were begun, and move back those that have come; return how
        many."""
        wanted = sorted(buckets)
        await self._begin()
        moved = 0
        for bucket in wanted:
            moved += await self._send_back(bucket)
        await self._clear(wanted)
        return moved

    # -- one bucket

    async def _begin(self) -> None:
        self._tables = await self._databases[0].tables()

    async def _bring(self, bucket: int, to: Database, *, back: bool = False) -> bool:
        """Move a bucket, unless it is there; say whether it was elsewhere. `back`: where it comes from is
        forgotten."""
        was = None
        for _ in range(_TRIES):
            owner = await self._owner(bucket)
            was = was or owner
            if owner is to:
                return was is not to
            if owner is None:
                await self._settle(bucket)
                continue
            before = await self._move_of(owner, bucket)
            if before and before.state == "leaving" and before.other != to.name:
                await self._fenced(owner, queries.stay, bucket)
            await self._hand_over(bucket, owner, to, back=back)
        raise CannotMove(f"Bucket {bucket} could not be moved just now. Run it again, or with --back.")

    async def _send_back(self, bucket: int) -> bool:
        owner = await self._owner(bucket)
        if owner is None:
            giver, taker = await self._between(bucket)
            gone = await self._move_of(giver, bucket)
            if gone and gone.back:
                return await self._bring(bucket, taker, back=True)
            await taker.db.execute(queries.drop, bucket)
            if not await taker.db.fetchval(queries.has, bucket):
                await self._fenced(giver, queries.take, bucket, "gone", taker.name)
                return True
            owner = taker
        before = await self._move_of(owner, bucket)
        if before and before.state == "leaving" and before.back:
            return await self._bring(bucket, self._named[before.other], back=True)
        if before and before.state == "leaving":
            await self._fenced(owner, queries.stay, bucket)
            return True
        if before is None or before.came_from not in self._named:
            return False
        return await self._bring(bucket, self._named[before.came_from], back=True)

    async def _settle(self, bucket: int) -> None:
        """Let one have a bucket that nobody has: where it is whole, or where it was."""
        giver, taker = await self._between(bucket)
        move = await self._move_of(taker, bucket)
        if move and move.state == "ready":
            await self._fenced(taker, queries.take, bucket, "ready", giver.name)
        else:
            await self._fenced(giver, queries.take, bucket, "gone", taker.name)

    async def _hand_over(self, bucket: int, source: Database, to: Database, *, back: bool) -> None:
        """Copy a bucket and hand it over; CannotMove where writers or the relay leave no moment."""
        await self._prepare(bucket, source, to, back=back)
        copier = Copier(bucket, source, to, self._tables)
        copied = 0
        try:
            async for units in copier.copied():
                copied += units
                self._told(Progress(bucket, "copied", copied))
            await copier.catch_up()
            await copier.compare()
            for _ in range(_TRIES):
                await _until_told(source, await _mark(source), _RELAYED_WITHIN_S)
                with suppress(*_NO_MOMENT, _NotTold):
                    waited_ms = await self._change_owner(bucket, source, to, copier)
                    self._told(Progress(bucket, "moved", copied, waited_ms))
                    return
                await to.db.execute(queries.unready, bucket)
                await copier.catch_up()
        except CopyDiffers as differs:
            await self._fenced(source, queries.stay, bucket)
            raise CannotMove(
                f"Not moved: {differs}. It stays in {source.name}; run it again to copy it anew."
            ) from None
        except _NotTold:
            raise CannotMove(
                f"No relay tells in time what happens in {source.name}, where bucket {bucket} stays for now: "
                "start `mercat work relay`, then run this again."
            ) from None
        raise CannotMove(
            f"Writers leave no moment to hand over bucket {bucket}; it stays in {source.name} for now. "
            "Run it again."
        )

    async def _prepare(self, bucket: int, source: Database, to: Database, *, back: bool) -> None:
        """Go on with a copy of this bucket, if one was begun and all was noted since, or begin one."""
        leaving, coming = await self._move_of(source, bucket), await self._move_of(to, bucket)
        if (
            leaving
            and coming
            and (leaving.state, leaving.other) == ("leaving", to.name)
            and (coming.state in ("coming", "ready") and coming.other == source.name)
        ):
            await to.db.execute(queries.unready, bucket)
            return
        await to.db.execute(queries.drop, bucket)
        await clear(to, bucket, self._tables)
        await to.db.execute(queries.come, bucket, source.name, back)
        await self._fenced(source, queries.leave, bucket, to.name, back)

    async def _change_owner(self, bucket: int, source: Database, to: Database, copier: Copier) -> int:
        """Hand a bucket over while its writers wait; return how long, in milliseconds.

        The source commits that it gave the bucket before the target commits that it took it, so never do two
        have it. Whoever finds it given, and ready, may take it."""
        async with to.db.transaction(), source.db.transaction():
            begun = time.monotonic()
            await source.fence()
            mark = await _mark(source)
            await copier.finish()
            await _until_told(source, mark, _TOLD_WITHIN_S)
            places = await source.db.fetchval(queries.followed)
            await to.beside.fetchval(queries.ready, bucket, places)
            await to.fence()
            taken = await to.db.fetchval(queries.take, bucket, "ready", source.name)
            given = await source.db.fetchval(queries.give, bucket, places)
            if not (taken and given):
                raise CannotMove(f"Bucket {bucket} was moved by somebody else meanwhile. Run it again.")
        return round(1_000 * (time.monotonic() - begun))

    async def _fenced(self, at: Database, statement: str, *told: object) -> None:
        """Do something while nobody writes."""
        for _ in range(_TRIES):
            with suppress(*_NO_MOMENT):
                async with at.db.transaction():
                    await at.fence()
                    await at.db.execute(statement, *told)
                return
            await asyncio.sleep(_TRIED_AGAIN_S)  # those who waited behind us write first
        raise CannotMove(f"Writers of {at.name} leave no moment for a move. Run it again.")

    # -- what there is

    async def _owner(self, bucket: int) -> Database | None:
        """Return who has a bucket, as the databases say; nobody has it in the moment of a hand-over."""
        found = [each for each in self._databases if await each.db.fetchval(queries.has, bucket)]
        if len(found) > 1:
            names = " and in ".join(each.name for each in found)
            raise CannotMove(f"Bucket {bucket} is in {names}: correct orders.here in the one that is wrong.")
        return found[0] if found else None

    async def _between(self, bucket: int) -> tuple[Database, Database]:
        """Return who gave a bucket that nobody has, and to whom, as both say: one that gave it in an earlier
        move, and was not cleared since, has old rows."""
        moves = {name: await self._move_of(each, bucket) for name, each in self._named.items()}
        for giver, gave in moves.items():
            taken = moves.get(gave.other) if gave and gave.state == "gone" else None
            if gave and taken and taken.state in _NOT_TAKEN and taken.other == giver:
                return self._named[giver], self._named[gave.other]
        raise CannotMove(f"Bucket {bucket} is in no database, and none says where it went: see orders.here.")

    async def _move_of(self, at: Database, bucket: int) -> Move | None:
        row = await at.db.fetchrow(queries.move_of, bucket)
        return sql.row(Move, row) if row else None

    # -- what is left over

    async def _clear(self, wanted: Collection[int]) -> None:
        """Clear away what is left where buckets were before. Of these it is waited for."""
        for at in self._databases:
            read = time.monotonic()
            for move in await at.moves():
                if move.state in _LEFT_OVER:
                    await self._clear_one(at, move, read, waits=move.bucket in wanted)

    async def _clear_one(self, at: Database, move: Move, read: float, *, waits: bool) -> None:
        owner = await self._owner(move.bucket)
        if owner is None or owner is at:
            return  # it may be taken back
        if move.state == "gone":
            if self._clear_after_s is None:
                return
            rest_s = self._clear_after_s - move.since_s - (time.monotonic() - read)
            if rest_s > 0 and not waits:
                return
            if rest_s > 0:
                self._told(Progress(move.bucket, "waits"))
                await asyncio.sleep(rest_s)
        leaving = await self._move_of(owner, move.bucket)
        if leaving and (leaving.state, leaving.other) == ("leaving", at.name):
            return  # it is still coming
        await at.db.execute(queries.drop, move.bucket)
        await clear(at, move.bucket, self._tables)
        await at.db.execute(queries.cleared, move.bucket)
        self._told(Progress(move.bucket, "cleared"))


async def _mark(source: Database) -> str:
    """Write a mark into the log of a database; return where that was at most before."""
    written = await source.beside.fetchval(queries.written)
    await source.beside.execute(queries.mark, MARK)
    return written


async def _until_told(source: Database, written: str, within_s: float) -> None:
    """Wait until the relay has told all that was committed before there; _NotTold where that takes longer."""
    end = time.monotonic() + within_s
    while not await source.beside.fetchval(queries.told, source.slot, written):
        if time.monotonic() > end:
            raise _NotTold
        await asyncio.sleep(_LOOKS_AGAIN_S)
