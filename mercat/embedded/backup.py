"""Backups of a shop, and shops made of them as they were at any second since.

    DIR/base/20261129T201500Z/postgres     the database's files, by pg_basebackup
    DIR/base/20261129T201500Z/backup.json  when, and of which shop; the last thing that is written
    DIR/base/20261129T201500Z/secret.key   without it nobody can sign in to the database
    DIR/base/20261129T201500Z/wal          what of the log its relay had not passed on yet
    DIR/wal                                the write-ahead log since, received while the shop sells
    DIR/wal-20261128T101500Z               one that ended: its shop kept none there for a while
    DIR/media                              pictures, which never change

Carts stand in the database too, at most five seconds behind; the search index is made anew from the
catalogue.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import psycopg2

from mercat.embedded import archive
from mercat.embedded.archive import SLOT, Archive, copy_new
from mercat.embedded.engines import engines
from mercat.embedded.home import Connection, Home, Trouble, read_json, try_lock, write_private
from mercat.embedded.postgres import Postgres, programs
from mercat.embedded.processes import wait_until

Say = Callable[[str], None]
OWN_SEARCH_FILES = ("*.json", "*.txt", "*.csv")
"""Synonyms and a ranker of the shop's own lie beside the index; they cannot be made anew."""
SEGMENT_BYTES = 16 * 1024 * 1024
_STREAMS_WITHIN_S = 10
_ENDED_EARLY = "recovery ended before configured recovery target was reached"
_LOG = "restored_wal"
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_BEFORE = 4
"""So many segments before the last one that was relayed are looked through for events, too: a transaction
tells before it is committed."""
_RELAY = "mercat"
"""The slot of the relay: `kit.wal.SLOT`."""


@dataclass(frozen=True)
class Backup:
    """What is known of one base backup."""

    system: str
    """Which database cluster it is of."""
    timeline: int
    start_segment: str
    began_at: str
    ended_at: str
    version: str

    @property
    def ended(self) -> datetime:
        return datetime.fromisoformat(self.ended_at)


def backups_in(folder: Path) -> dict[Path, Backup]:
    """Return the whole backups of a folder, the oldest first."""
    found = {path.parent: Backup(**read_json(path)) for path in sorted(folder.glob("base/*/backup.json"))}
    return dict(sorted(found.items(), key=lambda pair: pair[1].ended))


def back_up(home: Home, shop: Connection, kept: Archive, version: str, say: Say) -> Path:
    """Make a base backup in an archive, which is the shop's from now on; return where it is."""
    folder = kept.folder
    if folder.is_relative_to(home.path) and not kept.bucket:
        raise Trouble(f"{folder} is inside the shop's own folder. Choose another one, on another disk.")
    for made in (folder, folder / "base", kept.wal, kept.media):
        _make(made)
    with _alone(folder):
        for left in (folder / "base").glob("*.part"):
            say(f"Removed: {left}, of a backup that did not end.")
            shutil.rmtree(left)
        return _copy(home, shop, kept, version, say)


@contextlib.contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Have only one backup made in a folder at a time. The lock goes with its process."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not try_lock(descriptor, fcntl.LOCK_EX):
            raise Trouble(f"Another backup is being made in {folder}.")
        yield
    finally:
        os.close(descriptor)


def _place(base: Path, began: datetime) -> Path:
    """Name a backup by when it began, or by the next second that none has: two may begin in one."""
    named = began
    while (place := base / named.strftime("%Y%m%dT%H%M%SZ")).exists():
        named += timedelta(seconds=1)
    return place


def _copy(home: Home, shop: Connection, kept: Archive, version: str, say: Say) -> Path:
    began = datetime.now(UTC)
    final = _place(kept.folder / "base", began)
    part = final.with_name(f"{final.name}.part")
    with _owner(shop) as owner:
        system, timeline = _identity(owner)
        _check_same_shop(kept.folder, system, timeline)
        _make(part)
        _open_slot(owner, kept, began)
        _copy_unread(owner, timeline, part / "wal")
    kept.record(home)
    archive.tell_supervisor(shop)
    _run(
        [
            *_tool("pg_basebackup"),
            *("-D", part / "postgres", "-X", "stream", "-c", "fast", "-w", "-l", "mercat"),
            "--manifest-checksums=SHA256",
        ],
        shop,
    )
    say(f"The database is copied after {(datetime.now(UTC) - began).total_seconds():.1f} s.")
    write_private(part / "secret.key", home.key)
    for pattern in OWN_SEARCH_FILES:
        for path in (home.path / "search").glob(pattern):
            _make(part / "search")
            shutil.copyfile(path, part / "search" / path.name)
    if not kept.bucket:
        say(f"Pictures: {kept.keep_media(home.path):,} copied, new ones follow by themselves.")
    say("Carts stand in the database. The search index is not copied: it is made anew from the catalogue.")
    start = (part / "postgres" / "backup_label").read_text()
    [segment] = re.findall(r"\(file ([0-9A-F]{24})\)", start)
    ended = datetime.now(UTC)
    made = Backup(system, timeline, segment, began.isoformat(), ended.isoformat(), version)
    write_private(part / "backup.json", json.dumps(asdict(made), indent=2))
    part.rename(final)
    return final


def streams(shop: Connection) -> bool:
    """Say whether the write-ahead log reaches the archive now; wait some seconds for it."""
    with _owner(shop) as owner:
        return bool(shop.port) and wait_until(lambda: _arrives(owner), _STREAMS_WITHIN_S, 0.1)


def prune(folder: Path, keep: int) -> list[Path]:
    """Remove all backups but the newest, and the log that only those need; return what went."""
    whole = list(backups_in(folder).items())
    gone = [path for path, _ in whole[:-keep]]
    for path in gone:
        shutil.rmtree(path)
    if gone:
        oldest = whole[-keep][1].start_segment
        for log in logs_of(folder):
            subprocess.run([programs() / "pg_archivecleanup", log, oldest], check=True)
            if log.name != "wal" and not any(_SEGMENT.match(each.name) for each in log.iterdir()):
                shutil.rmtree(log)
    return gone


@dataclass(frozen=True)
class Restored:
    """A database that was rolled on, opened once more, and how far it came."""

    shop: Connection
    replayed: str
    last_commit: datetime | None
    log: Path
    """The write-ahead log that it was rolled on by."""
    timeline: int
    """Of that log: the database itself is on the next one now."""


def restore(
    folder: Path, home: Home, to: datetime | None, finish: Callable[[Restored], None], say: Say
) -> Restored:
    """Make a shop of a backup and the log since: as it was at `to`, else as late as the log goes.

    `finish` is called while its database is open, once it has been rolled on."""
    if Home.made(home.path):
        raise Trouble(f"There is a shop in {home.path} already. Choose an empty folder with --data.")
    path, backup = newest_before(folder, to)
    with home.being_restored():
        return _restore(path, backup, home, to, finish, say)


def _restore(
    path: Path,
    backup: Backup,
    home: Home,
    to: datetime | None,
    finish: Callable[[Restored], None],
    say: Say,
) -> Restored:
    folder = path.parents[1]
    say(f"The backup of {backup.ended:%Y-%m-%d %H:%M:%S} UTC is checked and copied.")
    _check_whole(path / "postgres")
    write_private(home.path / "secret.key", (path / "secret.key").read_text())
    postgres = Postgres(home)
    shutil.copytree(path / "postgres", postgres.folder)
    log = postgres.folder / _LOG
    _gather(folder, path, backup, log)
    (postgres.folder / "recovery.signal").touch()
    _give(postgres.folder, postgres.account)
    restored = _roll_on(home, log, backup.timeline, to, finish, say)
    shutil.rmtree(log, ignore_errors=True)
    copy_new(folder / "media", home.path / "media")
    if (path / "search").exists():
        copy_new(path / "search", home.path / "search")
    return restored


def _roll_on(
    home: Home,
    log: Path,
    timeline: int,
    to: datetime | None,
    finish: Callable[[Restored], None],
    say: Say,
) -> Restored:
    settings = {
        "restore_command": f"cp {_LOG}/%f %p",
        "hot_standby": "off",
        "recovery_target_action": "promote",
    }
    aims = [settings | {"recovery_target_time": to.isoformat()}, settings] if to else [settings]
    for aim in aims:
        try:
            with engines(home, "mercat restore", aim) as shop:
                with _owner(shop) as owner:
                    replayed = owner.value("select pg_last_wal_replay_lsn()::text")
                    last = owner.value("select pg_last_xact_replay_timestamp()")
                restored = Restored(shop, replayed, last, log, timeline)
                finish(restored)
                return restored
        except Trouble as trouble:
            # Nothing was committed after the time asked for: PostgreSQL calls that an error, we do not.
            if _ENDED_EARLY not in str(trouble) or aim is aims[-1]:
                raise
            say("The log ends before that time: everything in it is taken.")
    raise AssertionError


def told_in_log(restored: Restored, since: str) -> Iterator[tuple[int, int, str, str]]:
    """Yield the events that a log holds, in the order of their commits: where the commit is, the number in
    it, kind and body. They are those that came too late for the relay of the shop that died.

    Source: the output of pg_waldump, PostgreSQL 18."""
    start = _first_to_read(restored, since)
    of_transaction: dict[str, list[tuple[str, str]]] = {}
    command = [
        *_tool("pg_waldump"),
        "-p",
        restored.log,
        "-t",
        restored.timeline,
        "-s",
        _shown(start_of(start.name)),
    ]
    command += ["-e", restored.replayed, "-r", "LogicalMessage", "-r", "Transaction"]
    with (
        TemporaryFile("w+") as complaints,
        subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as dump,
    ):
        assert dump.stdout
        for line in dump.stdout:
            head, _, said = line.partition(" desc: ")
            transaction = head.partition("tx:")[2].partition(",")[0].strip()
            if said.startswith("MESSAGE transactional"):
                kind, body = _message(said)
                of_transaction.setdefault(transaction, []).append((kind, body))
            elif said.startswith("COMMIT"):
                parts = re.search(r"subxacts: ([\d ]+)", said)
                members = [transaction, *(parts[1].split() if parts else [])]
                told = [each for member in members for each in of_transaction.pop(member, [])]
                place = _lsn(head.partition("lsn:")[2].partition(",")[0].strip())
                for number, (kind, body) in enumerate(told, 1):
                    yield place, number, kind, body
        if dump.wait():
            complaints.seek(0)
            raise Trouble(f"The log cannot be read, and events may be missing: {complaints.read().strip()}")


def _first_to_read(restored: Restored, since: str) -> Path:
    """Choose the segment from which on all events after a commit stand; Trouble where there is none."""
    segments = [path for path in sorted(restored.log.iterdir()) if _SEGMENT.fullmatch(path.name)]
    first = _segment_of(_lsn(since), restored.timeline)
    before = [path for path in segments if path.name[8:] <= first[8:]]
    if segments and not before and _lsn(since):
        raise Trouble(
            f"The log in the backup begins with {segments[0].name}, after the last event that was passed on "
            f"({first}): what was told between is not in it. Take another backup."
        )
    return (before[-_BEFORE:] or segments)[0]


def _message(said: str) -> tuple[str, str]:
    head, _, octets = said.partition(" bytes): ")
    kind = head.partition('prefix "')[2].rpartition('"; payload')[0]
    return kind, bytes.fromhex(octets.strip()).decode()


def _check_whole(files: Path) -> None:
    """Compare each file with the backup's manifest: the pg_verifybackup of the wheel (18.4) dies of it."""
    for each in json.loads((files / "backup_manifest").read_text())["Files"]:
        name = each["Path"] if "Path" in each else bytes.fromhex(each["Encoded-Path"]).decode()
        try:
            with (files / name).open("rb") as file:
                whole = hashlib.file_digest(file, "sha256").hexdigest() == each["Checksum"]
        except OSError:
            whole = False
        if not whole:
            raise Trouble(f"The backup is damaged: {files / name} is not what was copied. Take another one.")


def newest_before(folder: Path, to: datetime | None) -> tuple[Path, Backup]:
    """Choose the backup that a restore to that time begins with; Trouble where there is none."""
    whole = backups_in(folder)
    if not whole:
        raise Trouble(f"There is no backup in {folder}. `mercat backup {folder}` makes one.")
    fitting = [pair for pair in whole.items() if to is None or pair[1].ended <= to]
    if not fitting:
        first = next(iter(whole.values())).ended
        raise Trouble(f"The oldest backup in {folder} is of {first.isoformat()}: no earlier time can be had.")
    return fitting[-1]


def logs_of(folder: Path) -> list[Path]:
    """List the logs of an archive, the oldest first: those that ended, and the one that is received."""
    return [*sorted(folder.glob("wal-*")), *folder.glob("wal")]


def _gather(folder: Path, base: Path, backup: Backup, log: Path) -> None:
    """Copy the log that a backup needs, the segment that was being written too.

    What was not passed on when it was made lies beside it; the archive has some of that, longer."""
    log.mkdir(mode=0o700)
    unread = base / "wal"
    first = first_needed(backup)
    for path in sorted(unread.iterdir()) if unread.exists() else ():
        first = min(first, start_of(path.name))
        shutil.copyfile(path, log / path.name)
    for path in (each for wal in logs_of(folder) for each in sorted(wal.iterdir())):
        name = path.name.removesuffix(".partial")
        if name.endswith(".history") or (_SEGMENT.fullmatch(name) and start_of(name) >= first):
            shutil.copyfile(path, log / name)
    for path in (log.parent / "pg_wal").iterdir():  # what the backup itself brought along
        if _SEGMENT.fullmatch(path.name) and not (log / path.name).exists():
            shutil.copyfile(path, log / path.name)


def first_needed(backup: Backup) -> int:
    """Say from which place on an archive's log is wanted beside what lies in the backup itself."""
    return start_of(backup.start_segment) - _BEFORE * SEGMENT_BYTES


def start_of(segment: str) -> int:
    """Say at which place of the log a segment begins."""
    return int(segment[8:16], 16) << 32 | int(segment[16:], 16) * SEGMENT_BYTES


def _segment_of(place: int, timeline: int) -> str:
    return f"{timeline:08X}{place >> 32:08X}{(place & 0xFFFFFFFF) // SEGMENT_BYTES:08X}"


def _lsn(shown: str) -> int:
    high, _, low = shown.partition("/")
    return int(high, 16) << 32 | int(low, 16)


def _shown(place: int) -> str:
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def _check_same_shop(folder: Path, system: str, timeline: int) -> None:
    for path, backup in backups_in(folder).items():
        if (backup.system, backup.timeline) != (system, timeline):
            raise Trouble(
                f"{path} is of another shop, or of this one before it was restored. Choose another folder."
            )


def _identity(owner: "_Owner") -> tuple[str, int]:
    system = owner.value("select system_identifier::text from pg_control_system()")
    return system, owner.value("select timeline_id from pg_control_checkpoint()")


def _has_slot(owner: "_Owner") -> bool:
    return bool(owner.value("select count(*) from pg_replication_slots where slot_name = %s", SLOT))


def _open_slot(owner: "_Owner", kept: Archive, now: datetime) -> None:
    """Have PostgreSQL keep its log for the archive.

    Where it had not, the log there is one that ended: what receives it would ask for the segment after its
    last one for ever, which may be gone."""
    if not _has_slot(owner):
        if any(kept.wal.iterdir()):
            kept.wal.rename(kept.folder / f"wal-{now:%Y%m%dT%H%M%SZ}")
            _make(kept.wal)
        owner.value("select slot_name from pg_create_physical_replication_slot(%s, true)", SLOT)


def _copy_unread(owner: "_Owner", timeline: int, target: Path) -> None:
    """Copy what of the log the relay has not passed on: it is older than the backup and its log."""
    since = owner.value("select restart_lsn::text from pg_replication_slots where slot_name = %s", _RELAY)
    if since is None:
        return
    _make(target)
    first = _segment_of(_lsn(since), timeline)
    last = owner.value("select pg_walfile_name(pg_current_wal_lsn())")
    folder = Path(owner.value("show data_directory")) / "pg_wal"
    for path in sorted(folder.iterdir()):
        if _SEGMENT.fullmatch(path.name) and first <= path.name <= last:
            with contextlib.suppress(FileNotFoundError):  # it was passed on meanwhile
                shutil.copyfile(path, target / path.name)


def drop_slot(shop: Connection) -> None:
    """Let PostgreSQL keep nothing for the archive any more. Trouble where something still receives it."""
    with _owner(shop) as owner:
        wait_until(lambda: not _is_streaming(owner), _STREAMS_WITHIN_S, 0.1)
        owner.value(
            "select count(pg_drop_replication_slot(slot_name)) from pg_replication_slots "
            "where slot_name = %s and not active",
            SLOT,
        )
        if _has_slot(owner):
            raise Trouble(
                f"Something still receives the log, by the slot {SLOT}: PostgreSQL keeps it, and fills the "
                "disk once that ends. End the `pg_receivewal` that does, then again: mercat backup --stop"
            )


def _arrives(owner: "_Owner") -> bool:
    """Say whether who receives the log has answered; one that cannot has the slot for a moment too."""
    return bool(
        owner.value(
            "select bool_or(r.write_lsn is not null) from pg_replication_slots s "
            "join pg_stat_replication r on r.pid = s.active_pid where s.slot_name = %s",
            SLOT,
        )
    )


def _is_streaming(owner: "_Owner") -> bool:
    return bool(owner.value("select bool_or(active) from pg_replication_slots where slot_name = %s", SLOT))


class _Owner:
    """A connection of the database's owner that asks for one value at a time."""

    def __init__(self, shop: Connection) -> None:
        self._connection: Any = psycopg2.connect(**shop.psycopg2())
        self._connection.autocommit = True

    def value(self, question: str, *given: object) -> Any:
        with self._connection.cursor() as cursor:
            cursor.execute(question, given)
            row = cursor.fetchone()
            return row[0] if row else None

    def __enter__(self) -> "_Owner":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


_owner = _Owner


def _tool(name: str) -> list[str | Path]:
    return [programs() / name]


def _run(command: list[Any], shop: Connection | None = None) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **(shop.libpq() if shop else {}), "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stdout.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise Trouble(f"{Path(command[0]).name} failed: {last}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Trouble(f"{folder} cannot be made: {error.strerror}.") from None


def _give(folder: Path, account: tuple[int, int] | None) -> None:
    """Hand the files over to the account that PostgreSQL runs as."""
    folder.chmod(0o700)
    if account:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, *account, follow_symlinks=False)
