"""What `mercat flash …` does at a terminal."""

import asyncio
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from mercat import ids, money, settings
from mercat.app import build_shop, certify
from mercat.cli.options import HERE, Data, opened_shop
from mercat.embedded import Connection, Trouble
from mercat.flashsale import Act, Certified, NewSale, Sale, canonical, genuine
from mercat.ids import OfferId, ProductId
from mercat.kit import codec
from mercat.kit.batching import AT_ONCE
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.shop import CHECKOUT_PATH, Shop

T = TypeVar("T")
WITHOUT = ("recommendations", "reviews", "wishlist")
"""What a shop does without during a sale: pages lose these shelves, and nothing else."""
_BYTES_A_PERSON = 200
"""In the queue, twice what was measured of a million."""
_PAGES = "pages"
_FILES = re.compile(r'(?:href|src)="(/static/[^"?]+)')
_console = Console(stderr=True, markup=False, highlight=False)


def in_shop(connection: Connection, work: Callable[[Shop], Awaitable[T]]) -> T:
    """Work with the services of this shop; a refusal ends it with its words."""

    async def run() -> T:
        async with AsyncExitStack() as stack:
            shop = await build_shop(settings.load({**os.environ, **connection.environment()}), stack)
            await shop.host.lease_worker()
            return await work(shop)

    try:
        return asyncio.run(run())
    except Refusal as refused:
        raise Trouble(str(refused)) from None


def create(
    connection: Connection, sale_id: str, goods: str, starts_at: datetime, price: str = "", **terms: object
) -> int:
    """Plan a sale of an offer, or of a product's featured one."""

    async def work(shop: Shop) -> Sale:
        try:
            if goods.startswith(ProductId.prefix):
                offer_id = await shop.catalog.featured(ids.parse(ProductId, goods))
            else:
                offer_id = ids.parse(OfferId, goods)
        except ValueError:
            raise Trouble(f"{goods} is neither an offer (off_…) nor a product (prod_…).") from None
        try:
            minor = money.minor(Decimal(price), shop.settings.currency) if price else None
        except (ValueError, InvalidOperation) as error:
            raise Trouble(f"{price} is no price: {error}.") from None
        given = {"price": minor, "sale_id": sale_id, "starts_at": starts_at, **terms}
        try:
            sale = msgspec.convert({**given, "offer_id": int(offer_id)}, NewSale, dec_hook=_hook)
        except msgspec.ValidationError as error:
            raise Trouble(str(error)) from None
        return await shop.flashsale.create(sale)

    sale = in_shop(connection, work)
    _console.print(f"{sale.sale_id}: {sale.units:,} of {sale.title}, from {sale.starts_at:%d %b %H:%M} UTC.")
    _console.print(f"Its commitment, to be published now: {sale.commitment}")
    return 0


def _hook(kind: type, value: object) -> object:
    return kind(value)


def prepare(
    connection: Connection, sale_id: str, who: str, *, people: int, out: Path | None, dry_run: bool
) -> int:
    """Get the shop ready: print each step, and with `dry_run` take none."""

    async def work(shop: Shop) -> int:
        sale = await shop.flashsale.sale(sale_id)
        plan = Plan()
        await _look_at_stock(plan, shop, sale)
        await _look_at_sizes(plan, shop, connection.processes, people)
        plan.step("switched off until the end", ", ".join(WITHOUT))
        armed = sorted(shop.breakers.keys() - set(WITHOUT))
        plan.step("breakers armed until the end", ", ".join(armed))
        plan.step("caches", "product, category and sale pages are asked for once")
        folder = out or shop.settings.data / _PAGES
        plan.step("static pages", f"the sale's page and what it looks like, in {folder}")
        _console.print(plan.steps)
        if plan.problems:
            _console.print(f"Not ready: {', '.join(plan.problems)}.", style="red")
            return 1
        if dry_run:
            _console.print("Nothing was changed (--dry-run).")
            return 0
        await shop.flashsale.switch_off(_operator(who), sale_id, list(WITHOUT))
        await _warm(connection, sale)
        await _write_page(connection, sale, folder)
        _console.print(f"Ready. Afterwards: mercat flash finish {sale_id} --why …")
        return 0

    return in_shop(connection, work)


class Plan:
    """What is looked at and done before a sale, and what is not good."""

    def __init__(self) -> None:
        self.steps = Table("step", "how it stands", box=None, header_style="bold")
        self.problems: list[str] = []

    def step(self, name: str, state: str, *, good: bool = True) -> None:
        self.steps.add_row(name, state if good else f"NOT GOOD: {state}")
        if not good:
            self.problems.append(name)


async def _look_at_stock(plan: Plan, shop: Shop, sale: Sale) -> None:
    stock = (await shop.inventory.stock([sale.offer_id])).get(sale.offer_id)
    available = stock.available if stock else 0
    plan.step("units in stock", f"{available:,} of {sale.left:,}", good=available >= sale.left)
    plan.step("the sale", f"{sale.state}, {sale.starts_at:%d %b %H:%M:%S} UTC", good=sale.state != "ended")


async def _look_at_sizes(plan: Plan, shop: Shop, processes: int, people: int) -> None:
    """Whether engines and processes are large enough for so many, and which setting says otherwise."""
    memory = await shop.host.store.do("INFO", "memory")
    limit, used = (memory.get(name, 0) for name in ("maxmemory", "used_memory"))
    needed = people * _BYTES_A_PERSON
    room = f"{needed / 1e6:,.0f} MB for {people:,} people"
    plan.step(
        "room for the queue",
        f"{room}, of {(limit - used) / 1e6:,.0f} MB (maxmemory of the store)" if limit else room,
        good=not limit or needed < limit - used,
    )
    cores = os.cpu_count() or 1
    web = max(processes - 1, 0)  # the other one works in the back
    plan.step(
        "workers",
        f"{web} on {cores} cores (MERCAT_WORKERS)" if processes else "the shop is closed",
        good=web >= min(cores, 2),
    )
    database = await shop.host.pool("flashsale")
    most = int(await database.fetchval("select current_setting('max_connections')"))
    held = web * AT_ONCE * len(CHECKOUT_PATH)
    wanted = processes * shop.settings.pool_size * len(CHECKOUT_PATH)
    plan.step(
        "connections to PostgreSQL",
        f"{wanted} at the till of {most} (MERCAT_POOL_SIZE, max_connections), {held} held open until the end",
        good=wanted <= most,
    )


async def _write_page(connection: Connection, sale: Sale, folder: Path) -> None:
    """Fetch the sale's page as everybody gets it, and the files that it names, by their paths."""
    import httpx

    base = f"http://{connection.host}:{connection.port}"
    async with httpx.AsyncClient(base_url=base, timeout=10) as http:
        try:
            page = await http.get(f"/flash/{sale.sale_id}")
        except httpx.TransportError:
            _console.print("The shop is closed, so its pages were not written.", style="yellow")
            return
        files = {f"/flash/{sale.sale_id}/index.html": page.raise_for_status().content}
        for path in set(_FILES.findall(page.text)):
            files[path] = (await http.get(path)).raise_for_status().content
    try:
        for path, content in files.items():
            file = folder / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    except OSError as error:
        raise Trouble(f"The sale's page cannot be written: {error.filename}, {error.strerror}.") from None


async def _warm(connection: Connection, sale: Sale) -> None:
    """Asks each worker for what everybody will ask for; a shop that is closed has nothing to warm."""
    import httpx

    paths = [
        f"/api/v1/flash-sales/{sale.sale_id}",
        f"/flash/{sale.sale_id}",
        f"/api/v1/products/{sale.product_id}",
        "/",
    ]
    for _ in range(8):  # connections spread over the workers
        async with httpx.AsyncClient(
            base_url=f"http://{connection.host}:{connection.port}", timeout=10
        ) as http:
            for path in paths:
                try:
                    await http.get(path)
                except httpx.TransportError:
                    return


def finish(connection: Connection, sale_id: str, who: str, why: str) -> int:
    """End the sale, undo what `prepare` did, and make the certificate."""

    async def work(shop: Shop) -> Certified:
        sale = await shop.flashsale.sale(sale_id)
        await shop.flashsale.switch_off(_operator(who), sale_id, [])
        if sale.state != "ended":
            await shop.flashsale.act(_operator(who), sale_id, Act("end", why))
        await shop.flashsale.settle(sale_id)
        shutil.rmtree(shop.settings.data / _PAGES / "flash" / sale_id, ignore_errors=True)
        return await certify(shop, sale_id)

    return _show_certificate(in_shop(connection, work))


def verify(connection: Connection, sale_id: str) -> int:
    verdict = in_shop(connection, lambda shop: shop.flashsale.verify(sale_id))
    for wrong in verdict.wrong:
        _console.print(wrong, style="red")
    if not verdict.wrong:
        _console.print(f"Every place is right: {verdict.drawn:,} drawn, {verdict.checked:,} checked.")
    return 1 if verdict.wrong else 0


def certificate(connection: Connection, sale_id: str, out: Path | None) -> int:
    """Write the certificate of a sale as it is now, signed; on standard output or into a file."""
    made = in_shop(connection, lambda shop: certify(shop, sale_id))
    content = msgspec.json.format(codec.encode(made), indent=1)
    if out:
        try:
            out.write_bytes(content)
        except OSError as error:
            raise Trouble(f"{out} cannot be written: {error.strerror}.") from None
    else:
        import sys

        sys.stdout.buffer.write(content + b"\n")
    return _show_certificate(made)


def check_file(file: Path) -> int:
    """Whether a certificate is what its key signed. Nothing but the file is asked."""
    try:
        raw = msgspec.json.decode(file.read_bytes())
        good = genuine(raw["key"], raw["signature"], canonical(raw["certificate"]))
    except OSError as error:
        raise Trouble(f"{file} cannot be read: {error.strerror}.") from None
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise Trouble(f"{file} is no certificate: {error}") from None
    _console.print(
        f"Signed by {raw['key']}, and unchanged." if good else "This is NOT what was signed.",
        style="green" if good else "red",
    )
    return 0 if good else 1


def _show_certificate(made: Certified) -> int:
    content = made.certificate
    broken = [law.law for law in content.laws if law.violations]
    table = Table(box=None, show_header=False)
    for name, value in (
        ("sale", f"{content.sale_id}: {content.title}"),
        ("offered, sold", f"{content.units:,}, {content.sold:,}"),
        ("joined, of these drawn", f"{content.joined:,}, {content.drawn:,}"),
        ("passes, used, lapsed", f"{content.passes:,}, {content.used:,}, {content.lapsed:,}"),
        ("laws checked, broken", f"{len(content.laws)}, {', '.join(broken) or 'none'}"),
        ("signed with", made.key),
    ):
        table.add_row(name, value)
    _console.print(table)
    return 1 if broken else 0


def rehearse_of(people: int, units: int, rate: float) -> int:
    """Play a whole sale in a shop of its own, and print how it goes."""
    from mercat.lab.bench.flash import rehearse

    done = asyncio.run(rehearse(people, units, rate, _console.print))
    _show_certificate(done.certified)
    return 1 if done.violations else 0


def _operator(who: str) -> Caller:
    return Caller(ids.UserId(0), frozenset({"operator"}), email=who)


commands = typer.Typer(
    name="flash",
    help="Flash sales: create, prepare, finish, verify, certify, rehearse.",
    no_args_is_help=True,
)
SaleName = Annotated[str, typer.Argument(metavar="SALE", help="The sale's name, as in /flash/SALE.")]
Who = Annotated[str, typer.Option(help="Who does it, for the record.", envvar="USER")]


@commands.command("create")
def flash_create(  # noqa: PLR0913  - an option is a parameter
    sale: SaleName,
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
    price: Annotated[str, typer.Option(help="What one costs in it, such as 79.99; as ever without.")] = "",
    data: Data = HERE,
) -> None:
    """Plan a sale. Its offer is sold in it alone from now on; the draw's commitment is printed."""
    with opened_shop(data, "flash") as shop:
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
            price=price,
        )


@commands.command("prepare")
def flash_prepare(
    sale: SaleName,
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
    data: Data = HERE,
) -> None:
    """Get the shop ready: stock and sizes looked at, caches filled, connections at the till held open, the
    sale's page written, what can wait switched off, breakers armed. `finish` undoes it."""
    with opened_shop(data, "flash") as shop:
        raise typer.Exit(prepare(shop, sale, who, people=people, out=out, dry_run=dry_run))


@commands.command("finish")
def flash_finish(
    sale: SaleName,
    why: Annotated[str, typer.Option(help="Why now, for the record.")] = "The sale is over.",
    who: Who = "operator",
    data: Data = HERE,
) -> None:
    """End a sale, switch everything on again, and make the certificate."""
    with opened_shop(data, "flash") as shop:
        raise typer.Exit(finish(shop, sale, who, why))


@commands.command("verify")
def flash_verify(sale: SaleName, data: Data = HERE) -> None:
    """Recompute the draw: the seed, the list, and every place that was given."""
    with opened_shop(data, "flash") as shop:
        raise typer.Exit(verify(shop, sale))


@commands.command("certificate")
def flash_certificate(
    sale: SaleName,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write (else standard output).")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Check this file's signature instead.")
    ] = None,
    data: Data = HERE,
) -> None:
    """Write what a sale was, as signed JSON, with what the audit found behind it."""
    if check:
        raise typer.Exit(check_file(check))
    with opened_shop(data, "flash") as shop:
        raise typer.Exit(certificate(shop, sale, out))


@commands.command("rehearse")
def flash_rehearse(
    people: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many come.")] = 5_000,
    units: Annotated[int, typer.Option(min=1, max=100_000, help="How many are on sale.")] = 500,
    rate: Annotated[float, typer.Option(min=1, help="People let in a second.")] = 50,
) -> None:
    """Play a whole sale with made-up people in a shop of its own, to watch: it is gone afterwards."""
    raise typer.Exit(rehearse_of(people, units, rate))
