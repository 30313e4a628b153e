"""What `mercat payouts …` does at a terminal: pay sellers out, and list what was paid."""

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from mercat import ids
from mercat.cli.flash import in_shop
from mercat.cli.options import HERE, AsJson, Data, opened_shop
from mercat.embedded import Trouble
from mercat.ids import SellerId
from mercat.kit import codec
from mercat.money import words
from mercat.payments import Payout, PayoutRun, PayoutStatus
from mercat.shop import Shop

commands = typer.Typer(name="payouts", help="Pay sellers out.", no_args_is_help=True)
_console = Console(stderr=True, markup=False, highlight=False)
_LISTED_MAX = 1_000
_WHY = {
    "below_minimum": "too little, or owed",
    "no_account": "no account named",
    "account_refused": "the account was refused",
    "seller_suspended": "the seller is suspended",
}
Seller = Annotated[str, typer.Option(metavar="SELLER_ID", help="One seller alone.")]


@commands.command()
def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say whom, and pay nobody.")] = False,
    seller: Seller = "",
    data: Data = HERE,
    as_json: AsJson = False,
) -> None:
    """Pay out what is available to sellers. Twice pays nobody twice; exits with 1 where a payout failed."""
    seller_id = _seller(seller)
    with opened_shop(data, "payouts run") as connection:
        done, names = in_shop(connection, lambda shop: _run(shop, dry_run, seller_id))
    failed = [payout for payout in done.payouts if payout.status == "failed"]
    if as_json:
        typer.echo(codec.encode(done))
    else:
        _console.print(_table(done.payouts, names))
        for each in done.not_paid:
            who, amount = names.get(each.seller_id, each.seller_id), words(each.amount, done.currency)
            _console.print(f"Not paid: {who}, {amount}: {_WHY[each.why]}.")
        total = words(sum(payout.amount for payout in done.payouts), done.currency)
        verb = "would be paid" if dry_run else "paid or under way"
        _console.print(f"{len(done.payouts):,} {verb}, {total}; {len(failed):,} failed.")
    raise typer.Exit(1 if failed else 0)


@commands.command("list")
def list_(
    seller: Seller = "",
    status: Annotated[str, typer.Option(help="paid, pending or failed.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=_LISTED_MAX, help="How many.")] = 50,
    data: Data = HERE,
    as_json: AsJson = False,
) -> None:
    """List payouts, the newest first."""
    seller_id = _seller(seller)
    try:
        chosen = msgspec.convert(status or None, PayoutStatus | None)
    except msgspec.ValidationError:
        raise Trouble(f"A payout is paid, pending or failed, not {status!r}.") from None

    async def work(shop: Shop) -> tuple[list[Payout], dict[SellerId, str]]:
        found = await shop.payments.payouts(seller_id, chosen, None, limit)
        return found, await shop.sellers.names(sorted({payout.seller_id for payout in found}))

    with opened_shop(data, "payouts list") as connection:
        payouts, names = in_shop(connection, work)
    if as_json:
        typer.echo(codec.encode(payouts))
    else:
        _console.print(_table(payouts, names))


async def _run(
    shop: Shop, dry_run: bool, seller_id: SellerId | None
) -> tuple[PayoutRun, dict[SellerId, str]]:
    done = await shop.payments.run_payouts(dry_run, seller_id)
    sellers = sorted({each.seller_id for each in (*done.payouts, *done.not_paid)})
    return done, await shop.sellers.names(sellers)


def _seller(given: str) -> SellerId | None:
    try:
        return ids.parse(SellerId, given) if given else None
    except ValueError as error:
        raise Trouble(f"{given}: {error}.") from None


def _table(payouts: list[Payout], names: dict[SellerId, str]) -> Table:
    table = Table("when", "seller", "amount", "status", "account", "payout")
    for payout in payouts:
        table.add_row(
            f"{payout.made_at:%Y-%m-%d %H:%M}",
            names.get(payout.seller_id, str(payout.seller_id)),
            words(payout.amount, payout.currency),
            payout.status + (f" ({payout.reason})" if payout.reason else ""),
            payout.account,
            str(payout.payout_id) if payout.payout_id else "",
        )
    return table
