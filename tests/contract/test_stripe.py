"""What Stripe promises through us: one charge a checkout whatever is lost on the way, and nothing kept that
is not owed. Against a double that keeps idempotency keys and refuses an excess refund."""

import asyncio
import re
import time
import traceback

import msgspec
import pytest
import stripe as library

from mercat import ids
from mercat.kit.refusals import Invalid, Unavailable
from mercat.kit.stripe_amounts import NotChargeable, from_stripe, to_stripe
from mercat.lab.bench.stripe_double import SECRET, StripeDouble
from mercat.payments import (
    BadSignature,
    Charge,
    PaymentDeclined,
    Payments,
    RefundRequest,
    SellerPart,
    Webhook,
    declaration,
)
from mercat.payments.messages import PaymentUnavailable, RefundTooLarge
from mercat.payments.provider import ChargeRequest, ProviderUnreachable
from mercat.payments.providers.stripe import StripeSettings
from mercat.payments.providers.stripe.adapter import Stripe
from mercat.settings import Secret, WrongSetting, load

BOB = ids.SellerId(7)
ANN, EVE = ids.UserId(8), ids.UserId(9)


@pytest.fixture
async def double():
    return StripeDouble()


@pytest.fixture
async def payments(pool, settings, double):
    async with double.serving() as url:
        told = msgspec.structs.replace(
            settings,
            payment_provider="stripe",
            variables={
                "stripe_key": Secret("sk_test_double"),
                "stripe_webhook_secret": Secret(SECRET),
                "stripe_url": Secret(url),
            },
            provider_timeout_s=1,
        )
        provider = Stripe(told)
        yield Payments(await pool("payments"), provider, told)
        await provider.close()


def charge(token="pm_card_visa", amount=10_000, currency="USD", user_id=None):
    return Charge(
        checkout_id=ids.new(ids.CheckoutId),
        order_id=ids.new(ids.OrderId),
        amount=amount,
        currency=currency,
        token=token,
        sellers=[SellerPart(BOB, amount - 1_000)],
        shipping=600,
        tax=400,
        user_id=user_id,
    )


def creations(double):
    return [asked for verb, path, asked, _ in double.asked if (verb, path) == ("POST", "/v1/payment_intents")]


async def status_of(payments, ask):
    return [(payment.status, payment.amount) for payment in await payments.of_order(ask.order_id)]


async def test_a_charge_is_authorised_then_captured_and_carries_its_key(payments, double):
    ask = charge()
    await payments.charge(ask)
    [intent] = double.captured()
    assert (intent["amount_received"], intent["currency"]) == (10_000, "usd")
    assert intent["metadata"] == {"checkout": str(ask.checkout_id), "order": str(ask.order_id)}
    assert [headers["Idempotency-Key"] for *_, headers in double.asked] == [
        f"charge/{ask.checkout_id}",
        f"capture/{ask.checkout_id}",
    ]
    assert await status_of(payments, ask) == [("captured", 10_000)]


async def test_asked_often_and_at_once_it_is_one_charge(payments, double):
    ask = charge()
    answers = await asyncio.gather(*(payments.charge(ask) for _ in range(12)))
    assert len({answer.payment_id for answer in answers}) == 1
    assert double.net() == 10_000
    await payments.charge(ask)
    assert len(double.intents) == 1


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("fault", ["lost", "late 500", "cut", "500", "hang"])
async def test_whatever_is_lost_on_the_way_it_is_looked_up_before_it_is_asked_again(
    payments, double, fault, at
):
    """The creation (0) or the capture (1) fails before or after Stripe did it: charged once, or not at
    all."""
    ask = charge()
    double.faults = [""] * at + [fault]
    try:
        await payments.charge(ask)
    except PaymentUnavailable:
        assert await status_of(payments, ask) == []
        assert double.net() == 0
        assert {intent["status"] for intent in double.intents.values()} <= {"canceled"}
    else:
        assert await status_of(payments, ask) == [("captured", 10_000)]
        assert double.net() == 10_000
    assert len(double.intents) == 1
    [(verb, path, *_)] = double.asked[at + 1 : at + 2]
    assert verb == "GET", f"after {fault} came {verb} {path}"


async def test_while_it_is_away_nothing_is_decided_and_afterwards_it_is_found(payments, double, clock_ahead):
    ask = charge()
    double.faults = ["lost", "500", "500", "500"]
    with pytest.raises(Unavailable):
        await payments.charge(ask)
    double.faults = []
    clock_ahead(20)
    await payments.charge(ask)
    assert double.net() == 10_000
    assert len(double.intents) == 1


async def test_a_decline_says_why_and_is_final(payments, double):
    ask = charge("pm_card_insufficient")
    for _ in range(2):
        with pytest.raises(PaymentDeclined) as no:
            await payments.charge(ask)
        assert no.value.facts == {"reason": "insufficient_funds"}
    assert len(creations(double)) == 1


async def test_a_card_that_stripe_does_not_know_is_declined(payments):
    with pytest.raises(PaymentDeclined):
        await payments.charge(charge("pm_card_nobody"))


@pytest.mark.parametrize("ok", [True, False])
async def test_a_challenge_waits_for_the_shopper(payments, double, ok):
    ask = charge("pm_card_authenticationRequired")
    for _ in range(2):
        waiting = await payments.charge(ask)
        assert waiting.next_action
        assert re.match("https://hooks.stripe.com/", waiting.next_action.url)
    [intent] = double.intents.values()
    double.authenticate(intent["id"], ok)
    assert double.net() == 0  # a yes holds the money, and the shop takes it
    if ok:
        assert (await payments.charge(ask)).next_action is None
        assert double.net() == 10_000
    else:
        with pytest.raises(PaymentDeclined):
            await payments.charge(ask)
    assert len(double.intents) == 1


async def test_a_void_lets_go_of_what_is_held_and_a_late_yes_takes_nothing(payments, double):
    ask = charge("pm_card_authenticationRequired")
    await payments.charge(ask)
    for _ in range(2):
        await payments.void(ask.checkout_id, ask.order_id)
    [intent] = double.intents.values()
    assert intent["status"] == "canceled"
    double.authenticate(intent["id"])
    with pytest.raises(PaymentDeclined):
        await payments.charge(ask)
    assert double.net() == 0


async def test_a_void_of_what_was_captured_gives_it_back_once(payments, double):
    ask = charge()
    await payments.charge(ask)
    double.faults = ["lost"]
    with pytest.raises(Unavailable):
        await payments.void(ask.checkout_id, ask.order_id)
    for _ in range(2):
        await payments.void(ask.checkout_id, ask.order_id)
    assert double.net() == 0
    assert len(double.refunds) == 1
    assert await status_of(payments, ask) == [("refunded", 10_000)]


async def test_a_void_before_the_charge_leaves_nothing_to_charge(payments, double):
    ask = charge()
    await payments.void(ask.checkout_id, ask.order_id)
    with pytest.raises(PaymentDeclined):
        await payments.charge(ask)
    assert double.intents == {}


async def test_a_void_finds_a_charge_whose_answer_was_lost(payments, double):
    ask = charge()
    double.faults = ["lost", "500", "500", "500"]
    with pytest.raises(Unavailable):
        await payments.charge(ask)
    double.faults = []
    await payments.void(ask.checkout_id, ask.order_id)
    assert [intent["status"] for intent in double.intents.values()] == ["canceled"]


@pytest.mark.parametrize("what", ["charge", "void"])
async def test_a_day_later_when_keys_are_forgotten_it_is_found_all_the_same(
    payments, double, clock_ahead, what
):
    ask = charge()
    double.faults = ["lost", "500", "500", "500"]
    with pytest.raises(Unavailable):
        await payments.charge(ask)
    double.faults = []
    double.keys.clear()
    clock_ahead(25 * 3_600)
    if what == "charge":
        await payments.charge(ask)
    else:
        await payments.void(ask.checkout_id, ask.order_id)
    assert [i["status"] for i in double.intents.values()] == ["succeeded" if what == "charge" else "canceled"]


async def test_refunds_never_exceed_the_capture_here_or_there(payments, double):
    ask = charge()
    await payments.charge(ask)
    asks = [payments.refund(ask.order_id, RefundRequest(f"return/{n}", 4_000)) for n in range(5)]
    answers = await asyncio.gather(*asks, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == [
        "Refund",
        "Refund",
        *["RefundTooLarge"] * 3,
    ]
    assert double.net() == 2_000
    assert await status_of(payments, ask) == [("partially_refunded", 10_000)]
    [intent] = double.captured()
    request = ChargeRequest(ask.checkout_id, ask.order_id, ask.amount, ask.currency, ask.token)
    with pytest.raises(library.InvalidRequestError):
        await payments._provider.refund(ids.new(ids.RefundId), request, intent["id"], 2_001, again=False)
    with pytest.raises(RefundTooLarge):
        await payments.refund(ask.order_id, RefundRequest("return/9", 2_001))


async def test_what_nobody_came_back_for_is_voided(payments, double, clock_ahead):
    asks = [charge("pm_card_authenticationRequired"), charge(), charge("pm_card_chargeDeclined")]
    for ask in asks:
        await asyncio.gather(payments.charge(ask), return_exceptions=True)
    assert await payments.void_stale() == 0
    clock_ahead(3_700)
    await payments.void_stale()
    assert await payments.void_stale() == 0
    states = [intent["status"] for intent in double.intents.values()]
    assert states == ["canceled", "succeeded", "canceled"]
    assert await status_of(payments, asks[1]) == [("captured", 10_000)]


# -- cards that are kept


async def test_a_card_that_nobody_keeps_works_once(payments, double):
    token = double.card()
    kept = await payments.keep_card(token)
    assert (kept.token, kept.single_use) == (token, True)
    assert double.asked == [], "of a guest nothing is told"
    first = charge(token)
    for _ in range(2):
        await payments.charge(first)
    with pytest.raises(PaymentDeclined) as no:
        await payments.charge(charge(token))
    assert no.value.facts == {"reason": "card_used_up"}
    assert double.net() == 10_000


async def test_a_card_that_is_kept_works_again_and_again_for_one_customer(payments, double):
    kept = [await payments.keep_card(double.card(), ANN) for _ in range(2)]
    assert [(card.brand, card.last4, card.single_use) for card in kept] == [("Visa", "4242", False)] * 2
    for card in (*kept, kept[0]):
        await payments.charge(charge(card.token, user_id=ANN))
    assert double.net() == 30_000
    [customer] = double.customers.values()
    assert customer["metadata"] == {"shopper": str(ANN)}, "nothing else of a person"
    assert {asked["customer"] for asked in creations(double)} == {customer["id"]}


async def test_a_kept_card_is_charged_for_its_owner_alone(payments, double):
    card = await payments.keep_card(double.card(), ANN)
    with pytest.raises(Invalid) as no:
        await payments.keep_card(card.token, EVE)
    assert no.value.facts == {"pointer": "/token"}
    for user_id in (EVE, None):
        with pytest.raises(PaymentDeclined):
            await payments.charge(charge(card.token, user_id=user_id))
    assert double.net() == 0


async def test_kept_twice_it_is_the_same_card(payments, double):
    token = double.card()
    first = await payments.keep_card(token, ANN)
    assert await payments.keep_card(token, ANN) == first
    double.keys.clear()  # a day later
    assert await payments.keep_card(token, ANN) == first
    assert len(double.customers) == 1


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("fault", ["lost", "late 500", "cut", "hang"])
async def test_what_is_lost_while_a_card_is_kept_makes_no_second_customer(payments, double, fault, at):
    """The customer (0) or the card (1) fails before or after Stripe did it; whoever asks again is served."""
    token = double.card()
    double.faults = [""] * at + [fault]
    with pytest.raises(Unavailable):
        await payments.keep_card(token, ANN)
    double.end()
    await payments.keep_card(token, ANN)
    await payments.charge(charge(token, user_id=ANN))
    assert len(double.customers) == 1
    assert double.net() == 10_000


async def test_whoever_keeps_many_cards_at_once_is_one_customer(payments, double):
    tokens = [double.card() for _ in range(5)]
    kept = await asyncio.gather(*(payments.keep_card(token, ANN) for token in tokens))
    for card in kept:
        await payments.charge(charge(card.token, user_id=ANN))
    assert {asked["customer"] for asked in creations(double)} == set(double.customers)
    assert len(double.customers) == 1


async def test_a_customer_that_was_deleted_at_stripe_is_made_anew(payments, double):
    await payments.keep_card(double.card(), ANN)
    double.customers.clear()
    for _ in range(2):
        card = await payments.keep_card(double.card(), ANN)
        await payments.charge(charge(card.token, user_id=ANN))
    assert len(double.customers) == 1


async def test_a_card_that_is_declined_unknown_or_used_up_is_not_kept(payments, double):
    used = double.card()
    await payments.charge(charge(used))
    for token, words in (
        (double.card("pm_card_insufficient"), "insufficient_funds"),
        ("pm_nobodys", "knows no such token"),
        (used, "used before"),
    ):
        with pytest.raises(Invalid, match=words) as no:
            await payments.keep_card(token, ANN)
        assert no.value.facts == {"pointer": "/token"}


async def test_a_card_kept_between_two_asks_of_a_checkout_changes_nothing(payments, double):
    """The first ask was without a customer, and its answer was lost: the same is asked again."""
    token = double.card()
    ask = charge(token, user_id=ANN)
    double.faults = ["cut", "500", "500", "500"]
    with pytest.raises(Unavailable):
        await payments.charge(ask)
    double.faults = []
    await payments.keep_card(token, ANN)
    with pytest.raises(PaymentDeclined):
        await payments.charge(ask)  # attached since: Stripe wants its customer, which was not asked with
    assert {"customer" in asked for asked in creations(double)} == {False}
    await payments.charge(charge(token, user_id=ANN))
    assert double.net() == 10_000


def test_only_a_public_key_is_shown_and_one_of_the_same_kind(settings):
    sandbox = load({"MERCAT_STRIPE_PUBLISHABLE_KEY": "pk_live_1"})
    assert declaration(sandbox).card_field is None, "the sandbox has no such"
    with pytest.raises(WrongSetting, match="MERCAT_STRIPE_PUBLISHABLE_KEY") as no:
        declaration(
            load({"MERCAT_PAYMENT_PROVIDER": "stripe", "MERCAT_STRIPE_PUBLISHABLE_KEY": "sk_live_secret"})
        )
    assert "sk_live_secret" not in str(no.value)
    mixed = {"stripe_key": Secret("sk_live_1"), "stripe_publishable_key": Secret("pk_test_1")}
    with pytest.raises(SystemExit):
        Stripe(msgspec.structs.replace(settings, variables=mixed))


def test_a_provider_that_is_not_in_the_list_stops_the_start():
    with pytest.raises(WrongSetting, match="sandbox, stripe"):
        declaration(load({"MERCAT_PAYMENT_PROVIDER": "strip"}))


# -- notices


async def test_a_notice_is_believed_when_it_is_signed_of_now_and_ours(payments, double):
    ask = charge("pm_card_authenticationRequired")
    await payments.charge(ask)
    [intent] = double.intents.values()
    body, signature = double.event("payment_intent.amount_capturable_updated", intent)
    heard = await payments.receive_webhook(Webhook("stripe", body, signature))
    assert (heard.checkout_id, heard.done) == (ask.checkout_id, False)
    await payments.finish_webhook(heard)
    assert (await payments.receive_webhook(Webhook("stripe", body, signature))).done
    for wrong_body, wrong_signature in (
        (body + b" ", signature),
        double.event("x", intent, at=time.time() - 301),
        double.event("x", intent, secret="whsec_other"),
        (body, ""),
        (b"\xff", signature),
    ):
        with pytest.raises(BadSignature):
            await payments.receive_webhook(Webhook("stripe", wrong_body, wrong_signature))


async def test_a_refund_that_failed_at_the_bank_is_a_case(payments, double):
    refund = {"id": "re_1", "object": "refund", "status": "failed", "payment_intent": "pi_1", "metadata": {}}
    body, signature = double.event("refund.failed", refund)
    for _ in range(2):
        await payments.receive_webhook(Webhook("stripe", body, signature))
    [case] = await payments.cases()
    assert (case.kind, case.subject) == ("refund_failed", "re_1 of pi_1")


# -- books


async def test_every_difference_to_their_books_is_a_case_once(payments, double, clock_ahead, db):
    asks = [charge() for _ in range(4)]
    for ask in asks:
        await payments.charge(ask)
    same, refunded, lost, _ = double.captured()
    clock_ahead(180)
    assert (await payments.reconcile()).differences == 0
    double.refunds["re_x"] = {"amount": 500, "payment_intent": refunded["id"]}  # by hand, on their site
    del double.intents[lost["id"]]
    double.intents["pi_9"] = {**same, "id": "pi_9", "metadata": {}}
    for fresh in (3, 0):
        said = await payments.reconcile()
        assert (said.differences, said.opened) == (3, fresh)
    found = {case.kind: (case.ours, case.theirs) for case in await payments.cases()}
    assert found == {
        "refund_differs": (0, 500),
        "payment_without_charge": (10_000, 0),
        "charged_without_payment": (0, 10_000),
    }


# -- amounts and secrets


@pytest.mark.parametrize(
    ("currency", "amount", "sent"),
    [("USD", 1_999, 1_999), ("JPY", 500, 500), ("ISK", 500, 50_000), ("UGX", 7, 700), ("KWD", 1_230, 1_230)],
)
def test_amounts_are_counted_as_stripe_counts_them(currency, amount, sent):
    assert to_stripe(amount, currency) == sent
    assert from_stripe(sent, currency) == amount


def test_of_three_decimals_the_last_must_be_zero():
    with pytest.raises(NotChargeable):
        to_stripe(1_234, "KWD")


async def test_an_amount_that_cannot_be_charged_is_declined_before_stripe_is_asked(payments, double):
    with pytest.raises(PaymentDeclined):
        await payments.charge(charge(amount=10_001, currency="KWD"))
    assert creations(double) == []


async def test_the_key_is_not_in_what_a_failure_says(settings):
    told = msgspec.structs.replace(
        settings,
        variables={"stripe_key": Secret("sk_test_secret"), "stripe_url": Secret("http://127.0.0.1:9")},
        provider_timeout_s=1,
    )
    provider = Stripe(told)
    ask = ChargeRequest(ids.new(ids.CheckoutId), ids.new(ids.OrderId), 100, "USD", "pm_card_visa")
    with pytest.raises(ProviderUnreachable) as failure:
        await provider.authorise(ask)
    await provider.close()
    said = "".join(traceback.format_exception(failure.value)) + repr([told, vars(provider)])
    assert "sk_test_secret" not in said


def test_the_key_is_given_by_the_environment_and_never_shown():
    told = load({"MERCAT_PAYMENT_PROVIDER": "stripe", "MERCAT_STRIPE_KEY": "sk_test_secret"})
    own = told.part(StripeSettings)
    assert own.stripe_key.reveal() == "sk_test_secret"
    assert "sk_test_secret" not in f"{told} {own} {own.stripe_key} {own.stripe_key!r} {[own.stripe_key]}"
