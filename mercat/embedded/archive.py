"""Where a shop's write-ahead log is also kept, so that a backup can be rolled on to any later second."""

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

from mercat.embedded.home import Connection, Home, Trouble, read_json, write_private
from mercat.embedded.postgres import programs

Looked = dict[Path, tuple[int, list[Path]]]
"""Folders that were looked through: when each had last changed, and the folders in it."""
HELD_MIN = 2**30
_JUST_NOW_NS = 2 * 10**9
"""A folder that changed so short a time ago may change again without showing another time."""
SLOT = "mercat_archive"
"""PostgreSQL keeps what this replication slot has not yet sent to the archive."""
BUCKETS = "s3://"
"""So begins the address of a bucket of backups."""
LOOK_AGAIN = signal.SIGUSR1
"""Tells a supervisor that the record of its archive has changed."""


@dataclass(frozen=True)
class Archive:
    """A folder of backups that the shop adds its log and its new pictures to."""

    folder: Path
    bucket: str = ""
    """Where all of it is sent, as `s3://BUCKET/FOLDER`: the folder is only on the way there."""

    @classmethod
    def at(cls, where: str, data: Path) -> "Archive":
        """Name an archive: a folder, or a bucket by its address."""
        if where.startswith(BUCKETS):
            return cls(data.absolute() / "to_bucket", where.rstrip("/"))
        return cls(Path(where).absolute())

    @classmethod
    def of(cls, data: Path) -> "Archive | None":
        """Return the archive that `mercat backup` recorded for this shop."""
        recorded = read_json(data / "archive.json")
        return cls(Path(recorded["folder"]), recorded.get("bucket", "")) if recorded else None

    def __str__(self) -> str:
        return self.bucket or str(self.folder)

    @property
    def wal(self) -> Path:
        return self.folder / "wal"

    @property
    def media(self) -> Path:
        return self.folder / "media"

    def record(self, home: Home) -> None:
        """Make this the shop's archive from now on."""
        write_private(
            home.path / "archive.json", json.dumps({"folder": str(self.folder), "bucket": self.bucket})
        )

    def command(self) -> list[str]:
        """Return the command that receives the log for as long as PostgreSQL runs."""
        receive = [str(programs() / "pg_receivewal"), "--directory", str(self.wal), "--slot", SLOT]
        return [*receive, "--no-password", "--no-loop", "--status-interval", "2"]

    def keep_media(self, data: Path, looked: Looked | None = None) -> int:
        """Copy pictures that are not in the archive yet; return how many. A file never changes.

        Trouble where the archive is not there: what is made in its place is on the shop's own disk."""
        if not self.media.is_dir():
            raise Trouble(f"{self.media} is not there. Is the disk of the backups mounted?")
        return copy_new(data / "media", self.media, looked)


def forget(home: Home) -> None:
    """Have no archive any more."""
    (home.path / "archive.json").unlink(missing_ok=True)


def tell_supervisor(shop: Connection) -> None:
    """Make an open shop look at the record of its archive."""
    if shop.port and shop.supervisor != os.getpid():
        os.kill(shop.supervisor, LOOK_AGAIN)


def holds_too_much(held: int, free: int) -> bool:
    """Say whether the log that waits for an archive is more than the room that is left.

    Soon the disk would be full and the shop would sell nothing, for the sake of its backups."""
    return held > max(HELD_MIN, free)


def copy_new(source: Path, target: Path, looked: Looked | None = None) -> int:
    """Copy the files of a folder that are not in the other; return how many.

    `looked` is what an earlier call has seen: folders that are as they were are not looked through."""
    copied = 0
    for path in files_of(source, {} if looked is None else looked):
        there = target / path.relative_to(source)
        if there.exists():
            continue
        try:
            there.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = there.with_name(f"{there.name}.new")
            copyfile(path, new)
            new.replace(there)
        except FileNotFoundError:
            continue  # it went away meanwhile
        except OSError as error:
            raise Trouble(f"{there} cannot be written: {error.strerror}.") from None
        copied += 1
    return copied


def files_of(folder: Path, looked: Looked) -> Iterator[Path]:
    """Yield the files of a folder, but of those folders in it that are as `looked` has seen them. A folder is
    seen once its last file was taken."""
    try:
        changed = folder.stat().st_mtime_ns
        before, folders = looked.get(folder, (0, []))
        if changed != before:
            with os.scandir(folder) as found:
                entries = list(found)
            folders = [Path(each.path) for each in entries if each.is_dir()]
            for each in entries:
                if each.is_file() and not each.name.startswith(".") and not each.name.endswith(".new"):
                    yield Path(each.path)
            # Only now, for whoever copies may have failed; and not while it may still be changing.
            if time.time_ns() - changed > _JUST_NOW_NS:
                looked[folder] = changed, folders
    except FileNotFoundError:
        return  # it went away meanwhile, or was never made
    for each in folders:
        yield from files_of(each, looked)
