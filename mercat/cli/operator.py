"""The commands of `mercat operator`: who runs the shop."""

import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from mercat.accounts import NewPerson
from mercat.cli.flash import in_shop
from mercat.cli.options import HERE, Data, opened_shop
from mercat.embedded import Trouble
from mercat.shop import Shop

commands = typer.Typer(name="operator", help="Say who runs the shop.", no_args_is_help=True)
Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The e-mail address of the account.")]


@commands.command()
def create(
    email: Email,
    name: Annotated[str, typer.Option(help="How they are called (default: as the address begins).")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    data: Data = HERE,
) -> None:
    """Open an account that runs the shop. Asks for its password."""
    with opened_shop(data, "operator create") as connection:
        person = NewPerson(email, _password(from_stdin=password_stdin), name or email.partition("@")[0])
        in_shop(connection, lambda shop: shop.accounts.create_operator(person))
    typer.echo(f"{email} runs the shop from now on: sign in, then open /operator.", err=True)


@commands.command()
def grant(email: Email, data: Data = HERE) -> None:
    """Let somebody who has an account run the shop."""
    _carry_out(data, "operator grant", lambda shop: shop.accounts.set_operator(email, given=True))
    typer.echo(f"{email} runs the shop from now on.", err=True)


@commands.command()
def revoke(email: Email, data: Data = HERE) -> None:
    """Let an operator no longer run the shop; their account stays."""
    _carry_out(data, "operator revoke", lambda shop: shop.accounts.set_operator(email, given=False))
    typer.echo(f"{email} does not run the shop any more.", err=True)


def _carry_out(data: Data, command: str, work: Callable[[Shop], Awaitable[None]]) -> None:
    with opened_shop(data, command) as connection:
        in_shop(connection, work)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Trouble("There is no terminal to ask for the password: use --password-stdin.")
    return typer.prompt("Password", hide_input=True, confirmation_prompt=True)
