"""Results, totals and facets against a search by hand, over random shops and random questions."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_products import executor, gone, product, put

from mercat.ids import SellerId
from mercat.search import FacetCount, RatingCount, SearchQuery

VOCABULARY = ["tea", "cup", "pot", "mug"]
BRANDS = ["Acme", "acme", 'Böhm & "Co"', "9"]
TREE = {"kitchen": ["kitchen"], "cups": ["kitchen", "cups"], "garden": ["garden"], "uncategorised": []}
RANGES = {"0-25": (0, 2_500), "25-50": (2_500, 5_000), "50-100": (5_000, 10_000), "100-": (10_000, math.inf)}

prices = st.integers(0, 12_000) | st.sampled_from([2_499, 2_500, 4_999, 5_000, 9_999, 10_000])
ratings = st.integers(0, 50).map(lambda tenths: tenths / 10)
some_words = st.lists(st.sampled_from(VOCABULARY), max_size=3).map(" ".join)


@st.composite
def shops(draw):
    changes = []
    for number in range(1, draw(st.integers(0, 25)) + 1):
        category = draw(st.sampled_from(list(TREE)))
        changes.append(
            product(
                number,
                draw(some_words.filter(bool)),
                description=draw(some_words),
                tags=draw(st.lists(st.sampled_from(VOCABULARY), max_size=1)),
                brand=draw(st.none() | st.sampled_from(BRANDS)),
                category=category,
                categories=TREE[category],
                price=draw(prices),
                rating=draw(ratings),
                in_stock=draw(st.booleans()),
                seller_id=SellerId(draw(st.integers(1, 2))),
            )
        )
    return changes, draw(st.lists(st.integers(1, 25), max_size=3))


questions = st.builds(
    SearchQuery,
    q=some_words,
    price_min=st.none() | prices,
    price_max=st.none() | prices,
    brand=st.lists(st.sampled_from(BRANDS), max_size=2),
    category=st.lists(st.sampled_from([*TREE, "nowhere"]), max_size=2),
    rating_min=st.none() | ratings,
    in_stock=st.none() | st.booleans(),
    seller_id=st.none() | st.integers(1, 2).map(SellerId),
    sort=st.sampled_from(["relevance", "price_asc", "price_desc", "rating", "newest"]),
    page=st.integers(1, 4),
    limit=st.integers(1, 10),
)


def text(document):
    return f"{document.title} {document.description} {' '.join(document.tags)} {document.brand or ''}".lower()


def passes(query):
    """Each filter as a function, by the facet that must not mind it."""
    return {
        "q": lambda d: set(query.q.split()) <= set(text(d).split()),
        "stock": lambda d: query.in_stock in (None, d.in_stock),
        "seller": lambda d: query.seller_id in (None, d.seller_id),
        "price": lambda d: (
            (query.price_min or 0) <= d.price <= (math.inf if query.price_max is None else query.price_max)
        ),
        "brand": lambda d: not query.brand or d.brand in query.brand,
        "category": lambda d: not query.category or bool({d.category, *d.categories} & set(query.category)),
        "rating": lambda d: d.rating >= (query.rating_min or 0),
    }


def by_hand(documents, query, but=None):
    passed = [test for name, test in passes(query).items() if name != but]
    return [each for each in documents if all(test(each) for test in passed)]


def tally(values):
    counts = {value: values.count(value) for value in set(values)}
    return [
        FacetCount(value, count)
        for value, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]


KEYS = {
    "price_asc": lambda d: d.price,
    "price_desc": lambda d: -d.price,
    "rating": lambda d: -d.rating,
    "newest": lambda d: 0,
}


def test_answers_are_those_of_a_search_by_hand(where):
    @settings(max_examples=12 if where.remote else 60, deadline=None)
    @given(shops(), st.lists(questions, min_size=1, max_size=8))
    def answers(shop, asked):
        changes, removed = shop
        writer = put(where, changes)
        writer.apply([gone(number, version=2) for number in removed])
        documents = [each.document for each in changes if each.product_id not in removed]
        for query in asked:
            check(executor(writer).find(query), documents, query)
        counts = executor(writer).category_counts()
        assert counts == {count.value: count.count for count in tally(slugs(documents))}

    answers()


def slugs(documents):
    return [slug for each in documents for slug in {each.category, *each.categories}]


def check(found, documents, query):
    text_alone = [each for each in documents if passes(query)["q"](each)]
    if not text_alone and query.q:
        # relaxed: some product had some of the words
        assert (found.relaxed is not None) == any(
            set(query.q.split()) & set(text(d).split()) for d in documents
        )
        if found.relaxed is None:
            assert found.total == 0
            return
        query = SearchQuery(
            **{name: getattr(query, name) for name in query.__struct_fields__} | {"q": found.relaxed.q}
        )
        assert by_hand(documents, SearchQuery(q=query.q)), "relaxed words must find something"
    else:
        assert found.relaxed is None
    expected = by_hand(documents, query)
    assert found.total == len(expected)
    assert found.total_pages == math.ceil(len(expected) / query.limit)
    start = (query.page - 1) * query.limit
    cards = found.cards()
    by_id = {each.product_id: each for each in expected}
    assert len(cards) == len(expected[start : start + query.limit])
    assert len({card.product_id for card in cards} & set(by_id)) == len(cards)
    if query.sort in KEYS:
        key = KEYS[query.sort]
        ranked = sorted(map(key, expected))[start : start + query.limit]
        assert [key(by_id[card.product_id]) for card in cards] == ranked
    assert (found.next_cursor is not None) == (start + len(cards) < len(expected) and bool(cards))
    facets = found.facets
    assert facets.brands == tally([d.brand for d in by_hand(documents, query, "brand") if d.brand])
    assert facets.categories == tally(slugs(by_hand(documents, query, "category")))
    priced = [d.price for d in by_hand(documents, query, "price")]
    assert facets.price_ranges == [
        FacetCount(name, sum(low <= price < high for price in priced)) for name, (low, high) in RANGES.items()
    ]
    ends = facets.price and (facets.price.min, facets.price.max)
    assert ends == ((min(priced), max(priced)) if priced else None)
    rated = [d.rating for d in by_hand(documents, query, "rating")]
    assert facets.ratings == [
        RatingCount(star, sum(rating >= star for rating in rated)) for star in (4, 3, 2, 1)
    ]


@pytest.mark.parametrize(
    ("currency", "below", "at", "names"),
    [
        ("USD", 2_499, 2_500, ["0-25", "25-50", "50-100", "100-"]),
        ("JPY", 2_499, 2_500, ["0-2500", "2500-5000", "5000-10000", "10000-"]),
        ("KWD", 24_999, 25_000, ["0-25", "25-50", "50-100", "100-"]),
    ],
)
def test_price_ranges_are_of_the_magnitude_of_the_currency(where, currency, below, at, names):
    writer = put(
        where,
        [product(1, price=below, currency=currency), product(2, price=at, currency=currency)],
    )
    found = executor(writer, currency=currency).find(SearchQuery(sort="price_asc"))
    assert [(each.value, each.count) for each in found.facets.price_ranges] == list(
        zip(names, [1, 1, 0, 0], strict=True)
    )
    assert [card.price for card in found.cards()] == [below, at]


def test_a_facet_lists_at_most_a_hundred_the_largest_first(where):
    writer = put(where, [product(n, brand=f"B{n % 150:03}") for n in range(1, 200)])
    brands = executor(writer).find(SearchQuery()).facets.brands
    assert len(brands) == 100
    assert [each.count for each in brands] == [2] * 49 + [1] * 51
