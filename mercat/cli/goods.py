"""What `mercat import` and `mercat generate` do at a terminal: progress while they work, and a summary."""

import asyncio
import gzip
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO, Annotated, Any, cast

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from mercat import catalog, settings
from mercat.app import build_shop
from mercat.cli.open_demo import import_files, rows
from mercat.cli.options import HERE, Data, opened_shop
from mercat.embedded import Connection, Trouble
from mercat.kit.refusals import Refusal

_console = Console(stderr=True, markup=False, highlight=False)
_SHOWN = 5


def import_into(
    shop: Connection,
    files: Sequence[Path],
    seller: str | None,
    stock: int,
    columns: Mapping[str, str],
    report: Path,
) -> int:
    """Import with a bar a file; what is left out or cut goes to the report, and the first few to the screen.

    Answers what the command exits with: 1 where a file could not be read to its end."""
    try:
        return asyncio.run(_import(shop, files, seller, stock, columns, report))
    except KeyboardInterrupt:
        _console.print("Stopped. The same command again goes on from here.", style="yellow")
        return 130
    except (catalog.NotProducts, Refusal) as refused:
        raise Trouble(str(refused)) from None


async def _import(
    connection: Connection,
    files: Sequence[Path],
    seller: str | None,
    stock: int,
    columns: Mapping[str, str],
    report: Path,
) -> int:
    began = time.perf_counter()
    left_out, cut = 0, 0
    sizes = [_size(file) for file in files]
    with _opened(report) as written, _bars() as bars:
        tasks = {
            file: bars.add_task(file.name, total=size or None, start=False)
            for file, size in zip(files, sizes, strict=True)
        }

        def progress(far: catalog.ImportProgress) -> None:
            bars.start_task(tasks[far.file])
            bars.update(tasks[far.file], completed=far.read)

        def note(row: catalog.RowNote) -> None:
            nonlocal left_out, cut
            left_out, cut = left_out + row.left_out, cut + (not row.left_out)
            written.write(msgspec.json.encode(row._asdict()) + b"\n")
            if left_out + cut <= _SHOWN:
                words = f"{row.file}, line {row.line}: {row.field or 'the row'} {row.reason}"
                bars.console.print(words, style="yellow")
            elif left_out + cut == _SHOWN + 1:
                bars.console.print("and more", style="yellow")

        async with AsyncExitStack() as stack:
            shop = await build_shop(settings.load({**os.environ, **connection.environment()}), stack)
            await shop.host.lease_worker()
            done = await import_files(
                shop,
                files,
                seller=seller,
                stock=stock,
                rename=columns,
                note=note,
                progress=progress,
            )
    _summarise(done, report, left_out, cut, time.perf_counter() - began)
    if not left_out and not cut:
        report.unlink(missing_ok=True)
    return 1 if any(each.broken for each in done) else 0


def _summarise(
    done: Sequence[catalog.ImportProgress], report: Path, left_out: int, cut: int, seconds: float
) -> None:
    """Print what became of each file, and where the report is."""
    for each in done:
        by_outcome = {
            "added": each.added,
            "changed": each.changed,
            "as before": each.unchanged,
            "left out": each.left_out,
        }
        counts = ", ".join(f"{count:,} {words}" for words, count in by_outcome.items() if count)
        _console.print(f"{each.file.name}: {counts or 'nothing in it'}")
        if each.broken:
            _console.print(f"{each.file.name}: {each.broken}.", style="red")
    _console.print(f"Done in {seconds:.1f} s.")
    if left_out:
        rows = "1 row was" if left_out == 1 else f"{left_out:,} rows were"
        _console.print(f"{rows} left out; {report} says which and why.", style="yellow", soft_wrap=True)
    if cut:
        fields = "1 field was" if cut == 1 else f"{cut:,} fields were"
        _console.print(f"{fields} cut; {report} says which and why.", style="yellow", soft_wrap=True)


def _size(file: Path) -> int:
    """Measure a file; Trouble where it cannot be read at all."""
    try:
        with file.open("rb"):
            return file.stat().st_size
    except FileNotFoundError:
        raise Trouble(f"There is no file {file}.") from None
    except OSError as error:
        raise Trouble(f"{file} cannot be read: {(error.strerror or str(error)).lower()}.") from None


def _opened(report: Path) -> IO[bytes]:
    try:
        return report.open("wb")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Trouble(f"The report {report} cannot be written: {reason}.") from None


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=_console,
    )


def generate_into(count: int, seed: int, out: Path | None) -> None:
    """Write made-up products as lines of JSON."""
    if out is None:
        _write(count, seed, sys.stdout.buffer)
        return
    packed = out.name.endswith(".gz")
    try:
        with gzip.open(out, "wb", compresslevel=1) if packed else out.open("wb") as file:
            _write(count, seed, cast(IO[Any], file))
    except OSError as error:
        raise Trouble(f"{out} cannot be written: {(error.strerror or str(error)).lower()}.") from None
    _console.print(f"{count:,} products in {out}.")


def _write(count: int, seed: int, file: IO[Any]) -> None:
    for line in rows(count, seed):
        file.write(line)


commands = typer.Typer()


@commands.command("import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="JSON lines (.gz too) or CSV."),
    ],
    seller: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose goods these are (else one seller a file).")
    ] = None,
    stock: Annotated[int, typer.Option(min=0, help="Units of each where the file does not say.")] = 100,
    rename: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="THEIRS=OURS", help="A column that is called otherwise here."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where bad rows are written, as JSON lines.")
    ] = None,
    data: Data = HERE,
) -> None:
    """Take files of products into the catalogue. Again, nothing changes; docs/import.md has the fields."""
    for pair in rename or []:
        if "=" not in pair:
            raise typer.BadParameter(
                f"{pair} is not THEIRS=OURS, as in --map name=title.", param_hint="--map"
            )
    columns = dict(pair.split("=", 1) for pair in rename or [])
    with opened_shop(data, "import") as shop:
        wanted = report or data / "import-report.jsonl"
        raise typer.Exit(import_into(shop, files, seller, stock, columns, wanted))


@commands.command()
def generate(
    products: Annotated[int, typer.Option(min=1, max=100_000_000, help="How many.")] = 2_400,
    seed: Annotated[int, typer.Option(help="Another seed, other products.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write, packed if .gz (else standard output)."),
    ] = None,
) -> None:
    """Make up products as JSON lines, to be taken with `mercat import`."""
    generate_into(products, seed, out)
