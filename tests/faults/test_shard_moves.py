"""Buckets of orders move to a PostgreSQL cluster that is new, while people buy and cancel, and back."""

import asyncio
import os
import re
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import msgspec
import pytest
from faults.test_order_shards import ORDERS
from waiting import until

from mercat import ids
from mercat.audit import audit_shop
from mercat.embedded import Home
from mercat.ids import OrderId, UserId
from mercat.kit.refusals import Unavailable
from mercat.kit.rpc import Caller
from mercat.lab.bench import faults as scene
from mercat.lab.bench.crowd import crowded
from mercat.lab.bench.shop import address_of, order_cluster, serving
from mercat.settings import load
from mercat.shard_places import show_buckets

RATE = 30
SHOPPERS = 200
BUCKETS = 64
_SHARE = 8
"""Of the orders every so many is cancelled."""


class Cancels:
    """An operator who cancels some of what is bought, whatever happens meanwhile."""

    def __init__(self, crowd) -> None:
        self._crowd = crowd
        self._operator = Caller(ids.new(UserId), frozenset({"operator"}), name="Olga")
        self.done: set[str] = set()
        self.ended = False

    async def work(self) -> None:
        while not (self.ended and len(self.done) >= len(self._crowd.told) // _SHARE):
            for order in [*self._crowd.told.values()][len(self.done) * _SHARE :: _SHARE]:
                order_id = ids.parse(OrderId, order)
                while not await self._cancels(order_id):
                    await asyncio.sleep(0.05)
                self.done.add(order)
            await asyncio.sleep(0.05)

    async def _cancels(self, order_id: OrderId) -> bool:
        try:
            await self._crowd.shop.checkout.cancel(self._operator, order_id, by="operator")
        except Unavailable:
            return False
        return True


@pytest.mark.scale
async def test_buckets_move_while_people_buy_and_cancel_and_nothing_is_lost(tmp_path: Path):
    tmp_path.chmod(0o755)
    home = Home(tmp_path / "main")
    async with AsyncExitStack() as stack:
        c = stack.enter_context(order_cluster(tmp_path / "c", home.key))
        url = address_of(c)
        more = {"MERCAT_ORDERS_SHARDS": f"main 0-1023; c - {url}", "MERCAT_LEASE_S": "3"}
        connection = await stack.enter_async_context(serving(home.path, more=more))
        settings = load({**os.environ, **connection.environment(), **more})
        own, of_c = (settings.at(place) for place in settings.shards())

        async def orders(place, where=""):
            db = await asyncpg.connect(**place.owner())
            try:
                return {str(OrderId(row[0])) for row in await db.fetch(f"{ORDERS} {where}")}
            finally:
                await db.close()

        async def mercat(*arguments, until_moved=0):
            """Run the command; `until_moved`: and kill it after so many buckets."""
            command = [sys.executable, "-m", "mercat", "shard", *arguments, "--data", str(home.path)]
            process = await asyncio.create_subprocess_exec(
                *command,
                env={**os.environ, **more},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said = ""
            assert process.stdout
            while line := (await process.stdout.readline()).decode():
                said += line
                if until_moved and line.startswith(f"{until_moved} of"):
                    process.kill()
            return await process.wait(), said

        crowd = await stack.enter_async_context(crowded(connection, RATE, shoppers=SHOPPERS, more=more))
        theirs = sorted({shopper._user_id.bucket for shopper in crowd._all})[:BUCKETS]
        assert len(theirs) == BUCKETS
        cancels = Cancels(crowd)
        cancelling = asyncio.create_task(cancels.work())
        crowd.come()

        async def bought(enough):
            return len(crowd.told) >= enough

        await until(lambda: bought(2 * RATE), 60)
        all_of_them = show_buckets(theirs)
        code, said = await mercat("move", all_of_them, "--to", "c", "--no-clear", until_moved=20)
        assert code < 0, said
        code, said_again = await mercat("move", all_of_them, "--to", "c", "--no-clear")
        assert code == 0, said_again
        code, there = await mercat("status", "--json")
        assert code == 0
        there = msgspec.json.decode(there.splitlines()[-1])
        assert there["databases"][1]["buckets"] == all_of_them
        had = len(crowd.told)
        await until(lambda: bought(had + 2 * RATE), 60)
        code, said_back = await mercat("move", all_of_them, "--back")
        assert code == 0, said_back
        had = len(crowd.told)
        await until(lambda: bought(had + 2 * RATE), 60)

        assert await crowd.have_been_served() == 0
        cancels.ended = True
        await cancelling
        await scene.settled(connection)
        moved = (said, said_again, said_back)
        waits = [
            int(each.replace(",", "")) for text in moved for each in re.findall(r"waited ([\d,]+) ms", text)
        ]
        assert len(waits) >= 2 * BUCKETS - 1
        assert max(waits) < 5_000  # as long as an order's placing waits for its database
        there = await orders(own) | await orders(of_c)
        assert {*crowd.told.values()} <= there
        assert await orders(of_c) == set()
        cancelled = await orders(own, "and status = 'cancelled'") | await orders(
            of_c, "and status = 'cancelled'"
        )
        assert cancelled == cancels.done
        assert len(cancelled) > RATE // 2
        assert crowd.undocumented == 0, crowd.unlike
        found = await audit_shop(settings)
        assert [each for each in found if each.violations] == []
        placed = next(each for each in found if each.law == "an order has one captured payment of its total")
        assert placed.checked == len(there)
