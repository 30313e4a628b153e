"""Keep what a release leaves, for later migrations to be tried on: `python tests/migrations/keep.py 0.2.0`.

Writes `0.2.0.sql`, a database that it has just made, and `0.2.0-statements.sql`, all that it says to one.
Run once, on the commit that is released."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg

from mercat.audit.audit import laws
from mercat.embedded import Connection, engines, programs, temporary
from mercat.kit import sql
from mercat.migrations import SCHEMAS, migrate
from mercat.settings import load

HERE = Path(__file__).parent


def keep(release: str) -> None:
    with temporary() as home, engines(home) as shop:
        asyncio.run(_migrated(shop))
        (HERE / f"{release}.sql").write_text(dumped(shop, "--inserts"))
    (HERE / f"{release}-statements.sql").write_text("\n".join(_statements()))


def dumped(shop: Connection, *options: str) -> str:
    """A database as SQL, without comments and psql's own commands."""
    command = [str(programs() / "pg_dump"), "--exclude-schema=migrations", *options]
    dump = subprocess.check_output(command, env={**os.environ, **shop.libpq()}, text=True)
    return "\n".join(line for line in dump.splitlines() if line and not line.startswith(("--", "\\")))


async def _migrated(shop: Connection) -> None:
    owner = await asyncpg.connect(**shop.postgres())
    await migrate(owner, load(shop.environment()))
    await owner.close()


def _statements() -> list[str]:
    queries = {service: vars(sql.load(f"mercat.{service}")) for service in SCHEMAS if _has_queries(service)}
    queries |= {"events": vars(sql.load("mercat.kit")), "audit": {law.name: law.statement for law in laws()}}
    return [
        f"-- statement: {role}: {name}\n{text}" for role, its in queries.items() for name, text in its.items()
    ]


def _has_queries(service: str) -> bool:
    return (HERE.parents[1] / "mercat" / service / "queries.sql").is_file()


if __name__ == "__main__":
    keep(sys.argv[1])
