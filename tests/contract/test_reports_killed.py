"""Reports equal the books whatever dies: killed between facts and position, the engine away or older, events
twice and in another order."""

import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest
from contract.test_analytics_engine import look, sold
from contract.test_reports import BOB, CARL, OLGA, Sales, broken, engine_opened
from fact_engines import clickhouse
from fact_engines import engine as engine
from fact_engines import facts as facts
from house import ANN, credentials
from house import opened as opened
from journeys.people import until

from mercat.analytics.engine import Batch, FactEngine
from mercat.analytics.engines.clickhouse import ClickHouseEngine
from mercat.analytics.engines.duckdb import FILE, DuckDbEngine
from mercat.events import AnyEvent
from mercat.kit import codec

REPORTS = ("sales", "orders", "products", "searches", "funnel", "cohorts", "stock")
PEOPLE = {"bob": BOB, "carl": CARL, "olga": OLGA}
VICTIM = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from contract.test_analytics_engine import sold
from mercat.analytics.engine import Batch
from mercat.analytics.engines.duckdb import DuckDbEngine

engine = DuckDbEngine(Path({file!r}), 256)
first = (engine.position() or 0) + 1
dies = {dies!r}
for order in range(first, first + 40):
    batch = Batch([sold(order), sold(order, 1)])
    if dies == "between" and order == first + 3:
        engine._db.execute("begin")
        engine.add(batch)
        print(order, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    engine.append(batch, order)
    print(order, flush=True)
    if dies == "after" and order == first + 3:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(file: Path, dies: str, after: int = 0) -> int:
    """Let a process write orders into the engine until it is killed; return the last one that it named."""
    tests = str(Path(__file__).parents[1])
    text = VICTIM.format(tests=tests, file=str(file), dies=dies)
    child = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    said = 0
    for line in child.stdout:
        said = int(line)
        if after and said >= after:
            child.kill()
            break
    child.stdout.read()
    assert child.wait() == -signal.SIGKILL
    return said


HOLDER = "import duckdb, sys; db = duckdb.connect({!r}); print('has it', flush=True); sys.stdin.read()"


def held(file: Path) -> subprocess.Popen:
    """Let another process have the engine's file until it is killed."""
    text = HOLDER.format(str(file))
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", text], stdin=pipe, stdout=pipe, text=True)


def sums(engine: FactEngine) -> tuple[int, int]:
    rows = engine.ask("days", {"every": True, "days": []})
    whole = next((row for row in rows if row["seller_id"] == 0), {"orders": 0, "gross": 0})
    return whole["orders"], whole["gross"]


def test_who_is_killed_between_facts_and_position_leaves_neither_and_goes_on_without_a_gap(tmp_path):
    file = tmp_path / FILE
    last = killed(file, "between")
    engine = DuckDbEngine(file, 256)
    assert engine.position() == last - 1 == 3
    assert sums(engine) == (3, 3_000), "what was being written is not there"
    engine.close()
    last = killed(file, "after")
    engine = DuckDbEngine(file, 256)
    assert engine.position() == last == 7
    assert sums(engine) == (7, 7_000)
    engine.close()
    for _ in range(3):  # at any moment
        reached = killed(file, "anywhere", after=last + 2)
        engine = DuckDbEngine(file, 256)
        position = engine.position()
        assert position is not None
        assert position >= reached
        assert sums(engine) == (position, position * 1_000), "facts and position are one"
        engine.close()
        last = position


def test_batches_twice_and_in_another_order_come_to_the_same(engine):
    batches = [Batch([sold(order), sold(order, 1)]) for order in range(1, 9)]
    for position, batch in enumerate([*reversed(batches), *batches, *batches[::2]], 1):
        engine.append(batch, position)
    assert sums(engine) == (8, 8_000)


class Shop:
    """A shop that is opened again and again on the same books, with the people who sold and bought in it."""

    def __init__(self, opened, db, settings, facts) -> None:
        self._opened, self._db, self._facts = opened, db, facts
        self._file = settings.data / "analytics" / FILE
        self._known = None

    @asynccontextmanager
    async def open(self):
        async with self._opened(**self._facts.settings) as house:
            if self._known is None:
                people = [await house.member(each) for each in PEOPLE.values()]
                sales = await Sales(house, await house.member(), people[0], people[1], people[2]).open()
                self._known = sales
            else:
                sales = Sales(house, *[await self._again(house, each) for each in (ANN, BOB, CARL, OLGA)])
                sales.way, sales.offers, sales.sellers = (
                    self._known.way,
                    self._known.offers,
                    self._known.sellers,
                )
            yield sales

    async def _again(self, house, account):
        visitor = await house.visitor()
        await visitor.api("POST", "/sessions", 201, credentials(account))
        return visitor

    async def told_of_looks(self, sales):
        """Wait until the whole way of who bought is counted; a worker tells what it saw every two seconds."""

        async def all_steps():
            return all(row["visitors"] for row in (await sales.report("funnel"))["rows"])

        await until(all_steps, 30)

    async def reports(self, sales):
        """All reports once the log is read, without how late they are."""

        async def drained():
            return (
                sales.house.shop.analytics.keeper.is_open
                and (await sales.house.shop.host.standing("analytics")).oldest is None
            )

        await until(drained, 30)
        await sales.house.shop.analytics.keeper.digest()
        assert set((await broken(self._db)).values()) == {0}
        found = {}
        for name in REPORTS:
            report = await sales.report(name)
            found[name] = report["rows"], report["totals"]
        return found

    def lose_facts(self):
        """What the engine has is older than what was read once: nothing, up to the first event."""
        if self._facts.settings:
            engine = self._facts.open()
            engine._send("truncate table told", {})
            engine.append(Batch(), 1)
            engine.close()
            return
        with duckdb.connect(str(self._file)) as engine:
            engine.execute("delete from fact")
            engine.execute("update reached set position = 1")

    @contextmanager
    def without_engine(self):
        if self._facts.settings:
            clickhouse().die()
            yield
            clickhouse().start()
            return
        holder = held(self._file)
        try:
            assert holder.stdout
            assert holder.stdout.readline() == "has it\n"
            yield
        finally:
            os.kill(holder.pid, signal.SIGKILL)
            holder.wait()


@pytest.fixture
def shop(opened, db, settings, facts):
    return Shop(opened, db, settings, facts)


SINCE_EVER = {"since": datetime(1900, 1, 1), "until": datetime(2200, 1, 1), "looks": "looks_everybody"}
WRITER = """
import sys
sys.path.insert(0, {tests!r})
from contract.test_analytics_engine import look, sold
from mercat.analytics.engine import Batch
from mercat.analytics.engines.clickhouse import ClickHouseEngine

engine = ClickHouseEngine({url!r})
sends, left = engine._send, {requests!r}

def send(*args, **more):
    global left
    answer = sends(*args, **more)
    left -= 1
    if left == 0:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

engine._send = send
if {anew!r}:
    engine.start_anew()
    engine.add(Batch([sold(1), sold(2)]))
    engine.finish(20)
else:
    engine.append(Batch([sold(2)], looks=[look(1, 0)]), 11)
print("whole")
"""


@pytest.mark.scale
@pytest.mark.parametrize("anew", [False, True])
def test_who_is_killed_after_any_request_to_clickhouse_and_begins_again_comes_to_the_same(anew):
    before, after = (1, 500), (2, 1_000)
    said, requests = "", 0
    while said != "whole\n":
        requests += 1
        url = clickhouse().new_url()
        engine = ClickHouseEngine(url)
        engine.append(Batch([sold(1)]), 10)
        text = WRITER.format(tests=str(Path(__file__).parents[1]), url=url, requests=requests, anew=anew)
        said = subprocess.run([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True).stdout
        assert sums(engine) in (before, after)
        if sums(engine) == before:
            assert engine.position() == 10, "no position without its facts"
        for _ in range(2):
            engine.append(Batch([sold(2), sold(1)], looks=[look(1, 0)]), 21)
            assert sums(engine) == after
            [seen] = engine.ask("views_in_all", SINCE_EVER)
            assert seen["views"] == 1
        engine.close()
    assert requests > 3


def test_an_insert_whose_answer_was_lost_is_not_stored_twice():
    engine = ClickHouseEngine(clickhouse().new_url())
    for _ in range(3):
        engine._insert_facts([sold(1)], 10, whole=True)
    assert b"2" in engine._send("select count() from told format TSV", {}), "the fact and the position"
    engine.close()


async def test_all_reports_are_the_same_whatever_died_and_came_twice(shop, db):
    async with shop.open() as sales:
        await engine_opened(sales.house)
        order = await sales.buys(Bob=2, Carl=1)
        await sales.ann.api("POST", f"/orders/{order['order_id']}/cancel", 200, {})
        await sales.buys(Bob=1)
        await sales.counted(orders=2, refunds=order["total"])
        await shop.told_of_looks(sales)
        before = await shop.reports(sales)
        assert before["sales"][1]["orders"] == 2

        # Events come twice, late and backwards.
        rows = await db.fetch("select id, body from events.log order by id")
        read = codec.decoder(cast(Any, AnyEvent))
        told = [(row["id"], read.decode(row["body"])) for row in rows]
        follow = sales.house.shop.analytics.keeper.follow
        told = [each for each in told if isinstance(each[1], follow.consumes)]
        assert len(told) > 4
        await follow(list(reversed(told)))
        for each in reversed(told):
            await follow([each])
        await follow([*told, *told])
        assert await shop.reports(sales) == before

    # Killed after the facts, before the follower's position: all is read again.
    await db.execute("update events.position set at = 0 where follower = 'analytics'")
    async with shop.open() as sales:
        assert await shop.reports(sales) == before

    # The engine is older than what was read: it is read anew from who owns it.
    shop.lose_facts()
    async with shop.open() as sales:
        after = await shop.reports(sales)
        assert {name: after[name] for name in ("sales", "orders", "cohorts", "stock")} == {
            name: before[name] for name in ("sales", "orders", "cohorts", "stock")
        }


async def test_while_the_engine_is_away_the_shop_sells_and_afterwards_nothing_is_missing(shop, db):
    async with shop.open() as sales:
        await engine_opened(sales.house)
        await sales.buys(Bob=1)
        await sales.counted(orders=1)
    with shop.without_engine():
        async with shop.open() as sales:
            await sales.olga.api("GET", "/operator/reports/sales", 503)
            await sales.buys(Bob=2, Carl=1)
            await sales.buys(Carl=1)
    async with shop.open() as sales:
        found = await shop.reports(sales)
        assert found["sales"][1]["orders"] == 3
        assert found["sales"][1]["gross"] == pytest.approx(10 + 20 + 2 * 7.49)
