"""The commands of `mercat experiment`: begin, list and stop experiments."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar, get_args

import msgspec
import typer

from mercat import ids
from mercat.analytics import SUBJECTS, Experiment, NewExperiment, Subject
from mercat.cli.flash import in_shop
from mercat.cli.options import HERE, AsJson, Data, opened_shop
from mercat.embedded import Trouble
from mercat.kit import codec
from mercat.shop import Shop

Answer = TypeVar("Answer")
commands = typer.Typer(name="experiment", help="Compare two ways with visitors.", no_args_is_help=True)
_SUBJECTS = ", ".join(get_args(Subject))
LeastEffectOption = Annotated[int, typer.Option(help="The smallest difference worth finding, in percent.")]


def _asked(data: Path, name: str, ask: Callable[[Shop], Awaitable[Answer]]) -> Answer:
    with opened_shop(data, name) as connection:
        return in_shop(connection, ask)


@commands.command("list")
def list_all(data: Data = HERE, as_json: AsJson = False) -> None:
    """List the latest experiments with what they show."""
    results = _asked(data, "experiment list", lambda shop: shop.analytics.experiments())
    if as_json:
        typer.echo(codec.encode(results))
        return
    for result in results:
        each = result.experiment
        state = f"stopped: {each.stopped_because}" if each.stopped_at else "running"
        said = result.verdict.words if result.verdict else "The numbers are away for the moment."
        typer.echo(f"{each.experiment_id}  {each.name} ({SUBJECTS[each.subject][0]}, {state})\n  {said}")
        for arm in result.arms:
            typer.echo(f"  {arm.arm}: {arm.visitors:,} visitors, {arm.bought:,} ordered ({arm.rate:.1%})")


@commands.command("start")
def start(
    name: str,
    subject: Annotated[str, typer.Argument(help=f"One of {_SUBJECTS}.")],
    least_effect: LeastEffectOption = 10,
    data: Data = HERE,
) -> None:
    """Begin an experiment: half of the visitors see B from now on."""

    async def ask(shop: Shop) -> Experiment:
        given = {"name": name, "subject": subject, "least_effect": least_effect}
        try:
            new = codec.convert(given, NewExperiment)
        except msgspec.ValidationError as error:
            raise Trouble(f"{error}.") from None
        return await shop.analytics.start_experiment(new)

    typer.echo(_asked(data, "experiment start", ask).experiment_id)


@commands.command("stop")
def stop(experiment_id: str, data: Data = HERE) -> None:
    """Stop an experiment: everybody sees A again."""
    try:
        parsed = ids.parse(ids.ExperimentId, experiment_id)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    stopped = _asked(data, "experiment stop", lambda shop: shop.analytics.stop_experiment(parsed))
    typer.echo(f"{stopped.name}: {stopped.stopped_because}")
