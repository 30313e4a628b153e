"""What shelves learn of events, in the back: orders, products and what visitors look at."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

import asyncpg

from mercat.events import OrderPlaced, ProductChanged, ThingsLookedAt
from mercat.ids import ProductId
from mercat.kit import clock, sql
from mercat.kit.event_log import on
from mercat.recommendations import rules

queries = sql.load("mercat.recommendations")
_PAIRS_MAX = 20_000
"""Pairs counted by one statement."""
_VIEWS_MAX = 200
"""Of the views that are told together so many teach: in a rush the others would say the same."""


class Learning:
    """Counts what is told, so that an answer is a look-up."""

    @on(OrderPlaced)
    async def learn(self, db: asyncpg.Connection, events: list[OrderPlaced]) -> None:
        """Count each order once, however often its fact comes."""
        lessons = {event.order_id: rules.lesson(event) for event in events}
        told = [(event.user_id, event.order_id, _array(lessons[event.order_id].basket)) for event in events]
        known = await db.fetch(queries.remember_baskets, *sql.columns(told))
        fresh = [lessons[row["order_id"]] for row in known]
        if not fresh:
            return
        sold = rules.sold(fresh)
        await db.execute(queries.count_sold, *sql.columns((each, *sold[each]) for each in sold))
        near = rules.sold_in(fresh)
        await db.execute(queries.count_sold_in, *sql.columns([(*each, near[each]) for each in near], 3))
        met = rules.met(fresh)
        for pairs in _chunks((*pair, *met[pair]) for pair in met):
            await db.execute(queries.count_pairs, *sql.columns(pairs))

    @on(ThingsLookedAt)
    async def watch(self, db: asyncpg.Connection, events: list[ThingsLookedAt]) -> None:
        """Count which two products a visitor of the day looked at one after the other."""
        views = rules.visits((look for event in events for look in event.looks), _VIEWS_MAX)
        if not views:
            return
        today = clock.now().date()
        before = {row["visitor"]: row["products"] for row in await db.fetch(queries.visits, sorted(views))}
        after, seen = rules.continued(before, views)
        visits = [(visitor, _array(after[visitor])) for visitor in sorted(after)]
        await db.execute(queries.put_visits, *sql.columns(visits, 2), today)
        await db.execute(queries.forget_visits, today)
        if seen:
            await db.execute(queries.count_viewed, *sql.columns((*pair, seen[pair]) for pair in seen))

    @on(ProductChanged)
    async def know_products(self, db: asyncpg.Connection, events: list[ProductChanged]) -> None:
        """Keep of each product what likeness needs, of its newest version."""
        newest: dict[ProductId, ProductChanged] = {}
        for event in events:
            if event.product_id not in newest or newest[event.product_id].version < event.version:
                newest[event.product_id] = event
        await db.execute(queries.know_products, *sql.columns(map(_product, newest.values())))


def _array(values: Iterable[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _product(event: ProductChanged) -> tuple[Any, ...]:
    known = event.document
    if known is None:
        return event.product_id, event.version, "", "", 0, 0.0, 0, False, "{}"
    return (
        event.product_id,
        event.version,
        known.category,
        known.brand or "",
        known.price,
        known.rating,
        known.review_count,
        known.in_stock,
        _array(rules.words(known.title)),
    )


def _chunks(rows: Iterable[tuple[Any, ...]]) -> Iterable[list[tuple[Any, ...]]]:
    rest = iter(rows)
    return iter(lambda: list(islice(rest, _PAIRS_MAX)), [])
