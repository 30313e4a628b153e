"""The command `mercat`: which commands there are, and in which file each group of them is.

A file is imported when one of its commands is asked for, so `mercat serve` never loads the benchmarks.
"""

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version as version_of
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from mercat.embedded import Trouble
from mercat.settings import WrongSetting

COMMANDS = {
    "serve": "run",
    "work": "apart",
    "migrate": "run",
    "psql": "run",
    "reload": "run",
    "backup": "keep",
    "restore": "keep",
    "move-in": "move_in",
    "check": "checking",
    "import": "goods",
    "export": "taking_out",
    "generate": "goods",
    "audit": "books",
    "analytics": "analytics",
    "experiment": "experiment",
    "reconcile": "books",
    "payouts": "payouts",
    "operator": "operator",
    "flash": "flash",
    "tax": "tax",
    "recommend": "recommend",
    "search": "search",
    "shard": "shard",
    "bench": "lab",
    "simulate": "lab",
}
"""Command to the file in `mercat/cli` that has it."""


class LazyGroup(TyperGroup):
    """Find a command in its file, which is imported then.

    Source: Click's manual, "Lazily Loading Subcommands"."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        file = COMMANDS[cmd_name]
        group: Any = get_group(import_module(f"mercat.cli.{file}").commands)
        return group if cmd_name == file else group.commands[cmd_name]


app = typer.Typer(
    cls=LazyGroup,
    name="mercat",
    help="A marketplace on one machine: `mercat serve` opens it, Ctrl-C closes it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mercat {version_of('mercat')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Run a marketplace on one machine: `mercat serve` opens it, Ctrl-C closes it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; a mistake of the person is one line on standard error and exit code 1."""
    try:
        get_command(app)(arguments)
    except (Trouble, WrongSetting) as trouble:
        typer.echo(str(trouble), err=True)
        raise SystemExit(1) from None
