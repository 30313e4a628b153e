"""`mercat serve`, `migrate` and `psql`: the shop's engines and processes."""

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer

from mercat import settings
from mercat.catalog import own_currency
from mercat.cli.options import HERE, Data, MaybeConfig, opened_shop, with_config
from mercat.cli.supervise import ServeOptions
from mercat.embedded import RELOAD, Home, Trouble, connected, programs
from mercat.kit.wal import forget_other_places, open_slot
from mercat.migrations import CannotMigrate
from mercat.migrations import migrate as migrate_schemas
from mercat.migrations.sharding import migrate_shards

commands = typer.Typer()
_RELOADED_WITHIN_S = 300


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
def reload(data: Data = HERE) -> None:
    """Replace the workers of an open shop one after another, with the version that is installed now.

    The database is migrated first. No request is lost: a new worker answers before its former goes."""
    replace_workers(data)
    typer.echo("The workers are replaced.", err=True)


def replace_workers(data: Path) -> None:
    """Let an open shop replace its workers; Trouble where it does not."""
    home = Home(data) if Home.made(data) else None
    shop = home.running() if home else None
    if not home or not shop or not shop.open:
        raise Trouble(f"There is no open shop in {data}.")
    os.kill(shop.supervisor, RELOAD)
    end = time.monotonic() + _RELOADED_WITHIN_S
    while (now := home.running()) is None or now.reloads == shop.reloads:
        if time.monotonic() > end or (now and now.supervisor != shop.supervisor):
            raise Trouble("The shop has not replaced its workers; what it says tells why.")
        time.sleep(0.1)
    if now.reload_trouble:
        raise Trouble(f"{now.reload_trouble} The former workers go on.")


@commands.command()
def migrate(
    data: Data = HERE,
    config: MaybeConfig = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing when it went well.")] = False,
) -> None:
    """Bring the database to this version. `serve` does it by itself; doing it twice changes nothing.

    With --config, the database that the file names, by its owner."""

    async def run(told: settings.Settings, owns: dict[str, Any]) -> None:
        owner = await asyncpg.connect(**owns)
        try:
            await migrate_schemas(owner, told)
            await own_currency(owner, told)
            await forget_other_places(owner)
            await open_slot(owner)
            await migrate_shards(told)
        except CannotMigrate as error:
            raise Trouble(str(error)) from None
        finally:
            await owner.close()

    from mercat.cli.moves.database import let_writers_in  # which `serve` itself never needs

    if config:
        from mercat.shop import check_alone  # the whole shop

        told = settings.load(with_config(config))
        check_alone(told)
        asyncio.run(run(told, told.owner()))
    else:
        with connected(Home(data), "mercat migrate") as shop:
            if not Home(data).is_moving():  # a machine that died in a hand-over keeps writers out still
                asyncio.run(let_writers_in(shop.postgres()))
            asyncio.run(run(settings.load({**os.environ, **shop.environment()}), shop.postgres()))
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
