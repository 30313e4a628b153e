"""Attributes that are numbers: ranges with counts, their extremes, and filters by range."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from search_products import executor, product, put

from mercat.search import SearchQuery
from mercat.search.facets.ranges import NumberRange, number_range, numbers_of, ranges_of

WEIGHTS = [24, 31, 38, 45, 52, 60, 75, 90, 110, 150, 200, 250]


@pytest.fixture(scope="module")
def shop(for_all):
    return put(
        for_all,
        [
            product(
                n,
                f"Chocolate {n}",
                category="chocolate",
                categories=["chocolate"],
                category_names=["Chocolate"],
                attributes={"Weight (g)": float(WEIGHTS[n % len(WEIGHTS)]), "Length": f"{n % 9} mm"},
                price=100 * n,
            )
            for n in range(1, 61)
        ],
    )


def facet(found, name):
    return next(each for each in found.facets.attributes if each.name == name)


def test_numbers_are_counted_by_range_with_the_least_and_the_greatest(shop):
    weight = facet(executor(shop).find(SearchQuery(category=["chocolate"])), "Weight (g)")
    assert (weight.min, weight.max) == (24, 250)
    assert 2 <= len(weight.ranges) <= 5
    assert sum(each.count for each in weight.ranges) == 60
    assert [each.value.split("..")[1] for each in weight.ranges][:-1] == [
        each.value.split("..")[0] for each in weight.ranges
    ][1:], "they adjoin"


def test_a_range_as_a_filter_leaves_what_it_counts(shop):
    everything = facet(executor(shop).find(SearchQuery(category=["chocolate"])), "Weight (g)")
    for each in everything.ranges:
        asked = SearchQuery(category=["chocolate"], attributes={"Weight (g)": [each.value]})
        found = executor(shop).find(asked)
        assert found.total == each.count
        assert facet(found, "Weight (g)") == everything, "a facet ignores its own filter"
    both = [each.value for each in everything.ranges[:2]]
    assert executor(shop).find(SearchQuery(attributes={"Weight (g)": both})).total == sum(
        each.count for each in everything.ranges[:2]
    )


def test_numbers_with_a_unit_are_numbers(shop):
    length = facet(executor(shop).find(SearchQuery(attributes={"Length": ["5.."]})), "Length")
    assert (length.min, length.max) == (0, 8)
    assert executor(shop).find(SearchQuery(attributes={"Length": ["5.."]})).total == sum(
        n % 9 >= 5 for n in range(1, 61)
    )


def test_more_different_numbers_than_are_listed_are_counted_whole(where):
    writer = put(
        where,
        [
            product(n, category="c", categories=["c"], category_names=["C"], attributes={"w": n + 0.5})
            for n in range(1, 401)
        ],
    )
    found = executor(writer).find(SearchQuery(category=["c"], attributes={"w": ["..10000"]}))
    w = facet(found, "w")
    assert (w.min, w.max, sum(each.count for each in w.ranges), found.total) == (1.5, 400.5, 400, 400)


def test_the_lowest_and_the_highest_price_ignore_their_own_filter(shop):
    found = executor(shop).find(SearchQuery(q="chocolate", price_min=2_000, price_max=3_000))
    assert found.facets.price
    assert (found.facets.price.min, found.facets.price.max) == (100, 6_000)
    assert executor(shop).find(SearchQuery(brand=["nobody"])).facets.price is None


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ("20..50", NumberRange(20, 50)),
        ("..20", NumberRange(None, 20)),
        ("1.5..", NumberRange(1.5, None)),
        ("-5..5", NumberRange(-5, 5)),
        ("..", None),
        ("20-50", None),
        ("a..b", None),
        ("", None),
    ],
)
def test_a_range_is_read_by_its_name(value, known):
    assert number_range(value) == known
    assert known is None or number_range(known.value) == known


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["24", "31.5"], [24, 31.5]),
        (["24 g", "31 G"], [24, 31]),
        (["24 g", "1 kg"], []),
        (["24", "unknown"], []),
        (["370 x 139"], []),
        ([], []),
    ],
)
def test_values_are_numbers_only_with_one_unit(values, numbers):
    assert list(numbers_of(values).values()) == numbers


@given(
    st.dictionaries(
        st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), st.integers(1, 50), min_size=1, max_size=40
    )
)
def test_every_number_is_in_exactly_one_range(counts):
    ranges = ranges_of(counts)
    assert sum(count for _, count in ranges) == sum(counts.values())
    for number in counts:
        assert sum(each.has(number) for each, _ in ranges) == 1
    for each, _ in ranges:
        if each.value != "..":
            assert number_range(each.value) == each
