"""What `mercat shard …` does at a terminal: move buckets of orders between databases, and list them."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import asyncpg
import msgspec
import typer
from rich.console import Console
from rich.table import Table

from mercat import settings
from mercat.cli.options import HERE, AsJson, Data, MaybeConfig, opened_shop, with_config
from mercat.embedded import Trouble
from mercat.kit.db_errors import AWAY
from mercat.resharding import CLEARED_AFTER_S, BucketMover, CannotMove, Database, Progress, opened
from mercat.settings import Settings
from mercat.shard_places import WrongPlaces, misplaced, read_buckets, show_buckets

Answer = TypeVar("Answer")
commands = typer.Typer(
    name="shard", help="Move orders between databases, by the buckets of buyers.", no_args_is_help=True
)
_console = Console(stderr=True, markup=False, highlight=False)
_SAID = {
    "leaving": "leaving for {other}",
    "gone": "gone to {other}, not cleared away yet",
    "coming": "coming from {other}",
    "ready": "to be taken from {other}",
    "dropped": "a copy that nobody needs",
}


class Place(msgspec.Struct, frozen=True):
    """A database of orders: the buckets that it has, and those on their way, by what is said of them."""

    name: str
    buckets: str
    count: int
    moving: dict[str, str]


@commands.command()
def move(
    buckets: Annotated[str, typer.Argument(metavar="BUCKETS", help="As in 0-63,100.")],
    to: Annotated[str, typer.Option(metavar="NAME", help="The database that gets them.")] = "",
    back: Annotated[
        bool,
        typer.Option("--back", help="Undo a move that was begun, or move them back from where they are."),
    ] = False,
    clear: Annotated[
        bool, typer.Option("--clear/--no-clear", help="Clear away the rows where they were, 30 s later.")
    ] = True,
    config: MaybeConfig = None,
    data: Data = HERE,
) -> None:
    """Move buckets of orders to another database while people buy.

    One after another is copied, compared and handed over; its writers wait for a moment. After whatever
    stopped it, run it again, or with --back. All processes of the shop have to be of this release."""
    wanted = _buckets(buckets)
    if bool(to) == back:
        raise Trouble("Say where they go, by --to NAME, or that they go back, by --back.")
    shown = _Shown(len(wanted))

    async def work(found: list[Database]) -> int:
        mover = BucketMover(found, shown.tell, CLEARED_AFTER_S if clear else None)
        return await (mover.back(wanted) if back else mover.move(wanted, to))

    moved = _with_databases(work, config, data)
    if back:
        said = f"Buckets that are back: {moved:,}." if moved else "None of them had been moved."
    else:
        said = f"Buckets moved to {to}: {moved:,}." if moved else f"All of them are in {to} already."
    _console.print(said)


@commands.command()
def status(config: MaybeConfig = None, data: Data = HERE, as_json: AsJson = False) -> None:
    """Say which database has which buckets, and which are on their way. Exits with 1 where one is in none, or
    in two."""
    places = _with_databases(_places, config, data, alone=False)
    lost, twice = misplaced(read_buckets(place.buckets) for place in places if place.buckets)
    if as_json:
        typer.echo(msgspec.json.encode({"databases": places, "nowhere": lost, "twice": twice}))
    else:
        table = Table("database", "buckets", "how many", "on their way")
        for place in places:
            moving = "\n".join(f"{each}: {what}" for what, each in place.moving.items())
            table.add_row(place.name, place.buckets, f"{place.count:,}", moving)
        _console.print(table)
        if any(place.moving for place in places):
            _console.print("Rows that are left over outlast an erasure: the next move clears them away.")
        if lost or twice:
            _console.print(f"Buckets in no database: {lost:,}, in two: {twice:,}. Move them again, or back.")
    raise typer.Exit(1 if lost or twice else 0)


class _Shown:
    """A line for each bucket that is done, and where one takes long."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._moved = self._cleared = 0
        self._waiting = False

    def tell(self, progress: Progress) -> None:
        if progress.what == "moved":
            self._moved += 1
            _console.print(
                f"{self._moved:,} of {self._wanted:,}: bucket {progress.bucket}, {progress.copied:,} copied, "
                f"writers waited {progress.waited_ms:,} ms"
            )
        elif progress.what == "copied" and progress.copied % 10_000 == 0:
            _console.print(f"bucket {progress.bucket}: {progress.copied:,} copied so far")
        elif progress.what == "waits" and not self._waiting:
            self._waiting = True
            _console.print("Rows are cleared away where they were, once nobody can be reading them.")
        elif progress.what == "cleared":
            self._cleared += 1


def _buckets(told: str) -> list[int]:
    try:
        return read_buckets(told)
    except WrongPlaces as wrong:
        raise Trouble(f"{wrong}.") from None


async def _places(databases: list[Database]) -> list[Place]:
    places: list[Place] = []
    for each in databases:
        buckets = await each.buckets()
        moving: dict[str, list[int]] = defaultdict(list)
        for one in await each.moves():
            if one.state in _SAID:
                moving[_SAID[one.state].format(other=one.other)].append(one.bucket)
        shown = {what: show_buckets(those) for what, those in moving.items()}
        places.append(Place(each.name, show_buckets(buckets), len(buckets), shown))
    return places


def _with_databases(
    work: Callable[[list[Database]], Awaitable[Answer]],
    config: Path | None,
    data: Path,
    *,
    alone: bool = True,
) -> Answer:
    async def run(told: Settings) -> Answer:
        async with opened(told, alone=alone) as databases:
            return await work(databases)

    try:
        with _settings(config, data) as told:
            return asyncio.run(run(told))
    except CannotMove as cannot:
        raise Trouble(str(cannot)) from None
    except (*AWAY, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error).strip() or type(error).__name__
        raise Trouble(
            f"A database of orders failed ({reason[:200]}). Run it again, or with --back."
        ) from None


@contextmanager
def _settings(config: Path | None, data: Path) -> Generator[Settings]:
    if config:
        yield settings.load(with_config(config))
        return
    with opened_shop(data, "shard") as shop:
        yield settings.load({**os.environ, **shop.environment()})
