"""What `mercat search` does at a terminal: how good the order of products is, and learning a better one."""

import asyncio
import json
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from mercat import settings
from mercat.embedded import Connection
from mercat.ids import ProductId
from mercat.main import assemble, products
from mercat.search import Place, learning, place_of, verifying

_console = Console(stderr=True)
_SHOWN = 20


def _place(folder: Path) -> Place:
    return place_of(settings.load({**os.environ, "MERCAT_DATA": str(folder.parent)}))


def evaluate(folder: Path, queries: Path, judgements: Path, *, as_json: bool, run: Path | None) -> int:
    """The words alone, the prior, and the learnt ranker by cross-validation, on one shop's products."""
    made = learning.cases(
        folder, _place(folder), learning.questions(queries), learning.judgements(judgements)
    )
    steps: dict[str, dict[str, float]] = {}
    steps["words"], _ = learning.plain(made)
    steps["prior"], _ = learning.untaught(made)
    steps["learnt"], ranked = learning.validated(made)
    if run:
        lines = [json.dumps({"query_id": key, "product_ids": names}) for key, names in ranked.items()]
        run.write_text("\n".join(lines) + "\n")
    if as_json:
        typer.echo(json.dumps({"queries": len(made), "steps": steps}))
    else:
        _show(steps)
    return 0


def train(folder: Path, queries: Path, judgements: Path, out: Path) -> int:
    """Learns from all judgements, and says what that is worth on questions held out."""
    asked, graded = learning.questions(queries), learning.judgements(judgements)
    made = learning.cases(folder, _place(folder), asked, graded)
    held_out, _ = learning.validated(made)
    about: dict[str, Any] = {
        "queries": len(made),
        "judgements": sum(len(grades) for grades in graded.values()),
        "cross_validated": {name: round(value, 4) for name, value in held_out.items()},
    }
    out.write_bytes(msgspec.json.encode(learning.learn(list(made.values()), about=about)))
    _show({"cross-validated": held_out})
    _console.print(f"The ranker is in {out}.")
    return 0


def verify(shop: Connection, every: int, *, mend: bool, as_json: bool) -> int:
    """Compares index and catalogue. Exits with 1 where they differ and nobody mended it."""
    return asyncio.run(_verify(shop, every, mend=mend, as_json=as_json))


async def _verify(connection: Connection, every: int, *, mend: bool, as_json: bool) -> int:
    async with AsyncExitStack() as stack:
        shop = await assemble(settings.load({**os.environ, **connection.environment()}), stack)
        await shop.building.lease_worker()
        place = place_of(shop.settings)
        verdict = await verifying.verify(place, lambda: products(shop.catalog), every)
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
