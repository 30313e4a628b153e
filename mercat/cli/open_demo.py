"""Fill a shop: `python -m mercat.cli.open_demo` puts demo goods into an empty one, `mercat import` takes
files.

Doing it again changes nothing.
"""

import asyncio
import csv
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from mercat import money, settings
from mercat.app import build_shop
from mercat.catalog import (
    ONLY_ADDS,
    CategoryMaking,
    CategoryMap,
    Columns,
    ImportBatch,
    Imported,
    ImportProgress,
    ImportRow,
    NotProducts,
    RowNote,
    import_file,
    path_key,
    path_names,
    recognise,
    sorted_files,
    takes_others,
)
from mercat.flashsale import NewSale
from mercat.ids import ImportId, ProductId, SellerId, UserId
from mercat.inventory import Line
from mercat.kit.refusals import NotFound
from mercat.lab import demo
from mercat.reviews import OldReview, Start
from mercat.shop import Shop, every_product

DEMO_PRODUCTS = 2_400
_BATCH = 400
_REVIEWED = 600
_REVIEWS = 3
FLASH_SALE = "demo"
_FLASH_PRODUCT = "demo-0001478"
_FLASH_UNITS = 10_000


async def open_demo(
    shop: Shop, count: int = DEMO_PRODUCTS, say: Callable[[str], None] = lambda _: None
) -> int:
    """Put people, sellers, goods, stock and reviews into a shop without goods; answer how many it took."""
    people = await shop.accounts.seed()
    bob = people["bob@example.com"]
    sellers: dict[str, SellerId] = {}
    for name in demo.SELLERS:
        sellers[name] = await shop.sellers.by_name(name, bob if name == demo.SELLERS[0] else None)
    await shop.accounts.grant(bob, "seller", sellers[demo.SELLERS[0]])
    if await shop.catalog.documents(ProductId(0), 1):
        await _open_flash_sale(shop)
        return 0
    taken = 0
    for batch in _batches(demo.products(count), _BATCH):
        by_seller: dict[str, list[ImportRow]] = {}
        for row in batch:
            by_seller.setdefault(demo.SELLERS[row.seller], []).append(_read(row, shop.settings.currency))
        for name, rows in by_seller.items():
            await shop.sellers.list_many(sellers[name], ImportBatch(rows=rows))
        taken += len(batch)
        say(f"{taken:,} of {count:,} products")
    await start_ratings(shop)
    await _bring_reviews(shop)
    await _open_flash_sale(shop)
    return taken


async def _open_flash_sale(shop: Shop) -> None:
    """Open a sale to try, for as long as its units last.

    Everybody pays with the sandbox's cards here, from made-up addresses, so those are not counted."""
    try:
        await shop.flashsale.sale(FLASH_SALE)
        return
    except NotFound:
        pass
    async for page in every_product(shop.catalog):
        for change in page:
            if change.document and change.document.external_id == _FLASH_PRODUCT:
                offer_id, seller_id = change.document.offer_id, change.document.seller_id
                await shop.inventory.receive(f"flash/{FLASH_SALE}", [Line(offer_id, _FLASH_UNITS)], seller_id)
                sale = NewSale(
                    sale_id=FLASH_SALE,
                    offer_id=offer_id,
                    units=_FLASH_UNITS,
                    starts_at=datetime.now(UTC),
                    per_card=None,
                    per_address=None,
                )
                await shop.flashsale.create(sale)
                return


def _batches(rows: Iterator[demo.ProductRow], size: int) -> Iterator[list[demo.ProductRow]]:
    while batch := list(islice(rows, size)):
        yield batch


def _read(row: demo.ProductRow, currency: str) -> ImportRow:
    """Read a demo product at the same figure in the shop's currency, for in another it could not be sold."""
    raw = msgspec.to_builtins(row)
    read = recognise([raw]).read(Columns(raw))
    cent = 10 ** money.exponent(currency) / 100
    variants = [replace(variant, price=max(1, round(variant.price * cent))) for variant in read.variants]
    return replace(read, currency=currency, variants=variants)


async def start_ratings(shop: Shop) -> None:
    """Tell reviews which stars the products came with, so that new ones are added to them."""
    after = ProductId(0)
    while rows := await shop.catalog.histograms(after):
        await shop.reviews.start([Start(product_id, histogram) for product_id, histogram in rows])
        after = rows[-1][0]


async def _bring_reviews(shop: Shop) -> None:
    """Bring what people said of the best known goods, before this shop opened."""
    standing: dict[str, ProductId] = {}
    async for page in every_product(shop.catalog):
        standing |= {
            change.document.external_id: change.product_id
            for change in page
            if change.document and change.document.external_id
        }
    began = datetime.now(UTC)
    old: list[OldReview] = []
    for row in islice(demo.products(DEMO_PRODUCTS), _REVIEWED):
        product_id = standing.get(row.external_id)
        if product_id and sum(row.rating_histogram):
            old += [
                OldReview(
                    product_id=product_id,
                    user_id=_person(f"{row.external_id}/{n}"),
                    author=author,
                    stars=stars,
                    title=title,
                    body=body,
                    written_at=began - timedelta(days=3 + 11 * n, hours=n),
                )
                for n, (stars, title, body, author) in enumerate(demo.reviews(row, _REVIEWS))
            ]
    await shop.reviews.seed(old)


def _person(name: str) -> UserId:
    """Make an id for somebody who wrote elsewhere: always the same id, and nobody's here."""
    return UserId(int.from_bytes(blake2b(name.encode(), digest_size=4).digest()))


class ImportOptions(NamedTuple):
    """How files are taken, as `mercat import` says it.

    `owner`: whose goods they are, before `seller`, before what a row says, before the shop's own seller.
    `stock`: the units of a new variant where its file does not say. `kind`: the format. `overrules`: prices,
    states and stock that were changed in the shop are set as the file says. With `dry_run` nothing is
    written."""

    seller: str | None = None
    owner: SellerId | None = None
    stock: int = 0
    rename: Mapping[str, str] | None = None
    kind: str = ""
    categories: CategoryMaking = "create"
    category_map: CategoryMap | None = None
    overrules: bool = False
    dry_run: bool = False
    import_id: ImportId | None = None
    """Under which it is noted what stood before, so that it can be put back."""


async def import_files(
    shop: Shop,
    files: Sequence[Path],
    options: ImportOptions,
    *,
    note: Callable[[RowNote], None],
    progress: Callable[[ImportProgress], None],
) -> list[ImportProgress]:
    """Take files of products, one after another; one that cannot be used says so and stops no other.

    A file that only adds to products, such as their combinations, is read beside each that it can add
    to. A zip of several files is those files."""
    known: dict[str, SellerId] = {}
    batches = count(1)

    async def seller_of(name: str) -> SellerId:
        if options.owner is not None:
            return options.owner
        if name not in known:
            known[name] = await (shop.sellers.by_name(name) if name else shop.sellers.own())
        return known[name]

    async def take(name: str, rows: list[ImportRow]) -> Imported:
        batch = ImportBatch(
            rows=rows,
            stock=options.stock,
            categories=options.categories,
            overrules=options.overrules,
            dry_run=options.dry_run,
            import_id=options.import_id,
            reference=f"import/{int(options.import_id)}/{next(batches)}" if options.import_id else "",
        )
        return await shop.sellers.list_many(await seller_of(name), batch)

    here = asyncio.get_running_loop()

    async def take_here(name: str, rows: list[ImportRow]) -> Imported:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(take(name, rows), here))

    def read(file: Path) -> ImportProgress:
        beside = given.adding if file in joined else []
        return _read_file(file, take_here, options, shop.settings.currency, note, progress, beside)

    done: list[ImportProgress] = []
    with tempfile.TemporaryDirectory(prefix="mercat-import-") as folder:
        given = await asyncio.to_thread(sorted_files, files, Path(folder))
        whole = given.whole if given.adding else []
        joined = [file for file in whole if await asyncio.to_thread(takes_others, file, options.kind)]
        if not joined:
            done += [ImportProgress(file, 0, 0, unusable=f"{file.name} {ONLY_ADDS}") for file in given.adding]
        for file in given.whole:
            done.append(await asyncio.to_thread(_read_or_say_why_not, read, file))
    if not options.dry_run:
        await start_ratings(shop)  # also where nothing is new: a run that was cut off may have stopped before
    return done


def _read_or_say_why_not(read: Callable[[Path], ImportProgress], file: Path) -> ImportProgress:
    try:
        return read(file)
    except NotProducts as refused:
        return ImportProgress(file, 0, 0, unusable=str(refused))
    except TimeoutError:
        raise  # an OSError too, and yet not of the file: a service did not answer
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return ImportProgress(file, 0, 0, unusable=f"{file} cannot be read: {reason}.")


def _read_file(
    file: Path,
    take: Callable[[str, list[ImportRow]], Awaitable[Imported]],
    options: ImportOptions,
    currency: str,
    note: Callable[[RowNote], None],
    progress: Callable[[ImportProgress], None],
    beside: Sequence[Path],
) -> ImportProgress:
    """Read a file in a thread of its own, so that the next rows are read while a batch is taken."""
    return asyncio.run(
        import_file(
            file,
            take,
            seller=options.seller,
            note=note,
            progress=progress,
            rename=options.rename,
            currency=currency,
            kind=options.kind,
            categories=options.category_map,
            beside=beside,
        )
    )


def category_map(file: Path) -> CategoryMap:
    """Read which category each path of a file is here: CSV with the columns theirs and ours."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = [row for row in csv.reader(lines) if len(row) > 1 and row[0].strip()]
    return {path_key(path_names(theirs)): path_names(ours) for theirs, ours, *_ in rows if ours.strip()}


def rows(count: int, seed: int = 1) -> Iterable[bytes]:
    """Generate products as lines of JSON, with their seller's name: what `mercat import` takes."""
    for row in demo.products(count, seed):
        raw = msgspec.to_builtins(row)
        raw["seller"] = demo.SELLERS[row.seller]
        yield msgspec.json.encode(raw) + b"\n"


async def _main() -> None:
    began = time.perf_counter()
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings.load(os.environ), stack)
        await shop.host.lease_worker()
        taken = await open_demo(shop)
    if taken:
        sys.stderr.write(
            f"{taken:,} demo products are on the shelves after {time.perf_counter() - began:.1f} s.\n"
        )


if __name__ == "__main__":
    asyncio.run(_main())
