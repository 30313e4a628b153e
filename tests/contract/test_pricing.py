"""What pricing promises: every total adds up, and what was quoted is honoured for as long as it says."""

from datetime import timedelta

import msgspec
import pytest
from both_ways import WAYS, reached
from hypothesis import given
from hypothesis import strategies as st

from mercat import ids, money
from mercat.countries import SERVED
from mercat.kit import clock
from mercat.pricing import API, PricedBasket, PricedLine, Pricing, Quoted, QuoteExpired
from mercat.pricing.rules import total
from mercat.pricing.tax import sales_tax, tax_rate, value_added_tax


@pytest.fixture(params=WAYS)
async def pricing(request, settings):
    async with reached(request.param, Pricing, API, Pricing(settings)) as pricing:
        yield pricing


def basket(*lines, country="US", region="MA", shipping=499):
    priced = [PricedLine(ids.OfferId(n), quantity, price) for n, (quantity, price) in enumerate(lines)]
    return PricedBasket(priced, shipping, "USD", country, region)


async def test_a_basket_is_added_up_and_taxed_where_it_goes(pricing):
    totals = await pricing.total(basket((2, 1_000), (1, 333)))
    assert (totals.subtotal, totals.shipping, totals.tax, totals.total) == (2_333, 499, 146, 2_978)
    assert totals.taxes == [125, 21]
    assert (await pricing.total(basket((1, 1_000), region="ma"))).tax == 63  # half a cent goes up
    assert (await pricing.total(basket((1, 1_000), region="OR"))).tax == 0
    assert (await pricing.total(basket((1, 1_000), country="AT", region=""))).tax == 200


@pytest.mark.parametrize(("country", "tax"), [("KR", 100), ("MX", 160), ("NZ", 150), ("SG", 90)])
async def test_what_is_delivered_far_away_is_taxed_there(pricing, country, tax):
    assert (await pricing.total(basket((1, 1_000), country=country, region=""))).tax == tax


def test_every_country_that_is_served_is_taxed_by_one_rule():
    regions = ["", *sales_tax.STATES]
    for country in SERVED:
        rules = [
            rule.__name__
            for rule in (sales_tax, value_added_tax)
            if any(rule.rate_ppm(country, region) is not None for region in regions)
        ]
        assert len(rules) == 1, f"{country}: {rules}"
        assert all(tax_rate(country.lower(), region) == tax_rate(country, region) for region in regions)


def quoted(totals, **more):
    given = {"expires_at": clock.now() + timedelta(seconds=600)} | more
    return Quoted(
        ids.UserId(1), ids.CartId(2), ids.AddressId(3), "standard", basket((1, 5)).lines, totals, **given
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
    st.lists(st.tuples(st.integers(1, 9_999), st.integers(0, 10**9)), min_size=1, max_size=20),
    st.integers(0, 10**6),
    st.sampled_from(
        [("US", state) for state in [*sales_tax.STATES, "OR", ""]] + [(code, "") for code in [*SERVED, "AQ"]]
    ),
)
def test_totals_and_the_shares_of_the_tax_add_up(lines, shipping, place):
    country, region = place
    asked = basket(*lines, country=country, region=region, shipping=shipping)
    totals = total(asked)
    amounts = [quantity * price for quantity, price in lines]
    assert totals.subtotal == sum(amounts)
    assert totals.total == totals.subtotal - totals.discount + totals.shipping + totals.tax
    assert sum(totals.taxes) == totals.tax
    assert len(totals.taxes) == len(lines)
    exact = totals.subtotal * tax_rate(country, region)
    assert abs(totals.tax * 1_000_000 - exact) <= 500_000
    for amount, share in zip(amounts, totals.taxes, strict=True):
        assert share >= 0
        if totals.subtotal:
            assert abs(share * totals.subtotal - totals.tax * amount) < totals.subtotal  # within one cent


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_splitting_loses_nothing(amount, weights):
    parts = money.allocate(amount, weights)
    assert sum(parts) == (amount if sum(weights) else 0)
    assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if weight == 0)
