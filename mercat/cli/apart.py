"""`mercat work`: one process of a shop whose engines and other processes are elsewhere."""

import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from mercat.cli.options import Config, with_config
from mercat.settings import EVERYTHING

commands = typer.Typer()


class Role(StrEnum):
    """What a process does."""

    web = "web"
    back = "back"
    relay = "relay"


@commands.command()
def work(
    role: Annotated[Role, typer.Argument(help="web: answers requests; back: followers and duties; relay.")],
    config: Config,
    only: Annotated[
        str,
        typer.Option(
            metavar="SERVICE,…",
            help="Only these services (*,-NAME: all others); web then answers other processes only.",
        ),
    ] = "",
    host: Annotated[str, typer.Option(help="The address to listen on, instead of the file's.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port, instead of the file's.")] = 0,
) -> None:
    """Run one process of a shop, without supervisor and engines. SIGTERM drains and ends it.

    It answers /health, /ready and /metrics. The database is migrated before, by `mercat migrate --config`."""
    more = {"MERCAT_SERVICES": only} if only else {}
    if role is Role.back and not only:
        more["MERCAT_SERVICES"] = EVERYTHING  # also what answers elsewhere
    more |= {"MERCAT_HOST": host} if host else {}
    more |= {"MERCAT_PORT": str(port)} if port else {}
    environment = {**with_config(config), **more}
    os.execve(sys.executable, [sys.executable, "-m", "mercat.cli.work", role.value, "--alone"], environment)
