"""Taking batches of products from elsewhere into the catalogue, by their external ids."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from msgspec.structs import replace

from mercat.catalog.categories import Categories
from mercat.catalog.columns import BadField
from mercat.catalog.messages import (
    ChangedSince,
    CountedOffer,
    ImportBatch,
    Imported,
    ImportRow,
    RefusedProduct,
    UndoCounts,
)
from mercat.catalog.offers import named
from mercat.catalog.rules import fingerprint
from mercat.catalog.staging import (
    Repricing,
    Row,
    Staged,
    Staging,
    StandingVariant,
    known_name,
    products_by_name,
    together,
)
from mercat.ids import CategoryId, ImportId, OfferId, ProductId, SellerId
from mercat.kit import clock, codec, sql
from mercat.settings import Settings

queries = sql.load("mercat.catalog")
_ROLLED_BACK_TRIES = 20
_UNDONE_AT_ONCE = 500
_SINCE_MAX = 100
_AGAIN = (
    asyncpg.TransactionRollbackError,
    asyncpg.ForeignKeyViolationError,
    asyncpg.UniqueViolationError,
)
"""A deadlock with a follower, a category that went or a SKU that was taken meanwhile: nothing happened."""


class _Written(NamedTuple):
    """What a commit did: places of the batch that added or changed something, the units of new offers, the
    counts of others."""

    reference: str = ""
    added: frozenset[int] = frozenset()
    changed: frozenset[int] = frozenset()
    delivery: Mapping[OfferId, int] = {}
    counts: Sequence[CountedOffer] = ()
    repriced: frozenset[int] = frozenset()


class _Unwritten(Exception):
    """Rolls a dry run back, with what would have been."""

    def __init__(self, written: _Written) -> None:
        self.written = written


class Imports:
    """Take batches: one commit each, with the facts that tell of it."""

    def __init__(self, db: asyncpg.Pool, categories: Categories, settings: Settings) -> None:
        self._db = db
        self._categories = categories
        self._currency = settings.currency
        self._own = settings.link("/media/")
        self._fetches = settings.fetch_pictures

    async def take(self, batch: ImportBatch, seller_id: SellerId, seller_name: str) -> Imported:
        """Add or change a seller's products; the same rows again change nothing.

        The commit also tells OffersListed with the units of all new offers, which brings them to the shelves
        whatever becomes of the caller."""
        for tried in range(1, _ROLLED_BACK_TRIES + 1):
            try:
                return await self._take(batch, seller_id, seller_name)
            except _AGAIN:
                self._categories.forget()
                if tried == _ROLLED_BACK_TRIES:
                    raise
        raise AssertionError("unreachable")

    async def undo_import(self, import_id: ImportId) -> UndoCounts:
        """Put back what an import changed, where nobody has changed it since; what it added is archived.

        Each change is put back once, some hundred in a commit that tells of them: again it goes on."""
        kind, number = "", 0
        while True:
            async with self._db.acquire() as db, db.transaction():
                due = await db.fetch(queries.due_changes, import_id, kind, number, _UNDONE_AT_ONCE)
                if not due:
                    counts: Any = await db.fetchrow(queries.undone_changes, import_id)
                    since = await db.fetch(queries.changed_since, import_id, _SINCE_MAX)
                    return UndoCounts(**counts, since=[_since(row) for row in since])
                await db.execute(queries.lock, sorted({row["product_id"] for row in due}))
                touched: set[int] = set()
                now = clock.now()
                for part, undo, more in (
                    ("offer", queries.undo_offers, (now,)),
                    ("product", queries.undo_products, ()),
                    ("sku", queries.undo_skus, ()),
                ):
                    changed = [row["id"] for row in due if row["kind"] == part]
                    touched |= {row["product_id"] for row in await db.fetch(undo, import_id, changed, *more)}
                await db.execute(queries.tell, sorted(touched), now)
                if self._fetches:
                    await db.execute(queries.note_pictures, sorted(touched))
            kind, number = due[-1]["kind"], due[-1]["id"]

    async def forget_imports(self, before: ImportId) -> None:
        """Forget what imports before this one changed: it cannot be put back any more."""
        await self._db.execute(queries.forget_changes, before)

    async def _take(self, batch: ImportBatch, seller_id: SellerId, seller_name: str) -> Imported:
        found = await self._rows(batch, seller_id)
        rows = [row for row in found if not self._says_the_same(row)]
        unchanged = sum(len(row.places) for row in found) - sum(len(row.places) for row in rows)
        refused: list[RefusedProduct] = []
        placed = await self._in_categories(batch, seller_id, rows, refused)
        written = _Written()
        staging = Staging(seller_id, seller_name, batch.stock)
        if placed:
            try:
                written = await self._commit(staging, placed, refused, batch)
            except _Unwritten as rolled_back:
                written = rolled_back.written
        taken = sum(len(row.places) for row in staging.staged.rows.values()) + len(written.repriced)
        changed = len(written.changed - written.added)
        return Imported(
            len(written.added),
            changed,
            unchanged + taken - len(written.added) - changed,
            written.reference,
            dict(written.delivery),
            refused,
            list(written.counts),
        )

    async def _commit(
        self,
        staging: Staging,
        placed: list[tuple[Row, CategoryId]],
        refused: list[RefusedProduct],
        batch: ImportBatch,
    ) -> _Written:
        """Lay rows over what stands and write them, in one transaction; a dry run raises _Unwritten."""
        known = [row.product_id for row, _ in placed if row.product_id is not None]
        import_id = None if batch.dry_run else batch.import_id
        async with self._db.acquire() as db, db.transaction():
            await db.execute(queries.lock, known)
            repricing, others = await self._repriced(db, placed, refused)
            known = [row.product_id for row, _ in others if row.product_id is not None]
            found = await db.fetch(queries.standing, known) if known else []
            standing = {row["product_id"]: row for row in found}
            for row, category_id in others:
                try:
                    staging.add(row, category_id, standing.get(row.product_id))
                except BadField as bad:
                    refused += _refused(row, bad.field, bad.code, bad.reason)
            written = await self._write(db, staging, import_id) if staging.staged.products else _Written()
            if repricing.rows:
                written = await self._reprice(db, repricing, written, import_id)
            if batch.dry_run:
                raise _Unwritten(written)
        return written

    async def _repriced(
        self,
        db: PoolConnectionProxy,
        placed: list[tuple[Row, CategoryId]],
        refused: list[RefusedProduct],
    ) -> tuple[Repricing, list[tuple[Row, CategoryId]]]:
        """Collect the rows that are about offers alone, a fraction of the work; and the others."""
        repricing = Repricing()
        others = [each for each in placed if not Repricing.is_enough(each[0])]
        if len(others) == len(placed):
            return repricing, others
        about = [each for each in placed if Repricing.is_enough(each[0])]
        found = await db.fetch(queries.standing_offers, [row.product_id for row, _ in about])
        skus = {row["product_id"]: codec.decode(row["skus"], list[StandingVariant]) for row in found}
        for row, category_id in about:
            try:
                if not repricing.add(row, skus.get(row.product_id or 0, [])):
                    others.append((row, category_id))
            except BadField as bad:
                refused += _refused(row, bad.field, bad.code, bad.reason)
        return repricing, others

    async def _reprice(
        self, db: PoolConnectionProxy, repricing: Repricing, so_far: _Written, import_id: ImportId | None
    ) -> _Written:
        """Write prices and states, tell of them, and collect what is to be counted."""
        columns, now = sql.columns(repricing.rows, 9), clock.now()
        rows = await db.fetch(queries.reprice, self._currency, import_id, now, *columns)
        await db.execute(queries.tell, sorted({row["product_id"] for row in rows}), now)
        changed = so_far.changed | {repricing.places[row["offer_id"]] for row in rows}
        counts = [
            CountedOffer(
                OfferId(offer_id),
                repricing.places[offer_id],
                quantity,
                repricing.places[offer_id] in changed,
            )
            for offer_id, quantity in repricing.counted.items()
        ]
        return so_far._replace(
            changed=changed,
            counts=[*so_far.counts, *counts],
            repriced=frozenset(repricing.places.values()),
        )

    async def _rows(self, batch: ImportBatch, seller_id: SellerId) -> list[Row]:
        """Find the products that rows are about; rows about one product become one.

        A new product that has no external id is known by its SKU from then on."""
        given = [self._own_pictures(row) for row in batch.rows]
        names = [known_name(row) for row in given]
        known = await self._products(
            seller_id,
            [name for kind, name in names if kind == "external"],
            [int(name) for kind, name in names if kind == "product"],
            [name for kind, name in names if kind == "sku"],
        )
        new = [
            place for place, name in enumerate(names) if name not in known and _is_new_by_sku(given[place])
        ]
        for place in new:
            given[place] = replace(given[place], external_id=given[place].variants[0].sku)
            names[place] = known_name(given[place])
        if new:
            known |= await self._products(seller_id, [names[place][1] for place in new], [], [])
        found: dict[object, Row] = {}
        for place, (row, name) in enumerate(zip(given, names, strict=True)):
            product_id, content = known.get(name, (None, None))
            says = fingerprint(row)
            overrules = batch.overrules or _is_update(row)
            places = {row.variants[0].sku if not row.external_id else "": place}
            said = Row(row, places, product_id, says, overrules, same=content == says)
            key = product_id or name
            found[key] = together(found[key], said) if key in found else said
        return list(found.values())

    def _own_pictures(self, row: ImportRow) -> ImportRow:
        """Know pictures of this shop by their own addresses, which an export writes whole."""
        urls = [*row.images, *(url for each in row.variants for url in each.images), *row.alts]
        if not any(url.startswith(self._own) for url in urls):
            return row
        base = self._own.removesuffix("/media/")
        variants = [
            replace(each, images=[url.removeprefix(base) for url in each.images]) for each in row.variants
        ]
        return replace(
            row,
            images=[url.removeprefix(base) for url in row.images],
            alts={url.removeprefix(base): alt for url, alt in row.alts.items()},
            variants=variants,
        )

    async def _products(
        self, seller_id: SellerId, external: list[str], own: list[int], skus: list[str]
    ) -> dict[tuple[str, str], tuple[ProductId, bytes | None]]:
        """Find a seller's products by what rows call them."""
        rows: list[Any] = []
        if external or own:
            rows += await self._db.fetch(queries.known, seller_id, external, own)
        if skus:
            rows += await self._db.fetch(queries.known_by_sku, seller_id, skus)
        return products_by_name(cast(list[Mapping[str, Any]], rows))

    def _says_the_same(self, row: Row) -> bool:
        return row.product_id is not None and row.same and not row.overrules

    async def _in_categories(
        self, batch: ImportBatch, seller_id: SellerId, rows: list[Row], refused: list[RefusedProduct]
    ) -> list[tuple[Row, CategoryId]]:
        """Find the category of each row, or make it, or refuse the row."""
        paths = {tuple(row.row.category_path) for row in rows}
        if batch.categories == "create" and not batch.dry_run:
            made = await self._categories.ids_of(paths)
            return [(row, made[tuple(row.row.category_path)]) for row in rows]
        found = await self._categories.known(paths)
        if batch.categories == "create":
            found |= {path: CategoryId(0) for path in paths - found.keys()}
        missing = [path for path in paths if path not in found]
        if missing and batch.categories == "ask" and not batch.dry_run:
            await self._categories.ask(seller_id, missing)
        kept: list[tuple[Row, CategoryId]] = []
        for row in rows:
            path = tuple(row.row.category_path)
            if path in found:
                kept.append((row, found[path]))
                continue
            unknown = self._categories.unknown(" > ".join(path))
            waits = " The shop's operators were asked for it." if batch.categories == "ask" else ""
            refused += _refused(row, "category", unknown.code(), f"{unknown}{waits}")
        return kept

    async def _write(self, db: PoolConnectionProxy, staging: Staging, import_id: ImportId | None) -> _Written:
        """Write what is new or changed with the facts that tell it, and note for an import what stood."""
        staged, seller_id, now = staging.staged, staging.seller_id, clock.now()
        await db.execute(queries.stage)
        await db.execute(queries.stage_offers)
        await db.copy_records_to_table("staged_product", records=staged.products)
        await db.copy_records_to_table("staged_offer", records=staged.offers)
        products = {
            row["product_id"] for row in await db.fetch(queries.change_products, import_id) if row["changed"]
        }
        taken = {row["product_id"] for row in await db.fetch(queries.take_products)}
        await db.execute(queries.find_staged)
        if paths := staged.addresses():
            await db.execute(queries.put_addresses, *sql.columns(paths))
        products |= {row["product_id"] for row in await db.fetch(queries.take_skus, import_id)}
        offers = await db.fetch(queries.take_offers, self._currency, import_id, now)
        touched = products | taken | {row["product_id"] for row in offers}
        await db.execute(queries.tell, sorted(touched), now)
        if self._fetches:
            await db.execute(queries.note_pictures, sorted(products | taken))
        changed = {place for each in products | taken for place in staged.places(each)}
        changed |= {place for row in offers for place in staged.places(row["product_id"], row["key"])}
        new = [row["offer_id"] for row in offers if row["added"]]
        delivery = {OfferId(each): staged.quantities[each] for each in new if staged.quantities[each]}
        reference = f"import/{new[0]}" if new else ""
        if delivery:
            await db.execute(queries.tell_stock, reference, seller_id, [*delivery], [*delivery.values()])
        counts = await self._counts(db, staged, changed) if staged.counted else []
        added = frozenset(place for each in taken for place in staged.places(each))
        return _Written(reference, added, frozenset(changed), delivery, counts)

    async def _counts(self, db: PoolConnectionProxy, staged: Staged, changed: set[int]) -> list[CountedOffer]:
        """Collect the stock that rows say of offers that were there before."""
        counts: list[CountedOffer] = []
        for row in await db.fetch(queries.staged_standing):
            if row["staged"] in staged.counted:
                [place] = staged.places(row["product_id"], row["key"]) or {0}
                offer_id = OfferId(row["offer_id"])
                counts.append(CountedOffer(offer_id, place, staged.counted[row["staged"]], place in changed))
        return counts


def _since(row: Any) -> ChangedSince:
    return ChangedSince(row["kind"], named(row["title"], row["options"]))


def _refused(row: Row, column: str, code: str, detail: str) -> list[RefusedProduct]:
    return [RefusedProduct(place, column, code, detail) for place in row.places.values()]


def _is_new_by_sku(row: ImportRow) -> bool:
    """Say whether a row that names no product but a SKU says enough to be a new one."""
    return not row.external_id and not _is_update(row)


def _is_update(row: ImportRow) -> bool:
    """Say whether a row is about what is there only: then it says what somebody wants changed now."""
    return row.given is not None and "title" not in row.given
