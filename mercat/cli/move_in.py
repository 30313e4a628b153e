"""`mercat move-in`: an open shop on one machine goes over to the engines of a settings file, part by part."""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import asyncpg
import httpx
import typer
from rich.console import Console
from rich.table import Table
from valkey.exceptions import ValkeyError

from mercat import settings, settings_file
from mercat.audit import audit_shop
from mercat.cli.checking import environment_of
from mercat.cli.moves.guard import guarded
from mercat.cli.moves.mover import MoveState, PartMover, queries, states
from mercat.cli.moves.open_shop import PARTS, MoveRowsOf, alone, of_workers, told_of
from mercat.cli.moves.parts import MovingPart, OneWriter, PartAway, PlacesDiffer, Way, of_part, without
from mercat.cli.options import HERE, Data, needs_shop
from mercat.cli.run import replace_workers
from mercat.embedded import Connection, Home, Trouble, moved_in, record_moved_in
from mercat.embedded.home import left, record_left
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Refusal
from mercat.search import BrokenIndex

_console = Console(stderr=True)
commands = typer.Typer()
_NOT_MOVED_HERE = {
    "orders_shards": "orders into several databases ([orders.shards])",
}
"""What a file may name and this command does not move."""


@commands.command("move-in")
def move_in(
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", exists=True, dir_okay=False, help="Settings that say where."),
    ] = None,
    data: Data = HERE,
    only: Annotated[str, typer.Option("--only", metavar="PART", help="Move this part alone.")] = "",
    back: Annotated[str, typer.Option("--back", metavar="PART", help="Move this part back.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Show where each part is.")] = False,
) -> None:
    """Move parts of this open shop to the engines that a settings file names, while it sells.

    Each part is filled there, compared, switched and audited before the next. Run it again where it was
    cut off, and it goes on."""
    if sum(map(bool, (to, back, status))) != 1:
        raise Trouble("Give one of --to FILE, --back PART and --status.")
    for named in filter(None, (only, back)):
        if named not in PARTS:
            raise Trouble(f"There is no part {named!r} that moves. There are: {', '.join(PARTS)}.")
    needs_shop(data)
    shop = Home(data).engines()
    if not shop or not shop.open:
        raise Trouble(f"The shop in {data} is not open. Parts move while it is: mercat serve --data {data}")
    asyncio.run(_show(shop) if status else _carry_out(shop, to, only, back, dry_run=dry_run))


Plan = list[tuple[type[MovingPart], Way, dict[str, str]]]


def _plan_of(shop: Connection, known: Mapping[str, MoveState], to: Path | None, only: str, back: str) -> Plan:
    """Say which parts move where, and by which settings they are there, or were; none of one that goes back
    where it was begun or ended alone, and is `known` so."""
    now = moved_in(Path(shop.data))
    if back:
        given = of_part(now, PARTS[back])
        if not given and (back not in known or known[back].step == "moved"):
            raise Trouble(f"{back} is on this machine already, as far as `mercat move-in` has moved it.")
        if not given and known[back] == MoveState("back", "switching"):
            given = of_part(left(Path(shop.data)), PARTS[back])
        return [(PARTS[back], "back", given)]
    if to is None:
        return []
    try:
        wanted = settings_file.read(to)
    except settings_file.WrongFile as wrong:
        raise Trouble(str(wrong)) from None
    named = {name: given for name, part in PARTS.items() if (given := of_part(wanted, part))}
    if only and only not in named:
        raise Trouble(f"{to} does not say where {only} is: {PARTS[only].keys[0]} is not given.")
    for key, what in _NOT_MOVED_HERE.items():
        if not only and (wanted.get(key) or wanted.get(f"{key}_file")):
            _console.print(f"Not moved by this command: {what}.")
    chosen = [only] if only else [name for name in named if not issubclass(PARTS[name], OneWriter)]
    for name in named.keys() - {only, *chosen} if not only else ():
        _console.print(f"Moved alone, as nothing is written then for some seconds: --only {name}.")
    for name in chosen:
        _check_variables(shop, PARTS[name], now)
        _check_no_file(PARTS[name], named[name], to)
        former = of_part(now, PARTS[name])
        if former and former != named[name]:
            raise Trouble(f"{name} is at another address than {to} says. First: mercat move-in --back {name}")
    return [(PARTS[name], "there", named[name]) for name in chosen]


def _check_no_file(part: type[MovingPart], given: Mapping[str, str], to: Path) -> None:
    """Refuse an address in a file of its own for what a variable says already in an open shop."""
    for name in given:
        if name.endswith("_file") and issubclass(part, OneWriter):
            key = name.removesuffix("_file")
            raise Trouble(
                f"{to}: {part.name} moves to an address that stands in the settings as {key}, not in a file "
                f"of its own ({name}). It is kept in moved_in.json, which the shop's owner alone reads."
            )


def _check_variables(shop: Connection, part: type[MovingPart], now: Mapping[str, str]) -> None:
    """Refuse a part that the shop was opened with elsewhere: what we keep would win over it unseen."""
    ours = {f"MERCAT_{name.upper()}" for name in now} | shop.environment().keys()  # of `mercat serve` itself
    given = {
        name.removeprefix("MERCAT_").lower(): value
        for name, value in environment_of(Path(shop.data)).items()
        if name.startswith("MERCAT_") and name not in ours
    }
    if by_hand := sorted(given.keys() - without(given, part).keys()):
        raise Trouble(
            f"The shop was opened with MERCAT_{by_hand[0].upper()}: {part.name} is not moved by this command."
        )


async def _carry_out(shop: Connection, to: Path | None, only: str, back: str, *, dry_run: bool) -> None:
    db = MoveRowsOf(shop)
    try:
        with alone(Path(shop.data)):
            known = await states(db)
            plan = _plan_of(shop, known, to, only, back)
            _check_one_at_a_time(plan, {name for name, state in known.items() if state.step != "moved"})
            mover = PartMover(db, OpenShop(shop), lambda: _laws(shop), _console.print)
            for kind, way, there in plan:
                part = kind(told_of(shop, there))
                if dry_run:
                    _console.print(f"{kind.name} {way}: {await part.plan(way)}.")
                else:
                    await mover.move(part, way, there)
                    record_left(Path(shop.data), {})
    except (
        Refusal,
        PartAway,
        PlacesDiffer,
        BrokenIndex,
        httpx.HTTPError,
        asyncpg.PostgresError,
        ValkeyError,
        *AWAY,
    ) as away:
        reason = str(away).strip() or type(away).__name__
        raise Trouble(f"{reason} The shop goes on as it is. Run this again: it goes on too.") from None


def _check_one_at_a_time(plan: Plan, unfinished: set[str]) -> None:
    """Let no part begin while another is on its way."""
    named = [kind.name for kind, *_ in plan]
    for other in unfinished:
        if other not in named:
            raise Trouble(
                f"{other} is on its way. First finish that, by the same command, or give it up: "
                f"mercat move-in --back {other}"
            )
    if unfinished:
        plan.sort(key=lambda each: each[0].name not in unfinished)


class OpenShop:
    """An open shop: its settings of parts elsewhere, and its workers."""

    def __init__(self, shop: Connection) -> None:
        self._data = Path(shop.data)

    def now(self) -> dict[str, str]:
        return moved_in(self._data)

    def guarded(self, part: str, way: Way) -> contextlib.AbstractContextManager[None]:
        return guarded(self._data, part, way)

    async def use(self, settings: Mapping[str, str], *, for_good: bool = False) -> None:
        former = moved_in(self._data)
        gone = {name: value for name, value in former.items() if name not in settings}
        if for_good and gone:
            record_left(self._data, gone)
        record_moved_in(self._data, settings)
        try:
            await asyncio.to_thread(replace_workers, self._data)
        except Trouble:
            if for_good:
                raise
            record_moved_in(self._data, former)
            await asyncio.to_thread(replace_workers, self._data)
            raise


async def _laws(shop: Connection) -> str:
    told = settings.load(of_workers(shop))
    found = await audit_shop(told)
    if broken := [each.law for each in found if each.violations]:
        raise Trouble(f"{len(broken)} laws are broken: {'; '.join(broken)}.")
    return f"all {len(found)} laws hold."


async def _show(shop: Connection) -> None:
    known, now = await states(MoveRowsOf(shop)), moved_in(Path(shop.data))
    table = Table("part", "where it answers", "state")
    for name, part in PARTS.items():
        state = known.get(name)
        address = of_part(now, part).get(part.keys[0], "elsewhere") if of_part(now, part) else ""
        if state is None or state.step == "moved":
            table.add_row(name, *((_shown(address), "moved") if state and address else ("this machine", "")))
        else:
            place = "in both" if address else "this machine"
            if issubclass(part, OneWriter):
                place = _shown(address) if address else "this machine"
            table.add_row(name, place, f"{state.step}, {state.way}")
    for row in await MoveRowsOf(shop).fetch(queries.kept_back):
        _console.print(
            f"The server elsewhere keeps {row['bytes'] / 2**20:,.0f} MB of its log for the way back of the "
            "database (slot mercat_back), and more each day: finish it or give it up."
        )
    for what in _NOT_MOVED_HERE.values():
        table.add_row(what.partition(" (")[0], "this machine", "not moved by this command")
    _console.print(table)


def _shown(address: str) -> str:
    """Return an address without who may ask there."""
    scheme, mark, place = address.rpartition("://")
    return f"{scheme}{mark}{place.rpartition('@')[2]}"
