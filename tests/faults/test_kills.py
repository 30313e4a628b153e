"""`kill -9` of each process of a shop that sells, in turn; then of all of them at once."""

import asyncio
import os
import signal
import subprocess
import time
import uuid
from collections import Counter
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import httpx

from mercat.bench import checkout as scene
from mercat.bench.shop import audited, serving, staff
from mercat.ids import OrderId
from mercat.kit import wire

_BUYERS = 40
_MORE_ORDERS = 20
_BACK_WITHIN_S = 5
_VICTIMS = ("mercat.worker web", "mercat.worker back", "bin/postgres", "store")


class Crowd:
    """Shoppers who buy one thing after another, and ask again with the same key until they are told."""

    def __init__(self, port, buyers, offers):
        self.base = f"http://127.0.0.1:{port}/api/v1"
        self.buyers, self.offers = buyers, offers
        self.told: dict[str, str] = {}
        self.unheard_of: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.going = True

    async def buy_on(self, n):
        buyer = self.buyers[n]
        headers = {"Authorization": f"Bearer {buyer.token}"}
        async with httpx.AsyncClient(base_url=self.base, timeout=20, headers=headers) as http:
            while self.going:
                item = {"offer_id": str(self.offers[n % len(self.offers)]), "quantity": 1}
                added = await self._ask(http, "/cart/items", wire.encode(item))
                if added is not None and added.status_code == 200:
                    await self._buy(http, buyer, uuid.uuid4().hex)

    async def _buy(self, http, buyer, key):
        ask = {
            "shipping_address_id": buyer.address_id,
            "payment_method_id": buyer.payment_method_id,
            "shipping_method": "standard",
            "email": "shopper@example.com",
        }
        while True:
            said = await self._ask(http, "/orders/checkout", wire.encode(ask), key)
            if said is None or said.status_code in (202, 503):
                continue
            code = said.json().get("code")
            if said.status_code == 201:
                self.told[key] = said.json()["order_id"]
            elif code == "checkout_in_progress":
                continue
            elif code != "cart_empty":
                self.unheard_of.append(said.text)
            return

    async def _ask(self, http, path, body, key=None):
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        try:
            said = await http.post(path, content=body, headers=headers)
        except httpx.TransportError:
            await asyncio.sleep(0)
            return None
        self.statuses[said.status_code] += 1
        if said.status_code >= 500 and said.status_code != 503:
            self.unheard_of.append(said.text)
        return said

    async def more(self, orders):
        until = len(self.told) + orders
        async with asyncio.timeout(30):
            while len(self.told) < until:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def buying(connection):
    async with staff(connection) as shop:
        offers = await scene._stock_shelves(shop)
        crowd = Crowd(connection.port, (await scene._invite(shop))[:_BUYERS], offers)
    tasks = [asyncio.create_task(crowd.buy_on(n)) for n in range(_BUYERS)]
    try:
        yield crowd
    finally:
        crowd.going = False
        async with asyncio.timeout(60):
            await asyncio.gather(*tasks)


def family(root):
    """A process and all below it: number to command line."""
    listed = subprocess.run(["ps", "-ewwo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    found = {root}
    for _ in rows:
        found |= {int(pid) for pid, parent, *_ in rows if int(parent) in found}
    return {
        int(pid): args for pid, _, *rest in rows if int(pid) in found for args in [rest[0] if rest else ""]
    }


def victim(root, what):
    return min(pid for pid, args in family(root).items() if what in args and pid != root)


async def must_add_up(connection, crowd):
    """Every order a shopper was told of is there, none twice; nothing is left undone; no law is broken."""
    owner = await asyncpg.connect(**connection.postgres())
    async with asyncio.timeout(40):
        while await owner.fetchval("select count(*) from checkout.running"):
            await asyncio.sleep(0.1)
    placed = await owner.fetch(
        "select o.order_id, c.key from orders.orders o join checkout.checkout c using (checkout_id) "
        "where o.status <> 'refused'"
    )
    by_key = Counter(row["key"] for row in placed)
    stands = {row["key"]: str(OrderId(row["order_id"])) for row in placed}
    await owner.close()
    assert not [key for key, orders in by_key.items() if orders > 1]
    assert {key: stands.get(key) for key in crowd.told} == crowd.told
    assert [finding for finding in await audited(connection) if finding.violations] == []
    async with staff(connection) as shop:
        assert await scene._drained(shop) < 30
    assert crowd.unheard_of == []


async def test_each_process_comes_back_and_nothing_is_lost(tmp_path: Path):
    tmp_path.chmod(0o755)
    async with serving(tmp_path) as connection:
        async with buying(connection) as crowd:
            await crowd.more(_MORE_ORDERS)
            for what in _VICTIMS:
                killed = victim(connection.supervisor, what)
                os.kill(killed, signal.SIGKILL)
                began = time.monotonic()
                async with asyncio.timeout(30):
                    while not any(
                        what in args and pid != killed for pid, args in family(connection.supervisor).items()
                    ):
                        await asyncio.sleep(0.02)
                assert time.monotonic() - began < _BACK_WITHIN_S, what
                await crowd.more(_MORE_ORDERS)
        await must_add_up(connection, crowd)


async def test_after_kill_9_of_everything_the_next_start_loses_nothing(tmp_path: Path):
    tmp_path.chmod(0o755)
    async with serving(tmp_path) as connection:
        async with staff(connection) as shop:
            offers = await scene._stock_shelves(shop)
            crowd = Crowd(connection.port, (await scene._invite(shop))[:_BUYERS], offers)
        tasks = [asyncio.create_task(crowd.buy_on(n)) for n in range(_BUYERS)]
        await crowd.more(3 * _MORE_ORDERS)
        processes = family(connection.supervisor)
        crowd.going = False
        for pid in processes:
            with suppress(ProcessLookupError):  # some live for a moment only
                os.kill(pid, signal.SIGKILL)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with serving(tmp_path) as connection:
        crowd.base = ""
        await must_add_up(connection, crowd)
