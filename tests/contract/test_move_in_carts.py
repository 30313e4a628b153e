"""Carts go over to another Valkey and back while people fill them: what was answered is there, and lapses
when it did, whoever is killed when."""

import asyncio
import itertools
from typing import Any

import pytest
from moving import DyingConnection, KilledHere, Moments, Replaced, nothing_is_broken
from msgspec.structs import replace
from valkeys import one_valkey
from waiting import until

from mercat.cli.moves import carts
from mercat.cli.moves.carts import CartKeys
from mercat.cli.moves.mover import PartMover, states
from mercat.embedded import Trouble
from mercat.kit.refusals import Unavailable
from mercat.kit.valkey import Store
from mercat.kit.valkey_cluster import open_store

KEYS = 300


class People:
    """They write to whatever store their worker knows, and remember what was answered."""

    def __init__(self, url: str) -> None:
        self.store = open_store(url)
        self.kept: dict[str, int] = {}
        self.refused = 0
        self._there = True
        self._numbers = itertools.count(1)
        self.former: list[Store] = []
        self._writing: asyncio.Task[None] | None = None

    async def use(self, url: str) -> None:
        self.former.append(self.store)  # what is asked there is answered still
        self.store = open_store(url)

    def come(self) -> None:
        self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._there:
            n = next(self._numbers)
            name = f"cart:{n % 40}"
            try:
                await self.store.do("HSET", name, "line", n)
                await self.store.do("EXPIRE", name, 1_000)
                self.kept[name] = n
                if n % 7 == 0:
                    gone = f"cart:{(n + 5) % 40}"
                    await self.store.do("DEL", gone)
                    self.kept[gone] = 0
            except Unavailable:
                self.refused += 1
                self.kept.pop(name, None)  # it may have happened, or not
                self.kept.pop(f"cart:{(n + 5) % 40}", None)
            await asyncio.sleep(0.001)

    async def go(self) -> None:
        self._there = False
        if self._writing:
            await self._writing

    async def write_on(self) -> None:
        before = {**self.kept}

        async def written() -> bool:
            return sum(before.get(name) != n for name, n in self.kept.items()) > 5

        await until(written)

    async def find_what_they_kept(self) -> None:
        kept = {**self.kept}
        for name, n in kept.items():
            found = await self.store.do("HGET", name, "line")
            assert int(found or 0) == n, name
            assert not n or 0 < await self.store.do("TTL", name) <= 1_000


@pytest.fixture
async def scene(settings, db, tmp_path):
    await db.execute("delete from events.move")
    with one_valkey(tmp_path) as url:
        people = People(settings.store_url)
        own = settings.store_url

        async def goes_over(told):
            await people.use(told.store_url)

        async def nothing():
            return None

        shop = Replaced(settings, [goes_over], nothing)
        for n in range(KEYS):
            await people.store.do("SET", f"session:{n}", n, "PX", 100_000 + n)
        await people.store.do("ZADD", "flash_queue:s", 1, "a", 2, "b")
        people.come()
        await people.write_on()
        yield shop, people, lambda: CartKeys(replace(settings, store_url=url), own), {"store_url": url}
        await people.go()
        await CartKeys(replace(settings, store_url=url), own).let_in("there")
        for each in (*people.former, people.store):
            await each.close()


async def lapses_of(url):
    store = open_store(url)
    found = {n: await store.do("PEXPIRETIME", f"session:{n}") for n in range(0, KEYS, 50)}
    assert await store.do("ZSCORE", "flash_queue:s", "b") == 2
    await store.close()
    return found


async def test_carts_go_there_and_back_and_nothing_that_was_answered_is_lost(scene, db, settings):
    shop, people, part, there = scene
    said: list[str] = []
    mover = PartMover(db, shop, nothing_is_broken, said.append)
    lapses = await lapses_of(settings.store_url)
    await mover.move(part(), "there", there)
    assert await lapses_of(there["store_url"]) == lapses
    await people.write_on()
    assert any("are the same in both places" in line for line in said)
    assert await states(db) == {"carts": ("there", "moved")}
    former = open_store(settings.store_url)
    for asked in (("SET", "cart:new", 1), ("HGETALL", "cart:1")):
        with pytest.raises(Unavailable):
            await former.do(*asked)
    await former.close()
    await mover.move(part(), "back", there)
    await people.write_on()
    await people.go()
    await people.find_what_they_kept()
    assert await lapses_of(settings.store_url) == lapses
    assert shop.kept == {}


async def test_a_store_of_somebody_else_is_not_written(scene, db):
    shop, people, part, there = scene
    other = open_store(there["store_url"])
    await other.do("SET", "theirs", 1)
    mover = PartMover(db, shop, nothing_is_broken, lambda _: None)
    with pytest.raises(Trouble, match="somebody else's"):
        await mover.move(part(), "there", there)
    assert await other.do("DBSIZE") == 1
    await other.close()
    await mover.move(part(), "back", {})
    assert await states(db) == {}
    await people.write_on()


@pytest.mark.parametrize(("setting", "value"), [("appendonly", "no"), ("maxmemory-policy", "allkeys-lru")])
async def test_a_store_that_would_forget_carts_is_not_moved_to(scene, db, setting, value):
    shop, people, part, there = scene
    other = open_store(there["store_url"])
    await other.do("CONFIG", "SET", setting, value)
    await other.close()
    mover = PartMover(db, shop, nothing_is_broken, lambda _: None)
    with pytest.raises(Trouble, match=f"would forget carts: it needs {setting}"):
        await mover.move(part(), "there", there)
    assert await states(db) == {}
    await people.write_on()


def dying(monkeypatch, moments):
    """Have whoever moves carts die before or after each step of it."""
    for name in ("_copy", "_read", "_keep_out", "_let_in", "_check_ours", "_different"):
        whole = getattr(carts, name)

        async def step(*given, whole=whole):
            moments.pass_one()
            answer = await whole(*given)
            moments.pass_one()
            return answer

        monkeypatch.setattr(carts, name, step)


@pytest.mark.timeout(300)
async def test_whoever_moves_carts_may_die_at_any_step(scene, db, monkeypatch):
    """Where nothing was handed over, people are let in again, as the guard does; then it goes on."""
    shop, people, part, there = scene
    for way in ("there", "back"):
        for moment in itertools.count(1, 3):
            moments = shop.moments = Moments(moment)
            rows: Any = DyingConnection(db, moments)
            died, moved = False, part()
            with monkeypatch.context() as patched:
                dying(patched, moments)
                try:
                    mover = PartMover(rows, shop, nothing_is_broken, moments.pass_one)
                    await mover.move(moved, way, there)
                except KilledHere:
                    died = True
            if moved._changes:
                await moved._changes.close()
            shop.moments = Moments()
            if not died:
                break
            if bool(shop.kept) != (way == "there"):
                await part().let_in(way)
            else:
                await shop.use(shop.kept)
            await people.write_on()
        assert moment > 15
    await people.go()
    await people.find_what_they_kept()
