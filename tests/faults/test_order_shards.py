"""Orders on three PostgreSQL clusters: one is killed under load, the others sell on, the books balance."""

import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import httpx
import pytest
from waiting import until

from mercat.audit import audit_shop
from mercat.embedded import Home
from mercat.embedded.engine import wait_ready
from mercat.ids import OrderId
from mercat.lab.bench import faults as scene
from mercat.lab.bench.crowd import crowded
from mercat.lab.bench.shop import address_of, order_cluster, serving
from mercat.settings import load

RATE = 40
SHOPPERS = 120
ORDERS = "select order_id from orders.orders where status <> 'refused'"


@pytest.mark.scale
async def test_a_cluster_of_orders_that_dies_hurts_its_buyers_alone_and_comes_back(tmp_path: Path):
    tmp_path.chmod(0o755)
    home = Home(tmp_path / "main")
    async with AsyncExitStack() as stack:
        b, c = [stack.enter_context(order_cluster(tmp_path / name, home.key)) for name in "bc"]
        shards = f"main 0-399; b 400-699 {address_of(b)}; c 700-1023 {address_of(c)}"
        more = {"MERCAT_ORDERS_SHARDS": shards, "MERCAT_LEASE_S": "3"}
        connection = await stack.enter_async_context(serving(home.path, more=more))
        settings = load({**os.environ, **connection.environment(), **more})

        async def orders(place):
            db = await asyncpg.connect(**place.owner())
            try:
                return {OrderId(row[0]) for row in await db.fetch(ORDERS)}
            finally:
                await db.close()

        own, of_b, of_c = (settings.at(place) for place in settings.shards())

        async def grown(place, before, more=RATE):
            return len(await orders(place)) >= before + more

        crowd = await stack.enter_async_context(crowded(connection, RATE, shoppers=SHOPPERS, more=more))
        crowd.come()
        for place in (own, of_b, of_c):
            await until(lambda place=place: grown(place, 0, 10), 30)

        assert c.process
        os.kill(c.process.pid, signal.SIGKILL)
        c.process.wait()
        before = [len(await orders(place)) for place in (own, of_b)]
        for place, had in zip((own, of_b), before, strict=True):
            await until(lambda place=place, had=had: grown(place, had), 30)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{connection.port}") as http:
            assert (await http.get("/health")).json() == {"status": "ok", "orders_missing": ["c"]}
            assert (await http.get("/ready")).status_code == 200

        c.start()
        wait_ready([c])
        had = len(await orders(of_c))
        await until(lambda: grown(of_c, had), 30)
        assert await crowd.have_been_served() == 0
        await scene.settled(connection)
        there = await orders(own) | await orders(of_b) | await orders(of_c)
        assert {*crowd.told.values()} <= {str(order_id) for order_id in there}
        assert crowd.undocumented == 0, crowd.unlike
        found = await audit_shop(settings)
        assert [each for each in found if each.violations] == []
        placed = next(each for each in found if each.law == "an order has one captured payment of its total")
        assert placed.checked == len(there) > 3 * RATE
