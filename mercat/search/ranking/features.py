"""Ranking features: what is computed of the few hundred products that the index scored best.

The engine's score knows words only: it puts a tablet's stand above the tablet. Here every candidate gets some
thirty numbers (where the words are, what kind of thing title and category name, how near the embeddings are),
a plain prior is made from nine of them, and a ranker that learnt from fourteen corrects the prior. All
candidates are computed at once; 200 take about a millisecond. Names that begin with `kind` are about the
category's name, `prose` is the description; the shipped ranker refers to features by these names."""

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from mercat.search.category_stats import ACCESSORY_WORDS, WORD_HASHES, CategoryStats, word_table
from mercat.search.product_rows import Rows, word_hash, word_hashes
from mercat.search.query.synonyms import Stems
from mercat.search.ranking import embeddings

CANDIDATES = 200
PRIOR = {
    "bm_of_best": 3.0,
    "near_best": 1.0,
    "nearer": 0.2,
    "same_kind": 1.5,
    "lift": 0.6,
    "title_last_thing": 0.3,
    "title_thing": 0.15,
    "prose_last_thing": 0.3,
    "accessories_in_title": -0.3,
}
"""Weights of the prior, which needs no training data: words and embeddings near the query, the category that
is named, categories of which more is found than elsewhere, titles that end in the thing asked for, and no
accessories unless they are asked for."""
LEARNT = (
    "kind_has", "brand_has", "details_has", "tags_has",
    "title_first", "title_last_word_at", "prose_first", "prose_last_word_at",
    "bm_title", "bm_prose", "score", "place", "kind_words_asked", "kind_fits",
)  # fmt: skip
"""The features that a ranker may learn from: few, for with some forty more it ranked queries that it had not
seen no better (docs/why/search-tried.md)."""
_BEFORE_ACCESSORY_OF = word_table("for with compatible f to")
"""Behind these words a title names what the product goes with, not what it is."""
_TEXT_FIELDS = ("title", "prose", "category_name", "brand", "details", "tags")
_TITLE_HEAD, _PROSE_HEAD = 20, 16
_RUN_MAX = 3
_SHOP_WORD_PRODUCTS_MIN, _SHOPPER_WORD_SHARE_MAX, _SHOP_WORD_WEIGHT = 8, 0.1, 0.7
"""The shop's own word for a thing counts 0.7 of the shopper's, where the shop has at least 8 of the thing and
calls fewer than a tenth of them as the shopper does."""
_THINGS_MIN = 5
_ACCESSORY_WITHIN = 3
_FIELD_WEIGHTS = {"title": 3.0, "prose": 2.0, "kind": 2.0, "brand": 1.0, "tags": 1.0}
_ALL_IN_TITLE, _IN_A_ROW = 0.5, 1.0
"""How much all words in the title, and those in a row, add to `score`."""
_BEST_FOR_CENTROID = 20
_THING_VALUES = np.array([-1.0, 1.0, 1.5, 2.0, 0.0])
"""Of a thing that is named: something else, another word of the query, what another phrasing asks for, what
is asked for; none is named."""
Column = Any
"""A numpy array with a number a candidate; where two are compared, the axes are named."""
FeatureTable = NDArray[np.float32]


@dataclass
class RankingQuery:
    """A query ready to be compared. `rarity` is each word's inverse document frequency; `rewritings` are what
    synonyms make of it, True where they mean the same."""

    words: list[str]
    stems: list[str]
    rarity: list[float]
    rewritings: dict[Stems, bool]


class _Matches(NamedTuple):
    """Where the words are, by candidate and word: their places in title and prose and how often they are
    there, and whether each field has them."""

    title_places: Column
    prose_places: Column
    title_often: Column
    prose_often: Column
    by_field: dict[str, Column]


class _Candidates(NamedTuple):
    """The products of a query: their rows, their categories, and where the words are."""

    own: Column
    """The query's words as hashes."""
    rarity: Column
    rows: Rows
    stats: CategoryStats
    category: Column
    """The row of each product's category in `stats`."""
    names: Column
    heads: Column
    matches: _Matches
    score: Column

    @property
    def has_category(self) -> Column:
        """Whether the product has a category that is known here."""
        return self.category > 0

    @property
    def weight(self) -> Column:
        """The share of each word in what the query asks for."""
        return self.rarity / self.rarity.sum()


def features(query: RankingQuery, rows: Rows, stats: CategoryStats) -> dict[str, Column]:
    """Compute every candidate's features, by name. Changes `rows`: the shop's words become the shopper's."""
    found = _candidates(query, rows, stats)
    phrasings = [found.own, *(word_hashes(each) for each in query.rewritings)]
    f: dict[str, Column] = {}
    _word_features(f, found)
    f["says_the_same"] = _best_coverage(query, found, phrasings)
    _position_features(f, found.matches)
    _frequency_features(f, found)
    _score_features(f, found)
    _category_name_features(f, found)
    _accessory_features(f, found)
    _category_vote_features(f, found)
    _embedding_features(f, found, query.words)
    _category_match_features(f, found, phrasings)
    _named_thing_features(f, found, phrasings)
    return f


def _candidates(query: RankingQuery, rows: Rows, stats: CategoryStats) -> _Candidates:
    own, rarity = word_hashes(query.stems), np.array(query.rarity)
    category = stats.rows_of(rows["category"])
    names, heads = stats.names[category], stats.heads[category]
    matches = _matches(rows, own)
    score = _score(matches, rows, rarity)
    shop_words = _shop_words(query, own, rows["title"], names, heads)
    for shoppers, shops in shop_words:
        for field in _TEXT_FIELDS:
            rows[field][rows[field] == shops] = shoppers
        names, heads = np.where(names == shops, shoppers, names), np.where(heads == shops, shoppers, heads)
    if shop_words:
        matches = _matches(rows, own)
        score = np.maximum(score, _SHOP_WORD_WEIGHT * _score(matches, rows, rarity))
    return _Candidates(own, rarity, rows, stats, category, names, heads, matches, score)


def _matches(rows: Rows, own: Column) -> _Matches:
    title, prose = _where(rows["title"], own), _where(rows["prose"], own)
    title_often, prose_often = _count(title), _count(prose)
    has = {"title": title_often > 0, "prose": prose_often > 0}
    for name in ("kind", "brand", "details", "tags"):
        has[name] = _where(rows["category_name" if name == "kind" else name], own).any(2)
    return _Matches(title, prose, title_often, prose_often, has)


def _where(texts: Column, own: Column) -> Column:
    """Compare texts with words: product, word asked, place -> whether the word is there."""
    return texts[:, None, :] == own[None, :, None]


def _count(places: Column) -> Column:
    """Count the places along the last axis; a byte a place adds up several times as fast as a number."""
    return np.add.reduce(places.view(np.uint8), 2, np.uint8).astype(np.int64)


def _shop_words(
    query: RankingQuery, own: Column, titles: Column, names: Column, heads: Column
) -> list[tuple[int, int]]:
    """Find words that the shop has instead of the shopper's, as pairs of hashes: where it has what is asked
    for under another name, and hardly ever calls it as the shopper does. Nobody's notebook says "laptop"; but
    enough cases for notebooks are laptop cases."""
    found: dict[int, int] = {}
    for rewriting, same in query.rewritings.items():
        differing = [(one, other) for one, other in zip(query.stems, rewriting, strict=False) if one != other]
        if not same or len(rewriting) != len(query.stems) or len(differing) != 1:
            continue
        words = word_hashes(rewriting)
        of_the_kind = (heads == words[-1]) & (np.isin(names, words) | (names == 0)).all(1)
        as_asked = _where(titles[of_the_kind], own).any(2).all(1)
        if int(of_the_kind.sum()) >= _SHOP_WORD_PRODUCTS_MIN and as_asked.mean() < _SHOPPER_WORD_SHARE_MAX:
            shoppers, shops = differing[0]
            found.setdefault(word_hash(shops), word_hash(shoppers))
    return [(shoppers, shops) for shops, shoppers in found.items()]


def _word_features(f: dict[str, Column], found: _Candidates) -> None:
    """Compute which share of the words some fields have, and all of them but the details together."""
    has, weight = found.matches.by_field, found.weight
    for field in ("kind", "brand", "details", "tags"):
        f[f"{field}_has"] = has[field] @ weight
    main: Column = has["title"] | has["prose"] | has["kind"] | has["brand"] | has["tags"]
    f["has"] = main @ weight


def _best_coverage(query: RankingQuery, found: _Candidates, phrasings: list[Column]) -> Column:
    """Return the share of the words that the product has, by the phrasing that suits it best of those that
    mean the same."""
    best = np.logical_or.reduce([*found.matches.by_field.values()]).mean(1)
    for phrasing, same in zip(phrasings[1:], query.rewritings.values(), strict=True):
        if same:
            has = np.logical_or.reduce([_where(found.rows[field], phrasing).any(2) for field in _TEXT_FIELDS])
            best = np.maximum(best, has.mean(1))
    return best


def _position_features(f: dict[str, Column], matches: _Matches) -> None:
    """Compute where in title and prose the words first are; behind the end where they are not."""
    for field, places in (("title", matches.title_places), ("prose", matches.prose_places)):
        first = cast(Any, np.where(matches.by_field[field], places.argmax(2), places.shape[2]))
        f[f"{field}_first"], f[f"{field}_last_word_at"] = first.min(1) * 1.0, first[:, -1] * 1.0


def _frequency_features(f: dict[str, Column], found: _Candidates) -> None:
    """Compute BM25 of title, of prose, and of all as one text in which the title stands three times.
    Source: Robertson and Zaragoza (2009); lengths are compared among the candidates."""
    weight = found.weight
    title_words, prose_words = _lengths(found.rows)
    often, often_prose = found.matches.title_often, found.matches.prose_often
    whole = 3 * often + often_prose + _count(_where(found.names, found.own))
    length = 3 * title_words + prose_words + (found.names > 0).sum(1)
    f["bm_one"] = _bm25(whole, length, 0.6, 0.3) @ weight
    f["bm_title"] = _bm25(often, title_words, 1.2, 0.75) @ weight
    f["bm_prose"] = _bm25(often_prose, prose_words, 1.2, 0.75) @ weight
    f["bm_of_best"] = f["bm_one"] / max(float(f["bm_one"].max()), 1e-6)


def _score_features(f: dict[str, Column], found: _Candidates) -> None:
    """Compute the weighted score of the fields, and each candidate's place by it."""
    f["score"] = found.score
    order = np.argsort(-f["score"], kind="stable")
    f["place"] = np.empty(len(order))
    f["place"][order] = np.arange(len(order))


def _score(matches: _Matches, rows: Rows, rarity: Column) -> Column:
    """Score how well the fields have the words as they were asked: BM25 of title and prose, by weight."""
    title_words, prose_words = _lengths(rows)
    title = _bm25(matches.title_often, title_words, 1.2, 0.75)
    prose = _bm25(matches.prose_often, prose_words, 1.2, 0.75)
    score = _FIELD_WEIGHTS["title"] * (title @ rarity) + _FIELD_WEIGHTS["prose"] * (prose @ rarity)
    for field in ("kind", "brand", "tags"):
        score = score + _FIELD_WEIGHTS[field] * (matches.by_field[field] @ rarity)
    if len(rarity) > 1:
        whole = title @ rarity * matches.by_field["title"].all(1) * _ALL_IN_TITLE
        row = (_in_a_row(matches.title_places) == 1) * rarity.sum() * _IN_A_ROW
        score = score + _FIELD_WEIGHTS["title"] * (whole + row)
    return score


def _lengths(rows: Rows) -> tuple[Column, Column]:
    """Return how many words title and prose have; a title at least one."""
    return np.maximum(rows["title_words"].astype(np.float64), 1), rows["prose_words"].astype(np.float64)


def _bm25(often: Column, length: Column, k1: float, b: float) -> Column:
    usual = max(float(length.mean()), 1.0)
    return often * (k1 + 1) / (often + k1 * (1 - b + b * length[:, None] / usual))


def _in_a_row(places: Column) -> Column:
    """Return the share of neighbours among the words asked, two or more, that are neighbours here."""
    pairs = (places[:, :-1, :-1] & places[:, 1:, 1:]).any(2)
    return pairs.sum(1) / (places.shape[1] - 1)


def _asked_table(own: Column) -> NDArray[np.bool_]:
    table = np.zeros(WORD_HASHES, np.bool_)
    table[own] = True
    return table


def _category_name_features(f: dict[str, Column], found: _Candidates) -> None:
    """Compute how much of the category's name was asked for."""
    asked, names = _asked_table(found.own), found.names
    share = asked[names].sum(1) / np.maximum((names > 0).sum(1), 1)
    f["kind_words_asked"] = np.where(found.has_category, share, -1.0)


def _accessory_features(f: dict[str, Column], found: _Candidates) -> None:
    """Compute whether title and category name accessories that were not asked for."""
    accessory = ACCESSORY_WORDS & ~_asked_table(found.own)
    title = found.rows["title"]
    accessories = accessory[title]
    f["kind_accessory"] = np.where(found.has_category, accessory[found.heads] * 1.0, -1.0)
    f["accessories_in_title"] = accessories.sum(1) * 1.0
    after_for = _after(_BEFORE_ACCESSORY_OF[title])
    f["goes_with"] = _goes_with(found.matches.title_places[:, -1], accessories, after_for)


def _after(marks: Column) -> Column:
    """Mark the places that have a mark before them."""
    first = cast(Any, np.where(marks.any(1), marks.argmax(1), marks.shape[1]))
    return cast(Column, np.arange(marks.shape[1]) > first[:, None])


def _goes_with(head: Column, accessories: Column, after_for: Column) -> Column:
    """Tell whether a title names the thing asked for as what the product goes with: behind "for" or "with"
    only, or with an accessory within the next few words, as in "laptop privacy filter"."""
    named = head & ~after_for
    near = np.zeros(len(head), np.bool_)
    for step in range(1, _ACCESSORY_WITHIN + 1):
        near |= (named[:, :-step] & accessories[:, step:] & ~after_for[:, step:]).any(1)
    only_after = head.any(1) & ~named.any(1)
    return (near | only_after) * 1.0


def _category_vote_features(f: dict[str, Column], found: _Candidates) -> None:
    """Compute the category's share of the candidates' scores beside its share of the shop. Uses
    `says_the_same`."""
    category, shares = found.category, found.stats.shares
    votes = f["score"] * (f["says_the_same"] > 0.99)
    votes = votes / max(float(votes.sum()), 1e-6)
    voted = np.bincount(category, weights=votes, minlength=len(shares))
    f["lift"] = np.log((voted + 1e-4) / (shares + 1e-4))[category]


def _embedding_features(f: dict[str, Column], found: _Candidates, words: list[str]) -> None:
    """Compute how near the product is to the query by their embeddings, beside the other candidates, and to
    the best ones."""
    vectors = embeddings.restore(found.rows["embedding"])
    near = vectors @ embeddings.embed_words(words)
    f["nearer"] = (near - near.mean()) / (near.std() + 1e-6)
    centroid = vectors[np.argsort(-f["bm_one"], kind="stable")[:_BEST_FOR_CENTROID]].mean(0)
    f["near_best"] = vectors @ (centroid / max(float(np.sqrt(centroid @ centroid)), 1e-6))


def _category_match_features(f: dict[str, Column], found: _Candidates, phrasings: list[Column]) -> None:
    """Compute whether the category is the thing asked for, in any phrasing; `kin`: its name ends in the same
    word."""
    names, heads, has_category = found.names, found.heads, found.has_category
    count = len(found.rows)
    same, fits, kin = np.zeros(count), np.full(count, -1.0), np.zeros(count, np.bool_)
    name_words = np.maximum((names > 0).sum(1), 1)
    for phrasing in phrasings:
        in_name = _where(names, phrasing)
        share, has = in_name.any(1).sum(1) / name_words, in_name.any(2)
        head = heads == phrasing[-1]
        kin |= head & has_category
        same = np.maximum(same, ((share == 1) & head & has_category) * 1.0)
        fits = np.maximum(fits, np.where(has_category, share * has.mean(1) * (0.5 + 0.5 * head), -1.0))
    f["same_kind"], f["kind_fits"], f["kin"] = same, fits, kin * 1.0


def _named_thing_features(f: dict[str, Column], found: _Candidates, phrasings: list[Column]) -> None:
    """Compute whether the things that title and prose name are the thing asked for: 2 it is, 1.5 by another
    phrasing, 1 another word of the query, 0 none is named, -1 something else."""
    means = np.zeros(WORD_HASHES, np.uint8)
    for meaning, words in enumerate(
        (np.concatenate(phrasings), [each[-1] for each in phrasings], found.own[-1], 0), 1
    ):
        means[words] = meaning
    in_title, run = _things_named(found.rows["title"][:, :_TITLE_HEAD], found.stats.product_words)
    in_prose, _ = _things_named(found.rows["prose"][:, :_PROSE_HEAD], found.stats.product_words)
    f["title_last_thing"], f["title_thing"] = _THING_VALUES[means[in_title]], _THING_VALUES[means[run]]
    f["prose_last_thing"] = _THING_VALUES[means[in_prose]]


def _things_named(texts: Rows, product_words: NDArray[np.bool_]) -> tuple[Column, Column]:
    """Find the things that a text names, in the part before "for" and "with" where that names one: the last,
    and the end of the first run (a mouse pad is a pad). 0 where it names none."""
    is_thing = product_words[texts]
    before = is_thing & ~_after(_BEFORE_ACCESSORY_OF[texts])
    is_thing = np.where(before.any(1)[:, None], before, is_thing)
    every, end = np.arange(len(texts)), texts.shape[1] - 1
    none = ~is_thing.any(1)
    last = end - is_thing[:, ::-1].argmax(1)
    run = is_thing.argmax(1)
    for _ in range(_RUN_MAX):
        after = np.minimum(run + 1, end)
        run = cast(Any, np.where(is_thing[every, after], after, run))
    return tuple(np.where(none, 0, texts[every, at]) for at in (last, run))  # type: ignore[return-value]


def prior(f: dict[str, Column]) -> Column:
    """Compute the prior of each candidate."""
    return sum((weight * f[name] for name, weight in PRIOR.items()), np.zeros(len(f["bm_one"])))


def bonus(f: dict[str, Column]) -> Column:
    """Put what has all the words before what has not; where some are in attributes alone, it is a point.
    Where the query names a kind of thing that the shop has, what goes with such things comes later."""
    goes_with = (f["goes_with"] > 0) | (f["accessories_in_title"] > 0) | (f["kind_accessory"] > 0)
    things = (f["kin"] > 0) & ~goes_with
    after = 2.0 * goes_with * (int(things.sum()) >= _THINGS_MIN)
    return 1_000.0 * (f["has"] > 0.99) + 1.0 * (f["says_the_same"] > 0.99) - after


def feature_table(f: dict[str, Column], names: list[str]) -> FeatureTable:
    """Arrange features as a row a candidate."""
    return np.stack([f[name] for name in names], 1).astype(np.float32)
