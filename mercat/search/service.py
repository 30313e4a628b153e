import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import asyncpg
import structlog
from msgspec import structs

from mercat.events import ProductChanged
from mercat.ids import ProductId, RuleChangeId, RuleId
from mercat.kit import codec, metrics
from mercat.kit.event_log import on
from mercat.kit.refusals import Unavailable
from mercat.kit.rpc import Caller
from mercat.search.engine import Place, Writer
from mercat.search.engines.tantivy import Broken, Folder, mishaps
from mercat.search.execute import Finding
from mercat.search.facets.count import TALLIES_MAX, Tallies
from mercat.search.merchandising.store import CHANGES_MAX, Rulebook
from mercat.search.messages import (
    Explained,
    Found,
    KeptRule,
    Query,
    Rule,
    RuleChanges,
    Rules,
    SoldOut,
    Suggestions,
)
from mercat.search.query.parse import LETTERS_MAX
from mercat.search.query_log import Asked
from mercat.search.ranking.rerank import Judge

log = structlog.get_logger("mercat.search")
Everything = Callable[[], AsyncIterator[Sequence[ProductChanged]]]
Answer = TypeVar("Answer")
SUGGESTIONS_MAX = EXPLAINED_MAX = 20
AT_ONCE_MAX = 100_000
"""Products up to which a question is answered on the spot: 1 ms at 40,000, for the broadest words."""
AT_ONCE_FAR = 16
"""Questions a process may have with another machine at a time."""
_REST_S = 5.0
_RETRY_S = 0.2
_ASKED, _REMEMBERED = metrics.searches.labels("asked"), metrics.searches.labels("remembered")
_TRUST_S = 300.0
_LATE_MAX = 5_000
_ANSWERS_MAX = 500
_ANSWER_S = 2.0


async def _ahead(batches: AsyncIterator[Sequence[ProductChanged]]) -> AsyncIterator[Sequence[ProductChanged]]:
    """The same batches; the next one is fetched while the last one is worked on."""

    async def fetch() -> Sequence[ProductChanged] | None:
        return await anext(batches, None)

    coming = asyncio.create_task(fetch())
    try:
        while (batch := await coming) is not None:
            coming = asyncio.create_task(fetch())
            yield batch
    finally:
        coming.cancel()


class Search:
    """Answers anywhere; writes in the one process that follows the log.

    A question to a small index costs about a millisecond, so it is answered on the spot; a large one, and
    writing, which waits for the disk, have threads."""

    def __init__(
        self,
        folder: Path,
        sold_out: SoldOut = "among_others",
        db: asyncpg.Pool | None = None,
        place: Place | None = None,
    ) -> None:
        """Without a database there are no rules of operators, and no past questions. `place`: where the
        index is kept, if not in the folder."""
        self._book = Rulebook(db) if db else None
        self._asked = Asked(db) if db else None
        self._sold_out: SoldOut = sold_out
        self._folder: Place = place or Folder(folder)
        self._reader = self._folder.reader()
        self._tallies = Tallies(TALLIES_MAX)
        self._judge = Judge(folder)
        self._askers = ThreadPoolExecutor(AT_ONCE_FAR) if self._folder.far else None
        self._writing = asyncio.Lock()
        self._rebuilding = asyncio.Lock()
        self._filling = asyncio.Lock()
        """Whoever holds both this and `_writing` took that one first."""
        self._writer: Writer | None = None
        self._beside: Writer | None = None
        self._late: dict[ProductId, ProductChanged] = {}
        self._in_doubt = True
        self._checked = 0.0
        self._idle: asyncio.TimerHandle | None = None
        self._resting: asyncio.Task[None] | None = None

    async def find(self, query: Query) -> Found:
        """Products that have the words and pass the filters, a page of them, and what each facet counts."""
        await self._mind_rules()
        self._reader.searcher()
        answers: dict[bytes, tuple[float, Found]] = self._reader.counted.setdefault("answers", {})
        key, now = codec.encode(query), time.monotonic()
        known = answers.get(key)
        if known and now < known[0]:
            _REMEMBERED.inc()
            self._note(query, known[1])
            return known[1]
        found = await self._answer(lambda finding: finding.find(query))
        _ASKED.inc()
        self._note(query, found)
        if len(answers) < _ANSWERS_MAX:
            answers[key] = (now + _ANSWER_S, found)
        return found

    async def suggest(self, q: str, limit: int = 8) -> Suggestions:
        """What these first letters may become: words, products, categories, brands, past questions."""
        most = min(max(limit, 1), SUGGESTIONS_MAX)
        found = await self._answer(lambda finding: finding.suggest(q, most))
        past = self._asked.beginning(q[:LETTERS_MAX], most) if self._asked else []
        return structs.replace(found, queries=past) if past else found

    async def explain(self, q: str, limit: int = 10) -> Explained:
        """Why the first products of a question are the first."""
        await self._mind_rules()
        most = min(max(limit, 1), EXPLAINED_MAX)
        return await self._answer(lambda finding: finding.explain(q, most))

    async def rules(self) -> Rules:
        """What operators want of searches: pins, boosts, synonyms."""
        return Rules(await self._rulebook().rules())

    async def add_rule(self, caller: Caller, rule: Rule, rule_id: RuleId | None = None) -> KeptRule:
        """A new rule. Searches keep it within five seconds. `rule_id`: a fresh one of the asker's, so that
        asking twice adds one. Refuses: too_many_rules."""
        return await self._rulebook().add(caller, rule, rule_id)

    async def change_rule(self, caller: Caller, rule_id: RuleId, rule: Rule) -> KeptRule:
        """The rule as it is from here on."""
        return await self._rulebook().change(caller, rule_id, rule)

    async def remove_rule(self, caller: Caller, rule_id: RuleId) -> None:
        """Takes a rule away. It stays in the record of changes."""
        await self._rulebook().remove(caller, rule_id)

    async def put_back_rule(self, caller: Caller, change_id: RuleChangeId) -> KeptRule:
        """A rule as it was before a change."""
        return await self._rulebook().put_back(caller, change_id)

    async def rule_changes(self, limit: int = 20, before: RuleChangeId | None = None) -> RuleChanges:
        """Who changed which rule, and how; the newest first."""
        return RuleChanges(await self._rulebook().changes(min(max(limit, 1), CHANGES_MAX), before))

    def _note(self, query: Query, found: Found) -> None:
        """Searches by people count, not their turning of pages."""
        whole = found.total and found.relaxed is None and found.all_words is None
        if self._asked and whole and query.q and query.page == 1 and query.cursor is None:
            self._asked.note(query.q)

    def _rulebook(self) -> Rulebook:
        if self._book is None:
            raise Unavailable("There are no rules here.")
        return self._book

    async def _mind_rules(self) -> None:
        if self._book:
            ruling = await self._book.fresh()
            if ruling is not self._judge.ruling:
                self._judge.abide(ruling)
                self._reader.counted.pop("answers", None)
                self._tallies.clear()

    async def category_counts(self) -> dict[str, int]:
        """How many products a category has, by slug, descendants' included. Empty ones are left out."""
        return await self._answer(lambda finding: finding.category_counts())

    async def _answer(self, ask: Callable[[Finding], Answer]) -> Answer:
        searcher = self._reader.searcher()
        reader = self._reader
        finding = Finding(searcher, reader.counted, self._judge, reader.pages, self._sold_out, self._tallies)
        try:
            with mishaps():
                if not self._folder.far and searcher.num_docs <= AT_ONCE_MAX:
                    return ask(finding)
                return await asyncio.get_running_loop().run_in_executor(self._askers, ask, finding)
        except Broken as error:
            log.exception("a question could not be answered")
            raise Unavailable from error

    @on(ProductChanged, outside=True)
    async def index(self, events: list[ProductChanged]) -> None:
        """Returns once it is on disk and readers can see it. While there is no index that can be written, it
        waits for one: facts are not to blame for that, and must not be parked."""
        while True:
            if await self._written(events):
                return
            await asyncio.sleep(_RETRY_S)

    async def _written(self, events: Sequence[ProductChanged]) -> bool:
        async with self._writing:
            try:
                writer = await self._current()
                if writer:
                    await asyncio.to_thread(writer.apply, events)
                beside = self._beside
                if beside:
                    await self._also_beside(events)
            except Broken as error:
                log.warning("the index cannot be written", reason=str(error)[:300])
                self._writer, self._in_doubt = None, True
                return False
            self._rest_later()
            return bool(writer or beside)

    async def _also_beside(self, events: Sequence[ProductChanged]) -> None:
        """The index that is being built takes changes by the thousand: each commit of it costs."""
        for event in events:
            known = self._late.get(event.product_id)
            if known is None or event.version > known.version:
                self._late[event.product_id] = event
        if len(self._late) >= _LATE_MAX:
            async with self._filling:
                await self._catch_up()

    async def _current(self) -> Writer | None:
        path = await asyncio.to_thread(self._folder.current)
        if path is None:
            self._writer = None
        elif self._writer is None or self._writer.path != path:
            self._writer = await asyncio.to_thread(self._folder.writer, path)
        return self._writer

    def _rest_later(self) -> None:
        """When nothing has come for a while, the writer's memory and threads are given back."""
        if self._idle:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(_REST_S, self._rest_now)

    def _rest_now(self) -> None:
        self._resting = asyncio.create_task(self._rest())

    async def _rest(self) -> None:
        async with self._writing:
            if self._writer:
                await asyncio.to_thread(self._writer.rest)

    async def keep(self, everything: Everything, every_s: float = 5.0) -> None:
        """A duty of the process that writes: builds the index where there is none that can be read.
        `everything`: all products as they stand, from whoever owns them, in batches."""
        await self.mend(everything)
        await asyncio.sleep(every_s)

    async def mend(self, everything: Everything) -> bool:
        """Builds the index anew if it is missing, of an older form, or broken; True if it was."""
        if await asyncio.to_thread(self._folder.there) and (
            not self._doubted() or await asyncio.to_thread(self._folder.sound)
        ):
            self._trust()
            return False
        count = await self.rebuild(everything())
        log.info("the index was built anew", products=count)
        return True

    def _trust(self) -> None:
        self._in_doubt, self._checked = False, time.monotonic()

    def _doubted(self) -> bool:
        return self._in_doubt or time.monotonic() - self._checked > _TRUST_S

    async def rebuild(self, products: AsyncIterator[Sequence[ProductChanged]]) -> int:
        """Builds an index beside the one in use and puts it in its place. What changes meanwhile goes to
        both, the newer version wins, and readers see the old one until the new one is whole."""
        async with self._rebuilding:
            written = 0
            fresh = await asyncio.to_thread(lambda: self._folder.writer(self._folder.beside(), create=True))
            self._beside, self._late = fresh, {}
            try:
                async for batch in _ahead(products):
                    async with self._filling:
                        written += await asyncio.to_thread(fresh.fill, batch)
                async with self._filling:
                    await asyncio.to_thread(fresh.rest)
                async with self._writing, self._filling:
                    await self._catch_up()
                    if self._writer:
                        await asyncio.to_thread(self._writer.rest)
                    await asyncio.to_thread(self._folder.use, fresh.path)
                    self._writer = fresh
                    self._trust()
                    self._reader.look_again()
                    self._rest_later()
            finally:
                self._beside, self._late = None, {}
        return written

    async def _catch_up(self) -> None:
        """What was told while the index beside was being built, for that one too."""
        late, self._late = self._late, {}
        if self._beside:
            await asyncio.to_thread(self._beside.apply, list(late.values()))

    async def close(self) -> None:
        if self._asked:
            await self._asked.close()
        if self._idle:
            self._idle.cancel()
        await self._rest()
