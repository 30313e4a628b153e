"""What checkout promises: whatever breaks at whatever step, the shopper gets one answer, pays once or not at
all, and the books balance."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any, cast

import msgspec
import pytest
from both_ways import WAYS, reached
from scene import GIVEN_UP, HOME, LAPSED, WALKED_AWAY, Scene
from valkeys import forget_all

from mercat import ids
from mercat.accounts import AddressChange
from mercat.app import build_shop
from mercat.checkout import (
    API,
    AskReturn,
    BuyWith,
    CartEmpty,
    Checkout,
    CheckoutInProgress,
    Confirmed,
    KeyReused,
    NewCard,
    PriceChanged,
    Refused,
    Ship,
    Track,
)
from mercat.checkout.aftercare import TRIES_MAX
from mercat.checkout.messages import PendingOrder
from mercat.checkout.purchase import Purchase
from mercat.events import OrderNotPlaced, PaymentNotConfirmed
from mercat.inventory import OutOfStock
from mercat.kit import codec
from mercat.kit.refusals import BadRequest, Invalid, NotFound, Overloaded
from mercat.kit.rpc import Caller
from mercat.orders import LineQuantity, NotCancellable
from mercat.payments import ChallengeOutcome
from mercat.pricing import QuoteExpired
from mercat.returns import ReceivedGoods, ReceivedUnits
from mercat.settings import Secret


class Crash(BaseException):
    """The process is gone: nothing that it would have done after this happens."""


class Breaks:
    """Stands before a part of the shop, and breaks once at one of its verbs: before it, or after it was done
    but before it could answer."""

    def __init__(self, inside, verb, moment, error):
        self.inside, self.verb, self.moment, self.error, self.broke = inside, verb, moment, error, False

    def __getattr__(self, name):
        work = getattr(self.inside, name)
        return self._broken(work) if name == self.verb and not self.broke else work

    def __call__(self, *asked):
        return (self._broken(self.inside) if not self.broke else self.inside)(*asked)

    def _broken(self, work):
        async def breaks(*args, **more):
            self.broke = True
            if self.moment == "after":
                await work(*args, **more)
            raise self.error

        return breaks


def break_at(owner, part, verb, moment, error: Any = Crash):
    breaks = Breaks(getattr(owner, part), verb, moment, error)
    setattr(owner, part, breaks)
    return breaks


@pytest.fixture
async def scene(settings, db):
    async with AsyncExitStack() as stack:
        yield await Scene(await build_shop(settings, stack), db).open()


@pytest.fixture(params=WAYS)
async def checkout(request, scene):
    async with reached(request.param, Checkout, API, scene.checkout) as checkout:
        yield checkout


# -- buying


async def test_a_key_is_a_purchase_and_its_answer_never_changes(scene, checkout):
    ask = await scene.ask()
    first = await checkout.buy(scene.ann, "k1", ask)
    assert (first.status, first.replayed) == (201, False)
    assert msgspec.json.decode(first.body)["total"] == 26.24
    again = await checkout.buy(scene.ann, "k1", ask)
    assert (again.status, again.replayed, again.body) == (201, True, first.body)
    with pytest.raises(KeyReused):
        await checkout.buy(scene.ann, "k1", msgspec.structs.replace(ask, shipping_method="express"))
    with pytest.raises(CartEmpty):
        await checkout.buy(scene.ann, "k2", ask)
    await scene.must_have_bought()


async def test_what_is_new_is_saved_and_bought_with_once_a_key(scene, checkout):
    ask = BuyWith(new_address=HOME, new_card=NewCard("tok_visa", single_use=True), shipping_method="standard")
    asks = [checkout.buy_with(scene.ann, "k1", ask) for _ in range(2)]
    answers = await asyncio.gather(*asks, return_exceptions=True)
    done = [each for each in answers if not isinstance(each, BaseException)]
    assert all(each.status == 201 for each in done), answers
    assert all(isinstance(each, CheckoutInProgress) for each in answers if each not in done), answers
    assert (await checkout.buy_with(scene.ann, "k1", ask)).status == 201
    with pytest.raises(KeyReused):
        await checkout.buy_with(scene.ann, "k1", msgspec.structs.replace(ask, shipping_method="express"))
    await scene.must_have_bought()


async def test_a_key_that_is_none_saves_nothing(scene, checkout):
    ask = BuyWith(new_address=HOME, new_card=NewCard("tok_visa"), shipping_method="standard")
    with pytest.raises(BadRequest):
        await checkout.buy_with(scene.ann, "k" * 256, ask)
    assert await scene.shop.accounts.addresses(scene.ann.user_id) == []
    assert await scene.shop.accounts.payment_methods(scene.ann.user_id) == []


async def test_a_purchase_that_broke_off_finds_the_address_and_the_card_it_saved(scene, checkout):
    ask = BuyWith(new_address=HOME, new_card=NewCard("tok_visa"), shipping_method="standard")
    for total in (1, 2):
        with pytest.raises(PriceChanged):
            await checkout.buy_with(
                scene.ann, f"k{total}", msgspec.structs.replace(ask, expected_total=total)
            )
    assert len(await scene.shop.accounts.addresses(scene.ann.user_id)) == 1
    bad = msgspec.structs.replace(ask, new_card=NewCard("tok_of_nobody"))
    with pytest.raises(Invalid) as refused:
        await checkout.buy_with(scene.ann, "k3", bad)
    assert refused.value.facts["pointer"] == "/token"
    assert (await checkout.buy_with(scene.ann, "k3", ask)).status == 201
    await scene.must_have_bought()


async def test_a_new_card_is_kept_once_it_has_paid_and_for_members_alone(scene, checkout):
    ann = Caller(scene.ann.user_id, frozenset({"shopper"}), email="ann@example.org")
    for card, status in (("tok_declined", 402), ("tok_visa", 201)):
        ask = BuyWith(new_address=HOME, new_card=NewCard(card), shipping_method="standard")
        assert (await checkout.buy_with(ann, card, ask)).status == status
    assert [each.token for each in await scene.shop.accounts.payment_methods(ann.user_id)] == ["tok_visa"]
    guest = (await scene.another()).ann
    ask = BuyWith(new_address=HOME, new_card=NewCard("tok_visa"), shipping_method="standard")
    assert (await checkout.buy_with(guest, "k", ask)).status == 201
    assert await scene.shop.accounts.payment_methods(guest.user_id) == []
    await scene.settled()


async def test_a_card_that_paid_after_its_bank_was_asked_is_kept_too_and_once(scene, checkout):
    ann = Caller(scene.ann.user_id, frozenset({"shopper"}), email="ann@example.org")
    ask = BuyWith(new_address=HOME, new_card=NewCard("tok_3ds"), shipping_method="standard")
    for key in ("k1", "k2"):
        waiting = await checkout.buy_with(ann, key, ask)
        ticket = msgspec.json.decode(waiting.body)["next_action"]["url"].rsplit("/", 1)[1]
        assert (await checkout.challenge(ticket, ChallengeOutcome("approve"))).status == 201
        await scene.shop.cart.add(ann.user_id, scene.tea, 1)
    assert [each.token for each in await scene.shop.accounts.payment_methods(ann.user_id)] == ["tok_3ds"]


async def test_what_is_refused_before_it_begins_is_not_remembered(scene, checkout):
    ask = await scene.ask()
    for key in ("", "k" * 256, "a\tb"):
        with pytest.raises(BadRequest):
            await checkout.buy(scene.ann, key, ask)
    with pytest.raises(NotFound):
        await checkout.buy(
            scene.ann, "k1", msgspec.structs.replace(ask, payment_method_id=ids.PaymentMethodId(1))
        )
    with pytest.raises(PriceChanged) as changed:
        await checkout.buy(scene.ann, "k1", msgspec.structs.replace(ask, expected_total=1))
    assert (changed.value.facts["expected_total"], changed.value.facts["total"]) == (1, 2_624)
    assert (
        await checkout.buy(scene.ann, "k1", msgspec.structs.replace(ask, expected_total=2_624))
    ).status == 201


async def test_a_quote_does_not_hold_where_its_address_became_another(scene, checkout):
    ask = await scene.ask()
    quote = await checkout.quote(scene.ann, ask.shipping_address_id, "standard")
    moved = AddressChange(city="Portland", region="OR", postal_code="97201")
    await scene.shop.accounts.change_address(scene.ann.user_id, ask.shipping_address_id, moved)
    with pytest.raises(QuoteExpired):
        await checkout.buy(scene.ann, "k1", msgspec.structs.replace(ask, quote_id=quote.quote_id))
    await scene.must_have_bought_nothing()


async def test_an_empty_quote_is_none_that_holds_and_not_the_price_of_the_moment(scene, checkout):
    ask = await scene.ask()
    with pytest.raises(QuoteExpired):
        await checkout.buy(scene.ann, "k1", msgspec.structs.replace(ask, quote_id=""))
    await scene.must_have_bought_nothing()


async def test_a_quote_is_honoured_for_what_it_says(scene, checkout, clock_ahead):
    ask = await scene.ask()
    quote = await checkout.quote(scene.ann, ask.shipping_address_id, "standard")
    quoted = msgspec.structs.replace(ask, quote_id=quote.quote_id)
    await scene.shop.catalog.change_offer(scene.seller, scene.tea, price=9_999)
    with pytest.raises(QuoteExpired):
        await checkout.buy(scene.ann, "k1", msgspec.structs.replace(quoted, shipping_method="express"))
    clock_ahead(601)
    with pytest.raises(QuoteExpired):
        await checkout.buy(scene.ann, "k1", quoted)
    clock_ahead(0)
    assert (await checkout.buy(scene.ann, "k1", quoted)).status == 201
    await scene.must_have_bought()


async def test_what_is_not_for_sale_is_not_bought(scene, checkout):
    await scene.shop.catalog.change_offer(scene.seller, scene.tea, status="paused")
    with pytest.raises(OutOfStock):
        await checkout.buy(scene.ann, "k1", await scene.ask())
    await scene.must_have_bought_nothing()


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [("tok_declined", 402, "payment_declined"), ("tok_timeout_uncharged", 402, "payment_unavailable")],
)
async def test_a_refusal_is_an_answer_too(scene, token, status, code):
    ask = await scene.ask(token)
    first = await scene.checkout.buy(scene.ann, "k1", ask)
    assert (first.status, msgspec.json.decode(first.body)["code"]) == (status, code)
    again = await scene.checkout.buy(scene.ann, "k1", ask)
    assert (again.body, again.replayed) == (first.body, True)
    await scene.must_have_bought_nothing()
    assert (await scene.checkout.buy(scene.ann, "k2", await scene.ask())).status == 201


async def test_what_a_purchase_came_to_is_a_value_too_and_the_same_when_it_is_repeated(scene, checkout):
    declined, paid = await scene.ask("tok_declined"), await scene.ask()
    for key, ask, kind in (("k1", declined, Refused), ("k2", paid, Confirmed)):
        first, again = [await checkout.buy(scene.ann, key, ask) for _ in range(2)]
        assert isinstance(first.outcome, kind)
        assert (again.outcome, again.status, again.body) == (first.outcome, first.status, first.body)
    assert isinstance(first.outcome, Confirmed)
    assert first.outcome.total == 2_624
    await scene.settled()


async def test_what_release_0_1_0_stored_is_repeated_as_it_was_given(scene):
    declined, paid = await scene.ask("tok_declined"), await scene.ask()
    answers = [await scene.checkout.buy(scene.ann, key, ask) for key, ask in (("k1", declined), ("k2", paid))]
    await scene.db.execute("update checkout.answer set refusal = null")  # its columns were status and body
    for key, ask, first in zip(("k1", "k2"), (declined, paid), answers, strict=True):
        again = await scene.checkout.buy(scene.ann, key, ask)
        assert (again.status, again.body, again.replayed) == (first.status, first.body, True)
        assert type(again.outcome) is type(first.outcome)


async def test_what_release_0_1_0_began_to_undo_is_undone(scene, clock_ahead):
    ask = await _crashes(scene, await scene.ask("tok_declined"), "_payments", "void", "before")
    await scene.db.execute("""update checkout.running set reason = '{"status": 402, "body": "e30="}'""")
    clock_ahead(LAPSED)
    await scene.checkout.recovery.recover()
    await scene.must_have_bought_nothing()
    assert (await scene.checkout.buy(scene.ann, "k1", ask)).outcome.code == "payment_unavailable"


async def test_who_may_not_begin_any_more_is_told_so(scene):
    checkout_id = ids.new(ids.CheckoutId)
    await scene.checkout.never_begin([checkout_id])
    assert await scene.checkout.outcomes([checkout_id]) == {checkout_id: "never"}
    assert (await scene.checkout.resume(checkout_id)).outcome.code == "never_begins"


async def test_a_refusal_is_forgotten_after_a_day_and_an_order_is_not(scene, clock_ahead):
    declined, paid = await scene.ask("tok_declined"), await scene.ask()
    recovery = scene.shop.checkout.recovery
    assert (await scene.shop.checkout.buy(scene.ann, "k1", declined)).status == 402
    assert (await scene.shop.checkout.buy(scene.ann, "k2", paid)).status == 201
    assert await recovery.forget_old() == 0
    clock_ahead(25 * 3_600)
    assert await recovery.forget_old() == 1
    assert [row["status"] for row in await scene.answers()] == [201]
    assert (await scene.shop.checkout.buy(scene.ann, "k2", paid)).replayed


async def test_a_key_of_a_refusal_is_free_again_after_a_day(scene, clock_ahead):
    declined, paid = await scene.ask("tok_declined"), await scene.ask()
    first = await scene.checkout.buy(scene.ann, "k1", declined)
    clock_ahead(23 * 3_600)
    await scene.shop.checkout.recovery.forget_old()
    again = await scene.checkout.buy(scene.ann, "k1", declined)
    assert (again.body, again.replayed) == (first.body, True)
    with pytest.raises(KeyReused):
        await scene.checkout.buy(scene.ann, "k1", paid)
    clock_ahead(25 * 3_600)
    await scene.shop.checkout.recovery.forget_old()
    said = await scene.checkout.buy(scene.ann, "k1", paid)
    assert (said.status, said.replayed) == (201, False)


async def test_one_key_of_two_people_is_two_purchases(scene):
    eve = await scene.another()
    for shopper in (scene, eve):
        said = await scene.checkout.buy(shopper.ann, "k1", await shopper.ask())
        assert (said.status, said.replayed) == (201, False)
    assert len({str(order.order_id) for each in (scene, eve) for order in await each.orders()}) == 2


async def test_an_old_copy_of_a_cart_is_not_bought_again(scene):
    ask = await scene.ask()
    await scene.shop.cart.copies.copy_changed()
    assert (await scene.checkout.buy(scene.ann, "k1", ask)).status == 201
    await forget_all(scene.shop.host.store)  # before the emptied cart was copied
    assert await scene.in_cart() == 2
    with pytest.raises(CartEmpty, match="bought already"):
        await scene.checkout.buy(scene.ann, "k2", ask)
    await scene.must_have_bought()


async def test_a_shop_that_closes_begins_nothing_more_in_any_of_its_parts(settings):
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
    checkout = shop.checkout
    for batched in (checkout.purchases._sets, checkout.saga._undoing, shop.cart.copies._kept):
        with pytest.raises(Overloaded):
            await batched(cast(Any, None))


# -- sets


async def test_in_a_set_everybody_gets_their_own_answer_and_nobody_waits_for_a_bank(settings, db):
    hangs = msgspec.structs.replace(
        settings, provider_timeout_s=60, variables={"sandbox_hang_s": Secret("60")}
    )
    cards = [*["tok_visa"] * 6, "tok_declined", "tok_3ds", "tok_timeout_charged"]
    async with AsyncExitStack() as stack:
        shop = await build_shop(hangs, stack)
        people = [await Scene(shop, db).open() for _ in cards]
        await people[0].shop.catalog.change_offer(people[0].seller, people[0].tea, status="paused")
        await shop.cart.change(people[1].ann.user_id, str(people[1].tea), 11)
        asks = [await each.ask(card) for each, card in zip(people, cards, strict=True)]
        buying = [
            asyncio.create_task(shop.checkout.buy(each.ann, "k", ask))
            for each, ask in zip(people, asks, strict=True)
        ]
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*buying[:-1], return_exceptions=True)
        assert not buying[-1].done()
        buying[-1].cancel()
        assert isinstance(answers[0], OutOfStock)
        statuses = [each.status for each in answers[1:] if not isinstance(each, BaseException)]
        assert statuses == [409, 201, 201, 201, 201, 402, 202]
        for each in people[2:6]:
            assert (await each.left(), await each.charged(), await each.in_cart()) == ((8, 0), 1, 0)


async def test_one_that_spoils_a_statement_is_found_and_the_others_of_its_set_buy(scene):
    people = [scene, *[await scene.another() for _ in range(4)]]
    asks = [await each.ask() for each in people]
    create = scene.shop.orders.create_many
    spoilt = people[2].ann.user_id
    sizes = []

    class Spoiling:
        def __getattr__(self, name):
            return getattr(scene.shop.orders, name)

        async def create_many(self, orders):
            sizes.append(len(orders))
            if any(order.user_id == spoilt for order in orders):
                raise LookupError("this one cannot be stored")
            return await create(orders)

    scene.checkout.saga._orders = Spoiling()
    buying = (scene.checkout.buy(each.ann, "k", ask) for each, ask in zip(people, asks, strict=True))
    answers = await asyncio.gather(*buying, return_exceptions=True)
    assert sizes == [5, 1, 1, 1, 1, 1]
    assert [each.status for each in answers if not isinstance(each, BaseException)] == [
        201,
        201,
        402,
        201,
        201,
    ]


# -- crashes

FORWARD = [
    ("_inventory", "reserve_many"),
    ("_payments", "charge_many"),
    ("_decide_many", "__call__"),
    ("_orders", "create_many"),
    ("_inventory", "confirm_many"),
    ("_cart", "spend_many"),
    ("_finish_many", "__call__"),
]
BACK = [
    ("_decide_many", "__call__"),
    ("_payments", "void"),
    ("_inventory", "release_many"),
    ("_finish_many", "__call__"),
]


async def _crashes(scene, ask, part, verb, moment):
    breaks = break_at(scene.checkout.saga, part, verb, moment)
    with pytest.raises(Crash):
        await scene.checkout.buy(scene.ann, "k1", ask)
    assert breaks.broke
    return ask


@pytest.mark.parametrize(("part", "verb"), FORWARD)
async def test_a_crash_at_any_step_of_buying_is_carried_on(scene, clock_ahead, part, verb):
    for turn, moment in enumerate(("before", "after"), 1):
        scene = await scene.another()
        ask = await _crashes(scene, await scene.ask(), part, verb, moment)
        assert await scene.checkout.recovery.recover() == 0  # its lease still runs
        clock_ahead(LAPSED * turn)
        await scene.checkout.recovery.recover()
        await scene.must_have_bought()
        assert (await scene.checkout.buy(scene.ann, "k1", ask)).replayed


@pytest.mark.parametrize(("part", "verb"), BACK)
async def test_a_crash_at_any_step_of_undoing_is_carried_on(scene, clock_ahead, part, verb):
    for turn, moment in enumerate(("before", "after"), 1):
        scene = await scene.another()
        ask = await _crashes(scene, await scene.ask("tok_declined"), part, verb, moment)
        clock_ahead(LAPSED * turn)
        await scene.checkout.recovery.recover()
        await scene.must_have_bought_nothing()
        said = await scene.checkout.buy(scene.ann, "k1", ask)
        assert (said.status, said.replayed) == (402, True)


async def test_the_shoppers_own_retry_carries_on_what_a_crash_left(scene, clock_ahead):
    ask = await _crashes(scene, await scene.ask(), "_orders", "create_many", "before")
    with pytest.raises(CheckoutInProgress):
        await scene.checkout.buy(scene.ann, "k1", ask)
    with pytest.raises(CheckoutInProgress):
        await scene.checkout.buy(scene.ann, "another key, the same cart", ask)
    clock_ahead(LAPSED)
    assert (await scene.checkout.buy(scene.ann, "k1", ask)).status == 201
    await scene.must_have_bought()


async def test_a_purchase_that_could_not_be_decided_in_time_is_undone(scene, clock_ahead):
    ask = await _crashes(scene, await scene.ask(), "_payments", "charge_many", "after")
    clock_ahead(GIVEN_UP)
    assert await scene.checkout.recovery.recover() == 1
    await scene.must_have_bought_nothing()
    said = await scene.checkout.buy(scene.ann, "k1", ask)
    assert msgspec.json.decode(said.body)["code"] == "payment_unavailable"


ERRORS = {
    "revoked insert": (
        "revoke insert on orders.orders from mercat_orders",
        "grant insert on orders.orders to mercat_orders",
    ),
    **{
        what: (
            f"create function public.spoil() returns trigger language plpgsql as $$ begin"
            f" raise exception using errcode = '{state}'; end $$;"
            f" create trigger spoil before insert on orders.{table}"
            " for each row execute function public.spoil()",
            f"drop trigger spoil on orders.{table}; drop function public.spoil()",
        )
        for what, state, table in (
            ("read-only", "25006", "orders"),
            ("a constraint", "23514", "orders"),
            ("a constraint of lines", "23503", "line"),
            ("full disk", "53100", "orders"),
        )
    },
}


@pytest.mark.parametrize("error", ERRORS)
async def test_an_order_that_cannot_be_stored_after_payment_is_paid_back_within_a_minute(
    scene, clock_ahead, monkeypatch, told, error
):
    monkeypatch.setattr("mercat.checkout.purchases._PATIENCE_S", 0.2)
    ask = await scene.ask()
    spoil, mend = ERRORS[error]
    await scene.db.execute(spoil)
    try:
        said = await scene.checkout.buy(scene.ann, "k1", ask)
        if said.status == 202:  # it may be stored in a moment
            for seconds in (16, 32, 48):
                clock_ahead(seconds)
                await scene.checkout.recovery.recover()
            said = await scene.checkout.buy(scene.ann, "k1", ask)
    finally:
        await scene.db.execute(mend)
    assert (said.status, said.outcome.code) == (402, "payment_unavailable")
    assert "your money was given back" in said.outcome.detail
    await scene.must_have_bought_nothing()
    order_id = await scene.db.fetchval("select order_id from payments.payment")
    [payment] = await scene.shop.payments.of_order(ids.OrderId(order_id))
    assert (payment.status, payment.refunded) == ("refunded", payment.amount)
    assert (await scene.checkout.buy(scene.ann, "k2", ask)).status == 201
    await scene.settled()
    [said_to] = [fact for fact in await told() if isinstance(fact, OrderNotPlaced)]
    assert said_to.email
    assert said_to.total > 0


async def test_a_purchase_that_breaks_off_once_it_has_begun_is_undecided_and_not_said_to_be_undone(
    scene, clock_ahead
):
    ask = await scene.ask()
    await scene.db.execute("revoke insert on checkout.answer from mercat_checkout")
    try:
        said = await scene.checkout.buy(scene.ann, "k1", ask)
    finally:
        await scene.db.execute("grant insert on checkout.answer to mercat_checkout")
    assert (said.status, await scene.charged()) == (202, 1)
    clock_ahead(LAPSED)
    await scene.checkout.recovery.recover()
    assert (await scene.checkout.buy(scene.ann, "k1", ask)).status == 201
    await scene.must_have_bought()


async def test_an_order_that_was_stored_is_not_given_up_when_its_answer_was_lost(scene, clock_ahead):
    ask = await _crashes(scene, await scene.ask(), "_orders", "create_many", "after")
    await scene.db.execute(ERRORS["revoked insert"][0])
    try:
        clock_ahead(LAPSED)
        await scene.checkout.recovery.recover()
    finally:
        await scene.db.execute(ERRORS["revoked insert"][1])
    assert (await scene.checkout.buy(scene.ann, "k1", ask)).status == 201
    await scene.must_have_bought()


async def test_the_lost_answer_of_a_part_that_restarts_is_asked_for_again(scene):
    from mercat.kit.refusals import Unavailable

    ask = await scene.ask()
    for part, verb in FORWARD[3:]:
        break_at(scene.checkout.saga, part, verb, "after", Unavailable())
    assert (await scene.checkout.buy(scene.ann, "k1", ask)).status == 201
    await scene.must_have_bought()


async def test_the_longest_holder_of_an_old_lease_cannot_finish(scene, clock_ahead):
    ask = await scene.ask()
    paused, go_on = asyncio.Event(), asyncio.Event()
    recovery, saga = scene.checkout.recovery, scene.checkout.saga
    charge = scene.shop.payments.charge_many

    class Slow:
        def __getattr__(self, name):
            return getattr(scene.shop.payments, name)

        async def charge_many(self, asked):
            paid = await charge(asked)
            if not paused.is_set():
                paused.set()
                await go_on.wait()
            return paid

    saga._payments = Slow()
    slow = asyncio.create_task(scene.checkout.buy(scene.ann, "k1", ask))
    await paused.wait()
    row = await scene.db.fetchrow(
        "select r.fence, c.record::text from checkout.running r join checkout.checkout c using (checkout_id)"
    )
    clock_ahead(GIVEN_UP)
    await recovery.recover()  # somebody else decided to undo, while we thought that we were winning
    go_on.set()
    said = await slow
    assert (said.status, said.replayed) == (402, True)
    with pytest.raises(CheckoutInProgress):
        await saga.carry_out(Purchase.standing(codec.decode(row["record"], PendingOrder), row["fence"]))
    assert await scene.charged() == 0
    assert [answer["status"] for answer in await scene.answers()] == [402]


async def test_an_abandoned_challenge_ends_and_a_late_yes_charges_nothing(scene, checkout, clock_ahead, told):
    ask = await scene.ask("tok_3ds")
    waiting = await checkout.buy(scene.ann, "k1", ask)
    assert waiting.status == 202
    ticket = msgspec.json.decode(waiting.body)["next_action"]["url"].rsplit("/", 1)[1]
    assert await scene.left() == (10, 2)
    clock_ahead(GIVEN_UP)
    assert await scene.checkout.recovery.recover() == 0  # fifteen minutes are the shopper's
    clock_ahead(WALKED_AWAY)
    assert await scene.checkout.recovery.recover() == 1
    late = await checkout.challenge(ticket, ChallengeOutcome("approve"))
    assert (late.status, msgspec.json.decode(late.body)["code"]) == (402, "payment_declined")
    await scene.must_have_bought_nothing()
    [fact] = [fact for fact in await told() if isinstance(fact, PaymentNotConfirmed)]
    assert (fact.user_id, fact.total, fact.currency) == (scene.ann.user_id, 2_624, "USD")


async def test_what_is_over_or_worked_on_cannot_be_abandoned(scene, checkout):
    ask = await scene.ask()
    first = await checkout.buy(scene.ann, "k1", ask)
    assert (await checkout.abandon(scene.ann, "k1")).body == first.body
    await scene.must_have_bought()
    ben = await scene.another()
    await _crashes(ben, await ben.ask(), "_orders", "create_many", "before")
    with pytest.raises(CheckoutInProgress):
        await checkout.abandon(ben.ann, "k1")


async def test_what_was_decided_before_it_was_abandoned_is_carried_on(scene, checkout, clock_ahead):
    await _crashes(scene, await scene.ask(), "_orders", "create_many", "before")
    clock_ahead(LAPSED)
    assert (await checkout.abandon(scene.ann, "k1")).status == 201
    await scene.must_have_bought()


async def test_what_is_held_for_a_payment_that_waits_is_said(scene, checkout):
    assert await checkout.waiting(scene.ann.user_id) == []
    await checkout.buy(scene.ann, "k1", await scene.ask("tok_3ds"))
    [waiting] = await checkout.waiting(scene.ann.user_id)
    assert (waiting.key, [(line.offer_id, line.quantity) for line in waiting.goods]) == (
        "k1",
        [(scene.tea, 2)],
    )
    await checkout.abandon(scene.ann, "k1")
    assert await checkout.waiting(scene.ann.user_id) == []
    await scene.must_have_bought_nothing()


async def test_a_challenge_that_is_met_goes_on(scene, checkout):
    ask = await scene.ask("tok_3ds")
    waiting = await checkout.buy(scene.ann, "k1", ask)
    ticket = msgspec.json.decode(waiting.body)["next_action"]["url"].rsplit("/", 1)[1]
    assert (await checkout.buy(scene.ann, "k1", ask)).body == waiting.body
    assert (await checkout.challenge(ticket, ChallengeOutcome("approve"))).status == 201
    await scene.must_have_bought()


# -- afterwards


async def _bought(scene):
    await scene.checkout.buy(scene.ann, "bought", await scene.ask())
    [order] = await scene.orders()
    return await scene.shop.orders.order(order.order_id, [scene.ann.user_id])


async def _refunds(scene, order):
    [payment] = await scene.shop.payments.of_order(order.order_id)
    return [refund.amount for refund in payment.refunds]


async def test_cancelling_gives_back_once(scene, checkout):
    order = await _bought(scene)
    for _ in range(2):
        assert (await checkout.cancel(scene.ann, order.order_id)).status == "cancelled"
    assert await _refunds(scene, order) == [order.total]
    assert await scene.left() == (10, 0)
    with pytest.raises(NotFound):
        await checkout.cancel(Caller(ids.new(ids.UserId)), order.order_id)
    await scene.settled()


UNDO = [
    ("_orders", "move_units", "before"),
    ("_orders", "move_units", "after"),
    ("_payments", "refund", "before"),
    ("_payments", "refund", "after"),
    ("_inventory", "put_back", "before"),
    ("_inventory", "put_back", "after"),
]


@pytest.mark.parametrize(("part", "verb", "moment"), UNDO)
async def test_a_cancellation_that_broke_off_is_carried_on(scene, clock_ahead, part, verb, moment):
    order = await _bought(scene)
    break_at(scene.checkout.money_back, part, verb, moment, ConnectionResetError)
    with pytest.raises(ConnectionResetError):
        await scene.checkout.cancel(scene.ann, order.order_id)
    clock_ahead(LAPSED)
    await scene.checkout.aftercare.recover()
    assert await _refunds(scene, order) == [order.total]
    assert await scene.left() == (10, 0)
    assert await scene.db.fetchval("select count(*) from checkout.undoing where done_at is null") == 0
    await scene.settled()


async def test_a_cancellation_that_stalled_before_it_was_decided_is_decided_by_recovery(scene, clock_ahead):
    order = await _bought(scene)
    stalled, go_on = asyncio.Event(), asyncio.Event()
    orders = scene.shop.orders

    class Stalling:
        def __getattr__(self, name):
            return getattr(orders, name)

        async def move_units(self, *asked):
            stalled.set()
            await go_on.wait()
            return await orders.move_units(*asked)

    scene.checkout.money_back._orders = Stalling()
    slow = asyncio.create_task(scene.checkout.cancel(scene.ann, order.order_id))
    await stalled.wait()
    scene.checkout.money_back._orders = orders
    clock_ahead(LAPSED)
    await scene.checkout.aftercare.recover()
    assert await _refunds(scene, order) == [order.total]
    go_on.set()
    assert (await slow).status == "cancelled"
    assert await _refunds(scene, order) == [order.total]
    assert await scene.left() == (10, 0)
    await scene.settled()


async def test_a_checkout_that_keeps_failing_is_parked_until_an_operator_retries_it(scene, clock_ahead):
    ask = await _crashes(scene, await scene.ask(), "_orders", "create_many", "before")
    recovery, saga, orders = scene.checkout.recovery, scene.checkout.saga, scene.shop.orders

    class Broken:
        def __getattr__(self, name):
            raise LookupError("the shelf of orders is locked")

    saga._orders = Broken()
    for turn in range(TRIES_MAX):
        assert await scene.checkout.parked() == []
        clock_ahead(LAPSED * (turn + 1))
        assert await recovery.recover() == 1
    [parked] = await scene.checkout.parked()
    assert "the shelf of orders is locked" in parked.reason
    assert (parked.reference.partition("/")[0], parked.tries, parked.direction) == (
        "buy",
        TRIES_MAX,
        "forward",
    )
    clock_ahead(LAPSED * 30)
    assert await recovery.recover() == 0
    saga._orders = orders
    await scene.checkout.retry(parked.reference)
    with pytest.raises(NotFound):
        await scene.checkout.retry(parked.reference)
    clock_ahead(LAPSED * 31)
    assert await recovery.recover() == 1
    await scene.must_have_bought()
    assert (await scene.checkout.buy(scene.ann, "k1", ask)).replayed


async def test_a_cancellation_that_keeps_failing_is_parked_until_an_operator_retries_it(scene, clock_ahead):
    order = await _bought(scene)
    payments = scene.checkout.money_back._payments

    class Broken:
        async def refund(self, *asked):
            raise LookupError("the provider does not know this charge")

    scene.checkout.money_back._payments = Broken()
    with pytest.raises(LookupError):
        await scene.checkout.cancel(scene.ann, order.order_id)
    for turn in range(TRIES_MAX):
        clock_ahead(LAPSED * (turn + 1))
        await scene.checkout.aftercare.recover()
    [parked] = await scene.checkout.parked()
    assert parked.order_id == order.order_id
    assert "does not know this charge" in parked.reason
    scene.checkout.money_back._payments = payments
    await scene.checkout.retry(parked.reference)
    clock_ahead(LAPSED * 22)
    await scene.checkout.aftercare.recover()
    assert await _refunds(scene, order) == [order.total]
    assert await scene.checkout.parked() == []


def _parts(order, quantity):
    return [LineQuantity(order.lines[0].order_line_id, quantity)]


async def test_a_parcel_from_the_shelf_to_the_door_and_back(scene, checkout):
    order = await _bought(scene)
    bob = Caller(ids.new(ids.UserId), frozenset({"seller"}), scene.seller)
    shipment = await checkout.ship(bob, Ship(order.order_id, _parts(order, 2), "Post", "T-1"))
    with pytest.raises(NotCancellable):
        await checkout.cancel(scene.ann, order.order_id)
    await checkout.track(bob, shipment.shipment_id, Track("delivered"))
    assert (await scene.shop.orders.order(order.order_id, [scene.ann.user_id])).status == "delivered"
    ask = AskReturn(_parts(order, 1), "not_needed")
    assert (await checkout.preview_return(order.order_id, scene.seller, ask)).amount == 1_062
    back = await checkout.ask_return(order.order_id, scene.ann.user_id, ask)
    [line] = await checkout.returnable(order.order_id, scene.ann.user_id)
    assert (line.line.coming_back, line.quantity) == (1, 1)
    assert await _refunds(scene, order) == []
    await scene.shop.returns.approve(back.return_id, scene.seller)
    came = ReceivedGoods([ReceivedUnits(order.lines[0].order_line_id, 1, "sellable")])
    for _ in range(2):
        done = await checkout.receive_return(back.return_id, came, scene.seller)
        assert (done.status, done.refunded) == ("refunded", 1_062)
    assert await _refunds(scene, order) == [1_062]
    assert await scene.left() == (9, 0)
    await scene.settled()


async def test_a_return_is_withdrawn_or_refused(scene, checkout):
    order = await _bought(scene)
    bob = Caller(ids.new(ids.UserId), frozenset({"seller"}), scene.seller)
    shipment = await checkout.ship(bob, Ship(order.order_id, _parts(order, 2), "Post", "T-1"))
    await checkout.track(bob, shipment.shipment_id, Track("delivered"))
    ask = AskReturn(_parts(order, 2), "not_needed")
    for end in (
        lambda back: checkout.withdraw_return(order.order_id, back.return_id),
        lambda back: checkout.refuse_return(back.return_id, "Worn.", scene.seller),
    ):
        back = await checkout.ask_return(order.order_id, scene.ann.user_id, ask)
        assert (await end(back)).ended_at
    assert (await checkout.ask_return(order.order_id, scene.ann.user_id, ask)).status == "requested"
    await scene.settled()


async def test_a_return_that_release_0_1_0_began_is_carried_on_where_it_was_decided(scene, clock_ahead):
    for turn, decided in enumerate((True, False), 1):
        scene = await scene.another()
        order = await _bought(scene)
        bob = Caller(ids.new(ids.UserId), frozenset({"seller"}), scene.seller)
        await scene.checkout.ship(bob, Ship(order.order_id, _parts(order, 2), "Post", "T-1"))
        reference = f"return/{int(ids.new(ids.ReturnId))}"
        record = codec.text({"order_id": order.order_id, "lines": _parts(order, 2)})
        await scene.db.execute(
            "insert into checkout.undoing (reference, order_id, record, lease_until) "
            "values ($1, $2, $3::text::json, now())",
            reference,
            order.order_id,
            record,
        )
        if decided:
            await scene.shop.orders.return_(order.order_id, reference, _parts(order, 2))
        clock_ahead(LAPSED * turn)
        await scene.checkout.aftercare.recover()
        assert await _refunds(scene, order) == ([2_125] if decided else [])
        assert await scene.left() == (10 if decided else 8, 0)
        await scene.settled()


@pytest.mark.parametrize(("part", "verb"), [("_orders", "ship"), ("_fulfilment", "open")])
async def test_a_parcel_whose_seller_broke_off_is_carried_on(scene, clock_ahead, part, verb):
    for turn, moment in enumerate(("before", "after"), 1):
        scene = await scene.another()
        order = await _bought(scene)
        bob = Caller(ids.new(ids.UserId), frozenset({"seller"}), scene.seller)
        break_at(scene.checkout.aftercare, part, verb, moment)
        with pytest.raises(Crash):
            await scene.checkout.ship(bob, Ship(order.order_id, _parts(order, 2), "Post", "T-1"))
        clock_ahead(LAPSED * turn)
        await scene.checkout.aftercare.recover()
        shipments = await scene.shop.fulfilment.of_order(order.order_id)
        now = await scene.shop.orders.order(order.order_id, [scene.ann.user_id])
        decided = (part, moment) != ("_orders", "before")
        assert now.status == ("shipped" if decided else "confirmed")
        assert [parcel.tracking_number for parcel in shipments] == (["T-1"] if decided else [])


async def test_the_people_one_was_before_are_ones_own(scene, checkout):
    guest = Caller(ids.new(ids.UserId))
    assert await checkout.people(guest) == [guest.user_id]
