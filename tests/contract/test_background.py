"""What several back processes promise: one does each work, nothing is dropped unread, all hear soon."""

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from types import SimpleNamespace

import asyncpg
import msgspec
import pytest
from structlog.testing import capture_logs
from waiting import until

from mercat import ids
from mercat.app import build_shop
from mercat.events import RatingChanged
from mercat.kit import codec, postgres_log, worker_ids
from mercat.kit.db_errors import AWAY
from mercat.kit.event_log import consumers
from mercat.kit.host import queries
from mercat.kit.locks import Locks
from mercat.kit.postgres_log import drop_partitions
from mercat.kit.refusals import Unavailable
from mercat.kit.wal import open_slot
from mercat.kit.worker_ids import WorkerLease
from mercat.settings import WrongSetting
from mercat.shop import FOLLOWERS, run_background


async def tell(db, number=1):
    event = RatingChanged(product_id=ids.ProductId(number), version=1, rating=5, review_count=1)
    await db.execute("select events.tell_json($1, $2)", "RatingChanged", codec.text(event))


async def test_the_list_of_followers_is_who_follows(settings):
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
        assert {name for name, service in shop.host.here.items() if consumers(service)} == FOLLOWERS


async def test_a_partition_stays_until_every_follower_of_the_shop_has_passed_it(pool, db, monkeypatch):
    monkeypatch.setattr(postgres_log, "PARTITION", 10)
    events = await pool("events")
    await postgres_log.PostgresLog(events).make_partitions(1)
    assert len(await db.fetch(queries.partitions)) == 2
    await db.execute("insert into events.position values ('reviews', 1000)")
    await drop_partitions(events, FOLLOWERS)  # most have not begun
    assert len(await db.fetch(queries.partitions)) == 2
    await db.execute(
        "insert into events.position select * from unnest($1::text[], $2::bigint[]) on conflict do nothing",
        [*FOLLOWERS],
        [10] * len(FOLLOWERS),
    )
    await drop_partitions(events, FOLLOWERS)
    assert [row["name"] for row in await db.fetch(queries.partitions)] == ["log_000001"]


async def test_a_second_relay_waits_quietly_and_goes_on_when_the_first_dies(settings, db):
    await open_slot(db)
    with capture_logs() as said:
        async with AsyncExitStack() as second:
            async with AsyncExitStack() as first:
                for stack in (first, second):
                    shop = await build_shop(settings, stack)
                    await run_background(shop, follows=False)
                for number in range(3):
                    await tell(db, number)
                await until(lambda: db.fetchval("select count(*) = 3 from events.log"))
                await until(lambda: db.fetchval(_REFUSED))
            await tell(db, 3)
            await until(lambda: db.fetchval("select count(*) = 4 from events.log"))
    assert [each for each in said if each["log_level"] != "info"] == []


_REFUSED = """
    select count(*) = 2 from pg_stat_activity
    where application_name = 'mercat_locks' and query like '%try_lock%'
"""


async def test_followers_of_another_process_hear_of_a_fact_within_a_second(settings, db, monkeypatch):
    await open_slot(db)
    async with AsyncExitStack() as stack:
        relaying = await build_shop(settings, stack)
        await run_background(relaying, follows=False)
        following = await build_shop(settings, stack)
        await run_background(following, relays=False)
        await tell(db)
        heard = "select count(*) = 1 from events.position where follower = 'catalog' and at >= $1"
        await until(lambda: db.fetchval(heard, 1))
        # By themselves they look again only after so long.
        monkeypatch.setattr(postgres_log, "_WAITS_S", 3_600.0)
        await until(lambda: db.fetchval(heard, 1))
        for number in range(2, 5):
            await tell(db, number)
            await until(lambda: db.fetchval(heard, number), 5)  # noqa: B023


async def test_what_two_could_do_is_done_by_one_and_taken_over(settings, db):
    at_work: list[str] = []

    def locks(name):
        async def connect():
            user, password = "mercat_events", settings.secret("mercat_events")
            named = {"application_name": f"locks of {name}"}
            return await asyncpg.connect(
                **settings.database(), user=user, password=password, server_settings=named
            )

        return Locks(connect, lambda _: None)

    async def work(name):
        at_work.append(name)
        try:
            await asyncio.Event().wait()
        finally:
            at_work.remove(name)

    async def asked(name):
        return await db.fetchval(
            "select true from pg_stat_activity where application_name = $1 and query like '%try_lock%'",
            f"locks of {name}",
        )

    async def at_work_is(name):
        return at_work == [name]

    tasks: list[asyncio.Task[None]] = []
    for name in ("first", "second"):
        one = locks(name)
        tasks.append(asyncio.create_task(one.keep()))
        tasks.append(asyncio.create_task(one.alone("carts", lambda name=name: [work(name)])))
        await until(lambda: asked(name))  # noqa: B023
        await until(lambda: at_work_is("first"))
    tasks[0].cancel()  # its connection ends, and what it did with it
    await until(lambda: at_work_is("second"))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert at_work == []


async def test_256_processes_have_numbers_of_their_own_and_the_next_none(pool):
    events = await pool("events")
    leases = [WorkerLease(events) for _ in range(ids.WORKERS + 1)]
    try:
        numbers = [await lease.take() for lease in leases[:-1]]
        assert {*numbers} == {*range(ids.WORKERS)}
        with pytest.raises(Unavailable, match="256"):
            await leases[-1].take()
    finally:
        for lease in leases:
            await lease.hand_back()


async def test_beside_processes_of_the_previous_release_no_bits_are_shared(pool, db):
    """That release has 64 numbers, each as large as four of ours."""
    events = await pool("events")
    formerly = """
        update events.worker set holder = 'former', until = now() + interval '1 minute'
        where number = (select number from events.worker where until < now() and spent_until < now()
            order by number for update skip locked limit 1)
        returning number
    """
    former = {await db.fetchval(formerly) for _ in range(30)}
    leases = [WorkerLease(events) for _ in range(100)]
    try:
        ours = {await lease.take() // 4 for lease in leases}
        while (number := await db.fetchval(formerly)) is not None:
            former.add(number)
        assert not ours & former
        assert len(former) == 64 - 25
        await leases[0].renew()
    finally:
        for lease in leases:
            await lease.hand_back()


async def test_a_lost_lease_is_noticed_and_another_number_taken(pool, db):
    lease = WorkerLease(await pool("events"))
    number = await lease.take()
    try:
        await db.execute("update events.id_number set holder = 'another' where number = $1", number)
        await lease.renew()
        assert lease.number != number
        assert ids.new(ids.OrderId) >> 4 & 255 == lease.number
    finally:
        await lease.hand_back()


async def test_a_lease_that_a_clock_ended_by_a_jump_is_renewed_at_once(pool, monkeypatch):
    lease = WorkerLease(await pool("events"))
    await lease.take()
    keeping = asyncio.create_task(lease.keep())
    try:
        ids.new(ids.OrderId)
        ahead = time.time_ns() + 3_600 * 10**9
        monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: ahead, monotonic_ns=time.monotonic_ns))
        monkeypatch.setattr(worker_ids.time, "time", lambda: ahead / 10**9)

        async def made() -> bool:
            with suppress(ids.NumberLapsed):
                ids.new(ids.OrderId)
                return True
            return False

        assert not await made()
        await until(made, 5)  # it is renewed every 15 s where nothing jumps
    finally:
        keeping.cancel()
        monkeypatch.undo()
        await lease.hand_back()


async def test_a_number_is_not_given_again_before_the_clock_has_passed_its_ids(pool, db):
    """One that made so many ids at once that their time is ahead of the clock."""
    events = await pool("events")
    lease = WorkerLease(events)
    number = await lease.take()
    for _ in range(16 * 4_000):
        last = ids.new(ids.OrderId)
    await lease.renew()
    kept = await db.fetchrow("select until, spent_until from events.id_number where number = $1", number)
    assert kept["spent_until"] > ids.made_at(last)
    assert kept["until"] - kept["spent_until"] == timedelta(minutes=1)
    await lease.hand_back()
    other = WorkerLease(events)
    assert await other.take() != number
    await other.hand_back()


async def test_processes_of_two_shops_lease_from_one_table(settings, db):
    url = f"postgresql://localhost:{settings.postgres_port}/elsewhere"
    away = msgspec.structs.replace(settings, ids_url=url)
    assert away.id_database() == {"host": "localhost", "port": 5432, "database": "elsewhere"}
    assert settings.id_database() == settings.database()
    with pytest.raises(WrongSetting, match="MERCAT_IDS_URL"):
        msgspec.structs.replace(settings, ids_url="mysql://x").id_database()
    async with AsyncExitStack() as stack:
        shop = await build_shop(away, stack)
        with pytest.raises(AWAY):  # it cannot be reached, so no number is made up
            await shop.host.lease_worker()
