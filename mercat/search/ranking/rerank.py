"""Judging: candidates of one question in the order in which shoppers should see them.

One judge a process. It reads the learnt ranker when first asked, the synonyms when their file changes, and
the categories once a minute."""

import math
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import structlog

from mercat.kit.cache import Memory
from mercat.search import category_stats as aisles
from mercat.search.category_stats import Aisles
from mercat.search.engine import DocAddress, Pages, Query, Searcher
from mercat.search.engines.tantivy import by_category, by_word
from mercat.search.facets.choose import Offering
from mercat.search.hits import row_numbers
from mercat.search.merchandising.rules import Ruling
from mercat.search.query import synonyms
from mercat.search.query.parse import Word
from mercat.search.ranking import features as ranking
from mercat.search.ranking import gbdt as trees
from mercat.search.ranking.features import Column, Question

log = structlog.get_logger("mercat.search")
_GLANCE_S = 5.0
_SURVEY_S = 60.0
_VERDICT_S = 600.0
_VERDICTS_MAX = 3_000
Hits = Sequence[tuple[Any, DocAddress]]


class _Verdict(NamedTuple):
    pages: Pages
    rows: Column
    scores: Column


class Judge:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ranker: trees.Ranker | None = None
        self._loaded = False
        self._synonyms = synonyms.Synonyms()
        self._glanced = self._surveyed = float("-inf")
        self._seen: object = None
        self._aisles = Aisles()
        self._verdicts = Memory[tuple[str, bytes], _Verdict](_VERDICTS_MAX)
        self.offering = Offering()
        self.ruling = Ruling()

    def abide(self, ruling: Ruling) -> None:
        """From here on these rules of operators hold."""
        if ruling is not self.ruling:
            self.ruling = ruling
            self._seen, self._glanced = None, float("-inf")

    def synonyms(self) -> synonyms.Synonyms:
        now = time.monotonic()
        if now - self._glanced >= _GLANCE_S:
            self._glanced = now
            own = self._folder / synonyms.FILE
            today = datetime.now(UTC).date()
            seen = (own.stat().st_mtime_ns if own.exists() else 0, today)
            if seen != self._seen:
                self._synonyms, self._seen = synonyms.read(own, today), seen
                for said, other in self.ruling.ways:
                    self._synonyms.ways.setdefault(said, {})[other] = True
                self._verdicts.clear()
        return self._synonyms

    def question(self, searcher: Searcher, asked: Sequence[Word]) -> Question:
        """The question with how rare its words are, and other ways to ask it."""
        stems = [word.stem for word in asked]
        products = searcher.num_docs
        held = searcher.doc_freqs([("said", stem) for stem in stems])
        rarity = [math.log(1 + (max(products - each, 0) + 0.5) / (each + 0.5)) for each in held]
        return Question([word.written for word in asked], stems, rarity, self.synonyms().of(stems))

    def judged(
        self, searcher: Searcher, pages: Pages, asked: Sequence[Word], hits: Hits
    ) -> tuple[dict[str, Column], Column]:
        """Every candidate's numbers, and the score that they make."""
        rows = pages.read(row_numbers(searcher, hits))
        question = self.question(searcher, asked)
        found = ranking.features(question, rows, self._survey(searcher))
        made = ranking.prior(found)
        ranker = self._ranker()
        if ranker:
            made = made + ranker.correction(ranking.table(found, ranker.features))
        return found, made + ranking.bonus(found)

    def scores(
        self, searcher: Searcher, pages: Pages, asked: Sequence[Word], hits: Hits, among: bytes = b""
    ) -> Column:
        """A score a candidate. What has all the words has more than what has not. `among`: by which filters
        they are all that is left.

        Verdicts are remembered for ten minutes by the rows of facts they were about: a price or a stock that
        changed makes no other row, so a busy index does not bring every question back."""
        if not hits:
            return np.zeros(0)
        numbers = np.array(row_numbers(searcher, hits))
        key = (" ".join(word.written for word in asked), among)
        known = self._verdicts.get(key)
        if known and known.pages is pages:
            at = np.minimum(np.searchsorted(known.rows, numbers), len(known.rows) - 1)
            if bool((known.rows[at] == numbers).all()):
                return known.scores[at]
        _, made = self.judged(searcher, pages, asked, hits)
        sorted_by_row = np.argsort(numbers)
        verdict = _Verdict(pages, numbers[sorted_by_row], made[sorted_by_row].astype(np.float32))
        self._verdicts.keep(key, verdict, _VERDICT_S)
        return made

    def explained(
        self, searcher: Searcher, pages: Pages, asked: Sequence[Word], hits: Hits
    ) -> Iterator[tuple[int, float, dict[str, float], float, dict[str, float | None]]]:
        """Best first: place among the hits, score, the parts of the prior, what was learnt, all numbers."""
        found, made = self.judged(searcher, pages, asked, hits)
        whole = ranking.prior(found) + ranking.bonus(found)
        for place in np.argsort(-made, kind="stable").tolist():
            parts = {name: float(weight * found[name][place]) for name, weight in ranking.PRIOR.items()}
            numbers = {
                name: None if math.isnan(column[place]) else round(float(column[place]), 4)
                for name, column in found.items()
            }
            yield place, float(made[place]), parts, float(made[place] - whole[place]), numbers

    def _ranker(self) -> trees.Ranker | None:
        """The shop's own, else the one shipped; none that asks for numbers of another version."""
        if not self._loaded:
            self._loaded = True
            for file in (self._folder / trees.FILE, trees.SHIPPED / trees.FILE):
                try:
                    ranker = trees.load(file)
                except FileNotFoundError:
                    continue
                except (OSError, msgspec.DecodeError) as error:
                    log.warning("a ranker cannot be read", file=str(file), reason=str(error))
                    continue
                if set(ranker.features) <= set(ranking.LEARNT):
                    self.ranker = ranker
                    break
                log.warning("a ranker is of another version; train it again", file=str(file))
        return self.ranker

    def _survey(self, searcher: Searcher) -> Aisles:
        now = time.monotonic()
        if now - self._surveyed >= _SURVEY_S:
            self._surveyed = now
            size = aisles.CATEGORIES_MAX
            terms = {"every": {"terms": {"field": "aisle", "size": size, "segment_size": size}}}
            answer = searcher.aggregate(Query.term_query("for_sale", True), terms)
            counts = by_category(by_word(answer["every"]["buckets"]))
            self._aisles = aisles.survey(counts, searcher.num_docs)
        return self._aisles
