from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import asyncpg

from mercat import ids
from mercat.countries import CapitalCode
from mercat.ids import ProductId, UserId
from mercat.kit import clock, sql
from mercat.kit.refusals import Invalid
from mercat.recommendations import rules
from mercat.recommendations.learning import Learning
from mercat.recommendations.messages import SHELF_MAX

queries = sql.load("mercat.recommendations")
_COMPANIONS_MAX, _COMPANIONS_MIN = 1_000, 20
"""Pairs weighed for an answer, shared among the products it starts from; so many of each at least."""
_RECENT_MAX = _LIKE_MAX = 20
_CANDIDATES_MAX = 500
"""Companions of which a varied shelf is chosen."""
Source = Callable[[list[int], int], Awaitable[list[int]]]


class Recommendations:
    unhurried = True

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self.learning = Learning()

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

    async def goes_with(
        self, product_ids: list[ProductId], limit: int = 12, user_id: UserId | None = None
    ) -> list[ProductId]:
        """Recommend what is bought with all of these, such as a cart, and what its owner buys again first;
        otherwise what is popular."""
        given = list(dict.fromkeys(product_ids))
        together = self._bought_with(given[: rules.BASKET_MAX], user_id)
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
        """Recommend what most orders had lately; before there are any, what is rated best."""
        return await _shelf(limit, [], self._popular, self._well_rated)

    async def popular_near(self, country: CapitalCode, limit: int = 12) -> list[ProductId]:
        """Recommend what most orders had lately that went to this country; nothing where none did."""

        async def near(left_out: list[int], most: int) -> list[int]:
            return _ids(await self._db.fetch(queries.popular_in, country, left_out, most))

        return await _shelf(limit, [], near)

    async def for_sale(self, product_ids: list[ProductId], limit: int = 12) -> list[ProductId]:
        """Answer which of these are in stock, in their order: what somebody viewed, as their browser says."""
        _check(limit)
        given = list(dict.fromkeys(product_ids))[:SHELF_MAX]
        return [ProductId(each) for each in _ids(await self._db.fetch(queries.in_stock, given, limit))]

    def _bought_with(self, given: Sequence[int], user_id: UserId | None = None) -> Source:
        async def source(left_out: list[int], limit: int) -> list[int]:
            return [product for product, _ in await self._companions(given, left_out, limit, user_id)]

        return source

    async def _companions(
        self,
        given: Sequence[int],
        left_out: list[int],
        limit: int = _CANDIDATES_MAX,
        user_id: UserId | None = None,
    ) -> list[tuple[int, str]]:
        """List what is bought with any of these, with its category."""
        if not given:
            return []
        weighed = max(_COMPANIONS_MIN, _COMPANIONS_MAX // len(given))
        now = ids.first_of(clock.now())
        rows = await self._db.fetch(queries.together, given, left_out, limit, weighed, user_id, now)
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
