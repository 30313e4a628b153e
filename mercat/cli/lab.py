"""`mercat bench` and `simulate`: what measures the shop and tries to break it, in a shop of its own."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from mercat.cli.options import AsJson, show_report
from mercat.kit.metrics import set_up_logs
from mercat.lab.bench import FAULTS, NAMES, options_of, run
from mercat.lab.simulate import MUTATIONS
from mercat.lab.simulate import simulate as run_seeds

_console = Console(stderr=True)
commands = typer.Typer()
Broker = Annotated[
    Path | None,
    typer.Option(
        metavar="PROGRAM", exists=True, dir_okay=False, help="apart: what runs a broker (.kafka/run)."
    ),
]


def bench_of(name: str, seconds: float, options: Mapping[str, Any], *, as_json: bool) -> int:
    """Run a benchmark. Answers 1 where a law or a promise was broken, 2 for an unknown name or option."""
    set_up_logs("info" if name == "faults" else "warning")
    if name not in NAMES:
        _console.print(f"There is no benchmark {name!r}. There are: {', '.join(NAMES)}.")
        return 2
    given = {option: value for option, value in options.items() if value}
    if strange := [option for option in given if option not in options_of(name)]:
        takers = [other for other in NAMES if strange[0] in options_of(other)]
        _console.print(f"Only the benchmark {' or '.join(takers)} takes --{strange[0]}.")
        return 2
    if unknown := [each for each in given.get("fault", ()) if each not in FAULTS]:
        _console.print(f"There is no fault {unknown[0]!r}. There are: {', '.join(FAULTS)}.")
        return 2
    report = asyncio.run(run(name, seconds, **given)).shown()
    if as_json:
        typer.echo(msgspec.json.encode(report))
    else:
        show_report(report)
    for wrong in report.get("wrong", ()):
        _console.print(f"[red]{wrong}")
    if report["audit_violations"]:
        _console.print("[red]A law is broken, so there is no result.")
    return 1 if report["audit_violations"] or report.get("wrong") else 0


def simulate_of(seed: int, seeds: int, plant: str | None, *, as_json: bool) -> int:
    """Run the simulator. Answers 1 where a law was broken, 2 for an unknown bug to plant."""
    if plant is not None and plant not in MUTATIONS:
        typer.echo(f"There is no bug {plant!r} to plant. Known: {', '.join(MUTATIONS)}.", err=True)
        return 2
    set_up_logs("critical")  # what dies says so, and is meant to
    report = asyncio.run(run_seeds(seed, seeds, plant))
    if as_json:
        typer.echo(msgspec.json.encode(report))
    else:
        show_report(report)
    return 1 if report["violations"] else 0


@commands.command()
def bench(  # noqa: PLR0913  - an option is a parameter
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help=f"{', '.join(NAMES[:-1])} or {NAMES[-1]}."),
    ],
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long each measurement lasts.")] = 10,
    people: Annotated[
        int | None,
        typer.Option(min=1, max=2_000_000, help="flash: how many stand in line (else as many as fit)."),
    ] = None,
    products: Annotated[
        int | None, typer.Option(min=100, max=10_000_000, help="search: of how many products (20,000).")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=1, max=100_000, help="faults: orders a second (1,000).")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="FAULT", help="faults: this one alone; may be said again.")
    ] = None,
    lines: Annotated[
        int | None, typer.Option(min=1, max=100, help="checkout: lines in an order (2).")
    ] = None,
    changes: Annotated[
        int | None, typer.Option(min=5, max=10_000, help="search: products changed a second (100).")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="search: where the shop stays for next time.")
    ] = None,
    times: Annotated[
        int | None, typer.Option(min=1, max=100, help="restarts: how often all workers are replaced (10).")
    ] = None,
    hot: Annotated[bool, typer.Option("--hot", help="checkout: every order takes one same offer.")] = False,
    kafka: Broker = None,
    promotions: Annotated[
        bool,
        typer.Option("--promotions", help="checkout: each order has three automatic promotions and a code."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure a shop of its own, beside a floor that this machine reaches in the same run, and audit it."""
    options = {
        "people": people,
        "products": products,
        "changes": changes,
        "keep": keep,
        "rate": rate,
        "fault": fault,
        "lines": lines,
        "times": times,
        "hot": hot,
        "kafka": kafka,
        "promotions": promotions,
    }
    raise typer.Exit(bench_of(name, seconds, options, as_json=as_json))


@commands.command()
def simulate(
    seed: Annotated[int, typer.Option(help="The first seed.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="How many, one after another.")] = 1,
    plant: Annotated[
        str | None,
        typer.Option(
            metavar="BUG",
            help=f"Plant a bug that must be found: {', '.join(MUTATIONS)}.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Crash checkouts at their steps, let them recover, and audit; the same seed does the same again."""
    raise typer.Exit(simulate_of(seed, seeds, plant, as_json=as_json))
