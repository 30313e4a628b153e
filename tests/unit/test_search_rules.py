from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from mercat.ids import ProductId, RuleId
from mercat.search import StoredRule
from mercat.search.merchandising.rules import active_rules, page_with_pins
from mercat.search.query.parse import parse


@given(
    st.lists(st.integers(1, 20), max_size=6).map(sorted),
    st.integers(0, 40),
    st.integers(1, 9),
)
def test_pages_of_a_list_with_places_are_the_list(places, others, size):
    pins = [(place, f"pin {n}") for n, place in enumerate(places)]
    rest = [f"product {n}" for n in range(others)]
    total = len(pins) + len(rest)

    def page(first, count):
        return page_with_pins(pins, total, first, count, lambda count, first: rest[first : first + count])

    whole = page(0, total)
    assert [hit for hit in whole if hit in rest] == rest, "the others keep their order"
    assert [hit for hit in whole if hit not in rest] == [hit for _, hit in pins]
    for place, hit in pins:
        at = whole.index(hit) + 1
        before = whole[place - 1 : at - 1]
        assert at <= place or all(each not in rest for each in before), "moved on by other pins alone"
        assert at >= place or at + sum(each not in rest for each in whole[at:]) == total, "or the list ends"
    assert [hit for first in range(0, total, size) for hit in page(first, size)] == whole
    assert page(total + 5, size) == []


def kept(number, **more):
    return StoredRule(
        rule_id=RuleId(number), version=1, changed_at=datetime.now(UTC), changed_by="Olga", **more
    )


def test_the_rules_of_a_day():
    rules = [
        kept(1, kind="pin", words="Green teas", product_id=ProductId(1), place=2),
        kept(2, kind="pin", words="tea green", product_id=ProductId(2), place=1, ends_on=date(2026, 5, 1)),
        kept(3, kind="pin", words="green tea", product_id=ProductId(3), place=1, starts_on=date(2026, 5, 2)),
        kept(4, kind="synonym", words="sofas", other="couch", same=True),
        kept(5, kind="synonym", words="tv", other="lcd tv", same=False),
        *(kept(n, kind="boost", brand="A", factor=1 + n / 100) for n in range(10, 50)),
    ]
    (pins,) = active_rules(rules, date(2026, 5, 1)).pins.values()
    assert [pin.rule_id for pin in pins] == [2, 1], "by place"
    (pins,) = active_rules(rules, date(2026, 5, 2)).pins.values()
    assert [pin.rule_id for pin in pins] == [3, 1]
    made = active_rules(rules, date(2026, 5, 2))
    assert made.synonyms == [(("sofa",), ("couch",)), (("couch",), ("sofa",)), (("tv",), ("lcd", "tv"))]
    assert [boost.rule_id for boost in made.boosts_of(parse("tea"))] == list(range(49, 29, -1))
