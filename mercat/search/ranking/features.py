"""Ranking: the few hundred products that the index scored best, put in order by what they are.

The engine's score knows words only: it puts a tablet's stand above the tablet. Here every candidate gets some
fifty numbers (where the words stand, what kind of thing title and category name, what both mean), a plain
prior of shopkeeping is made from nine of them, and a learnt ranker corrects the prior. All candidates are
computed at once; 200 take about a millisecond.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mercat.search.category_stats import ACCESSORY, Aisles, known
from mercat.search.product_rows import Rows, sign
from mercat.search.query import analyze as text
from mercat.search.query.synonyms import Phrase
from mercat.search.ranking import embeddings as meaning

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
"""What a shopkeeper knows without data: words and meaning near what was asked, the category that is named,
categories of which more is found than elsewhere, titles that end in the thing asked for, and no accessories
unless they are asked for."""
LEARNT = (
    "title_has", "prose_has", "kind_has", "brand_has", "details_has", "tags_has", "has", "has_at_all",
    "title_says_all", "title_first", "title_last_word_at", "prose_first", "prose_last_word_at",
    "title_often", "prose_often", "bm_one", "bm_title", "bm_prose", "bm_of_best", "score", "score_of_best",
    "place", "title_row", "prose_row", "kind_words_asked", "kind_head", "kind_accessory",
    "accessories_in_title", "accessories_in_prose", "accessory_next", "title_goes_on", "title_after_for",
    "votes", "lift", "kind_says_it", "near", "nearer", "kind_near", "kind_gap", "kind_order", "near_best",
    "same_kind", "kind_fits", "says_it", "says_the_same",
    "title_first_thing", "title_last_thing", "title_thing",
    "prose_first_thing", "prose_last_thing", "prose_thing", "kind_is_thing", "same_thing", "agree",
    "goes_with",
)  # fmt: skip
"""The numbers that a ranker may learn from."""
_FOR = known("for with compatible f to")
_SAID = ("title", "prose", "place", "brand", "details", "tags")
_TITLE_HEAD, _PROSE_HEAD = 20, 16
_RUN = 3
_KIN_MIN, _THINGS_MIN, _OURS_MAX, _NEXT = 8, 5, 0.1, 3
_WEIGHTS = {"title": 3.0, "prose": 2.0, "kind": 2.0, "brand": 1.0, "tags": 1.0}
_TOGETHER, _IN_A_ROW = 0.5, 1.0
"""By how much fields count in `score`; and all words in the title, and those in a row, once more."""
_NAMES_PROSE = 24
_SHOPS_WORD = 0.7
"""What the shop's word for a thing counts in `score`, beside the shopper's."""
Column = Any
"""A numpy array with a number a candidate; where two are compared, the axes are named."""
Table = NDArray[np.float32]


@dataclass
class Question:
    """What is asked, ready to be compared. `rarity` is each word's inverse document frequency."""

    words: list[str]
    stems: list[str]
    rarity: list[float]
    ways: dict[Phrase, bool]


def features(asked: Question, rows: Rows, aisles: Aisles) -> dict[str, Column]:
    """Every candidate's numbers, by name."""
    own = np.array([sign(stem) for stem in asked.stems], np.uint16)
    rarity = np.array(asked.rarity)
    weight = rarity / rarity.sum()
    places = aisles.places(rows["category"])
    has_kind = places > 0
    names, heads = aisles.names[places], aisles.heads[places]
    held = _held(rows, own)
    score = _score(held, rows, rarity)
    instead = _instead(asked, own, rows["title"], names, heads)
    for word, other in instead:
        for field in _SAID:
            rows[field][rows[field] == other] = word
        names, heads = np.where(names == other, word, names), np.where(heads == other, word, heads)
    if instead:
        held = _held(rows, own)
        score = np.maximum(score, _SHOPS_WORD * _score(held, rows, rarity))
    in_title, in_prose, kind_has, brand_has, detail_has, tag_has = held
    title, prose = rows["title"], rows["prose"]
    title_has, prose_has = in_title.any(2), in_prose.any(2)
    f: dict[str, Column] = {}
    for name, has in (
        ("title", title_has),
        ("prose", prose_has),
        ("kind", kind_has),
        ("brand", brand_has),
        ("details", detail_has),
        ("tags", tag_has),
    ):
        f[f"{name}_has"] = has @ weight
    main = title_has | prose_has | kind_has | brand_has | tag_has
    f["has"] = main @ weight
    f["has_at_all"] = (main | detail_has) @ weight
    ways = [own, *(np.array([sign(stem) for stem in way], np.uint16) for way in asked.ways)]
    same = [way for way, means_it in zip(ways, (True, *asked.ways.values()), strict=True) if means_it]
    f["says_it"] = _says(ways, rows)
    f["says_the_same"] = _says(same, rows)
    full = f["says_the_same"] > 0.99
    either: Column = title_has | kind_has | brand_has
    f["title_says_all"] = either.all(1) * 1.0

    title_words = np.maximum(rows["title_words"].astype(np.float64), 1)
    prose_words = rows["prose_words"].astype(np.float64)
    _positions(f, in_title, in_prose, title_has, prose_has)
    _frequencies(f, in_title, in_prose, names, own, rarity, title_words, prose_words)
    f["title_row"], f["prose_row"] = _in_a_row(in_title), _in_a_row(in_prose)
    f["score"] = score
    f["score_of_best"] = f["score"] / max(float(f["score"].max()), 1e-6)
    order = np.argsort(-f["score"], kind="stable")
    f["place"] = np.empty(len(order))
    f["place"][order] = np.arange(len(order))

    # categories
    asked_for = np.zeros(65_536, np.bool_)
    asked_for[own] = True
    accessory = ACCESSORY & ~asked_for
    f["kind_words_asked"] = np.where(
        has_kind, asked_for[names].sum(1) / np.maximum((names > 0).sum(1), 1), -1.0
    )
    f["kind_head"] = np.where(has_kind, (heads == own[-1]) * 1.0 + asked_for[heads] * 0.5, -1.0)
    f["kind_accessory"] = np.where(has_kind, accessory[heads] * 1.0, -1.0)
    accessories = accessory[title]
    f["accessories_in_title"] = accessories.sum(1) * 1.0
    f["accessories_in_prose"] = accessory[prose[:, :_NAMES_PROSE]].sum(1) * 1.0
    f["accessory_next"] = (in_title[:, -1, :-1] & accessories[:, 1:]).any(1) * 1.0
    f["title_goes_on"] = (in_title[:, -1, :-1] & (title[:, 1:] > 0)).any(1) * 1.0
    f["goes_with"] = _goes_with(in_title[:, -1], accessories, _after(_FOR[title]))
    f["title_after_for"] = (in_title.any(1) & _after(_FOR[title])).any(1) * 1.0
    votes = f["score"] * full
    votes = votes / max(float(votes.sum()), 1e-6)
    size = len(aisles.shares)
    voted = np.bincount(places, weights=votes, minlength=size)
    here = np.bincount(places, minlength=size)
    f["votes"] = voted[places]
    f["lift"] = np.log((voted + 1e-4) / (aisles.shares + 1e-4))[places]
    said = np.bincount(places, weights=title_has.all(1) * 1.0, minlength=size)
    f["kind_says_it"] = (said / np.maximum(here, 1))[places]

    # meanings
    meant = meaning.of_words(asked.words)
    vectors = rows["meaning"].astype(np.float32) / 127
    f["near"] = vectors @ meant
    f["nearer"] = _standard(f["near"])
    near_kind = aisles.meanings @ meant
    near_kind[0] = np.nan
    best = float(np.nanmax(near_kind)) if size > 1 else 0.0
    f["kind_near"] = near_kind[places]
    f["kind_gap"] = near_kind[places] - best
    order = np.argsort(np.argsort(-np.nan_to_num(near_kind, nan=-9.0))) * 1.0
    f["kind_order"] = np.where(has_kind, order[places], np.nan)
    middle = vectors[np.argsort(-f["bm_one"], kind="stable")[:20]].mean(0)
    f["near_best"] = vectors @ (middle / max(float(np.sqrt(middle @ middle)), 1e-6))

    _things(f, ways, rows, names, heads, has_kind, aisles)
    return f


def _instead(
    asked: Question, own: Column, titles: Column, names: Column, heads: Column
) -> list[tuple[int, int]]:
    """Words that the shop has instead of those asked: where it has what is asked for under another name, and
    hardly ever calls it as the shopper does, its word is as good as theirs. Nobody's notebook says "laptop";
    but enough cases for notebooks are laptop cases."""
    found: dict[int, int] = {}
    for way, means_it in asked.ways.items():
        differing = [(one, other) for one, other in zip(asked.stems, way, strict=False) if one != other]
        if not means_it or len(way) != len(asked.stems) or len(differing) != 1:
            continue
        signs = np.array([sign(stem) for stem in way], np.uint16)
        kin = (heads == signs[-1]) & (np.isin(names, signs) | (names == 0)).all(1)
        as_asked = _where(titles[kin], own).any(2).all(1)
        if int(kin.sum()) >= _KIN_MIN and as_asked.mean() < _OURS_MAX:
            found.setdefault(sign(differing[0][1]), sign(differing[0][0]))
    return [(word, other) for other, word in found.items()]


def _says(ways: list[Column], rows: Rows) -> Column:
    """The share of the words that the product has, by the way to ask that suits it best."""
    said = np.zeros(len(rows))
    for way in ways:
        has = np.stack([_where(rows[field], way).any(2) for field in _SAID]).any(0)
        said = np.maximum(said, has.mean(1))
    return said


def _where(held: Rows, own: Column) -> Column:
    """Product, word asked, place: whether the word stands there."""
    return held[:, None, :] == own[None, :, None]


def _after(marks: Column) -> Column:
    """Places that have a mark before them."""
    return (np.cumsum(marks, 1) - marks) > 0


def _goes_with(head: Column, accessories: Column, after_for: Column) -> Column:
    """Whether a title says that it goes with the thing asked for, and is not it: it names it after "for" or
    "with" only, or something that belongs to it in the next few words: "laptop privacy filter"."""
    named = head & ~after_for
    near = np.zeros(len(head), np.bool_)
    for step in range(1, _NEXT + 1):
        near |= (named[:, :-step] & accessories[:, step:] & ~after_for[:, step:]).any(1)
    only_after = head.any(1) & ~named.any(1)
    return (near | only_after) * 1.0


def _standard(column: Column) -> Column:
    return (column - column.mean()) / (column.std() + 1e-6)


def _positions(
    f: dict[str, Column], in_title: Column, in_prose: Column, title_has: Column, prose_has: Column
) -> None:
    title_end, prose_end = in_title.shape[2], in_prose.shape[2]
    first = np.where(title_has, in_title.argmax(2), title_end)
    first_prose = np.where(prose_has, in_prose.argmax(2), prose_end)
    f["title_first"], f["title_last_word_at"] = first.min(1) * 1.0, first[:, -1] * 1.0
    f["prose_first"], f["prose_last_word_at"] = first_prose.min(1) * 1.0, first_prose[:, -1] * 1.0


def _frequencies(
    f: dict[str, Column],
    in_title: Column,
    in_prose: Column,
    names: Column,
    own: Column,
    rarity: Column,
    title_words: Column,
    prose_words: Column,
) -> None:
    """BM25 of title, prose, and of all as one text in which the title stands three times.
    Source: Robertson and Zaragoza (2009); lengths are compared among the candidates."""
    weight = rarity / rarity.sum()
    often, often_prose = in_title.sum(2), in_prose.sum(2)
    f["title_often"], f["prose_often"] = often @ weight, often_prose @ weight
    whole = 3 * often + often_prose + _where(names, own).sum(2)
    length = 3 * title_words + prose_words + (names > 0).sum(1)
    f["bm_one"] = _bm25(whole, length, 0.6, 0.3) @ weight
    f["bm_title"] = _bm25(often, title_words, 1.2, 0.75) @ weight
    f["bm_prose"] = _bm25(often_prose, prose_words, 1.2, 0.75) @ weight
    f["bm_of_best"] = f["bm_one"] / max(float(f["bm_one"].max()), 1e-6)


class _Held(NamedTuple):
    """Where the words stand, by candidate and word: their places in title and prose, whether other fields
    have them."""

    title: Column
    prose: Column
    kind: Column
    brand: Column
    details: Column
    tags: Column


def _held(rows: Rows, own: Column) -> _Held:
    others = (_where(rows[field], own).any(2) for field in ("place", "brand", "details", "tags"))
    return _Held(_where(rows["title"], own), _where(rows["prose"], own), *others)


def _score(held: _Held, rows: Rows, rarity: Column) -> Column:
    """How well the fields say the words as they were asked: BM25 of title and prose, by weight."""
    title = _bm25(held.title.sum(2), np.maximum(rows["title_words"].astype(np.float64), 1), 1.2, 0.75)
    prose = _bm25(held.prose.sum(2), rows["prose_words"].astype(np.float64), 1.2, 0.75)
    made = _WEIGHTS["title"] * (title @ rarity) + _WEIGHTS["prose"] * (prose @ rarity)
    for name, has in (("kind", held.kind), ("brand", held.brand), ("tags", held.tags)):
        made = made + _WEIGHTS[name] * (has @ rarity)
    if len(rarity) > 1:
        whole = title @ rarity * held.title.any(2).all(1) * _TOGETHER
        row = (_in_a_row(held.title) == 1) * rarity.sum() * _IN_A_ROW
        made = made + _WEIGHTS["title"] * (whole + row)
    return made


def _bm25(often: Column, length: Column, k1: float, b: float) -> Column:
    usual = max(float(length.mean()), 1.0)
    return often * (k1 + 1) / (often + k1 * (1 - b + b * length[:, None] / usual))


def _in_a_row(places: Column) -> Column:
    """The share of neighbours among the words asked that are neighbours here."""
    words = places.shape[1]
    if words == 1:
        return places[:, 0].any(1) * 1.0
    pairs = (places[:, :-1, :-1] & places[:, 1:, 1:]).any(2)
    return pairs.sum(1) / (words - 1)


def _named(held: Rows, kinds: NDArray[np.bool_]) -> tuple[Column, Column, Column]:
    """The things that a text names, in the part before "for" and "with" where that names one: the first, the
    last, and the end of the first run: a mouse pad is a pad. 0 where it names none."""
    is_kind = kinds[held]
    before = is_kind & ~_after(_FOR[held])
    is_kind = np.where(before.any(1)[:, None], before, is_kind)
    every, end = np.arange(len(held)), held.shape[1] - 1
    none = ~is_kind.any(1)
    first = is_kind.argmax(1)
    last = end - is_kind[:, ::-1].argmax(1)
    run = first.copy()
    for _ in range(_RUN):
        after = np.minimum(run + 1, end)
        run = np.where(is_kind[every, after], after, run)
    return tuple(np.where(none, 0, held[every, at]) for at in (first, last, run))  # type: ignore[return-value]


def _things(
    f: dict[str, Column],
    ways: list[Column],
    rows: Rows,
    names: Column,
    heads: Column,
    has_kind: Column,
    aisles: Aisles,
) -> None:
    """Whether a product is the thing asked for, by any name of the thing, or something that goes with it."""
    count = len(rows)
    same, fits, kin = np.zeros(count), np.full(count, -1.0), np.zeros(count, np.bool_)
    name_words = np.maximum((names > 0).sum(1), 1)
    for way in ways:
        in_name = _where(names, way)
        share, hit = in_name.any(1).sum(1) / name_words, in_name.any(2)
        head = heads == way[-1]
        kin |= head & has_kind
        same = np.maximum(same, ((share == 1) & head & has_kind) * 1.0)
        fits = np.maximum(fits, np.where(has_kind, share * hit.mean(1) * (0.5 + 0.5 * head), -1.0))
    f["same_kind"], f["kind_fits"], f["kin"] = same, fits, kin * 1.0
    heads_asked, all_asked = np.zeros(65_536, np.bool_), np.zeros(65_536, np.bool_)
    heads_asked[[way[-1] for way in ways]] = True
    all_asked[np.concatenate(ways)] = True
    for field, width in (("title", _TITLE_HEAD), ("prose", _PROSE_HEAD)):
        first, last, run = _named(rows[field][:, :width], aisles.kinds)
        for name, thing in (("first_thing", first), ("last_thing", last), ("thing", run)):
            f[f"{field}_{name}"] = np.select(
                [thing == 0, thing == ways[0][-1], heads_asked[thing], all_asked[thing]],
                [0.0, 2.0, 1.5, 1.0],
                -1.0,
            )
        if field == "title":
            f["kind_is_thing"] = np.where(has_kind & (run > 0), np.where(heads == run, 1.0, -1.0), 0.0)
    f["same_thing"] = same * (f["title_thing"] >= 1)
    f["agree"] = f["title_last_thing"] + f["title_thing"] + f["title_first_thing"]


def prior(f: dict[str, Column]) -> Column:
    return sum((weight * f[name] for name, weight in PRIOR.items()), np.zeros(len(f["bm_one"])))


def bonus(f: dict[str, Column]) -> Column:
    """What has all the words comes before what has not; where some are in attributes alone, it is a point.
    Where the question names a kind of thing that the shop has, what goes with such things comes later."""
    goes_with = (f["goes_with"] > 0) | (f["accessories_in_title"] > 0) | (f["kind_accessory"] > 0)
    things = (f["kin"] > 0) & ~goes_with
    after = 2.0 * goes_with * (int(things.sum()) >= _THINGS_MIN)
    return 1_000.0 * (f["has"] > 0.99) + 1.0 * (f["says_the_same"] > 0.99) - after


def table(f: dict[str, Column], names: list[str]) -> Table:
    return np.stack([f[name] for name in names], 1).astype(np.float32)


def stems_of(said: str) -> list[str]:
    return text.stems(said)
