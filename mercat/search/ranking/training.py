"""Learning: a ranker from what people judged, and what it is worth on questions it has not seen.

Candidates nobody judged are learnt as poor. Trees correct the prior, so with few judgements little is lost.
Cross-validation keeps questions of the same words, whatever their plural, in one fold."""

import gzip
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import msgspec
import numpy as np

from mercat.search.engine import Place
from mercat.search.execute import Finding
from mercat.search.query import analyze as text
from mercat.search.ranking import features as ranking
from mercat.search.ranking import gbdt as trees
from mercat.search.ranking.features import LEARNT, Column
from mercat.search.ranking.metrics import Grades, means, measured
from mercat.search.ranking.rerank import Judge

FOLDS, ROUNDS, BAGS = 5, 110, 2
_LEARNING: dict[str, Any] = {
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
_SHOWN = 100


class Asked(msgspec.Struct):
    query_id: str
    query: str


class Judgement(msgspec.Struct):
    query_id: str
    product_id: str
    grade: int


class TooLittle(ValueError):
    """Nothing to learn from."""


@dataclass
class Case:
    """A question as the ranker meets it."""

    query: str
    grades: Grades
    products: list[str]
    found: dict[str, Column]

    def prior(self) -> Column:
        return ranking.prior(self.found)

    def ranked(self, score: Column) -> list[str]:
        order = np.argsort(-(score + ranking.bonus(self.found)), kind="stable")
        return [self.products[place] for place in order][:_SHOWN]


def _lines(file: Path) -> Iterator[bytes]:
    with cast(IO[bytes], gzip.open(file) if file.suffix == ".gz" else file.open("rb")) as lines:
        yield from (line for line in lines if line.strip())


def questions(file: Path) -> dict[str, str]:
    asked = [msgspec.json.decode(line, type=Asked) for line in _lines(file)]
    return {each.query_id: each.query for each in asked}


def judgements(file: Path) -> dict[str, dict[str, int]]:
    graded: dict[str, dict[str, int]] = {}
    for line in _lines(file):
        one = msgspec.json.decode(line, type=Judgement)
        graded.setdefault(one.query_id, {})[one.product_id] = one.grade
    return graded


class Named(msgspec.Struct):
    product_id: str
    external_id: str | None = None

    def name(self) -> str:
        return self.external_id or self.product_id


def cases(
    folder: Path, place: Place, asked: dict[str, str], graded: dict[str, dict[str, int]]
) -> dict[str, Case]:
    """Every question's candidates in the shop's index, as the shop's own code finds them."""
    reader, judge = place.reader(), Judge(folder)
    searcher = reader.searcher()
    finding = Finding(searcher, {}, judge, reader.pages)
    assert reader.pages
    made: dict[str, Case] = {}
    for query_id, query in asked.items():
        said, hits = finding.candidates(query)
        cards = searcher.cards([address for _, address in hits])
        names = [msgspec.json.decode(card, type=Named).name() for card in cards]
        if not hits:
            continue
        found, _ = judge.judged(searcher, reader.pages, said, hits)
        made[query_id] = Case(query, graded.get(query_id, {}), names, found)
    return made


def folds(asked: dict[str, str], seed: int, count: int = FOLDS) -> dict[str, int]:
    """A fold for each question; those that differ by plural or order alone are together."""
    group = {query_id: " ".join(sorted(text.stems(query))) for query_id, query in asked.items()}
    groups = sorted(set(group.values()))
    random.Random(seed).shuffle(groups)
    fold = {each: place % count for place, each in enumerate(groups)}
    return {query_id: fold[group[query_id]] for query_id in asked}


def learn(
    given: Sequence[Case], names: Sequence[str] = LEARNT, seed: int = 0, about: dict[str, Any] | None = None
) -> trees.Model:
    """Needs LightGBM: `pip install mercat[train]`. TooLittle where nobody liked anything that was found."""
    import lightgbm  # type: ignore[import-untyped]

    useful = [case for case in given if any(case.grades.get(product, 0) for product in case.products)]
    if not useful:
        raise TooLittle
    rows = np.concatenate([ranking.table(case.found, list(names)) for case in useful])
    grades = np.concatenate([[case.grades.get(product, 0) for product in case.products] for case in useful])
    priors = np.concatenate([case.prior() for case in useful])
    grown: list[trees.Tree] = []
    for bag in range(BAGS):
        data: Any = lightgbm.Dataset(
            rows, grades, group=[len(case.products) for case in useful], init_score=priors
        )
        model: Any = lightgbm.train({**_LEARNING, "seed": seed * 100 + bag}, data, ROUNDS)
        grown += trees.of_lightgbm(model.dump_model())
    return trees.Model(list(names), grown, BAGS, about or {})


def validated(
    made: dict[str, Case], names: Sequence[str] = LEARNT, seeds: Sequence[int] = range(FOLDS)
) -> tuple[dict[str, float], dict[str, list[str]]]:
    """What the ranker is worth on questions it did not learn from: the means over splits, and the
    last split's orders."""
    if not made:
        raise TooLittle
    asked = {query_id: case.query for query_id, case in made.items()}
    every: list[dict[str, float]] = []
    ranked: dict[str, list[str]] = {}
    for seed in seeds:
        fold = folds(asked, seed)
        for each in sorted(set(fold.values())):
            model = learn([case for query_id, case in made.items() if fold[query_id] != each], names, seed)
            ranker = trees.Ranker(model)
            for query_id, case in made.items():
                if fold[query_id] == each:
                    corrected = ranker.correction(ranking.table(case.found, list(names)))
                    ranked[query_id] = case.ranked(case.prior() + corrected)
        every += [found for found in worth(made, ranked).values() if found]
    return means(every), ranked


def worth(made: dict[str, Case], ranked: dict[str, list[str]]) -> dict[str, dict[str, float] | None]:
    return {query_id: measured(ranked[query_id], case.grades) for query_id, case in made.items()}


def plain(made: dict[str, Case]) -> tuple[dict[str, float], dict[str, list[str]]]:
    """The words alone: how rare they are, and where they stand."""
    ranked = {query_id: case.ranked(case.found["score"]) for query_id, case in made.items()}
    return means([found for found in worth(made, ranked).values() if found]), ranked


def untaught(made: dict[str, Case]) -> tuple[dict[str, float], dict[str, list[str]]]:
    """The prior alone."""
    ranked = {query_id: case.ranked(case.prior()) for query_id, case in made.items()}
    return means([found for found in worth(made, ranked).values() if found]), ranked
