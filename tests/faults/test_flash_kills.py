"""`kill -9` in the middle of a flash sale: of the runner, of Valkey, of a web worker; a line lost whole,
and all that Valkey ever knew. The sale completes, what was offered is sold, and no place is lost."""

import asyncio
import os
import signal
from collections import Counter
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest

from mercat.app import certify
from mercat.flashsale import NewSale
from mercat.kit import clock
from mercat.lab.bench import flash as scene
from mercat.lab.bench.faults import Site, emptied
from mercat.lab.bench.shop import audited, serving, staff

SALE, UNITS, PEOPLE, LATE = "kills", 60, 75, 5
LEASE_S = "4"
"""Whose purchase was cut off by a killed worker waits for so long."""
_AWAY = (502, 503)


class Person:
    """Somebody who joins, waits, buys, and asks again whenever nobody answers."""

    def __init__(self, http, token, body, sale=SALE):
        self.http, self.body, self.sale = http, body, sale
        self.headers = {"Authorization": f"Bearer {token}"}
        self.key = f"flash-{token[:20]}"
        self.order = ""
        self.end = ""
        self.numbers: list[int] = []
        self.odd: list[str] = []
        self.away = 0

    async def lives_through(self):
        queue = f"/flash-sales/{self.sale}/queue"
        await self._ask("POST", queue)
        while not self.end:
            said = await self._ask("GET", queue)
            place = said.json()
            if said.status_code == 404 or place.get("state") == "lapsed":
                joined = await self._ask("POST", queue)
                if joined.status_code == 409:
                    self.end = "sold_out"
                continue
            self.numbers.append(place["number"])
            if place["state"] == "your_turn":
                await self._buys(place["pass"])
            elif place["state"] in ("sold_out", "bought"):
                self.end = place["state"]
            else:
                await asyncio.sleep(0.1)

    async def _buys(self, pass_):
        more = {"Flash-Pass": pass_, "Idempotency-Key": self.key}
        said = await self._ask("POST", "/orders/checkout", content=self.body, **more)
        if said.status_code == 201:
            self.order = said.json()["order_id"]
        elif said.status_code not in (202, 403, 409):
            self.odd.append(said.text)
        else:
            await asyncio.sleep(0.1)  # it is being carried out: "wait for it"

    async def _ask(self, verb, path, content=None, **headers):
        while True:
            try:
                said = await self.http.request(verb, path, content=content, headers=self.headers | headers)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if said.status_code not in _AWAY:
                return said
            self.away += 1
            await asyncio.sleep(0.05)


@pytest.mark.long
async def test_the_sale_completes_whatever_is_killed(tmp_path: Path):
    tmp_path.chmod(0o755)
    async with serving(tmp_path, more={"MERCAT_LEASE_S": LEASE_S}) as connection:
        base = f"http://127.0.0.1:{connection.port}/api/v1"
        async with staff(connection) as shop, httpx.AsyncClient(base_url=base, timeout=20) as http:
            offer = await scene._stock(shop, "A lamp", UNITS)
            sale = NewSale(
                sale_id=SALE,
                offer_id=offer,
                units=UNITS,
                starts_at=clock.now() + timedelta(hours=1),
                rate=12,
                window_s=20,
                per_card=None,
                per_address=None,
            )
            await shop.flashsale.create(sale)
            crowd = await scene._invite(shop, PEOPLE + LATE)
            bodies = [await scene._ready(shop, person, offer) for person in crowd]
            changed = [part for person in crowd for part in (1, str(person.user_id))]
            await shop.host.store.do("ZADD", "carts:changed", *changed)  # so that carts outlive Valkey
            people = [Person(http, each.token, body) for each, body in zip(crowd, bodies, strict=True)]
            lives = [asyncio.create_task(person.lives_through()) for person in people[:PEOPLE]]
            owner = await asyncpg.connect(**connection.postgres())

            async def until(statement: str, least: int) -> None:
                async with asyncio.timeout(60):
                    while (await owner.fetchval(statement)) < least:
                        await asyncio.sleep(0.05)

            site = Site(connection)
            await until("select joined from flashsale.sale", PEOPLE)
            async with asyncio.timeout(30):
                while await shop.host.store.do("ZCARD", "carts:changed"):
                    await asyncio.sleep(0.05)
            await owner.execute("update flashsale.sale set starts_at = now()")
            sold = "select count(*) from flashsale.turn where state in ('claimed', 'used')"
            await until(sold, 8)
            os.kill(site.victim("mercat.cli.work back"), signal.SIGKILL)
            await until(sold, 18)
            os.kill(site.victim("store.sock"), signal.SIGKILL)
            await until(sold, 28)
            os.kill(site.victim("mercat.cli.work web"), signal.SIGKILL)
            await until(sold, 38)
            await shop.host.store.do("DEL", f"flash_queue:{SALE}", f"flash_numbers:{SALE}")
            await until(sold, 44)
            await shop.host.store.do("SET", "witness", 1)
            shown = [person.numbers[-1:] for person in people[:PEOPLE]]
            async with emptied(site):
                lives += [asyncio.create_task(person.lives_through()) for person in people[PEOPLE:]]
            assert await owner.fetchval("select sold from flashsale.sale") < UNITS, "it came too late"
            await until("select sold from flashsale.sale", UNITS)
            async with asyncio.timeout(60):
                await asyncio.gather(*lives)
            await until("select joined from flashsale.sale", PEOPLE + LATE)
            verdict = await shop.flashsale.verify(SALE)
            assert await shop.host.store.do("GET", "witness") is None, "Valkey lost nothing"
            certificate = (await certify(shop, SALE)).certificate
        orders = await owner.fetchval(
            "select sum(quantity) from orders.orders join orders.line using (bucket, order_id) "
            "where offer_id = $1 and status <> 'refused'",
            offer,
        )
        await owner.close()
        ends = Counter(person.end for person in people)
        assert ends == {"bought": UNITS, "sold_out": PEOPLE + LATE - UNITS}
        assert orders == UNITS
        assert verdict.wrong == []
        assert (certificate.units, certificate.sold, certificate.joined) == (UNITS, UNITS, PEOPLE + LATE)
        released = [turn.at for turn in certificate.turns]
        assert released == sorted(released), "out of order"
        assert [law.law for law in certificate.laws if law.violations] == []
        later = {person.numbers[0] for person in people[PEOPLE:]}
        assert later == set(range(PEOPLE + 1, PEOPLE + LATE + 1)), "a place was given twice"
        assert all(shown), "somebody had no place when Valkey lost all"
        assert [person.odd for person in people if person.odd] == []
        assert all(len(set(person.numbers)) <= 1 for person in people), "a place was lost"
        assert [finding for finding in await audited(connection) if finding.violations] == []
