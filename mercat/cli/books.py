"""`mercat audit` and `reconcile`: a table for people, one JSON object for machines.

With `--json` the last line of standard output is the object; everything else goes to standard error."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Annotated

import asyncpg
import msgspec
import typer
from rich.console import Console
from rich.table import Table

from mercat import settings
from mercat.audit import Account, Finding, audit_shop, prove_shop, trial_balance
from mercat.cli.options import HERE, AsJson, Data, opened_shop, show_report
from mercat.embedded import Connection, Trouble
from mercat.kit.host import Host
from mercat.kit.refusals import Unavailable
from mercat.money import words
from mercat.payments import Reconciled
from mercat.search import count_stale, index_store
from mercat.shop import make_payments

_console = Console(stderr=True)
_SAMPLED = """
    select p.product_id, p.version from catalog.product p
    where exists (select from catalog.offer o where o.product_id = p.product_id and o.status = 'active')
    order by random() limit 1000
"""


def audit_of(shop: Connection, *, as_json: bool, prove: bool) -> int:
    """Audit the shop; exit with 1 where a law is broken, or with `prove` was not noticed."""
    findings, accounts = (asyncio.run(_prove(shop)), []) if prove else asyncio.run(_audit(shop))
    wrong = [finding for finding in findings if (finding.violations <= 0 if prove else finding.violations)]
    if as_json:
        report = {"violations": len(wrong) if prove else _sum(findings), "laws": findings}
        typer.echo(msgspec.json.encode(report if prove else report | {"trial_balance": accounts}))
    else:
        _console.print(_table(findings, "noticed" if prove else "violations", wrong))
        if accounts:
            _console.print(_balance(accounts))
        verdict = "the audit missed" if prove else "broken"
        _console.print(
            f"[red]{len(wrong)} laws {verdict}."
            if wrong
            else "[green]All laws hold."
            if not prove
            else "[green]Every broken law was noticed."
        )
    return 1 if wrong else 0


def reconcile_of(shop: Connection, hours: float, *, as_json: bool) -> int:
    """Reconcile; exit with 1 where the provider's books differ from ours."""
    report = asyncio.run(_reconcile(shop, hours))
    if as_json:
        typer.echo(msgspec.json.encode(report))
        return 1 if report.differences else 0
    show_report(msgspec.structs.asdict(report))
    if report.differences:
        _console.print("[red]The operator's desk has the cases, under Money.")
    return 1 if report.differences else 0


async def _reconcile(shop: Connection, hours: float) -> Reconciled:
    async with AsyncExitStack() as stack:
        host = Host(settings.load({**os.environ, **shop.environment()}), stack)
        await host.lease_worker()  # a case that it opens has an id
        return await make_payments(host, await host.pool("payments")).reconcile(hours)


def _sum(findings: Sequence[Finding]) -> int:
    return sum(finding.violations for finding in findings)


async def _audit(shop: Connection) -> tuple[list[Finding], list[Account]]:
    told = settings.load({**os.environ, **shop.environment()})
    try:
        found = await audit_shop(told)
    except Unavailable as away:
        raise Trouble(str(away)) from None
    reader = await asyncpg.connect(**shop.postgres("mercat_audit"))
    try:
        return [*found, *await _index(shop, reader)], await trial_balance(reader)
    finally:
        await reader.close()


async def _index(shop: Connection, reader: asyncpg.Connection, ahead: int = 0) -> list[Finding]:
    """Whether search has the newest of some products for sale; `mercat search verify` compares all. `ahead`:
    so many versions newer than they are, which must be noticed."""
    rows = await reader.fetch(_SAMPLED)
    versions = {row["product_id"]: row["version"] + ahead for row in rows}
    found = await asyncio.to_thread(
        count_stale, index_store(settings.load({**os.environ, **shop.environment()})), versions
    )
    return (
        []
        if found is None or not versions
        else [Finding("search has the catalogue's newest (sampled)", len(versions), found)]
    )


async def _prove(shop: Connection) -> list[Finding]:
    try:
        noticed = await prove_shop(settings.load({**os.environ, **shop.environment()}))
    except Unavailable as away:
        raise Trouble(str(away)) from None
    owner = await asyncpg.connect(**shop.postgres())
    try:
        return [*noticed, *await _index(shop, owner, ahead=1)]
    finally:
        await owner.close()


def _balance(accounts: Sequence[Account]) -> Table:
    table = Table("account", "debit", "credit", "postings")
    for each in accounts:
        sides = [words(side, each.currency) if side > 0 else "" for side in (each.balance, -each.balance)]
        table.add_row(each.account, *sides, f"{each.postings:,}")
    return table


def _table(findings: Sequence[Finding], word: str, wrong: Sequence[Finding]) -> Table:
    table = Table("law", "checked", word)
    for finding in findings:
        style = "red" if finding in wrong else None
        table.add_row(finding.law, f"{finding.checked:,}", f"{finding.violations:,}", style=style)
    return table


commands = typer.Typer()


@commands.command("audit")
def audit_command(
    data: Data = HERE,
    as_json: AsJson = False,
    prove: Annotated[
        bool, typer.Option("--prove", help="Break each law in a transaction that is rolled back.")
    ] = False,
) -> None:
    """Check the laws of stock and money over live data. Exits with 1 where one is broken."""
    with opened_shop(data, "audit") as shop:
        raise typer.Exit(audit_of(shop, as_json=as_json, prove=prove))


@commands.command()
def reconcile(
    data: Data = HERE,
    hours: Annotated[float, typer.Option(min=0.1, max=24 * 90, help="How far back.")] = 48,
    as_json: AsJson = False,
) -> None:
    """Compare our books with the payment provider's. A difference opens a case, and exits with 1."""
    with opened_shop(data, "reconcile") as shop:
        raise typer.Exit(reconcile_of(shop, hours, as_json=as_json))
