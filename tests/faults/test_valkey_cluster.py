"""A shop on a cluster of Valkeys: a primary is killed while people buy and during a flash sale, slots move,
and all that was kept is gone. Nothing is sold twice, and the books are right."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import asyncpg
import httpx
import pytest
from faults.test_flash_kills import Person
from valkeys import ClusterNode, Valkeys, forget_all, valkeys
from waiting import until

from mercat.flashsale import NewSale
from mercat.flashsale.sale_store import queue_key
from mercat.kit import clock
from mercat.kit.refusals import Unavailable
from mercat.kit.valkey_cluster import slot_of
from mercat.lab.bench import faults as scene
from mercat.lab.bench import flash
from mercat.lab.bench.apart import WHOLE, split
from mercat.lab.bench.crowd import crowded
from mercat.lab.bench.shop import audited, staff

RATE, SHOPPERS = 15, 60
BACK_WITHIN_S = 20
"""A replica is elected within four seconds of a quiet machine, and the processes hear of it at once."""
SALE, UNITS, PEOPLE = "cluster", 40, 50
PARTS = (WHOLE, "back", "relay")


@asynccontextmanager
async def on_a_cluster(folder: Path):
    """A shop of three processes whose store is a cluster with replicas: its address, and the cluster."""
    folder.chmod(0o755)
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(valkeys(folder, replicas=True))
        shop = await stack.enter_async_context(split(folder / "shop", "lease_s = 3"))
        shop.connection = replace(shop.connection, store_url=cluster.url, port=shop.ports[WHOLE])
        await shop.start("", *PARTS)
        yield shop.connection, cluster


async def failed_over(
    cluster: Valkeys, slot: int, falls: Callable[[ClusterNode], None] = ClusterNode.kill
) -> tuple[float, ClusterNode]:
    """Kill who has a slot, without a word; the seconds until a replica has it, and who was killed."""
    victim = await cluster.owner(slot)
    witness = next(node for node in cluster.nodes if node is not victim)
    began = perf_counter()
    falls(victim)

    async def another_has_it() -> bool:
        return await cluster.owner(slot, witness) is not victim

    await until(another_has_it, BACK_WITHIN_S)
    return perf_counter() - began, victim


@pytest.mark.scale
async def test_people_buy_on_when_a_primary_dies_and_while_slots_move_and_when_all_is_lost(tmp_path: Path):
    async with (
        on_a_cluster(tmp_path) as (connection, cluster),
        crowded(connection, RATE, shoppers=SHOPPERS) as crowd,
    ):
        store = crowd.shop.host.store

        async def more_are_told(within: float = BACK_WITHIN_S) -> float:
            """Until a second's orders were told; the seconds that took."""
            began, told = perf_counter(), len(crowd.told)

            async def told_of_more() -> bool:
                return len(crowd.told) >= told + RATE

            await until(told_of_more, within)
            return perf_counter() - began

        crowd.come()
        await more_are_told(60)
        took: dict[str, float] = {}

        await store.do("SET", "witness", 1)
        killed = asyncio.create_task(failed_over(cluster, slot_of("witness")))
        took["orders after a primary died"] = await more_are_told()
        took["failover"], victim = await killed
        victim.start()
        await until(cluster.is_whole, 60)
        assert await store.do("GET", "witness") == b"1"
        await more_are_told()

        hung = asyncio.create_task(failed_over(cluster, slot_of("witness"), ClusterNode.hang))
        took["orders after a primary hung"] = await more_are_told()
        _, victim = await hung
        await more_are_told()
        victim.go_on()
        await until(cluster.is_whole, 60)
        await more_are_told()

        before = crowd.answers.copy()
        await cluster.reshard()
        await more_are_told()
        moved = crowd.answers - before
        assert {status for status in moved if not status.startswith(("201", "202"))} == set(), moved

        await forget_all(store)
        took["orders after all was lost"] = await more_are_told()

        assert await crowd.have_been_served() == 0
        await scene.settled(connection)
        assert await scene.missing(scene.Site(connection), crowd) == (0, 0)
        assert [finding for finding in await audited(connection) if finding.violations] == []
        assert crowd.undocumented == 0, crowd.unlike
        assert max(took.values()) < BACK_WITHIN_S, took


@pytest.mark.scale
async def test_a_flash_sale_goes_on_when_the_server_of_its_line_dies(tmp_path: Path):
    async with AsyncExitStack() as stack:
        connection, cluster = await stack.enter_async_context(on_a_cluster(tmp_path))
        shop = await stack.enter_async_context(staff(connection))
        base = f"http://127.0.0.1:{connection.port}/api/v1"
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=base, timeout=20))
        offer = await flash._stock(shop, "A lamp", UNITS)
        sale = NewSale(
            sale_id=SALE,
            offer_id=offer,
            units=UNITS,
            starts_at=clock.now() + timedelta(hours=1),
            rate=3,
            window_s=30,
            per_card=None,
            per_address=None,
        )
        await shop.flashsale.create(sale)
        crowd = await flash._invite(shop, PEOPLE)
        bodies = [await flash._ready(shop, person, offer) for person in crowd]
        people = [Person(http, each.token, body, SALE) for each, body in zip(crowd, bodies, strict=True)]
        lives = [asyncio.create_task(person.lives_through()) for person in people]
        owner = await asyncpg.connect(**connection.postgres())
        stack.push_async_callback(owner.close)

        async def counted(statement: str, least: int) -> None:
            async def there() -> bool:
                return await owner.fetchval(statement) >= least

            await until(there, 60)

        sold = "select count(*) from flashsale.turn where state = 'used'"
        await counted("select joined from flashsale.sale", PEOPLE)
        await owner.execute("update flashsale.sale set starts_at = now()")
        await counted(sold, 5)
        await failed_over(cluster, slot_of(queue_key(SALE)))
        left = UNITS - await owner.fetchval("select sold from flashsale.sale")
        assert left > 5, "it came too late"
        await counted("select sold from flashsale.sale", UNITS - left // 2)

        async def heard() -> bool:
            try:
                return await shop.host.store.do("EXISTS", queue_key(SALE))
            except Unavailable:
                return False

        await until(heard)
        await forget_all(shop.host.store)
        async with asyncio.timeout(120):
            await asyncio.gather(*lives)
        verdict = await shop.flashsale.verify(SALE)
        ends = Counter(person.end for person in people)
        assert ends["bought"] == await owner.fetchval("select sold from flashsale.sale") <= UNITS
        assert verdict.wrong == []
        assert all(len(set(person.numbers)) <= 1 for person in people), "a place was lost"
        assert [person.odd for person in people if person.odd] == []
        assert [finding for finding in await audited(connection) if finding.violations] == []
