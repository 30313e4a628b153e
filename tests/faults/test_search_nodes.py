"""Three nodes of OpenSearch: one is killed while people search and products change."""

import asyncio
import time
from collections import Counter

import pytest
from search_engines import three_nodes
from search_products import product
from waiting import until

from mercat.kit.refusals import Unavailable
from mercat.search import SearchQuery
from mercat.search.engine import BrokenIndex
from mercat.search.engines.opensearch import OpenSearchStore, OpenSearchWriter, layout_of
from mercat.search.execute import QueryExecutor

PRODUCTS = 300
SET = 20


class Searching:
    """Somebody who searches all the time, and counts what came of it."""

    def __init__(self, store: OpenSearchStore) -> None:
        self._store = store
        self.came = Counter[str]()
        self.away_s = self._away_since = 0.0
        self.ended = False

    def search(self) -> None:
        try:
            total = QueryExecutor(self._store.reader().searcher()).find(SearchQuery(q="tea")).total
        except (BrokenIndex, Unavailable):
            self.came["refused"] += 1
            self._away_since = self._away_since or time.monotonic()
            return
        if self._away_since:
            self.away_s = max(self.away_s, time.monotonic() - self._away_since)
            self._away_since = 0.0
        self.came["whole" if total == PRODUCTS else "partial"] += 1

    async def goes_on(self) -> None:
        while not self.ended:
            await asyncio.to_thread(self.search)


class Changing:
    """Whoever writes changes of products, each set until it was written, as the indexer does."""

    def __init__(self, writer: OpenSearchWriter) -> None:
        self._writer = writer
        self.version = 1
        self.ended = False

    async def goes_on(self) -> None:
        while not self.ended:
            version = self.version + 1
            for first in range(1, PRODUCTS + 1, SET):
                some = [product(n, version=version, price=version) for n in range(first, first + SET)]
                while not await self._written(some):
                    pass
            self.version = version

    async def _written(self, some) -> bool:
        try:
            await asyncio.to_thread(self._writer.apply, some)
        except BrokenIndex:
            return False
        return True


@pytest.mark.scale
async def test_a_node_that_is_killed_while_searching_and_indexing_loses_nothing():
    nodes = three_nodes()
    urls = [node.url for node in nodes]
    store = OpenSearchStore(",".join(urls), "nodes", layout_of(3, 1))
    await until(lambda: health(store, nodes=3), 120)
    writer = store.writer(store.new_path(), create=True)
    writer.apply([product(n, version=1, price=1) for n in range(1, PRODUCTS + 1)])
    store.use(writer.path)
    await until(lambda: health(store, status="green"), 60)
    searching, changing = Searching(store), Changing(writer)

    async def gone_on(found: int, version: int) -> bool:
        return searching.came["whole"] > found and changing.version > version

    async with asyncio.TaskGroup() as group:
        group.create_task(searching.goes_on())
        group.create_task(changing.goes_on())
        await until(lambda: gone_on(5, 2), 60)
        nodes[store.http._at].die()
        found, version = searching.came["whole"], changing.version
        await until(lambda: gone_on(found + 20, version + 2), 90)
        searching.ended = changing.ended = True
    assert searching.came["partial"] == 0
    assert writer.apply([product(n, version=changing.version - 1, price=9) for n in range(1, PRODUCTS)]) == 0
    there = store.ask("_search", {"size": PRODUCTS, "_source": ["version", "price_minor"]})["hits"]["hits"]
    assert {(each["_source"]["version"], each["_source"]["price_minor"]) for each in there} == {
        (changing.version, changing.version)
    }
    assert len(there) == PRODUCTS


async def health(store: OpenSearchStore, status: str = "", nodes: int = 0) -> bool:
    try:
        said = await asyncio.to_thread(store.http.ask, "GET", "/_cluster/health")
    except BrokenIndex:
        return False
    return said["number_of_nodes"] >= nodes and status in ("", said["status"])
