"""A database of orders as its owner sees it: which buckets it has, and which are on their way."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal, NamedTuple

import asyncpg
from msgspec import Struct

from mercat.kit import sql
from mercat.kit.db_errors import AWAY
from mercat.kit.wal import SLOT
from mercat.settings import Settings
from mercat.shard_places import MAIN

queries = sql.load("mercat.resharding")
locks = sql.load("mercat.kit")
_ANSWERS_WITHIN_S = 5.0
_ALONE_WITHIN_S = 3.0
_SESSION = {
    "application_name": "mercat_shard_move",
    "lock_timeout": "2s",  # whoever has to wait behind us waits no longer than that
    "timezone": "UTC",
}
_OLD = asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InvalidSchemaNameError


class CannotMove(Exception):
    """Buckets cannot be moved; says why and what to do."""


class Move(Struct, frozen=True):
    """How far the move of a bucket has come in one of its two databases."""

    bucket: int
    state: Literal["leaving", "gone", "coming", "ready", "arrived", "dropped"]
    other: str
    back: bool
    came_from: str | None
    since_s: float


class Table(NamedTuple):
    """A table that is cut by bucket; its rows with the same `key` move together."""

    name: str
    key: str
    columns: list[str]

    @property
    def rows(self) -> str:
        """The table's columns, as SQL names them."""
        return ", ".join(f'"{column}"' for column in self.columns)


class Database:
    """One of the databases. `db` has the transactions in which buckets change their owner; `beside` does what
    has to be committed meanwhile."""

    def __init__(self, name: str, slot: str, db: asyncpg.Connection, beside: asyncpg.Connection) -> None:
        self.name = name
        self.slot = slot
        self.db = db
        self.beside = beside

    async def buckets(self) -> list[int]:
        """Return the buckets that it has, sorted."""
        return await buckets_of(self.db)

    async def moves(self) -> list[Move]:
        """Return what is, or was, on its way here or from here."""
        return sql.rows(Move, await self.db.fetch(queries.moves))

    async def tables(self) -> list[Table]:
        """Return the tables that are cut by bucket."""
        return [Table(*row) for row in await self.db.fetch(queries.kept)]

    async def fence(self) -> None:
        """Let writers wait until the transaction on `db` ends, and that end if nothing comes from us.

        The follower's place comes first, as in the follower: else each could wait for the other."""
        await self.db.execute("set local idle_in_transaction_session_timeout = '10s'")
        await self.db.fetch(queries.stand_still)
        await self.db.execute(queries.fence)


async def buckets_of(db: asyncpg.Connection) -> list[int]:
    """Return the buckets that a database has, sorted."""
    return [row[0] for row in await db.fetch(queries.buckets)]


@asynccontextmanager
async def opened(settings: Settings, *, alone: bool = True) -> AsyncGenerator[list[Database]]:
    """Connect to all databases of orders as their owner, the shop's own first; `alone`: as the only mover.

    CannotMove where one does not answer, or is not what the settings say."""
    places = settings.shards()
    if not places:
        raise CannotMove("All orders of this shop are in one database: [orders.shards] names several.")
    async with AsyncExitStack() as stack:
        found: list[Database] = []
        for place in places:
            slot = SLOT if place.name == MAIN else place.slot
            connections = [await _connect(settings.at(place), place.name, stack) for _ in range(2)]
            found.append(Database(place.name, slot, *connections))
        await _check(found)
        if alone:
            await _lock(found[0].beside)
        yield found


async def _connect(settings: Settings, name: str, stack: AsyncExitStack) -> asyncpg.Connection:
    try:
        owner = await asyncpg.connect(**settings.owner(), timeout=_ANSWERS_WITHIN_S, server_settings=_SESSION)
    except AWAY as error:
        raise CannotMove(f"The database of orders {name} does not answer.") from error
    stack.push_async_callback(_close, owner)
    return owner


async def _close(owner: asyncpg.Connection) -> None:
    try:
        await owner.close(timeout=_ANSWERS_WITHIN_S)
    except (*AWAY, asyncpg.PostgresError, asyncpg.InterfaceError):
        owner.terminate()


async def _check(databases: list[Database]) -> None:
    """Refuse databases that are another's, or not of one version: rows are copied as they are."""
    versions: dict[str, str] = {}
    for each in databases:
        try:
            shard, versions[each.name] = await each.db.fetchrow(queries.identity) or (None, "")
            await each.db.execute(queries.moves)
        except _OLD:
            raise CannotMove(f"{each.name} is of another version: run `mercat migrate` first.") from None
        if shard != each.name:
            said = (
                f"is {shard}: its address is another's"
                if shard
                else "has no buckets yet: run `mercat migrate`"
            )
            raise CannotMove(f"The database of {each.name} {said}.")
    if len({*versions.values()}) > 1:
        raise CannotMove("The databases of orders are of several versions: run `mercat migrate` first.")


async def _lock(main: asyncpg.Connection) -> None:
    """Be the only mover; one that was killed is gone as soon as its session is."""
    try:
        async with asyncio.timeout(_ALONE_WITHIN_S):
            while not await main.fetchval(locks.try_lock, "move of orders"):  # noqa: ASYNC110  - nobody tells us
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise CannotMove("Buckets are being moved already, by another `mercat shard move`.") from None
