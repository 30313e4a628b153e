"""What `mercat search` does at a terminal: how good the order of products is, and learning a better one."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from mercat import settings
from mercat.app import build_shop
from mercat.cli.options import HERE, AsJson, Data, needs_shop, opened_shop
from mercat.embedded import Connection, Trouble
from mercat.ids import ProductId
from mercat.kit.refusals import Refusal
from mercat.search import Place, learning, place_of, verifying
from mercat.shop import every_product

_console = Console(stderr=True)
_SHOWN = 20
Read = TypeVar("Read")


def _place(folder: Path) -> Place:
    return place_of(settings.load({**os.environ, "MERCAT_DATA": str(folder.parent)}))


def _can_learn() -> None:
    if find_spec("lightgbm") is None:
        raise Trouble(f"Learning needs LightGBM: `uv pip install --python {sys.executable} lightgbm`.")


def _read(reading: Callable[[Path], Read], file: Path) -> Read:
    try:
        return reading(file)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Trouble(f"{file} has a line that is not as docs/search.md says: {error}.") from None
    except (OSError, EOFError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise Trouble(f"{file} cannot be read: {reason.lower()}.") from None


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise Trouble(f"{file} cannot be written: {(error.strerror or str(error)).lower()}.") from None


def _cases(
    folder: Path, asked: dict[str, str], graded: dict[str, dict[str, int]]
) -> dict[str, learning.Case]:
    try:
        return learning.cases(folder, _place(folder), asked, graded)
    except Refusal:
        raise Trouble(f"The shop in {folder.parent} has no index yet: open it once.") from None


def _validated(made: dict[str, learning.Case]) -> tuple[dict[str, float], dict[str, list[str]]]:
    try:
        return learning.validated(made)
    except learning.TooLittle:
        raise Trouble(
            "There is too little to learn from: too few of these questions find a product of this shop"
            " that was judged good (its product_id is its external_id where it has one)."
        ) from None


def evaluate(folder: Path, queries: Path, judgements: Path, *, as_json: bool, run: Path | None) -> int:
    """The words alone, the prior, and the learnt ranker by cross-validation, on one shop's products."""
    _can_learn()
    made = _cases(folder, _read(learning.questions, queries), _read(learning.judgements, judgements))
    steps: dict[str, dict[str, float]] = {}
    steps["words"], _ = learning.plain(made)
    steps["prior"], _ = learning.untaught(made)
    steps["learnt"], ranked = _validated(made)
    if run:
        lines = [json.dumps({"query_id": key, "product_ids": names}) for key, names in ranked.items()]
        _write(run, ("\n".join(lines) + "\n").encode())
    if as_json:
        typer.echo(json.dumps({"queries": len(made), "steps": steps}))
    else:
        _show(steps)
    return 0


def train(folder: Path, queries: Path, judgements: Path, out: Path) -> int:
    """Learns from all judgements, and says what that is worth on questions held out."""
    _can_learn()
    asked, graded = _read(learning.questions, queries), _read(learning.judgements, judgements)
    made = _cases(folder, asked, graded)
    held_out, _ = _validated(made)
    about: dict[str, Any] = {
        "queries": len(made),
        "judgements": sum(len(grades) for grades in graded.values()),
        "cross_validated": {name: round(value, 4) for name, value in held_out.items()},
    }
    _write(out, msgspec.json.encode(learning.learn(list(made.values()), about=about)))
    _show({"cross-validated": held_out})
    _console.print(f"The ranker is in {out}.")
    return 0


def verify(shop: Connection, every: int, *, mend: bool, as_json: bool) -> int:
    """Compares index and catalogue. Exits with 1 where they differ and nobody mended it."""
    return asyncio.run(_verify(shop, every, mend=mend, as_json=as_json))


async def _verify(connection: Connection, every: int, *, mend: bool, as_json: bool) -> int:
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings.load({**os.environ, **connection.environment()}), stack)
        await shop.host.lease_worker()
        place = place_of(shop.settings)
        verdict = await verifying.verify(place, lambda: every_product(shop.catalog), every)
        if mend and verdict.differences:
            wrong = [ProductId(each.product_id) for each in verdict.differences if each.what != "extra"]
            await shop.catalog.tell_again(wrong)
            if len(wrong) < len(verdict.differences):
                place.drop()
    if as_json:
        typer.echo(msgspec.json.encode(verdict))
    else:
        for each in verdict.differences[:_SHOWN]:
            _console.print(f"{ProductId(each.product_id)} is {each.what} in the index")
        count = len(verdict.differences)
        said = f"{verdict.checked:,} products compared, {count:,} differ"
        _console.print(f"{said}{' and are being mended' if count and mend else ''}.")
    return 1 if verdict.differences and not mend else 0


def _show(steps: dict[str, dict[str, float]]) -> None:
    names = list(next(iter(steps.values())))
    table = Table("step", *names)
    for step, values in steps.items():
        table.add_row(step, *(f"{values[name]:.3f}" for name in names))
    _console.print(table)


commands = typer.Typer(name="search", help="Measure and teach search.", no_args_is_help=True)
Queries = Annotated[
    Path,
    typer.Option(metavar="FILE", exists=True, dir_okay=False, help="JSON lines: query_id, query (.gz too)."),
]
Judgements = Annotated[
    Path,
    typer.Option(
        metavar="FILE", exists=True, dir_okay=False, help="JSON lines: query_id, product_id, grade 0 to 3."
    ),
]


@commands.command("evaluate")
def search_evaluate(
    queries: Queries,
    judgements: Judgements,
    data: Data = HERE,
    run: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the cross-validated order of each query.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how good the order of this shop's products is, by what people judged; learnt parts are
    cross-validated."""
    needs_shop(data)
    raise typer.Exit(evaluate(data / "search", queries, judgements, as_json=as_json, run=run))


@commands.command("verify")
def search_verify(
    data: Data = HERE,
    every: Annotated[int, typer.Option(min=1, help="Compare one page of products in so many.")] = 1,
    mend: Annotated[bool, typer.Option("--mend", help="Tell search again what it has wrong.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare this shop's index with its catalogue, and say what differs."""
    with opened_shop(data, "search verify") as shop:
        raise typer.Exit(verify(shop, every, mend=mend, as_json=as_json))


@commands.command("train")
def search_train(
    queries: Queries,
    judgements: Judgements,
    data: Data = HERE,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the ranker goes (else into this shop).")
    ] = None,
) -> None:
    """Learn a ranker for this shop from judgements of its products. Workers take it when they start."""
    needs_shop(data)
    raise typer.Exit(train(data / "search", queries, judgements, out or data / "search" / "ranker.json"))
