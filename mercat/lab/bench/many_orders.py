"""Claim: an order costs as much after five million as in an empty shop (at most a fifth more).

    python -m mercat.lab.bench.many_orders [ORDERS] [SECONDS]

Some thousand real purchases are copied, with ids of earlier days, until so many stand in the tables that a
purchase writes to; the best rate is measured before and after. Last result: docs/performance.md."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta

import asyncpg

from mercat import ids
from mercat.lab.bench.checkout import ShopperPool, invite, stock_shelves
from mercat.lab.bench.shop import opened, staff

_AT_ONCE = 512
TEMPLATE = 5_000
_START = datetime(2027, 1, 1, tzinfo=UTC)
_APART = ids.first_of(_START + timedelta(minutes=1)) - ids.first_of(_START)
"""A minute in an id."""
_COPIES = """
insert into checkout.checkout (checkout_id, user_id, key, fingerprint, cart_id, record, begun_at)
select checkout_id - {apart}, user_id, key || '/{copy}', fingerprint, cart_id - {apart}, record, begun_at
from checkout.checkout where checkout_id in (select id from chosen);

insert into checkout.answer (checkout_id, status, body, at)
select checkout_id - {apart}, status, body, at from checkout.answer
where checkout_id in (select id from chosen);

insert into inventory.reservation (checkout_id, state, offer_ids, location_ids, quantities, refusal, at)
select checkout_id - {apart}, state, offer_ids, location_ids, quantities, refusal, at
from inventory.reservation where checkout_id in (select id from chosen);

insert into inventory.movement (kind, reference, offer_ids, location_ids, quantities, at)
select kind, reference || '/{copy}', offer_ids, location_ids, quantities, at
from inventory.movement where kind = 'sold' and reference in (select id::text from chosen);

insert into payments.payment (payment_id, checkout_id, order_id, amount, currency, status, parts, at)
select payment_id - {apart}, checkout_id - {apart}, order_id - {apart}, amount, currency, status, parts, at
from payments.payment where checkout_id in (select id from chosen);

insert into payments.entry (kind, reference, currency, accounts, amounts, at)
select kind, reference - {apart}, currency, accounts, amounts, at
from payments.entry where reference in (select id from chosen);

insert into payments.sandbox_charge (key, amount, currency, token, state, at)
select key - {apart}, amount, currency, token, state, at
from payments.sandbox_charge where key in (select id from chosen);

insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, email, subtotal,
    shipping, tax, total, currency, shipping_method, estimated_delivery, address, placed_at)
select bucket, order_id - {apart}, user_id, checkout_id - {apart}, cart_id - {apart}, status, email,
    subtotal, shipping, tax, total, currency, shipping_method, estimated_delivery, address, placed_at
from orders.orders where checkout_id in (select id from chosen);

insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, image_url,
    quantity, unit_price, total)
select bucket, order_id - {apart}, l.order_line_id - {apart}, l.product_id, l.offer_id, l.seller_id, l.title,
    l.image_url, l.quantity, l.unit_price, l.total
from chosen join orders.line l using (bucket, order_id);
"""


async def main(orders: int, seconds: float) -> None:
    async with opened() as connection, staff(connection) as shop:
        crowd = ShopperPool(shop, await invite(shop, 2_000), await stock_shelves(shop))
        while await crowd.fill():
            pass
        filling = asyncio.create_task(crowd.keep_filling())

        async def best() -> float:
            await crowd.run(connection.port, _AT_ONCE, 3)
            return (await crowd.run(connection.port, _AT_ONCE, seconds)).rate

        before = await best()
        owner = await asyncpg.connect(**connection.postgres())
        await copy_orders(owner, orders)
        after = await best()
        orders_held = await owner.fetchval("select count(*) from orders.orders")
        filling.cancel()
        await owner.close()
    sys.stdout.write(
        json.dumps(
            {
                "orders_in_the_tables": orders_held,
                "empty_per_s": round(before, 1),
                "full_per_s": round(after, 1),
                "ratio": round(after / before, 3),
            }
        )
        + "\n"
    )


async def copy_orders(owner: asyncpg.Connection, orders: int, first: int = 1) -> None:
    """Copy some thousand orders until there are so many more. `first`: the number of the first copy."""
    await owner.execute(
        "create temp table if not exists chosen as select checkout_id as id, bucket, order_id "
        f"from orders.orders limit {TEMPLATE}"
    )
    await owner.execute("create index if not exists chosen_id on chosen (id); analyze chosen")
    await owner.execute("create index copied on orders.orders (checkout_id)")
    for copy in range(first, first + orders // TEMPLATE):
        await owner.execute(_COPIES.format(apart=copy * _APART, copy=copy))
        if copy % 20 == 0:
            sys.stderr.write(f"{copy * TEMPLATE:,} orders copied\n")
    await owner.execute("drop index orders.copied")
    await owner.execute("vacuum analyze")


if __name__ == "__main__":
    asyncio.run(
        main(
            int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000,
            float(sys.argv[2]) if len(sys.argv) > 2 else 20,
        )
    )
