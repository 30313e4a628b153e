"""Backups in a bucket that speaks S3, as `mercat backup s3://BUCKET/FOLDER` makes them.

    base/20261129T201500Z.tar/000000.zst, …   a base backup in pieces
    base/20261129T201500Z.json                what is known of it; the last thing that is written
    wal/…                                     the write-ahead log since; the segment that is being written too
    media/…                                   pictures, which never change

On the shop's own disk stay the log that was not sent yet and what is known of each backup.
"""

import contextlib
import re
import shutil
import tarfile
from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from io import RawIOBase
from pathlib import Path
from typing import IO, Any, cast

from mercat.embedded.archive import BUCKETS, Archive, Looked, files_of
from mercat.embedded.backup import Backup, backups_in, first_needed, logs_of, newest_before, start_of
from mercat.embedded.home import Trouble, write_private
from mercat.kit import zstd
from mercat.kit.refusals import Unavailable
from mercat.kit.s3 import Bucket, S3Key
from mercat.settings import Settings

Say = Callable[[str], None]
PIECE_BYTES = 16 * 1024 * 1024
_RECORD = "backup.json"
_SEGMENT = re.compile(r"wal/([0-9A-F]{24})(\.partial)?\.zst")


class Mirror:
    """Sends an archive to its bucket, and fetches a folder that a shop can be restored from."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._sent: set[str] = set()
        self._seen: Looked = {}
        self._listed = False
        self._changed: dict[Path, int] = {}
        """When each segment that is still being written was changed, as it was sent."""

    @classmethod
    def of(cls, where: str, settings: Settings) -> "Mirror":
        """Reach the bucket of an address as `s3://BUCKET/FOLDER`."""
        region = settings.backup_s3_region
        endpoint = settings.backup_s3_endpoint or f"https://s3.{region}.amazonaws.com"
        key = S3Key(settings.backup_s3_access_key, settings.backup_s3_secret_key.reveal(), region)
        return cls(Bucket(f"{endpoint.rstrip('/')}/{where.removeprefix(BUCKETS)}", key))

    def send(self, kept: Archive, data: Path) -> None:
        """Send what is new since the last call: of the log first, then pictures. Trouble where it cannot."""
        with _said():
            self._send_log(kept)
            self._send_pictures(data / "media")

    def send_bases(self, kept: Archive) -> None:
        """Send the base backups that are here, the oldest first, and leave of each what is known of it."""
        with _said():
            for path in backups_in(kept.folder):
                if (path / "postgres").exists():
                    self._send_base(path)

    def fetch_records(self, folder: Path) -> None:
        """Write what is known of the bucket's backups into a folder, as if they had been made there."""
        with _said():
            for name in [each for each in self._bucket.names("base/") if each.endswith(".json")]:
                record = folder / name.removesuffix(".json") / _RECORD
                content = self._bucket.get(name)
                if content is not None and not record.exists():
                    record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    write_private(record, content.decode())

    def fetch(self, folder: Path, to: datetime | None, say: Say) -> None:
        """Make a folder of backups with all that a restore to that time needs."""
        self.fetch_records(folder)
        path, backup = newest_before(folder, to)
        with _said():
            say(f"The backup of {backup.ended:%Y-%m-%d %H:%M:%S} UTC is fetched.")
            with tarfile.open(
                fileobj=cast(IO[bytes], _Fetched(self._pieces(path.name))), mode="r|"
            ) as packed:
                packed.extraction_filter = getattr(tarfile, "data_filter", None)  # since Python 3.11.4
                packed.extractall(path)
            self._fetch_log(folder / "wal", backup)
            for name in self._bucket.names("media/"):
                _write(folder / name, self._bucket.get(name) or b"")

    def prune(self, folder: Path) -> None:
        """Remove from the bucket what is of no backup that is known here, and the log before the oldest."""
        whole = backups_in(folder)
        known = {path.name for path in whole}
        oldest = min((first_needed(each) for each in whole.values()), default=0)
        with _said():
            names = [*self._bucket.names("base/")]
            gone = [name for name in names if name.split("/")[1].partition(".")[0] not in known]
            log = [name for name in self._bucket.names("wal/") if _start(name, oldest) < oldest]
            # What says that a backup is whole goes first: half of one is none.
            self._bucket.remove([*sorted(gone, key=lambda name: not name.endswith(".json")), *log])

    def _send_base(self, path: Path) -> None:
        pieces = _Sent(lambda number, content: self._bucket.replace(_piece(path.name, number), content))
        with tarfile.open(fileobj=cast(IO[bytes], pieces), mode="w|") as packed:
            for each in sorted(path.iterdir()):
                if each.name != _RECORD:
                    packed.add(each, each.name)
        pieces.finish()
        self._bucket.replace(f"base/{path.name}.json", (path / _RECORD).read_bytes())
        for each in path.iterdir():
            if each.is_dir():
                shutil.rmtree(each)
            elif each.name != _RECORD:
                each.unlink()

    def _send_log(self, kept: Archive) -> None:
        """Send whole segments and let them go here, but for the newest: by that its receiver goes on."""
        for log in logs_of(kept.folder):
            files = sorted(log.iterdir())
            whole = [path for path in files if path.suffix != ".partial"]
            for path in whole:
                if path.name not in self._sent:
                    self._bucket.put(f"wal/{path.name}.zst", zstd.compress(path.read_bytes()))
                    self._bucket.remove([f"wal/{path.name}.partial.zst"])
                    self._sent.add(path.name)
            for path in whole[:-1]:
                if path.suffix != ".history":
                    path.unlink(missing_ok=True)
            for path in files:
                if path.suffix == ".partial":
                    self._send_partial(path)

    def _send_partial(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):  # it became whole meanwhile
            changed = path.stat().st_mtime_ns
            if changed != self._changed.get(path):
                self._bucket.replace(f"wal/{path.name}.zst", zstd.compress(path.read_bytes()))
                self._changed[path] = changed

    def _send_pictures(self, media: Path) -> None:
        if not self._listed:
            self._sent.update(self._bucket.names("media/"))
            self._listed = True
        for path in files_of(media, self._seen):
            name = f"media/{path.relative_to(media)}"
            if name not in self._sent:
                with contextlib.suppress(FileNotFoundError):  # it went away meanwhile
                    self._bucket.put(name, path.read_bytes())
                    self._sent.add(name)

    def _pieces(self, name: str) -> Iterator[bytes]:
        for piece in sorted(self._bucket.names(f"base/{name}.tar/")):
            content = self._bucket.get(piece)
            if content is not None:
                yield zstd.decompress(content)

    def _fetch_log(self, log: Path, backup: Backup) -> None:
        names = {*self._bucket.names("wal/")}
        first = first_needed(backup)
        for name in names:
            if _start(name, first) >= first and name.replace(".partial", "") not in names - {name}:
                content = self._bucket.get(name)
                if content is not None:
                    _write(log / name.removeprefix("wal/").removesuffix(".zst"), zstd.decompress(content))


def _piece(name: str, number: int) -> str:
    return f"base/{name}.tar/{number:06}.zst"


def _start(name: str, otherwise: int) -> int:
    """Say where a segment begins in the log; `otherwise` for what is none, such as a timeline's history."""
    found = _SEGMENT.fullmatch(name)
    return start_of(found[1]) if found else otherwise


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(content)


@contextlib.contextmanager
def _said() -> Generator[None]:
    try:
        yield
    except Unavailable as unavailable:
        raise Trouble(f"Backups in S3: {unavailable}") from None


class _Sent(RawIOBase):
    """A file that is sent in pieces while it is written."""

    def __init__(self, send: Callable[[int, bytes], None]) -> None:
        self._send = send
        self._waiting = bytearray()
        self._count = 0

    def write(self, content: Any) -> int:
        self._waiting += content
        while len(self._waiting) >= PIECE_BYTES:
            self._send_piece()
        return len(content)

    def finish(self) -> None:
        """Send what is left."""
        if self._waiting:
            self._send_piece()

    def _send_piece(self) -> None:
        self._send(self._count, zstd.compress(bytes(self._waiting[:PIECE_BYTES])))
        del self._waiting[:PIECE_BYTES]
        self._count += 1


class _Fetched(RawIOBase):
    """A file that is read from pieces, each fetched when it is reached."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._here = b""

    def read(self, size: int = -1, /) -> bytes:
        while len(self._here) < size and (piece := next(self._pieces, None)) is not None:
            self._here += piece
        taken, self._here = self._here[:size], self._here[size:]
        return taken
