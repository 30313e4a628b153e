"""The command `mercat`. Each command imports what it needs when it runs, so that all start at once."""

import contextlib
import os
import subprocess
from collections.abc import Generator
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated

import typer

from mercat.embedded import Connection, Home, Trouble, connected, programs
from mercat.settings import WrongSetting

app = typer.Typer(
    name="mercat",
    help="A marketplace on one machine: `mercat serve` opens it, Ctrl-C closes it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Data = Annotated[
    Path,
    typer.Option(
        "--data", envvar="MERCAT_DATA", metavar="DIR", help="The folder that holds everything of this shop."
    ),
]
_HERE = Path("data")


@contextlib.contextmanager
def _shop(data: Path, command: str) -> Generator[Connection]:
    """The shop in this folder, open or closed. None is made where there is none."""
    _wants_shop(data)
    with connected(Home(data), f"mercat {command}") as shop:
        yield shop


def _wants_shop(data: Path) -> None:
    if not Home.made(data):
        raise Trouble(f"There is no shop in {data}. `mercat serve --data {data}` opens one.")


@app.command()
def serve(
    port: Annotated[
        int, typer.Option(min=1, max=65535, envvar="MERCAT_PORT", help="Where to answer HTTP.")
    ] = 8000,
    host: Annotated[str, typer.Option(envvar="MERCAT_HOST", help="The address to listen on.")] = "127.0.0.1",
    workers: Annotated[
        int, typer.Option(min=1, max=64, envvar="MERCAT_WORKERS", help="Processes that answer requests.")
    ] = 2,
    data: Data = _HERE,
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Fill an empty shop with demo goods.")
    ] = False,
    only: Annotated[
        str, typer.Option(metavar="SERVICE,…", help="Run only these services here; the others are elsewhere.")
    ] = "",
) -> None:
    """Open the shop: PostgreSQL, Valkey, the web workers and the one in the back. Ctrl-C closes it."""
    from mercat import settings
    from mercat.cli.serve import Plan
    from mercat.migrations import SERVICES

    settings.load()
    if strange := sorted(settings.named(only) - {*SERVICES}):
        raise Trouble(f"There is no service {strange[0]!r}. There are: {', '.join(sorted(SERVICES))}.")
    Plan(str(data), host, port, workers, only, demo).carry_out()


@app.command()
def migrate(
    data: Data = _HERE,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing when it went well.")] = False,
) -> None:
    """Bring the database to this version. `serve` does it by itself; doing it twice changes nothing."""
    import asyncio

    import asyncpg

    from mercat import settings
    from mercat.kit.event_log import open_slot
    from mercat.migrations import CannotMigrate
    from mercat.migrations import migrate as migrate_schemas

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


@app.command("import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="JSON lines (.gz too) or CSV."),
    ],
    seller: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose goods these are (else one seller a file).")
    ] = None,
    stock: Annotated[int, typer.Option(min=0, help="Units of each where the file does not say.")] = 100,
    rename: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="THEIRS=OURS", help="A column that is called otherwise here."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where bad rows are written, as JSON lines.")
    ] = None,
    data: Data = _HERE,
) -> None:
    """Take files of products into the catalogue. Again, nothing changes; docs/import.md has the fields."""
    from mercat.cli.filling import import_into

    for pair in rename or []:
        if "=" not in pair:
            raise typer.BadParameter(
                f"{pair} is not THEIRS=OURS, as in --map name=title.", param_hint="--map"
            )
    columns = dict(pair.split("=", 1) for pair in rename or [])
    with _shop(data, "import") as shop:
        wanted = report or data / "import-report.jsonl"
        raise typer.Exit(import_into(shop, files, seller, stock, columns, wanted))


@app.command()
def generate(
    products: Annotated[int, typer.Option(min=1, max=100_000_000, help="How many.")] = 2_400,
    seed: Annotated[int, typer.Option(help="Another seed, other products.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write, packed if .gz (else standard output)."),
    ] = None,
) -> None:
    """Make up products as JSON lines, to be taken with `mercat import`."""
    from mercat.cli.filling import generate_into

    generate_into(products, seed, out)


@app.command()
def audit(
    data: Data = _HERE,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    prove: Annotated[
        bool, typer.Option("--prove", help="Break each law in a transaction that is rolled back.")
    ] = False,
) -> None:
    """Check the laws of stock and money over live data. Exits with 1 where one is broken."""
    from mercat.cli.showing import audit_of

    with _shop(data, "audit") as shop:
        raise typer.Exit(audit_of(shop, as_json=as_json, prove=prove))


@app.command()
def reconcile(
    data: Data = _HERE,
    hours: Annotated[float, typer.Option(min=0.1, max=24 * 90, help="How far back.")] = 48,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Compare our books with the payment provider's. A difference opens a case, and exits with 1."""
    from mercat.cli.showing import reconcile_of

    with _shop(data, "reconcile") as shop:
        raise typer.Exit(reconcile_of(shop, hours, as_json=as_json))


@app.command()
def bench(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="browse, checkout, faults, flash, import or search.")
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
    hot: Annotated[bool, typer.Option("--hot", help="checkout: every order takes one same offer.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Measure a shop of its own, beside a floor that this machine reaches in the same run, and audit it."""
    from mercat.cli.showing import bench_of

    options = {
        "people": people,
        "products": products,
        "changes": changes,
        "keep": keep,
        "rate": rate,
        "fault": fault,
        "lines": lines,
        "hot": hot,
    }
    raise typer.Exit(bench_of(name, seconds, options, as_json=as_json))


flash = typer.Typer(
    help="Flash sales: create, prepare, finish, verify, certify, rehearse.", no_args_is_help=True
)
app.add_typer(flash, name="flash")
Sale = Annotated[str, typer.Argument(metavar="SALE", help="The sale's name, as in /flash/SALE.")]
Who = Annotated[str, typer.Option(help="Who does it, for the record.", envvar="USER")]


@flash.command("create")
def flash_create(
    sale: Sale,
    goods: Annotated[str, typer.Argument(metavar="OFFER", help="An offer (off_…) or a product (prod_…).")],
    units: Annotated[int, typer.Argument(min=1, metavar="UNITS", help="How many are on sale.")],
    starts: Annotated[datetime, typer.Argument(metavar="STARTS", help="When, in UTC: 2026-11-27T18:00:00.")],
    ends: Annotated[datetime | None, typer.Option(help="When it is over at the latest.")] = None,
    rate: Annotated[float, typer.Option(min=0, help="People let in a second, at most.")] = 100,
    ceiling: Annotated[int, typer.Option(min=1, help="People with a pass at once, at most.")] = 1_000,
    window: Annotated[int, typer.Option(min=1, help="Seconds a pass is good for.")] = 300,
    per_person: Annotated[int, typer.Option(min=1, help="Units a person may buy.")] = 1,
    per_card: Annotated[
        int, typer.Option(min=0, help="Orders a card may pay (0: any; the sandbox's are everybody's).")
    ] = 0,
    per_address: Annotated[int, typer.Option(min=0, help="Orders an address may get (0: any).")] = 2,
    queue: Annotated[
        bool, typer.Option("--queue/--rush", help="A waiting room, or first at the till.")
    ] = True,
    members: Annotated[bool, typer.Option(help="Only for people with an account.")] = False,
    data: Data = _HERE,
) -> None:
    """Plan a sale. Its offer is sold in it alone from now on; the draw's commitment is said."""
    from mercat.cli.flashing import create

    with _shop(data, "flash") as shop:
        create(
            shop,
            sale,
            goods,
            starts.replace(tzinfo=starts.tzinfo or UTC),
            ends_at=ends.replace(tzinfo=ends.tzinfo or UTC) if ends else None,
            units=units,
            rate=rate,
            ceiling=ceiling,
            window_s=window,
            per_person=per_person,
            per_card=per_card or None,
            per_address=per_address or None,
            queue=queue,
            members_only=members,
        )


@flash.command("prepare")
def flash_prepare(
    sale: Sale,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    people: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="How many may come: memory, workers, connections.")
    ] = 10_000,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the sale's page is written, for a web server or CDN."),
    ] = None,
    who: Who = "operator",
    data: Data = _HERE,
) -> None:
    """Get the shop ready: stock and sizes looked at, caches filled, connections at the till held open, the
    sale's page written, what can wait switched off, breakers armed. `finish` undoes it."""
    from mercat.cli.flashing import prepare

    with _shop(data, "flash") as shop:
        raise typer.Exit(prepare(shop, sale, who, people=people, out=out, dry_run=dry_run))


@flash.command("finish")
def flash_finish(
    sale: Sale,
    why: Annotated[str, typer.Option(help="Why now, for the record.")] = "The sale is over.",
    who: Who = "operator",
    data: Data = _HERE,
) -> None:
    """End a sale, switch everything on again, and make the certificate."""
    from mercat.cli.flashing import finish

    with _shop(data, "flash") as shop:
        raise typer.Exit(finish(shop, sale, who, why))


@flash.command("verify")
def flash_verify(sale: Sale, data: Data = _HERE) -> None:
    """Recompute the draw: the seed, the list, and every place that was given."""
    from mercat.cli.flashing import verify

    with _shop(data, "flash") as shop:
        raise typer.Exit(verify(shop, sale))


@flash.command("certificate")
def flash_certificate(
    sale: Sale,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write (else standard output).")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Check this file's signature instead.")
    ] = None,
    data: Data = _HERE,
) -> None:
    """What a sale was, as signed JSON, with what the audit found behind it."""
    from mercat.cli import flashing

    if check:
        raise typer.Exit(flashing.check(check))
    with _shop(data, "flash") as shop:
        raise typer.Exit(flashing.certificate(shop, sale, out))


@flash.command("rehearse")
def flash_rehearse(
    people: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many come.")] = 5_000,
    units: Annotated[int, typer.Option(min=1, max=100_000, help="How many are on sale.")] = 500,
    rate: Annotated[float, typer.Option(min=1, help="People let in a second.")] = 50,
) -> None:
    """A whole sale with made-up people in a shop of its own, to watch: it is gone afterwards."""
    from mercat.cli.flashing import rehearse_of

    raise typer.Exit(rehearse_of(people, units, rate))


search_app = typer.Typer(help="Measure and teach search.", no_args_is_help=True)
app.add_typer(search_app, name="search")
Queries = Annotated[
    Path,
    typer.Option(metavar="FILE", exists=True, dir_okay=False, help="JSON lines: query_id, query (.gz too)."),
]
Judgements = Annotated[
    Path,
    typer.Option(
        metavar="FILE", exists=True, dir_okay=False, help="JSON lines: query_id, product_id, grade 0 to 3."
    ),
]


@search_app.command("evaluate")
def search_evaluate(
    queries: Queries,
    judgements: Judgements,
    data: Data = _HERE,
    run: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the cross-validated order of each query.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Say how good the order of this shop's products is, by what people judged; learnt parts are
    cross-validated."""
    from mercat.cli.judging import evaluate

    _wants_shop(data)
    raise typer.Exit(evaluate(data / "search", queries, judgements, as_json=as_json, run=run))


@search_app.command("verify")
def search_verify(
    data: Data = _HERE,
    every: Annotated[int, typer.Option(min=1, help="Compare one page of products in so many.")] = 1,
    mend: Annotated[bool, typer.Option("--mend", help="Tell search again what it has wrong.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Compare this shop's index with its catalogue, and say what differs."""
    from mercat.cli.judging import verify

    with _shop(data, "search verify") as shop:
        raise typer.Exit(verify(shop, every, mend=mend, as_json=as_json))


@search_app.command("train")
def search_train(
    queries: Queries,
    judgements: Judgements,
    data: Data = _HERE,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the ranker goes (else into this shop).")
    ] = None,
) -> None:
    """Learn a ranker for this shop from judgements of its products. Workers take it when they start."""
    from mercat.cli.judging import train

    _wants_shop(data)
    raise typer.Exit(train(data / "search", queries, judgements, out or data / "search" / "ranker.json"))


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(help="The first seed.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="How many, one after another.")] = 1,
    plant: Annotated[
        str | None,
        typer.Option(
            metavar="BUG",
            help="Plant a bug that must be found: lost-compensation, no-tombstone, step-twice, live-price,"
            " no-version-test, unfenced-lease, one-sided-entry, told-twice, put-back-twice,"
            " kept-turn, sale-without-end, forgotten-cancel or answer-before-commit.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Crash checkouts at their steps, let them recover, and audit; the same seed does the same again."""
    from mercat.cli.showing import simulate_of

    raise typer.Exit(simulate_of(seed, seeds, plant, as_json=as_json))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context, data: Data = _HERE) -> None:
    """Open PostgreSQL's own shell on this shop's database. Arguments after `--` go to psql."""
    with _shop(data, "psql") as shop:
        command = [str(programs() / "psql"), *context.args]
        raise typer.Exit(run_in_front(command, shop.libpq()))


def run_in_front(command: list[str], environment: dict[str, str]) -> int:
    """Run a program that has the terminal: Ctrl-C is for it, not for us."""
    import signal

    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.call(
            command,
            env={**os.environ, **environment},
            preexec_fn=lambda: signal.signal(signal.SIGINT, former),
        )
    finally:
        signal.signal(signal.SIGINT, former)


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
    """A marketplace on one machine: `mercat serve` opens it, Ctrl-C closes it."""


def main() -> None:
    try:
        app()
    except (Trouble, WrongSetting) as trouble:
        typer.echo(str(trouble), err=True)
        raise SystemExit(1) from None
