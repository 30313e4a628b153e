"""Where the files of pictures lie: in the shop's folder, or in a bucket where the settings say so."""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from mercat.kit.s3 import Bucket, S3Key
from mercat.settings import Settings


class Storage(Protocol):
    """Keeps files by name. A name always has the same bytes. The methods block: call them in a thread."""

    def get(self, name: str) -> bytes | None: ...

    def put(self, name: str, content: bytes) -> None: ...

    def remove(self, names: list[str]) -> None: ...


class Folder:
    """Files in a folder, spread over 256 others by the beginning of their names."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, name: str) -> bytes | None:
        """Read a file; None where there is none."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return self._path(name).read_bytes()
        return None

    def put(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def remove(self, names: list[str]) -> None:
        """Remove files; those that are not there are as good as removed."""
        for name in names:
            self._path(name).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        """List the files; one that is being written is not there yet."""
        for folder in sorted(self._root.glob("??")):
            yield from sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))

    def _path(self, name: str) -> Path:
        return self._root / name[:2] / name


class BothPlaces:
    """Files in two places, while they move from one to the other: each in both, found in either.

    So it does not matter that for some seconds other processes know the former or the new place alone."""

    def __init__(self, near: Storage, far: Storage) -> None:
        self._near, self._far = near, far

    def get(self, name: str) -> bytes | None:
        """Read a file; None where neither has it."""
        content = self._near.get(name)
        return self._far.get(name) if content is None else content

    def put(self, name: str, content: bytes) -> None:
        """Write a file into both. It raises where one does not take it, and the other may have it then."""
        self._far.put(name, content)
        self._near.put(name, content)

    def remove(self, names: list[str]) -> None:
        """Remove files from both. Who copies one meanwhile looks whether it is still where it was read, and
        takes its copy away again; so that one is removed first, and we do not know which it is."""
        self._near.remove(names)
        self._far.remove(names)
        self._near.remove(names)


def folder_of(settings: Settings) -> Folder:
    """Return the folder of a shop's pictures."""
    return Folder(settings.data / "media")


def bucket_of(settings: Settings) -> Bucket:
    """Return the bucket of a shop's pictures."""
    secret = settings.media_s3_secret_key.reveal()
    key = S3Key(settings.media_s3_access_key, secret, settings.media_s3_region)
    return Bucket(settings.media_s3_url, key)


def storage_of(settings: Settings) -> Storage:
    """Say where the pictures of a shop lie."""
    if not settings.media_s3_url:
        return folder_of(settings)
    bucket = bucket_of(settings)
    return BothPlaces(folder_of(settings), bucket) if settings.moving == "pictures" else bucket
