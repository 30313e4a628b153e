"""Metrics of an order of products, by what people judged. Grades run from 0, poor, to 3, perfect.

ndcg: gains 2^grade - 1 at 1 / log2(rank + 1), over the best order of the products judged; Järvelin and
Kekäläinen (2002). What nobody judged counts as poor in `ndcg`, and is taken out of the list first in `ndcg_c`
(Sakai, 2007): the first underrates what finds more, the second overrates it, so both are read."""

import math
from collections.abc import Mapping, Sequence

Grades = Mapping[str, int]
_TOP, _DEEP, _GOOD = 10, 100, 2


def relevance_metrics(ranked: Sequence[str], grades: Grades) -> dict[str, float] | None:
    """Measure one order; None where no product was judged better than poor: there is no best order then."""
    best = _gain(sorted(grades.values(), reverse=True))
    if not best:
        return None
    judged = [product for product in ranked if product in grades]
    good = {product for product, grade in grades.items() if grade >= _GOOD}
    found = {
        "ndcg@10": _gain([grades.get(product, 0) for product in ranked]) / best,
        "ndcg@10c": _gain([grades[product] for product in judged]) / best,
        "judged@10": sum(product in grades for product in ranked[:_TOP]) / _TOP,
    }
    if good:
        found["recall@100"] = len(good.intersection(ranked[:_DEEP])) / len(good)
    return found


def _gain(grades: Sequence[int]) -> float:
    return sum((2**grade - 1) / math.log2(rank + 2) for rank, grade in enumerate(grades[:_TOP]))


def mean_metrics(each: Sequence[dict[str, float]]) -> dict[str, float]:
    """Average each metric over the queries that have it."""
    names = dict.fromkeys(name for one in each for name in one)
    return {name: _mean([one[name] for one in each if name in one]) for name in names}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
