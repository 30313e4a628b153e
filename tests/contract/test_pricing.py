"""What pricing promises: every total adds up, and what was quoted is honoured for as long as it says."""

from datetime import timedelta

import msgspec
import pytest
from both_ways import WAYS, reached
from hypothesis import given
from hypothesis import strategies as st

from mercat import ids, money
from mercat.addresses import regions
from mercat.countries import SERVED
from mercat.events import AppliedDiscount
from mercat.kit import clock
from mercat.pricing import (
    API,
    PartPrice,
    PricedBasket,
    PricedLine,
    Pricing,
    Quoted,
    QuoteExpired,
    Reduction,
)
from mercat.pricing.rules import TaxRates, total
from mercat.pricing.tax_files import shipped
from mercat.pricing.tax_table import TaxTable

_WITHOUT_RATE = ("AA", "AE", "AP", "AS", "FM", "GU", "MH", "MP", "PW", "PR", "VI", "UM")
"""Territories and the forces overseas: no state taxes there."""
BOB, EVE = ids.SellerId(7), ids.SellerId(8)


@pytest.fixture(params=WAYS)
async def pricing(request, pool, settings):
    async with reached(request.param, Pricing, API, Pricing(await pool("pricing"), settings)) as pricing:
        yield pricing


def basket(*lines, country="US", region="MA", shipping=499):
    priced = [PricedLine(ids.OfferId(n), quantity, price, BOB) for n, (quantity, price) in enumerate(lines)]
    return PricedBasket(priced, [PartPrice(BOB, shipping)], "USD", country, region)


async def test_a_basket_is_added_up_and_taxed_where_it_goes(pricing):
    totals = await pricing.total(basket((2, 1_000), (1, 333)))
    assert (totals.subtotal, totals.shipping, totals.tax, totals.total) == (2_333, 499, 146, 2_978)
    assert [line.tax for line in totals.lines] == [125, 21]
    assert (await pricing.total(basket((1, 1_000), region="ma"))).tax == 63  # half a cent goes up
    assert (await pricing.total(basket((1, 1_000), region="OR"))).tax == 0
    abroad = await pricing.total(basket((1, 1_200), country="AT", region="", shipping=0))
    assert (abroad.tax, abroad.total, abroad.tax_included) == (200, 1_200, True)


@pytest.mark.parametrize(("country", "tax"), [("KR", 100), ("MX", 152), ("NZ", 143), ("SG", 91)])
async def test_what_is_delivered_far_away_is_taxed_there(pricing, country, tax):
    totals = await pricing.total(basket((1, 1_100), country=country, region="", shipping=0))
    assert (totals.tax, totals.tax_included) == (tax, True)


def test_every_country_that_is_served_has_a_rate():
    table = TaxTable(shipped())
    for country in SERVED:
        for region, _ in [("", ""), *regions(country)]:
            rule = table.find(country.lower(), region, "")
            assert rule or not region or region in _WITHOUT_RATE, f"{country} {region}"
            assert rule == table.find(country, region.lower(), "")


def quoted(totals):
    until = clock.now() + timedelta(seconds=600)
    return Quoted(
        ids.UserId(1), ids.CartId(2), ids.AddressId(3), "standard", basket((1, 5)).lines, totals, until
    )


async def test_a_quote_comes_back_as_it_was_sealed(pricing, clock_ahead):
    sealed = quoted(await pricing.total(basket((1, 5))))
    quote_id = await pricing.seal(sealed)
    assert quote_id.startswith("quo_")
    assert await pricing.honour(quote_id) == sealed
    clock_ahead(601)
    with pytest.raises(QuoteExpired):
        await pricing.honour(quote_id)


async def test_a_quote_of_a_full_cart_is_honoured_wherever_pricing_lives(pricing):
    lines = [(quantity, 10**9) for quantity in range(1, 501)]
    sealed = msgspec.structs.replace(quoted(await pricing.total(basket((1, 5)))), lines=basket(*lines).lines)
    assert await pricing.honour(await pricing.seal(sealed)) == sealed


async def test_a_quote_that_is_not_ours_is_not_honoured(pricing, settings):
    quote_id = await pricing.seal(quoted(await pricing.total(basket((1, 5)))))
    middle = len(quote_id) // 2
    other = "A" if quote_id[middle] != "A" else "B"
    for forged in (
        "quo_",
        "quo_x",
        "nonsense",
        quote_id[:-1],
        quote_id[:middle] + other + quote_id[middle + 1 :],
    ):
        with pytest.raises(QuoteExpired):
            await pricing.honour(forged)


@given(
    st.lists(st.tuples(st.integers(1, 999), st.integers(0, 10**7)), min_size=1, max_size=10),
    st.lists(st.lists(st.integers(0, 10**9), min_size=10, max_size=10), max_size=4),
    st.integers(0, 10**6),
    st.sampled_from([70_000, 190_000, 255_000]),
    st.sampled_from(["USD", "JPY", "KWD"]),
)
def test_prices_without_their_tax_add_up_and_what_is_free_stays_free(lines, off, shipping, ppm, currency):
    step = money.step(currency)
    asked = msgspec.structs.replace(
        basket(*((quantity, price * step) for quantity, price in lines), shipping=shipping * step),
        currency=currency,
        reductions=[
            Reduction(
                AppliedDiscount(ids.PromotionId(n), "", None, 0, 0),
                [each * step for each in amounts[: len(lines)]],
            )
            for n, amounts in enumerate(off)
        ],
    )
    rates = TaxRates(ppm, shipping=ppm, included=True)
    gross, net = total(asked, rates), total(asked, rates._replace(taken_out=True, note="reverse_charge"))
    assert (net.tax, net.tax_included, net.tax_note) == (0, False, "reverse_charge")
    assert net.total == net.subtotal - net.discount + net.shipping
    assert sum(each.amount for each in net.discounts) == net.discount == sum(x.discount for x in net.lines)
    for line, with_tax, without in zip(asked.lines, gross.lines, net.lines, strict=True):
        unit = without.unit_price
        assert unit is not None
        assert unit == line.unit_price - money.tax_within(line.unit_price, ppm, step)
        assert 0 <= without.discount <= unit * line.quantity
        if with_tax.discount == line.unit_price * line.quantity:
            assert without.discount == unit * line.quantity
        assert {unit % step, without.discount % step} == {0}
    units = sum(line.quantity for line in asked.lines)
    assert abs(net.total - (gross.total - gross.tax)) <= (units + len(lines) * (len(off) + 1) + 2) * step


@given(
    st.lists(st.tuples(st.integers(1, 9_999), st.integers(0, 10**9)), min_size=1, max_size=20),
    st.integers(0, 10**6),
    st.sampled_from(sorted({rule.ppm for rule in shipped()})),
)
def test_totals_and_the_shares_of_the_tax_add_up(lines, shipping, ppm):
    asked = basket(*lines, shipping=shipping)
    totals = total(asked, TaxRates(ppm))
    amounts = [quantity * price for quantity, price in lines]
    assert totals.subtotal == sum(amounts)
    assert totals.total == totals.subtotal - totals.discount + totals.shipping + totals.tax
    taxes = [line.tax for line in totals.lines]
    assert sum(taxes) == totals.tax
    assert len(taxes) == len(lines)
    exact = totals.subtotal * ppm
    assert abs(totals.tax * 1_000_000 - exact) <= 500_000
    for amount, share in zip(amounts, taxes, strict=True):
        assert share >= 0
        if totals.subtotal:
            assert abs(share * totals.subtotal - totals.tax * amount) < totals.subtotal  # within one cent


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_splitting_loses_nothing(amount, weights):
    parts = money.allocate(amount, weights)
    assert sum(parts) == (amount if sum(weights) else 0)
    assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if weight == 0)


_LINE = st.tuples(
    st.integers(1, 9), st.integers(0, 10**6), st.sampled_from([BOB, EVE]), st.sampled_from(["", "food"])
)


@given(
    st.lists(_LINE, min_size=1, max_size=8),
    st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 9_000), st.booleans()), max_size=4),
    st.sampled_from(["USD", "JPY", "KWD"]),
    st.booleans(),
    st.sampled_from(["half_up", "half_even"]),
    st.sampled_from(["total", "line"]),
)
def test_whatever_is_taken_off_a_total_adds_up(
    lines, deliveries, taken, currency, included, rounding, taxed_by
):
    step = money.step(currency)
    priced = [
        PricedLine(ids.OfferId(n), quantity, price * step, seller, kind)
        for n, (quantity, price, seller, kind) in enumerate(lines)
    ]
    parts = [PartPrice(seller, each * step) for seller, each in zip((BOB, EVE), deliveries, strict=True)]
    off = [
        Reduction(
            AppliedDiscount(ids.PromotionId(n), "Off"),
            [goods * step] * len(lines),
            [delivery * step] * len(parts),
            by_seller,
        )
        for n, (goods, delivery, by_seller) in enumerate(taken)
    ]
    rates = TaxRates(190_000, {"food": 70_000}, 190_000, included, rounding, taxed_by)
    totals = total(PricedBasket(priced, parts, currency, "DE", reductions=off), rates)
    amounts = [line.unit_price * line.quantity for line in priced]
    for amount, line in zip(amounts, totals.lines, strict=True):
        assert 0 <= line.seller_discount <= line.discount <= amount
        assert 0 <= line.tax <= amount - line.discount
    for asked, part in zip(parts, totals.parts, strict=True):
        assert 0 <= part.shipping <= part.shipping + part.waived <= asked.shipping
    assert totals.subtotal == sum(amounts)
    assert totals.discount == sum(line.discount for line in totals.lines)
    assert totals.discount == sum(each.amount for each in totals.discounts)
    assert totals.shipping == sum(part.shipping for part in totals.parts)
    assert totals.tax == sum(each.tax for each in (*totals.lines, *totals.parts))
    added = 0 if included else totals.tax
    assert totals.total == totals.subtotal - totals.discount + totals.shipping + added >= 0
    assert all(amount % step == 0 for amount in (totals.total, totals.tax, totals.discount))


@pytest.mark.parametrize(
    ("amount", "ppm", "rounding", "added", "within"),
    [
        (1_000, 62_500, "half_up", 63, 59),
        (1_000, 62_500, "half_even", 62, 59),
        (1_190, 190_000, "half_up", 226, 190),
        (3, 500_000, "half_up", 2, 1),
        (5, 500_000, "half_even", 2, 2),
    ],
)
def test_half_a_cent_goes_where_the_shop_says(amount, ppm, rounding, added, within):
    assert money.tax(amount, ppm, 1, rounding) == added
    assert money.tax_within(amount, ppm, 1, rounding) == within


def test_each_class_of_goods_is_taxed_at_its_rate_and_a_delivery_at_its_own():
    priced = [PricedLine(ids.OfferId(1), 1, 1_000, BOB), PricedLine(ids.OfferId(2), 1, 1_000, EVE, "food")]
    parts = [PartPrice(BOB, 500), PartPrice(EVE, 500)]
    totals = total(PricedBasket(priced, parts, "EUR", "AT"), TaxRates(200_000, {"food": 100_000}, 200_000))
    assert [line.tax for line in totals.lines] == [200, 100]
    assert [part.tax for part in totals.parts] == [100, 100]
    assert totals.total == 3_500


def test_who_bears_a_reduction_is_kept():
    priced = [PricedLine(ids.OfferId(1), 1, 1_000, BOB), PricedLine(ids.OfferId(2), 1, 1_000, EVE)]
    parts = [PartPrice(BOB, 500), PartPrice(EVE, 500)]
    off = [
        Reduction(AppliedDiscount(ids.PromotionId(1), "Bob's"), [100, 0], [500, 0], by_seller=True),
        Reduction(AppliedDiscount(ids.PromotionId(2), "Ours", "TEN"), [90, 100], [0, 500]),
    ]
    totals = total(PricedBasket(priced, parts, "USD", "US", reductions=off), TaxRates())
    assert [(line.discount, line.seller_discount) for line in totals.lines] == [(190, 100), (100, 0)]
    assert [(part.shipping, part.waived) for part in totals.parts] == [(0, 0), (0, 500)]
    assert [(each.amount, each.shipping) for each in totals.discounts] == [(100, 500), (190, 500)]
    assert (totals.discount, totals.shipping, totals.total) == (290, 0, 1_710)
