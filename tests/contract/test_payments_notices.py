"""A provider's notices: signed or refused, early, late, twice and in any order, and beside the browser: one
transition."""

import asyncio
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from both_ways import WAYS, reached
from scene import HOME, WALKED_AWAY, Scene

from mercat import app, ids
from mercat.app import build_shop
from mercat.checkout import API, Buy, Checkout
from mercat.kit.refusals import NotFound, Unavailable
from mercat.lab.bench.stripe_double import SECRET, StripeDouble
from mercat.payments import BadSignature, ChallengeOutcome, Webhook
from mercat.settings import Secret


@pytest.fixture
async def scene(settings, db):
    async with AsyncExitStack() as stack:
        yield await Scene(await build_shop(settings, stack), db).open()


@pytest.fixture(params=WAYS)
async def checkout(request, scene):
    async with reached(request.param, Checkout, API, scene.checkout) as checkout:
        yield checkout


def ticket_in(said):
    return msgspec.json.decode(said.body)["next_action"]["url"].rsplit("/", 1)[1]


async def waiting(scene, checkout, key="k1"):
    """A checkout at its bank: the ask, its id, and the ticket of the bank's page."""
    ask = await scene.ask("tok_3ds")
    ticket = ticket_in(await checkout.buy(scene.ann, key, ask))
    return ask, await scene.shop.payments.challenged(ticket), ticket


def letter(scene, checkout_id, event_id="evt_1"):
    body, signature = scene.shop.payments._provider.webhook(checkout_id, event_id)
    return Webhook("sandbox", body, signature)


async def approve(scene, checkout_id, yes=True):
    await scene.shop.payments._provider.answer_challenge(checkout_id, yes)


async def test_a_notice_carries_the_checkout_on_though_the_browser_never_comes_back(scene, checkout):
    ask, checkout_id, _ = await waiting(scene, checkout)
    await approve(scene, checkout_id)
    assert not (await checkout.receive_webhook(letter(scene, checkout_id))).done
    await scene.must_have_bought()
    assert (await checkout.buy(scene.ann, "k1", ask)).replayed


async def test_a_notice_twice_early_late_and_out_of_order_changes_nothing(scene, checkout):
    _, checkout_id, _ = await waiting(scene, checkout)
    await checkout.receive_webhook(letter(scene, checkout_id, "evt_3"))  # nothing has happened yet
    assert (await checkout.receive_webhook(letter(scene, checkout_id, "evt_3"))).done
    await approve(scene, checkout_id)
    for event in ("evt_2", "evt_1", "evt_2"):
        await checkout.receive_webhook(letter(scene, checkout_id, event))
    await scene.must_have_bought()
    assert await scene.db.fetchval("select count(*) from payments.notice") == 3


async def test_notice_and_browser_at_once_are_one_transition(scene, checkout):
    ask, checkout_id, ticket = await waiting(scene, checkout)
    await approve(scene, checkout_id)
    await asyncio.gather(
        *(checkout.receive_webhook(letter(scene, checkout_id, f"evt_{n}")) for n in range(4)),
        checkout.challenge(ticket, ChallengeOutcome("approve")),
        *(checkout.buy(scene.ann, "k1", ask) for _ in range(3)),
        return_exceptions=True,
    )
    await scene.must_have_bought()


async def test_a_notice_that_came_while_somebody_worked_is_taken_up_again(scene, checkout, clock_ahead):
    _, checkout_id, _ = await waiting(scene, checkout)
    await scene.db.execute(
        "update checkout.running set waits_until = null, lease_until = now() + interval '9 s'"
    )
    await approve(scene, checkout_id)
    assert not (await checkout.receive_webhook(letter(scene, checkout_id))).done
    assert await scene.orders() == []
    clock_ahead(20)
    await scene.checkout.webhooks.retry_waiting()
    await scene.must_have_bought()
    assert await scene.shop.payments.take_pending_webhooks() == []


async def test_a_notice_after_the_end_is_heard_and_charges_nothing(scene, checkout, clock_ahead):
    _, checkout_id, _ = await waiting(scene, checkout)
    clock_ahead(WALKED_AWAY)
    assert await scene.checkout.recovery.recover() == 1
    await approve(scene, checkout_id)
    await checkout.receive_webhook(letter(scene, checkout_id))
    await scene.must_have_bought_nothing()


async def test_a_held_payment_that_nobody_came_back_for_is_let_go(scene, clock_ahead):
    _, checkout_id, _ = await waiting(scene, scene.checkout)
    await approve(scene, checkout_id)
    await scene.db.execute("delete from checkout.running")  # its checkout is beyond recovery
    assert await scene.shop.payments.void_stale() == 0
    clock_ahead(3_700)
    assert await scene.shop.payments.void_stale() == 1
    states = await scene.db.fetch("select state from payments.sandbox_charge")
    assert [row["state"] for row in states] == ["cancelled"]


async def test_what_is_not_signed_of_now_is_not_heard(scene, checkout, clock_ahead):
    _, checkout_id, _ = await waiting(scene, checkout)
    good = letter(scene, checkout_id)
    for wrong in (
        msgspec.structs.replace(good, body=good.body.replace(b"evt_1", b"evt_2")),
        msgspec.structs.replace(good, signature=""),
        msgspec.structs.replace(good, signature="t=1,v1=\N{SNOWMAN}"),
        msgspec.structs.replace(good, signature=good.signature.replace("t=", "t=0")),
    ):
        with pytest.raises(BadSignature):
            await checkout.receive_webhook(wrong)
    with pytest.raises(NotFound):
        await checkout.receive_webhook(msgspec.structs.replace(good, provider="stripe"))
    clock_ahead(301)  # recorded, and sent again
    with pytest.raises(BadSignature):
        await checkout.receive_webhook(good)
    assert await scene.db.fetchval("select count(*) from payments.notice") == 0


async def test_a_notice_of_no_checkout_of_ours_is_heard_once_and_for_all(scene, checkout):
    await checkout.receive_webhook(letter(scene, ids.new(ids.CheckoutId)))
    assert await scene.db.fetchval("select count(*) from payments.notice where done_at is null") == 0


# -- refunds that fail


async def bought_and_cancelled(scene, card="tok_visa"):
    await scene.checkout.buy(scene.ann, "k1", await _ask(scene, card))
    [order] = await scene.orders()
    await scene.checkout.cancel(scene.ann, order.order_id)
    [payment] = await scene.shop.payments.of_order(order.order_id)
    return order, payment.refunds[0]


async def refunds_account(scene):
    balances = await scene.shop.payments.trial_balance()
    return sum(each.balance for each in balances if each.account == "refunds")


async def test_a_refund_that_failed_is_owed_again_and_everybody_is_told_so(scene, checkout, clock_ahead):
    order, refund = await bought_and_cancelled(scene)
    provider = scene.shop.payments._provider
    checkout_id = ids.CheckoutId(await scene.db.fetchval("select checkout_id from checkout.checkout"))
    assert await refunds_account(scene) == 0
    await provider.fail_refund(refund.refund_id)
    for event in ("evt_1", "evt_1", "evt_2"):
        told = provider.webhook(checkout_id, event, "refund.failed", refund.refund_id)
        await checkout.receive_webhook(Webhook("sandbox", *told))
    [payment] = await scene.shop.payments.of_order(order.order_id)
    assert (payment.status, [each.status for each in payment.refunds]) == ("captured", ["failed"])
    assert await refunds_account(scene) == -order.total
    [case] = await scene.shop.payments.cases()
    assert (case.kind, case.order_id, case.ours, case.theirs) == (
        "refund_failed",
        order.order_id,
        order.total,
        0,
    )
    await scene.checkout.cancel(scene.ann, order.order_id)  # asked again, it is not paid by itself
    assert await refunds_account(scene) == -order.total
    await scene.settled()
    clock_ahead(180)
    assert (await scene.shop.payments.reconcile()).differences == 0


async def test_a_refund_that_failed_before_we_heard_that_it_was_made(with_stripe, clock_ahead):
    scene, double = with_stripe
    await scene.checkout.buy(scene.ann, "k1", await _ask(scene, "pm_card_visa"))
    [order] = await scene.orders()
    double.faults = ["lost"]
    with pytest.raises(Unavailable):
        await scene.checkout.cancel(scene.ann, order.order_id)
    [refund] = double.refunds.values()
    refund["status"] = "failed"
    body, signature = double.event("refund.failed", refund)
    await scene.checkout.receive_webhook(Webhook("stripe", body, signature))
    clock_ahead(20)
    assert await scene.checkout.aftercare.recover() == 1
    [payment] = await scene.shop.payments.of_order(order.order_id)
    assert [(each.status, each.amount) for each in payment.refunds] == [("failed", order.total)]
    assert await refunds_account(scene) == -order.total
    assert len(double.refunds) == 1
    assert await scene.left() == (10, 0)
    await scene.settled()


# -- the same shop with Stripe


@pytest.fixture
async def with_stripe(settings, db):
    """A scene of a shop that is paid through Stripe, and the double of Stripe."""
    double = StripeDouble()
    async with double.serving() as url, AsyncExitStack() as stack:
        told = msgspec.structs.replace(
            settings,
            payment_provider="stripe",
            variables={
                "stripe_key": Secret("sk_test_double"),
                "stripe_webhook_secret": Secret(SECRET),
                "stripe_url": Secret(url),
            },
        )
        scene = await Scene(await build_shop(told, stack), db).open()
        yield scene, double


async def _ask(scene, card):
    address = await scene.shop.accounts.add_address(scene.ann.user_id, HOME)
    return Buy(address, await scene.shop.accounts.add_payment_method(scene.ann.user_id, card), "standard")


async def test_a_purchase_with_stripe_from_the_card_to_the_refund(with_stripe):
    scene, double = with_stripe
    assert (
        await scene.checkout.buy(scene.ann, "k1", await _ask(scene, "pm_card_chargeDeclined"))
    ).status == 402
    assert await scene.left() == (10, 0)
    assert (await scene.checkout.buy(scene.ann, "k2", await _ask(scene, "pm_card_visa"))).status == 201
    [order] = await scene.orders()
    assert double.net() == order.total == 2_624
    await scene.checkout.cancel(scene.ann, order.order_id)
    assert double.net() == 0
    assert await scene.left() == (10, 0)
    await scene.settled()


async def test_a_challenge_of_stripe_goes_on_by_notice_and_browser_at_once(with_stripe):
    scene, double = with_stripe
    ask = await _ask(scene, "pm_card_authenticationRequired")
    first = await scene.checkout.buy(scene.ann, "k1", ask)
    [intent] = double.intents.values()
    assert first.status == 202
    assert msgspec.json.decode(first.body)["next_action"] == {
        "type": "three_d_secure",
        "url": intent["next_action"]["redirect_to_url"]["url"],
    }
    double.authenticate(intent["id"])
    notices = [
        Webhook("stripe", *double.event("payment_intent.amount_capturable_updated", intent, f"evt_{n}"))
        for n in range(3)
    ]
    await asyncio.gather(
        *(scene.checkout.receive_webhook(notice) for notice in notices),
        scene.checkout.buy(scene.ann, "k1", ask),
        return_exceptions=True,
    )
    assert (await scene.checkout.buy(scene.ann, "k1", ask)).status == 201
    assert double.net() == 2_624
    await scene.settled()


async def test_a_shopper_comes_back_from_the_banks_page(with_stripe):
    scene, double = with_stripe
    await scene.checkout.buy(scene.ann, "k1", await _ask(scene, "pm_card_authenticationRequired"))
    [intent] = double.intents.values()
    back = urlsplit(intent["next_action"]["redirect_to_url"]["return_url"]).path
    door = httpx.ASGITransport(await app.public_app(scene.shop), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=door, base_url="http://shop") as browser:
        early = await browser.get(back)
        assert "Your bank asks you first" in early.text
        assert f'href="{intent["next_action"]["redirect_to_url"]["url"]}"' in early.text
        double.authenticate(intent["id"])
        for _ in range(2):
            done = await browser.get(back)
            [order] = await scene.orders()
            assert (done.status_code, done.headers["location"]) == (303, f"/orders/{order.order_id}?placed=1")
    assert double.net() == order.total


async def test_while_stripe_is_away_a_checkout_is_pending_and_then_undone(
    with_stripe, clock_ahead, monkeypatch
):
    monkeypatch.setattr("mercat.checkout.purchases._PATIENCE_S", 1.0)
    scene, double = with_stripe
    double.faults = ["lost", *["500"] * 50]
    ask = await _ask(scene, "pm_card_visa")
    buying = asyncio.create_task(scene.checkout.buy(scene.ann, "k1", ask))
    said = await buying
    assert said.status == 202
    double.faults = []
    clock_ahead(80)
    await scene.checkout.recovery.recover()
    assert (await scene.checkout.buy(scene.ann, "k1", ask)).status == 402
    assert [intent["status"] for intent in double.intents.values()] == ["canceled"]
    await scene.must_have_bought_nothing()
