"""Search: from the index in the shop's folder into OpenSearch, and back.

The back worker builds the new index beside the one in use, and writes to both what changes."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import ClassVar

from msgspec.structs import replace

from mercat.app import build_shop
from mercat.cli.moves.parts import Differs, PartAway, Say, Way
from mercat.events import ProductChanged
from mercat.search import IndexStore, Search, SearchQuery, compare_with_catalogue, index_store, store_beside
from mercat.settings import Settings
from mercat.shop import Shop, every_product

_LOOKS_EVERY_S = 0.5
_SAYS_EVERY_S = 10
_NOTHING_WITHIN_S = 24 * 3_600
_ASKED = 50
_SHOWN = 3


class SearchIndex:
    """The index of a shop: a `MovingPart`."""

    name: ClassVar[str] = "search"
    keys: ClassVar[tuple[str, ...]] = (
        "opensearch_url",
        "opensearch_index",
        "opensearch_shards",
        "opensearch_replicas",
    )
    finishes: ClassVar[Way | None] = None

    def __init__(self, told: Settings) -> None:
        self._told = told

    def while_moving(self, way: Way) -> dict[str, str]:
        return {"moving": "search" if way == "there" else "search-back"}

    async def plan(self, way: Way) -> str:
        async with self._shop() as shop:
            count = sum([len(page) async for page in every_product(shop.catalog)])
        return f"{count:,} products are indexed beside, a thousand in a second or less, and compared"

    async def fill(self, way: Way, say: Say) -> None:
        """Have the index built anew, whatever is there: it was not kept in step before."""
        _, target = self._stores(way)
        await asyncio.to_thread(target.drop)
        begun = said_at = monotonic()
        while not await asyncio.to_thread(target.exists):
            if monotonic() - begun > _NOTHING_WITHIN_S:
                raise PartAway("The index has not been built for a day. What the shop says tells why.")
            if monotonic() - said_at > _SAYS_EVERY_S:
                said_at = monotonic()
                say(f"the index is being built for {monotonic() - begun:,.0f} s.")
            await asyncio.sleep(_LOOKS_EVERY_S)
        say(f"the index was built in {monotonic() - begun:,.0f} s.")

    async def verify(self, way: Way) -> str:
        """Compare each product with the catalogue, and what some searches find in both indexes."""
        source, target = self._stores(way)
        async with self._shop() as shop:
            report = await compare_with_catalogue(target, lambda: every_product(shop.catalog))
            if report.differences:
                raise Differs(f"{len(report.differences):,} of {report.checked:,} products differ there.")
            asked = [page async for page in every_product(shop.catalog)][:1]
        queries = _queries(asked[0] if asked else [])
        here, there = [await self._found(store, queries) for store in (source, target)]
        different = [query for query, a, b in zip(queries, here, there, strict=True) if a != b]
        if different:
            named = ", ".join(repr(each) for each in different[:_SHOWN])
            raise Differs(f"{len(different)} of {len(queries)} searches find another number there: {named}.")
        return f"{report.checked:,} products and what {len(queries)} searches find are the same there."

    async def settle(self, way: Way, say: Say) -> None:
        """Nothing is left to do: both had everything."""

    async def _found(self, store: IndexStore, queries: Sequence[str]) -> list[int]:
        """Count what each search finds."""
        asked = Search(self._told.data / "search", store=store, currency=self._told.currency)
        try:
            return [(await asked.find(SearchQuery(q=each))).total for each in queries]
        finally:
            await asked.close()

    def _stores(self, way: Way) -> tuple[IndexStore, IndexStore]:
        told = replace(self._told, moving="search" if way == "there" else "search-back")
        target = store_beside(told)
        assert target, "both are there while they move"
        return index_store(told), target

    @asynccontextmanager
    async def _shop(self) -> AsyncGenerator[Shop]:
        async with AsyncExitStack() as stack:
            yield await build_shop(replace(self._told, opensearch_url=""), stack)


def _queries(products: Sequence[ProductChanged]) -> list[str]:
    """Take the titles of some products."""
    titles = [each.document.title for each in products if each.document]
    return [*dict.fromkeys(titles)][:: max(1, len(titles) // _ASKED)][:_ASKED]
