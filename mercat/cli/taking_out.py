"""What `mercat export` does: it writes a shop's goods, orders, people or stock into a file."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.console import Console

from mercat import settings
from mercat.app import build_shop
from mercat.cli.options import HERE, Data, opened_shop
from mercat.embedded import Connection, Trouble
from mercat.kit.refusals import Refusal
from mercat.web import FILES, export_of

_console = Console(stderr=True, markup=False, highlight=False)
_STDOUT = Path("-")


class ExportNoun(StrEnum):
    """What can be taken out."""

    products = "products"
    orders = "orders"
    people = "people"
    stock = "stock"


commands = typer.Typer()


@commands.command()
def export(
    noun: Annotated[ExportNoun, typer.Argument(help="What is taken out.")],
    file: Annotated[Path, typer.Argument(metavar="FILE|-", help="Where to; - is standard output.")],
    form: Annotated[
        str, typer.Option("--format", metavar="csv|jsonl|shopify", help="Else by the file's name, else csv.")
    ] = "",
    seller: Annotated[
        str, typer.Option(metavar="NAME", help="What is this seller's alone; else everybody's.")
    ] = "",
    data: Data = HERE,
) -> None:
    """Take a shop out: products as an import takes them in again, stock, orders, people."""
    form = form or ("jsonl" if file.suffix in (".jsonl", ".ndjson") else "csv")
    if form not in FILES[noun]:
        raise typer.BadParameter(f"{noun} are written as {', '.join(FILES[noun])}.", param_hint="--format")
    if seller and noun == ExportNoun.people:
        raise typer.BadParameter("People are nobody's.", param_hint="--seller")
    with opened_shop(data, "export") as shop:
        try:
            asyncio.run(_export(shop, noun, form, seller, file))
        except Refusal as refused:
            raise Trouble(str(refused)) from None


async def _export(connection: Connection, noun: str, form: str, seller: str, file: Path) -> None:
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings.load({**os.environ, **connection.environment()}), stack)
        await shop.host.lease_worker()
        seller_id = await shop.sellers.named(seller) if seller else None
        pieces = export_of(noun, form).write(shop, seller_id)
        if file == _STDOUT:
            await _write(pieces, sys.stdout.buffer)
            return
        part = file.with_name(f"{file.name}.part")
        try:
            with part.open("wb") as out:
                size = await _write(pieces, out)
            part.replace(file)
        except OSError as error:
            raise Trouble(f"{file} cannot be written: {(error.strerror or str(error)).lower()}.") from None
        finally:
            part.unlink(missing_ok=True)
        _console.print(f"{file}: {noun}, {size:,} bytes.")


async def _write(pieces: AsyncIterator[bytes], out: IO[bytes]) -> int:
    """Write what comes; a file is there under its name only once it is whole."""
    size = 0
    async for piece in pieces:
        size += out.write(piece)
    out.flush()
    return size
