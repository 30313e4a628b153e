"""Pictures: from the shop's folder into a bucket, and back. A file never changes, nor does its name."""

import asyncio
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from itertools import islice
from time import monotonic
from typing import ClassVar, Protocol

from mercat.cli.moves.parts import PlacesDiffer, Say, Way, in_order
from mercat.kit.picture_names import read_name
from mercat.media import Storage, bucket_of, folder_of
from mercat.settings import Settings

_AT_ONCE = 16
_SAYS_EVERY_S = 10
_EACH_S = 0.02
"""What a picture takes to be copied and compared, about, by 16 threads."""


class ListedFiles(Storage, Protocol):
    """Files that can be listed."""

    def names(self) -> Iterator[str]: ...


class PictureFiles:
    """The pictures of a shop: a `MovingPart`."""

    name: ClassVar[str] = "pictures"
    keys: ClassVar[tuple[str, ...]] = (
        "media_s3_url",
        "media_s3_region",
        "media_s3_access_key",
        "media_s3_secret_key",
    )
    cannot_turn_back: ClassVar[Way | None] = None

    def __init__(self, told: Settings) -> None:
        self._folder, self._bucket = folder_of(told), bucket_of(told)
        self._threads = ThreadPoolExecutor(_AT_ONCE, "pictures")

    def while_moving(self, way: Way) -> dict[str, str]:
        return {"moving": "pictures"}

    async def plan(self, way: Way) -> str:
        return await asyncio.to_thread(self._plan, way)

    async def fill(self, way: Way, say: Say) -> None:
        await asyncio.to_thread(self._fill, way, say)

    async def verify(self, way: Way) -> str:
        return await asyncio.to_thread(self._verify, way)

    async def settle(self, way: Way, say: Say) -> None:
        if way == "there":
            say("what is in the folder is not read any more: keep it until you are sure.")

    # -- in a thread

    def _places(self, way: Way) -> tuple[ListedFiles, ListedFiles]:
        return in_order(way, self._folder, self._bucket)

    def _plan(self, way: Way) -> str:
        source, target = self._places(way)
        there = {*_pictures(target)}
        names = [*_pictures(source)]
        missing = sum(name not in there for name in names)
        minutes = (missing + len(names)) * _EACH_S / 60
        return f"{missing:,} of {len(names):,} files are to be copied, all are compared: {minutes:,.0f} min"

    def _fill(self, way: Way, say: Say) -> None:
        source, target = self._places(way)
        there = {*_pictures(target)}
        missing = (name for name in _pictures(source) if name not in there)
        copied, said_at = 0, monotonic()
        for some in _some(missing):
            copied += sum(self._threads.map(partial(_copy, source, target), some))
            if monotonic() - said_at > _SAYS_EVERY_S:
                said_at = monotonic()
                say(f"{copied:,} files are copied.")
        say(f"{copied:,} files were copied, {len(there):,} were there.")

    def _verify(self, way: Way) -> str:
        """Compare what each file has; in the folder, let go what the bucket has let go meanwhile."""
        source, target = self._places(way)
        compared = different = 0
        for some in _some(_pictures(source)):
            compared += len(some)
            different += len(some) - sum(self._threads.map(partial(_same, source, target), some))
        if different:
            raise PlacesDiffer(f"of {compared:,} files {different:,} are not the same there.")
        here = {*_pictures(source)}
        gone = [name for name in _pictures(target) if name not in here and source.get(name) is None]
        if way == "back":
            target.remove(gone)
        more = f"; {len(gone):,} more are there, and are served from there" if gone and way == "there" else ""
        return f"{compared:,} files are the same in both places{more}."


def _pictures(place: ListedFiles) -> Iterator[str]:
    """List what is a picture: a bucket may have other files."""
    return (name for name in place.names() if read_name(name))


def _some(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while some := list(islice(rest, 64 * _AT_ONCE)):
        yield some


def _copy(source: Storage, target: Storage, name: str) -> bool:
    """Copy a file, unless it goes away meanwhile."""
    content = source.get(name)
    if content is None:
        return False
    target.put(name, content)
    if source.get(name) is None:
        target.remove([name])
        return False
    return True


def _same(source: Storage, target: Storage, name: str) -> bool:
    """Whether both have the same; what goes away meanwhile is the same in neither."""
    there = target.get(name)
    here = source.get(name)
    return here is None or (there is not None and sha256(here).digest() == sha256(there).digest())
