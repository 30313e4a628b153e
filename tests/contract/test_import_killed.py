"""An import whose process is killed, in each of its phases: run again, the shop is as after one run."""

import asyncio
import multiprocessing
import os
import signal
from contextlib import AsyncExitStack
from itertools import islice
from pathlib import Path
from unittest import mock

import asyncpg
import msgspec
import pytest
from contract.test_import import changes, shelf  # noqa: F401  - fixtures
from contract.test_pictures_fetched import elsewhere  # noqa: F401  - a fixture

from mercat.app import build_shop
from mercat.catalog import ImportBatch, ImportRow, ImportVariant, gathering, importing
from mercat.cli.open_demo import ImportOptions, import_files, rows
from mercat.ids import ImportId, ProductId
from mercat.inventory import Inventory
from mercat.kit.event_log import deliver
from mercat.media import Media, PictureFetching
from mercat.settings import Settings

_CHILDREN = multiprocessing.get_context("forkserver")
_CHILDREN.set_forkserver_preload(["mercat.app", "mercat.cli.main"])
_WITHIN_S = 300
_PRODUCTS = 1_100
IMPORT = ImportId(77)


def killed(target, *arguments) -> None:
    """Run in a process of its own what kills itself on its way."""
    child = _CHILDREN.Process(target=target, args=arguments, daemon=True)
    child.start()
    child.join(_WITHIN_S)
    assert child.exitcode == -signal.SIGKILL, child.exitcode


class Kills:
    """Kills its process at the nth call of a function; before that it is the function."""

    def __init__(self, real, nth, when=lambda *_: True):
        self._real = real
        self._left = nth
        self._when = when

    def __call__(self, *arguments, **more):
        if self._when(*arguments):
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)
        return self._real(*arguments, **more)

    def __get__(self, one, _=None):
        return self if one is None else lambda *arguments, **more: self(one, *arguments, **more)


def telling(_, query, *__) -> bool:
    """Say whether this is the last statement of a commit that changes products."""
    return "catalog.tell " in query


async def take(settings: Settings, file: Path, more: ImportOptions) -> None:
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
        nothing = {"note": lambda note: None, "progress": lambda far: None}
        await import_files(shop, [file], more, **nothing)


async def take_as_command(settings: Settings, file: Path) -> None:
    """Take a file as a process of its own, which has a number of its own for the ids that it makes."""
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
        await shop.host.lease_worker()
        nothing = {"note": lambda note: None, "progress": lambda far: None}
        await import_files(shop, [file], ImportOptions(seller="A"), **nothing)


def die_reading(settings, file):
    real = importing.read_rows

    def cut_off(raw, *remark):
        for n, row in enumerate(real(raw, *remark)):
            if n == 800:
                os.kill(os.getpid(), signal.SIGKILL)
            yield row

    with mock.patch.object(importing, "read_rows", cut_off):
        asyncio.run(take_as_command(settings, file))


def die_gathering(settings, file):
    real = gathering._products

    def cut_off(db):
        for n, product in enumerate(real(db)):
            if n == 700:
                os.kill(os.getpid(), signal.SIGKILL)
            yield product

    with mock.patch.object(gathering, "_products", cut_off):
        asyncio.run(take_as_command(settings, file))


def die_writing(settings, file):
    execute = Kills(asyncpg.Connection.execute, 2, telling)
    with mock.patch.object(asyncpg.Connection, "execute", execute):
        asyncio.run(take_as_command(settings, file))


def die_before_the_stock(settings, file):
    with mock.patch.object(Inventory, "receive", Kills(Inventory.receive, 2)):
        asyncio.run(take_as_command(settings, file))


def die_undoing(settings, _):
    async def undo():
        async with AsyncExitStack() as stack:
            shop = await build_shop(settings, stack)
            await shop.host.lease_worker()
            await shop.sellers.put_back(IMPORT)

    execute = Kills(asyncpg.Connection.execute, 2, telling)
    with mock.patch.object(asyncpg.Connection, "execute", execute):
        asyncio.run(undo())


def die_fetching(settings, where):
    async def fetch():
        async with AsyncExitStack() as stack:
            shop = await build_shop(settings, stack)
            await shop.host.lease_worker()
            fetching = PictureFetching(shop.media, shop.catalog, settings)
            for _ in range(4):
                await fetching.fetch_due()

    if where == "once it is kept":
        add = Media.add

        async def kept(self, *arguments, **more):
            medium = await add(self, *arguments, **more)
            os.kill(os.getpid(), signal.SIGKILL)
            return medium

        with mock.patch.object(Media, "add", kept):
            asyncio.run(fetch())
    with mock.patch.object(Media, "add", Kills(Media.add, 1)):
        asyncio.run(fetch())


def generated(folder: Path) -> Path:
    file = folder / "goods.jsonl"
    file.write_bytes(b"".join(islice(rows(_PRODUCTS), _PRODUCTS)))
    return file


def gathered(folder: Path) -> Path:
    """Rows of one product far apart, so that they are gathered."""
    file = folder / "goods.csv"
    products = [f"p{n}" for n in range(_PRODUCTS)]
    head = "Handle,Title,Option1 Name,Option1 Value,SKU,Inventory Tracker,Inventory Quantity,Variant Price"
    first = [f"{each},P {each},Size,S,{each}-s,shopify,3,{n % 7 + 1}.50" for n, each in enumerate(products)]
    second = [f"{each},,,L,{each}-l,shopify,4,{n % 7 + 2}.50" for n, each in enumerate(products)]
    file.write_text("\n".join([head, *first, *second]) + "\n")
    return file


PHASES = {
    "reading": (die_reading, generated),
    "gathering": (die_gathering, gathered),
    "writing": (die_writing, generated),
    "before the stock": (die_before_the_stock, generated),
}


@pytest.mark.parametrize("phase", PHASES)
async def test_killed_and_run_again_it_is_as_one_run(settings, db, told, shelf, tmp_path, phase):  # noqa: F811
    die, make = PHASES[phase]
    file = make(tmp_path)
    killed(die, settings, file)
    left = len({row["external_id"] for row in await shelf("A")})
    assert left < _PRODUCTS
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
        async with db.acquire() as connection, connection.transaction():  # the stock that was left behind
            await deliver(connection, await told(), [shop.inventory])
    await take(settings, file, ImportOptions(seller="A"))
    await take(settings, file, ImportOptions(seller="B"))
    assert await shelf("A") == await shelf("B")
    assert len({row["external_id"] for row in await shelf("A")}) == _PRODUCTS


async def test_killed_while_it_undoes_it_goes_on(settings, db, shelf, tmp_path):  # noqa: F811
    file = generated(tmp_path)
    await take(settings, file, ImportOptions(seller="A"))
    before = await shelf("A")
    dearer = tmp_path / "dearer.csv"
    lines = [f"{row['external_id']},{row['key']},99.50" for row in before]
    dearer.write_text("\n".join(["external_id,sku,price", *lines]) + "\n")
    await take(settings, dearer, ImportOptions(seller="A", import_id=IMPORT, overrules=True))
    changed = await shelf("A")
    assert changed != before
    killed(die_undoing, settings, None)
    half = await db.fetchval("select count(*) from catalog.import_change where undone is not null")
    assert 0 < half < await db.fetchval("select count(*) from catalog.import_change")
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
        await shop.sellers.put_back(IMPORT)
    assert await shelf("A") == before


@pytest.mark.parametrize("where", ["before it is kept", "once it is kept"])
async def test_killed_while_it_fetches_a_picture_it_is_fetched_once(settings, db, elsewhere, where):  # noqa: F811
    settings = msgspec.structs.replace(settings, fetch_pictures=True, picture_networks="127.0.0.0/8")
    row = ImportRow(
        external_id="a", title="Pot", images=[f"{elsewhere}/a.png"], variants=[ImportVariant(500, 1)]
    )
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
        await shop.sellers.list_many(await shop.sellers.by_name("Mover"), ImportBatch(rows=[row]))
        killed(die_fetching, settings, where)
        assert await db.fetchval("select count(*) from catalog.picture_elsewhere") == 1
        await db.execute("update catalog.picture_elsewhere set due_at = now()")  # its minute is over
        await PictureFetching(shop.media, shop.catalog, settings).fetch_due()
        [product] = await shop.catalog.exported(ProductId(0))
    assert [image.url.startswith("/media/") for image in product.images] == [True]
    assert await db.fetchval("select count(*) from media.medium") == 1
    assert not await db.fetchval("select count(*) from catalog.picture_elsewhere")
