"""The commands of `mercat tax`: rates from a file."""

from pathlib import Path
from typing import Annotated

import typer

from mercat.cli.flash import in_shop
from mercat.cli.options import HERE, Data, opened_shop
from mercat.embedded import Trouble
from mercat.kit.refusals import Refusal
from mercat.pricing import read_rules

commands = typer.Typer(name="tax", help="Say how the shop taxes.", no_args_is_help=True)
_File = Annotated[
    Path, typer.Argument(metavar="FILE", help="CSV with a heading, or JSON as the API shows rates.")
]


@commands.callback()
def _group() -> None:
    """Say how the shop taxes."""


@commands.command("import")
def import_rates(file: _File, data: Data = HERE) -> None:
    """Set all rates of tax from a file, in place of those that were."""
    try:
        rules = read_rules(file.read_bytes())
    except OSError as error:
        raise Trouble(f"{file} cannot be read: {error.strerror}.") from None
    except Refusal as refused:
        raise Trouble(f"{file}: {refused}") from None
    with opened_shop(data, "tax import") as connection:
        kept = in_shop(connection, lambda shop: shop.pricing.set_tax_rules(rules))
    countries = ", ".join(sorted({rule.country for rule in kept.rules}))
    typer.echo(f"Rates that stand from now on: {len(kept.rules):,}, of {countries or 'nowhere'}.", err=True)
