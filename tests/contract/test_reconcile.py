"""Our books beside the sandbox's: what is the same opens nothing, and each difference one case until it is
resolved."""

import pytest

from mercat import ids
from mercat.kit.refusals import Invalid, NotFound
from mercat.payments import ChallengeOutcome, Charge, Payments, RefundRequest, SellerPart
from mercat.payments.providers.sandbox import Sandbox

FOREIGN = """
insert into payments.sandbox_charge (key, amount, currency, token, state) values ($1, 7, 'USD', '', 'charged')
"""


@pytest.fixture
async def payments(pool, settings):
    db = await pool("payments")
    return Payments(db, Sandbox(db, hang_s=0.1), settings)


def charge(token="tok_visa"):
    return Charge(
        checkout_id=ids.new(ids.CheckoutId),
        order_id=ids.new(ids.OrderId),
        amount=10_000,
        currency="USD",
        token=token,
        sellers=[SellerPart(ids.SellerId(7), 10_000)],
    )


async def test_once_a_day_the_books_are_compared_by_themselves(payments, db, pool, settings, clock_ahead):
    other = Payments(await pool("payments"), Sandbox(await pool("payments"), hang_s=0.1), settings)
    assert await payments.reconcile_if_due() is None
    await payments.charge(charge())
    await db.execute(FOREIGN, ids.new(ids.CheckoutId))
    clock_ahead(86_401)
    done = await payments.reconcile_if_due()
    assert done is not None
    assert (done.checked, done.opened) == (2, 1)
    assert await other.reconcile_if_due() is None
    clock_ahead(2 * 86_401)
    assert await other.reconcile_if_due() is not None


async def test_a_comparison_that_failed_is_made_again_in_ten_minutes(payments, db, clock_ahead):
    clock_ahead(86_401)
    await db.execute("alter table payments.sandbox_charge rename to elsewhere")
    try:
        assert await payments.reconcile_if_due() is None
    finally:
        await db.execute("alter table payments.elsewhere rename to sandbox_charge")
    assert await payments.reconcile_if_due() is None
    clock_ahead(86_401 + 601)
    assert await payments.reconcile_if_due() is not None


async def test_every_difference_is_a_case_until_it_is_resolved(payments, db, clock_ahead):
    same, back, lost, more, held = [charge() for _ in range(4)] + [charge("tok_3ds")]
    for ask in (same, back, lost, more):
        await payments.charge(ask)
    await payments.refund(same.order_id, RefundRequest("return/1", 100))
    waiting = await payments.charge(held)
    await payments.answer_challenge(waiting.next_action.url.rsplit("/", 1)[1], ChallengeOutcome("approve"))
    assert (await payments.reconcile()).checked == 0  # of the last two minutes nothing is said
    clock_ahead(180)
    first = await payments.reconcile()
    assert (first.checked, first.differences) == (5, 0)

    books = "update payments.sandbox_charge set"
    await db.execute(f"{books} refunded = 5 where key = $1", back.checkout_id)
    await db.execute(f"{books} state = 'cancelled' where key = $1", lost.checkout_id)
    await db.execute(f"{books} amount = 10001 where key = $1", more.checkout_id)
    await db.execute("delete from payments.payment where checkout_id = $1", held.checkout_id)
    await db.execute(FOREIGN, ids.new(ids.CheckoutId))
    clock_ahead(400)
    for fresh in (5, 0):
        said = await payments.reconcile()
        assert (said.checked, said.differences, said.opened) == (6, 5, fresh)
    cases = {case.kind: case for case in await payments.cases()}
    assert {kind: (case.ours, case.theirs) for kind, case in cases.items()} == {
        "refund_differs": (0, 5),
        "payment_without_charge": (10_000, 0),
        "amount_differs": (10_000, 10_001),
        "authorisation_left": (0, 10_000),
        "charged_without_payment": (0, 7),
    }
    assert cases["amount_differs"].order_id == more.order_id

    case_id = cases["refund_differs"].case_id
    with pytest.raises(Invalid):
        await payments.resolve(case_id, "ops", "  ")
    await payments.resolve(case_id, "ops", "Paid back by hand.")
    with pytest.raises(NotFound):
        await payments.resolve(case_id, "ops", "Again.")
    [resolved] = await payments.cases(resolved=True)
    assert (resolved.resolved_by, resolved.note) == ("ops", "Paid back by hand.")
    assert len(await payments.cases()) == 4
    assert (await payments.reconcile()).opened == 1  # it differs still, so it is a case again
