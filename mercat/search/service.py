import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import asyncpg
import structlog
from msgspec import structs

from mercat import ids
from mercat.events import ProductChanged
from mercat.ids import LearntId, RuleChangeId, RuleId
from mercat.kit import clock, codec, metrics
from mercat.kit.event_log import on
from mercat.kit.refusals import Unavailable
from mercat.kit.rpc import Caller
from mercat.search.engine import BrokenIndex, IndexStore, engine_errors
from mercat.search.engines.tantivy import TantivyStore
from mercat.search.execute import QueryExecutor
from mercat.search.facets.count import FacetCache
from mercat.search.indexer import AllProducts, Indexer
from mercat.search.learnt import LearntStore
from mercat.search.merchandising.store import CHANGES_PER_PAGE_MAX, RuleStore
from mercat.search.messages import (
    ALL_CHANGES,
    ChangesAsked,
    Choices,
    Explanation,
    LearntOrder,
    Rule,
    RuleChanges,
    Rules,
    SearchQuery,
    SearchResults,
    SoldOutPolicy,
    StoredRule,
    Suggestions,
)
from mercat.search.query_log import QueryLog
from mercat.search.ranking import choices
from mercat.search.ranking.choices import LearntChoices
from mercat.search.ranking.guarding import Guarded, guard
from mercat.search.ranking.rerank import Reranker

log = structlog.get_logger("mercat.search")
Answer = TypeVar("Answer")
_SUGGESTIONS_MAX = _EXPLAINED_MAX = 20
_TYPED_LETTERS_MAX = 2_000
IN_LOOP_PRODUCTS_MAX = 100_000
"""Products up to which a query runs on the event loop: 1 ms at 40,000, for the broadest words."""
_REMOTE_QUERIES_MAX = 16
"""Queries that a process may have at another machine at a time."""
_RESULTS_CACHED_MAX, _RESULTS_TTL_S = 500, 2.0
_FROM_INDEX, _FROM_CACHE = metrics.searches.labels("asked"), metrics.searches.labels("remembered")


class Search:
    """Answers in any process; writes in the one that follows the log.

    A query to a small index costs about a millisecond, so it runs on the event loop; to a large one, in
    threads."""

    def __init__(
        self,
        folder: Path,
        sold_out: SoldOutPolicy = "among_others",
        db: asyncpg.Pool | None = None,
        store: IndexStore | None = None,
        currency: str = "USD",
        beside: IndexStore | None = None,
    ) -> None:
        """Without a database there are no merchandising rules and no past queries. `store`: where the indexes
        are, if not in the folder. `currency`: what prices are in. `beside`: where an index is kept in step,
        which answers nothing yet."""
        self._currency = currency
        self._rule_store = RuleStore(db) if db else None
        self._query_log = QueryLog(db) if db else None
        self._sold_out: SoldOutPolicy = sold_out
        self._store: IndexStore = store or TantivyStore(folder)
        self._reader = self._store.reader()
        self._facet_cache = FacetCache()
        self._folder = folder
        self._learnt_store = LearntStore(db) if db else None
        self._reranker = Reranker(folder)
        self._threads = ThreadPoolExecutor(_REMOTE_QUERIES_MAX) if self._store.remote else None
        self._indexer = Indexer(self._store, self._reader)
        self._beside_store = beside
        self._beside = Indexer(beside, beside.reader()) if beside else None

    # -- queries

    async def find(self, query: SearchQuery) -> SearchResults:
        """Find products that have the words and pass the filters: a page of them, and what each facet
        counts."""
        await self._refresh_rules()
        self._reader.searcher()
        cached: dict[bytes, tuple[float, SearchResults]] = self._reader.memo.setdefault("results", {})
        key, now = codec.encode(query), time.monotonic()
        known = cached.get(key)
        if known and now < known[0]:
            _FROM_CACHE.inc()
            self._log_query(query, known[1])
            return known[1]
        results = await self._execute(lambda executor: executor.find(query))
        _FROM_INDEX.inc()
        self._log_query(query, results)
        if len(cached) < _RESULTS_CACHED_MAX:
            cached[key] = (now + _RESULTS_TTL_S, results)
        return results

    async def suggest(self, q: str, limit: int = 8) -> Suggestions:
        """Suggest what these first letters may become: words, products, categories, brands, past queries."""
        most = min(max(limit, 1), _SUGGESTIONS_MAX)
        found = await self._execute(lambda executor: executor.suggest(q, most))
        past = self._query_log.starting_with(q[:_TYPED_LETTERS_MAX], most) if self._query_log else []
        return structs.replace(found, queries=past) if past else found

    async def explain(self, q: str, limit: int = 10) -> Explanation:
        """Explain why the first products of a query come first."""
        await self._refresh_rules()
        most = min(max(limit, 1), _EXPLAINED_MAX)
        return await self._execute(lambda executor: executor.explain(q, most))

    async def category_counts(self) -> dict[str, int]:
        """Count the products of each category, by slug, descendants' included. Empty ones are left out."""
        return await self._execute(lambda executor: executor.category_counts())

    async def _execute(self, ask: Callable[[QueryExecutor], Answer]) -> Answer:
        reader = self._reader
        searcher = reader.searcher()
        executor = QueryExecutor(
            searcher,
            reader.memo,
            self._reranker,
            reader.rows,
            self._sold_out,
            self._facet_cache,
            self._currency,
        )
        try:
            with engine_errors():
                if not self._store.remote and searcher.num_docs <= IN_LOOP_PRODUCTS_MAX:
                    return ask(executor)
                return await asyncio.get_running_loop().run_in_executor(self._threads, ask, executor)
        except BrokenIndex as error:
            log.exception("a query could not be answered")
            raise Unavailable from error

    def _log_query(self, query: SearchQuery, results: SearchResults) -> None:
        """Note a search that found all the words; turning pages is no other search."""
        success = results.total and results.relaxed is None and results.all_words is None
        if self._query_log and success and query.q and query.page == 1 and query.cursor is None:
            self._query_log.note(query.q)

    # -- merchandising rules

    async def rules(self) -> Rules:
        """Return all merchandising rules: pins, boosts, synonyms."""
        return Rules(await self._stored_rules().rules())

    async def add_rule(self, caller: Caller, rule: Rule, rule_id: RuleId | None = None) -> StoredRule:
        """Add a rule; searches follow it within five seconds. `rule_id`: a fresh one of the caller's, so that
        asking twice adds one. Refuses: too_many_rules."""
        return await self._stored_rules().add(caller, rule, rule_id)

    async def change_rule(self, caller: Caller, rule_id: RuleId, rule: Rule) -> StoredRule:
        """Replace a rule."""
        return await self._stored_rules().change(caller, rule_id, rule)

    async def remove_rule(self, caller: Caller, rule_id: RuleId) -> None:
        """Remove a rule. It stays in the record of changes."""
        await self._stored_rules().remove(caller, rule_id)

    async def put_back_rule(self, caller: Caller, change_id: RuleChangeId) -> StoredRule:
        """Restore a rule to what it was before a change."""
        return await self._stored_rules().restore(caller, change_id)

    async def rule_changes(
        self, limit: int = 20, before: RuleChangeId | None = None, asked: ChangesAsked = ALL_CHANGES
    ) -> RuleChanges:
        """Return who changed which rule, and how; the newest first, or as asked."""
        most = min(max(limit, 1), CHANGES_PER_PAGE_MAX)
        return RuleChanges(await self._stored_rules().changes(most, before, asked))

    async def rule_change_counts(self) -> dict[str, int]:
        """Count the changes by what they were."""
        return await self._stored_rules().change_counts()

    # -- what is learnt from clicks and orders

    async def learn(
        self, taught: Choices, held_out: Choices, learnt_id: LearntId | None = None
    ) -> LearntOrder:
        """Learn from what shoppers chose, and serve it if it pleases more on the days that are held out and
        does not make worse what people judged. `learnt_id`: a fresh one of the caller's, so that asking twice
        learns once."""
        store = self._stored_learnt()
        learnt, found = await asyncio.to_thread(self._learn, taught, held_out)
        chosen, judged = found.chosen or (None, None), found.judged or (None, None)
        order = LearntOrder(
            learnt_id=learnt_id or ids.new(LearntId, 0),
            at=clock.now(),
            state="kept_out" if found.why else "served",
            why=found.why,
            searches=len(learnt.gains),
            chosen_before=chosen[0],
            chosen_after=chosen[1],
            judged_before=judged[0],
            judged_after=judged[1],
        )
        log.info("searches learnt from clicks", state=order.state, why=order.why, searches=order.searches)
        await store.keep(order, learnt.gains)
        return order

    def _learn(self, taught: Choices, held_out: Choices) -> tuple[LearntChoices, Guarded]:
        learnt = choices.learn(taught)
        with engine_errors():
            return learnt, guard(self._folder, self._store, learnt, held_out)

    async def learnt(self) -> list[LearntOrder]:
        """List the latest of what was learnt, and whether it is served."""
        return await self._stored_learnt().every()

    async def take_back(self, learnt_id: LearntId) -> None:
        """Serve what was served before this was learnt. One that is not served stays as it is."""
        await self._stored_learnt().back(learnt_id)

    def _stored_learnt(self) -> LearntStore:
        if self._learnt_store is None:
            raise Unavailable("Nothing is learnt here.")
        return self._learnt_store

    def _stored_rules(self) -> RuleStore:
        if self._rule_store is None:
            raise Unavailable("There are no rules here.")
        return self._rule_store

    async def _refresh_rules(self) -> None:
        if self._rule_store:
            rules = await self._rule_store.active()
            if rules is not self._reranker.rules:
                self._reranker.use_rules(rules)
                self._reader.memo.pop("results", None)
                self._facet_cache.clear()

    # -- the index

    @on(ProductChanged, outside=True)
    async def index(self, events: list[ProductChanged]) -> None:
        """Write changes of products; on return they are on disk and readers see them."""
        await self._indexer.apply(events)
        if self._beside:
            await self._beside.apply(events)

    async def keep(self, products: AllProducts, every_s: float = 5.0) -> None:
        """Repair the index where that is needed, then wait: a duty of the process that writes. `products`:
        all of them as they are in the catalogue."""
        await self.mend(products)
        await asyncio.sleep(every_s)

    async def mend(self, products: AllProducts) -> bool:
        """Build the index anew if it is missing, of an older form, or broken; return whether it was."""
        mended = await self._indexer.repair(products)
        if self._beside:
            await self._beside.repair(products)
        return mended

    async def rebuild(self, products: AsyncIterator[Sequence[ProductChanged]]) -> int:
        """Build the index anew; the old one serves until then. Returns how many products were written."""
        written = await self._indexer.rebuild(products)
        if self._beside_store:  # then that is built anew too, as soon as it is missed
            await asyncio.to_thread(self._beside_store.drop)
        return written

    async def close(self) -> None:
        """Write what is left, and give everything back."""
        if self._query_log:
            await self._query_log.close()
        await self._indexer.close()
        if self._beside:
            await self._beside.close()
