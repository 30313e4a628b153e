"""Training: a ranker from what people judged, and what it is worth on queries it has not seen.

Candidates nobody judged count as poor. Trees correct the prior, so with few judgements little is lost.
Cross-validation keeps queries of the same words, whatever their plural, in one fold, and so those that find
things of one category: what is measured is how well the ranker carries over to other goods."""

import gzip
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import msgspec
import numpy as np

from mercat.kit import codec
from mercat.search.category_stats import UNCATEGORISED
from mercat.search.engine import IndexStore, row_numbers
from mercat.search.execute import QueryExecutor
from mercat.search.messages import ProductCard
from mercat.search.query import analyze
from mercat.search.ranking import features, gbdt
from mercat.search.ranking.features import LEARNT, Column
from mercat.search.ranking.metrics import Grades, mean_metrics, relevance_metrics
from mercat.search.ranking.rerank import Reranker

_FOLDS, _ROUNDS, _BAGS, _GOOD = 5, 110, 2, 2
_PARAMETERS: dict[str, Any] = {
    "objective": "lambdarank",
    "learning_rate": 0.05,
    "num_leaves": 6,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "lambdarank_truncation_level": 15,
    "label_gain": [0, 1, 3, 7],
    "max_bin": 63,
    "verbose": -1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
}
_RANKED_MAX = 100
Rankings = dict[str, list[str]]
"""Products by their judged ids, the best first, by query."""


class LabelledQuery(msgspec.Struct):
    """A line of the file of queries."""

    query_id: str
    query: str


class RelevanceJudgement(msgspec.Struct):
    """A line of the file of judgements."""

    query_id: str
    product_id: str
    grade: int


class TooFewJudgements(ValueError):
    """No query has a candidate that was judged better than poor."""


@dataclass
class JudgedQuery:
    """A query with its candidates as the ranker meets them, and what people judged."""

    query: str
    grades: Grades
    products: list[str]
    features: dict[str, Column]
    kinds: frozenset[str] = frozenset()
    """The categories of the candidates that were judged good."""

    def prior(self) -> Column:
        """Compute the prior of each candidate."""
        return features.prior(self.features)

    def ranked(self, score: Column) -> list[str]:
        """Order the candidates by a score and the bonus."""
        order = cast(Any, np.argsort(-(score + features.bonus(self.features)), kind="stable"))
        return [self.products[int(place)] for place in order.tolist()[:_RANKED_MAX]]


def _lines(file: Path) -> Iterator[bytes]:
    with cast(IO[bytes], gzip.open(file) if file.suffix == ".gz" else file.open("rb")) as lines:
        yield from (line for line in lines if line.strip())


def read_queries(file: Path) -> dict[str, str]:
    """Read queries by their ids from JSON lines, packed by gzip or not."""
    read = [msgspec.json.decode(line, type=LabelledQuery) for line in _lines(file)]
    return {each.query_id: each.query for each in read}


def read_judgements(file: Path) -> dict[str, dict[str, int]]:
    """Read grades by query and product from JSON lines, packed by gzip or not."""
    grades: dict[str, dict[str, int]] = {}
    for line in _lines(file):
        one = msgspec.json.decode(line, type=RelevanceJudgement)
        grades.setdefault(one.query_id, {})[one.product_id] = one.grade
    return grades


def judged_queries(
    folder: Path, store: IndexStore, queries: dict[str, str], grades: dict[str, dict[str, int]]
) -> dict[str, JudgedQuery]:
    """Find every query's candidates in the shop's index, as the shop's own code finds them."""
    reader, reranker = store.reader(), Reranker(folder)
    searcher = reader.searcher()
    executor = QueryExecutor(searcher, {}, reranker, reader.rows)
    assert reader.rows
    made: dict[str, JudgedQuery] = {}
    for query_id, query in queries.items():
        words, hits = executor.candidates(query)
        if not hits:
            continue
        cards = [codec.decode(card, ProductCard) for card in searcher.cards(hits)]
        judged = grades.get(query_id, {})
        kinds = {card.category for card in cards if judged.get(judged_id(card), 0) >= _GOOD}
        rows = reader.rows.read(row_numbers(searcher, hits))
        found, _ = reranker.features_and_scores(searcher, rows, words)
        made[query_id] = JudgedQuery(
            query, judged, list(map(judged_id, cards)), found, frozenset(kinds - {UNCATEGORISED})
        )
    return made


def judged_id(card: ProductCard) -> str:
    """Return the id by which judgements name a product: its source's where it has one."""
    return card.external_id or str(card.product_id)


def folds(judged: Mapping[str, JudgedQuery], seed: int, count: int = _FOLDS) -> dict[str, int]:
    """Assign a fold to each query, the smallest so far; together are those that differ by plural or order
    alone, and those whose good products share a category. Where hardly anything would be apart then, as in a
    shop with one category, the words alone count."""
    words = {query_id: " ".join(sorted(analyze.stems(each.query))) for query_id, each in judged.items()}
    groups = _groups({query_id: {words[query_id], *each.kinds} for query_id, each in judged.items()})
    if len(groups) < count or 2 * max(map(len, groups)) > len(judged):
        groups = _groups({query_id: {each} for query_id, each in words.items()})
    random.Random(seed).shuffle(groups)
    fold: dict[str, int] = {}
    sizes = [0] * count
    for group in groups:
        smallest = sizes.index(min(sizes))
        sizes[smallest] += len(group)
        fold |= dict.fromkeys(group, smallest)
    return fold


def _groups(marks: Mapping[str, set[str]]) -> list[list[str]]:
    """Put together what has a mark in common, also over others."""
    groups: list[tuple[set[str], list[str]]] = []
    for query_id, own in marks.items():
        touching = [group for group in groups if not group[0].isdisjoint(own)]
        groups = [group for group in groups if group[0].isdisjoint(own)]
        together = [one for _, those in touching for one in those]
        groups.append((own.union(*(known for known, _ in touching)), [*together, query_id]))
    return [queries for _, queries in groups]


def train(
    judged: Sequence[JudgedQuery],
    names: Sequence[str] = LEARNT,
    seed: int = 0,
    about: dict[str, Any] | None = None,
) -> gbdt.RankerModel:
    """Train a ranker; needs LightGBM (`pip install mercat[train]`). Refuses with `TooFewJudgements`."""
    import lightgbm  # type: ignore[import-untyped]

    useful = [each for each in judged if any(each.grades.get(product, 0) for product in each.products)]
    if not useful:
        raise TooFewJudgements
    rows = np.concatenate([features.feature_table(each.features, list(names)) for each in useful])
    grades = np.concatenate([[each.grades.get(product, 0) for product in each.products] for each in useful])
    priors = np.concatenate([each.prior() for each in useful])
    grown: list[gbdt.DecisionTree] = []
    for bag in range(_BAGS):
        data: Any = lightgbm.Dataset(
            rows, grades, group=[len(each.products) for each in useful], init_score=priors
        )
        model: Any = cast(Any, lightgbm).train({**_PARAMETERS, "seed": seed * 100 + bag}, data, _ROUNDS)
        grown += gbdt.trees_of_lightgbm(model.dump_model())
    return gbdt.RankerModel(list(names), grown, _BAGS, about or {})


def cross_validate(
    judged: dict[str, JudgedQuery], names: Sequence[str] = LEARNT, seeds: Sequence[int] = range(_FOLDS)
) -> tuple[dict[str, float], Rankings]:
    """Measure the ranker on queries it was not trained on. Returns the means over all splits, and the last
    split's rankings. Refuses with `TooFewJudgements`."""
    if not judged:
        raise TooFewJudgements
    metrics: list[dict[str, float]] = []
    rankings: Rankings = {}
    for seed in seeds:
        fold = folds(judged, seed)
        for held_out in sorted(set(fold.values())):
            ranker = gbdt.Ranker(
                train([each for query_id, each in judged.items() if fold[query_id] != held_out], names, seed)
            )
            for query_id, each in judged.items():
                if fold[query_id] == held_out:
                    table = features.feature_table(each.features, list(names))
                    rankings[query_id] = each.ranked(each.prior() + ranker.correction(table))
        metrics += _metrics(judged, rankings)
    return mean_metrics(metrics), rankings


def _metrics(judged: dict[str, JudgedQuery], rankings: Rankings) -> list[dict[str, float]]:
    measured = (relevance_metrics(rankings[query_id], each.grades) for query_id, each in judged.items())
    return [each for each in measured if each]


def evaluate_words(judged: dict[str, JudgedQuery]) -> tuple[dict[str, float], Rankings]:
    """Measure the order by the words alone: how rare they are, and where they are."""
    rankings = {query_id: each.ranked(each.features["score"]) for query_id, each in judged.items()}
    return mean_metrics(_metrics(judged, rankings)), rankings


def evaluate_prior(judged: dict[str, JudgedQuery]) -> tuple[dict[str, float], Rankings]:
    """Measure the order by the prior alone."""
    rankings = {query_id: each.ranked(each.prior()) for query_id, each in judged.items()}
    return mean_metrics(_metrics(judged, rankings)), rankings
