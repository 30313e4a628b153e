"""How good an order of products is, by what people judged. Grades run from 0, poor, to 3, perfect.

ndcg: gains 2^grade - 1 at 1 / log2(rank + 1), over the best order of the products judged; Järvelin and
Kekäläinen (2002). What nobody judged counts as poor in `ndcg`, and is taken out of the list first in `ndcg_c`
(Sakai, 2007): the first is unfair to what finds more, the second kind to it, so both are read."""

import math
from collections.abc import Mapping, Sequence

Grades = Mapping[str, int]
TOP, DEEP, GOOD = 10, 100, 2


def measured(ranked: Sequence[str], grades: Grades) -> dict[str, float] | None:
    """None where nobody found any product good: there is no best order then."""
    best = _gain(sorted(grades.values(), reverse=True))
    if not best:
        return None
    judged = [product for product in ranked if product in grades]
    good = {product for product, grade in grades.items() if grade >= GOOD}
    found = {
        "ndcg@10": _gain([grades.get(product, 0) for product in ranked]) / best,
        "ndcg@10c": _gain([grades[product] for product in judged]) / best,
        "judged@10": sum(product in grades for product in ranked[:TOP]) / TOP,
    }
    if good:
        found["recall@100"] = len(good.intersection(ranked[:DEEP])) / len(good)
    return found


def _gain(grades: Sequence[int]) -> float:
    return sum((2**grade - 1) / math.log2(rank + 2) for rank, grade in enumerate(grades[:TOP]))


def means(each: Sequence[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for one in each for name in one)
    return {name: _mean([one[name] for one in each if name in one]) for name in names}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
