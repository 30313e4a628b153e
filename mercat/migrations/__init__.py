"""Numbered changes of the schema, each applied once and recorded; then the roles of the services.

`<service>/0002_what_it_does.sql` changes the schema that is called as its folder (`events` is kit's). A
migration never changes once it is released, and begins with a comment of two parts:

    -- Change: what it does.
    -- Previous release: why its code still runs on the result.

Old and new code run side by side while a shop is updated, so a change that old code would notice takes two
releases: expand (add a column that may be null or has a default, and write both), then contract (drop what
nobody reads any more). `tests/migrations` opens a database as each release left it, and prepares that
release's statements against the new schema.

A migration runs in a transaction together with its record, so one that fails leaves nothing behind. What
takes long would hold its locks all that time: make an index on a large table by `create index
concurrently`, in a file of that one statement with a line `-- not in a transaction`. Such a file is applied
again when it was cut off; drop the invalid index first. Add a constraint to a large table `not valid`, and
validate it in a later file, which lets writers go on. Fill a new column in batches from a duty of its
service, not in a migration.

A shop that 0.1.0 made has tables and no record: there 0001 is recorded as applied.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import asyncpg

from mercat.kit import sql
from mercat.migrations.roles import grant_all, grant_new
from mercat.settings import Settings

__all__ = [
    "SCHEMAS",
    "CannotMigrate",
    "Migration",
    "alone",
    "apply",
    "apply_alone",
    "migrate",
    "migrations_in",
]

_HERE = Path(__file__).parent
_EVENTS = "events"
SCHEMAS = tuple(sorted({path.parent.name for path in _HERE.glob("*/*.sql")} - {_EVENTS}))
"""Every service with a schema and a role of its own."""

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")
_UNWRAPPED = re.compile(r"^-- not in a transaction$", re.MULTILINE)
_LOCK = 7_264_001
_RECORD = """
create schema migrations;
create table migrations.applied (
    service    text        not null,
    number     integer     not null,
    name       text        not null,
    checksum   text        not null,
    applied_at timestamptz not null default now(),
    primary key (service, number)
)
"""
queries = sql.load("mercat.migrations")


class CannotMigrate(Exception):
    """The database cannot be brought to this version; says why and what to do."""


class Migration(NamedTuple):
    """A file of SQL, and what identifies it."""

    service: str
    number: int
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.service}/{self.number:04}_{self.name}"

    @property
    def checksum(self) -> str:
        return sha256(self.text.encode()).hexdigest()


def migrations_in(folder: Path = _HERE) -> list[Migration]:
    """List the migrations in the order in which they are applied: the log's first, which others call.

    ValueError where a file's name is no `0001_name.sql` or the numbers of a service do not go up by one."""
    found: list[Migration] = []
    for file in folder.glob("*/*.sql"):
        if not (name := _FILE.fullmatch(file.name)):
            raise ValueError(f"{file.parent.name}/{file.name}: call it 0001_what_it_does.sql")
        found.append(Migration(file.parent.name, int(name[1]), name[2], file.read_text()))
    found.sort(key=lambda each: (each.service != _EVENTS, each.service, each.number))
    for before, each in zip([None, *found], found, strict=False):
        wanted = before.number + 1 if before and before.service == each.service else 1
        if each.number != wanted:
            raise ValueError(f"{each}: its number should be {wanted:04}")
    return found


async def migrate(owner: asyncpg.Connection, settings: Settings) -> None:
    """Bring a database to this version: schemas, then roles and grants. Doing it again changes nothing.

    `owner` owns the database and is a superuser. CannotMigrate leaves what was applied before in place."""
    async with alone(owner):
        await apply(owner, migrations_in())
        async with owner.transaction():
            await grant_all(owner, settings, SCHEMAS)


async def apply_alone(owner: asyncpg.Connection, migrations: Sequence[Migration]) -> None:
    """Apply the migrations that a database has not had, while nobody else does."""
    async with alone(owner):
        await apply(owner, migrations)


async def apply(owner: asyncpg.Connection, migrations: Sequence[Migration]) -> None:
    """Apply the migrations that the database has not had, in the given order."""
    recorded = await _recorded(owner)
    _check(recorded, migrations)
    for each in migrations:
        if (each.service, each.number) in recorded:
            continue
        try:
            await _apply(owner, each)
        except asyncpg.PostgresError as error:
            raise CannotMigrate(f"{each} failed, and nothing of it was kept: {error}") from error


async def _apply(owner: asyncpg.Connection, each: Migration) -> None:
    record = (queries.record, each.service, each.number, each.name, each.checksum)
    if _UNWRAPPED.search(each.text):
        await owner.execute(each.text)
        await owner.execute(*record)
        return
    async with owner.transaction():
        if each.number > 1 or not await owner.fetchval(queries.has_schema, each.service):
            await owner.execute(each.text)
            await grant_new(owner, each.service)
        await owner.execute(*record)


async def _recorded(owner: asyncpg.Connection) -> dict[tuple[str, int], tuple[str, str]]:
    """Name and checksum by service and number."""
    if not await owner.fetchval(queries.has_schema, "migrations"):
        await owner.execute(_RECORD)
    rows = await owner.fetch(queries.recorded)
    return {(row["service"], row["number"]): (row["name"], row["checksum"]) for row in rows}


def _check(recorded: dict[tuple[str, int], tuple[str, str]], migrations: Iterable[Migration]) -> None:
    known = {(each.service, each.number): each for each in migrations}
    for (service, number), (name, checksum) in recorded.items():
        each = known.get((service, number))
        if each is None:
            raise CannotMigrate(
                f"The database is newer than this version of Mercat: it has had {service}/{number:04}_{name}."
            )
        if (each.name, each.checksum) != (name, checksum):
            raise CannotMigrate(
                f"{each} is not the {number:04}_{name} that was applied to this database. A migration never "
                "changes once it is applied: put it back, and write a new one."
            )


@asynccontextmanager
async def alone(owner: asyncpg.Connection) -> AsyncGenerator[None]:
    """Hold the lock of migrations for as long as the block runs.

    It is tried again and again, not waited for: a statement that waits holds a snapshot, and whoever has the
    lock would wait for that in turn in `create index concurrently`."""
    while not await owner.fetchval(queries.try_lock, _LOCK):  # noqa: ASYNC110  - nobody tells us
        await asyncio.sleep(0.1)
    try:
        yield
    finally:
        await owner.execute(queries.unlock, _LOCK)
