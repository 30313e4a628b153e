"""The index moves to another engine and back while products change, whoever is killed when."""

import asyncio
import secrets
from contextlib import ExitStack

import pytest
from moving import Replaced, each_death, nothing_is_broken
from msgspec.structs import replace
from search_engines import ENGINES, place_of
from search_products import product

from mercat.cli.moves.mover import PartMover, states
from mercat.cli.moves.search import SearchIndex
from mercat.embedded import Trouble
from mercat.search import BrokenIndex, Search, SearchQuery, compare_with_catalogue
from mercat.search.engines.tantivy import TantivyStore

WORDS = ("Green tea", "Black tea", "Blue cup", "Tea pot")


class Goods:
    """A catalogue whose products change, and the back worker that follows it."""

    def __init__(self, near, far) -> None:
        self.near, self.far = near, far
        self.all = {}
        self.search: Search | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def products(self):
        every = [self.all[number] for number in sorted(self.all)]
        for n in range(0, len(every), 3):
            yield every[n : n + 3]

    async def starts(self, settings) -> None:
        await self.stops()
        answers, beside = {
            "search": (self.near, self.far),
            "search-back": (self.far, self.near),
        }.get(settings.moving, (self.far if settings.opensearch_url else self.near, None))
        self.search = Search(settings.data / "search", store=answers, beside=beside)
        self._keeping = asyncio.create_task(self._keep(self.search))
        await self.found()  # an index in use answers at once

    async def _keep(self, search) -> None:
        while True:
            await search.keep(self.products, 0.05)

    async def stops(self) -> None:
        if self._keeping and self.search:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            await self.search.close()

    async def change(self) -> None:
        """A new product, and another one is called otherwise."""
        assert self.search
        number = len(self.all) + 1
        renamed = 1 + number // 2
        version = number + 1
        changes = [
            product(number, WORDS[number % 4], version),
            product(renamed, WORDS[version % 4], version),
        ]
        self.all |= {int(each.product_id): each for each in changes}
        await self.search.index(changes)

    async def found(self) -> int:
        assert self.search
        return (await self.search.find(SearchQuery())).total


@pytest.fixture(params=[ENGINES[0], pytest.param(ENGINES[1], marks=pytest.mark.scale)])
async def begin(request, settings, db, tmp_path):
    with ExitStack() as stack:
        made_goods = []

        async def made(*, there=False):
            await db.execute("delete from events.move")
            told = replace(settings, data=tmp_path / secrets.token_hex(4))
            near = TantivyStore(told.data / "search")
            far = stack.enter_context(place_of(request.param, told.data / "far"))
            goods = made.goods = Goods(near, far)
            made_goods.append(goods)
            given = {"opensearch_url": "http://there"}
            shop = Replaced(told, [goods.starts], goods.change)
            shop.kept = given if there else {}
            await Search(told.data / "search", store=far if there else near).mend(goods.products)
            await goods.starts(shop.settings())
            for _ in range(3):
                await goods.change()
            if there:
                await db.execute("insert into events.move values ('search', 'there', 'moved')")
            part = SearchIndex(
                replace(told, **given),
                lambda way: (near, far) if way == "there" else (far, near),
                goods.products,
            )
            return shop, part, given

        yield made
        for goods in made_goods:
            await goods.stops()


async def same(goods, store) -> bool:
    report = await compare_with_catalogue(store, goods.products)
    return not report.differences and report.checked == len(goods.all)


@pytest.mark.scale
async def test_the_index_moves_there_whoever_is_killed_when(begin, db):
    async for _ in each_death(begin, db, "there"):
        assert await same(begin.goods, begin.goods.far)
        assert (await states(db))["search"].step == "moved"
        await begin.goods.stops()


@pytest.mark.scale
async def test_the_index_comes_back_whoever_is_killed_when(begin, db):
    async for _ in each_death(lambda: begin(there=True), db, "back"):
        assert await same(begin.goods, begin.goods.near)
        assert await states(db) == {}
        await begin.goods.stops()


async def test_the_index_goes_there_and_comes_back_with_what_changed_meanwhile(begin, db):
    shop, part, given = await begin()
    goods = begin.goods
    mover = PartMover(db, shop, nothing_is_broken, lambda _: None)
    await mover.move(part, "there", given)
    assert await same(goods, goods.far)
    await goods.change()
    await mover.move(part, "back", given)
    assert shop.kept == {}
    assert await same(goods, goods.near)


@pytest.mark.scale
async def test_an_index_that_is_another_there_is_said_and_the_former_serves_on(begin, db):
    shop, part, given = await begin()
    goods = begin.goods
    whole = goods.products

    async def with_one_more():
        async for page in whole():
            yield page
        yield [product(999, "Never told", 1)]

    part._products = with_one_more
    with pytest.raises(Trouble, match=r"1 of \d+ products differ there.*--back search"):
        await PartMover(db, shop, nothing_is_broken, lambda _: None).move(part, "there", given)
    assert shop.kept["moving"] == "search"
    assert await goods.found() == len(goods.all)
    await PartMover(db, shop, nothing_is_broken, lambda _: None).move(part, "back", given)
    assert shop.kept == {}


class AwayForAMoment(TantivyStore):
    """An index whose engine does not answer twice."""

    left = 2

    def exists(self):
        self.left -= 1
        if self.left >= 0:
            raise BrokenIndex("nobody answers")
        return super().exists()


async def test_an_engine_that_is_away_for_a_moment_is_waited_for(begin, db):
    shop, part, given = await begin()
    goods = begin.goods
    if not isinstance(goods.far, TantivyStore):
        pytest.skip("the folder's index stands for it")
    away = AwayForAMoment(shop.settings().data / "far" / "index")
    part._stores = lambda _: (goods.near, away)
    await PartMover(db, shop, nothing_is_broken, lambda _: None).move(part, "there", given)
    assert away.left < 0
    assert await same(goods, goods.far)
