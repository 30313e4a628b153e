"""What commands share: the option that names the shop's folder, and the shop in it."""

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mercat.embedded import Connection, Home, Trouble, connected

Data = Annotated[
    Path,
    typer.Option(
        "--data", envvar="MERCAT_DATA", metavar="DIR", help="The folder that holds everything of this shop."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
HERE = Path("data")


@contextlib.contextmanager
def opened_shop(data: Path, command: str) -> Generator[Connection]:
    """Connect to the shop in this folder, open or closed. Trouble where there is none: none is made."""
    needs_shop(data)
    with connected(Home(data), f"mercat {command}") as shop:
        yield shop


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
