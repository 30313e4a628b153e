"""What commands share: the option that names the shop's folder, and the shop in it."""

import contextlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mercat import settings
from mercat.embedded import Connection, Home, Trouble, connected

Data = Annotated[
    Path,
    typer.Option(
        "--data", envvar="MERCAT_DATA", metavar="DIR", help="The folder that holds everything of this shop."
    ),
]
Config = Annotated[
    Path,
    typer.Option(
        "--config",
        envvar="MERCAT_CONFIG",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="The settings of a shop of several processes (TOML).",
    ),
]
MaybeConfig = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", exists=True, dir_okay=False, help="Of the shop of this file instead."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
HERE = Path("data")


@contextlib.contextmanager
def opened_shop(data: Path, command: str) -> Generator[Connection]:
    """Connect to the shop in this folder, open or closed, or to that of the file that `MERCAT_CONFIG` names.

    Trouble where there is none: none is made."""
    if os.environ.get("MERCAT_CONFIG"):
        yield _elsewhere(settings.load())
        return
    needs_shop(data)
    with connected(Home(data), f"mercat {command}") as shop:
        yield shop


def _elsewhere(told: settings.Settings) -> Connection:
    """Say how to reach a shop whose engines are elsewhere."""
    return Connection(
        data=str(told.data.absolute()),
        secret_key=told.secret_key,
        postgres_host=told.postgres_host,
        postgres_port=told.postgres_port,
        postgres_database=told.postgres_database,
        store_url=told.store_url,
        cache_url=told.cache_url,
        supervisor=0,
        postgres_tls=told.postgres_tls,
        postgres_tls_root=told.postgres_tls_root,
    )


def with_config(config: Path) -> dict[str, str]:
    """Return the environment with the file's name in it, so that settings are read from there too."""
    return {**os.environ, "MERCAT_CONFIG": str(config.absolute())}


def needs_shop(data: Path) -> None:
    """Refuse a folder that holds no shop, with Trouble that says how to open one."""
    if not Home.made(data):
        raise Trouble(f"There is no shop in {data}. `mercat serve --data {data}` opens one.")


def show_report(report: dict[str, Any]) -> None:
    """Show a report as a table on standard error."""
    table = Table("what", "how much")
    for name, value in report.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int | float) else str(value))
    Console(stderr=True).print(table)
