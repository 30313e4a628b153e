"""What goods cost in a market: by hand, and for any amounts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercat import money
from mercat.catalog.market_rules import MarketRule, checked_markets
from mercat.catalog.messages import Market
from mercat.ids import OfferId, SellerId
from mercat.kit.refusals import Invalid
from mercat.pricing import PartPrice, PricedBasket, PricedLine
from mercat.pricing.rules import TaxRates, total


def rule(currency="USD", **market):
    return MarketRule(Market(code="m", name="M", countries=["AT"], **market), money.step(currency))


@pytest.mark.parametrize(
    ("currency", "market", "amount", "becomes"),
    [
        ("USD", {}, 1_234, 1_234),
        ("USD", {"percent": 2_000}, 1_000, 1_200),
        ("USD", {"percent": 1_250}, 999, 1_124),  # 1123.875
        ("USD", {"percent": -500}, 1_010, 960),  # 959.5: halves go up
        ("USD", {"percent": 2_000, "round_to": 100, "less": 1}, 1_000, 1_199),
        ("USD", {"round_to": 100, "less": 1}, 1_049, 999),
        ("USD", {"round_to": 100, "less": 1}, 1_050, 1_099),
        ("USD", {"round_to": 100, "less": 5}, 1_234, 1_195),
        ("USD", {"round_to": 100, "less": 1}, 30, 30),  # it would be nothing
        ("USD", {"percent": -9_900}, 10, 1),  # what costs something does not become free
        ("USD", {"percent": 2_000}, 0, 0),
        ("JPY", {"percent": 1_000, "round_to": 100, "less": 20}, 1_820, 1_980),  # 2002
        ("JPY", {"percent": 333}, 1_000, 1_033),
        ("KWD", {"percent": 1_000}, 12_340, 13_570),  # 13.574: steps of ten fils
        ("KWD", {"percent": 0, "round_to": 1_000, "less": 10}, 12_340, 11_990),
    ],
)
def test_a_price_follows_from_another(currency, market, amount, becomes):
    assert rule(currency, **market).price(amount) == becomes


@st.composite
def rules(draw):
    currency = draw(st.sampled_from(["USD", "JPY", "KWD"]))
    step = money.step(currency)
    to = draw(st.integers(0, 500)) * step
    less = draw(st.integers(0, to // (2 * step))) * step
    return rule(currency, percent=draw(st.integers(-9_999, 100_000)), round_to=to, less=less)


@given(rules(), st.integers(0, 100_000_000), st.integers(0, 100_000_000))
def test_prices_are_never_turned_round_and_can_be_paid(there, one, other):
    one, other = sorted(each // there.step * there.step for each in (one, other))
    low, high = there.price(one), there.price(other)
    assert low <= high
    assert all(each % there.step == 0 and 0 <= each <= money.MINOR_MAX for each in (low, high))
    assert (low > 0) == (one > 0)
    price, was = there.reduced(one, other)
    assert price == low
    assert was is None or was > price


@given(rules(), st.lists(st.tuples(st.integers(1, 9_999_999), st.integers(1, 99)), min_size=1, max_size=9))
def test_a_basket_in_a_market_adds_up(there, goods):
    currency = {1: "JPY", 10: "KWD"}[there.step]
    lines = [
        PricedLine(OfferId(n), quantity, there.price(amount // there.step * there.step), SellerId(n % 3))
        for n, (amount, quantity) in enumerate(goods)
    ]
    basket = PricedBasket(lines, [PartPrice(SellerId(0), 50 * there.step)], currency, "AT")
    for included in (True, False):
        totals = total(basket, TaxRates(standard=190_000, included=included))
        assert totals.subtotal == sum(line.unit_price * line.quantity for line in lines)
        assert totals.tax == sum(line.tax for line in totals.lines) + sum(part.tax for part in totals.parts)
        assert totals.total == totals.subtotal + totals.shipping + (0 if included else totals.tax)
        assert totals.total % there.step == 0


@pytest.mark.parametrize(
    ("markets", "pointer"),
    [
        ([Market(code="a", name="A", countries=["ZZ"])], "/markets/0/countries/0"),
        (
            [
                Market(code="a", name="A", countries=["AT"]),
                Market(code="b", name="B", countries=["DE", "at"]),
            ],
            "/markets/1/countries/1",
        ),
        ([Market(code="a", name="A", countries=["AT"])] * 2, "/markets/1/code"),
        ([Market(code="a", name="A", countries=["AT"], round_to=100, less=51)], "/markets/0/less"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(markets, pointer):
    with pytest.raises(Invalid) as refused:
        checked_markets(markets, 1)
    assert refused.value.facts["pointer"] == pointer
