"""The commands of `mercat search`: measure how good the order of products is, train a better one, compare
index and catalogue."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from mercat import ids, settings
from mercat.app import build_shop
from mercat.cli.flash import in_shop
from mercat.cli.options import HERE, AsJson, Data, needs_shop, opened_shop
from mercat.embedded import Connection, Trouble
from mercat.ids import ProductId
from mercat.kit import codec
from mercat.kit.refusals import Refusal
from mercat.search import IndexStore, LearntOrder, compare_with_catalogue, index_store, training
from mercat.shop import Shop, every_product

_console = Console(stderr=True)
_SHOWN = 20
Read = TypeVar("Read")
Answer = TypeVar("Answer")
_STATES = {"served": "is served", "former": "was served", "kept_out": "is kept out:"}


def _store(folder: Path) -> IndexStore:
    return index_store(settings.load({**os.environ, "MERCAT_DATA": str(folder.parent)}))


def _check_lightgbm() -> None:
    if find_spec("lightgbm") is None:
        raise Trouble(f"Training needs LightGBM: `uv pip install --python {sys.executable} lightgbm`.")


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


def _judged_queries(folder: Path, queries: Path, judgements: Path) -> dict[str, training.JudgedQuery]:
    asked, grades = _read(training.read_queries, queries), _read(training.read_judgements, judgements)
    try:
        return training.judged_queries(folder, _store(folder), asked, grades)
    except Refusal:
        raise Trouble(f"The shop in {folder.parent} has no index yet: open it once.") from None


def _cross_validate(
    judged: dict[str, training.JudgedQuery],
) -> tuple[dict[str, float], training.Rankings]:
    try:
        return training.cross_validate(judged)
    except training.TooFewJudgements:
        raise Trouble(
            "There are too few judgements to train on: too few of these queries find a product of this shop"
            " that was judged good (its product_id is its external_id where it has one)."
        ) from None


def evaluate(folder: Path, queries: Path, judgements: Path, *, as_json: bool, run: Path | None) -> int:
    """Measure the words alone, the prior, and the learnt ranker by cross-validation, on one shop's
    products."""
    _check_lightgbm()
    judged = _judged_queries(folder, queries, judgements)
    steps: dict[str, dict[str, float]] = {}
    steps["words"], _ = training.evaluate_words(judged)
    steps["prior"], _ = training.evaluate_prior(judged)
    steps["learnt"], rankings = _cross_validate(judged)
    if run:
        lines = [json.dumps({"query_id": key, "product_ids": names}) for key, names in rankings.items()]
        _write(run, ("\n".join(lines) + "\n").encode())
    if as_json:
        typer.echo(json.dumps({"queries": len(judged), "steps": steps}))
    else:
        _show(steps)
    return 0


def train(folder: Path, queries: Path, judgements: Path, out: Path) -> int:
    """Train a ranker on all judgements, and say what that is worth on queries held out."""
    _check_lightgbm()
    judged = _judged_queries(folder, queries, judgements)
    held_out, _ = _cross_validate(judged)
    judgement_count = sum(len(grades) for grades in _read(training.read_judgements, judgements).values())
    about: dict[str, Any] = {
        "queries": len(judged),
        "judgements": judgement_count,
        "cross_validated": {name: round(value, 4) for name, value in held_out.items()},
    }
    _write(out, msgspec.json.encode(training.train(list(judged.values()), about=about)))
    _show({"cross-validated": held_out})
    _console.print(f"The ranker is in {out}.")
    return 0


def verify(shop: Connection, every: int, *, mend: bool, as_json: bool) -> int:
    """Compare index and catalogue. Exits with 1 where they differ and it was not mended."""
    return asyncio.run(_verify(shop, every, mend=mend, as_json=as_json))


async def _verify(connection: Connection, every: int, *, mend: bool, as_json: bool) -> int:
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings.load({**os.environ, **connection.environment()}), stack)
        await shop.host.lease_worker()
        store = index_store(shop.settings)
        report = await compare_with_catalogue(store, lambda: every_product(shop.catalog), every)
        if mend and report.differences:
            wrong = [ProductId(each.product_id) for each in report.differences if each.what != "extra"]
            await shop.catalog.tell_again(wrong)
            if len(wrong) < len(report.differences):
                store.drop()
    if as_json:
        typer.echo(msgspec.json.encode(report))
    else:
        for each in report.differences[:_SHOWN]:
            _console.print(f"{ProductId(each.product_id)} is {each.what} in the index")
        count = len(report.differences)
        message = f"{report.checked:,} products compared, {count:,} differ"
        _console.print(f"{message}{' and are being mended' if count and mend else ''}.")
    return 1 if report.differences and not mend else 0


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


@commands.command("learn")
def search_learn(data: Data = HERE, as_json: AsJson = False) -> None:
    """Learn from clicks and orders now, as the shop does each day by itself; what is worse is kept out."""
    learnt = _asked(data, "search learn", lambda shop: shop.analytics.learn())
    if as_json:
        typer.echo(codec.encode(learnt))
    elif learnt is None:
        typer.echo("Nothing was chosen often enough so far, in searches of days that are over.")
    else:
        _say_learnt(learnt)


@commands.command("learnt")
def search_learnt(data: Data = HERE, as_json: AsJson = False) -> None:
    """List what was learnt from clicks and orders, the newest first, and why something is not served."""
    every = _asked(data, "search learnt", lambda shop: shop.search.learnt())
    if as_json:
        typer.echo(codec.encode(every))
        return
    for each in every:
        _say_learnt(each)


@commands.command("unlearn")
def search_unlearn(learnt: str, data: Data = HERE) -> None:
    """Serve what was served before LEARNT (`lrn_…`), or nothing learnt; within a second or two."""
    try:
        learnt_id = ids.parse(ids.LearntId, learnt)
    except ValueError:
        raise Trouble(f"{learnt} is none of what `mercat search learnt` lists.") from None
    _asked(data, "search unlearn", lambda shop: shop.search.take_back(learnt_id))


def _asked(data: Path, name: str, ask: Callable[[Shop], Awaitable[Answer]]) -> Answer:
    with opened_shop(data, name) as connection:
        return in_shop(connection, ask)


def _say_learnt(learnt: LearntOrder) -> None:
    typer.echo(
        f"{learnt.learnt_id}  {learnt.at:%Y-%m-%d %H:%M}  {_STATES[learnt.state]}  {learnt.why}".rstrip()
    )
    for what, before, after in (
        ("of what was chosen stands first", learnt.chosen_before, learnt.chosen_after),
        ("of judged queries", learnt.judged_before, learnt.judged_after),
    ):
        if before is not None and after is not None:
            typer.echo(f"  {before:.3f} -> {after:.3f} {what}, for {learnt.searches:,} searches")


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
