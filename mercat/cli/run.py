"""`mercat serve`, `migrate` and `psql`: the shop's engines and processes."""

import asyncio
import os
import signal
import subprocess
from typing import Annotated

import asyncpg
import typer

from mercat import settings
from mercat.cli.options import HERE, Data, opened_shop
from mercat.cli.supervise import ServeOptions
from mercat.embedded import Connection, Home, Trouble, connected, programs
from mercat.kit.event_log import open_slot
from mercat.migrations import CannotMigrate
from mercat.migrations import migrate as migrate_schemas

commands = typer.Typer()


@commands.command()
def serve(
    port: Annotated[
        int, typer.Option(min=1, max=65535, envvar="MERCAT_PORT", help="Where to answer HTTP.")
    ] = 8000,
    host: Annotated[str, typer.Option(envvar="MERCAT_HOST", help="The address to listen on.")] = "127.0.0.1",
    workers: Annotated[
        int, typer.Option(min=1, max=64, envvar="MERCAT_WORKERS", help="Processes that answer requests.")
    ] = 2,
    data: Data = HERE,
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Fill an empty shop with demo goods.")
    ] = False,
    only: Annotated[
        str, typer.Option(metavar="SERVICE,…", help="Run only these services here; the others are elsewhere.")
    ] = "",
    probe_port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            envvar="MERCAT_PROBE_PORT",
            help="Where the supervisor itself answers /health and /ready (0: nowhere).",
        ),
    ] = 0,
) -> None:
    """Open the shop: PostgreSQL, Valkey, the web workers and the one in the back. Ctrl-C closes it."""
    from mercat.payments import declaration  # only who opens the shop waits for it

    told = settings.load()
    declaration(told)
    if only:
        _check_services(only)
    ServeOptions(str(data), host, port, workers, only, demo, probe_port, told.pool_size).carry_out()


def _check_services(only: str) -> None:
    from mercat.shop import SERVICES  # the whole shop: only who names some of its services waits for it

    if unknown := sorted(settings.named(only) - {*SERVICES}):
        raise Trouble(f"There is no service {unknown[0]!r}. There are: {', '.join(sorted(SERVICES))}.")


@commands.command()
def migrate(
    data: Data = HERE,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing when it went well.")] = False,
) -> None:
    """Bring the database to this version. `serve` does it by itself; doing it twice changes nothing."""

    async def run(shop: Connection) -> None:
        owner = await asyncpg.connect(**shop.postgres())
        try:
            await migrate_schemas(owner, settings.load({**os.environ, **shop.environment()}))
            await open_slot(owner)
        except CannotMigrate as error:
            raise Trouble(str(error)) from None
        finally:
            await owner.close()

    with connected(Home(data), "mercat migrate") as shop:
        asyncio.run(run(shop))
    if not quiet:
        typer.echo("The database is up to date.", err=True)


@commands.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context, data: Data = HERE) -> None:
    """Open PostgreSQL's own shell on this shop's database. Arguments after `--` go to psql."""
    with opened_shop(data, "psql") as shop:
        command = [str(programs() / "psql"), *context.args]
        raise typer.Exit(run_in_front(command, shop.libpq()))


def run_in_front(command: list[str], environment: dict[str, str]) -> int:
    """Run a program that has the terminal: Ctrl-C is for it, not for us."""
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.call(
            command,
            env={**os.environ, **environment},
            preexec_fn=lambda: signal.signal(signal.SIGINT, former),
        )
    finally:
        signal.signal(signal.SIGINT, former)
