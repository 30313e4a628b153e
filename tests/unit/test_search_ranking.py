"""What the order of products promises: the thing before what goes with it, learnt or not."""

from datetime import date

import msgspec
import numpy as np
import pytest
from search_products import product, put

from mercat.search.engines.tantivy import TantivyReader, TantivyStore
from mercat.search.execute import QueryExecutor
from mercat.search.messages import SearchQuery
from mercat.search.product_rows import ROW, MappedRows, RowFile
from mercat.search.query import synonyms
from mercat.search.query.analyze import stems
from mercat.search.ranking import embeddings, gbdt, training
from mercat.search.ranking.metrics import relevance_metrics
from mercat.search.ranking.rerank import Reranker

THINGS = [
    ("Kensley stand for a 10 inch tablet, silver", "tablet-stands", 2_900),
    ("Orbit tablet sleeve with zip", "tablet-cases", 1_900),
    ("Tablet screen cleaning kit", "cleaning", 900),
    ("Orbit One tablet 10 inch 64 GB", "tablets", 29_900),
    ("Gel mouse pad, blue", "mouse-pads", 700),
    ("Orbit wireless mouse 1600 DPI", "mice", 2_500),
    ("Notebook mouse, optical", "mice", 1_900),
    ("Leather notebook case 15 inch", "notebook-cases", 4_900),
    ("Swift notebook 15 inch 16 GB", "notebooks", 89_900),
]


def shop(where, folder, things=THINGS):
    """A reranker and a executor for these titles, each in its category."""
    changes = [
        product(
            number,
            title,
            category=slug,
            categories=[slug],
            category_names=[slug.replace("-", " ")],
            price=price,
        )
        for number, (title, slug, price) in enumerate(things, 1)
    ]
    put(where, changes).rest()
    reader, reranker = where.reader(), Reranker(folder)
    return QueryExecutor(reader.searcher(), {}, reranker, reader.rows), reranker


def titles(executor, q, **more):
    return [card.title for card in executor.find(SearchQuery(q=q, **more)).cards()]


@pytest.fixture(params=["shipped ranker", "no ranker"])
def judged(request, where, tmp_path, monkeypatch):
    executor, reranker = shop(where, tmp_path)
    if request.param == "no ranker":
        monkeypatch.setattr(reranker, "_load_ranker", lambda: None)
    return executor


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("tablet", "Orbit One tablet 10 inch 64 GB"),
        ("tablets", "Orbit One tablet 10 inch 64 GB"),
        ("tablet sleeve", "Orbit tablet sleeve with zip"),
        ("mouse pad", "Gel mouse pad, blue"),
        ("notebook", "Swift notebook 15 inch 16 GB"),
        ("notebook case", "Leather notebook case 15 inch"),
    ],
)
def test_the_thing_stands_before_what_goes_with_it(judged, q, first):
    assert titles(judged, q)[0] == first


def test_other_words_for_the_same_find_it_where_nothing_has_the_own(judged):
    assert set(titles(judged, "laptop")) == {"Swift notebook 15 inch 16 GB", "Leather notebook case 15 inch",
                                             "Notebook mouse, optical"}  # fmt: skip
    assert titles(judged, "laptop")[0] == "Swift notebook 15 inch 16 GB"


def test_a_mended_question_is_asked_like_any_other(where, tmp_path):
    executor, _ = shop(where, tmp_path, [*THINGS, ("Laptop lock", "locks", 900)])
    assert titles(executor, "labtop") == titles(executor, "laptop")
    assert "Swift notebook 15 inch 16 GB" in titles(executor, "labtop")


NOTEBOOKS = [
    (f"Swift {n} notebook {n % 3 + 14} inch {n % 4 + 8} GB, silver", "notebook", 80_000 + n)
    for n in range(30)
]
BESIDE = [
    ("Keyed laptop lock", "uncategorised", 2_000),
    ("Laptop privacy filter 15 inch", "uncategorised", 3_000),
    ("USB powered laptop cooler", "uncategorised", 2_500),
    ("FireWire for laptop", "uncategorised", 1_500),
    ("Classic laptop sleeve", "notebook-case", 1_900),
    ("Laptop backpack", "backpack", 4_900),
    ("Notebook stand, steel", "notebook", 2_900),
]


def test_the_shops_word_is_as_good_as_the_shoppers(where, tmp_path, monkeypatch):
    executor, reranker = shop(where, tmp_path, BESIDE + NOTEBOOKS)
    for _ in ("shipped ranker", "no ranker"):
        for q in ("laptop", "15 inch laptop"):
            first = titles(executor, q, limit=5)
            assert all(title.startswith("Swift") for title in first), (q, first)
        for q, first in (
            ("laptop lock", "Keyed laptop lock"),
            ("laptop sleeve", "Classic laptop sleeve"),
            ("notebook stand", "Notebook stand, steel"),
            ("laptop backpack", "Laptop backpack"),
        ):
            assert titles(executor, q)[0] == first, q
        monkeypatch.setattr(reranker, "_load_ranker", lambda: None)
        reranker.forget_scores()


def test_an_inch_is_a_sign_in_titles(where, tmp_path):
    things = [(f'Screen {size}" wide, {n}', "screens", 9_000) for size in (24, 27) for n in range(20)]
    executor, _ = shop(where, tmp_path, things)
    assert all('27"' in title for title in titles(executor, "27 inch screen"))
    assert executor.find(SearchQuery(q="inch")).total == 0


def test_a_word_that_people_use_is_no_slip(where, tmp_path):
    things = [(f"Table leg {n}", "legs", 900) for n in range(20)] + [("Copper lamp", "lamps", 900)]
    executor, _ = shop(where, tmp_path, things)
    found = executor.find(SearchQuery(q="lego"))
    assert (found.total, found.relaxed, found.did_you_mean) == (0, None, None)
    assert (
        executor.find(SearchQuery(q="legg")).total == 0
        or executor.find(SearchQuery(q="legg")).did_you_mean == "leg"
    )
    assert executor.find(SearchQuery(q="coper lamp")).did_you_mean == "copper lamp"


def test_pages_are_parts_of_one_order(where, tmp_path):
    executor, _ = shop(where, tmp_path, [(f"Tablet number {n}", "tablets", n) for n in range(1, 500)])
    whole = [title for page in range(1, 51) for title in titles(executor, "tablet", page=page, limit=10)]
    assert len(whole) == len(set(whole)) == 499
    assert titles(executor, "tablet", page=3, limit=20) == whole[40:60]


def test_where_many_have_the_words_few_of_which_say_them_none_is_left_out(where, tmp_path):
    things = [
        product(n, "Case", attributes={"for": "tablet"} if n > 50 else {}, tags=["tablet"] if n <= 50 else [])
        for n in range(1, 401)
    ]
    put(where, things).rest()
    reader = where.reader()
    executor = QueryExecutor(reader.searcher(), {}, Reranker(tmp_path), reader.rows)
    shown = [
        int(card.product_id)
        for page in range(1, 5)
        for card in executor.find(SearchQuery(q="tablet", page=page, limit=100)).cards()
    ]
    assert sorted(shown) == list(range(1, 401))
    assert set(shown[:50]) == set(range(1, 51))


def test_few_that_have_all_the_words_are_followed_by_those_with_most(where, tmp_path):
    things = [(f"Red lamp {n}", "lamps", 1_000) for n in range(2_000)] + [("Red copper lamp", "lamps", 1_000)]
    executor, _ = shop(where, tmp_path, things)
    found = executor.find(SearchQuery(q="copper lamp"))
    assert found.all_words == 1
    assert found.cards()[0].title == "Red copper lamp"
    assert found.total == 2_001
    assert executor.find(SearchQuery(q="red lamp")).all_words is None


def test_spelling_that_hardly_any_product_has_is_asked_about(where, tmp_path):
    things = [("Wireless headphones", "headphones", n) for n in range(1, 60)]
    executor, _ = shop(where, tmp_path, [*things, ("Wireless headphnoes", "headphones", 5)])
    assert executor.find(SearchQuery(q="wireless headphnoes")).did_you_mean == "wireless headphones"
    assert executor.find(SearchQuery(q="wireless headphones")).did_you_mean is None
    missing = executor.find(SearchQuery(q="wireless headphonez"))
    assert missing.relaxed is not None
    assert (missing.did_you_mean, missing.relaxed.q) == ("wireless headphones", "wireless headphones")


def test_operators_see_why(where, tmp_path):
    executor, _ = shop(where, tmp_path)
    said = executor.explain("tablets", 3)
    assert said.words == ["tablets"]
    first, *_, last = said.why
    assert first.title == "Orbit One tablet 10 inch 64 GB"
    assert first.score >= last.score
    whole = sum(first.prior.values()) + first.learnt + first.bonus
    assert first.score == pytest.approx(whole)
    assert executor.explain("", 3).why == []


def test_trees_answer_as_lightgbm_does():
    lightgbm = pytest.importorskip("lightgbm", reason="only needed to learn", exc_type=ImportError)
    chance = np.random.default_rng(3)
    rows = chance.normal(size=(600, 5)).astype(np.float32)
    rows[chance.random(rows.shape) < 0.1] = np.nan
    wanted = np.nan_to_num(rows[:, 0]) * 2 + (rows[:, 1] > 0) - np.nan_to_num(rows[:, 2]) ** 2
    grown = lightgbm.train(
        {"objective": "regression", "num_leaves": 8, "verbose": -1, "num_threads": 1},
        lightgbm.Dataset(rows, wanted),
        40,
    )
    model = gbdt.RankerModel(list("abcde"), gbdt.trees_of_lightgbm(grown.dump_model()), 1)
    again = msgspec.json.decode(msgspec.json.encode(model), type=gbdt.RankerModel)
    assert gbdt.Ranker(again).correction(rows) == pytest.approx(grown.predict(rows), abs=1e-9)


def test_the_shipped_ranker_knows_its_features():
    assert set(gbdt.load_ranker().features) <= set(training.LEARNT)


def test_meanings_are_near_where_words_are_not():
    flash, stick, toaster, nothing, snowmen = embeddings.embed_all(
        ["usb flash drive", "memory stick", "bread toaster", "", "☃☃"]
    )
    assert flash @ stick > flash @ toaster + 0.1
    assert not nothing.any()
    assert not snowmen.any()


def test_rows_of_facts_are_kept_while_they_say_the_same(tmp_path):
    writer = put(tmp_path, [product(1, "Green tea"), product(2, "Cup")])
    rows = RowFile(writer.path)
    assert rows.count == 2
    writer.apply([product(1, "Green tea", version=2, price=1), product(2, "Large cup", version=2)])
    assert RowFile(writer.path).count == 3
    reader = TantivyReader(TantivyStore(tmp_path))
    assert reader.searcher()
    assert reader.rows is not None
    assert len(reader.rows.read([0, 1, 2, 99])) == 4


def test_a_row_torn_by_a_crash_is_written_over(tmp_path):
    rows = RowFile(tmp_path)
    rows.append([b"\1" * ROW.itemsize])
    with rows.path.open("ab") as file:
        file.write(b"torn")
    again = RowFile(tmp_path)
    assert again.count == 1
    assert again.append([b"\2" * ROW.itemsize]) == 1
    assert MappedRows(tmp_path).read([1]).tobytes() == b"\2" * ROW.itemsize


@pytest.mark.parametrize(("many", "one"), [("shelves", "shelf"), ("knives", "knife"), ("mice", "mouse")])
def test_plurals_that_no_stem_tells_find_the_one_and_the_many(tmp_path, many, one):
    known = synonyms.load_synonyms(tmp_path / "none.txt", date(2026, 11, 1))
    assert known.rewritings(stems(many)) == {tuple(stems(one)): True}
    assert known.rewritings(stems(one))[tuple(stems(many))]


def test_a_shops_own_synonyms_add_and_take_out_by_date(tmp_path):
    own = tmp_path / "synonyms.txt"
    own.write_text("brolly = umbrella\n!tv, lcd tv\ngift, candle from 2026-12-01 until 2026-12-24\n")
    before, during = (synonyms.load_synonyms(own, day) for day in (date(2026, 11, 1), date(2026, 12, 24)))
    assert before.rewritings(["brolli"]) == {("umbrella",): True}
    assert ("lcd", "tv") not in before.rewritings(["tv"])
    assert ("televis",) in before.rewritings(["tv"])
    assert before.rewritings(["gift"]) == {}
    assert during.rewritings(["gift"]) == {("candl",): False}


def test_measures():
    grades = {"a": 3, "b": 2, "c": 0}
    assert relevance_metrics(["a", "b"], grades) == {
        "ndcg@10": 1.0,
        "ndcg@10c": 1.0,
        "judged@10": 0.2,
        "recall@100": 1.0,
    }
    worse = relevance_metrics(["x", "b", "a"], grades)
    assert worse is not None
    assert worse["ndcg@10"] < worse["ndcg@10c"] < 1
    assert relevance_metrics(["a"], {"a": 0}) is None


def test_folds_keep_plurals_and_what_is_found_in_one_category_together():
    found_in = {
        "bluetooth speaker": set(),
        "bluetooth speakers": {"speakers"},
        "surround sound": {"speakers", "soundbars"},
        "soundbar": {"soundbars"},
        **{each: {each} for each in ("tea", "mouse", "lamp", "desk", "chair")},
    }
    asked = {
        query: training.JudgedQuery(query, {}, [], {}, frozenset(kinds)) for query, kinds in found_in.items()
    }
    for seed in range(10):
        fold = training.folds(asked, seed, 2)
        sound = {fold[query] for query in asked if "sound" in query or "speaker" in query}
        assert len(sound) == 1, "they are not found by a ranker that learnt of the others"
        assert set(fold.values()) == {0, 1}, "no fold is empty"


def test_folds_of_a_shop_with_one_category_are_by_words():
    queries = ("tea pot", "tea pots", "cup", "mug", "spoon")
    asked = {each: training.JudgedQuery(each, {}, [], {}, frozenset({"kitchen"})) for each in queries}
    fold = training.folds(asked, 0, 3)
    assert set(fold.values()) == {0, 1, 2}
    assert fold["tea pot"] == fold["tea pots"]
