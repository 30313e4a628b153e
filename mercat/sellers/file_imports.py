"""Files that sellers send: kept, taken in by the back process, carried on after a crash, reported."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from mercat import ids
from mercat.catalog import (
    ImportBatch,
    Imported,
    ImportProgress,
    ImportRow,
    NoSuchFormat,
    NotProducts,
    RowNote,
    check_format,
    import_file,
)
from mercat.ids import ImportId, SellerId
from mercat.kit import codec, sql
from mercat.kit.refusals import NotFound
from mercat.sellers.messages import (
    PROBLEMS_MAX,
    FileImport,
    ImportCounts,
    ImportProblem,
    NewImport,
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
ListMany = Callable[[SellerId, ImportBatch], Awaitable[Imported]]


class FileImports:
    """Imports of files, each by one process at a time: its lease lapses when the process dies."""

    def __init__(self, db: asyncpg.Pool, list_many: ListMany, settings: Settings) -> None:
        self._db = db
        self._list_many = list_many
        self._settings = settings

    async def start_import(self, seller_id: SellerId, given: NewImport) -> ImportId:
        """Keep a file to be taken in; NoSuchFormat, or TooManyImports while as many wait."""
        check_format(given.format)
        made = await self._db.fetchval(
            queries.add_import,
            ids.new(ImportId),
            seller_id,
            given.file,
            given.format,
            given.dry_run,
            given.content,
            len(given.content),
            _WAITING_MAX,
        )
        if made is None:
            raise TooManyImports
        return ImportId(made)

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

    async def keep_importing(self) -> None:
        """Take in what waits, one file after another: for the back process."""
        row = await self._db.fetchrow(queries.claim_import, _LEASE_S)
        if row is None:
            await asyncio.sleep(_IDLE_S)
        elif row["attempts"] > _ATTEMPTS_MAX:
            words = "The shop could not read this file to its end. Send it in smaller parts."
            await self._db.execute(queries.finish_import, row["import_id"], "failed", words, "", "{}", "[]")
        else:
            await _Running(self._db, self._list_many, self._settings, row).carry_out()


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

    async def carry_out(self) -> None:
        loop = asyncio.get_running_loop()
        beat = asyncio.create_task(self._beat())
        try:
            with tempfile.NamedTemporaryFile(prefix="mercat-import-") as kept:
                kept.write(self._row["content"])
                kept.flush()
                try:
                    done = await asyncio.to_thread(self._read, Path(kept.name), loop)
                except (NotProducts, NoSuchFormat) as refused:
                    words = str(refused).replace(Path(kept.name).name, self._row["file"])
                    await self._finish("failed", words, None)
                    return
            await self._finish("done", "", done)
        finally:
            beat.cancel()
            with suppress(asyncio.CancelledError):
                await beat

    def _read(self, file: Path, loop: asyncio.AbstractEventLoop) -> ImportProgress:
        async def take(_: str, rows: list[ImportRow]) -> Imported:
            taken = asyncio.run_coroutine_threadsafe(self._take(rows), loop)
            return await asyncio.wrap_future(taken)

        return asyncio.run(
            import_file(
                file,
                take,
                seller="-",
                note=self._note,
                progress=self._progress,
                currency=self._settings.currency,
                kind=self._row["format"],
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
            dry_run=self._row["dry_run"],
        )
        imported = await self._list_many(SellerId(self._row["seller_id"]), batch)
        await self._db.execute(queries.keep_batch, self._import_id, n, codec.encode(imported))
        return imported

    def _note(self, note: RowNote) -> None:
        if len(self._problems) < PROBLEMS_MAX:
            self._problems.append(ImportProblem(note.line, note.column, note.code, note.reason))

    def _progress(self, far: ImportProgress) -> None:
        self._far = far

    async def _beat(self) -> None:
        """Keep the lease, and say how far it is."""
        while True:
            counts = codec.text(_counts(self._far)) if self._far else "{}"
            await self._db.execute(queries.import_goes_on, self._import_id, _LEASE_S, counts)
            await asyncio.sleep(_BEAT_S if self._far is None else 1)

    async def _finish(self, status: str, detail: str, done: ImportProgress | None) -> None:
        counts = codec.text(_counts(done)) if done else "{}"
        found = done.format if done else ""
        detail = detail or (done.broken if done else "")
        problems = codec.text(self._problems)
        await self._db.execute(
            queries.finish_import, self._import_id, status, detail, found, counts, problems
        )


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
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )
