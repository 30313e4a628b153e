"""Taking batches of products from elsewhere into the catalogue, by their external ids."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from mercat.catalog.categories import Categories
from mercat.catalog.columns import BadField
from mercat.catalog.messages import CountedOffer, ImportBatch, Imported, ImportRow, RefusedProduct
from mercat.catalog.rules import fingerprint
from mercat.catalog.staging import Row, Staged, Staging, known_name, products_by_name, together
from mercat.ids import CategoryId, OfferId, ProductId, SellerId
from mercat.kit import sql
from mercat.settings import Settings

queries = sql.load("mercat.catalog")
_ROLLED_BACK_TRIES = 20
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
                written = await self._commit(staging, placed, refused, dry_run=batch.dry_run)
            except _Unwritten as rolled_back:
                written = rolled_back.written
        taken = sum(len(row.places) for row in staging.staged.rows.values())
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
        *,
        dry_run: bool,
    ) -> _Written:
        """Lay rows over what stands and write them, in one transaction; a dry run raises _Unwritten."""
        known = [row.product_id for row, _ in placed if row.product_id is not None]
        partial = [row.product_id for row, _ in placed if row.product_id and row.row.given is not None]
        async with self._db.acquire() as db, db.transaction():
            await db.execute(queries.lock, known)
            standing = {row["product_id"]: row for row in await db.fetch(queries.standing, partial)}
            for row, category_id in placed:
                try:
                    staging.add(row, category_id, standing.get(row.product_id))
                except BadField as bad:
                    refused += [
                        RefusedProduct(place, bad.field, bad.code, bad.reason)
                        for place in row.places.values()
                    ]
            written = await self._write(db, staging)
            if dry_run:
                raise _Unwritten(written)
        return written

    async def _rows(self, batch: ImportBatch, seller_id: SellerId) -> list[Row]:
        """Find the products that rows are about; rows about one product become one."""
        names = [known_name(row) for row in batch.rows]
        known = await self._products(
            seller_id,
            [name for kind, name in names if kind == "external"],
            [int(name) for kind, name in names if kind == "product"],
            [name for kind, name in names if kind == "sku"],
        )
        found: dict[object, Row] = {}
        for place, (row, name) in enumerate(zip(batch.rows, names, strict=True)):
            product_id, content = known.get(name, (None, None))
            says = fingerprint(row)
            overrules = batch.overrules or _is_update(row)
            places = {row.variants[0].sku if not row.external_id else "": place}
            said = Row(row, places, product_id, says, overrules, same=content == says)
            key = product_id or name
            found[key] = together(found[key], said) if key in found else said
        return list(found.values())

    async def _products(
        self, seller_id: SellerId, external: list[str], own: list[int], skus: list[str]
    ) -> dict[tuple[str, str], tuple[ProductId, bytes | None]]:
        """Find a seller's products by what rows call them."""
        rows: list[Any] = await self._db.fetch(queries.known, seller_id, external, own)
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

    async def _write(self, db: PoolConnectionProxy, staging: Staging) -> _Written:
        """Write what is new or changed with the facts that tell it."""
        staged, seller_id = staging.staged, staging.seller_id
        await db.execute(queries.stage)
        await db.execute(queries.stage_offers)
        await db.copy_records_to_table("staged_product", records=staged.products)
        await db.copy_records_to_table("staged_offer", records=staged.offers)
        products = {row["product_id"] for row in await db.fetch(queries.change_products)}
        taken = {row["product_id"] for row in await db.fetch(queries.take_products)}
        await db.execute(queries.find_staged)
        products |= {row["product_id"] for row in await db.fetch(queries.take_skus)}
        offers = await db.fetch(queries.take_offers, self._currency)
        touched = products | taken | {row["product_id"] for row in offers}
        await db.execute(queries.tell, sorted(touched))
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


def _refused(row: Row, column: str, code: str, detail: str) -> list[RefusedProduct]:
    return [RefusedProduct(place, column, code, detail) for place in row.places.values()]


def _is_update(row: ImportRow) -> bool:
    """Say whether a row is about what is there only: then it says what somebody wants changed now."""
    return row.given is not None and "title" not in row.given
