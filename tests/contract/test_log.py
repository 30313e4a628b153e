"""What the event log promises to those who tell and to those who follow."""

import asyncio
from contextlib import asynccontextmanager
from random import Random

import pytest
from opentelemetry.trace import NoOpTracerProvider
from waiting import until

from mercat import ids
from mercat.events import OrderDelivered, RatingChanged
from mercat.kit import codec, tracing
from mercat.kit.event_keys import keys_of
from mercat.kit.event_log import Follower, Position, Relay, on
from mercat.kit.postgres_log import PARTITION, PostgresLog
from mercat.kit.refusals import Unavailable
from mercat.kit.wal import WalEvent, forget_other_places, open_slot
from mercat.lab.simulate.shuffled import PARTITIONS, ShuffledLog

TEA, CUP = ids.ProductId(1), ids.ProductId(2)


class Listener:
    def __init__(self):
        self.heard = []

    @on(RatingChanged)
    async def hear(self, db, events):
        self.heard += [event.product_id for event in events]


def fact(product_id):
    return RatingChanged(product_id=product_id, version=1, rating=5, review_count=1)


async def tell(connection, *events):
    for event in events:
        await connection.execute("select events.tell_json($1, $2)", type(event).__name__, codec.text(event))


@pytest.fixture
async def events_pool(pool):
    return await pool("events")


@pytest.fixture
def relaying(settings, events_pool):
    @asynccontextmanager
    async def relaying():
        relay = Relay(events_pool, PostgresLog(events_pool), settings.replication(), slot="relay")
        await open_slot(events_pool, "relay")
        task = asyncio.create_task(relay.run())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return relaying


@pytest.fixture
async def follower(events_pool):
    async def follower(service, name="reviews"):
        return Follower(name, service, events_pool, events_pool, PostgresLog(events_pool))

    return follower


async def logged(db):
    return [row["body"] for row in await db.fetch("select body from events.log order by id")]


async def test_a_follower_hears_what_it_listens_for_once_and_in_order(db, relaying, follower):
    listener = Listener()
    following = await follower(listener)
    async with relaying():
        delivered = OrderDelivered(order_id=ids.OrderId(1), user_id=ids.UserId(2), product_ids=[TEA])
        await tell(db, fact(TEA), delivered, fact(CUP))
        await until(lambda: db.fetchval("select count(*) = 3 from events.log"))

    while await following.step():
        pass
    assert listener.heard == [TEA, CUP]

    again = await follower(listener)
    while await again.step():
        pass
    assert listener.heard == [TEA, CUP]


async def test_a_follower_whom_nothing_concerns_is_not_thought_to_be_behind(db, relaying, follower):
    following = await follower(Listener())
    delivered = OrderDelivered(order_id=ids.OrderId(1), user_id=ids.UserId(2), product_ids=[TEA])

    async def passes_on():
        """While there is always more to read, so that it never rests."""
        await tell(db, delivered)
        await following.step()
        return await db.fetchval("select true from events.position where follower = 'reviews' and at > 1")

    async with relaying():
        await until(passes_on, 5)


async def test_facts_come_in_the_order_of_their_commits(db, relaying, follower):
    listener = Listener()
    async with relaying():
        async with db.acquire() as early:
            writing = early.transaction()
            await writing.start()
            await early.execute("select pg_current_xact_id()")  # has the older number, commits last
            await tell(db, fact(TEA))
            await tell(early, fact(CUP))
            await writing.commit()
        await until(lambda: db.fetchval("select count(*) = 2 from events.log"))

    await (await follower(listener)).step()
    assert listener.heard == [TEA, CUP]


async def test_what_is_rolled_back_was_never_said(db, relaying):
    async with relaying():
        async with db.acquire() as connection:
            writing = connection.transaction()
            await writing.start()
            await tell(connection, fact(TEA))
            await writing.rollback()
        await tell(db, fact(CUP))
        await until(lambda: db.fetchval("select count(*) = 1 from events.log"))
    assert str(CUP) in (await logged(db))[0]


async def test_a_relay_that_died_before_confirming_repeats_nothing(db, relaying, monkeypatch):
    monkeypatch.setattr(
        "psycopg2.extras.ReplicationCursor.send_feedback", lambda *a, **k: None, raising=False
    )
    async with relaying():
        await tell(db, *[fact(ids.ProductId(n)) for n in range(5)])
        await until(lambda: db.fetchval("select count(*) = 5 from events.log"))
    async with relaying():
        await tell(db, fact(ids.ProductId(99)))
        await until(lambda: db.fetchval("select count(*) = 6 from events.log"))
    assert len(set(await logged(db))) == 6


async def test_what_is_told_in_a_database_that_came_by_a_dump_is_not_taken_for_told(
    db, events_pool, relaying
):
    """The write-ahead log of the server that it came from was longer."""
    await db.execute("update events.relayed set commit = 'FFFFFF/0', facts = 9")
    await forget_other_places(events_pool)
    async with relaying():
        await tell(db, fact(TEA))
        await until(lambda: db.fetchval("select count(*) = 1 from events.log"))
    reached = await db.fetchval("select commit::text from events.relayed")
    await forget_other_places(events_pool)
    assert await db.fetchval("select commit::text from events.relayed") == reached


async def test_a_follower_that_fails_is_told_again_and_then_parks_the_one_fact(db, relaying, follower):
    class Clumsy(Listener):
        @on(RatingChanged)
        async def hear(self, db, events):
            if any(event.product_id == TEA for event in events):
                raise RuntimeError("tea is too hot")
            await super().hear(db, events)

    async with relaying():
        await tell(db, fact(CUP), fact(TEA), fact(ids.ProductId(3)))
        await until(lambda: db.fetchval("select count(*) = 3 from events.log"))

    listener = Clumsy()
    while await (await follower(listener)).step():
        pass
    assert listener.heard == [CUP, ids.ProductId(3)]
    assert "too hot" in await db.fetchval("select reason from events.parked")


async def test_a_follower_waits_for_a_neighbour_that_is_away_and_parks_nothing(db, relaying, follower):
    class Asking(Listener):
        away = True

        @on(RatingChanged)
        async def hear(self, db, events):
            if self.away:
                raise Unavailable
            await super().hear(db, events)

    async with relaying():
        await tell(db, fact(CUP), fact(TEA))
        await until(lambda: db.fetchval("select count(*) = 2 from events.log"))

    listener = Asking()
    following = await follower(listener)
    with pytest.raises(Unavailable):
        await following.step()
    listener.away = False
    assert await following.step()
    assert listener.heard == [CUP, TEA]
    assert await db.fetchval("select count(*) from events.parked") == 0


async def test_relays_of_several_databases_append_to_one_log_without_gaps(db, events_pool):
    await open_slot(events_pool)
    log_ = PostgresLog(events_pool, source="main")
    logs = [log_, log_.of("b"), PostgresLog(events_pool, source="c")]
    reached = [await each.reached() for each in logs]

    async def append(n):
        for commit in range(1, 21):
            facts = [
                WalEvent(commit, k, "RatingChanged", f"{n}/{commit}/{k}") for k in range(1, commit % 3 + 2)
            ]
            reached[n] = await logs[n].append(facts, reached[n])

    await asyncio.gather(*map(append, range(3)))
    rows = await db.fetch("select id, body from events.log order by id")
    assert [row["id"] for row in rows] == [*range(1, len(rows) + 1)]
    for n in range(3):
        told = [
            tuple(map(int, row["body"].split("/")[1:])) for row in rows if row["body"].startswith(f"{n}/")
        ]
        assert told == [(commit, k) for commit in range(1, 21) for k in range(1, commit % 3 + 2)]
        known = await PostgresLog(events_pool, source=("main", "b", "c")[n]).reached()
        assert known == (20, 3, len(rows))


async def test_work_outside_the_database_comes_before_the_position(db, relaying, follower):
    class Index:
        def __init__(self):
            self.applied = []

        @on(RatingChanged, outside=True)
        async def index(self, events):
            self.applied += [int(event.product_id) for event in events]

    async with relaying():
        await tell(db, fact(TEA))
        await until(lambda: db.fetchval("select count(*) = 1 from events.log"))
    index = Index()
    await (await follower(index)).step()
    assert index.applied == [TEA]
    assert await db.fetchval("select at from events.position where follower = 'reviews'") == 1


async def test_who_is_unhurried_hears_the_first_at_once_and_rests_after_it(
    db, relaying, follower, monkeypatch
):
    class Counting(Listener):
        unhurried = True

    monkeypatch.setattr("mercat.kit.event_log._UNHURRIED_S", 3_600.0)
    counting, prompt = Counting(), Listener()
    followers = [await follower(counting, "recommendations"), await follower(prompt)]
    tasks = [asyncio.create_task(each.run()) for each in followers]

    async def heard(listener, count):
        return len(listener.heard) >= count

    async with relaying():
        await tell(db, fact(TEA))
        for listener in (counting, prompt):
            await until(lambda: heard(listener, 1))  # noqa: B023
        await tell(db, fact(CUP))
        await until(lambda: heard(prompt, 2))
    assert (counting.heard, prompt.heard) == ([TEA], [TEA, CUP])
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


KEYS = [ids.ProductId(bucket << 12) for bucket in range(12)]


class Clumsy:
    """Remembers what it heard; of several facts it can make nothing now and then."""

    def __init__(self, dice):
        self.dice, self.heard = dice, []

    @on(RatingChanged)
    async def hear(self, db, events):
        if len(events) > 1 and self.dice.random() < 0.3:
            raise RuntimeError("too much at once")
        self.heard += [(each.product_id, each.version) for each in events]


@pytest.mark.parametrize("seed", range(3))
async def test_each_key_is_heard_once_and_in_order_whatever_order_partitions_come_in(db, events_pool, seed):
    """By two followers at once, one of which is replaced again and again, and work that fails."""
    dice = Random(seed)
    told = [(key, version) for version in range(1, 11) for key in KEYS]
    log = ShuffledLog(events_pool, lambda kind, body: min(keys_of(kind, body, PARTITIONS)) + 1, dice)
    events = [RatingChanged(product_id=key, version=n, rating=5, review_count=1) for key, n in told]
    facts = [WalEvent(1, n, "RatingChanged", codec.text(event)) for n, event in enumerate(events, 1)]
    await log.append(facts, await log.reached())
    clumsy = Clumsy(dice)
    followers = [Follower("reviews", clumsy, events_pool, events_pool, log) for _ in range(2)]
    while await db.fetchval("select events.undigested_since('reviews')"):
        await asyncio.gather(*(follower.step() for follower in followers))
        followers[0] = Follower("reviews", clumsy, events_pool, events_pool, log)
        await followers[1].rest()
    assert clumsy.heard != told
    for key in KEYS:
        assert [version for heard, version in clumsy.heard if heard == key] == list(range(1, 11))
    assert await db.fetchval("select count(*) from events.parked") == 0


async def test_an_event_that_this_release_does_not_know_is_passed_on_while_traces_are_made(
    db, events_pool, monkeypatch
):
    facts = [
        WalEvent(1, 1, "Later", '{"event":"Later"}'),
        WalEvent(1, 2, "RatingChanged", codec.text(fact(TEA))),
    ]

    class Told:
        def take(self, cursor, most):
            return facts

    monkeypatch.setattr(tracing, "tracer", NoOpTracerProvider().get_tracer("test"))
    log = PostgresLog(events_pool)
    await Relay(events_pool, log, {}).carry(None, Told(), await log.reached())
    kinds = [row["kind"] for row in await db.fetch("select kind from events.log order by id")]
    assert kinds == ["Later", "RatingChanged"]


async def test_a_log_that_goes_on_far_behind_its_end_begins_within_a_partition_and_ends_in_the_next(
    db, events_pool
):
    """As one does that comes back from Kafka."""
    last = 5 * PARTITION - 2
    await db.execute("update events.relayed set last_id = $1", last)
    facts = [WalEvent(1, n, "RatingChanged", codec.text(fact(TEA))) for n in range(3)]
    try:
        await PostgresLog(events_pool).append(facts, Position(0, 0, last))
        rows = await db.fetch("select id from events.log order by id")
        assert [row["id"] for row in rows] == [last + 1, last + 2, last + 3]
    finally:
        for number in (4, 5, 6):
            await db.execute(f"drop table if exists events.log_{number:06d}")
