"""`mercat check --config` asks everything that a file names, says what contradicts, and changes nothing."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import msgspec
import pytest
from contract.test_stand_ins import listening
from search_nodes import answering
from waiting import until

from mercat.app import build_shop, internal_app
from mercat.cli.checking_config import look_over_config
from mercat.kit.host import queries
from mercat.kit.refusals import Unavailable
from mercat.kit.valkey_cluster import SLOTS
from mercat.kit.wal import open_slot

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def looked_at(settings, tmp_path):
    async def looked_at(sections="", **more):
        told = {
            "secret_key": settings.secret_key,
            "postgres_host": settings.postgres_host,
            "postgres_port": settings.postgres_port,
            "postgres_database": settings.postgres_database,
            "store_url": settings.store_url,
            "cache_url": settings.cache_url,
            "data": str(tmp_path),
            **more,
        }
        lines = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in told.items()]
        (file := Path(tmp_path, "shop.toml")).write_text("\n".join([*lines, sections]))
        found = await asyncio.to_thread(look_over_config, file)
        said: dict[tuple[str, str], str] = {}
        for each in found:
            said[each.what, each.level] = f"{said.get((each.what, each.level), '')} {each.said}".strip()
        return said

    return looked_at


async def test_a_shop_that_is_well_is_found_so(looked_at, db, settings):
    await open_slot(db)
    found = await looked_at()
    assert {what for what, level in found if level == "wrong"} == set(), found
    assert {what for what, level in found if level == "fine"} == {
        "secret",
        "postgres",
        "versions",
        "clock",
        "ids",
        "store",
        "cache",
    }
    assert "256 of 256" in found["ids", "fine"]
    assert found["relay", "look"] == "No relay reads events."
    assert "index is in the data folder" in found["search", "look"]
    assert await db.fetchval("select count(*) from events.id_number where holder is not null") == 0


async def test_what_contradicts_is_named(looked_at, settings):
    found = await looked_at(
        f'[services]\nreviews = "{NOBODY}"\nrewiews = "{NOBODY}"',
        store_url=settings.cache_url,
        pool_sise=3,
        postgres_database="nowhere",
        secret_key="development",
    )
    assert "MERCAT_POOL_SIZE" in found["settings", "look"]
    assert "everybody knows" in found["secret", "wrong"]
    assert "are one Valkey" in found["valkey", "wrong"]
    assert "evicts" in found["store", "wrong"]
    assert "does not answer" in found["postgres", "wrong"]
    assert "does not answer" in found["ids", "wrong"]
    assert "no service 'rewiews'" in found["services", "wrong"]
    assert "does not answer" in found["services", "wrong"]


async def test_a_neighbour_is_asked_whether_it_knows_us(looked_at, settings, db):
    await open_slot(db)

    async with AsyncExitStack() as stack:
        shop = await build_shop(msgspec.structs.replace(settings, services="reviews"), stack)
        http = await stack.enter_async_context(listening(internal_app(shop)))
        services = f'[services]\nreviews = "{http.base_url}"'
        assert "reviews answers at" in (await looked_at(services))["services", "fine"]
        stranger = await looked_at(services, secret_key="another")
        assert "another secret" in stranger["services", "wrong"]


async def test_every_node_of_opensearch_is_looked_at_whichever_is_down(looked_at):
    with answering(200, 401) as (sound, refuses):
        found = await looked_at(opensearch_url=f"{NOBODY},{sound.url},{refuses.url}")
    assert sound.url.removeprefix("http://") in found["search", "fine"]
    assert "does not answer at 127.0.0.1:9" in found["search", "wrong"]
    assert "OpenSearch answers 401" in found["search", "wrong"]


async def test_a_file_that_cannot_be_is_said(looked_at):
    assert "[orders] has [orders.shards]" in (await looked_at("[orders]\nshards = 4"))["settings", "wrong"]


async def test_a_log_that_is_in_kafka_is_missed(looked_at, db):
    await open_slot(db)
    await db.execute("update events.relayed set closed = last_id")
    assert "goes on in Kafka" in (await looked_at())["log", "wrong"]
    await db.execute("update events.relayed set closed = null")


async def test_a_cluster_is_looked_at(looked_at, three):
    found = await looked_at(store_url=three.url)
    assert "a cluster with 3 primaries" in found["store", "fine"]
    assert found["store", "look"].startswith("3 of 3 primaries have no replica")
    assert "It is a cluster" in (await looked_at(store_url=three.primaries[0].url))["store", "wrong"]
    assert "are one Valkey" in (await looked_at(store_url=three.url, cache_url=three.url))["valkey", "wrong"]


async def test_what_contradicts_in_a_cluster_is_named(looked_at, three, settings):
    strangers = f"{three.url},valkey://127.0.0.1:9,{settings.cache_url}"
    assert "2 of 5 addresses" in (await looked_at(store_url=strangers))["store", "look"]
    nobody = "valkey://127.0.0.1:9,valkey://127.0.0.1:10"
    assert "does not answer" in (await looked_at(store_url=nobody))["store", "wrong"]

    last = three.primaries[2]
    await last.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        assert (
            "One of its primaries may lose carts" in (await looked_at(store_url=three.url))["store", "wrong"]
        )
        assert "a cluster" in (await looked_at(cache_url=three.url))["cache", "fine"]
    finally:
        await last.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")

    async def lacks() -> str:
        for node in reversed(three.primaries):  # who is not told at once hears again that it is there
            with suppress(Unavailable):
                await node.ask("CLUSTER", "DELSLOTSRANGE", SLOTS - 100, SLOTS - 1)
        return (await looked_at(store_url=three.url)).get(("store", "wrong"), "")

    try:
        assert "100 of 16384 slots are on no server" in await until(lacks)
    finally:
        await last.ask("CLUSTER", "ADDSLOTSRANGE", SLOTS - 100, SLOTS - 1)
        await until(three.is_whole)


async def test_a_log_that_came_back_is_read_in_kafka_first(looked_at, db):
    await open_slot(db)
    await db.execute("update events.relayed set before_kafka = 0, kafka_ends = '{5}'")
    assert "have not read that to its end" in (await looked_at())["log", "wrong"]
    await db.execute("insert into events.position (follower, partition, at) values ('reviews', 1, 5)")
    await db.execute(queries.forget_kafka)
    assert "and all have read Kafka's" in (await looked_at("log_back = true"))["log", "look"]
    assert await db.fetchval("select kafka_base from events.relayed") == 1
