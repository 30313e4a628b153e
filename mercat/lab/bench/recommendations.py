"""How quick recommendations are, on a PostgreSQL of their own; `mercat recommend evaluate` says how good.

    python -m mercat.lab.bench.recommendations [--orders 30000]

Orders of two lines, digested as the follower digests them, in transactions of 1,000, and then the time of an
answer. The last line printed is one JSON object.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import asyncpg

from mercat import ids
from mercat.events import AnyEvent, Document, OrderLine, OrderPlaced, ProductChanged
from mercat.kit.event_log import deliver
from mercat.lab.shelf_quality import database_of_its_own
from mercat.recommendations import Recommendations

BATCH = 1_000
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def listed(product: int, price: int = 1_000, category: str = "things") -> ProductChanged:
    known = Document(
        product_id=ids.ProductId(product),
        offer_id=ids.OfferId(product),
        seller_id=ids.SellerId(1),
        seller_name="Bob",
        title="Thing",
        description="",
        price=price,
        currency="USD",
        created_at=NOW,
        category=category,
        in_stock=True,
    )
    return ProductChanged(product_id=known.product_id, version=1, document=known)


def placed(order: int, buyer: int, products: Iterable[int]) -> OrderPlaced:
    lines = [
        OrderLine(
            order_line_id=ids.LineId(order),
            product_id=ids.ProductId(product),
            offer_id=ids.OfferId(product),
            seller_id=ids.SellerId(1),
            title="Thing",
            quantity=1,
            unit_price=1_000,
            total=1_000,
        )
        for product in products
    ]
    return OrderPlaced(
        order_id=ids.OrderId(order),
        checkout_id=ids.CheckoutId(order),
        cart_id=ids.CartId(order),
        user_id=ids.UserId(buyer),
        email="ann@example.com",
        total=1_000,
        currency="USD",
        lines=lines,
        placed_at=NOW,
    )


async def tell(db: asyncpg.Pool, service: Recommendations, facts: list[Any], batch: int = BATCH) -> float:
    """Seconds it takes to digest the facts."""
    began = time.perf_counter()
    for at in range(0, len(facts), batch):
        async with db.acquire() as connection, connection.transaction():
            part: list[AnyEvent] = facts[at : at + batch]
            await deliver(connection, part, [service])
    return time.perf_counter() - began


async def speed(db: asyncpg.Pool, service: Recommendations, orders: int) -> dict[str, float]:
    """Orders of two lines among 20,000 products, a few of which are most of the sales."""
    chance = random.Random(7)
    products = [int(20_000 * chance.random() ** 3) + 1 for _ in range(2 * orders)]
    facts = [
        placed(number + 1, chance.randrange(1, 100_000), products[2 * number : 2 * number + 2])
        for number in range(orders)
    ]
    await tell(db, service, [listed(n, 500 + n % 997, f"category-{n % 40}") for n in range(1, 20_001)])
    seconds = await tell(db, service, facts)
    await db.execute("analyze")
    answers: dict[str, float] = {}
    for name, ask in {
        "bought_together": lambda: service.bought_together(ids.ProductId(chance.choice(products))),
        "similar": lambda: service.similar(ids.ProductId(chance.choice(products))),
        "for_you": lambda: service.for_you(ids.UserId(chance.randrange(1, 100_000))),
        "popular": lambda: service.popular(),
    }.items():
        took: list[float] = []
        for _ in range(300):
            began = time.perf_counter()
            await ask()
            took.append(time.perf_counter() - began)
        answers[f"{name}_p99_ms"] = round(sorted(took)[297] * 1_000, 2)
    return {"digest_orders_per_s": round(orders / seconds), **answers}


async def _measure(orders: int) -> dict[str, Any]:
    async with database_of_its_own() as db:
        return {"name": "recommendations", **await speed(db, Recommendations(db), orders)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--orders", type=int, default=30_000)
    sys.stdout.write(json.dumps(asyncio.run(_measure(parser.parse_args().orders))) + "\n")


if __name__ == "__main__":
    main()
