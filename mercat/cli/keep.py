"""`mercat backup` and `restore`: copies of a shop, and shops made of them."""

import asyncio
import contextlib
import tempfile
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer

from mercat import settings
from mercat.cli.options import HERE, Data, opened_shop
from mercat.embedded import Home, Trouble, moved_in
from mercat.embedded import archive as archives
from mercat.embedded.archive import BUCKETS, Archive
from mercat.embedded.backup import Restored, back_up, drop_slot, prune, streams, told_in_log
from mercat.embedded.backup import restore as restore_shop
from mercat.embedded.mirror import Mirror
from mercat.kit.event_log import Relay
from mercat.kit.postgres_log import PostgresLog
from mercat.kit.wal import WalEvent, open_slot

commands = typer.Typer()
_WHERE = "The folder of the backups, on another disk, or a bucket: s3://BUCKET/FOLDER."
Backups = Annotated[str, typer.Argument(metavar="DIR", help=_WHERE)]


@commands.command()
def backup(
    where: Annotated[
        str, typer.Argument(metavar="DIR", help=f"{_WHERE} Not asked with --stop.", show_default=False)
    ] = "",
    data: Data = HERE,
    keep: Annotated[
        int, typer.Option(min=1, metavar="N", help="Remove all backups but the newest N, and the log before.")
    ] = 1_000,
    stop: Annotated[bool, typer.Option("--stop", help="Keep no log there any more; make no backup.")] = False,
) -> None:
    """Copy the shop while it sells, and keep its log there from then on: any later second can be restored."""
    with opened_shop(data, "backup") as shop:
        home = Home(data)
        if stop:
            # What is recorded goes first: a supervisor that looks would receive it again.
            archives.forget(home)
            archives.tell_supervisor(shop)
            drop_slot(shop)
            _say("The shop keeps no log elsewhere any more. What is there can be restored.")
            return
        if elsewhere := moved_in(data).get("postgres_host"):
            raise Trouble(f"The database is on {elsewhere}: back it up there, by PostgreSQL's own means.")
        if not where:
            raise Trouble("Say where the backup goes: mercat backup DIR")
        kept = Archive.at(where, data)
        mirror = Mirror.of(kept.bucket, settings.load()) if kept.bucket else None
        if mirror:
            mirror.fetch_records(kept.folder)
        made = back_up(home, shop, kept, version("mercat"), _say)
        gone = prune(kept.folder, keep)
        if mirror:
            mirror.send_bases(kept)
            mirror.send(kept, data)
            mirror.prune(kept.folder)
        place = kept.bucket or made
        _say(f"The backup is {place}. It has the shop's secret key: guard it like the shop.")
        for path in gone:
            _say(f"Removed: {path}")
        log = f"{kept}/wal"
        if streams(shop):
            _say(f"Every commit goes to {log} from now on.")
        elif shop.port:
            raise Trouble(
                f"The backup is made, but later commits do not reach {kept.folder / 'wal'}: the open "
                "shop cannot write there. See its log for `WAL archive`, and what its unit lets it write."
            )
        else:
            _say(f"Commits go to {log} once `mercat serve` has opened the shop.")


@commands.command()
def restore(
    where: Backups,
    data: Annotated[
        Path, typer.Option("--data", metavar="NEW", help="A folder that is not there yet, for the shop.")
    ],
    to_time: Annotated[
        str, typer.Option(metavar="T", help="A time, as 2026-11-29T20:15:00Z (UTC if it does not say).")
    ] = "",
) -> None:
    """Make a shop of a backup and the log since: as it was at a second, or as late as the log goes."""
    to = _time(to_time) if to_time else None
    if Home.made(data):
        raise Trouble(f"There is a shop in {data} already. Choose an empty folder with --data.")
    recovered: list[int] = []
    with _here(where, data, to) as folder:
        restored = restore_shop(
            folder,
            Home(data),
            to,
            lambda shop: recovered.append(asyncio.run(_tell_what_was_told(shop))),
            _say,
        )
    last = f"{restored.last_commit:%Y-%m-%d %H:%M:%S.%f} UTC" if restored.last_commit else "the backup's"
    _say(
        f"The shop in {data} is as it was{f' at {to.isoformat()}' if to else ''}; its last change is {last}."
    )
    _say(f"Events that had been told and not yet passed on: {sum(recovered):,}, now in the log.")
    _say("What was bought or changed later is not in it. What the payment provider did later it keeps: run")
    _say(f"  mercat audit --data {data}")
    _say(f"  mercat reconcile --data {data}   once it is open and the provider is a real one")
    _say(f"  mercat serve --data {data}       its search index is made anew by itself")


@contextlib.contextmanager
def _here(where: str, data: Path, to: datetime | None) -> Generator[Path]:
    """Give the folder of the backups; a bucket is fetched into one that is removed afterwards."""
    if not where.startswith(BUCKETS):
        yield Path(where).absolute()
        return
    data.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{data.name}.fetched.", dir=data.absolute().parent) as folder:
        Mirror.of(where.rstrip("/"), settings.load()).fetch(Path(folder), to, _say)
        yield Path(folder)


async def _tell_what_was_told(restored: Restored) -> int:
    """Append to the log of events what its relay would have, had the shop not died; return how many."""
    async with asyncpg.create_pool(**restored.shop.postgres(), min_size=0, max_size=2) as db:
        log = PostgresLog(db)
        relay = Relay(db, log, {})
        reached = before = await log.reached()
        since = await db.fetchval("select commit::text from events.relayed")
        reading = _Reading(WalEvent(*each) for each in told_in_log(restored, since))
        while not reading.emptied:
            reached = await relay.carry(None, reading, reached)
        await open_slot(db)
        return reached.last_id - before.last_id


class _Reading:
    """Events as the relay takes them."""

    def __init__(self, events: Iterator[WalEvent]) -> None:
        self._events = events
        self.emptied = False

    def take(self, cursor: Any, most: int) -> list[WalEvent]:
        """Return the next events, up to so many."""
        taken = list(islice(self._events, most))
        self.emptied = len(taken) < most
        return taken


def _time(said: str) -> datetime:
    try:
        time = datetime.fromisoformat(said)
    except ValueError:
        raise Trouble(f"{said!r} is no time. Write it as 2026-11-29T20:15:00Z.") from None
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    if time > datetime.now(UTC):
        raise Trouble(f"{said} has not come yet.")
    return time


def _say(line: str) -> None:
    typer.echo(line, err=True)
