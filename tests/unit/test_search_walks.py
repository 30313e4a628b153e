"""Walking through a list by cursor while the shop changes: nothing twice, nothing left out."""

import base64
import random
from datetime import UTC, datetime, timedelta

import pytest
from search_products import executor, gone, product, put

from mercat.kit.refusals import Invalid
from mercat.search import SearchQuery, product_entry
from mercat.search.query.filters import checksum

SORTS = ["price_asc", "price_desc", "rating", "newest"]


def shelf(rng, numbers, version=1):
    return [
        product(
            number,
            rng.choice(["green tea", "black tea", "tea pot"]),
            version=version,
            price=rng.choice([100, 200, 200, 999]),
            rating=rng.choice([0, 3.5, 4.5]),
            created_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=rng.randrange(3)),
        )
        for number in numbers
    ]


def walk(writer, query, between=lambda: None):
    """Every product by cursor, changing the shop between pages."""
    seen, cursor = [], None
    while True:
        found = executor(writer).find(SearchQuery(**query, cursor=cursor))
        seen += [card.product_id for card in found.cards()]
        assert len(seen) < 1_000, "a walk that does not end"
        if (cursor := found.next_cursor) is None:
            return seen
        between()


@pytest.mark.parametrize("same_keys", [False, True])
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("q", ["", "tea"])
def test_a_walk_sees_everything_once_while_the_shop_changes(where, monkeypatch, sort, q, same_keys):
    if same_keys:  # even where products share a whole key
        monkeypatch.setattr(product_entry, "_scattered_id", lambda product, bits: 0)
    rng = random.Random(7)
    writer = put(where, shelf(rng, range(1, 61)))
    version = 1

    def change():
        nonlocal version
        version += 1
        still = rng.sample(range(1, 61), 5)
        writer.apply(
            [
                *shelf(rng, range(100, 110), version),  # others come and move
                gone(100 + version % 10, version + 1),
                *(same(number, version) for number in still),  # and these are written anew, unmoved
            ]
        )

    originals = {each.product_id: each for each in shelf(random.Random(7), range(1, 61))}

    def same(number, version):
        return type(originals[number])(
            product_id=originals[number].product_id, version=version, document=originals[number].document
        )

    seen = walk(writer, {"sort": sort, "q": q, "limit": 7}, change)
    still = [number for number in seen if number <= 60]
    assert sorted(still) == list(range(1, 61))
    assert version > 5


@pytest.mark.parametrize("sort", [*SORTS, "relevance"])
@pytest.mark.parametrize("q", ["", "tea"])
def test_a_walk_and_the_pages_agree(where, sort, q):
    writer = put(where, shelf(random.Random(3), range(1, 51)))
    pages = []
    for page in range(1, 9):
        found = executor(writer).find(SearchQuery(sort=sort, q=q, limit=7, page=page))
        assert (found.total, found.total_pages, found.page) == (50, 8, page)
        pages += [card.product_id for card in found.cards()]
    assert walk(writer, {"sort": sort, "q": q, "limit": 7}) == pages
    assert executor(writer).find(SearchQuery(sort=sort, q=q, limit=7, page=9)).results == []


def test_totals_and_facets_of_a_later_page_are_those_of_the_first(where):
    writer = put(where, shelf(random.Random(3), range(1, 51)))
    first = executor(writer).find(SearchQuery(sort="price_asc", limit=20))
    second = executor(writer).find(SearchQuery(sort="price_asc", limit=20, cursor=first.next_cursor))
    assert (second.total, second.total_pages, second.page) == (50, 3, 2)
    assert second.facets == first.facets


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "!" * 5_000,
        base64.urlsafe_b64encode(b"{}").decode(),
        base64.urlsafe_b64encode(b'["price_asc",2,-1]').decode(),
        base64.urlsafe_b64encode(b'["price_asc",2,18446744073709551616]').decode(),
        base64.urlsafe_b64encode(b'["price_asc",2,1,[-1]]').decode(),
        base64.urlsafe_b64encode(b'["newest",2,1]').decode(),
        base64.urlsafe_b64encode(b'["price_asc",0,1]').decode(),
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(where, cursor):
    writer = put(where, [product(1)])
    with pytest.raises(Invalid) as refused:
        executor(writer).find(SearchQuery(sort="price_asc", cursor=cursor))
    assert refused.value.facts == {"pointer": "/cursor"}


def test_a_forged_offset_is_harmless(where):
    writer = put(where, [product(1)])
    forged = base64.urlsafe_b64encode(b'["relevance",2,18446744073709551615]').decode()
    assert executor(writer).find(SearchQuery(q="tea", cursor=forged)).results == []


@pytest.mark.parametrize("wrong", [{"page": 0}, {"page": 1_001}, {"limit": 0}, {"limit": 101}])
def test_pages_have_bounds(where, wrong):
    with pytest.raises(Invalid):
        executor(put(where, [])).find(SearchQuery(**wrong))


def test_the_last_page_that_has_a_number(where):
    writer = put(where, [product(n) for n in range(1, 1_003)])
    last = executor(writer).find(SearchQuery(sort="newest", limit=1, page=1_000))
    beyond = executor(writer).find(SearchQuery(sort="newest", limit=1, cursor=last.next_cursor))
    assert (len(last.results), beyond.page, len(beyond.results)) == (1, 1_001, 1)
    assert beyond.next_cursor


def test_a_cursor_of_another_question_is_refused(where):
    writer = put(where, [product(n, "green tea") for n in range(1, 10)])

    def find(**asked):
        return executor(writer).find(SearchQuery(limit=2, **asked))

    for sort in ["relevance", *SORTS]:
        cursor = find(q="tea", sort=sort).next_cursor
        assert find(q="tea", sort=sort, cursor=cursor).results
        for other in ({"q": ""}, {"q": "pot"}, {"q": "tea", "price_max": 5}, {"q": "tea", "in_stock": True}):
            with pytest.raises(Invalid, match="another list"):
                find(sort=sort, cursor=cursor, **other)


def test_a_question_is_the_same_in_any_order():
    asked = SearchQuery(brand=["a", "b"], attributes={"colour": ["red", "blue"], "size": ["m"]})
    same = SearchQuery(brand=["b", "a"], attributes={"size": ["m"], "colour": ["blue", "red"]}, limit=3)
    assert checksum(asked) == checksum(same)
    others = (
        SearchQuery(brand=["a"], attributes=asked.attributes),
        SearchQuery(category=["a", "b"], attributes=asked.attributes),
        SearchQuery(brand=["a", "b"], attributes={"colour": ["red"], "size": ["m", "blue"]}),
    )
    assert checksum(asked) not in map(checksum, others)


def test_a_filter_that_is_new_changes_no_question_that_lacks_it():
    class Later(SearchQuery, frozen=True, kw_only=True):
        new: str | None = None

    assert checksum(Later(q="tea", price_max=5)) == checksum(SearchQuery(q="tea", price_max=5))


@pytest.mark.parametrize("page", [0, 2**31, 2**70])
def test_a_cursor_of_no_page_there_could_be_is_refused(where, page):
    writer = put(where, [product(1, "green tea")])
    forged = base64.urlsafe_b64encode(f'["relevance",{page},0]'.encode()).decode().rstrip("=")
    with pytest.raises(Invalid, match="not a cursor of ours"):
        executor(writer).find(SearchQuery(q="tea", cursor=forged))
