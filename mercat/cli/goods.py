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
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mercat import catalog, ids, settings
from mercat.app import build_shop
from mercat.catalog import FORMATS, CategoryMaking, CategoryMap, UndoCounts
from mercat.cli.moving_in import take_customers, take_orders
from mercat.cli.open_demo import ImportOptions, category_map, import_files, rows
from mercat.cli.options import HERE, Data, opened_shop
from mercat.embedded import Connection, Trouble
from mercat.ids import ImportId
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


def undo_import(shop: Connection, import_id: ImportId) -> int:
    """Put back what an import changed, where nobody has changed it since; answer what the command exits with:
    0 where all stands as before, 1 where something was changed since, 2 where nothing was to be undone."""
    counts = asyncio.run(_undo(shop, import_id))
    if not counts.put_back and not counts.changed_since:
        _console.print(f"Nothing is known of {import_id}: it changed nothing, or is too old.", style="red")
        return 2
    _console.print(f"{counts.put_back:,} stand as before, {counts.changed_since:,} were changed since.")
    return 1 if counts.changed_since else 0


async def _undo(connection: Connection, import_id: ImportId) -> UndoCounts:
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings.load({**os.environ, **connection.environment()}), stack)
        await shop.host.lease_worker()
        return await shop.sellers.put_back(import_id)


class ImportAsk(NamedTuple):
    """What the command was asked: the options, and whose goods these are by the e-mail address."""

    options: ImportOptions
    owner: str = ""


async def _import(connection: Connection, files: Sequence[Path], ask: ImportAsk, report: Path) -> int:
    began = time.perf_counter()
    with _opened(report) as written, _bars() as bars:
        notes = _Notes(written, bars)
        tasks: dict[Path, TaskID] = {}

        def progress(far: catalog.ImportProgress) -> None:
            if far.file not in tasks:
                tasks[far.file] = bars.add_task(far.file.name, total=far.size or None)
            bars.update(tasks[far.file], completed=far.read)

        async with AsyncExitStack() as stack:
            shop = await build_shop(settings.load({**os.environ, **connection.environment()}), stack)
            await shop.host.lease_worker()
            options = ask.options
            if ask.owner:
                owner = await shop.membership.seller_of_email(ask.owner, options.seller)
                options = options._replace(owner=owner)
            if not options.dry_run:
                options = options._replace(import_id=ids.new(ImportId))
            done = await import_files(shop, files, options, note=notes.add, progress=progress)
            await shop.sellers.forget_old_imports()
    for each in done:
        _summarise(each, ask.options.dry_run)
    _console.print(f"Done in {time.perf_counter() - began:.1f} s.")
    notes.summarise(report)
    if options.import_id and any(each.added or each.changed for each in done):
        _console.print(
            f"`mercat import --undo {options.import_id}` puts back what stood before.", soft_wrap=True
        )
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
        list[Path] | None,
        typer.Argument(metavar="FILE…", help="CSV of this shop or another, or JSON lines; .gz and .zip too."),
    ] = None,
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
    customers: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="People of a former shop: each gets an account and an invitation."),
    ] = None,
    orders: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Orders of a former shop: history to be read, and nothing else."),
    ] = None,
    undo: Annotated[
        str,
        typer.Option(metavar="IMPORT_ID", help="Put back what an import changed, instead of taking files."),
    ] = "",
    data: Data = HERE,
) -> None:
    """Take files of products into the catalogue. Again, nothing changes; docs/import.md has the fields."""
    if undo:
        raise typer.Exit(_undone(undo, data))
    taken = _categories(categories)
    options = ImportOptions(seller, None, stock, _renamed(rename or []), kind, *taken, update, dry_run)
    asked = _Asked(files or [], customers or [], orders or [], owner, report or data / "import-report.jsonl")
    raise typer.Exit(_carry_out(asked, options, data))


class _Asked(NamedTuple):
    """The files that the command was given, whose the goods are, and where it is written what is lost."""

    files: list[Path]
    customers: list[Path]
    orders: list[Path]
    owner: str
    report: Path


def _carry_out(asked: _Asked, options: ImportOptions, data: Path) -> int:
    if options.kind and options.kind not in FORMATS:
        raise typer.BadParameter(f"There is no format {options.kind}.", param_hint="--format")
    if not (asked.files or asked.customers or asked.orders):
        raise typer.BadParameter("Name a file.", param_hint="FILE…")
    with opened_shop(data, "import") as shop:
        if asked.customers or asked.orders:
            code = move_in(shop, asked.customers, asked.orders, asked.report, dry_run=options.dry_run)
            if code or not asked.files:
                return code
        return import_into(shop, asked.files, ImportAsk(options, asked.owner), asked.report)


def _categories(said: str) -> tuple[CategoryMaking, CategoryMap | None]:
    """Read what becomes of categories that are new: they are made, refused, or a file maps them."""
    if said in ("create", "refuse"):
        return ("create" if said == "create" else "refuse"), None
    return "refuse", _mapped(Path(said))


def move_in(
    connection: Connection, customers: Sequence[Path], orders: Sequence[Path], report: Path, *, dry_run: bool
) -> int:
    """Take people and orders of a former shop; answer what the command exits with, as for goods."""
    try:
        return asyncio.run(_move_in(connection, customers, orders, report, dry_run=dry_run))
    except OSError as error:
        raise Trouble(f"{error.filename} cannot be read: {(error.strerror or str(error)).lower()}.") from None


async def _move_in(
    connection: Connection, customers: Sequence[Path], orders: Sequence[Path], report: Path, *, dry_run: bool
) -> int:
    with _opened(report) as written, _bars() as bars:
        notes = _Notes(written, bars)
        async with AsyncExitStack() as stack:
            shop = await build_shop(settings.load({**os.environ, **connection.environment()}), stack)
            await shop.host.lease_worker()
            done = [await take_customers(shop, file, notes.add, dry_run=dry_run) for file in customers]
            done += [await take_orders(shop, file, notes.add, dry_run=dry_run) for file in orders]
    for each in done:
        counts = {"added": each.added, "changed": each.changed, "as before": each.unchanged}
        if dry_run:
            counts = {"would be taken": each.unchanged}
        counts["left out"] = each.left_out
        words = ", ".join(f"{count:,} {said}" for said, count in counts.items() if count)
        _console.print(each.unusable or f"{each.file.name}: {words}", soft_wrap=True)
    notes.summarise(report)
    if any(each.unusable for each in done):
        return 2
    return 1 if notes.left_out or notes.cut else 0


def _undone(shown: str, data: Path) -> int:
    try:
        import_id = ids.parse(ImportId, shown)
    except ValueError:
        raise typer.BadParameter(f"{shown} is no import, as in imp_….", param_hint="--undo") from None
    with opened_shop(data, "import") as shop:
        return undo_import(shop, import_id)


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
