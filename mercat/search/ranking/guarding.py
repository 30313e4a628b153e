"""Whether what was learnt from clicks and orders is served: it has to please on days that taught nothing, and
must not make worse what people judged. A worse order is kept out, and why is said in words."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mercat.kit import codec
from mercat.search.engine import IndexStore, product_ids, row_numbers
from mercat.search.execute import QueryExecutor
from mercat.search.merchandising.rules import Gains, words_key
from mercat.search.messages import Choice, ProductCard
from mercat.search.ranking import choices
from mercat.search.ranking.choices import LearntChoices
from mercat.search.ranking.metrics import Grades, mean_metrics, relevance_metrics
from mercat.search.ranking.rerank import Reranker
from mercat.search.ranking.training import judged_id, read_judgements, read_queries

JUDGED = "judged"
"""The folder beside the index with the shop's judged queries: `queries.jsonl`, `judgements.jsonl` (`.gz`)."""
_SEARCHES_MAX = 200
_JUDGED_MAX = 500
_CLICKS_LEAST = 100
_BETTER = 0.001
_METRICS = ("ndcg@10", "ndcg@10c")
_ANSWER = 100
_REASONS = {
    "few": "There are too few clicks so far: {clicks} on days that are held out, {least} are needed.",
    "nothing": "Shoppers choose as products are ordered now: there is nothing to change.",
    "no_better": "It would not please more: {after:.3f} of what was chosen stands first, now {before:.3f}.",
    "judged": "What people judged would be ordered worse: {name} {after:.3f} instead of {before:.3f}.",
}


class Guarded(NamedTuple):
    """What was found: why it is kept out (empty: it is served), and the measures before and after."""

    why: str
    chosen: tuple[float, float] | None = None
    judged: tuple[float, float] | None = None


class _Ordered(NamedTuple):
    products: list[int]
    named: list[str]


Orders = Callable[[str, Gains], tuple[_Ordered, _Ordered]]


def guard(folder: Path, store: IndexStore, learnt: LearntChoices, held_out: Sequence[Choice]) -> Guarded:
    """Compare the order of products with what was learnt and without, as searches of this shop make it."""
    clicks = sum(each.clicked for each in held_out)
    if clicks < _CLICKS_LEAST or not learnt.seen:
        return Guarded(_REASONS["few"].format(clicks=clicks, least=_CLICKS_LEAST))
    if not learnt.gains:
        return Guarded(_REASONS["nothing"])
    orders = _orders_of(folder, store)
    chosen = _chosen(orders, learnt, held_out)
    if chosen is None:
        return Guarded(_REASONS["few"].format(clicks=0, least=_CLICKS_LEAST))
    before, after = chosen
    if after < before + _BETTER:
        return Guarded(_REASONS["no_better"].format(before=before, after=after), chosen)
    judged = _judged(orders, learnt.gains, folder / JUDGED)
    for name in _METRICS if judged else ():
        was, would_be = judged[0][name], judged[1][name]
        if would_be < was:
            why = _REASONS["judged"].format(name=name, before=was, after=would_be)
            return Guarded(why, chosen, (was, would_be))
    return Guarded("", chosen, (judged[0][_METRICS[0]], judged[1][_METRICS[0]]) if judged else None)


def _orders_of(folder: Path, store: IndexStore) -> Orders:
    reader, reranker = store.reader(), Reranker(folder)
    searcher = reader.searcher()
    executor = QueryExecutor(searcher, {}, reranker, reader.rows)
    assert reader.rows
    rows = reader.rows

    def both(q: str, gains: Gains) -> tuple[_Ordered, _Ordered]:
        words, hits = executor.candidates(q)
        if not hits:
            return _Ordered([], []), _Ordered([], [])
        _, scores = reranker.features_and_scores(searcher, rows.read(row_numbers(searcher, hits)), words)
        products = [int(each) for each in product_ids(searcher, hits)]
        names = [judged_id(codec.decode(card, ProductCard)) for card in searcher.cards(hits)]
        gained = gains.get(words_key(words), {})
        with_gains = scores + np.array([gained.get(each, 0.0) for each in products])
        before, after = (
            [int(place) for place in np.argsort(-each, kind="stable")[:_ANSWER]]
            for each in (scores, with_gains)
        )
        return (
            _Ordered([products[at] for at in before], [names[at] for at in before]),
            _Ordered([products[at] for at in after], [names[at] for at in after]),
        )

    return both


def _chosen(orders: Orders, learnt: LearntChoices, held_out: Sequence[Choice]) -> tuple[float, float] | None:
    """Measure which share of what was chosen stands first, discounted by place as ndcg is; clicks count by
    the inverse of how often their place is seen. None where nothing was chosen for what was learnt."""
    grouped = {key: each for key, each in choices.by_words(held_out).items() if key in learnt.gains}
    busiest = sorted(grouped.values(), key=lambda each: -sum(one.clicked for one in each))[:_SEARCHES_MAX]
    sums = np.zeros(3)
    for of_key in busiest:
        values = _values(of_key, learnt.seen)
        words = max(of_key, key=lambda each: each.shown).words
        before, after = orders(words, learnt.gains)
        sums += (
            _discounted(before.products, values),
            _discounted(after.products, values),
            sum(values.values()),
        )
    return (float(sums[0] / sums[2]), float(sums[1] / sums[2])) if sums[2] else None


def _values(of_key: Sequence[Choice], seen: Sequence[float]) -> dict[int, float]:
    values: dict[int, float] = {}
    for each in of_key:
        often = seen[min(each.place, len(seen)) - 1]
        values[each.product] = values.get(each.product, 0.0) + choices.worth_of(each) / often
    return values


def _discounted(products: Sequence[int], values: Mapping[int, float]) -> float:
    return sum(values.get(each, 0.0) / math.log2(rank + 2) for rank, each in enumerate(products))


def _judged(orders: Orders, gains: Gains, folder: Path) -> list[dict[str, float]]:
    """Measure both orders by what people judged; nothing where the shop has no judged queries."""
    files = [_found(folder, name) for name in ("queries.jsonl", "judgements.jsonl")]
    if not (files[0] and files[1]):
        return []
    queries, judgements = read_queries(files[0]), read_judgements(files[1])
    measured: tuple[list[dict[str, float]], list[dict[str, float]]] = [], []
    for query_id, query in list(queries.items())[:_JUDGED_MAX]:
        grades: Grades = judgements.get(query_id, {})
        for into, order in zip(measured, orders(query, gains), strict=True):
            if metrics := relevance_metrics(order.named, grades):
                into.append(metrics)
    return [mean_metrics(each) for each in measured] if measured[0] else []


def _found(folder: Path, name: str) -> Path | None:
    return next((file for file in (folder / name, folder / f"{name}.gz") if file.exists()), None)
