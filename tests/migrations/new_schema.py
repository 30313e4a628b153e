"""A plugin for an earlier release's own tests: they run on a database that this version has migrated.

This version migrates in a process of its own, for one process cannot have two packages called `mercat`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from mercat import migrations as earlier
except ImportError:
    from mercat import migrate as earlier  # 0.1.0  # pyright: ignore

_ROOT = Path(__file__).parents[2]
_MIGRATE = """
import asyncio, asyncpg
from mercat.migrations import migrate
from mercat.settings import load

async def main():
    settings = load()
    owner = await asyncpg.connect(**settings.database(), user="mercat", password=settings.secret("mercat"))
    await migrate(owner, settings)

asyncio.run(main())
"""
_migrate = earlier.migrate


async def migrate(owner: Any, settings: Any) -> None:
    await _migrate(owner, settings)
    told = {
        "MERCAT_POSTGRES_HOST": settings.postgres_host,
        "MERCAT_POSTGRES_DATABASE": settings.postgres_database,
        "MERCAT_SECRET_KEY": settings.secret_key,
    }
    subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-c", _MIGRATE], cwd=_ROOT, env={**os.environ, **told}, check=True
    )


earlier.migrate = migrate
