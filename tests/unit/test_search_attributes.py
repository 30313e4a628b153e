"""Attribute facets: their counts against counting by hand, and which a category offers."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_products import executor, product, put

from mercat.search import FacetCount, SearchQuery
from mercat.search.facets.choose import informativeness

NAMES = ["Colour", "size.cm", "kinds of [brew]", "größe", "a-b", "a.b"]
VALUES = [
    "Black",
    "black",
    "Red,Blue",
    "2,5",
    "15.6",
    15.6,
    3,
    3.0,
    True,
    False,
    "2026-01-01T00:00:00Z",
    "x" * 99,
]
options = st.dictionaries(
    st.sampled_from(NAMES), st.lists(st.sampled_from(["Black", "XL"]), max_size=2), max_size=2
)
attributes = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=4)


@st.composite
def shops(draw):
    return [
        product(
            number,
            draw(st.sampled_from(["Tea", "Cup", "Black tea"])),
            attributes=draw(attributes),
            options=draw(options),
            category=draw(st.sampled_from(["cups", "teas"])),
            categories=["kitchen"],
            brand=draw(st.sampled_from(["Acme", None])),
        )
        for number in range(1, draw(st.integers(1, 30)) + 1)
    ]


def by_hand(document):
    """Values as a facet names them, by name."""
    said = [*document.attributes.items()]
    said += [(name, value) for name, values in document.options.items() for value in values]
    found = {}
    for name, value in said:
        known = {"Red,Blue": ["Red", "Blue"], "black": ["Black"], True: ["true"], False: ["false"]}
        if value in ("2026-01-01T00:00:00Z", "x" * 99):
            continue  # a moment, and prose
        texts = known.get(value) or [f"{value:g}" if isinstance(value, float | int) else value]
        found[name] = list(dict.fromkeys([*found.get(name, []), *texts]))
    return found


questions = st.builds(
    SearchQuery,
    q=st.sampled_from(["", "tea", "cup"]),
    category=st.sampled_from([[], ["cups"], ["kitchen"], ["cups", "teas"]]),
    brand=st.sampled_from([[], ["Acme"]]),
    attributes=st.dictionaries(
        st.sampled_from([*NAMES, "nobody has this"]),
        st.lists(
            st.sampled_from(["Black", "black", "Red", "2,5", "15.6", "3", "true", "XL"]),
            min_size=1,
            max_size=2,
        ),
        max_size=2,
    ),
)


def passes(document, query, but=None):
    has = by_hand(document)
    wanted = {
        name: {value.replace("black", "Black") for value in values}
        for name, values in query.attributes.items()
    }
    return (
        query.q in document.title.lower()
        and (not query.category or bool({document.category, *document.categories} & set(query.category)))
        and (not query.brand or document.brand in query.brand)
        and all(set(has.get(name, [])) & values for name, values in wanted.items() if name != but)
    )


@settings(max_examples=50, deadline=None)
@given(shops(), st.lists(questions, min_size=1, max_size=8))
def test_counts_are_those_of_counting_by_hand(shop, asked):
    documents = [change.document for change in shop]
    with tempfile.TemporaryDirectory() as folder:
        seen = executor(put(Path(folder), shop))
        for query in asked:
            if not any(query.q in document.title.lower() for document in documents):
                continue  # what is then found instead, other tests say
            found = seen.find(query)
            assert found.total == sum(passes(document, query) for document in documents)
            listed = {facet.name: facet.values for facet in found.facets.attributes}
            assert set(query.attributes) <= set(listed), "what narrows the list can be taken away"
            for name, values in listed.items():
                left = [by_hand(each).get(name, []) for each in documents if passes(each, query, but=name)]
                counts = {value: sum(value in has for has in left) for has in left for value in has}
                assert values == [
                    FacetCount(*each) for each in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
                ]


def shelf():
    """Forty screens and forty cables, which tell themselves apart by other things."""
    for n in range(40):
        yield product(
            n + 1,
            f"Screen {(22, 24, 27)[n % 3]} inch",
            category="screens",
            attributes={
                "diagonal": (22, 24, 27)[n % 3],
                "diagonal in cm": (55.9, 61, 68.6)[n % 3],
                "weight": 3_000 + n,
                "stand": n % 2 == 0,
                "plug": "Type F",
            },
        )
    for n in range(40):
        colour = ("Black", "White", "Red", "Blue")[n % 4]
        yield product(
            n + 100,
            f"Cable {colour}",
            category="cables",
            attributes={"length": 1 + n % 5},
            options={"Colour": [colour]},
        )


def offered(found):
    return [facet.name for facet in found.facets.attributes]


def test_a_category_offers_what_tells_its_products_apart(where):
    shop = executor(put(where, list(shelf())))
    screens = offered(shop.find(SearchQuery(category=["screens"])))
    assert screens[0] == "diagonal", "what titles say comes first"
    assert "stand" in screens
    assert "diagonal in cm" not in screens, "it tells the same"
    assert "weight" not in screens, "nearly every product has another"
    assert "plug" not in screens, "they all have the same"
    assert set(offered(shop.find(SearchQuery(category=["cables"])))) == {"Colour", "length"}


def test_words_that_mean_a_category_have_its_facets(where):
    shop = executor(put(where, list(shelf())))
    assert "diagonal" in offered(shop.find(SearchQuery(q="screen")))
    assert offered(shop.find(SearchQuery(q="inch", attributes={"Colour": ["Red"]})))[0] == "Colour"
    assert offered(shop.find(SearchQuery())) == [], "the whole shop is no category"
    assert offered(shop.find(SearchQuery(category=["screens", "cables"]))) == []


@pytest.mark.parametrize(
    ("held", "products", "tells"),
    [
        ({"Black": 50, "White": 50}, 100, True),
        ({"Black": 99, "White": 1}, 100, False),
        ({"Black": 10, "White": 10}, 100, False),
        ({str(n): 1 for n in range(100)}, 100, False),
        ({"1 x 2": 50, "2 x 3": 50}, 100, False),
        ({}, 100, False),
    ],
)
def test_what_tells(held, products, tells):
    assert bool(informativeness(held, products)) is tells
