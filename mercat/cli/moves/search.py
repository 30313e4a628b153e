"""Search: from the index in the shop's folder into OpenSearch, and back.

The back worker builds the new index beside the one in use, and writes to both what changes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from time import monotonic
from typing import ClassVar

from msgspec.structs import replace

from mercat.app import build_shop
from mercat.cli.moves.parts import Answer, PartAway, PlacesDiffer, Say, Way, patiently
from mercat.events import ProductChanged
from mercat.search import (
    AllProducts,
    BrokenIndex,
    IndexStore,
    Search,
    SearchQuery,
    compare_with_catalogue,
    index_store,
    store_beside,
)
from mercat.settings import Settings
from mercat.shop import every_product

Stores = Callable[[Way], tuple[IndexStore, IndexStore]]
"""The index in use, and the one beside it."""
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
    cannot_turn_back: ClassVar[Way | None] = None

    def __init__(
        self, told: Settings, stores: Stores | None = None, products: AllProducts | None = None
    ) -> None:
        """Take `stores` and `products` where they are not those of the settings."""
        self._told = told
        self._stores = stores or self._stores_of_settings
        self._products = products or self._in_catalogue

    def while_moving(self, way: Way) -> dict[str, str]:
        return {"moving": "search" if way == "there" else "search-back"}

    async def plan(self, way: Way) -> str:
        count = sum([len(page) async for page in self._products()])
        return f"{count:,} products are indexed beside, a thousand in a second or less, and compared"

    async def fill(self, way: Way, say: Say) -> None:
        """Have the index built anew, whatever is there: it was not kept in step before."""
        _, target = self._stores(way)
        await _patiently(target.drop)
        begun = said_at = monotonic()
        while not await _patiently(target.exists):
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
        report = await compare_with_catalogue(target, self._products)
        if report.differences:
            raise PlacesDiffer(f"{len(report.differences):,} of {report.checked:,} products differ there.")
        titles = await self._some_titles()
        here, there = [await self._found(store, titles) for store in (source, target)]
        if lost := [title for title, a, b in zip(titles, here, there, strict=True) if a and not b]:
            named = ", ".join(repr(each) for each in lost[:_SHOWN])
            raise PlacesDiffer(
                f"{len(lost)} of {len(titles)} products are not found by their titles there: {named}."
            )
        return f"{report.checked:,} products are the same there, and {sum(there)} were found by their titles."

    async def settle(self, way: Way, say: Say) -> None:
        """Nothing is left to do: both had everything."""

    async def _found(self, store: IndexStore, titles: Sequence[str]) -> list[bool]:
        """Say of each title whether a product that is called so is among the first that it finds.

        How many are found may differ: where a search is relaxed depends on what an engine has counted."""
        asked = Search(self._told.data / "search", store=store, currency=self._told.currency)
        try:
            found = [await asked.find(SearchQuery(q=title)) for title in titles]
            cards = [{card.title for card in each.cards()} for each in found]
            return [title in each for title, each in zip(titles, cards, strict=True)]
        finally:
            await asked.close()

    async def _some_titles(self) -> list[str]:
        """Take the titles of some products of the first page."""
        async for page in self._products():
            titles = [each.document.title for each in page if each.document]
            return [*dict.fromkeys(titles)][:: max(1, len(titles) // _ASKED)][:_ASKED]
        return []

    def _stores_of_settings(self, way: Way) -> tuple[IndexStore, IndexStore]:
        told = replace(self._told, **self.while_moving(way))
        target = store_beside(told)
        assert target, "both are there while they move"
        return index_store(told), target

    async def _in_catalogue(self) -> AsyncIterator[Sequence[ProductChanged]]:
        async with AsyncExitStack() as stack:
            shop = await build_shop(replace(self._told, opensearch_url=""), stack)
            async for page in every_product(shop.catalog):
                yield page


async def _patiently(ask: Callable[[], Answer]) -> Answer:
    """Ask, in a thread, until the engine beside answers: it may be away for a moment."""
    return await patiently(lambda: asyncio.to_thread(ask), (BrokenIndex,), "The new index")
