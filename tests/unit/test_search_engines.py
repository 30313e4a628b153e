"""OpenSearch beside tantivy. What they promise of each other, on real products: the same sets, counts and
sorts, and an order that is worth the same, though their scores differ in the last digits.

Needs `make opensearch`; some of it the judged catalogue in ../shared/data."""

import gzip
from pathlib import Path

import msgspec
import pytest
from search_engines import node, place_of
from search_products import executor, product, put

from mercat.kit.refusals import Unavailable
from mercat.search import SearchQuery
from mercat.search.engine import BrokenIndex
from mercat.search.engines import opensearch
from mercat.search.engines.opensearch import OpenSearchStore
from mercat.search.execute import QueryExecutor
from mercat.search.ranking import training

SHARED = Path(__file__).parents[3] / "shared" / "data"
QUERIES, JUDGEMENTS = SHARED / "queries-public.jsonl.gz", SHARED / "judgements-public.jsonl.gz"
NOISE = 0.02
real_products = pytest.mark.skipif(
    not SHARED.is_dir(), reason="../shared/data is not here: the engines are not compared on real products"
)


@pytest.fixture
def far(tmp_path):
    with place_of("opensearch", tmp_path) as place:
        yield place


def test_an_index_of_another_form_is_none(far, monkeypatch):
    writer = put(far, [product(1)])
    monkeypatch.setattr(opensearch, "FORM", "00000000")
    later = OpenSearchStore(node(), far.name)
    assert (later.current(), later.exists()) == (None, False)
    with pytest.raises(Unavailable):
        QueryExecutor(later.reader().searcher()).find(SearchQuery())
    assert executor(writer).find(SearchQuery()).total == 1  # the older form serves whoever knows it ...
    put(later, [product(1), product(2)])
    assert QueryExecutor(later.reader().searcher()).find(SearchQuery()).total == 2
    with pytest.raises(Unavailable):  # ... until the newer one is there
        executor(writer).find(SearchQuery())


def test_shops_with_names_alike_leave_each_other_alone(far):
    two = OpenSearchStore(node(), f"{far.name}-two")
    first, second = put(far, [product(1)]), put(two, [product(1), product(2)])
    unfinished = far.writer(far.new_path(), create=True)
    third = put(far, [product(n) for n in range(1, 4)])
    assert first.path != third.path
    assert executor(second).find(SearchQuery()).total == 2
    left = set(far.http.ask("GET", f"/{far.name}-*/_alias"))
    assert left == {second.path, third.path}
    assert unfinished.path not in left


def test_an_index_that_does_not_answer_is_no_reason_to_build_it_anew(far):
    put(far, [product(1)])
    away = OpenSearchStore("http://127.0.0.1:9", far.name)
    with pytest.raises(BrokenIndex):
        away.exists()
    with pytest.raises(BrokenIndex):
        away.reader().searcher().num_docs  # noqa: B018


def test_a_product_that_is_refused_spoils_nothing(far):
    writer = put(far, [])
    assert writer.apply([product(1, price=2**63), product(2)]) == 1
    assert [card.product_id for card in executor(writer).find(SearchQuery(q="tea")).cards()] == [2]


def test_a_password_in_the_address_is_not_shown():
    http = OpenSearchStore("https://user:secret@127.0.0.1:9/prefix", "shop").http
    with pytest.raises(BrokenIndex) as refused:
        http.ask("GET", "/")
    assert "secret" not in repr(refused.value) + str(http._nodes)


def test_the_mapping_is_the_published_one(far):
    writer = put(far, [product(1, price=1_999)])
    mapped = far.http.ask("GET", f"/{far.name}/_mapping")[writer.path]["mappings"]["properties"]
    published = {
        **dict.fromkeys(("title", "description"), "text"),
        **dict.fromkeys(("category", "brand", "tags", "seller_id"), "keyword"),
        **dict.fromkeys(("price", "rating"), "float"),
        "in_stock": "boolean",
        "created_at": "date",
    }
    assert {name: mapped[name]["type"] for name in published} == published
    shown = far.http.ask("GET", f"/{far.name}/_doc/1")["_source"]
    assert (shown["title"], shown["price"]) == ("Tea", 19.99)


def catalogue():
    with gzip.open(SHARED / "catalogue.jsonl.gz") as lines:
        for number, line in enumerate(lines, 1):
            given = msgspec.json.decode(line)
            kind = (given.get("type_derived") or "uncategorised").replace(" ", "-")
            yield product(
                number,
                given["title"],
                external_id=given["id"],
                description=given.get("description") or "",
                brand=given.get("brand"),
                category=kind,
                categories=[kind],
                category_names=[kind.replace("-", " ")],
                price=given["price_cents"],
                attributes=given.get("attributes") or {},
            )


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The judged products on both engines."""
    folder, products = tmp_path_factory.mktemp("index"), list(catalogue())
    with place_of("opensearch", folder) as far, place_of("tantivy", folder) as near:
        yield [(place, put(place, products)) for place in (near, far)]


@real_products
def test_totals_counts_and_sorts_are_the_same(both):
    for query in training.read_queries(QUERIES).values():
        for sort in ("relevance", "price_asc", "newest"):
            asked = SearchQuery(q=query, sort=sort, limit=50, price_max=20_000)
            near, far = (executor(writer).find(asked) for _, writer in both)
            assert (near.total, near.relaxed, near.did_you_mean) == (far.total, far.relaxed, far.did_you_mean)
            for name in ("brands", "price_ranges", "categories", "ratings"):
                assert getattr(near.facets, name) == getattr(far.facets, name), (query, name)
            if sort != "relevance":
                assert [card.price for card in near.cards()] == [card.price for card in far.cards()]


@real_products
def test_the_order_is_worth_the_same(both, tmp_path):
    asked, graded = training.read_queries(QUERIES), training.read_judgements(JUDGEMENTS)
    worth = []
    for place, _ in both:
        made = training.judged_queries(tmp_path, place, asked, graded)
        engine, _ = training.evaluate_words(made)
        ranked, _ = training.evaluate_prior(made)
        worth.append((engine, ranked))
    for near, far in zip(*worth, strict=True):
        for measure in ("ndcg@10", "ndcg@10c", "recall@100"):
            assert far[measure] == pytest.approx(near[measure], abs=NOISE), measure
