"""Where the files of pictures lie: in the shop's folder, or in a bucket where the settings say so."""

import os
import secrets
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

    def _path(self, name: str) -> Path:
        return self._root / name[:2] / name


def storage_of(settings: Settings) -> Storage:
    """Say where the pictures of a shop lie."""
    if not settings.media_s3_url:
        return Folder(settings.data / "media")
    secret = settings.media_s3_secret_key.reveal()
    return Bucket(
        settings.media_s3_url, S3Key(settings.media_s3_access_key, secret, settings.media_s3_region)
    )
