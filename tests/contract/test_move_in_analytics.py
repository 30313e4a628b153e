"""The facts of reports move into ClickHouse and back while things are sold, whoever is killed when."""

import asyncio
import itertools
import secrets
from datetime import timedelta
from typing import Any, cast

import pytest
from contract.test_analytics_engine import NOON, look, sold
from fact_engines import clickhouse
from moving import Replaced, each_death, nothing_is_broken
from msgspec.structs import replace

from mercat.analytics import keeper as keepers
from mercat.analytics.engine import Batch, EngineAway, ProductNamed
from mercat.analytics.engines.clickhouse import ClickHouseEngine
from mercat.analytics.engines.duckdb import FILE, DuckDbEngine
from mercat.analytics.engines.in_step import CopyPlace, InStepEngines
from mercat.analytics.keeper import Keeper
from mercat.analytics.service import open_engine
from mercat.cli.moves.analytics import ReportFacts
from mercat.cli.moves.mover import PartMover, states
from mercat.embedded import Trouble
from mercat.kit.db_errors import AWAY
from mercat.settings import Settings

BEFORE = 3
SHARES = 3
"""A death takes seconds: the moments are shared out among so many tests."""


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(keepers, "_COPIED_AT_ONCE", 2)


class Back:
    """The back worker: it is replaced, and takes in what is sold."""

    def __init__(self, db: Any) -> None:
        self._db = db
        self._orders = itertools.count(1)
        self.sold = 0
        self.keeper: Keeper | None = None

    async def opens(self, settings: Settings) -> None:
        if self.keeper:
            await self.keeper.close()
        self.keeper = Keeper(
            self._db,
            settings,
            cast(Any, None),  # whoever reads facts anew is noticed
            cast(Any, None),
            lambda folder: open_engine(settings, folder),
        )
        await self.keeper.open()

    async def sells(self) -> None:
        """An order, what was looked at, and a product that is called otherwise now."""
        order = next(self._orders)
        at = NOON - timedelta(hours=7 * order)
        batch = Batch(
            [sold(order, happened=at, buyer=-order), sold(order, 1, happened=at, category="é", country="AT")],
            [
                ProductNamed(
                    product=1 + order % 5, title="é" * order, category="t", category_name="T", version=order
                )
            ],
            [replace(look(order, n), happened=at, words="chá", visitor=-n - 1) for n in range(3)],
        )
        assert self.keeper
        engine = self.keeper._opened_engine()
        async with self.keeper._writing:
            await self.keeper._in(self.keeper._write, lambda: engine.append(batch, order))
        self.sold += 1

    async def begin_copy(self) -> None:
        assert self.keeper
        await self.keeper.begin_copy()

    async def copy_on(self, place: CopyPlace) -> CopyPlace:
        assert self.keeper
        if not place.rows:
            await self.sells()
        return await self.keeper.copy_on(place)

    async def compare_copy(self) -> list[str]:
        assert self.keeper
        return await self.keeper.compare_copy()

    async def sums(self) -> tuple[int, int, int]:
        assert self.keeper
        engine = self.keeper._opened_engine()
        rows = await asyncio.to_thread(engine.ask, "facts_compared", {})
        looks = await asyncio.to_thread(engine.ask, "looks_compared", {})
        [products] = await asyncio.to_thread(engine.ask, "products_compared", {})
        return sum(row["gross"] for row in rows), sum(row["looks"] for row in looks), products["versions"]


def expected(count: int) -> tuple[int, int, int]:
    versions = {order % 5: order for order in range(1, count + 1)}
    return 2 * 500 * count, 3 * count, sum(versions.values())


@pytest.fixture(params=["clickhouse"])
async def begin(request, settings, db, pool, tmp_path):
    facts = await pool("analytics")
    backs = []

    async def made(*, there: bool = False):
        await db.execute("delete from events.move; delete from analytics.engine")
        back = made.back = Back(facts)
        backs.append(back)
        told = replace(settings, data=tmp_path / secrets.token_hex(4))
        given = {"clickhouse_url": clickhouse().new_url()}
        shop = Replaced(told, [back.opens], back.sells)
        shop.kept = given if there else {}
        engine = open_engine(shop.settings(), shop.settings().data / "analytics")
        engine.append(Batch(), 0)
        engine.close()
        await back.opens(shop.settings())
        for _ in range(BEFORE):
            await back.sells()
        if there:
            await db.execute(
                "insert into events.move (part, way, step) values ('analytics', 'there', 'moved')"
            )
        return shop, ReportFacts(replace(told, **given), back), given

    yield made
    for back in backs:
        await back.keeper.close()


def engine_of(back: Back) -> Any:
    assert back.keeper
    return back.keeper._opened_engine()


@pytest.mark.scale
@pytest.mark.parametrize("first", range(1, SHARES + 1))
async def test_facts_move_into_clickhouse_whoever_is_killed_when(begin, db, first):
    async for _ in each_death(begin, db, "there", first, SHARES):
        assert isinstance(engine_of(begin.back), ClickHouseEngine)
        assert await begin.back.sums() == expected(begin.back.sold)
        assert (await states(db))["analytics"].step == "moved"


@pytest.mark.scale
@pytest.mark.parametrize("first", range(1, SHARES + 1))
async def test_facts_come_back_whoever_is_killed_when(begin, db, first):
    async for _ in each_death(lambda: begin(there=True), db, "back", first, SHARES):
        assert isinstance(engine_of(begin.back), DuckDbEngine)
        assert await begin.back.sums() == expected(begin.back.sold)
        assert await states(db) == {}


@pytest.mark.scale
async def test_facts_go_there_and_come_back_with_what_was_sold_meanwhile(begin, db):
    shop, part, given = await begin()
    mover = PartMover(db, shop, nothing_is_broken, lambda _: None)
    await mover.move(part, "there", given)
    assert isinstance(engine_of(begin.back), ClickHouseEngine)
    for _ in range(5):
        await begin.back.sells()
    await mover.move(part, "back", given)
    assert isinstance(engine_of(begin.back), DuckDbEngine)
    assert shop.kept == {}
    assert await begin.back.sums() == expected(begin.back.sold)


async def test_a_database_that_has_other_facts_is_said_and_duckdb_serves_on(begin, db):
    shop, part, given = await begin()
    foreign = ClickHouseEngine(given["clickhouse_url"])
    foreign.append(Batch([sold(10**9)]), 1)
    foreign.close()
    mover = PartMover(db, shop, nothing_is_broken, lambda _: None)
    with pytest.raises(Trouble, match=r"1 sums of facts differ, .*Empty the database there first.*--back"):
        await mover.move(part, "there", given)
    assert await begin.back.sums() == expected(begin.back.sold)
    await mover.move(part, "back", given)
    assert shop.kept == {}
    assert isinstance(engine_of(begin.back), DuckDbEngine)
    assert await begin.back.sums() == expected(begin.back.sold)


class Dies(DuckDbEngine):
    """An engine whose process dies before it writes."""

    def append(self, batch, position):
        raise KeyboardInterrupt


@pytest.mark.parametrize("engine", ["clickhouse"])
def test_what_one_engine_took_before_its_process_died_is_told_again_to_both(tmp_path, engine):
    url = clickhouse().new_url()
    far = ClickHouseEngine(url)
    dying = InStepEngines(Dies(tmp_path / FILE, 256), far)
    with pytest.raises(KeyboardInterrupt):
        dying.append(Batch([sold(1)]), 1)
    dying.close()
    both = InStepEngines(DuckDbEngine(tmp_path / FILE, 256), ClickHouseEngine(url))
    assert both.position() is None
    both.append(Batch([sold(1)]), 1)
    assert both.differences() == []
    assert both.position() == 1
    both.close()


@pytest.mark.parametrize("engine", ["clickhouse"])
def test_what_the_engine_beside_refuses_is_told_again_to_both_and_not_parked(tmp_path, engine):
    far = ClickHouseEngine(clickhouse().new_url())
    both = InStepEngines(DuckDbEngine(tmp_path / FILE, 256), far)
    both.append(Batch([sold(1)]), 1)
    far._send("rename table told to hidden", {})
    with pytest.raises(EngineAway, match="does not take part"):
        both.append(Batch([sold(2)], looks=[look(2, 0)]), 2)
    assert issubclass(EngineAway, AWAY)  # followers wait
    assert both.position() == 1
    far._send("rename table hidden to told", {})
    both.append(Batch([sold(2)], looks=[look(2, 0)]), 2)
    assert both.differences() == []
    both.close()


def test_looks_are_copied_a_few_batches_at_once(tmp_path):
    both = InStepEngines(DuckDbEngine(tmp_path / "a", 256), DuckDbEngine(tmp_path / "b", 256))
    both._answers.append(Batch(looks=[look(batch, 0) for batch in range(1, 61)]), 1)
    place = both.copy(CopyPlace(2), 2_000)
    assert (place.table, place.after, place.rows) == (2, 40, 40)
    place = both.copy(place, 2_000)
    assert (place.ended, place.rows) == (True, 60)
    both.close()
