"""Buckets of orders move between databases: all of them, undone, cut off anywhere, and while people buy."""

import asyncio
import re
from contextlib import AsyncExitStack

import msgspec
import psycopg2
import pytest
from commands import mercat
from contract.test_order_shards import counted
from contract.test_orders import BOB, all_of, cancels, new_order, parcel, status
from killed_mover import moved_by_another
from shard_databases import gives
from waiting import until

from mercat import ids
from mercat.app import build_shop
from mercat.audit import audit_shop
from mercat.events import AccountErased
from mercat.kit import codec
from mercat.kit.refusals import Unavailable
from mercat.kit.wal import MARK
from mercat.orders import NewNote, NotCancellable
from mercat.orders.here import ELSEWHERE
from mercat.resharding import BucketMover, CannotMove, database, mover, opened
from mercat.resharding.copying import digest
from mercat.shop import run_background

FEW = [3, 4, 5]
"""Buckets of main."""


@pytest.fixture
async def shop(several_settings, databases, tmp_path):
    async with AsyncExitStack() as stack:
        shop = await build_shop(msgspec.structs.replace(several_settings, data=tmp_path), stack)
        await run_background(shop)
        yield shop


@pytest.fixture
async def orders(shop):
    return shop.orders


async def move(settings, buckets, to, told=lambda _: None, clear_after_s: float | None = 0):
    async with opened(settings) as found:
        return await BucketMover(found, told, clear_after_s).move(buckets, to)


async def back(settings, buckets):
    async with opened(settings) as found:
        return await BucketMover(found, clear_after_s=0).back(buckets)


async def digests(settings, buckets):
    """By bucket: who has it, and what it has."""
    found = {}
    async with opened(settings, alone=False) as all_of_them:
        for bucket in buckets:
            [has] = [each for each in all_of_them if bucket in await each.buckets()]
            sums = [(table.name, *await digest(has.db, table, bucket)) for table in await has.tables()]
            found[bucket] = has.name, sums
    return found


async def filled(orders, buckets=FEW, each=3):
    """Orders with all that can hang on them."""
    made = [new_order(ids.new(ids.UserId, bucket)) for bucket in buckets for _ in range(each)]
    await orders.create_many(made)
    for order in made[::2]:
        await orders.ship(order.order_id, BOB, parcel(order), all_of(order, BOB))
        with pytest.raises(NotCancellable):
            await cancels(orders, order)
        note = NewNote(user_id=order.user_id, who="Olga", text="Looked at.", once="1")
        await orders.add_note(order.order_id, note)
    return made


async def test_a_bucket_moves_with_all_that_is_in_it_and_back(orders, several_settings, databases):
    made = await filled(orders)
    main, *_ = databases
    await main.execute(
        "insert into orders.erased (bucket, user_id, erased_at) "
        "select (user_id >> 12) & 1023, user_id, now() from orders.orders"
    )
    before = await digests(several_settings, FEW)
    assert all(rows for _, sums in before.values() for _, rows, *_ in sums)
    told = []
    assert await move(several_settings, FEW, "c", told.append) == 3
    after = await digests(several_settings, FEW)
    assert {name for name, _ in after.values()} == {"c"}
    assert [sums for _, sums in after.values()] == [sums for _, sums in before.values()]
    assert await counted(databases) == [0, 0, len(made)]
    assert [each.bucket for each in told if each.what == "moved"] == FEW
    assert await main.fetchval("select count(*) from orders.changed") == 0
    assert await main.fetchval("select count(*) from events.log where kind = $1", MARK) == 0
    for order in made:
        await orders.order(order.order_id, [order.user_id])
    assert await orders.create_many(made) == [True] * len(made)
    await cancels(orders, made[1])
    assert await status(orders, made[1]) == "cancelled"
    assert await move(several_settings, FEW, "c") == 0  # twice
    assert await back(several_settings, FEW) == 3
    assert {name for name, _ in (await digests(several_settings, FEW)).values()} == {"main"}
    assert await counted(databases) == [len(made), 0, 0]
    assert await status(orders, made[1]) == "cancelled"
    assert await back(several_settings, FEW) == 0  # once


CUT_OFF = ["leave+1", "come_still+2", "ready", "take", "give", "give+1", "give+2", "drop+1"]
"""Statements of a move after which it is killed: what each decides is decided then, or not yet."""


async def owners(databases, bucket):
    """Those who say that they have it: never two."""
    found = [await pool.fetchval("select buckets @> $1::int from orders.here", bucket) for pool in databases]
    assert sum(found) <= 1
    return sum(found)


@pytest.mark.parametrize("at", CUT_OFF)
async def test_a_move_that_was_killed_is_done_by_the_next_or_undone(
    orders, several_settings, databases, tmp_path, at
):
    made = await filled(orders, FEW[:1])
    bucket = FEW[0]
    before = await digests(several_settings, [bucket])
    await moved_by_another(several_settings, [bucket], "c", at, tmp_path / "noted")
    if at == "give+1":
        assert await owners(databases, bucket) == 0
        with pytest.raises(Unavailable):  # a file that lacks some would be believed
            await orders.exported()
    else:
        assert len(await orders.among([order.order_id for order in made])) == len(made)
    await back(several_settings, [bucket])
    assert await digests(several_settings, [bucket]) == before
    assert await counted(databases) == [len(made), 0, 0]
    await moved_by_another(several_settings, [bucket], "c", at, tmp_path / "noted")
    assert await owners(databases, bucket) == (at != "give+1")
    await move(several_settings, [bucket], "c")
    assert (await digests(several_settings, [bucket]))[bucket] == ("c", before[bucket][1])
    assert await counted(databases) == [0, 0, len(made)]


@pytest.mark.parametrize(
    ("to", "then", "ends"),
    [("b", "main", "main"), ("b", None, "c"), (None, "main", "main"), (None, None, "b")],
)
async def test_a_bucket_is_had_from_who_gave_it_and_not_from_old_rows_of_a_third(
    orders, several_settings, databases, tmp_path, to, then, ends
):
    made = await filled(orders, FEW[:1])
    for name in ("b", "c"):
        await move(several_settings, FEW[:1], name, clear_after_s=None)
        note = NewNote(user_id=made[1].user_id, who="Olga", text=f"Seen in {name}.", once=name)
        await orders.add_note(made[1].order_id, note)
    assert await counted(databases) == [len(made)] * 3
    before = await digests(several_settings, FEW[:1])
    await moved_by_another(several_settings, FEW[:1], to, "give+1", tmp_path / "noted")
    assert await owners(databases, FEW[0]) == 0
    await (move(several_settings, FEW[:1], then) if then else back(several_settings, FEW[:1]))
    assert await digests(several_settings, FEW[:1]) == {FEW[0]: (ends, before[FEW[0]][1])}
    assert sum(await counted(databases)) == len(made)


async def test_a_follower_where_a_bucket_is_taken_writes_first(shop, several_settings, databases):
    await filled(shop.orders, FEW[:1])
    c = databases[2]

    async def follows():
        return await c.fetchval("select true from events.position where follower = 'orders'")

    async def waits():
        return await c.fetchval(
            "select true from pg_stat_activity where application_name = 'mercat_shard_move' "
            "and datname = current_database() and wait_event_type = 'Lock'"
        )

    await until(follows)
    async with c.acquire() as follower, follower.transaction():
        await follower.execute("select from events.position where follower = 'orders' for update")
        moving = asyncio.create_task(move(several_settings, FEW[:1], "c"))
        await until(waits)
        await follower.execute("set local lock_timeout = '500ms'")
        await follower.execute(
            "insert into orders.erased (bucket, user_id, erased_at) values (900, 1, now())"
        )
    assert await moving == 1


async def test_what_is_written_while_a_bucket_moves_comes_along_and_is_told_in_order(
    shop, several_settings, databases
):
    orders, [main, *_] = shop.orders, databases
    last = await main.fetchval("select last_id from events.relayed")
    made = await filled(orders, FEW[:1], each=4)
    moving = True

    async def buys():
        while moving:
            order = new_order(ids.new(ids.UserId, FEW[0]))
            while await _tried(orders.create_many([order])) is None:
                pass
            made.append(order)
            if len(made) % 2:
                while await _tried(cancels(orders, order)) is None:
                    pass

    buyers = [asyncio.create_task(buys()) for _ in range(3)]
    for to in ("c", "b", "main", "c"):
        had = len(made)
        await move(several_settings, FEW[:1], to)
        await until(lambda had=had: _grown(made, had + 6))
    moving = False
    await asyncio.gather(*buyers)
    assert await counted(databases) == [0, 0, len(made)]
    assert {each.order_id for each in (await orders.newest(limit=10_000)).orders} == {
        each.order_id for each in made
    }
    rows = (
        "select kind, (body::json ->> 'order_id')::bigint as order_id from events.log "
        "where id > $1 and kind in ('OrderPlaced', 'OrderCancelled') order by id"
    )
    cancelled = {each.order_id for each in (await orders.newest(status="cancelled", limit=10_000)).orders}

    async def all_told():
        return len(await main.fetch(rows, last)) >= len(made) + len(cancelled)

    await until(all_told)
    told = [(row["kind"], row["order_id"]) for row in await main.fetch(rows, last)]
    assert len({*told}) == len(told) == len(made) + len(cancelled)
    assert all(told.index(("OrderPlaced", each)) < told.index(("OrderCancelled", each)) for each in cancelled)
    assert len(cancelled) > 6


async def _tried(asked):
    try:
        return await asked
    except Unavailable:
        return None


async def _grown(made, enough):
    return len(made) >= enough


async def test_what_orders_follow_is_followed_by_whoever_has_the_bucket_in_the_end(
    shop, several_settings, databases, tmp_path
):
    main, _, c = databases
    erased = []

    async def tells():
        erased.append(ids.new(ids.UserId, FEW[0]))
        fact = AccountErased(user_id=erased[-1], people=erased[-1:])
        await main.execute("select events.tell_json('AccountErased', $1)", codec.inner_text(fact))

    async def passed(pool):
        reached = "select at from events.position where follower = 'orders' and partition = 0"
        return await pool.fetchval(reached) == await main.fetchval("select last_id from events.relayed")

    for to in ("c", "b", "main"):
        await tells()
        await move(several_settings, FEW[:1], to)
        await tells()
    await moved_by_another(several_settings, FEW[:1], "c", "give+1", tmp_path / "noted")
    assert await owners(databases, FEW[0]) == 0
    await tells()  # nobody has the bucket, and everybody passes it by
    for pool in databases:
        await until(lambda pool=pool: passed(pool))
    await move(several_settings, FEW[:1], "c")
    await moved_by_another(several_settings, FEW[:1], "main", "give+1", tmp_path / "noted")
    await tells()
    for pool in databases:
        await until(lambda pool=pool: passed(pool))
    await back(several_settings, FEW[:1])  # it is taken back by c

    async def all_there():
        rows = await c.fetch("select user_id from orders.erased")
        return sorted(row[0] for row in rows) == sorted(erased)

    await until(all_there)
    assert await main.fetchval("select count(*) from orders.erased") == 0


async def test_orders_that_are_in_two_databases_are_listed_and_counted_once(
    orders, several_settings, databases
):
    made = await filled(orders)
    await move(several_settings, FEW, "c", clear_after_s=None)
    assert await counted(databases) == [len(made), 0, len(made)]
    known = {each.order_id for each in made}
    for listed in (
        (await orders.newest(limit=50)).orders,
        await orders.exported(),
        await orders.sold_after(),
        (await orders.list_of([each.user_id for each in made], limit=50)).orders,
    ):
        assert len(listed) == len(known)
        assert {each.order_id for each in listed} == known
    assert sum((await orders.counts()).values()) == len(known)
    number = (await orders.order(made[0].order_id, None)).number
    assert [each.order_id for each in await orders.among([*known], number)] == sorted(known, reverse=True)
    assert [each.order_id for each in await orders.among([], number)] == [made[0].order_id]
    for part in orders.shards:
        await part.orders.forgetting.forget_due()
    assert (await one_home(several_settings)).violations == 0  # for the move says whose they are
    assert await move(several_settings, FEW, "c") == 0  # and what is left over is cleared away
    assert await counted(databases) == [0, 0, len(made)]


async def one_home(settings):
    found = await audit_shop(settings)
    return next(each for each in found if each.law == "each bucket of orders is in one database")


async def test_the_audit_finds_a_bucket_in_two_databases_or_none_and_orders_that_are_nowhere(
    orders, several_settings, databases
):
    await filled(orders)
    main, _, c = databases
    law = await one_home(several_settings)
    assert (law.checked, law.violations) == (1_024, 0)
    await gives(c, "[3,3],[800,1023]")
    assert (await one_home(several_settings)).violations == 1
    await gives(c, "[801,1023]")
    assert (await one_home(several_settings)).violations == 1
    await gives(c, "[3,5],[800,1023]")
    await gives(main, "[0,2],[6,399]")
    assert (await one_home(several_settings)).violations == len(FEW)  # handed over without their orders


DAMAGE = {
    "a row that is missing": "delete from orders.line where total = 1000",
    "a row that says something else": "update orders.history set detail = '{}' where what = 'shipped'",
    "a row too many": "insert into orders.erased values (3, 1, now())",
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_a_copy_that_differs_is_never_handed_over(orders, several_settings, databases, damage):
    made = await filled(orders, FEW[:1])
    there = several_settings.at(several_settings.shards()[2]).owner()
    there["dbname"] = there.pop("database")

    def damages(progress):
        if progress.what == "copied":
            with psycopg2.connect(**there) as c, c.cursor() as cursor:
                cursor.execute("set session_replication_role = replica")
                cursor.execute(DAMAGE[damage])

    with pytest.raises(CannotMove, match=r"Not moved: bucket 3 of .* It stays in main"):
        await move(several_settings, FEW[:1], "c", damages)
    assert (await orders.newest()).total == len(made)
    assert await databases[0].fetchval("select buckets @> 3 and leaving = '{}' from orders.here")
    assert await move(several_settings, FEW[:1], "c") == 1  # copied anew
    assert await counted(databases) == [0, 0, len(made)]


async def test_nothing_is_handed_over_that_no_relay_has_told(
    several_settings, databases, tmp_path, monkeypatch
):
    monkeypatch.setattr(mover, "_RELAYED_WITHIN_S", 0.2)
    async with AsyncExitStack() as stack:
        shop = await build_shop(msgspec.structs.replace(several_settings, data=tmp_path), stack)
        made = await filled(shop.orders, FEW[:1])
        with pytest.raises(CannotMove, match="No relay tells in time what happens in main"):
            await move(several_settings, FEW[:1], "c")
        assert await status(shop.orders, made[1]) == "confirmed"
        await cancels(shop.orders, made[1])
        assert await databases[0].fetchval("select buckets @> 3 from orders.here")
        assert await back(several_settings, FEW[:1]) == 1
        assert await counted(databases) == [len(made), 0, 0]
        assert await databases[2].fetchval("select count(*) from orders.moving") == 0


async def test_no_table_that_is_cut_by_bucket_is_forgotten(databases):
    for pool in databases:
        kept = {row["name"] for row in await pool.fetch("select name from orders.kept_by_bucket()")}
        with_bucket = (
            "select table_name::text from information_schema.columns "
            "where table_schema = 'orders' and column_name = 'bucket'"
        )
        assert {row[0] for row in await pool.fetch(with_bucket)} - {"moving", "changed"} == kept
        watched = "select tgname::text, tgrelid::regclass::text from pg_trigger where tgname like '%_here'"
        assert {(row[0], row[1]) for row in await pool.fetch(watched)} == {
            (f"{verb}_here", f"orders.{name}") for verb in ("insert", "update", "delete") for name in kept
        }
    main = databases[0]
    await main.execute(
        "create table orders.later (bucket smallint, order_id bigint, primary key (bucket, order_id))"
    )
    try:
        await main.execute("select orders.watch_buckets()")
        with pytest.raises(ELSEWHERE):
            await main.execute("insert into orders.later values (1000, 1)")
    finally:
        await main.execute("drop table orders.later")


def config_of(settings, folder):
    told = {
        name: getattr(settings, name)
        for name in ("secret_key", "postgres_host", "postgres_database", "postgres_owner", "orders_shards")
    }
    lines = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in told.items()]
    (file := folder / "shop.toml").write_text("\n".join(lines))
    return file


async def test_people_move_buckets_by_a_command_and_see_where_they_are(
    orders, several_settings, databases, tmp_path
):
    made = await filled(orders)
    file = config_of(several_settings, tmp_path)

    async def said(*arguments):
        done = await asyncio.to_thread(mercat, "shard", *arguments, "--config", file)
        return done.returncode, " ".join(f"{done.stdout} {done.stderr}".split())

    code, words = await said("move", "3-5,900", "--to", "c", "--no-clear")  # 900 is there
    assert (code, words.endswith("Buckets moved to c: 3.")) == (0, True)
    assert "2 of 4: bucket 4, 3 copied, writers waited" in words
    code, words = await said("status", "--json")
    shown = msgspec.json.decode(words)
    assert (code, shown["nowhere"], shown["twice"]) == (0, 0, 0)
    assert shown["databases"][0] == {
        "name": "main",
        "buckets": "0-2,6-399",
        "count": 397,
        "moving": {"gone to c, not cleared away yet": "3-5"},
    }
    assert await counted(databases) == [len(made), 0, len(made)]
    assert await said("move", "3-5", "--to", "c", "--no-clear") == (0, "All of them are in c already.")
    assert (await said("move", "3-5", "--back", "--no-clear"))[1].endswith("Buckets that are back: 3.")
    assert (await said("move", "3-5", "--back", "--no-clear"))[1] == "None of them had been moved."
    await gives(databases[0], "[1,399]")
    code, words = await said("status")
    assert code == 1
    assert "Buckets in no database: 1, in two: 0." in words
    code, words = await said("move", "0", "--to", "c")
    assert (code, words) == (1, "Bucket 0 is in no database, and none says where it went: see orders.here.")
    for arguments, refusal in {
        ("3", "--to", "d"): "There is no database of orders 'd'. There are: main, b, c.",
        ("3",): "Say where they go, by --to NAME, or that they go back, by --back.",
        ("3", "--to", "c", "--back"): "Say where they go, by --to NAME, or that they go back, by --back.",
        ("3-1024", "--to", "c"): "'3-1024' are no buckets: there are 0 to 1023.",
        ("all", "--to", "c"): "'all' are no buckets, as in 0-63,100.",
    }.items():
        assert await said("move", *arguments) == (1, refusal)
    await gives(databases[0], "[0,400]")
    assert await said("move", "400", "--to", "c") == (
        1,
        "Bucket 400 is in main and in b: correct orders.here in the one that is wrong.",
    )


async def test_a_move_is_refused_where_it_cannot_be_whole(several_settings, settings, databases, monkeypatch):
    monkeypatch.setattr(database, "_ALONE_WITHIN_S", 0.2)
    with pytest.raises(CannotMove, match="All orders of this shop are in one database"):
        await move(settings, FEW, "c")
    async with opened(several_settings):
        with pytest.raises(CannotMove, match="moved already, by another"):
            await move(several_settings, FEW, "c")
    nowhere = several_settings.orders_shards.rpartition(" ")[0] + " postgresql://127.0.0.1:9/several_c"
    with pytest.raises(CannotMove, match="The database of orders c does not answer"):
        await move(msgspec.structs.replace(several_settings, orders_shards=nowhere), FEW, "c")
    twice = several_settings.orders_shards.replace("several_c", "several_b")
    with pytest.raises(CannotMove, match="The database of c is b: its address is another's"):
        await move(msgspec.structs.replace(several_settings, orders_shards=twice), FEW, "c")
    async with AsyncExitStack() as stack:
        c = databases[2]
        stack.push_async_callback(c.execute, "update migrations.applied set checksum = btrim(checksum, '-')")
        await c.execute("update migrations.applied set checksum = checksum || '-' where service = 'orders'")
        with pytest.raises(CannotMove, match="are of several versions"):
            await move(several_settings, FEW, "c")


async def test_an_empty_bucket_moves_and_an_order_of_it_is_placed_there(orders, several_settings, databases):
    assert await move(several_settings, [7], "c") == 1
    await orders.create_many([new_order(ids.new(ids.UserId, 7))])
    assert await counted(databases) == [0, 0, 1]


PARTS = 4
"""Of the statements of a move, for each test a part."""
READS = re.compile(
    r"/\* mercat\.resharding\.(identity|moves|kept|has|move_of|changes|written|followed|come_still)"
    r"|/\* mercat\.resharding\.(elsewhere|stand_still)|\s*select|set local|begin",
    re.IGNORECASE,
)
"""Killed after one of these, a move has left what it left after the statement before."""


@pytest.mark.scale
@pytest.mark.parametrize("part", range(PARTS))
async def test_a_move_can_be_killed_after_any_of_its_statements(
    orders, several_settings, databases, tmp_path, part
):
    made, buckets, noted = await filled(orders, FEW[:1]), FEW[:1], tmp_path / "noted"
    before = await digests(several_settings, buckets)
    there = {bucket: ("c", sums) for bucket, (_, sums) in before.items()}
    statements = await moved_by_another(several_settings, buckets, "c", 0, noted)
    assert await digests(several_settings, buckets) == there
    await moved_by_another(several_settings, buckets, None, 0, noted)
    writes = [n for n, each in enumerate(statements, 1) if not READS.match(each)]
    assert len(writes) > 30
    for at in writes[part::PARTS]:
        done = await moved_by_another(several_settings, buckets, "c", at, noted)
        assert len(done) == at
        await owners(databases, buckets[0])
        await back(several_settings, buckets)
        assert await digests(several_settings, buckets) == before, done[-1]

        await moved_by_another(several_settings, buckets, "c", at, noted)
        await move(several_settings, buckets, "c")
        assert await digests(several_settings, buckets) == there, done[-1]

        await moved_by_another(several_settings, buckets, None, at, noted)
        await owners(databases, buckets[0])
        await back(several_settings, buckets)
        assert await digests(several_settings, buckets) == before, done[-1]
        assert await counted(databases) == [len(made), 0, 0]
