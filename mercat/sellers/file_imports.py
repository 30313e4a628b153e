"""Files and new prices that sellers send: kept, taken in by the back process, carried on, reported."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from mercat import ids
from mercat.catalog import (
    ONLY_ADDS,
    Catalog,
    ImportBatch,
    Imported,
    ImportProgress,
    ImportRow,
    NoPriceChanges,
    NoSuchFormat,
    NotProducts,
    PricePreview,
    RowNote,
    UndoCounts,
    check_format,
    import_file,
    sorted_files,
    takes_others,
)
from mercat.ids import ImportId, SellerId, first_of
from mercat.inventory import Inventory
from mercat.kit import clock, codec, sql
from mercat.kit.once import OnceKey, once_of
from mercat.kit.refusals import NotFound, Stale
from mercat.sellers.messages import (
    PRICE_EDIT,
    PROBLEMS_MAX,
    FileImport,
    ImportCounts,
    ImportKey,
    ImportProblem,
    NewImport,
    NewPriceEdit,
    NotUndoable,
    TooManyImports,
)
from mercat.settings import Settings

queries = sql.load("mercat.sellers")
log = structlog.get_logger("mercat.sellers")
_WAITING_MAX = 5
_ATTEMPTS_MAX = 5
_IDLE_S = 0.5
_LEASE_S = 30
_BEAT_S = 5
_KEPT_AS = "the-file-that-was-sent"
UNDO_DAYS = 30
"""How long what an import changed can be put back."""
ListMany = Callable[[SellerId, ImportBatch], Awaitable[Imported]]


class FileImports:
    """Imports of files, each by one process at a time: its lease lapses when the process dies."""

    def __init__(
        self,
        db: asyncpg.Pool,
        list_many: ListMany,
        catalog: Catalog,
        inventory: Inventory,
        settings: Settings,
    ) -> None:
        self._db = db
        self._list_many = list_many
        self._catalog = catalog
        self._inventory = inventory
        self._settings = settings

    async def start_import(self, seller_id: SellerId, given: NewImport, once: OnceKey = "") -> ImportId:
        """Keep a file to be taken in; NoSuchFormat, or TooManyImports while as many wait. The same again
        under the same `once` is the same import."""
        check_format(given.format)
        kept = (given.file, given.format, given.dry_run, given.content, len(given.content))
        said = once_of(once, given.file, given.format, given.dry_run, blake2b(given.content).digest())
        return await self._add(seller_id, *kept, key=said.hex() if said else None)

    async def _add(self, seller_id: SellerId, *kept: object, key: str | None = None) -> ImportId:
        asked = (ids.new(ImportId), seller_id, *kept, _WAITING_MAX, key)
        if made := await self._db.fetchval(queries.add_import, *asked):
            return ImportId(made)
        if key and (made := await self._db.fetchval(queries.import_by_key, seller_id, key)):
            return ImportId(made)
        raise TooManyImports

    async def start_price_edit(
        self, seller_id: SellerId, given: NewPriceEdit, key: ImportKey | None = None
    ) -> ImportId:
        """Keep new prices to be set in the background, with a report and an undo as a file has.

        Stale where a price is another than when it was looked at, NoPriceChanges where none would be another,
        TooManyImports. The same `key` of the caller again starts nothing new."""
        if key and (made := await self._db.fetchval(queries.import_by_key, seller_id, key)):
            return ImportId(made)
        preview = await self._catalog.preview_prices(seller_id, given.edit)
        if preview.mark != given.seen:
            raise Stale("A price changed after you looked. Look again, then change them.")
        if not preview.changed:
            raise NoPriceChanges
        content = codec.encode(preview)
        kept = (given.name, PRICE_EDIT, False, content, len(content))
        return await self._add(seller_id, *kept, key=key)

    async def file_import(self, seller_id: SellerId, import_id: ImportId) -> FileImport:
        """Answer how far an import is, and what became of its rows."""
        row = await self._db.fetchrow(queries.file_import, seller_id, import_id)
        if row is None:
            raise NotFound("You have no such import.")
        return _shown(row)

    async def file_imports(
        self, seller_id: SellerId, limit: int = 20, after: ImportId | None = None
    ) -> list[FileImport]:
        """List a seller's imports without their problems, the newest first."""
        return [_shown(row) for row in await self._db.fetch(queries.imports_of, seller_id, after, limit)]

    async def undo_import(self, seller_id: SellerId, import_id: ImportId) -> FileImport:
        """Begin to put back what an import changed; the back process carries it out. Again changes nothing.

        NotUndoable for one that is under way, only checked, or older than a month."""
        found = await self.file_import(seller_id, import_id)
        if found.status in ("undoing", "undone"):
            return found
        if found.dry_run:
            raise NotUndoable("This file was only checked: it changed nothing.")
        if found.finished_at is None:
            raise NotUndoable("This file is still being taken. Undo it when it is done.")
        if found.created_at < clock.now() - timedelta(days=UNDO_DAYS):
            raise NotUndoable(f"What an import changed is kept for {UNDO_DAYS} days.")
        await self._db.execute(queries.begin_undo, import_id, seller_id)
        return await self.file_import(seller_id, import_id)

    async def put_back(self, import_id: ImportId) -> UndoCounts:
        """Put back what an import changed, where nobody has changed it since: first the goods, then stock.

        Each step is taken once: a process that dies goes on where it was."""
        goods = await self._catalog.undo_import(import_id)
        shelves = await self._inventory.uncount(f"import/{int(import_id)}/")
        return UndoCounts(
            put_back=goods.put_back + shelves.put_back,
            changed_since=goods.changed_since + shelves.changed_since,
            since=goods.since,
        )

    async def forget_old_imports(self) -> None:
        """Forget what imports changed that cannot be put back any more."""
        await self._catalog.forget_imports(ImportId(first_of(clock.now() - timedelta(days=UNDO_DAYS + 1))))

    async def keep_importing(self) -> None:
        """Take in what waits, one file after another, and put back: for the back process."""
        row = await self._db.fetchrow(queries.claim_import, _LEASE_S)
        if row is None:
            await asyncio.sleep(_IDLE_S)
        elif row["status"] == "undoing":
            beat = asyncio.create_task(_beats(self._db, ImportId(row["import_id"]), lambda: None))
            async with _stopped(beat):
                counts = await self.put_back(ImportId(row["import_id"]))
            await self._db.execute(queries.finish_undo, row["import_id"], codec.text(counts))
        elif row["attempts"] > _ATTEMPTS_MAX:
            words = "The shop could not read this file to its end. Send it in smaller parts."
            await self._db.execute(queries.finish_import, row["import_id"], "failed", words, "", "{}", "[]")
        elif row["format"] == PRICE_EDIT:
            await self._edit_prices(row)
        else:
            await _Running(self._db, self._list_many, self._settings, row).carry_out()
            await self.forget_old_imports()

    async def _edit_prices(self, row: Any) -> None:
        """Set the prices of an edit: those that were changed before a process died are counted again."""
        import_id, preview = ImportId(row["import_id"]), codec.decode(row["content"], PricePreview)
        wanted = [each for each in preview.offers if each.is_other]
        beat = asyncio.create_task(_beats(self._db, import_id, lambda: None))
        async with _stopped(beat):
            edited = await self._catalog.edit_prices(SellerId(row["seller_id"]), import_id, wanted)
        refused = [*preview.refused, *edited.refused]
        counts = ImportCounts(
            read=row["size"],
            rows=len(preview.offers),
            changed=edited.changed,
            unchanged=len(preview.offers) - edited.changed - len(refused),
            refused=len(refused),
        )
        problems = [
            ImportProblem(row=n, column="price", code=each.code, detail=f"{each.title}: {each.why}")
            for n, each in enumerate(refused, 1)
        ]
        kept = (codec.text(counts), codec.text(problems))
        await self._db.execute(queries.finish_import, import_id, "done", "", "", *kept)


class _Running:
    """An import that this process carries out: the file is read in a thread, its batches are taken here."""

    def __init__(self, db: asyncpg.Pool, list_many: ListMany, settings: Settings, row: Any) -> None:
        self._db = db
        self._list_many = list_many
        self._settings = settings
        self._row = row
        self._import_id = ImportId(row["import_id"])
        self._n = 0
        self._problems: list[ImportProblem] = []
        self._far: ImportProgress | None = None
        self._main = ""
        """The name of the file whose products others add to."""

    async def carry_out(self) -> None:
        loop = asyncio.get_running_loop()
        beat = asyncio.create_task(_beats(self._db, self._import_id, lambda: self._far))
        async with _stopped(beat):
            with tempfile.TemporaryDirectory(prefix="mercat-import-") as folder:
                kept = Path(folder, _KEPT_AS)
                try:
                    await asyncio.to_thread(kept.write_bytes, self._row["content"])
                    done = await asyncio.to_thread(self._read, kept, loop)
                except (NotProducts, NoSuchFormat) as refused:
                    await self._finish("failed", str(refused).replace(_KEPT_AS, self._row["file"]), None)
                    return
            await self._finish("done", "", done)

    def _read(self, file: Path, loop: asyncio.AbstractEventLoop) -> ImportProgress:
        async def take(_: str, rows: list[ImportRow]) -> Imported:
            taken = asyncio.run_coroutine_threadsafe(self._take(rows), loop)
            return await asyncio.wrap_future(taken)

        given = sorted_files([file], file.parent)
        if not given.whole:
            raise NotProducts(f"{_KEPT_AS} {ONLY_ADDS}")
        if given.adding and not takes_others(given.whole[0], self._row["format"]):
            raise NotProducts(f"{given.adding[0].name} {ONLY_ADDS}")
        if len(given.whole) > 1:
            names = ", ".join(each.name for each in given.whole)
            raise NotProducts(f"{names} are {len(given.whole)} files of products: send one after another.")
        return asyncio.run(
            import_file(
                given.whole[0],
                take,
                seller="-",
                note=self._note,
                progress=self._progress,
                currency=self._settings.currency,
                kind=self._row["format"],
                beside=given.adding,
            )
        )

    async def _take(self, rows: list[ImportRow]) -> Imported:
        """Take a batch once: what became of one that was taken before the process died is remembered."""
        self._n += 1
        n = self._n
        if kept := await self._db.fetchval(queries.kept_batch, self._import_id, n):
            return codec.decode(kept, Imported)
        batch = ImportBatch(
            rows=rows,
            categories="ask",
            overrules=True,
            reference=f"import/{int(self._import_id)}/{n}",
            import_id=self._import_id,
            dry_run=self._row["dry_run"],
        )
        imported = await self._list_many(SellerId(self._row["seller_id"]), batch)
        await self._db.execute(queries.keep_batch, self._import_id, n, codec.encode(imported))
        return imported

    def _note(self, note: RowNote) -> None:
        if len(self._problems) < PROBLEMS_MAX:
            beside = "" if self._main in ("", note.file) else f"{note.file}: "
            self._problems.append(ImportProblem(note.line, note.column, note.code, beside + note.reason))

    def _progress(self, far: ImportProgress) -> None:
        self._main = far.file.name
        self._far = far

    async def _finish(self, status: str, detail: str, done: ImportProgress | None) -> None:
        counts = codec.text(_counts(done)) if done else "{}"
        found = done.format if done else ""
        detail = detail or (done.broken if done else "")
        problems = codec.text(sorted(self._problems, key=lambda each: each.row))
        await self._db.execute(
            queries.finish_import, self._import_id, status, detail, found, counts, problems
        )


async def _beats(db: asyncpg.Pool, import_id: ImportId, far: Callable[[], ImportProgress | None]) -> None:
    """Keep the lease, and say how far it is."""
    while True:
        progress = far()
        counts = codec.text(_counts(progress)) if progress else None
        await db.execute(queries.import_goes_on, import_id, _LEASE_S, counts)
        await asyncio.sleep(1 if progress else _BEAT_S)


@asynccontextmanager
async def _stopped(task: asyncio.Task[None]) -> AsyncGenerator[None]:
    """Stop a task at the end."""
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _counts(far: ImportProgress) -> ImportCounts:
    return ImportCounts(
        read=far.read,
        rows=far.rows,
        added=far.added,
        changed=far.changed,
        unchanged=far.unchanged,
        refused=far.left_out,
        unused_columns=list(far.unused),
        remarks=list(far.remarks),
    )


def _shown(row: Any) -> FileImport:
    counts = codec.decode(row["progress"], ImportCounts)
    return FileImport(
        import_id=ImportId(row["import_id"]),
        file=row["file"],
        format=row["format"],
        dry_run=row["dry_run"],
        size=row["size"],
        status=row["status"],
        detail=row["detail"],
        counts=counts,
        problems=codec.decode(row["problems"], list[ImportProblem]),
        undone=codec.decode(row["undone"], UndoCounts) if row["undone"] else None,
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )
