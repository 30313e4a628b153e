"""Claim: operators find an order among ten million within 50 ms (p99), and so does a shopper of theirs.

    python -m mercat.lab.bench.find_orders [ORDERS] [SECONDS]

Three hundred days of orders are written straight into the tables: a million shoppers with two names, a
thousand sellers, a letter each; those of the last three days are to be shipped, the others have arrived but
for one in a thousand. Then each way of asking is asked one after another, over HTTP, for so many seconds.
Last result: docs/performance.md.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import asyncpg
import httpx

from mercat import ids
from mercat.embedded import Connection
from mercat.lab.bench.shop import opened, staff
from mercat.shop import Shop

_AT_ONCE = 250_000
_SHOPPERS = 1_000_000
_SELLERS = 1_000
_DAYS = 300
_NO_LIMIT = {"MERCAT_ACCOUNT_RATE": "1000000", "MERCAT_ACCOUNT_BURST": "1000000"}
_FILL = """
create temp table made as
select n, o.order_id, (o.order_id >> 12 & 1023)::smallint as bucket, n % {sellers} + 1 as seller_id,
    case n % {shoppers} when 0 then {user_id} else n % {shoppers} end as user_id,
    'Shopper' || n % 9973 || ' Name' || n % 99991 as name,
    'shopper' || n % {shoppers} || '@example.com' as email,
    timestamptz '{start}' + n * interval '{apart} seconds' as at,
    case when n % 1000 = 7 then 'cancelled' when n > {recent} then 'confirmed' else 'delivered' end as status
from generate_series({low}::bigint, {high}::bigint) n, lateral (
    select {first}::bigint + ((n * {apart} * 1000)::bigint << 22)
        + (case n % {shoppers} when 0 then {bucket} else n % 1024 end << 12) as order_id
) o;

insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, email, subtotal, total,
    shipping_method, address, placed_at)
select bucket, order_id, user_id, order_id + 1, order_id + 2, status, email, 2000, 2000, 'standard',
    json_build_object('name', name, 'line1', '1 Main St', 'city', 'Austin', 'country', 'US'), at
from made;

insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity,
    unit_price, total)
select bucket, order_id, order_id + 3, n % 100000 + 1, n % 100000 + 1, seller_id, 'A thing to buy', 2,
    1000, 2000
from made;

insert into fulfilment.seller_order (seller_id, order_id, placed_at, status, currency, lines, address)
select seller_id, order_id, at, case status when 'confirmed' then 'to_ship' else status end, 'USD',
    jsonb_build_array(jsonb_build_object('order_line_id', order_id + 3, 'product_id', 1,
        'title', 'A thing to buy', 'quantity', 2)),
    jsonb_build_object('name', name, 'line1', '1 Main St', 'city', 'Austin', 'country', 'US')
from made;

insert into fulfilment.shipment (shipment_id, order_id, user_id, seller_id, carrier, tracking_number, status,
    lines)
select order_id + 4, order_id, user_id, seller_id, 'Post', 'T' || n, 'delivered', '[]'
from made where status = 'delivered';

insert into fulfilment.event (shipment_id, version, status, at)
select order_id + 4, 1, 'delivered', at from made where status = 'delivered';

insert into notifications.mail (subject_id, kind, channel, order_id, recipient, facts, made_at, sent_at)
select order_id, 'order_confirmed', 'mail', order_id, email,
    jsonb_build_object('event', 'OrderPlaced', 'order_id', order_id, 'checkout_id', order_id + 1,
        'cart_id', order_id + 2, 'user_id', user_id, 'email', email, 'total', 2000, 'currency', 'USD',
        'lines', jsonb_build_array(), 'placed_at', at), at, at
from made;

drop table made;
"""


async def main(orders: int, seconds: float) -> None:
    """Fill a shop of its own, ask, and print the times in milliseconds as one JSON object."""
    async with opened(more=_NO_LIMIT) as connection, staff(connection) as shop:
        await _measure(connection, shop, orders, seconds)


async def _measure(connection: Connection, shop: Shop, orders: int, seconds: float) -> None:
    account = {"email": "olga@example.com", "password": "mercat-bench-1", "name": "Olga"}
    base = f"http://127.0.0.1:{connection.port}/api/v1"
    async with httpx.AsyncClient(base_url=base, timeout=120) as http:
        made = await http.post("/accounts", json=account)
        user_id = ids.parse(ids.UserId, made.json()["user_id"])
        await shop.accounts.grant(user_id, "operator")
        session = await http.post("/sessions", json={n: account[n] for n in ("email", "password")})
        http.headers["authorization"] = f"Bearer {session.json()['token']}"
        owner = await asyncpg.connect(**connection.postgres())
        await _fill(owner, orders, user_id)
        some = await owner.fetch("select order_id from orders.orders tablesample system (0.1) limit 10000")
        await owner.close()
        some_orders = [ids.OrderId(row["order_id"]) for row in some]
        times = {name: await _asked(http, ask, seconds) for name, ask in _asks(orders, some_orders).items()}
    sys.stdout.write(json.dumps({"orders": orders, "ms": times}, indent=1) + "\n")


async def _fill(owner: asyncpg.Connection, orders: int, user_id: ids.UserId) -> None:
    """Write orders into the tables; of every shopper's one in a million is this person's."""
    apart = _DAYS * 86_400 / orders
    start = datetime.now(UTC) - timedelta(days=_DAYS)
    for low in range(1, orders + 1, _AT_ONCE):
        statement = _FILL.format(
            shoppers=_SHOPPERS,
            sellers=_SELLERS,
            user_id=int(user_id),
            bucket=user_id.bucket,
            start=start.isoformat(),
            apart=apart,
            first=ids.first_of(start),
            recent=orders - int(3 * 86_400 / apart),
            low=low,
            high=min(orders, low + _AT_ONCE - 1),
        )
        await owner.execute(statement, timeout=600)
        sys.stderr.write(f"{low + _AT_ONCE - 1:,} orders written\n")
    await owner.execute("vacuum analyze", timeout=3_600)


def _asks(orders: int, some: list[ids.OrderId]) -> dict[str, Callable[[Random], str]]:
    """Every way to ask for orders, as an address for a chance."""

    def one(chance: Random) -> int:
        return chance.randint(1, orders)

    def find(words: str) -> str:
        return f"/operator/orders?q={words}"

    def name(n: int) -> str:
        return f"Shopper{n % 9973} Name{n % 99991}"

    def seller(chance: Random) -> str:
        return str(ids.SellerId(chance.randint(1, _SELLERS)))

    long_ago = (datetime.now(UTC) - timedelta(days=9)).date()
    return {
        "one order": lambda chance: f"/operator/orders/{chance.choice(some)}",
        "the newest": lambda chance: "/operator/orders",
        "of a status, many": lambda chance: "/operator/orders?status=delivered",
        "of a status, to ship": lambda chance: "/operator/orders?status=confirmed",
        "of a status, seldom": lambda chance: "/operator/orders?status=cancelled",
        "of a status, none": lambda chance: "/operator/orders?status=partially_shipped",
        "of a status, none since long": lambda chance: f"/operator/orders?status=confirmed&to={long_ago}",
        "of a seller": lambda chance: f"/operator/orders?seller={seller(chance)}",
        "of a seller and status": lambda chance: f"/operator/orders?seller={seller(chance)}&status=cancelled",
        "number": lambda chance: find(f"M-{1_000_000 + one(chance)}"),
        "e-mail": lambda chance: find(f"shopper{one(chance) % _SHOPPERS}@example.com"),
        "name": lambda chance: find(name(one(chance))),
        "beginning of a name": lambda chance: find(name(one(chance)).split()[0]),
        "first letter of a name": lambda chance: find("s"),
        "tracking number": lambda chance: find(f"T{one(chance)}"),
        "a shopper's own": lambda chance: "/orders",
        "nobody's name": lambda chance: find(f"Zebulon{one(chance)}"),
    }


async def _asked(http: httpx.AsyncClient, ask: Callable[[Random], str], seconds: float) -> dict[str, float]:
    """Ask for so long, one after another; the median and the p99 in milliseconds."""
    chance, times = Random(7), list[float]()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times) < 3:
        began = time.perf_counter()
        answer = await http.get(ask(chance))
        times.append((time.perf_counter() - began) * 1_000)
        assert answer.status_code == 200, answer.text
    times.sort()
    return {
        "p50": round(statistics.median(times), 1),
        "p99": round(times[int(len(times) * 0.99)], 1),
        "asked": len(times),
    }


if __name__ == "__main__":
    asyncio.run(
        main(
            int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000,
            float(sys.argv[2]) if len(sys.argv) > 2 else 5,
        )
    )
