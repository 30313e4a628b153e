"""Orders on several databases: their schemas, and which buckets each has to begin with.

A database that has been given buckets keeps them, whatever the settings say: those are for the new ones."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import NamedTuple

import asyncpg

from mercat.ids import BUCKETS
from mercat.kit import sql
from mercat.kit.wal import open_slot
from mercat.migrations import CannotMigrate, alone, apply_alone, migrations_in
from mercat.migrations.roles import grant_all
from mercat.settings import Settings
from mercat.shard_places import MAIN, PLACES_MAX, ShardPlace, WrongPlaces, check_each_once

queries = sql.load("mercat.migrations")
SHARD_SCHEMAS = ("orders",)
_NUMBERS_SPARED = 64_000
"""Numbers of orders that may be given while a database becomes one of several."""
_TRIES = 20
_TRIED_AGAIN_S = 0.25


class _Claim(NamedTuple):
    place: ShardPlace
    owner: asyncpg.Connection
    shard: str | None
    number: int
    ranges: list[tuple[int, int]]


async def migrate_shards(settings: Settings) -> None:
    """Bring the other databases of orders to this version, and give each new one its buckets. The shop's own
    is of this version already. CannotMigrate where a bucket would be in two of them, or in none."""
    places = settings.shards()
    async with AsyncExitStack() as stack:
        owners = [await stack.enter_async_context(_owner_at(settings.at(place))) for place in places]
        migrations = [each for each in migrations_in() if each.service in ("events", *SHARD_SCHEMAS)]
        for place, owner in zip(places, owners, strict=True):
            if place.name != MAIN:
                await apply_alone(owner, migrations)
                async with owner.transaction():
                    await grant_all(owner, settings.at(place), SHARD_SCHEMAS)
                await open_slot(owner, place.slot)  # before the first order
        if places:
            async with alone(owners[0]):
                await _share_out([await _claim(*each) for each in zip(places, owners, strict=True)])


@asynccontextmanager
async def _owner_at(settings: Settings) -> AsyncGenerator[asyncpg.Connection]:
    owner = await asyncpg.connect(**settings.owner())
    try:
        yield owner
    finally:
        await owner.close()


async def _claim(place: ShardPlace, owner: asyncpg.Connection) -> _Claim:
    rows = await owner.fetch(queries.here)
    shard, number = rows[0]["shard"], rows[0]["place"]
    if shard not in (None, place.name):
        raise CannotMigrate(f"The database of {place.name} is {shard}: its address is another's.")
    given = [(row["first"], row["end"]) for row in rows if row["first"] is not None]
    return _Claim(place, owner, shard, number, [*place.ranges] if shard is None else given)


async def _share_out(claims: Sequence[_Claim]) -> None:
    try:
        check_each_once(sorted(each for claim in claims for each in claim.ranges))
    except WrongPlaces as wrong:
        said = f"With what the databases of orders have already, {wrong}. `mercat shard status` lists them."
        raise CannotMigrate(said) from None
    new = [claim for claim in claims if claim.shard is None]
    for claim in new:
        await _check_nothing_outside(claim)
    for claim in claims:
        await _watch(claim)
    free = iter(sorted({*range(1, PLACES_MAX)} - {claim.number for claim in claims if claim.shard}))
    for claim in new:
        given = max([await each.owner.fetchval(queries.last_number) for each in claims])
        number = 0 if claim.place.name == MAIN else next(free)
        first = (given + _NUMBERS_SPARED) // PLACES_MAX * PLACES_MAX + number
        ranges = ",".join(f"[{begin},{end})" for begin, end in claim.ranges)
        await _check_nothing_outside(claim)  # still
        await claim.owner.execute(queries.become, claim.place.name, number, f"{{{ranges}}}", first)


async def _watch(claim: _Claim) -> None:
    """Make the triggers, each in a transaction of its own: people buy, and who locks one table after another
    may have what a buyer waits for, and wait for what that one has."""
    for _ in range(_TRIES):
        with suppress(asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            while await _watch_one(claim.owner):
                pass
            return
        await asyncio.sleep(_TRIED_AGAIN_S)
    raise CannotMigrate(
        f"Writers of {claim.place.name} leave no moment for a trigger. Run `mercat migrate` again."
    )


async def _watch_one(owner: asyncpg.Connection) -> bool:
    async with owner.transaction():
        await owner.execute(queries.wait_shortly)
        return await owner.fetchval(queries.watch_one)


async def _check_nothing_outside(claim: _Claim) -> None:
    """Refuse to leave orders behind in a database that is to be without their buckets."""
    firsts = [*(begin for begin, _ in claim.ranges), BUCKETS]
    ends = [0, *(end for _, end in claim.ranges)]
    for begin, end in zip(ends, firsts, strict=True):
        if await claim.owner.fetchval(queries.has_orders, begin, end):
            raise CannotMigrate(
                f"{claim.place.name} has orders of buckets {begin} to {end - 1}, which the settings give to "
                "another. Leave them where they are, and move them afterwards by `mercat shard move`."
            )
