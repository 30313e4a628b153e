"""The commands of `mercat analytics`: read the facts of reports anew."""

import asyncio
import os
from contextlib import AsyncExitStack
from typing import cast

import msgspec
import typer
from rich.console import Console

from mercat import settings
from mercat.analytics import Analytics, Rebuilt
from mercat.app import build_shop
from mercat.cli.options import HERE, AsJson, Data, opened_shop
from mercat.embedded import Connection

_console = Console(stderr=True)
commands = typer.Typer(name="analytics", help="Keep reports right.", no_args_is_help=True)


async def _rebuild(connection: Connection) -> Rebuilt:
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings.load({**os.environ, **connection.environment()}), stack)
        if not connection.processes:
            await cast(Analytics, shop.host.here["analytics"]).keeper.open()  # nobody else has the file
        return await shop.analytics.rebuild()


@commands.command("rebuild")
def rebuild(data: Data = HERE, as_json: AsJson = False) -> None:
    """Read all facts of money anew from the services that own them. Reports go on as they were until then."""
    with opened_shop(data, "analytics rebuild") as shop:
        rebuilt = asyncio.run(_rebuild(shop))
    if as_json:
        typer.echo(msgspec.json.encode(rebuilt))
    else:
        _console.print(f"{rebuilt.facts:,} facts of {rebuilt.orders:,} orders were read anew.")
