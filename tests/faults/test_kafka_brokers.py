"""The event log on three Kafka brokers with three copies of each partition: one is killed, and nobody waits
long, and nothing is lost or told twice."""

import asyncio

import msgspec
import pytest
from faults.test_kafka_log import Heard, RelayProcess, Told, log_of, running
from faults.test_kafka_log import events as events
from faults.test_kafka_log import heard as heard
from kafka_broker import ThreeBrokers, prepared
from waiting import until

from mercat.kit.event_log import Follower
from mercat.kit.kafka_log import FactsTopic, look_at
from mercat.kit.wal import open_slot

pytestmark = pytest.mark.scale
CATCHES_UP_WITHIN_S = 60
"""It took 5 to 6 s on a machine with a load of 15 on two cores."""


@pytest.fixture(scope="module")
def three():
    prepared()
    brokers = ThreeBrokers()
    yield brokers
    brokers.end()


@pytest.mark.timeout(400)
async def test_a_broker_of_three_is_killed_under_load(settings, three, db, events, heard):
    """The others go on within seconds, while it is dead; then it comes back, and another is killed."""
    all_of, in_order = heard
    told_where = msgspec.structs.replace(
        settings, kafka_url=f"kafka://{three.address}", kafka_topic=three.brokers[0].new_topic()
    )
    await open_slot(events)
    told, log = Told(db), log_of(told_where, events)
    relay = RelayProcess(told_where)
    try:
        async with running(Follower("reviews", Heard(), events, events, log).run()):
            await told.some()
            await until(lambda: all_of(told), 90)
            topic = await look_at(told_where.kafka(), told_where.kafka_topic)
            assert topic == (3, FactsTopic(64, 3, 7, True))
            for _ in range(2):
                victim = await asyncio.to_thread(three.leads, log.facts)
                telling = asyncio.create_task(told.for_a_while(8))
                await asyncio.sleep(2)
                await asyncio.to_thread(victim.die)
                before = await db.fetchval("select count(*) from events.heard")
                await until(lambda: heard_more(db, before + 200), CATCHES_UP_WITHIN_S)  # noqa: B023
                await telling
                await until(lambda: all_of(told), CATCHES_UP_WITHIN_S)
                victim.start()
                await asyncio.to_thread(victim.answers)
            await told.some()
            await until(lambda: all_of(told), CATCHES_UP_WITHIN_S)
        assert await in_order()
        assert await db.fetchval("select count(*) from events.parked") == 0
        assert told.count > 2_000
    finally:
        relay.end()


async def heard_more(db, count):
    return await db.fetchval("select count(*) >= $1 from events.heard", count)
