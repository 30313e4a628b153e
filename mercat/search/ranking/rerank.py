"""The reranker: puts the candidates of one query in the order in which shoppers should see them.

One a process. It reads the learnt ranker when first asked, the synonyms when their file changes, and the
categories once a minute."""

import math
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import structlog

from mercat.kit.cache import ExpiringCache
from mercat.search.category_stats import CATEGORIES_MAX, CategoryStats, category_stats, sum_by_category
from mercat.search.engine import Clause, Hit, IndexSearcher, ProductRowReader, TermsWanted, row_numbers
from mercat.search.facets.choose import FacetChooser
from mercat.search.merchandising.rules import ActiveRules
from mercat.search.product_rows import Rows
from mercat.search.query import synonyms
from mercat.search.query.mentions import NamedOften
from mercat.search.query.parse import QueryWord
from mercat.search.query.synonyms import Synonyms, load_synonyms
from mercat.search.ranking import features, gbdt
from mercat.search.ranking.features import Column, RankingQuery

log = structlog.get_logger("mercat.search")
_SYNONYMS_CHECK_S = 5.0
_STATS_TTL_S = 60.0
_SCORES_TTL_S = 600.0
_SCORES_MAX = 3_000


class _CachedScores(NamedTuple):
    reader: ProductRowReader
    rows: Column
    scores: Column


class ScoredCandidate(NamedTuple):
    """A candidate's score and what it is made of."""

    place: int
    """Among the hits."""
    score: float
    prior: dict[str, float]
    learnt: float
    features: dict[str, float | None]


class Reranker:
    """Scores candidates by prior, learnt ranker and bonus; holds what is the same for all queries of a
    process."""

    def __init__(self, folder: Path) -> None:
        """Prepare the reranker of a shop; its own ranker and synonyms are in `folder`."""
        self._folder = folder
        self.ranker: gbdt.Ranker | None = None
        self._ranker_loaded = False
        self._synonyms = Synonyms()
        self._synonyms_checked = self._stats_read = float("-inf")
        self._synonyms_version: object = None
        self._stats = CategoryStats()
        self._scores = ExpiringCache[tuple[str, bytes, bool], _CachedScores](_SCORES_MAX)
        self.facet_chooser = FacetChooser()
        self.named_often = NamedOften()
        self.rules = ActiveRules()

    def use_rules(self, rules: ActiveRules) -> None:
        """Apply these merchandising rules from now on."""
        if rules is not self.rules:
            self.rules = rules
            self._synonyms_version, self._synonyms_checked = None, float("-inf")

    def synonyms(self) -> Synonyms:
        """Return the synonyms of today, those of merchandising rules included."""
        now = time.monotonic()
        if now - self._synonyms_checked >= _SYNONYMS_CHECK_S:
            self._synonyms_checked = now
            own = self._folder / synonyms.FILE
            today = datetime.now(UTC).date()
            version = (own.stat().st_mtime_ns if own.exists() else 0, today)
            if version != self._synonyms_version:
                self._synonyms, self._synonyms_version = load_synonyms(own, today), version
                for phrase, other in self.rules.synonyms:
                    self._synonyms.phrases.setdefault(phrase, {})[other] = True
                self.forget_scores()
        return self._synonyms

    def forget_scores(self) -> None:
        """Score everything anew: what is scored by has changed."""
        self._scores.clear()

    def ranking_query(self, searcher: IndexSearcher, words: Sequence[QueryWord]) -> RankingQuery:
        """Look up how rare the words are, and their synonyms."""
        stems = [word.stem for word in words]
        products = searcher.num_docs
        frequencies = searcher.doc_freqs([("main_text", stem) for stem in stems])
        rarity = [math.log(1 + (max(products - each, 0) + 0.5) / (each + 0.5)) for each in frequencies]
        return RankingQuery(
            [word.written for word in words], stems, rarity, self.synonyms().rewritings(stems)
        )

    def features_and_scores(
        self, searcher: IndexSearcher, rows: Rows, words: Sequence[QueryWord], *, learnt: bool = True
    ) -> tuple[dict[str, Column], Column]:
        """Compute the features of every candidate, given their rows, and the score that they make; `learnt`:
        with the learnt ranker."""
        query = self.ranking_query(searcher, words)
        found = features.features(query, rows, self._category_stats(searcher))
        score = features.prior(found)
        ranker = self._load_ranker() if learnt else None
        if ranker:
            score = score + ranker.correction(features.feature_table(found, ranker.features))
        return found, score + features.bonus(found)

    def scores(
        self,
        searcher: IndexSearcher,
        rows: ProductRowReader,
        words: Sequence[QueryWord],
        hits: Sequence[Hit],
        filters: bytes = b"",
        *,
        learnt: bool = True,
    ) -> Column:
        """Score each candidate. What has all the words scores higher than what has not. `filters`: what the
        candidates were narrowed by.

        Scores are cached for ten minutes by the ranker's rows of the candidates: a price or a stock that
        changed makes no other row, so a busy index does not bring every query back."""
        if not hits:
            return np.zeros(0)
        wanted = row_numbers(searcher, hits)
        numbers = np.array(wanted)
        key = (" ".join(word.written for word in words), filters, learnt)
        cached = self._scores.get(key)
        if cached and cached.reader is rows:
            at = np.minimum(np.searchsorted(cached.rows, numbers), len(cached.rows) - 1)
            if bool((cached.rows[at] == numbers).all()):
                return cached.scores[at]
        _, scores = self.features_and_scores(searcher, rows.read(wanted), words, learnt=learnt)
        by_row = np.argsort(numbers)
        fresh = _CachedScores(rows, numbers[by_row], scores[by_row].astype(np.float32))
        self._scores.put(key, fresh, _SCORES_TTL_S)
        return scores

    def explain(
        self, searcher: IndexSearcher, rows: ProductRowReader, words: Sequence[QueryWord], hits: Sequence[Hit]
    ) -> Iterator[ScoredCandidate]:
        """Yield the candidates with what their scores are made of, the best first."""
        found, scores = self.features_and_scores(searcher, rows.read(row_numbers(searcher, hits)), words)
        unlearnt = features.prior(found) + features.bonus(found)
        for place in np.argsort(-scores, kind="stable").tolist():
            yield ScoredCandidate(
                place=place,
                score=float(scores[place]),
                prior={name: float(weight * found[name][place]) for name, weight in features.PRIOR.items()},
                learnt=float(scores[place] - unlearnt[place]),
                features={
                    name: None if math.isnan(column[place]) else round(float(column[place]), 4)
                    for name, column in found.items()
                },
            )

    def _load_ranker(self) -> gbdt.Ranker | None:
        """Return the shop's own ranker, else the one shipped; none that needs features of another version."""
        if not self._ranker_loaded:
            self._ranker_loaded = True
            for file in (self._folder / gbdt.FILE, gbdt.SHIPPED / gbdt.FILE):
                try:
                    ranker = gbdt.load_ranker(file)
                except FileNotFoundError:
                    continue
                except (OSError, msgspec.DecodeError) as error:
                    log.warning("a ranker cannot be read", file=str(file), reason=str(error))
                    continue
                if set(ranker.features) <= set(features.LEARNT):
                    self.ranker = ranker
                    break
                log.warning("a ranker is of another version; train it again", file=str(file))
        return self.ranker

    def _category_stats(self, searcher: IndexSearcher) -> CategoryStats:
        now = time.monotonic()
        if now - self._stats_read >= _STATS_TTL_S:
            self._stats_read = now
            wanted = TermsWanted("category_path", CATEGORIES_MAX, CATEGORIES_MAX)
            (paths,) = searcher.aggregate(Clause.term("for_sale", True), [wanted])
            self._stats = category_stats(sum_by_category(paths), searcher.num_docs)
        return self._stats
