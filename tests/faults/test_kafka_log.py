"""The event log in a real Kafka: once each and in order, whoever dies when."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import confluent_kafka as kafka
import msgspec
import pytest
from certificates import write_certificate
from contract.test_orders import new_order
from contract.test_shard_moves import move
from kafka_broker import Broker, broker
from shard_databases import BUCKETS, user_of
from shard_databases import databases as databases
from shard_databases import several_settings as several_settings
from waiting import until

from mercat import ids
from mercat.app import build_shop
from mercat.events import OrderPlaced, RatingChanged
from mercat.kit import codec
from mercat.kit.event_log import FactsGone, Follower, Position, Relay, on
from mercat.kit.kafka_log import FactsTopic, KafkaAway, KafkaLog, look_at
from mercat.kit.postgres_log import KafkaUnread, LogClosed, PostgresLog, queries
from mercat.kit.wal import WalEvent, open_slot
from mercat.lab.bench import faults as scene
from mercat.lab.bench.crowd import crowded
from mercat.lab.bench.shop import audited, free_port, serving
from mercat.orders import SomeNotPlaced
from mercat.resharding import CannotMove
from mercat.search import SearchQuery

pytestmark = pytest.mark.scale
KEYS = 300


class Heard:
    """Writes down in PostgreSQL what it is told."""

    @on(RatingChanged)
    async def hear(self, db, events):
        rows = [(int(each.product_id), each.version) for each in events]
        await db.executemany("insert into events.heard (key, version) values ($1, $2)", rows)


@dataclass
class Told:
    """Tells facts of many keys, each with the next version of its key; some are rolled back."""

    db: Any
    version: dict[int, int] = field(default_factory=dict)

    async def some(self, count=50):
        facts = []
        for _ in range(count):
            key = random.randrange(KEYS)
            self.version[key] = self.version.get(key, 0) + 1
            facts.append(text_of(key, self.version[key]))
        async with self.db.acquire() as connection:
            await connection.execute(
                "select events.tell_json('RatingChanged', body) from unnest($1::text[]) body", facts
            )
            rolled_back = connection.transaction()
            await rolled_back.start()
            await connection.execute("select events.tell_json('RatingChanged', $1)", text_of(0, 999_999))
            await rolled_back.rollback()

    async def for_a_while(self, seconds):
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            await self.some()
            await asyncio.sleep(0.02)

    @property
    def count(self):
        return sum(self.version.values())


def text_of(key, version):
    product = ids.ProductId(key << 12)  # of bucket `key`
    event = RatingChanged(product_id=product, version=version, rating=5, review_count=1)
    return codec.text(event)


@pytest.fixture(scope="module")
def node() -> Broker:
    return broker()


@pytest.fixture
def on_kafka(settings, node):
    """The settings of a shop whose log is in Kafka."""
    return msgspec.structs.replace(
        settings, kafka_url=f"kafka://{node.address}", kafka_topic=node.new_topic()
    )


@pytest.fixture
async def events(pool):
    return await pool("events")


@pytest.fixture
async def heard(db, events):
    """A table for what a follower hears; `heard.all(told)`: everything once, each key in order."""
    await db.execute("create table events.heard (n bigserial, key bigint, version int)")
    await db.execute(
        "grant all on events.heard to mercat_events; grant all on events.heard_n_seq to mercat_events"
    )

    async def all_of(told):
        assert await db.fetchval("select count(*) from events.heard") <= told.count
        return await db.fetchval("select count(*) = $1 from events.heard", told.count)

    async def in_order():
        return await db.fetchval("""
            select count(*) = 0 from (
                select version, row_number() over (partition by key order by n) as nth from events.heard
            ) h where version <> nth""")

    yield all_of, in_order
    await db.execute("drop table events.heard")


def log_of(settings, events):
    return KafkaLog(settings.kafka(), settings.kafka_topic, PostgresLog(events))


@asynccontextmanager
async def running(*work):
    tasks = [asyncio.create_task(each) for each in work]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class RelayProcess:
    """`mercat work relay`, as it runs in a shop."""

    def __init__(self, settings):
        given = {
            "SECRET_KEY": settings.secret_key,
            "POSTGRES_HOST": settings.postgres_host,
            "POSTGRES_PORT": settings.postgres_port,
            "POSTGRES_DATABASE": settings.postgres_database,
            "STORE_URL": settings.store_url,
            "CACHE_URL": settings.cache_url,
            "DATA": settings.data,
            "KAFKA_URL": settings.kafka_url,
            "KAFKA_TOPIC": settings.kafka_topic,
            "ORDERS_SHARDS": settings.orders_shards,
            "PORT": free_port(),
        }
        environment = os.environ | {f"MERCAT_{name}": str(value) for name, value in given.items()}
        environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
        command = [sys.executable, "-m", "mercat.cli.work", "relay", "--alone"]
        self.process = subprocess.Popen(command, env=environment)

    def end(self, number=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(number)
            if number == signal.SIGKILL:
                self.process.wait()


async def test_facts_are_heard_once_and_in_order_whoever_dies(on_kafka, node, db, events, heard):
    """Relays are killed, one is stopped and wakes later; the broker is killed under load."""
    all_of, in_order = heard
    await open_slot(events)
    told, log = Told(db), log_of(on_kafka, events)
    relays = [RelayProcess(on_kafka), RelayProcess(on_kafka)]
    follower = Follower("reviews", Heard(), events, events, log)
    try:
        async with running(follower.run()):
            await told.some()
            await until(lambda: all_of(told), 60)
            for _ in range(2):
                await told.for_a_while(2)
                relays[0].end()
                relays = [relays[1], RelayProcess(on_kafka)]
            await told.for_a_while(2)
            relays[0].end(signal.SIGSTOP)
            await told.for_a_while(2)
            relays[0].end(signal.SIGCONT)
            node.die()
            await told.for_a_while(3)
            node.start()
            await told.for_a_while(2)
            await until(lambda: all_of(told), 120)
            assert await in_order()
            assert await db.fetchval("select count(*) from events.parked") == 0
    finally:
        for relay in relays:
            relay.end()


class Buyers:
    """Writes down which orders it is told of."""

    @on(OrderPlaced)
    async def hear(self, db, events):
        rows = [(int(each.order_id), int(each.user_id)) for each in events]
        await db.executemany("insert into events.bought (order_id, user_id) values ($1, $2)", rows)


async def moved(settings, buckets, to):
    """Move them however often a relay dies meanwhile."""
    while True:
        try:
            return await move(settings, buckets, to)
        except CannotMove:
            continue


async def placed(orders, made):
    """Place them however often their bucket goes meanwhile."""
    while True:
        try:
            return await orders.create_many(made)
        except SomeNotPlaced:
            continue


async def test_orders_of_several_databases_are_heard_once_and_in_order(
    several_settings, databases, node, tmp_path
):
    """Each database has its relay into the one topic; both processes that run them are killed in turn, while
    buyers go from one database to another and come back."""
    settings = msgspec.structs.replace(
        several_settings, kafka_url=f"kafka://{node.address}", kafka_topic=node.new_topic(), data=tmp_path
    )
    main, *_ = databases
    await main.execute("drop table if exists events.bought")
    await main.execute("create table events.bought (n bigserial, order_id bigint, user_id bigint)")
    await main.execute("grant all on events.bought, events.bought_n_seq to mercat_events")
    await main.execute("delete from events.position; update events.relayed set closed = null")
    relays = [RelayProcess(settings), RelayProcess(settings)]
    people, made = [user_of(place) for place in BUCKETS for _ in range(4)], []
    buckets = sorted({person.bucket for person in people if person.bucket <= BUCKETS["main"][1]})
    try:
        async with AsyncExitStack() as stack:
            shop = await build_shop(settings, stack)
            events = await shop.host.pool("events")
            follower = Follower("reviews", Buyers(), events, events, log_of(settings, events))

            async def all_heard():
                return await main.fetchval("select count(*) >= $1 from events.bought", len(made))

            async def there_and_back():
                assert await moved(settings, buckets, "c")
                assert await moved(settings, buckets, "main")

            async with running(follower.run()):
                moving = asyncio.create_task(there_and_back())
                n = 0
                while n < 60 or not moving.done():
                    orders = [new_order(random.choice(people)) for _ in range(10)]
                    assert all(await placed(shop.orders, orders))
                    made += orders
                    n += 1
                    if n in (20, 40):
                        relays.pop(0).end()
                        relays.append(RelayProcess(settings))
                    await asyncio.sleep(0.05)
                await moving
                await until(all_heard, 60)
                heard = await main.fetch("select order_id, user_id from events.bought order by n")
        for person in people:
            theirs = [order.order_id for order in made if order.user_id == person]
            assert [row["order_id"] for row in heard if row["user_id"] == person] == theirs
        assert await main.fetchval("select count(*) from events.parked") == 0
    finally:
        for relay in relays:
            relay.end()
        await main.execute("update events.relayed set closed = null; delete from events.position")
        await main.execute("drop table events.bought")


async def test_facts_are_heard_over_tls_by_who_has_the_password(settings, db, events, heard):
    all_of, in_order = heard
    secure = Broker(secure=True)
    password = secure.password.replace("/", "%2F").replace("+", "%2B")
    told = msgspec.structs.replace(
        settings,
        kafka_url=f"kafkas://{secure.user}:{password}@{secure.address}",
        kafka_topic=secure.new_topic(),
        kafka_tls_root=str(secure.certificate),
    )
    await asyncio.to_thread(lambda: secure.answers(**told.kafka()))
    await open_slot(events)
    facts, log = Told(db), log_of(told, events)
    follower = Follower("reviews", Heard(), events, events, log)
    async with running(Relay(events, log, told.replication()).run(), follower.run()):
        await facts.some()
        await until(lambda: all_of(facts), 60)
    assert await in_order()
    for wrong in (
        {"kafka_url": told.kafka_url.replace(password, "guessed")},
        {"kafka_tls_root": str(write_certificate(settings.data, "localhost")[0])},
    ):
        with pytest.raises(KafkaAway):
            await log_of(msgspec.structs.replace(told, **wrong), events).reached()
    secure.die()


async def test_an_older_relay_is_fenced(on_kafka, events):
    await open_slot(events)
    first, second = log_of(on_kafka, events), log_of(on_kafka, events)
    await until(lambda: opens(first), 30)
    told = [WalEvent(commit, 1, "RatingChanged", text_of(1, commit)) for commit in (1, 2, 3)]
    reached = await first.append(told[:1], await first.reached())
    assert await second.reached() == reached
    with pytest.raises(KafkaAway):
        await first.append(told[1:2], reached)
    reached = await second.append(told[2:], reached)
    assert await second.reached() == reached == await first.reached()


async def opens(log):
    try:
        return await log.reached()
    except KafkaAway:  # a topic that was just made has no leader yet
        return False


async def test_of_two_followers_a_zombie_loses(on_kafka, db, events, heard):
    """Both read the same; one is held up with it until the other has digested that and more."""
    all_of, in_order = heard
    await open_slot(events)
    told, log = Told(db), log_of(on_kafka, events)
    zombie = Follower("reviews", Heard(), events, events, log)
    digest, has_read, wakes, refused = zombie._digest, asyncio.Event(), asyncio.Event(), []

    async def late(rows, to):
        has_read.set()
        await wakes.wait()
        before = await db.fetch("select * from events.position order by partition")
        try:
            await digest(rows, to)
        finally:
            refused.append(await db.fetch("select * from events.position order by partition") == before)

    zombie._digest = late
    async with running(Relay(events, log, on_kafka.replication()).run(), zombie.run()):
        await told.some(500)
        await asyncio.wait_for(has_read.wait(), 30)
        async with running(Follower("reviews", Heard(), events, events, log).run()):
            await until(lambda: all_of(told), 30)
        wakes.set()
        await told.some()
        await until(lambda: all_of(told), 30)
    assert refused[0]
    assert await in_order()


class Owner(Heard):
    def __init__(self):
        self.filled = 0

    async def fill(self):
        self.filled += 1


async def test_a_follower_whose_facts_are_gone_is_filled_or_stands_still(on_kafka, db, events, heard):
    await open_slot(events)
    told, log, owner = Told(db), log_of(on_kafka, events), Owner()

    def followers():
        filled = Follower("search", owner, events, events, log, owner.fill)
        return filled, Follower("reviews", Heard(), events, events, log)

    async with running(Relay(events, log, on_kafka.replication()).run()):
        await told.some()
        for each in followers():
            await until(lambda: steps(each), 30)  # noqa: B023
            await each.rest()
        await told.some(1_000)
        await until(lambda: relayed(log, told), 30)
        ends = await asyncio.to_thread(log._ends)
        places = {kafka.TopicPartition(log.facts, each, end): end for each, end in enumerate(ends)}
        for cut in log._admin.delete_records(list(places)).values():  # as retention does
            cut.result(20)
        filled, stands = followers()  # they were down meanwhile
        with pytest.raises(FactsGone, match="where follower = 'reviews'"):
            await until(lambda: steps(stands), 30)
        await until(lambda: steps(filled), 30)
        assert owner.filled == 1
        await told.some()
        before = await db.fetchval("select count(*) from events.heard")
        while await db.fetchval("select count(*) from events.heard") < before + 50:
            await filled.step()
        assert owner.filled == 1


async def steps(follower):
    try:
        return await follower.step()
    except KafkaAway:
        return False


async def relayed(log, told):
    return sum(await asyncio.to_thread(log._ends)) >= told.count


async def test_a_shop_goes_over_to_kafka_and_nothing_is_appended_in_postgresql_any_more(
    on_kafka, db, events, heard
):
    all_of, in_order = heard
    await open_slot(events)
    told, before, log = Told(db), PostgresLog(events), log_of(on_kafka, events)
    async with running(Relay(events, before, on_kafka.replication()).run()):
        await told.some()
        await until(lambda: db.fetchval("select count(*) = $1 from events.log", told.count))
    await told.some()
    async with running(Relay(events, log, on_kafka.replication()).run()):
        async with running(Follower("reviews", Heard(), events, events, log).run()):
            await until(lambda: all_of(told), 30)
        with pytest.raises(LogClosed):
            await before.reached()
        with pytest.raises(asyncpg.CheckViolationError):
            await db.execute("update events.relayed set last_id = last_id + 1")
        await log.tidy(["reviews"])
        assert await db.fetchval("select events.undigested_since('reviews')") is None
        await told.some()
        await until(lambda: relayed(log, told), 30)
        await log.tidy(["reviews"])
        assert await db.fetchval("select events.undigested_since('reviews')")
        assert await db.fetchval("select events.has_followed('reviews')")
        await db.execute("update events.ends set at = at - interval '2 minutes'")
        assert not await db.fetchval("select events.has_followed('reviews')")
        [row] = await db.fetch(queries.lags)
        assert row["behind"] >= 50
    assert await in_order()
    assert await look_at(on_kafka.kafka(), on_kafka.kafka_topic) == (1, FactsTopic(64, 1, 7, True))


class DyingHere(BaseException):
    """As SIGKILL would."""


class DyingLog(KafkaLog):
    """A log whose relay dies at one of the moments at which it comes back."""

    dies = ""

    async def _asked(self, ask):
        what = getattr(ask, "func", ask).__name__
        if f"before {what}" == self.dies:
            raise DyingHere
        answer = await super()._asked(ask)
        if f"after {what}" == self.dies:
            raise DyingHere
        return answer

    async def _take_back(self, held):
        position = await super()._take_back(held)
        if self.dies == "at the end":
            raise DyingHere
        return position


def coming_back(settings, events):
    return DyingLog(settings.kafka(), settings.kafka_topic, PostgresLog(events), back=True)


async def dies_at(settings, events, moment):
    log = coming_back(settings, events)
    log.dies = moment
    with pytest.raises(DyingHere):
        await log.reached()


async def is_back(db):
    return await db.fetchval("select closed is null and kafka_ends is null from events.relayed")


async def test_the_log_comes_back_once_and_in_order_whoever_dies_when(on_kafka, db, events, heard):
    """A follower reads PostgreSQL's log, then Kafka's to its end, then PostgreSQL's again. The relay that
    takes the log back dies at each moment, and a former one that comes late is refused."""
    all_of, in_order = heard
    await open_slot(events)
    told, there = Told(db), log_of(on_kafka, events)

    async with running(Relay(events, PostgresLog(events), on_kafka.replication()).run()):
        await told.some()
        await until(lambda: db.fetchval("select count(*) = $1 from events.log", told.count))
    before = told.count
    async with running(Relay(events, there, on_kafka.replication()).run()):
        await until(lambda: db.fetchval("select closed from events.relayed"), 60)
        slow = Follower("reviews", Heard(), events, events, there)
        await until(lambda: steps(slow), 30)  # it has read some of PostgreSQL's, and nothing of Kafka's
        await told.for_a_while(2)
        await until(lambda: told_in_kafka(there, told, before), 60)
    for moment in ("before _open", "after _open", "before _close", "after _close", "at the end"):
        await told.some()
        await dies_at(on_kafka, events, moment)
    with pytest.raises(KafkaAway):  # fenced since
        await there.append([WalEvent(1 << 60, 1, "RatingChanged", text_of(1, 0))], Position(0, 0, 0))
    with pytest.raises(LogClosed, match="came back"):
        await there.reached()
    back = coming_back(on_kafka, events)
    async with running(Relay(events, back, on_kafka.replication()).run()):
        await told.some()
        with pytest.raises(KafkaUnread):  # who knows no Kafka does not pass over it
            await Follower("reviews", Heard(), events, events, PostgresLog(events)).step()
        await back.tidy(["reviews"])
        assert not await is_back(db)
        async with running(Follower("reviews", Heard(), events, events, back).run()):
            await told.for_a_while(2)
            await until(lambda: all_of(told), 60)
            await back.tidy(["reviews"])
            assert await is_back(db)
            await told.some()
            await until(lambda: all_of(told), 30)
    in_postgres = PostgresLog(events)
    async with running(
        Relay(events, in_postgres, on_kafka.replication()).run(),
        Follower("reviews", Heard(), events, events, in_postgres).run(),
    ):
        await told.some()
        await until(lambda: all_of(told), 30)
    assert await in_order()
    assert await db.fetchval("select count(*) from events.parked") == 0
    [row] = await db.fetch(queries.lags)
    assert row["behind"] == 0


async def told_in_kafka(log, told, before):
    return sum(await asyncio.to_thread(log._ends)) >= told.count - before


async def test_a_log_that_came_back_goes_over_again_to_another_topic(on_kafka, node, db, events, heard):
    all_of, in_order = heard
    await open_slot(events)
    told = Told(db)

    async def a_while(log):
        async with running(
            Relay(events, log, on_kafka.replication()).run(),
            Follower("reviews", Heard(), events, events, log).run(),
        ):
            await told.for_a_while(1)
            await until(lambda: all_of(told), 60)
            await log.tidy(["reviews"])

    for _ in range(2):
        on_kafka = msgspec.structs.replace(on_kafka, kafka_topic=node.new_topic())
        await a_while(log_of(on_kafka, events))
        assert not await is_back(db)
        await a_while(coming_back(on_kafka, events))
        await until(lambda: is_back(db), 5)
        await a_while(PostgresLog(events))
    assert await in_order()
    assert await db.fetchval("select events.undigested_since('reviews')") is None


async def test_of_relays_at_once_one_takes_the_log_back_and_none_writes_to_kafka_after(on_kafka, db, events):
    """A relay of the former settings opens Kafka's log while another takes it back: in either order Kafka's
    end is its end."""
    await open_slot(events)
    fact = WalEvent(5, 1, "RatingChanged", text_of(1, 1))
    there = log_of(on_kafka, events)
    await until(lambda: opens(there), 30)
    await there.append([fact], await there.reached())
    for _ in range(5):
        late, back = log_of(on_kafka, events), coming_back(on_kafka, events)
        results = await asyncio.gather(late.reached(), back.reached(), return_exceptions=True)
        taken = await db.fetchval("select kafka_ends from events.relayed")
        if taken is None:
            assert isinstance(results[1], KafkaAway)
            continue
        if isinstance(results[0], Position):
            with pytest.raises(KafkaAway):
                await late.append([fact._replace(commit=6)], results[0])
        with pytest.raises(LogClosed):
            await late.reached()
        assert await asyncio.to_thread(there._ends) == taken


_FOLLOWED = """
    select (select count(*) from orders.orders where status <> 'refused') as orders,
        (select count(*) from notifications.mail where kind = 'order_confirmed') as letters,
        (select count(distinct subject_id) from notifications.mail
            where kind = 'order_confirmed') as written_to,
        (select count(distinct order_id) from fulfilment.seller_order) as to_ship,
        (select coalesce(sum(orders), 0) from analytics.day where seller_id = 0) as reported,
        (select count(*) from events.log) as in_postgresql,
        (select count(*) from events.parked) as parked
"""


async def test_a_whole_shop_sells_with_its_log_in_kafka(tmp_path, node):
    """People buy, its back process and the broker are killed meanwhile; letters, packing lists, search and
    reports follow, and the books balance."""
    tmp_path.chmod(0o755)
    more = {"MERCAT_KAFKA_URL": f"kafka://{node.address}", "MERCAT_KAFKA_TOPIC": node.new_topic()}
    async with serving(tmp_path, more=more) as connection, crowded(connection, 40, shoppers=40) as crowd:
        db = await asyncpg.connect(**connection.postgres())
        crowd.come()

        async def bought(count):
            return len(crowd.told) >= count

        await until(lambda: bought(60), 60)
        os.kill(scene.Site(connection).victim("mercat.cli.work back"), signal.SIGKILL)
        await until(lambda: bought(120), 60)
        node.die()
        await until(lambda: bought(180), 60)
        node.start()
        await until(lambda: bought(240), 60)
        assert await crowd.have_been_served() == 0
        await scene.settled(connection)

        async def followed():
            [found] = await db.fetch(_FOLLOWED)
            row: dict[str, int] = dict(found.items())
            same = {row[name] for name in ("orders", "letters", "written_to", "to_ship", "reported")}
            return row if len(same) == 1 else None

        found = await until(followed, 120)
        assert found
        assert found["orders"] >= 240
        assert (found["in_postgresql"], found["parked"]) == (0, 0)
        assert (await crowd.shop.search.find(SearchQuery())).total > 0
        assert await scene.missing(scene.Site(connection), crowd) == (0, 0)
        assert [finding for finding in await audited(connection) if finding.violations] == []
        await db.close()
