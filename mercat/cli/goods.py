"""What `mercat import` and `mercat generate` do at a terminal: progress while they work, and a summary."""

import asyncio
import csv
import gzip
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO, Annotated, Any, NamedTuple, cast

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from mercat import catalog, settings
from mercat.app import build_shop
from mercat.catalog import FORMATS, CategoryMap
from mercat.cli.open_demo import ImportOptions, category_map, import_files, rows
from mercat.cli.options import HERE, Data, opened_shop
from mercat.embedded import Connection, Trouble
from mercat.kit.refusals import Refusal

_console = Console(stderr=True, markup=False, highlight=False)
_SHOWN = 5


def import_into(shop: Connection, files: Sequence[Path], ask: "ImportAsk", report: Path) -> int:
    """Import with a bar a file; what is left out or cut goes to the report, and the first few to the screen.

    Answers what the command exits with: 0 where nothing was lost, 1 where some rows or fields were, 2 where a
    file is not usable or nothing came of it."""
    try:
        return asyncio.run(_import(shop, files, ask, report))
    except KeyboardInterrupt:
        _console.print("Stopped. The same command again goes on from here.", style="yellow")
        return 130
    except Refusal as refused:
        raise Trouble(str(refused)) from None


class ImportAsk(NamedTuple):
    """What the command was asked: the options, and whose goods these are by the e-mail address."""

    options: ImportOptions
    owner: str = ""


async def _import(connection: Connection, files: Sequence[Path], ask: ImportAsk, report: Path) -> int:
    began = time.perf_counter()
    with _opened(report) as written, _bars() as bars:
        notes = _Notes(written, bars)
        tasks = {file: bars.add_task(file.name, total=_size(file), start=False) for file in files}

        def progress(far: catalog.ImportProgress) -> None:
            bars.start_task(tasks[far.file])
            bars.update(tasks[far.file], completed=far.read)

        async with AsyncExitStack() as stack:
            shop = await build_shop(settings.load({**os.environ, **connection.environment()}), stack)
            await shop.host.lease_worker()
            options = ask.options
            if ask.owner:
                owner = await shop.membership.seller_of_email(ask.owner, options.seller)
                options = options._replace(owner=owner)
            done = await import_files(shop, files, options, note=notes.add, progress=progress)
    for each in done:
        _summarise(each, ask.options.dry_run)
    _console.print(f"Done in {time.perf_counter() - began:.1f} s.")
    notes.summarise(report)
    if any(each.unusable or not each.taken for each in done):
        return 2
    return 1 if notes.left_out or notes.cut or any(each.broken for each in done) else 0


class _Notes:
    """Writes what happened to rows into the report, and the first of it on the screen."""

    def __init__(self, written: IO[bytes], bars: Progress) -> None:
        self.left_out = 0
        self.cut = 0
        self._written = written
        self._bars = bars

    def add(self, row: catalog.RowNote) -> None:
        """Write one note."""
        self.left_out, self.cut = self.left_out + row.left_out, self.cut + (not row.left_out)
        self._written.write(msgspec.json.encode(row._asdict()) + b"\n")
        if self.left_out + self.cut <= _SHOWN:
            words = f"{row.file}, line {row.line}: {row.field or 'the row'} {row.reason}"
            self._bars.console.print(words, style="yellow", soft_wrap=True)
        elif self.left_out + self.cut == _SHOWN + 1:
            self._bars.console.print("and more", style="yellow")

    def summarise(self, report: Path) -> None:
        """Say how many rows and fields were lost, and where it is written; without any, remove the report."""
        for count, one, many in ((self.left_out, "row", "left out"), (self.cut, "field", "cut")):
            if count:
                words = f"1 {one} was" if count == 1 else f"{count:,} {one}s were"
                _console.print(
                    f"{words} {many}; {report} says which and why.", style="yellow", soft_wrap=True
                )
        if not self.left_out and not self.cut:
            report.unlink(missing_ok=True)


def _summarise(done: catalog.ImportProgress, dry_run: bool) -> None:
    if done.unusable:
        _console.print(done.unusable, style="red", soft_wrap=True)
        return
    by_outcome = {
        "would be added" if dry_run else "added": done.added,
        "would be changed" if dry_run else "changed": done.changed,
        "as before": done.unchanged,
        "left out": done.left_out,
    }
    counts = ", ".join(f"{count:,} {words}" for words, count in by_outcome.items() if count)
    _console.print(f"{done.file.name} ({done.format}): {counts or 'nothing in it'}", soft_wrap=True)
    for remark in done.remarks:
        _console.print(f"{done.file.name}: {remark}", soft_wrap=True)
    if done.broken:
        _console.print(f"{done.file.name}: {done.broken}.", style="red", soft_wrap=True)


def _size(file: Path) -> int | None:
    """Measure a file; None where it is not there or empty."""
    try:
        return file.stat().st_size or None
    except OSError:
        return None


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
def import_(  # noqa: PLR0913  - the options of the command
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="CSV of this shop or another, or JSON lines; .gz and .zip too."),
    ],
    owner: Annotated[
        str,
        typer.Option(metavar="EMAIL", help="Whose goods these are, by their account."),
    ] = "",
    seller: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Under which name they are sold; operators act for a new one."),
    ] = None,
    stock: Annotated[int, typer.Option(min=0, help="Units of each where the file does not say.")] = 0,
    rename: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="THEIRS=OURS", help="A column that is called otherwise here."),
    ] = None,
    kind: Annotated[
        str, typer.Option("--format", metavar="NAME", help=f"Else guessed. One of {', '.join(FORMATS)}.")
    ] = "",
    categories: Annotated[
        str,
        typer.Option(metavar="create|refuse|MAP.csv", help="What becomes of categories that are new."),
    ] = "create",
    update: Annotated[
        bool,
        typer.Option("--update", help="Also set prices and stock that were changed in the shop."),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where bad rows are written, as JSON lines.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be, and write nothing.")] = False,
    data: Data = HERE,
) -> None:
    """Take files of products into the catalogue. Again, nothing changes; docs/import.md has the fields."""
    options = ImportOptions(
        seller=seller,
        stock=stock,
        rename=_renamed(rename or []),
        kind=kind,
        categories="create" if categories == "create" else "refuse",
        category_map=None if categories in ("create", "refuse") else _mapped(Path(categories)),
        overrules=update,
        dry_run=dry_run,
    )
    if kind and kind not in FORMATS:
        raise typer.BadParameter(f"There is no format {kind}.", param_hint="--format")
    with opened_shop(data, "import") as shop:
        wanted = report or data / "import-report.jsonl"
        raise typer.Exit(import_into(shop, files, ImportAsk(options, owner), wanted))


def _renamed(pairs: Sequence[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise typer.BadParameter(
                f"{pair} is not THEIRS=OURS, as in --map name=title.", param_hint="--map"
            )
    return dict(pair.split("=", 1) for pair in pairs)


def _mapped(file: Path) -> CategoryMap:
    try:
        return category_map(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise typer.BadParameter(f"{file} cannot be read: {error}.", param_hint="--categories") from None


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
