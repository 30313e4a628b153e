"""The audit of orders in several databases: the same laws, and little is moved to check them."""

import random
from contextlib import AsyncExitStack

import pytest
from contract.test_orders import new_order

from mercat import ids
from mercat.app import build_shop
from mercat.audit import audit_shop, prove_shop
from mercat.audit.audit import breaks, check, check_over, laws
from mercat.audit.mirrors import Mirrored, mirrors, names_in
from mercat.kit import codec

PLACED, LINE = mirrors()["placed"], mirrors()["line"]
ORDERS = 2_000
CONFIRMED = """
with asked as (
    select (r -> 'order' ->> 'checkout_id')::bigint as id, r from unnest($1::json[]) r
), begun as (
    insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at)
    select id, id, '', '', r, (r -> 'order' ->> 'placed_at')::timestamptz from asked
)
insert into checkout.answer (checkout_id, status, body, at) select id, 201, '', now() from asked
"""
TWICE = """
update checkout.checkout set record = jsonb_set(record::jsonb, '{order,lines}',
    (record::jsonb #> '{order,lines}') || (record::jsonb #> '{order,lines}'))::json where checkout_id = $1
"""
SWAPPED = """
update orders.line set order_id = case order_id when $1 then $2::bigint else $1 end where order_id in ($1, $2)
"""


@pytest.fixture
async def homes(databases):
    """A connection of the owner to each database, the shop's own first."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(pool.acquire()) for pool in databases]
        for connection in connections:
            await connection.execute("set timezone = 'UTC'")
        await connections[0].execute("truncate checkout.checkout, checkout.answer")
        yield connections
        await connections[0].execute("truncate checkout.checkout, checkout.answer")


@pytest.fixture
async def many(homes, several_settings):
    """Orders with two lines in all three databases, which checkout has confirmed."""
    made = [new_order(ids.new(ids.UserId, random.randrange(1_024))) for _ in range(ORDERS)]
    async with AsyncExitStack() as stack:
        await (await build_shop(several_settings, stack)).orders.create_many(made)
    await homes[0].execute(CONFIRMED, [codec.inner_text({"order": each}) for each in made])
    return made


async def mirrored(homes, mirror=LINE):
    """A mirror is made, and holds what orders say."""
    made = Mirrored(homes[0], homes)
    await made.make(mirror)
    there = sorted([row for home in homes for row in await home.fetch(mirror.orders)])
    assert sorted(await homes[0].fetch(f"select * from pg_temp.mirror_{mirror.name}")) == there
    return made


async def test_what_agrees_is_not_moved(homes, many):
    for mirror in (PLACED, LINE):
        made = await mirrored(homes, mirror)
        assert (made.digests, made.rows) == (len(homes), 0)


async def test_of_what_differs_its_slice_is_moved_and_no_more(homes, many):
    changed, gone, more = random.sample(many, 3)
    for home in homes:
        changes = "update orders.line set quantity = 9, total = 9 * unit_price where order_id = $1"
        await home.execute(changes, changed.order_id)
        await home.execute("delete from orders.line where order_id = $1", gone.order_id)
    await homes[0].execute("delete from checkout.answer where checkout_id = $1", more.checkout_id)
    made = await mirrored(homes)
    buckets = {each.order_id.bucket for each in (changed, gone, more)}
    assert 0 < made.rows <= sum(2 for each in many if each.order_id.bucket in buckets)
    assert made.digests <= len(homes) * (1 + 32) + 3 * (32 + 1)


async def test_lines_of_another_order_and_lines_that_are_told_twice_are_noticed(homes, many):
    in_main = [each for each in many if each.order_id.bucket < 400]
    await homes[0].execute("alter table orders.line disable trigger user")
    await homes[0].execute(SWAPPED, in_main[0].order_id, in_main[1].order_id)
    await homes[0].execute("alter table orders.line enable trigger user")
    await homes[0].execute(TWICE, in_main[2].checkout_id)
    assert (await mirrored(homes)).rows


async def test_what_another_database_still_has_of_a_bucket_that_went_is_not_counted(homes, many):
    await homes[2].execute("update orders.here set buckets = buckets - '{[1000,1024)}'::int4multirange")
    made = Mirrored(homes[0], homes)
    await made.make(PLACED)
    left = sum(each.order_id.bucket < 1_000 for each in many)
    assert await homes[0].fetchval("select count(*) from pg_temp.mirror_placed") == left


async def test_laws_say_of_mirrors_what_they_say_of_orders_however_they_are_broken(db):
    async with db.acquire() as owner:
        await owner.execute("set timezone = 'UTC'")
        for law in laws():
            for statements in breaks(law.name):
                damage = owner.transaction()
                await damage.start()
                await owner.execute("set local session_replication_role = replica")
                await owner.execute(statements)
                made = Mirrored(owner, [owner])
                for name in names_in(law.text):
                    await made.make(mirrors()[name])
                assert await check_over([owner], law) == await check(owner, law)
                await damage.rollback()


async def test_every_law_is_noticed_when_it_is_broken_in_any_database(several_settings, homes):
    assert [each.law for each in await prove_shop(several_settings) if not each.violations] == []
    assert [each for each in await audit_shop(several_settings) if each.violations] == []
