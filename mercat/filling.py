"""What `mercat import` and `mercat generate` do at a terminal: progress while they work, and a summary."""

import asyncio
import gzip
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO, Any, cast

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from mercat import catalog, settings
from mercat.embedded import Connection
from mercat.main import assemble
from mercat.opening import import_files, rows

_console = Console(stderr=True)


def import_into(
    shop: Connection,
    files: Sequence[Path],
    seller: str | None,
    stock: int,
    columns: Mapping[str, str],
    report: Path,
) -> None:
    """Imports with a bar a file; bad rows go to the report, and the first few to the screen."""
    asyncio.run(_import(shop, files, seller, stock, columns, report))


async def _import(
    connection: Connection,
    files: Sequence[Path],
    seller: str | None,
    stock: int,
    columns: Mapping[str, str],
    report: Path,
) -> None:
    began = time.perf_counter()
    bad_rows = 0
    with report.open("wb") as written, _bars() as bars:
        tasks = {file: bars.add_task(file.name, total=file.stat().st_size) for file in files}

        def bad(row: catalog.BadRow) -> None:
            nonlocal bad_rows
            bad_rows += 1
            written.write(msgspec.json.encode(row._asdict()) + b"\n")
            if bad_rows <= 5:
                bars.console.print(f"[yellow]{row.file}, line {row.line}: {row.field or 'row'} {row.reason}")

        async with AsyncExitStack() as stack:
            shop = await assemble(settings.load({**os.environ, **connection.environment()}), stack)
            await shop.building.lease_worker()
            done = await import_files(
                shop,
                files,
                seller=seller,
                stock=stock,
                rename=columns,
                bad=bad,
                progress=lambda far: bars.update(tasks[far.file], completed=far.read),
            )
    for each in done:
        said = (
            f"{each.added:,} added, {each.changed:,} changed, {each.unchanged:,} as before, {each.bad:,} bad"
        )
        _console.print(f"{each.file.name}: {said}")
    _console.print(f"Done in {time.perf_counter() - began:.1f} s.")
    if bad_rows:
        _console.print(f"[yellow]{bad_rows:,} rows were left out; {report} says which and why.")
    else:
        report.unlink(missing_ok=True)


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn(), console=_console
    )


def generate_into(count: int, seed: int, out: Path | None) -> None:
    """Writes made-up products as lines of JSON."""
    if out is None:
        _write(count, seed, sys.stdout.buffer)
        return
    with gzip.open(out, "wb", compresslevel=1) if out.name.endswith(".gz") else out.open("wb") as file:
        _write(count, seed, cast(IO[Any], file))
    _console.print(f"{count:,} products in {out}.")


def _write(count: int, seed: int, file: IO[Any]) -> None:
    for line in rows(count, seed):
        file.write(line)
