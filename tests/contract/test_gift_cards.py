"""Gift cards and store credit in payments: held, taken with the capture, given back, refunded."""

import asyncio
from datetime import timedelta

import asyncpg
import httpx
import msgspec
import pytest
from both_ways import posts_to
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from mercat import ids
from mercat.gift_codes import hash_of, new_code
from mercat.kit import clock
from mercat.kit.refusals import NotFound, OtherCurrency
from mercat.kit.stand_ins import remote, serve_asks
from mercat.payments import (
    API,
    Charge,
    CreditTooSmall,
    GiftCardNotUsable,
    GiftCardUnknown,
    GrantedCredit,
    NewGiftCard,
    PaymentDeclined,
    Payments,
    RefundRequest,
    SellerPart,
    SpendableOf,
    Tender,
    TenderHold,
    VoidedPurchase,
)
from mercat.payments.providers.sandbox import Sandbox
from mercat.payments.rules import shares_back
from mercat.web.order_shown import payment_parts

BOB, ANN = ids.SellerId(7), ids.UserId(11)


@pytest.fixture
async def local(pool, settings):
    db = await pool("payments")
    quick = msgspec.structs.replace(settings, provider_timeout_s=0.2)
    return Payments(db, Sandbox(db, hang_s=0.5), quick)


@pytest.fixture(params=["in process", "over http"])
async def payments(request, local):
    if request.param == "in process":
        yield local
    else:
        app = httpx.ASGITransport(Starlette(routes=serve_asks(API, local)))
        async with httpx.AsyncClient(transport=app, base_url="http://payments") as http:
            yield remote(Payments, API, posts_to(http))


async def card_of(payments, amount=5_000, **more):
    made = await payments.make_gift_card(NewGiftCard(amount, "USD", **more))
    return await payments.find_gift_card(made.code)


def paid_with(tenders, amount=10_000, token="tok_visa"):
    return Charge(
        checkout_id=ids.new(ids.CheckoutId),
        order_id=ids.new(ids.OrderId),
        amount=amount,
        currency="USD",
        token=token,
        sellers=[SellerPart(BOB, amount)],
        tenders=tenders,
    )


def part(value, amount):
    return Tender(value.value_id, value.kind, amount)


async def hold(payments, charge):
    [held] = await payments.hold_many([TenderHold(charge.checkout_id, charge.tenders)])
    return held


async def undo(payments, charge):
    await payments.void_tendered(
        VoidedPurchase(charge.checkout_id, charge.order_id, charge.tenders, charge.by_card > 0)
    )


async def balance(payments, value):
    [now] = await payments.spendable(SpendableOf([value.value_id]))
    return now.balance


async def balances(payments):
    return {line.account: line.balance for line in await payments.trial_balance()}


async def test_a_code_is_shown_once_and_read_however_it_is_typed(payments, db):
    made = await payments.make_gift_card(NewGiftCard(5_000, "USD"))
    assert len(made.code.replace("-", "")) == 20
    for typed in (made.code, made.code.lower(), made.code.replace("-", " "), f"  {made.code}\n"):
        found = await payments.find_gift_card(typed)
        assert (found.value_id, found.balance, found.last4) == (made.gift_card_id, 5_000, made.code[-4:])
    kept = await db.fetchval("select row_to_json(v)::text from payments.stored_value v")
    assert made.code not in kept
    assert made.code.replace("-", "") not in kept
    [listed] = await payments.gift_cards(None, 10)
    assert (listed.last4, listed.balance, listed.status) == (made.code[-4:], 5_000, "active")


def test_letters_that_look_alike_are_the_same():
    assert hash_of("OIL0-1110") == hash_of("01101110")
    assert len({new_code() for _ in range(1_000)}) == 1_000


async def test_what_cannot_be_used_says_why(payments, clock_ahead, db):
    with pytest.raises(GiftCardUnknown):
        await payments.find_gift_card("0000-0000-0000-0000-0000")
    with pytest.raises(OtherCurrency, match=r"EUR.*USD"):
        await payments.make_gift_card(NewGiftCard(5_000, "EUR"))
    made = await payments.make_gift_card(NewGiftCard(5_000, "USD", clock.now() + timedelta(days=1)))
    await payments.set_gift_card_status(made.gift_card_id, "disabled")
    with pytest.raises(GiftCardNotUsable, match="disabled"):
        await payments.find_gift_card(made.code)
    await payments.set_gift_card_status(made.gift_card_id, "active")
    clock_ahead(2 * 86_400)
    with pytest.raises(GiftCardNotUsable, match="expired"):
        await payments.find_gift_card(made.code)
    await db.execute("update payments.stored_value set currency = 'EUR'")
    with pytest.raises(OtherCurrency, match=r"EUR.*USD"):
        await payments.find_gift_card(made.code)
    with pytest.raises(NotFound):
        await payments.set_gift_card_status(ids.GiftCardId(1), "disabled")


async def test_a_card_and_a_gift_card_pay_one_order(payments, db):
    gift = await card_of(payments)
    charge = paid_with([part(gift, 4_000)])
    for _ in range(2):
        assert await hold(payments, charge)
    assert await balance(payments, gift) == 1_000
    for _ in range(2):
        await payments.charge(charge)
    assert await db.fetchval("select sum(amount) from payments.sandbox_charge") == 6_000
    assert await balances(payments) == {
        "provider": 6_000,
        "gift_cards": -1_000,
        "credit_issued": 5_000,
        f"seller:{int(BOB)}": -9_000,
        "commission": -1_000,
    }
    [payment] = await payments.of_order(charge.order_id)
    assert (payment.amount, payment.by_card) == (10_000, 6_000)
    assert [(each.kind, each.amount, each.last4) for each in payment.tenders] == [
        ("gift_card", 4_000, gift.last4)
    ]
    assert (await payments.reconcile()).differences == 0


@pytest.mark.parametrize("together", [True, False])
async def test_an_order_that_a_gift_card_pays_alone_asks_no_provider(payments, db, together):
    gift = await card_of(payments, 10_000)
    charge = paid_with([part(gift, 10_000)], token="")
    assert await hold(payments, charge)
    if together:
        assert await payments.charge_many([charge]) == [True]
    else:
        await payments.charge(charge)
    assert await db.fetchval("select count(*) from payments.sandbox_charge") == 0
    assert await balance(payments, gift) == 0
    await payments.refund(charge.order_id, RefundRequest("cancel/1", 10_000))
    assert await balance(payments, gift) == 10_000
    assert (await payments.reconcile()).differences == 0


async def test_a_declined_card_spends_no_gift_card(payments):
    gift = await card_of(payments)
    charge = paid_with([part(gift, 4_000)], token="tok_declined")
    assert await hold(payments, charge)
    with pytest.raises(PaymentDeclined):
        await payments.charge(charge)
    for _ in range(2):
        await undo(payments, charge)
    assert await balance(payments, gift) == 5_000
    assert not await hold(payments, charge)
    assert await balance(payments, gift) == 5_000


async def test_what_was_given_up_is_never_held(payments):
    gift = await card_of(payments)
    charge = paid_with([part(gift, 4_000)])
    await undo(payments, charge)
    assert not await hold(payments, charge)
    assert await balance(payments, gift) == 5_000


async def test_a_capture_that_is_undone_gives_back_to_each(payments):
    gift = await card_of(payments)
    charge = paid_with([part(gift, 4_000)])
    await hold(payments, charge)
    await payments.charge(charge)
    for _ in range(2):
        await undo(payments, charge)
    assert await balance(payments, gift) == 5_000
    left = {account: amount for account, amount in (await balances(payments)).items() if amount}
    assert left == {"gift_cards": -5_000, "credit_issued": 5_000}


async def test_an_old_challenge_gives_back_what_was_held(local, clock_ahead):
    gift = await card_of(local)
    charge = paid_with([part(gift, 4_000)], token="tok_3ds")
    await hold(local, charge)
    assert (await local.charge(charge)).next_action
    clock_ahead(86_400)
    assert await local.void_stale() == 1
    assert await balance(local, gift) == 5_000


async def test_who_races_for_one_card_spends_it_once(payments):
    gift = await card_of(payments)
    charges = [paid_with([part(gift, 3_000)]) for _ in range(10)]
    together = payments.hold_many([TenderHold(each.checkout_id, each.tenders) for each in charges[:5]])
    held, *alone = await asyncio.gather(together, *(hold(payments, each) for each in charges[5:]))
    assert sum([*held, *alone]) == 1
    assert await balance(payments, gift) == 2_000


async def test_all_or_nothing_is_held(payments):
    full, empty = await card_of(payments), await card_of(payments, 100)
    charge = paid_with([part(full, 4_000), part(empty, 200)])
    assert not await hold(payments, charge)
    assert [await balance(payments, each) for each in (full, empty)] == [5_000, 100]


async def test_a_set_of_many_holds_each(payments):
    cards = [await card_of(payments) for _ in range(5)]
    charges = [paid_with([part(cards[n % 5], 50), part(cards[(n + 1) % 5], 50)]) for n in range(200)]
    asked = [TenderHold(each.checkout_id, each.tenders) for each in charges]
    answers = await asyncio.gather(*(payments.hold_many(asked[n::2]) for n in range(2)))
    assert sum(map(sum, answers)) == 200
    assert sum([await balance(payments, each) for each in cards]) == 25_000 - 200 * 100


async def test_refunds_go_back_to_where_they_came_from(payments, db):
    gift = await card_of(payments)
    charge = paid_with([part(gift, 4_000)])
    await hold(payments, charge)
    await payments.charge(charge)
    await payments.refund(charge.order_id, RefundRequest("refund/1", 3_333))
    assert await balance(payments, gift) == 1_000 + 1_333
    for _ in range(2):
        await payments.refund(charge.order_id, RefundRequest("refund/2", 6_667))
    assert await balance(payments, gift) == 5_000
    assert await db.fetchval("select refunded from payments.sandbox_charge") == 6_000
    [payment] = await payments.of_order(charge.order_id)
    assert [(each.amount, each.to_card) for each in payment.refunds] == [(3_333, 2_000), (6_667, 4_000)]
    left = {account: amount for account, amount in (await balances(payments)).items() if amount}
    assert left == {"gift_cards": -5_000, "credit_issued": 5_000}
    assert (await payments.reconcile()).differences == 0


async def test_a_refund_is_shown_with_the_gift_card_that_it_went_back_to(payments):
    gifts = [await card_of(payments, 1_000), await card_of(payments, 3_000)]
    charge = paid_with([part(gifts[0], 1_000), part(gifts[1], 3_000)])
    await hold(payments, charge)
    await payments.charge(charge)
    for reference, amount in (("refund/1", 3_333), ("refund/2", 6_667)):
        await payments.refund(charge.order_id, RefundRequest(reference, amount))
        [payment] = await payments.of_order(charge.order_id)
        shown = payment_parts(payment)
        assert sum(back.amount for each in shown for back in each.refunds) == payment.refunded / 100
        assert all(back.to == each.kind for each in shown for back in each.refunds)
    assert [(each.amount, sum(back.amount for back in each.refunds)) for each in shown] == [
        (60, 60),
        (10, 10),
        (30, 30),
    ]


async def test_a_refund_may_go_to_store_credit(payments, db):
    gift = await card_of(payments)
    charge = paid_with([part(gift, 4_000)])
    await hold(payments, charge)
    await payments.charge(charge)
    for _ in range(2):
        await payments.refund(charge.order_id, RefundRequest("refund/1", 5_000, credit_to=ANN))
    credit = await payments.store_credit(ANN)
    assert (credit.balance, [each.kind for each in credit.entries]) == (5_000, ["refunded"])
    assert await balance(payments, gift) == 1_000
    await payments.refund(charge.order_id, RefundRequest("refund/2", 5_000))
    assert await balance(payments, gift) == 1_000 + 2_000
    assert await db.fetchval("select refunded from payments.sandbox_charge") == 3_000
    assert (await balances(payments))["store_credit"] == -5_000


async def test_store_credit_is_given_and_taken_and_pays(payments):
    credit = await payments.grant_store_credit(GrantedCredit(ANN, 3_000, "late parcel"))
    assert (credit.balance, credit.entries[0].note) == (3_000, "late parcel")
    with pytest.raises(CreditTooSmall):
        await payments.grant_store_credit(GrantedCredit(ANN, -3_001, "mistake"))
    assert (await payments.grant_store_credit(GrantedCredit(ANN, -1_000, "mistake"))).balance == 2_000
    [mine] = await payments.spendable(SpendableOf(people=[ANN]))
    charge = paid_with([part(mine, 2_000)])
    assert await hold(payments, charge)
    await payments.charge(charge)
    assert (await payments.store_credit(ANN)).balance == 0
    assert (await balances(payments))["store_credit"] == 0


async def test_the_database_overdraws_no_card(payments, db):
    await card_of(payments)
    with pytest.raises(asyncpg.CheckViolationError, match="never_overdrawn"):
        await db.execute("update payments.stored_value set balance = -1")


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=5),
    st.lists(st.integers(1, 10**6), max_size=6),
    st.sampled_from([1, 10]),
)
def test_refunds_one_by_one_give_back_exactly_what_each_paid(paid, refunds, step):
    paid = [each * step for each in paid]
    left = list(paid)
    for wanted in [*refunds, sum(paid)]:
        amount = min(wanted * step, sum(left))
        shares = shares_back(left, amount, step)
        assert sum(shares) == amount
        assert all(0 <= share <= rest and share % step == 0 for share, rest in zip(shares, left, strict=True))
        left = [rest - share for rest, share in zip(left, shares, strict=True)]
    assert left == [0] * len(paid)
