"""Claim: what an order or a product costs in CPU, log and disk hardly grows with how many there are.

    python -m mercat.lab.bench.growth orders [ORDERS …]
    python -m mercat.lab.bench.growth products [PRODUCTS …]
    python -m mercat.lab.bench.growth pages [PRODUCTS …]

Orders are copied (see many_orders) until so many stand in the tables; at each size some thousand real
purchases are made over HTTP and what they used is read: CPU time of each kind of process, bytes of the
write-ahead log, fsyncs, bytes of tables and indexes. Products are imported into an empty shop of each size.
No rate is read, so a busy machine does little harm.
Last result: docs/capacity.md."""

import asyncio
import json
import resource
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx

from mercat.embedded import Connection
from mercat.lab.bench.checkout import ShopperPool, drained, invite, stock_shelves
from mercat.lab.bench.importing import mercat
from mercat.lab.bench.load import Load, request
from mercat.lab.bench.many_orders import TEMPLATE, copy_orders
from mercat.lab.bench.shop import cpu_by_kind, opened, staff
from mercat.shop import Shop

_AT_ONCE = 256
_BOUGHT = 6_000
_BUYERS = 2_000
_PAGES = 2_000
_FIRST = 300
_WARM_UP = 1_000
_KINDS = {"cli.work web": "web", "cli.work back": "back", "valkey-server": "valkey", "postgres": "postgres"}
_COPIED = {"checkout", "inventory", "payments", "orders"}
"""Schemas that copies fill too; the others have rows of what was bought alone."""
_ANSWERS = {
    "product_page": "/p/{0}",
    "product_json": "/api/v1/products/{0}",
    "search_page": "/search?q={1}",
    "search_json": "/api/v1/search?q={1}",
}
_LOG = """
select pg_current_wal_lsn() - '0/0' as bytes,
    (select sum(fsyncs) from pg_stat_io where object = 'wal') as fsyncs
"""
_SIZES = """
select n.nspname as schema, sum(pg_total_relation_size(c.oid))::bigint as bytes
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm') and n.nspname !~ '^(pg_|information_schema)' group by 1
"""


async def products(sizes: list[int]) -> None:
    """Import so many products into a shop of its own, and say what each came to."""
    for size in sizes:
        async with opened() as connection, staff(connection) as shop:
            owner = await asyncpg.connect(**connection.postgres())
            empty, before, log = await _bytes(owner), cpu_by_kind(_KINDS), await owner.fetchrow(_LOG)
            importer = await asyncio.to_thread(_import, connection, size)
            await drained(shop)
            after, now = cpu_by_kind(_KINDS), await owner.fetchrow(_LOG)
            assert log
            assert now
            index = sum(
                each.stat().st_size for each in Path(connection.data, "search").rglob("*") if each.is_file()
            )
            spent = {kind: each - before.get(kind, 0) for kind, each in after.items()} | {
                "importer": importer
            }
            found = {
                "products": size,
                "cpu_us_a_product": {kind: round(each / size * 1e6) for kind, each in spent.items()},
                "log_bytes_a_product": round((now["bytes"] - log["bytes"]) / size),
                "bytes_a_product": {
                    name: round((each - empty.get(name, 0)) / size)
                    for name, each in (await _bytes(owner)).items()
                    if each - empty.get(name, 0) > size
                },
                "index_bytes_a_product": round(index / size),
            }
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()
            await owner.close()


async def pages(sizes: list[int]) -> None:
    """Ask a shop of so many products for pages and JSON, each another one, and say what an answer came to."""
    for size in sizes:
        async with opened() as connection, staff(connection) as shop:
            await asyncio.to_thread(_import, connection, size)
            await drained(shop)
            address = f"http://127.0.0.1:{connection.port}"
            async with httpx.AsyncClient(base_url=address, headers={"accept-encoding": "gzip"}) as http:
                found = await _listed(http, min(size, _PAGES))
                told: dict[str, Any] = {"products": size}
                for name, form in _ANSWERS.items():
                    paths = [form.format(each["product_id"], quote(each["title"])) for each in found]
                    told[name] = await _asked(connection.port, paths)
                    answer = await http.get(paths[0])
                    told[name]["bytes"] = int(answer.headers.get("content-length", len(answer.content)))
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


async def _asked(port: int, paths: list[str]) -> dict[str, Any]:
    """Ask for each once; the first of them, with what is made once, do not count."""
    asked = [request("GET", path, {"Accept-Encoding": "gzip"}) for path in paths]
    await Load(port, iter(asked[:_FIRST])).run(16, 600)
    before = cpu_by_kind(_KINDS)
    result = await Load(port, iter(asked[_FIRST:])).run(16, 600)
    return {
        "cpu_us": {
            kind: round((spent - before.get(kind, 0)) / sum(result.statuses.values()) * 1e6)
            for kind, spent in cpu_by_kind(_KINDS).items()
        },
        "statuses": {str(status): count for status, count in result.statuses.items()},
    }


async def _listed(http: httpx.AsyncClient, most: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for page in range(1, most // 100 + 1):
        answer = await http.get("/api/v1/products", params={"limit": 100, "page": page})
        found += answer.raise_for_status().json()["products"]
    return found


def _import(connection: Connection, size: int) -> float:
    """Import generated products; return the importer's own CPU time."""
    file = Path(connection.data, "products.jsonl")
    mercat("generate", "--products", str(size), "--out", str(file))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    mercat("import", str(file), "--data", connection.data)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    file.unlink()
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


async def orders(sizes: list[int]) -> None:
    """Buy in shops that hold so many orders, and say what each came to."""
    async with opened() as connection, staff(connection) as shop:
        before = await _held_by_store(shop)
        crowd = ShopperPool(shop, await invite(shop, _BUYERS), await stock_shelves(shop))
        while await crowd.fill():
            pass
        held_by_store = await _held_by_store(shop) - before
        sys.stdout.write(json.dumps({"store_bytes_a_shopper": round(held_by_store / _BUYERS)}) + "\n")
        filling = asyncio.create_task(crowd.keep_filling())
        await crowd.run(connection.port, _AT_ONCE, 600, most=TEMPLATE + _WARM_UP)
        owner = await asyncpg.connect(**connection.postgres())
        empty = await _bytes(owner)
        held = bought = 0
        for size in sizes:
            await copy_orders(owner, size - held, first=held // TEMPLATE + 1)
            held = size
            await drained(shop)
            found = {"orders": await owner.fetchval("select count(*) from orders.orders")}
            found |= await _bought(connection, owner, crowd)
            bought += _WARM_UP + _BOUGHT
            found["bytes_an_order"] = {
                name: round((each - empty.get(name, 0)) / (bought + (size if name in _COPIED else 0)))
                for name, each in (await _bytes(owner)).items()
            }
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()
        filling.cancel()
        await owner.close()


async def _bought(connection: Connection, owner: asyncpg.Connection, crowd: ShopperPool) -> dict[str, Any]:
    """Buy, and say what each order used."""
    await owner.execute("checkpoint")  # so that each size pays for whole pages alike
    await crowd.run(connection.port, _AT_ONCE, 600, most=_WARM_UP)
    before, log = cpu_by_kind(_KINDS), await owner.fetchrow(_LOG)
    result = await crowd.run(connection.port, _AT_ONCE, 600, most=_BOUGHT)
    orders = result.statuses[201]
    after, now = cpu_by_kind(_KINDS), await owner.fetchrow(_LOG)
    assert log
    assert now
    return {
        "bought": orders,
        "cpu_us_an_order": {
            kind: round((spent - before.get(kind, 0)) / orders * 1e6) for kind, spent in after.items()
        },
        "log_bytes_an_order": round((now["bytes"] - log["bytes"]) / orders),
        "fsyncs_an_order": round(float(now["fsyncs"] - log["fsyncs"]) / orders, 3),
    }


async def _bytes(owner: asyncpg.Connection) -> dict[str, int]:
    return {row["schema"]: row["bytes"] for row in await owner.fetch(_SIZES)}


async def _held_by_store(shop: Shop) -> int:
    """Say what the store holds in memory, in bytes."""
    held = 0
    for server in await shop.host.store.servers():
        client: Any = server.client
        held += (await client.info("memory"))["used_memory"]
    return held


if __name__ == "__main__":
    measured = {"orders": orders, "products": products, "pages": pages}[sys.argv[1]]
    asyncio.run(measured([int(each) for each in sys.argv[2:]] or [10_000, 100_000, 1_000_000]))
