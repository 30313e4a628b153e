"""Orders on several databases: each where its bucket is, wherever that is by now, and listed as from one."""

import asyncio
import random
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest
from both_ways import WAYS, reached
from contract.test_orders import BOB, all_of, cancels, new_order, parcel, status
from shard_databases import BUCKETS, gives, user_of
from waiting import until

from mercat import ids
from mercat.app import build_shop, public_app
from mercat.audit import audit_shop
from mercat.cli.checking_config import look_over_config
from mercat.events import AccountErased
from mercat.kit import codec
from mercat.kit.refusals import NotFound, Unavailable
from mercat.migrations import CannotMigrate
from mercat.migrations.sharding import migrate_shards
from mercat.orders import API, NewNote, NotCancellable, Orders, SomeNotPlaced
from mercat.orders.here import ELSEWHERE
from mercat.orders.shards import OrdersOverShards
from mercat.shop import run_background


@pytest.fixture
async def shop(several_settings, databases, tmp_path):
    async with AsyncExitStack() as stack:
        yield await build_shop(msgspec.structs.replace(several_settings, data=tmp_path), stack)


@pytest.fixture
async def orders(shop):
    return shop.orders


async def counted(databases):
    return [await pool.fetchval("select count(*) from orders.orders") for pool in databases]


async def test_a_shop_with_one_database_has_plain_orders_and_no_trigger(settings, db):
    async with AsyncExitStack() as stack:
        orders = (await build_shop(settings, stack)).orders
        assert type(orders) is Orders
        assert await orders.create_many([new_order(user_of(place)) for place in BUCKETS]) == [True] * 3
    assert (
        await db.fetchval("select count(*) from pg_trigger where tgname in ('insert_here', 'update_here')")
        == 0
    )


def test_every_verb_has_its_way():
    assert [verb.name for verb in API if not callable(getattr(OrdersOverShards, verb.name, None))] == [
        "take_old",
        "find_old",
        "old_of",
    ]  # of the shop's own database


async def test_an_order_is_where_its_bucket_is_and_everything_happens_to_it_there(orders, databases):
    made = [new_order(user_of(place)) for place in ("main", "b", "c", "c")]
    assert await orders.create_many(made) == [True] * 4
    assert await orders.create_many(made) == [True] * 4
    assert await counted(databases) == [1, 1, 2]
    for order in made:
        assert (await orders.order(order.order_id, [order.user_id])).total == order.total
        shipment = parcel(order)
        assert await orders.ship(order.order_id, BOB, shipment, all_of(order, BOB)) == order.user_id
        with pytest.raises(NotCancellable):
            await cancels(orders, order)
        await orders.arrived(order.order_id, shipment, all_of(order, BOB))
        assert await status(orders, order) == "partially_shipped"
        note = NewNote(user_id=order.user_id, who="Olga", text="Looked at.", once="1")
        await orders.add_note(order.order_id, note)
        remarks = await orders.remarks(order.order_id)
        assert [each.text for each in remarks.notes] == ["Looked at."]
        assert [each.code for each in remarks.refusals] == ["not_cancellable"]
    numbers = [(await orders.order(order.order_id, None)).number for order in made]
    assert len({*numbers}) == 4
    with pytest.raises(NotFound):
        await orders.order(new_order(user_of("b")).order_id, None)


async def test_what_was_given_up_in_another_database_is_never_made(orders):
    given_up, made = new_order(user_of("c")), new_order(user_of("b"))
    await orders.refuse(given_up)
    assert await orders.create_many([given_up, made]) == [False, True]
    with pytest.raises(NotCancellable):
        await orders.refuse(made)


async def test_a_database_refuses_what_is_not_its_own_and_the_right_one_is_asked(orders, databases):
    main, b, _ = databases
    order = new_order(user_of("b"))
    with pytest.raises(ELSEWHERE):
        await orders.main.create_many([order])
    with pytest.raises(ELSEWHERE):  # else it could be made after it was given up
        await orders.main.refuse(order)
    await gives(b, "[401,799]")
    moved = new_order(ids.new(ids.UserId, 400))
    trying = asyncio.create_task(orders.create_many([moved, order]))  # for now nobody has one of them
    async with asyncio.timeout(5):
        while not await b.fetchval("select count(*) from orders.orders"):
            await asyncio.sleep(0)
    await gives(main, "[0,400]")
    assert await trying == [True, True]
    assert await counted(databases) == [1, 1, 0]
    await cancels(orders, moved)
    assert await status(orders, moved) == "cancelled"


async def test_who_writes_keeps_a_bucket_until_it_is_done(orders, databases):
    _, b, _ = databases
    order = new_order(user_of("b"))
    await orders.create_many([order])
    async with b.acquire() as writer, b.acquire() as mover:
        writing = writer.transaction()
        await writing.start()
        await writer.execute("update orders.orders set status = 'shipped'")
        taking = asyncio.create_task(mover.execute("update orders.here set buckets = '{}'"))
        waiting = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%here%'"
        )
        async with asyncio.timeout(5):
            while not await b.fetchval(waiting):
                await asyncio.sleep(0)
        assert not taking.done()
        await writing.commit()
        await taking
        with pytest.raises(ELSEWHERE):
            await writer.execute("update orders.orders set status = 'delivered'")


async def test_people_with_orders_in_several_databases_see_one_list(orders):
    ann = [user_of("main"), user_of("b"), user_of("c")]  # a member, and the guests she was
    made = [new_order(random.choice(ann)) for _ in range(23)]
    await orders.create_many(made)
    newest = sorted((order.order_id for order in made), reverse=True)
    seen, cursor = [], None
    while True:
        page = await orders.list_of(ann, limit=4, cursor=cursor)
        seen += [each.order_id for each in page.orders]
        assert page.total == 23
        if not (cursor := page.next_cursor):
            break
    assert seen == newest
    pages = [await orders.list_of(ann, n, 10) for n in (1, 2, 3, 4)]
    assert [each.order_id for page in pages for each in page.orders] == newest
    only = await orders.list_of([ann[1]], limit=100)
    assert {each.order_id for each in only.orders} == {
        each.order_id for each in made if each.user_id == ann[1]
    }


async def test_everybodys_orders_are_listed_and_read_as_from_one_database(orders):
    made = [new_order(user_of(random.choice("bc"))) for _ in range(9)] + [new_order(user_of("main"))]
    await orders.create_many(made)
    await cancels(orders, made[0])
    newest = sorted((order.order_id for order in made), reverse=True)
    first = await orders.newest(limit=4)
    rest = await orders.newest(first.orders[-1].order_id, limit=50)
    assert [each.order_id for each in [*first.orders, *rest.orders]] == newest
    assert (first.next_cursor is not None, rest.next_cursor) == (True, None)
    assert [each.order_id for each in (await orders.newest(status="cancelled")).orders] == [made[0].order_id]
    assert await orders.counts() | {} == {
        **dict.fromkeys(await orders.counts(), 0),
        "confirmed": 9,
        "cancelled": 1,
    }
    number = (await orders.order(made[1].order_id, None)).number
    found = await orders.among([made[2].order_id, made[-1].order_id], number)
    assert {each.order_id for each in found} == {made[1].order_id, made[2].order_id, made[-1].order_id}
    assert [each.order_id for each in await orders.exported(newest[2], limit=5)] == newest[3:8]
    sold, after = [], None
    while page := await orders.sold_after(after, 2):
        after = page[-1].order_id
        sold += page
    assert [each.order_id for each in sold] == sorted(newest, key=lambda each: (each.bucket, each))
    assert {each.order_id for each in await orders.sold(newest)} == {*newest}
    assert await orders.missing() == []


async def test_what_is_told_in_any_database_is_in_the_log_and_followed_where_the_order_is(shop, databases):
    main, *_ = databases
    last = await main.fetchval("select last_id from events.relayed")
    await run_background(shop)
    made = [new_order(user_of(place)) for place in BUCKETS for _ in range(20)]
    await asyncio.gather(*(shop.orders.create_many([order]) for order in made))
    told = (
        "select count(*) from events.log where id > $1 and kind = 'OrderPlaced' "
        "and (body::json ->> 'order_id')::bigint = any($2)"
    )

    async def all_told():
        return await main.fetchval(told, last, [order.order_id for order in made]) >= len(made)

    await until(all_told, 20)
    assert await main.fetchval(told, last, [order.order_id for order in made]) == len(made)
    assert await main.fetchval("select last_id from events.relayed") == await main.fetchval(
        "select max(id) from events.log"
    )
    erased = [made[0].user_id, made[25].user_id, made[45].user_id]
    fact = AccountErased(user_id=erased[0], people=erased)
    await main.execute("select events.tell_json('AccountErased', $1)", codec.inner_text(fact))

    async def remembered():
        return [await pool.fetchval("select array_agg(user_id) from orders.erased") for pool in databases]

    async def everywhere():
        return None not in await remembered()

    await until(everywhere, 20)
    assert await remembered() == [[each] for each in erased]


async def test_a_database_that_is_away_hurts_its_own_orders_alone(several_settings, databases, tmp_path):
    nowhere = several_settings.orders_shards.rpartition(" ")[0] + " postgresql://127.0.0.1:9/several_c"
    settings = msgspec.structs.replace(several_settings, orders_shards=nowhere, data=tmp_path)
    async with AsyncExitStack() as stack:
        orders = (await build_shop(settings, stack)).orders
        made = [new_order(user_of(place)) for place in BUCKETS]
        for way in WAYS:
            async with reached(way, Orders, API, orders) as asked:
                with pytest.raises(SomeNotPlaced) as some:
                    await asked.create_many(made)
                assert some.value.facts["answers"] == [True, True, None]
        with pytest.raises(Unavailable):
            await orders.create_many(made[2:])
        with pytest.raises(Unavailable):
            await orders.list_of([made[2].user_id])
        await cancels(orders, made[0])
        assert await status(orders, made[1]) == "confirmed"
        assert (await orders.list_of([made[1].user_id])).total == 1
        assert await orders.missing() == ["c"]
        assert len((await orders.newest()).orders) == 2
        assert await orders.counts() == {}
        with pytest.raises(Unavailable):  # a file that lacks some would be believed
            await orders.exported()


async def test_operators_and_probes_are_told_which_database_is_away(several_settings, databases, tmp_path):
    nowhere = several_settings.orders_shards.rpartition(" ")[0] + " postgresql://127.0.0.1:9/several_c"
    settings = msgspec.structs.replace(several_settings, orders_shards=nowhere, data=tmp_path)
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
        transport = httpx.ASGITransport(await public_app(shop), raise_app_exceptions=False)
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://shop"))
        olga = {"email": f"olga{ids.new(ids.NoteId)}@example.com", "password": "mercat-test", "name": "Olga"}
        opened = (await http.post("/api/v1/accounts", json=olga)).json()
        await shop.accounts.grant(ids.parse(ids.UserId, opened["user_id"]), "operator")
        del olga["name"]
        token = (await http.post("/api/v1/sessions", json=olga)).json()["token"]
        made = new_order(user_of("b"))
        await shop.orders.create_many([made])
        bearer = {"authorization": f"Bearer {token}"}
        listed = (await http.get("/api/v1/operator/orders", headers=bearer)).json()
        assert [each["order_id"] for each in listed["orders"]] == [str(made.order_id)]
        assert listed["missing"] == ["c"]
        page = await http.get("/operator/orders")
        assert "Not all orders are here: c does not answer at the moment." in page.text
        assert (await http.get("/operator/orders.csv")).status_code == 503
        assert (await http.get("/health")).json() == {"status": "ok", "orders_missing": ["c"]}


async def test_the_audit_reads_the_orders_of_all_databases(several_settings, orders, databases):
    made = [new_order(user_of(place)) for place in (*BUCKETS, "c")]
    await orders.create_many(made)
    law, unpaid = "order lines add up to the order", "an order has one captured payment of its total"
    found = {each.law: each for each in await audit_shop(several_settings)}
    assert (found[law].checked, found[law].violations) == (4, 0)
    assert (found[unpaid].checked, found[unpaid].violations) == (4, 4)  # nobody was asked for money
    await databases[2].execute(
        "delete from orders.line where order_line_id = $1", made[3].lines[0].order_line_id
    )
    await gives(databases[1], "[900,1000]")  # what is left of other buckets there is not counted again
    found = {each.law: each for each in await audit_shop(several_settings)}
    assert (found[law].checked, found[law].violations) == (3, 1)


async def test_what_is_looked_over_says_which_database_has_what_and_what_contradicts(
    several_settings, databases, tmp_path
):
    def said(shards=several_settings.orders_shards):
        told = {
            name: getattr(several_settings, name)
            for name in ("secret_key", "postgres_host", "postgres_database", "store_url", "cache_url")
        }
        lines = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in told.items()]
        (file := tmp_path / "shop.toml").write_text("\n".join([*lines, f'orders_shards = "{shards}"']))
        checks = look_over_config(file)
        return {(each.what, each.level): each.said for each in checks} | {
            each.do.removesuffix(" --config FILE"): each.said for each in checks if each.what == "moves"
        }

    found = await asyncio.to_thread(said)
    assert found["orders c", "fine"] == "It has the buckets {[800,1024)}."
    assert found["orders", "fine"] == "Each bucket is in one database."
    assert ("moves", "look") not in found
    moves = "insert into orders.moving (bucket, state, other, at) values "
    old, new = "now() - interval '61 minutes'", "now() - interval '59 minutes'"
    await databases[0].execute(
        f"{moves} (800, 'gone', 'b', {old}), (801, 'gone', 'c', {new}), (3, 'leaving', 'b', {old}), "
        f"(4, 'arrived', 'b', {old})"
    )
    await databases[1].execute(
        f"{moves} (3, 'coming', 'main', {old}), (802, 'dropped', 'c', {old}), (5, 'coming', 'main', {old})"
    )
    found = await asyncio.to_thread(said)
    assert {each for each in found if isinstance(each, str)} == {
        "mercat shard move 3 --to b",
        "mercat shard move 5 --to main",
        "mercat shard move 800,802 --to c",
    }
    assert found["mercat shard move 3 --to b"].startswith("Buckets 3 left rows in another database")
    await gives(databases[1], "[399,600]")
    found = await asyncio.to_thread(said)
    assert found["orders", "wrong"].startswith("199 buckets are in no database, and 1 in several")
    found = await asyncio.to_thread(said, several_settings.orders_shards.replace("several_c", "several_b"))
    assert found["orders c", "wrong"] == "It is b."
    nowhere = several_settings.orders_shards.rpartition(" ")[0] + " postgresql://127.0.0.1:9/several_c"
    assert "does not answer" in (await asyncio.to_thread(said, nowhere))["orders c", "wrong"]


async def test_what_is_missing_of_the_triggers_is_made_while_people_buy(several_settings, databases):
    main = databases[0]
    made = "select count(*) from pg_trigger where tgname like '%_here'"
    all_of_them = await main.fetchval(made)
    for table in ("line", "orders"):
        await main.execute(f"drop trigger insert_here on orders.{table}")

    async def waits():
        return await main.fetchval(
            "select true from pg_stat_activity where datname = current_database() "
            "and wait_event_type = 'Lock' and query like '%watch_buckets%' and pid <> pg_backend_pid()"
        )

    async with main.acquire() as buyer, buyer.transaction():
        await buyer.execute("lock table orders.orders in row exclusive mode")
        migrating = asyncio.create_task(migrate_shards(several_settings))
        await until(waits)
        await buyer.execute("set local lock_timeout = '500ms'")
        await buyer.execute("lock table orders.line in row exclusive mode")
    await migrating
    assert await main.fetchval(made) == all_of_them


async def test_a_database_keeps_what_it_has_and_a_new_one_cannot_take_it(several_settings, orders, databases):
    await orders.create_many([new_order(user_of("c"))])
    other = several_settings.orders_shards.replace("main 0-399", "main 0-9").replace("b 400-799", "b 10-799")
    await migrate_shards(
        msgspec.structs.replace(several_settings, orders_shards=other)
    )  # which they had before
    assert [await pool.fetchval("select buckets::text from orders.here") for pool in databases] == [
        "{[0,400)}",
        "{[400,800)}",
        "{[800,1024)}",
    ]
    await databases[2].execute("update orders.here set shard = null")
    without = several_settings.orders_shards.replace("c 800-1023", "c -").replace("0-399", "0-399,800-1023")
    taken = msgspec.structs.replace(several_settings, orders_shards=without)
    with pytest.raises(CannotMigrate, match="bucket 800 is in none"):
        await migrate_shards(taken)
    await gives(databases[0], "[0,399],[800,1023]")
    with pytest.raises(CannotMigrate, match="c has orders of buckets 0 to 1023"):
        await migrate_shards(taken)
    await databases[2].execute("update orders.here set shard = 'c'")
