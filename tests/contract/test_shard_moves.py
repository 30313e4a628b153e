"""Buckets of orders move between databases: all of them, undone, cut off anywhere, and while people buy."""

import asyncio
import random
from contextlib import AsyncExitStack

import msgspec
import pytest
from contract.test_order_shards import counted
from contract.test_orders import all_of, BOB, cancels, new_order, parcel, status
from shard_databases import databases as databases
from shard_databases import gives, user_of
from shard_databases import several_settings as several_settings
from waiting import until

from mercat import ids
from mercat.app import build_shop
from mercat.orders import NewNote, NotCancellable
from mercat.resharding import CannotMove, Mover, opened
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


async def move(settings, buckets, to, told=lambda _: None):
    async with opened(settings) as found:
        return await Mover(found, told, 0).move(buckets, to)


async def back(settings, buckets):
    async with opened(settings) as found:
        return await Mover(found, clear_after_s=0).back(buckets)


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
    main, _, c = databases
    await main.execute(
        "insert into orders.erased (bucket, user_id, erased_at) select (user_id >> 12) & 1023, user_id, now() "
        "from orders.orders"
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
    assert [each.orders if hasattr(each, "orders") else each.copied for each in told if each.what == "copied"]
    assert await orders.main._db.fetchval("select count(*) from orders.changed") == 0
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
