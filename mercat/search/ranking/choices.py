"""What shoppers chose among the products that a search showed them, whatever the place: from clicks and
orders to what each product's score gains for the words.

Who looks at a list sees its beginning, so what stands first is clicked most even where it pleases no more. A
click says: the place was seen, and the product pleased (the examination hypothesis, Richardson et al.,
WWW 2007). How often a place is seen is learnt from products that stood at several, beginning with the
discount of ndcg, and is the same for all searches; clicks count by its inverse (Joachims et al., WSDM 2017),
clipped."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mercat.search.merchandising.rules import Gains, WordsKey, words_key
from mercat.search.messages import Choice
from mercat.search.query.parse import parse

_AN_ORDER = 2
"""Clicks that an order counts for, beside its own."""
_SEEN_LEAST = 0.1
_SEEN_SURE = 50.0
"""Clicks at a place by which the discount of ndcg is believed."""
_GAIN_MOST = math.log(3)
"""As much as an operator's boost of three."""
_GAIN_LEAST = 0.1
_CLICKS_LEAST = 20
_CLICKS_SURE = 5.0
"""Clicks by which a product is believed to please as all of its list do."""
_PRODUCTS_MOST = 20
_ROUNDS = 30


class LearntChoices(NamedTuple):
    """What was learnt: gains, and how often each place is seen, the first being 1."""

    gains: Gains
    seen: list[float]


class _Table(NamedTuple):
    """Choices as columns; a pair is a product of a search."""

    pair: NDArray[np.int64]
    place: NDArray[np.int64]
    shown: NDArray[np.float64]
    worth: NDArray[np.float64]
    search_of: NDArray[np.int64]
    pairs: list[tuple[WordsKey, int]]


def worth_of(choice: Choice) -> int:
    """Count what came of showing a product: its clicks, and more for its orders."""
    return choice.clicked + _AN_ORDER * choice.bought


def by_words(choices: Sequence[Choice]) -> dict[WordsKey, list[Choice]]:
    """Put together what was searched for in words that are the same to search."""
    keys = {words: words_key(parse(words)) for words in {each.words for each in choices}}
    found: dict[WordsKey, list[Choice]] = defaultdict(list)
    for each in choices:
        if key := keys[each.words]:
            found[key].append(each)
    return found


def learn(choices: Sequence[Choice]) -> LearntChoices:
    """Learn what pleases whom from what was shown; searches with few clicks teach nothing."""
    grouped = {
        key: of_key
        for key, of_key in by_words(choices).items()
        if sum(each.clicked for each in of_key) >= _CLICKS_LEAST
    }
    if not grouped:
        return LearntChoices({}, [])
    table = _table(grouped)
    seen = _seen(table)
    gain = _gain(table, seen)
    gains: dict[WordsKey, dict[int, float]] = defaultdict(dict)
    order: list[int] = np.argsort(-np.abs(gain), kind="stable").tolist()
    for number in order:
        key, product = table.pairs[number]
        if abs(gain[number]) >= _GAIN_LEAST and len(gains[key]) < _PRODUCTS_MOST:
            gains[key][product] = round(float(gain[number]), 3)
    return LearntChoices({key: of_key for key, of_key in gains.items() if of_key}, seen.tolist())


def _table(grouped: Mapping[WordsKey, Sequence[Choice]]) -> _Table:
    rows = [(key, each) for key, of_key in grouped.items() for each in of_key]
    pairs = list(dict.fromkeys((key, each.product) for key, each in rows))
    number = {pair: at for at, pair in enumerate(pairs)}
    searches = {key: at for at, key in enumerate(grouped)}
    return _Table(
        np.array([number[key, each.product] for key, each in rows]),
        np.array([each.place - 1 for _, each in rows]),
        np.array([float(each.shown) for _, each in rows]),
        np.array([float(worth_of(each)) for _, each in rows]),
        np.array([searches[key] for key, _ in pairs]),
        pairs,
    )


def _seen(table: _Table) -> NDArray[np.float64]:
    """Learn how often each place is seen: in turns what pleases, given what was seen, and what was seen,
    given what pleases."""
    before = 1 / np.log2(np.arange(int(table.place.max()) + 1) + 2)
    seen = before
    for _ in range(_ROUNDS):
        _, pleases = _pleasing(table, seen)
        expected = np.bincount(table.place, table.shown * pleases[table.pair])
        clicks = np.bincount(table.place, table.worth)
        seen = (clicks + _SEEN_SURE * before) / (expected + _SEEN_SURE)
        seen = np.clip(seen / seen[0], _SEEN_LEAST, 1.0)
    return seen


def _pleasing(table: _Table, seen: NDArray[np.float64]) -> tuple[Any, Any]:
    """Return of each pair the clicks that are expected where it pleases as its list does, and how often it
    pleases who sees it."""
    views = np.bincount(table.pair, table.shown * seen[table.place])
    clicks = np.bincount(table.pair, table.worth)
    mean = np.bincount(table.search_of, clicks) / np.bincount(table.search_of, views)
    usual = mean[table.search_of]
    return views * usual, (clicks + _CLICKS_SURE) / (views + _CLICKS_SURE / usual)


def _gain(table: _Table, seen: NDArray[np.float64]) -> NDArray[np.float64]:
    expected, _ = _pleasing(table, seen)
    clicks = np.bincount(table.pair, table.worth)
    ratio = (clicks + _CLICKS_SURE) / (expected + _CLICKS_SURE)
    return np.clip(np.log(ratio), -_GAIN_MOST, _GAIN_MOST)
