"""What promotions take off a basket: whatever the basket, the rules and the order of lines."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercat import money
from mercat.ids import OfferId, ProductId, PromotionId, SellerId, UserId
from mercat.pricing import PartPrice
from mercat.promotions import PricedGoods, Promotion, ReductionAsk
from mercat.promotions.rules import Known, KnownCode, apply, live, persons

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BOB, EVE = SellerId(7), SellerId(8)


def promotion(number=1, /, **more):
    terms = {"name": f"P{number}", "then": {"percent": 10}} | more
    return Promotion(promotion_id=PromotionId(number), created_at=NOW, **terms)


def line(number, quantity=1, price=1_000, seller=BOB, **more):
    return PricedGoods(OfferId(number), ProductId(number), seller, quantity, price, **more)


def reduce(promotions, goods, codes=None, currency="USD", **more):
    known = Known({code: KnownCode(code.upper(), PromotionId(n)) for code, n in (codes or {}).items()})
    ask = ReductionAsk(UserId(1), goods, list(codes or {}), **more)
    return apply([live(each) for each in promotions], ask, known, currency, NOW)


def taken(reduced):
    return {each.discount.name: each.lines for each in reduced.reductions}


_THEN = st.one_of(
    st.floats(0.01, 100).map(lambda each: {"percent": round(each, 2)}),
    st.integers(1, 3_000).map(lambda each: {"amount": each * 10}),
    st.integers(1, 200).map(lambda each: {"fixed_price": each * 10}),
    st.just({"free_shipping": True}),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.sampled_from([50.0, 100.0])).map(
        lambda each: {"buy": dict(zip(("quantity", "get", "percent"), each, strict=True))}
    ),
)
_RULE = st.fixed_dictionaries(
    {
        "then": _THEN,
        "combines": st.booleans(),
        "priority": st.integers(-1, 1),
        "by_seller": st.booleans(),
        "seller_id": st.sampled_from([None, BOB]),
        "when": st.sampled_from([{}, {"min_subtotal": 3_000}, {"brand": ["Porter"]}, {"min_quantity": 3}]),
    }
)
_GOODS = st.tuples(
    st.integers(1, 5),
    st.integers(0, 300),
    st.sampled_from([BOB, EVE]),
    st.sampled_from(["Porter", None]),
)


@given(
    st.lists(_GOODS, min_size=1, max_size=5),
    st.lists(_RULE, max_size=4),
    st.tuples(st.integers(0, 90), st.integers(0, 90)),
    st.sampled_from(["USD", "JPY", "KWD"]),
    st.randoms(use_true_random=False),
)
def test_no_price_falls_below_nothing_and_no_order_of_lines_or_rules_matters(
    raw, rules, deliveries, currency, random
):
    step = money.step(currency)
    goods = [
        line(n, units, price * 10, seller, brand=brand) for n, (units, price, seller, brand) in enumerate(raw)
    ]
    parts = [PartPrice(BOB, deliveries[0] * 10), PartPrice(EVE, deliveries[1] * 10)]
    promotions = [promotion(n, **rule) for n, rule in enumerate(rules, 1)]
    reduced = reduce(promotions, goods, currency=currency, parts=parts)
    for n, each in enumerate(goods):
        off = [reduction.lines[n] for reduction in reduced.reductions]
        assert all(amount >= 0 and amount % step == 0 for amount in off)
        assert sum(off) <= each.unit_price * each.quantity
    for n, part in enumerate(parts):
        assert sum(reduction.parts[n] for reduction in reduced.reductions) <= part.shipping
    for reduction in reduced.reductions:
        assert reduction.discount.amount == sum(reduction.lines)
        assert reduction.discount.shipping == sum(reduction.parts)
    order = list(range(len(goods)))
    random.shuffle(order)
    random.shuffle(promotions)
    again = reduce(promotions, [goods[n] for n in order], currency=currency, parts=parts)
    places = [order.index(n) for n in range(len(goods))]
    assert taken(reduced) == {name: [off[n] for n in places] for name, off in taken(again).items()}
    assert len(reduced.tried) >= len(reduced.reductions)


def test_the_higher_priority_goes_first_then_the_older():
    rules = [
        promotion(1, then={"percent": 50}),
        promotion(2, then={"amount": 200}, priority=5),
        promotion(3, then={"percent": 10}),
    ]
    reduced = reduce(rules, [line(1)])
    assert [(each.discount.name, each.discount.amount) for each in reduced.reductions] == [
        ("P2", 200),
        ("P1", 400),
        ("P3", 40),
    ]


def test_what_stands_alone_is_taken_where_it_saves_more_and_the_others_where_they_do():
    goods = [line(1)]
    ten, five = promotion(1), promotion(2, then={"percent": 5})
    assert list(taken(reduce([ten, five, promotion(3, then={"percent": 14}, combines=False)], goods))) == [
        "P1",
        "P2",
    ]
    best = reduce([ten, five, promotion(3, then={"percent": 15}, combines=False)], goods)
    assert taken(best) == {"P3": [150]}
    assert [(each.promotion_id, each.why) for each in best.tried] == [
        (3, None),
        (1, "does_not_combine"),
        (2, "does_not_combine"),
    ]


def test_an_amount_is_shared_to_the_cent_by_what_lines_cost():
    goods = [line(1, price=333), line(2, price=333), line(3, price=334)]
    assert taken(reduce([promotion(then={"amount": 100})], goods)) == {"P1": [33, 33, 34]}
    assert taken(reduce([promotion(then={"percent": 33.33})], [line(1, price=1)])) == {}


@pytest.mark.parametrize(("units", "off"), [(2, 0), (3, 500), (5, 800), (6, 900 + 500)])
def test_the_cheapest_of_each_full_group_costs_less_the_dearest_grouped_first(units, off):
    prices = [900, 900, 500, 800, 700, 1_000]
    goods = [line(n, price=price) for n, price in enumerate(prices[:units])]
    reduced = reduce([promotion(then={"buy": {"quantity": 2, "get": 1}})], goods)
    assert sum(each.discount.amount for each in reduced.reductions) == off


def test_delivery_is_waived_of_the_parts_that_are_meant():
    rule = promotion(then={"free_shipping": True}, seller_id=BOB, by_seller=True)
    goods = [line(1), line(2, seller=EVE)]
    reduced = reduce([rule], goods, parts=[PartPrice(BOB, 499), PartPrice(EVE, 499)])
    [reduction] = reduced.reductions
    assert (reduction.parts, reduction.by_seller, reduction.discount.shipping) == ([499, 0], True, 499)


def test_a_budget_that_is_nearly_spent_is_not_gone_beyond():
    rule = promotion(then={"percent": 50}, budget=1_000, spent=600)
    assert reduce([rule], [line(1)]).tried[0].why == "code_used_up"
    assert taken(reduce([msgspec.structs.replace(rule, spent=500)], [line(1)])) == {"P1": [500]}


def test_who_buys_is_counted_by_session_and_by_address_however_it_is_written():
    key = b"a key"
    assert persons(key, UserId(1), " Ann@Example.org") == persons(key, UserId(1), "ann@example.org")
    assert persons(key, UserId(1), "ann@example.org")[1:] == persons(key, UserId(2), "ann@example.org")[1:]
    assert persons(key, UserId(1), "ann@example.org") != persons(b"another", UserId(1), "ann@example.org")
    assert persons(key, UserId(1), None) == ["u:1"]


def free(number=1, /, **more):
    return promotion(number, then={"free_shipping": True}, when={"min_subtotal": 2_000}, **more)


def test_delivery_is_told_to_be_free_where_it_is_and_for_all_that_is_sent():
    assert reduce([free()], [line(1)]).free_from == 1_000
    assert reduce([free()], [line(1, 2)]).free_from == 0
    alone = promotion(2, then={"percent": 30}, combines=False)
    assert reduce([free(), alone], [line(1, 2)]).free_from is None  # the other stands in its place
    of_bob = free(seller_id=BOB)
    assert reduce([of_bob], [line(1, 2)]).free_from == 0
    assert reduce([of_bob], [line(1, 2), line(2, seller=EVE)]).free_from is None
    assert reduce([of_bob, free(3)], [line(1, 1), line(2, seller=EVE)]).free_from == 0


@pytest.mark.parametrize(
    ("rules", "units", "missing"),
    [
        # what stands alone keeps it from being applied, or is taken in place of what else is
        ([free(), promotion(2, then={"percent": 30}, combines=False)], 1, None),
        ([free(combines=False)], 1, None),
        ([free(combines=False)], 2, 0),
        # it is free already, whatever more another asks for
        ([promotion(1, then={"free_shipping": True}), free(2)], 1, 0),
        ([promotion(1, then={"free_shipping": True}), free(2)], 2, 0),
        # a budget may be spent by what the delivery costs
        ([free(budget=500)], 2, None),
        ([free(budget=500)], 1, 1_000),
        ([free(budget=500), free(2)], 2, 0),
    ],
)
def test_no_delivery_is_promised_that_would_not_be_free(rules, units, missing):
    assert reduce(rules, [line(1, units)]).free_from == missing


def test_free_deliveries_of_all_sellers_make_the_delivery_free():
    goods = [line(1, 2), line(2, 2, seller=EVE), line(3, seller=SellerId(9), is_money=True)]
    of_bob, of_eve = free(seller_id=BOB), free(2, seller_id=EVE)
    assert reduce([of_bob], goods).free_from is None
    assert reduce([of_bob, of_eve], goods).free_from == 0
    assert reduce([of_bob, of_eve, free(3)], goods).free_from == 0
    parts = [PartPrice(BOB, 499), PartPrice(EVE, 499)]
    assert reduce([free(budget=998)], goods, parts=parts).free_from == 0
    assert reduce([free(budget=997)], goods, parts=parts).free_from is None
