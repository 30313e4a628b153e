"""What an order promises about its amounts: whatever is taken off, taxed and delivered, and whoever bears it,
what is paid back adds up to what was paid, account by account."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mercat import ids, money
from mercat.catalog import Offer
from mercat.checkout.refund_request import refund_request
from mercat.checkout.rules import order_lines, seller_parts
from mercat.events import AppliedDiscount, OrderPlaced, PartShipping
from mercat.kit import clock
from mercat.orders import ExceedsCaptured, LineQuantity, NotCancellable, UnitMove
from mercat.orders.rules import Amounts, LineState, OrderState, costs_as_placed, move, owed_of
from mercat.payments import Charge
from mercat.payments.rules import Captured, capture, gross, kept, refund, split
from mercat.pricing import PartPrice, PricedBasket, PricedLine, Reduction
from mercat.pricing.rules import TaxRates, total

BOB, EVE = ids.SellerId(7), ids.SellerId(8)
_LINE = st.tuples(st.integers(1, 4), st.integers(1, 999), st.sampled_from([BOB, EVE]))
_OFF = st.tuples(
    st.one_of(st.integers(0, 300), st.just(4_000)),  # all that a line costs, at times
    st.integers(0, 900),
    st.booleans(),
)


def bought(raw, deliveries, taken, currency, included):
    """Buy a basket on paper: answer what was placed, and what was charged for it."""
    step = money.step(currency)
    lines = [
        PricedLine(ids.OfferId(n), units, price * step, seller)
        for n, (units, price, seller) in enumerate(raw)
    ]
    sellers = list(dict.fromkeys(line.seller_id for line in lines))
    parts = [PartPrice(seller, each * step) for seller, each in zip(sellers, deliveries, strict=False)]
    off = [
        each
        if isinstance(each, Reduction)
        else Reduction(
            AppliedDiscount(ids.PromotionId(n), "Off"),
            [each[0] * step] * len(lines),
            [each[1] * step] * len(parts),
            each[2],
        )
        for n, each in enumerate(taken)
    ]
    totals = total(
        PricedBasket(lines, parts, currency, "DE", reductions=off), TaxRates(190_000, {}, 190_000, included)
    )
    offers = {
        line.offer_id: Offer(
            line.offer_id,
            ids.ProductId(1),
            ids.SkuId(1),
            line.seller_id,
            "",
            "",
            1,
            currency,
            "active",
            True,
            "",
        )
        for line in lines
    }
    ordered = order_lines(lines, totals, offers, 0)
    placed = OrderPlaced(
        order_id=ids.OrderId(1),
        checkout_id=ids.CheckoutId(1),
        cart_id=ids.CartId(1),
        user_id=ids.UserId(1),
        email="",
        total=totals.total,
        currency=currency,
        lines=ordered,
        placed_at=clock.now(),
        subtotal=totals.subtotal,
        discount=totals.discount,
        shipping=totals.shipping,
        tax=totals.tax,
        part_shipping=[
            PartShipping(part.seller_id, part.shipping, part.waived, part.tax, part.shop_tax)
            for part in totals.parts
        ],
        tax_included=included,
    )
    charge = Charge(
        placed.checkout_id,
        placed.order_id,
        totals.total,
        currency,
        "tok",
        seller_parts(ordered, totals),
        tax=totals.tax,
    )
    return placed, charge


def order_state(placed):
    """The order as its rows say it, before anything of it was paid back."""
    return OrderState(
        "confirmed",
        Amounts(
            placed.currency,
            placed.subtotal,
            placed.discount,
            placed.tax,
            placed.shipping,
            {part.seller_id: part for part in placed.part_shipping or []},
            placed.tax_included,
        ),
        {
            line.order_line_id: LineState(
                line.offer_id,
                line.seller_id,
                line.quantity,
                0,
                0,
                0,
                line.unit_price,
                discount=line.discount,
                seller_discount=line.seller_discount,
                tax=line.tax,
                shop_tax=line.shop_tax,
            )
            for line in placed.lines
        },
        {},
    )


@given(
    st.lists(_LINE, min_size=1, max_size=5),
    st.tuples(st.integers(0, 900), st.integers(0, 900)),
    st.lists(_OFF, max_size=3),
    st.sampled_from(["USD", "JPY", "KWD"]),
    st.booleans(),
    st.data(),
)
def test_what_is_paid_back_in_any_order_is_what_was_paid_account_by_account(
    raw, deliveries, taken, currency, included, data
):
    placed, charge = bought(raw, deliveries, taken, currency, included)
    accounts, amounts = capture(charge, kept(charge, 100_000))
    captured = Captured(dict(zip(accounts, amounts, strict=True)), gross(charge))
    assert sum(amounts) == 0
    for part, owed in zip(charge.sellers, costs_as_placed(placed), strict=True):
        assert (part.amount, part.delivery) == (owed.price - owed.seller_discount, owed.shipping)
    state = order_state(placed)
    books, before, given = dict(captured.postings), {}, []
    asks = [
        (n, data.draw(st.integers(1, 4))) for n in data.draw(st.lists(st.sampled_from(sorted(state.lines))))
    ]
    for n, (line_id, units) in enumerate([*asks, (None, 0)]):
        some = [LineQuantity(line_id, units)] if line_id else None
        kind = data.draw(st.sampled_from(["cancel", "refund"])) if line_id else "cancel"
        try:
            lines, owed = move(state, UnitMove(kind=kind, reference="x", who="operator", lines=some))
        except (NotCancellable, ExceedsCaptured):
            continue
        given.extend(owed.parts)
        state = state._replace(lines=lines, given=owed_of(given))
        request = refund_request(f"refund/{n}", owed)
        parts = split(captured, before, request)
        for account, amount in zip(*refund(captured, before, parts), strict=True):
            books[account] = books.get(account, 0) + amount
        for account, amount in parts.items():
            before[account] = before.get(account, 0) + amount
    books["provider"] += books.pop("refunds", 0)
    assert sum(part.amount for part in given) == placed.total
    assert {account: amount for account, amount in books.items() if amount} == {}


@given(
    st.lists(_LINE, min_size=1, max_size=5),
    st.tuples(st.integers(0, 900), st.integers(0, 900)),
    st.lists(_OFF, max_size=3),
    st.sampled_from(["USD", "JPY", "KWD"]),
    st.booleans(),
)
def test_what_the_shop_gives_away_changes_nothing_for_sellers(raw, deliveries, taken, currency, included):
    _, given_away = bought(raw, deliveries, [(a, b, False) for a, b, _ in taken], currency, included)
    _, without = bought(raw, deliveries, [], currency, included)
    gets, got = (sum(part.amount + part.delivery for part in each.sellers) for each in (given_away, without))
    assert gets == got  # what is taxed at one rate is rounded together


def test_half_of_a_price_with_tax_is_the_shops_gift_without_tax():
    placed, charge = bought([(1, 11_900, BOB)], (0, 0), [(5_950, 0, False)], "USD", True)
    accounts, amounts = capture(charge, kept(charge, 0))
    assert dict(zip(accounts, amounts, strict=True)) == {
        "provider": 5_950,
        "seller:7": -10_000,
        "tax": -950,
        "discounts": 5_000,
    }
    [cost] = costs_as_placed(placed)
    assert (cost.price, cost.discount, cost.tax, cost.amount) == (10_000, 5_000, 950, 5_950)


def test_units_that_cost_nothing_are_paid_back_one_by_one_with_nothing():
    off = Reduction(AppliedDiscount(ids.PromotionId(1), "Off"), [1, 2, 1])
    placed, _ = bought([(1, 1, BOB), (2, 1, BOB), (1, 1, BOB)], (0, 0), [off], "USD", True)
    state, given = order_state(placed), []
    for line_id in (line for line, each in state.lines.items() for _ in range(each.quantity)):
        some = [LineQuantity(line_id, 1)]
        lines, owed = move(state, UnitMove(kind="cancel", reference="x", who="operator", lines=some))
        assert sum(part.amount for part in owed.parts) == 0
        given.extend(owed.parts)
        state = state._replace(lines=lines, given=owed_of(given))


def test_a_refund_of_an_amount_asks_nothing_of_a_seller_whose_part_cost_nothing():
    off = Reduction(AppliedDiscount(ids.PromotionId(1), "Off"), [0, 1_000])
    placed, _ = bought([(1, 1_000, BOB), (1, 1_000, EVE)], (0, 0), [off], "USD", False)
    state = order_state(placed)

    def asked(amount):
        ask = UnitMove(kind="refund", reference="x", who="operator", amount=amount)
        return {part.seller_id: part.price for part in move(state, ask).owed.parts}

    assert asked(500) == {BOB: 420}  # 80 is the tax
    assert asked(placed.total) == {BOB: 1_000, EVE: 1_000}  # the whole order


def test_a_placed_order_of_an_earlier_release_shares_its_discount_and_tax():
    placed, _ = bought([(1, 100, BOB), (3, 100, EVE)], (0, 0), [], "USD", False)
    old = msgspec.structs.replace(
        placed,
        lines=[msgspec.structs.replace(line, tax=None) for line in placed.lines],
        discount=40,
        tax=8,
        shipping=12,
        part_shipping=None,
    )
    assert [(part.discount, part.tax, part.shipping) for part in costs_as_placed(old)] == [
        (10, 2, 3),
        (30, 6, 9),
    ]
