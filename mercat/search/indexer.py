"""The indexer: keeps the index in step with the catalogue, and builds it anew where that is needed.

Only one process of a shop writes. Writing waits for the disk, so it is done in threads."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

import structlog

from mercat.events import ProductChanged
from mercat.ids import ProductId
from mercat.search.engine import BrokenIndex, IndexReader, IndexStore, IndexWriter

log = structlog.get_logger("mercat.search")
AllProducts = Callable[[], AsyncIterator[Sequence[ProductChanged]]]
"""All products as they are in the catalogue, in batches by id."""
_REST_AFTER_S = 5.0
_RETRY_S = 0.2
_CHECK_S = 300.0
_MISSED_MAX = 5_000


async def _prefetch(
    batches: AsyncIterator[Sequence[ProductChanged]],
) -> AsyncIterator[Sequence[ProductChanged]]:
    """Fetch each batch while the one before is being worked on."""

    async def fetch() -> Sequence[ProductChanged] | None:
        return await anext(batches, None)

    coming = asyncio.create_task(fetch())
    try:
        while (batch := await coming) is not None:
            coming = asyncio.create_task(fetch())
            yield batch
    finally:
        coming.cancel()


class Indexer:
    """Writes the index of one shop."""

    def __init__(self, store: IndexStore, reader: IndexReader) -> None:
        """`reader` is told to look again when another index is in use."""
        self._store = store
        self._reader = reader
        self._writing = asyncio.Lock()
        self._rebuilding = asyncio.Lock()
        self._filling = asyncio.Lock()
        """Taken before `_writing` by whoever needs both."""
        self._writer: IndexWriter | None = None
        self._next: IndexWriter | None = None
        """The index that is being built."""
        self._missed: dict[ProductId, ProductChanged] = {}
        """What has changed since, for that index."""
        self._suspect = True
        self._checked_at = 0.0
        self._rest_timer: asyncio.TimerHandle | None = None
        self._resting: asyncio.Task[None] | None = None

    async def apply(self, changes: Sequence[ProductChanged]) -> None:
        """Write changes; on return they are on disk and readers see them. While no index can be written, wait
        for one: the changes are not to blame, and must not be parked."""
        while True:
            if await self._try_apply(changes):
                return
            await asyncio.sleep(_RETRY_S)

    async def _try_apply(self, changes: Sequence[ProductChanged]) -> bool:
        async with self._writing:
            try:
                writer = await self._current_writer()
                if writer:
                    await asyncio.to_thread(writer.apply, changes)
                following = self._next
                if following:
                    await self._note_missed(changes)
            except BrokenIndex as error:
                log.warning("the index cannot be written", reason=str(error)[:300])
                self._writer, self._suspect = None, True
                return False
            self._rest_later()
            return bool(writer or following)

    async def _note_missed(self, changes: Sequence[ProductChanged]) -> None:
        """Note changes for the index that is being built; it takes them by the thousand, for each commit
        costs."""
        for change in changes:
            known = self._missed.get(change.product_id)
            if known is None or change.version > known.version:
                self._missed[change.product_id] = change
        if len(self._missed) >= _MISSED_MAX:
            async with self._filling:
                await self._catch_up()

    async def _catch_up(self) -> None:
        missed, self._missed = self._missed, {}
        if self._next:
            await asyncio.to_thread(self._next.apply, list(missed.values()))

    async def _current_writer(self) -> IndexWriter | None:
        path = await asyncio.to_thread(self._store.current)
        if path is None:
            self._writer = None
        elif self._writer is None or self._writer.path != path:
            self._writer = await asyncio.to_thread(self._store.writer, path)
        return self._writer

    def _rest_later(self) -> None:
        """Give the writer's memory and threads back when nothing has come for a while."""
        if self._rest_timer:
            self._rest_timer.cancel()
        self._rest_timer = asyncio.get_running_loop().call_later(_REST_AFTER_S, self._start_resting)

    def _start_resting(self) -> None:
        self._resting = asyncio.create_task(self._rest())

    async def _rest(self) -> None:
        async with self._writing:
            if self._writer:
                await asyncio.to_thread(self._writer.rest)

    async def repair(self, products: AllProducts) -> bool:
        """Build the index anew if it is missing, of an older form, or broken; return whether it was."""
        if await asyncio.to_thread(self._store.exists) and (
            not self._needs_check() or await asyncio.to_thread(self._store.is_sound)
        ):
            self._trust()
            return False
        count = await self.rebuild(products())
        log.info("the index was built anew", products=count)
        return True

    def _trust(self) -> None:
        self._suspect, self._checked_at = False, time.monotonic()

    def _needs_check(self) -> bool:
        return self._suspect or time.monotonic() - self._checked_at > _CHECK_S

    async def rebuild(self, products: AsyncIterator[Sequence[ProductChanged]]) -> int:
        """Build an index beside the one in use and put it in its place; return how many products were
        written. What changes meanwhile goes to both, the newer version wins, and readers see the old one
        until then."""
        async with self._rebuilding:
            written = 0
            following = await asyncio.to_thread(
                lambda: self._store.writer(self._store.new_path(), create=True)
            )
            self._next, self._missed = following, {}
            try:
                async for batch in _prefetch(products):
                    async with self._filling:
                        written += await asyncio.to_thread(following.fill, batch)
                async with self._filling:
                    await asyncio.to_thread(following.rest)
                async with self._writing, self._filling:
                    await self._catch_up()
                    await self._switch_to(following)
            finally:
                self._next, self._missed = None, {}
        return written

    async def _switch_to(self, writer: IndexWriter) -> None:
        if self._writer:
            await asyncio.to_thread(self._writer.rest)
        await asyncio.to_thread(self._store.use, writer.path)
        self._writer = writer
        self._trust()
        self._reader.look_again()
        self._rest_later()

    async def close(self) -> None:
        """Commit what is open and give everything back."""
        if self._rest_timer:
            self._rest_timer.cancel()
        await self._rest()
