"""The commands of `mercat recommend`: measure how good shelves are."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mercat.cli.options import AsJson
from mercat.embedded import Trouble
from mercat.lab import shelf_quality

_console = Console(stderr=True)
_SHELF_MS = 5.0
"""What a shelf may take."""
commands = typer.Typer(name="recommend", help="Measure shelves.", no_args_is_help=True)


@commands.callback()
def recommend() -> None:
    """Measure shelves."""


@commands.command("evaluate")
def evaluate(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="A folder of past orders: see docs/recommendations.md.",
        ),
    ],
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day from which orders ask (else the last 30 days)."),
    ] = None,
    part: Annotated[
        int, typer.Option(min=0, help="Only the newest so many orders teach (0: all).", metavar="ORDERS")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Say how good shelves are on past orders: one product of each later order is hidden and asked for."""
    try:
        split = shelf_quality.read(folder, since, part)
    except shelf_quality.NoOrders as none:
        raise Trouble(str(none)) from None
    except (msgspec.DecodeError, OSError, EOFError) as error:
        raise Trouble(f"The orders in {folder} are not as docs/recommendations.md says: {error}.") from None
    report = asyncio.run(_evaluate(split))
    if as_json:
        typer.echo(msgspec.json.encode(report))
    else:
        _show(report)


async def _evaluate(split: shelf_quality.Split) -> dict[str, Any]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=_console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        async with shelf_quality.database_of_its_own() as db:
            return await shelf_quality.evaluate(split, db, progress)


def _show(report: dict[str, Any]) -> None:
    names = list(next(iter(report["steps"].values())))
    table = Table("shelf", *names)
    for step, scores in report["steps"].items():
        table.add_row(step, *(f"{scores[name]:.3f}" for name in names))
    _console.print(table)
    timed = Table("shelf", "CPU ms an answer")
    for name, spent in report["cpu_ms"].items():
        over = f", over {_SHELF_MS:.0f}" if spent > _SHELF_MS else ""
        timed.add_row(name, f"{spent:.2f}{over}")
    _console.print(timed)
    _console.print(
        f"{report['learnt']:,} orders taught in {report['learnt_in_s']} s; {report['tasks']:,} tasks, "
        f"answered in {report['answer_p50_ms']} ms (p99 {report['answer_p99_ms']} ms)."
    )
