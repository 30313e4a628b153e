from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import Any

import asyncpg

from mercat.events import OrderPlaced, ProductChanged
from mercat.ids import ProductId, UserId
from mercat.kit import sql
from mercat.kit.event_log import on
from mercat.kit.refusals import Invalid
from mercat.recommendations import rules
from mercat.recommendations.messages import SHELF_MAX

queries = sql.load("mercat.recommendations")
_COMPANIONS_MAX = 2_000
"""Pairs weighed for an answer, shared among the products it starts from."""
_RECENT_MAX = _LIKE_MAX = 20
_CANDIDATES_MAX = 500
"""Companions of which a varied shelf is chosen."""
_PAIRS_MAX = 20_000
"""Pairs counted by one statement."""
Source = Callable[[list[int], int], Awaitable[list[int]]]


class Recommendations:
    unhurried = True

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def bought_together(self, product_id: ProductId, limit: int = 12) -> list[ProductId]:
        """Recommend what is bought with a product, or with its like: few of any one category."""
        _check(limit)
        chosen = Counter[str]()
        own = await self._db.fetchval(queries.category, product_id) or ""
        shelf = rules.varied(await self._companions([product_id], [product_id]), limit, own, chosen)
        if len(shelf) < limit:
            like = _ids(await self._db.fetch(queries.similar, product_id, shelf, _LIKE_MAX))
            more = await self._companions(like, [product_id, *like, *shelf])
            shelf += rules.varied(more, limit - len(shelf), own, chosen)
        return [ProductId(product) for product in shelf]

    async def around(self, product_id: ProductId, limit: int = 12) -> list[ProductId]:
        """Recommend what is bought with a product, then what is like it."""
        together = await self.bought_together(product_id, limit)
        like = await _shelf(limit, [product_id, *together], self._similar_to(product_id))
        return (together + like)[:limit]

    async def goes_with(self, product_ids: list[ProductId], limit: int = 12) -> list[ProductId]:
        """Recommend what is bought with all of these, such as a cart; otherwise what is popular."""
        given = list(dict.fromkeys(product_ids))
        together = self._bought_with(given[: rules.BASKET_MAX])
        return await _shelf(limit, given, together, self._popular, self._well_rated)

    async def similar(self, product_id: ProductId, limit: int = 12) -> list[ProductId]:
        """Recommend what is of its category and near its price, its brand preferred."""
        return await _shelf(limit, [product_id], self._similar_to(product_id))

    async def for_you(self, user_id: UserId, limit: int = 12) -> list[ProductId]:
        """Recommend what goes with a person's recent purchases; without any, what is popular."""
        baskets = await self._db.fetch(queries.recent_baskets, user_id)
        bought = list(dict.fromkeys(product for row in baskets for product in row["products"]))
        if not bought:
            return await self.popular(limit)
        sources = (
            self._bought_with(bought[:_RECENT_MAX]),
            self._similar_to(bought[0]),
            self._popular,
            self._well_rated,
        )
        return await _shelf(limit, bought, *sources)

    async def popular(self, limit: int = 12) -> list[ProductId]:
        """Recommend what most orders had; before there are any, what is rated best."""
        return await _shelf(limit, [], self._popular, self._well_rated)

    @on(OrderPlaced)
    async def learn(self, db: asyncpg.Connection, events: list[OrderPlaced]) -> None:
        """Count each order once, however often its fact comes."""
        baskets = {event.order_id: rules.basket(event) for event in events}
        told = [(event.user_id, event.order_id, _array(baskets[event.order_id])) for event in events]
        known = await db.fetch(queries.remember_baskets, *sql.columns(told))
        fresh = [baskets[row["order_id"]] for row in known]
        if not fresh:
            return
        await db.execute(queries.count_sold, *sql.columns(rules.orders_by_product(fresh).items()))
        for pairs in _chunks((*pair, orders) for pair, orders in rules.orders_by_pair(fresh).items()):
            await db.execute(queries.count_pairs, *sql.columns(pairs))

    @on(ProductChanged)
    async def know_products(self, db: asyncpg.Connection, events: list[ProductChanged]) -> None:
        newest: dict[ProductId, ProductChanged] = {}
        for event in events:
            if event.product_id not in newest or newest[event.product_id].version < event.version:
                newest[event.product_id] = event
        await db.execute(queries.know_products, *sql.columns(map(_product, newest.values())))

    def _bought_with(self, given: Iterable[int]) -> Source:
        products = list(given)

        async def source(left_out: list[int], limit: int) -> list[int]:
            companions = _COMPANIONS_MAX // max(1, len(products))
            return _ids(await self._db.fetch(queries.together, products, left_out, limit, companions))

        return source

    async def _companions(self, given: list[int], left_out: list[int]) -> list[tuple[int, str]]:
        """List what is bought with any of these, with its category."""
        if not given:
            return []
        weighed = _COMPANIONS_MAX // len(given)
        rows = await self._db.fetch(queries.together, given, left_out, _CANDIDATES_MAX, weighed)
        return [(row["product_id"], row["category"]) for row in rows]

    def _similar_to(self, product_id: int) -> Source:
        async def source(left_out: list[int], limit: int) -> list[int]:
            return _ids(await self._db.fetch(queries.similar, product_id, left_out, limit))

        return source

    async def _popular(self, left_out: list[int], limit: int) -> list[int]:
        return _ids(await self._db.fetch(queries.popular, left_out, limit))

    async def _well_rated(self, left_out: list[int], limit: int) -> list[int]:
        return _ids(await self._db.fetch(queries.well_rated, left_out, limit))


async def _shelf(limit: int, left_out: Iterable[int], *sources: Source) -> list[ProductId]:
    """Fill a shelf from the first source, then the next; nothing twice, nothing of `left_out`."""
    _check(limit)
    shelf: list[int] = []
    excluded = list(left_out)
    for source in sources:
        if len(shelf) < limit:
            shelf += await source(excluded + shelf, limit - len(shelf))
    return [ProductId(product) for product in shelf]


def _check(limit: int) -> None:
    if not 1 <= limit <= SHELF_MAX:
        raise Invalid(f"A shelf shows 1 to {SHELF_MAX} products.", pointer="/limit")


def _ids(rows: Iterable[Any]) -> list[int]:
    return [row["product_id"] for row in rows]


def _array(products: list[int]) -> str:
    return "{" + ",".join(map(str, products)) + "}"


def _product(event: ProductChanged) -> tuple[Any, ...]:
    known = event.document
    if known is None:
        return event.product_id, event.version, "", "", 0, 0.0, 0, False
    return (
        event.product_id,
        event.version,
        known.category,
        known.brand or "",
        known.price,
        known.rating,
        known.review_count,
        known.in_stock,
    )


def _chunks(rows: Iterable[tuple[Any, ...]]) -> Iterable[list[tuple[Any, ...]]]:
    rest = iter(rows)
    return iter(lambda: list(islice(rest, _PAIRS_MAX)), [])
