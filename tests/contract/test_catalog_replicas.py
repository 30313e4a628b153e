"""Products read from a database that follows: what was written is seen, who lags or is gone is left out."""

import asyncio
import os
import signal
import subprocess
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec
import pytest
from contract.test_check_config import looked_at as looked_at
from valkeys import forget_all
from waiting import until

from mercat import ids
from mercat.app import build_shop
from mercat.catalog import NewProduct, ProductChange
from mercat.embedded import Home
from mercat.embedded.backup import _give
from mercat.embedded.postgres import Postgres, programs
from mercat.kit.refusals import NotFound

BOB = ids.SellerId(7)
FOLLOWS = "select pg_is_in_recovery() as yes"


class Standby:
    """A streaming replica of the tests' PostgreSQL."""

    def __init__(self, folder: Path, engines) -> None:
        (folder / "secret.key").write_text(engines.secret_key)
        settings = {"max_connections": "400", "max_replication_slots": "50", "fsync": "off"}
        self.postgres = Postgres(Home(folder), settings)
        command = [
            programs() / "pg_basebackup",
            "-D",
            self.postgres.folder,
            *["-R", "-X", "stream", "-c", "fast"],
        ]
        told = {**engines.libpq(), "LC_ALL": "C"}
        copied = subprocess.run(command, env=told, check=False, capture_output=True)
        assert copied.returncode == 0, copied.stderr
        _give(self.postgres.folder, self.postgres.account)
        self.owner = {**engines.postgres(), "host": str(self.postgres.sockets)}
        place = str(self.postgres.sockets).replace("/", "%2F")
        self.url = f"postgresql://{place}:{engines.postgres_port}/{engines.postgres_database}"

    async def do(self, statement: str):
        db = await asyncpg.connect(**self.owner)
        try:
            return await db.fetchval(statement)
        finally:
            await db.close()

    async def pause(self) -> None:
        """Let it fall behind from here on."""
        await self.do("select pg_wal_replay_pause()")
        await until(lambda: self.do("select pg_get_wal_replay_pause_state() = 'paused'"))

    @asynccontextmanager
    async def hanging(self, role: str):
        """Let what this role has open answer nobody."""
        asked = f"select array_agg(pid) from pg_stat_activity where usename = '{role}'"
        pids = await self.do(asked)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    async def answers(self) -> bool:
        try:
            return await self.do(FOLLOWS)
        except (OSError, asyncpg.PostgresError):
            return False

    def stop(self) -> None:
        self.postgres.ask_to_stop(hurry=True)
        self.postgres.wait_stopped()


@pytest.fixture(scope="session")
def copied(engines):
    with tempfile.TemporaryDirectory(prefix="mercat-standby-") as folder:
        Path(folder).chmod(0o755)
        standby = Standby(Path(folder), engines)
        yield standby
        standby.stop()


@pytest.fixture
async def standby(copied, settings):
    if not await copied.answers():
        copied.postgres.start()
        await until(copied.answers)
    yield copied
    if await copied.answers():
        await copied.do("select pg_wal_replay_resume()")


@pytest.fixture
async def shop(settings, standby):
    """A shop that reads from the replica, which is near enough."""
    async with AsyncExitStack() as stack:
        reading = msgspec.structs.replace(settings, catalog_replicas=standby.url)
        shop = await build_shop(reading, stack)
        await until(lambda: followed(shop))
        yield shop


@pytest.fixture
async def elsewhere(shop, standby):
    """Another process of the shop: caches of its own."""
    async with AsyncExitStack() as stack:
        other = await build_shop(shop.settings, stack)
        await until(lambda: followed(other))
        yield other


async def followed(shop, seen: int = 0) -> bool:
    """Whether what is read comes from the replica."""
    return (await shop.catalog.replicas.fetch(FOLLOWS, seen=seen))[0]["yes"]


async def left_alone(shop) -> bool:
    return not await followed(shop)


async def listed(shop, title="Tea", price=1_000):
    draft = NewProduct(title=title, description="", price=price, currency="USD")
    return await shop.catalog.create(BOB, "Bob's", draft)


async def test_what_was_written_is_seen_by_everybody_while_the_replica_is_behind(shop, elsewhere, standby):
    tea = await listed(shop)
    await until(lambda: followed(shop))
    assert (await elsewhere.catalog.product(tea.product_id)).price == 1_000
    await standby.pause()
    for price in (900, 800):
        await shop.catalog.change_offer(BOB, tea.offer_id, price=price)
        for each in (elsewhere, shop):  # the first to ask reads it from a database
            each.catalog._products.forget(tea.product_id)  # news of it, which may come a moment later
            assert (await each.catalog.product(tea.product_id)).price == price
    await standby.do("select pg_wal_replay_resume()")
    await until(lambda: followed(shop))
    assert (await shop.catalog.product(tea.product_id)).price == 800
    assert (await elsewhere.catalog.product(tea.product_id)).price == 800


async def test_who_was_slow_keeps_nothing_older_than_what_is_known(shop, elsewhere, standby):
    """A reader who looked at the cache before a change, and then at a replica that lacks it."""
    tea = await listed(shop)
    await until(lambda: followed(elsewhere))
    kept = elsewhere.catalog._products._kept
    before = await kept.cleared(tea.product_id)
    await standby.pause()
    await shop.catalog.change_offer(BOB, tea.offer_id, price=900)
    old = await elsewhere.catalog._products.read(tea.product_id, before[1])
    assert not await kept.keep(old, before[0], 5)
    assert (await elsewhere.catalog.product(tea.product_id)).price == 900


async def test_a_process_that_has_seen_a_version_reads_no_older_one(shop, elsewhere, standby, monkeypatch):
    """Though the cache has lost what it knew of the change."""
    monkeypatch.setattr("mercat.kit.replicas.LATE_S", 3_600)
    tea = await listed(shop)
    await until(lambda: followed(elsewhere))
    await standby.pause()
    await shop.catalog.change_offer(BOB, tea.offer_id, price=900)
    products = elsewhere.catalog._products
    assert (await elsewhere.catalog.product(tea.product_id)).price == 900
    await forget_all(elsewhere.host.cache)
    _, held = products._in_process[tea.product_id]
    products._in_process[tea.product_id] = 0.0, held
    assert (await products.read(tea.product_id, 0)).price == 1_000, "the replica is not asked"
    assert (await elsewhere.catalog.product(tea.product_id)).price == 900


async def test_what_a_replica_does_not_know_yet_is_there(shop, elsewhere, standby):
    await standby.pause()
    tea = await listed(shop)
    for each in (shop, elsewhere):
        assert (await each.catalog.product(tea.product_id)).title == "Tea"
        assert [card.title for card in await each.catalog.cards([tea.product_id])] == ["Tea"]
        assert [one.title for one in await each.catalog.names([tea.product_id])] == ["Tea"]
    with pytest.raises(NotFound):
        await shop.catalog.product(ids.new(ids.ProductId))


async def test_a_process_sees_what_it_wrote_itself(shop, standby):
    tea = await listed(shop)
    await until(lambda: followed(shop))
    await standby.pause()
    await shop.catalog.change_product(BOB, tea.product_id, ProductChange(title="Green tea"))
    assert [one.title for one in await shop.catalog.names([tea.product_id])] == ["Green tea"]


async def test_a_replica_that_lags_or_is_gone_is_left_out_until_it_is_back(shop, standby, db):
    tea = await listed(shop)
    await until(lambda: followed(shop))
    await standby.pause()
    await db.execute("select pg_logical_emit_message(true, 'something', 'else')")
    await until(lambda: left_alone(shop))
    await standby.do("select pg_wal_replay_resume()")
    await until(lambda: followed(shop))

    standby.stop()
    assert [one.title for one in await shop.catalog.names([tea.product_id])] == ["Tea"]
    assert await left_alone(shop)
    standby.postgres.start()
    await until(standby.answers)
    await until(lambda: followed(shop))


async def test_a_replica_that_hangs_holds_nobody_up(shop, standby):
    tea = await listed(shop)
    await until(lambda: followed(shop))
    async with standby.hanging("mercat_catalog"):
        for _ in range(3):
            async with asyncio.timeout(8):  # a statement may take 15 s
                assert [one.title for one in await shop.catalog.names([tea.product_id])] == ["Tea"]
    await until(lambda: followed(shop))


async def test_readers_who_have_all_connections_do_not_hide_how_far_a_replica_is(shop, standby):
    [replica] = shop.catalog.replicas._followers
    pool = replica._access.db
    taken = [await pool.acquire() for _ in range(pool.get_max_size())]
    try:
        for _ in range(3):
            await shop.catalog.replicas.keep_looking()
            assert replica.reached > 0
    finally:
        for each in taken:
            await pool.release(each)


async def test_who_does_not_know_how_far_the_primary_is_asks_it_unless_it_is_away(shop, monkeypatch):
    replicas = shop.catalog.replicas
    monkeypatch.setattr("mercat.kit.replicas._KNOWN_FOR_S", -1)
    assert await left_alone(shop)
    gone = asyncpg.create_pool("postgresql://127.0.0.1:9/x", min_size=0)
    async with gone:
        monkeypatch.setattr(replicas, "_primary", gone)
        assert await followed(shop)


async def test_check_says_whether_a_replica_follows(standby, settings, looked_at):
    found = await looked_at(catalog_replicas=standby.url)
    assert "It follows" in found["replica 1", "fine"]
    place = settings.postgres_host.replace("/", "%2F")
    own = f"postgresql://{place}:{settings.postgres_port}/{settings.postgres_database}"
    found = await looked_at(catalog_replicas=f"{own},postgresql://127.0.0.1:9/x")
    assert "follows nobody" in found["replica 1", "wrong"]
    assert "does not answer" in found["replica 2", "wrong"]
