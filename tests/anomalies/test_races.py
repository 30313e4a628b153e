"""The races of commerce: two processes in every order of steps; each test's name says what may come of it."""

import asyncio
import math
from contextlib import AsyncExitStack

import msgspec
import pytest
from anomalies.interleaving import gate, races
from scene import GIVEN_UP, LAPSED, WALKED_AWAY, Scene

from mercat import ids
from mercat.app import build_shop
from mercat.cart import TypedGiftCard
from mercat.checkout import CancelAsk, CartEmpty, CheckoutInProgress, KeyReused, PriceChanged, RefundAsk, Ship
from mercat.checkout.messages import LineQuantity
from mercat.events import ReturnRequested
from mercat.kit.event_log import deliver
from mercat.kit.refusals import NotFound
from mercat.kit.rpc import Caller
from mercat.orders import NotCancellable, NotShippable
from mercat.payments import ChallengeOutcome, GiftCardSpent, NewGiftCard, SpendableOf, Webhook
from mercat.payments.earnings import book_captures
from mercat.payments.messages import RefundRequest


class Two:
    """Two processes of one shop, and the scenes that they race in."""

    def __init__(self, one, two, db, clock_ahead):
        self.one, self.two, self.db, self.clock_ahead = one, two, db, clock_ahead
        self.actors = [gate(one), gate(two)]

    async def scene(self):
        return await Scene(self.one, self.db).open()

    async def race(self, scenes, ahead=(0,), limit=24, apart_from=()):
        """`ahead`: by how much the clock may move while they race; `apart_from`: laws that they break."""
        await races(self.actors, scenes, limit, moves=self.clock_ahead, ahead=ahead)
        await self.scene_of_all_settled(apart_from)

    def mutate(self, statement, old, new):
        """From now on both have this bug."""
        for actor in self.actors:
            actor.mutants[statement] = [*actor.mutants.get(statement, ()), (old, new)]

    async def scene_of_all_settled(self, apart_from=()):
        await Scene(self.one, self.db).settled(apart_from)


UNDECIDED = ("what was decided to be paid back is paid back",)
"""Payments are asked here without the order's decision, which they do not know of."""


@pytest.fixture
async def two(settings, db, clock_ahead):
    async with AsyncExitStack() as stack:
        one, two = [await build_shop(settings, stack) for _ in range(2)]
        for shop in (one, two):
            await know_markets(shop)
        yield Two(one, two, db, clock_ahead)


async def know_markets(shop):
    """Look at markets once: to look again by the machine's clock would be a step now and then."""
    for prices in (shop.cart._prices, shop.checkout.preparation._prices):
        await prices._known.get()
        prices._known._due = math.inf


def statuses(results):
    return [type(result) if isinstance(result, BaseException) else result.status for result in results]


def allowed(results, *kinds):
    """Everything said is an answer of these statuses or a refusal of these classes."""
    assert set(statuses(results)) <= set(kinds), results


async def bought(scene, shop, token="tok_visa"):
    await shop.checkout.buy(scene.ann, "bought", await scene.ask(token))
    [order] = await scene.orders()
    return await shop.orders.order(order.order_id, [scene.ann.user_id])


def ticket_of(said):
    return msgspec.json.decode(said.body)["next_action"]["url"].rsplit("/", 1)[1]


async def test_of_the_last_units_one_buyer_gets_them_and_the_other_pays_nothing(two):
    async def scenes():
        scene = await two.scene()
        other = Scene(two.one, two.db)
        other.tea, other.seller = scene.tea, scene.seller
        other.ann = Caller(ids.new(ids.UserId), email="eve@example.org")
        await two.one.cart.change(scene.ann.user_id, str(scene.tea), 6)
        await two.one.cart.add(other.ann.user_id, scene.tea, 6)
        asks = await scene.ask(), await other.ask()

        async def check(*results):
            assert sorted(map(str, statuses(results))) == ["201", "409"], results
            assert await scene.left() == (4, 0)
            assert await scene.charged() + await other.charged() == 1

        return [
            two.one.checkout.buy(scene.ann, "k", asks[0]),
            two.two.checkout.buy(other.ann, "k", asks[1]),
        ], check

    await two.race(scenes)


async def gifted(scene, shop, amount):
    """Somebody with a gift card in the cart, which pays before the card does."""
    made = await shop.payments.make_gift_card(NewGiftCard(amount, "USD"))
    await shop.cart.add_gift_card(scene.ann.user_id, TypedGiftCard(made.code))
    return made


async def left_on(shop, gift):
    [value] = await shop.payments.spendable(SpendableOf([gift.gift_card_id]))
    return value.balance


async def test_two_sessions_that_race_for_one_gift_card_spend_it_once(two):
    async def scenes():
        scene, other = await two.scene(), await two.scene()
        gift = await gifted(scene, two.one, 2_000)
        await two.one.cart.add_gift_card(other.ann.user_id, TypedGiftCard(gift.code))
        asks = await scene.ask(), await other.ask()

        async def check(*results):
            allowed(results, 201, 409, GiftCardSpent)
            assert 201 in statuses(results), results
            spent = await two.db.fetch(
                "select amount from payments.tender where value_id = $1 and state = 'taken'",
                gift.gift_card_id,
            )
            assert [row["amount"] for row in spent] == [2_000]
            assert await left_on(two.one, gift) == 0

        return [
            two.one.checkout.buy(scene.ann, "k", asks[0]),
            two.two.checkout.buy(other.ann, "k", asks[1]),
        ], check

    await two.race(scenes)


async def test_who_takes_over_a_purchase_spends_its_gift_card_once_or_gives_it_back(two):
    async def scenes():
        scene = await two.scene()
        gift = await gifted(scene, two.one, 2_000)
        ask = await scene.ask()

        async def check(said, _):
            allowed([said], 201, 402, 409, CheckoutInProgress)
            assert await two.db.fetchval("select count(*) from checkout.running") == 0, "nobody ended it"
            [answer] = await scene.answers()
            bought = answer["status"] == 201
            assert await left_on(two.one, gift) == (0 if bought else 2_000)
            assert (await scene.charged(), len(await scene.orders())) == (bought, bought)

        return [two.one.checkout.buy(scene.ann, "k", ask), two.two.checkout.recovery.recover()], check

    await two.race(scenes, ahead=(LAPSED, GIVEN_UP), limit=40)


async def test_two_tabs_with_keys_of_their_own_buy_a_cart_once(two):
    async def scenes():
        scene = await two.scene()
        ask = await scene.ask()

        async def check(*results):
            allowed(results, 201, 409, CheckoutInProgress, CartEmpty)
            assert statuses(results).count(201) == 1, results
            assert (len(await scene.orders()), await scene.charged(), await scene.left()) == (1, 1, (8, 0))

        return [two.one.checkout.buy(scene.ann, "a", ask), two.two.checkout.buy(scene.ann, "b", ask)], check

    await two.race(scenes)


async def test_one_key_pressed_twice_is_one_order_and_one_answer(two):
    async def scenes():
        scene = await two.scene()
        ask = await scene.ask()

        async def check(*results):
            allowed(results, 201, CheckoutInProgress)
            assert 201 in statuses(results), results
            assert len({result.body for result in results if not isinstance(result, Exception)}) == 1
            await scene_has_bought(scene)

        return [shop.checkout.buy(scene.ann, "k", ask) for shop in (two.one, two.two)], check

    await two.race(scenes)


async def test_who_takes_over_a_purchase_ends_it_and_who_lost_it_writes_nothing(two):
    """Also no spent cart: what is put into it afterwards stays there."""

    async def scenes():
        scene = await two.scene()
        ask = await scene.ask()

        async def takes_over():
            taken = await two.two.checkout.recovery.recover()
            await two.two.cart.add(scene.ann.user_id, scene.tea, 3)
            return taken

        async def check(said, _):
            allowed([said], 201, 402, CheckoutInProgress)
            assert await two.db.fetchval("select count(*) from checkout.running") == 0, "nobody ended it"
            [answer] = await scene.answers()
            on_hand, reserved = await scene.left()
            assert (10 - on_hand) + await scene.in_cart() == 5
            assert (reserved, await scene.charged()) == (0, answer["status"] == 201)
            assert len(await scene.orders()) == (answer["status"] == 201)

        return [two.one.checkout.buy(scene.ann, "k", ask), takes_over()], check

    await two.race(scenes, ahead=(LAPSED, GIVEN_UP), limit=60)


async def test_one_key_asked_again_when_its_worker_seems_dead_is_one_order(two):
    async def scenes():
        scene = await two.scene()
        ask = await scene.ask()

        async def check(*results):
            allowed(results, 201, CheckoutInProgress)
            assert 201 in statuses(results), results
            assert len({result.body for result in results if not isinstance(result, Exception)}) == 1
            await scene_has_bought(scene)

        return [shop.checkout.buy(scene.ann, "k", ask) for shop in (two.one, two.two)], check

    await two.race(scenes, ahead=(LAPSED,), limit=30)


async def test_one_key_with_two_bodies_buys_one_of_them(two):
    async def scenes():
        scene = await two.scene()
        ask = await scene.ask()
        asks = ask, msgspec.structs.replace(ask, shipping_method="express")

        async def check(*results):
            assert set(statuses(results)) == {201, KeyReused}, results
            assert (len(await scene.orders()), await scene.charged(), await scene.left()) == (1, 1, (8, 0))

        return [
            shop.checkout.buy(scene.ann, "k", asks[n]) for n, shop in enumerate((two.one, two.two))
        ], check

    await two.race(scenes)


async def scene_has_bought(scene):
    assert (len(await scene.orders()), await scene.charged(), await scene.left()) == (1, 1, (8, 0))


async def test_what_is_added_during_checkout_is_bought_with_it_or_stays_in_the_cart(two):
    async def scenes():
        scene = await two.scene()
        ask = await scene.ask()

        async def check(said, _):
            allowed([said], 201)
            on_hand, reserved = await scene.left()
            assert (10 - on_hand) + await scene.in_cart() == 5
            assert (reserved, await scene.charged()) == (0, 1)

        return [
            two.one.checkout.buy(scene.ann, "k", ask),
            two.two.cart.add(scene.ann.user_id, scene.tea, 3),
        ], check

    await two.race(scenes)


async def test_a_price_changed_during_checkout_is_paid_as_shown_or_refused(two):
    async def scenes():
        scene = await two.scene()
        ask = await scene.ask(expected_total=2_624)

        async def check(said, _):
            allowed([said], 201, PriceChanged)
            totals = [order.total for order in await scene.orders()]
            assert totals == ([2_624] if not isinstance(said, PriceChanged) else [])
            assert await scene.charged() == len(totals)

        return [
            two.one.checkout.buy(scene.ann, "k", ask),
            two.two.catalog.change_offer(scene.seller, scene.tea, price=1_500),
        ], check

    await two.race(scenes)


async def test_cancelling_while_the_payment_is_captured_gives_all_back_or_finds_no_order_yet(two):
    async def scenes():
        scene = await two.scene()
        said = await two.one.checkout.buy(scene.ann, "k", await scene.ask("tok_3ds"))
        order_id = ids.parse(ids.OrderId, msgspec.json.decode(said.body)["order_id"])

        async def check(paid, cancelled):
            allowed([paid], 201)
            [order] = await scene.orders()
            if isinstance(cancelled, NotFound):
                assert (order.status, await scene.charged(), await scene.left()) == ("confirmed", 1, (8, 0))
            else:
                assert (order.status, await scene.charged()) == ("cancelled", 0), cancelled
                assert await scene.left() == (10, 0)

        return [
            two.one.checkout.challenge(ticket_of(said), ChallengeOutcome("approve")),
            two.two.checkout.cancel(scene.ann, order_id),
        ], check

    await two.race(scenes)


async def test_a_payment_that_is_approved_and_abandoned_at_once_is_an_order_or_nothing(two):
    async def scenes():
        scene = await two.scene()
        said = await two.one.checkout.buy(scene.ann, "k", await scene.ask("tok_3ds"))

        async def check(*results):
            allowed(results, 201, 402, CheckoutInProgress)
            [answer] = await scene.answers()
            bought = answer["status"] == 201
            assert len(await scene.orders()) == bought
            assert (await scene.charged(), await scene.left()) == ((1, (8, 0)) if bought else (0, (10, 0)))

        return [
            two.one.checkout.challenge(ticket_of(said), ChallengeOutcome("approve")),
            two.two.checkout.abandon(scene.ann, "k"),
        ], check

    await two.race(scenes)


async def test_another_key_for_a_cart_whose_payment_waits_buys_it_once(two):
    async def scenes():
        scene = await two.scene()
        said = await two.one.checkout.buy(scene.ann, "k", await scene.ask("tok_3ds"))
        ask = await scene.ask()

        async def check(*results):
            allowed(results, 201, 402, CheckoutInProgress, CartEmpty)
            orders = len(await scene.orders())
            assert (orders, await scene.charged(), await scene.left()) == (1, 1, (8, 0)), results

        return [
            two.one.checkout.challenge(ticket_of(said), ChallengeOutcome("approve")),
            two.two.checkout.buy(scene.ann, "other", ask),
        ], check

    await two.race(scenes)


async def test_one_refund_asked_for_twice_is_one(two):
    async def scenes():
        scene = await two.scene()
        order = await bought(scene, two.one)

        async def check(*results):
            assert len({refund.refund_id for refund in results}) == 1, results
            [payment] = await two.one.payments.of_order(order.order_id)
            assert payment.refunded == order.total

        back = RefundRequest(f"cancel/{order.order_id}", order.total)
        return [shop.payments.refund(order.order_id, back) for shop in (two.one, two.two)], check

    await two.race(scenes, apart_from=UNDECIDED)


async def test_cancelling_twice_gives_back_once(two):
    async def scenes():
        scene = await two.scene()
        order = await bought(scene, two.one)

        async def check(*results):
            allowed(results, "cancelled")
            [payment] = await two.one.payments.of_order(order.order_id)
            assert [refund.amount for refund in payment.refunds] == [order.total]
            assert await scene.left() == (10, 0)

        return [shop.checkout.cancel(scene.ann, order.order_id) for shop in (two.one, two.two)], check

    await two.race(scenes)


async def test_refunds_that_exceed_the_capture_together_are_not_both_given(two):
    async def scenes():
        scene = await two.scene()
        order = await bought(scene, two.one)

        async def check(*results):
            kinds = sorted(type(result).__name__ for result in results)
            assert kinds == ["Refund", "RefundTooLarge"], results
            [payment] = await two.one.payments.of_order(order.order_id)
            assert payment.refunded == 2_000

        return [
            shop.payments.refund(order.order_id, RefundRequest(f"return/{order.order_id}/{n}", 2_000))
            for n, shop in enumerate((two.one, two.two))
        ], check

    await two.race(scenes, apart_from=UNDECIDED)


async def test_a_purchase_that_expires_while_it_is_paid_is_an_order_or_nothing(two):
    async def scenes():
        scene = await two.scene()
        said = await two.one.checkout.buy(scene.ann, "k", await scene.ask("tok_3ds"))

        async def check(paid, _):
            allowed([paid], 201, 402, CheckoutInProgress)
            [answer] = await scene.answers()
            orders = len(await scene.orders())
            assert orders == (answer["status"] == 201)
            assert (await scene.charged(), await scene.left()) == (orders, (10 - 2 * orders, 0))

        return [
            two.one.checkout.challenge(ticket_of(said), ChallengeOutcome("approve")),
            two.two.checkout.recovery.recover(),
        ], check

    await two.race(scenes, ahead=(LAPSED, WALKED_AWAY), limit=30)


async def test_an_order_is_cancelled_or_shipped_never_both(two):
    async def scenes():
        scene = await two.scene()
        order = await bought(scene, two.one)
        bob = Caller(ids.new(ids.UserId), frozenset({"seller"}), scene.seller)
        lines = [LineQuantity(line.order_line_id, line.quantity) for line in order.lines]

        async def check(cancelled, shipped):
            now = await two.one.orders.order(order.order_id, [scene.ann.user_id])
            assert isinstance(cancelled, NotCancellable) != isinstance(shipped, Exception), (
                cancelled,
                shipped,
            )
            assert now.status == ("shipped" if isinstance(cancelled, NotCancellable) else "cancelled")
            assert await scene.charged() == (now.status == "shipped")

        return [
            two.one.checkout.cancel(scene.ann, order.order_id),
            two.two.checkout.ship(bob, Ship(order.order_id, lines, "Post", "T-1")),
        ], check

    await two.race(scenes)


async def test_a_cart_merged_at_login_during_checkout_is_bought_or_kept_never_both(two):
    async def scenes():
        scene = await two.scene()
        ask = await scene.ask()
        guest = ids.new(ids.UserId)
        await two.one.cart.add(guest, scene.tea, 3)

        async def check(said, _):
            allowed([said], 201)
            on_hand, reserved = await scene.left()
            assert (10 - on_hand) + await scene.in_cart() == 5
            assert (reserved, await two.one.cart.count(guest)) == (0, 0)

        return [
            two.one.checkout.buy(scene.ann, "k", ask),
            two.two.cart.merge(guest, scene.ann.user_id),
        ], check

    await two.race(scenes)


async def test_a_cart_that_valkey_loses_during_checkout_is_bought_once(two):
    async def scenes():
        scene = await two.scene()
        ask = await scene.ask()
        while await two.one.cart.copies.copy_changed():
            pass

        async def loses():
            user = scene.ann.user_id
            await two.two.cart._store.do("DEL", f"cart:{user}", f"cart_id:{user}")

        async def check(said, _):
            allowed([said], 201)
            await scene_has_bought(scene)
            again = await asyncio.gather(two.one.checkout.buy(scene.ann, "k2", ask), return_exceptions=True)
            allowed(again, 409, CartEmpty, CheckoutInProgress)
            await scene_has_bought(scene)

        return [two.one.checkout.buy(scene.ann, "k", ask), loses()], check

    await two.race(scenes)


async def test_a_notice_and_a_browser_that_come_together_make_one_order(two):
    async def scenes():
        scene = await two.scene()
        said = await two.one.checkout.buy(scene.ann, "k", await scene.ask("tok_3ds"))
        ticket = ticket_of(said)
        checkout_id = await two.one.payments.answer_challenge(ticket, ChallengeOutcome("approve"))
        body, signature = vars(two.one.payments)["_provider"].webhook(checkout_id, f"evt_{checkout_id}")

        async def check(paid, heard):
            allowed([paid], 201, CheckoutInProgress)
            assert not isinstance(heard, Exception), heard
            await scene_has_bought(scene)
            assert (await two.one.checkout.resume(checkout_id)).status == 201

        return [
            two.one.checkout.resume(checkout_id),
            two.two.checkout.receive_webhook(Webhook("sandbox", body, signature)),
        ], check

    await two.race(scenes)


async def test_a_unit_is_cancelled_or_shipped_never_both(two):
    async def scenes():
        scene = await two.scene()
        order = await bought(scene, two.one)  # two tins
        [line] = order.lines
        bob = Caller(ids.new(ids.UserId), frozenset({"seller"}), scene.seller)
        one, both = [LineQuantity(line.order_line_id, 1)], [LineQuantity(line.order_line_id, 2)]

        async def check(cancelled, shipped):
            [now] = (await two.one.orders.order(order.order_id, [scene.ann.user_id])).lines
            if isinstance(cancelled, NotCancellable):
                assert (now.cancelled, now.shipped) == (0, 2), (cancelled, shipped)
            else:
                assert isinstance(shipped, NotShippable), (cancelled, shipped)
                assert (now.cancelled, now.shipped, now.refunded) == (1, 0, 1)
            [payment] = await two.one.payments.of_order(order.order_id)
            assert payment.refunded == (1_062 if now.cancelled else 0)
            assert await scene.left() == (9 if now.cancelled else 8, 0)

        return [
            two.one.checkout.cancel(scene.ann, order.order_id, CancelAsk(one)),
            two.two.checkout.ship(bob, Ship(order.order_id, both, "Post", "T-1")),
        ], check

    await two.race(scenes)


@pytest.mark.parametrize("other", ["shopper", "seller"])
async def test_what_two_parties_cancel_at_once_is_paid_back_and_put_back_once(two, other):
    async def scenes():
        scene = await two.scene()
        order = await bought(scene, two.one)
        units = CancelAsk([LineQuantity(order.lines[0].order_line_id, 2)])
        bob = Caller(ids.new(ids.UserId), frozenset({"seller"}), scene.seller)
        olga = Caller(ids.new(ids.UserId), frozenset({"operator"}))

        async def check(*results):
            kinds = sorted(type(result).__name__ for result in results)
            assert kinds == ["NotCancellable", "Order"], results
            [payment] = await two.one.payments.of_order(order.order_id)
            assert [refund.amount for refund in payment.refunds] == [order.total]
            assert await scene.left() == (10, 0)

        party = scene.ann if other == "shopper" else bob
        return [
            two.one.checkout.cancel(party, order.order_id, units, other),
            two.two.checkout.cancel(olga, order.order_id, units, "operator"),
        ], check

    await two.race(scenes)


async def test_refunds_of_seller_and_operator_at_once_are_never_more_than_was_paid(two):
    async def scenes():
        scene = await two.scene()
        order = await bought(scene, two.one)
        bob = Caller(ids.new(ids.UserId), frozenset({"seller"}), scene.seller)
        olga = Caller(ids.new(ids.UserId), frozenset({"operator"}))
        all_of_it = RefundAsk(amount=order.total, reason="Sorry.", once="k")
        units = RefundAsk(lines=[LineQuantity(order.lines[0].order_line_id, 1)], reason="Chipped.", once="k")

        async def check(*results):
            kinds = sorted(type(result).__name__ for result in results)
            assert kinds == ["ExceedsCaptured", "Refund"], results
            [payment] = await two.one.payments.of_order(order.order_id)
            assert payment.refunded in (order.total, 1_062)

        return [
            two.one.checkout.refund(bob, order.order_id, units, "seller"),
            two.two.checkout.refund(olga, order.order_id, all_of_it, "operator"),
        ], check

    await two.race(scenes)


async def test_one_refund_key_pressed_twice_is_one_refund(two):
    async def scenes():
        scene = await two.scene()
        order = await bought(scene, two.one)
        olga = Caller(ids.new(ids.UserId), frozenset({"operator"}))
        some = RefundAsk(amount=500, reason="Sorry.", once="k")

        async def check(*results):
            assert len({refund.refund_id for refund in results}) == 1, results
            [payment] = await two.one.payments.of_order(order.order_id)
            assert payment.refunded == 500

        return [
            shop.checkout.refund(olga, order.order_id, some, "operator") for shop in (two.one, two.two)
        ], check

    await two.race(scenes)


# -- sellers' money


async def _earned(scene, shop):
    """Two tins that were bought and have arrived, whose money may be paid out."""
    order = await bought(scene, shop)
    checkout_id = await scene.db.fetchval(
        "select checkout_id from orders.orders where order_id = $1", order.order_id
    )
    async with shop.payments._db.acquire() as db:
        await book_captures(db, [checkout_id])
    await scene.db.execute(
        "insert into payments.seller_part (order_id, seller_id, available_at)"
        " select distinct order_id, seller_id, now() - interval '1 day' from payments.seller_line"
        " where order_id = $1",
        order.order_id,
    )
    return order


async def _paid(scene):
    rows = await scene.db.fetch(
        "select p.amount, p.status, s.state from payments.payout p"
        " left join payments.sandbox_transfer s on s.key = p.payout_id where p.seller_id = $1",
        int(scene.seller),
    )
    return [tuple(row) for row in rows]


async def test_two_runs_of_payouts_pay_a_seller_once(two):
    async def scenes():
        scene = await two.scene()
        await _earned(scene, two.one)

        async def check(*results):
            assert await _paid(scene) == [(2_299, "paid", "paid")], results

        return [
            two.one.payments.run_payouts(False, scene.seller),
            two.two.payments.run_payouts(False, scene.seller),
        ], check

    await two.race(scenes)


async def test_a_refund_beside_a_payout_is_taken_from_it_or_owed(two):
    async def scenes():
        scene = await two.scene()
        order = await _earned(scene, two.one)
        back = RefundRequest(f"refund/{order.order_id}", 1_000)

        async def check(*results):
            [(amount, status, _)] = await _paid(scene)
            balance = (await two.one.payments.seller_balances([scene.seller]))[scene.seller]
            left = balance.pending + balance.available + balance.reserved
            refunded = 2_299 - amount - left
            assert status == "paid"
            assert 0 < refunded < 1_000, results
            assert left in (0, -refunded)

        return [
            two.one.payments.refund(order.order_id, back),
            two.two.payments.run_payouts(False, scene.seller),
        ], check

    await two.race(scenes, apart_from=UNDECIDED)


async def test_a_return_beside_a_payout_holds_it_back_or_as_much_of_what_comes(two):
    async def scenes():
        scene = await two.scene()
        order = await _earned(scene, two.one)
        asked = ReturnRequested(
            return_id=ids.new(ids.ReturnId),
            order_id=order.order_id,
            user_id=scene.ann.user_id,
            seller_id=scene.seller,
            seller_name="Bob's",
            reason="other",
            comment="",
            lines=[],
            approved=False,
        )

        async def follows():
            async with two.two.payments._db.acquire() as db, db.transaction():
                await deliver(db, [asked], [two.two.payments])

        async def check(*results):
            balance = (await two.one.payments.seller_balances([scene.seller]))[scene.seller]
            paid = await _paid(scene)
            assert balance.reserved == 2_299, results
            assert (balance.available, paid) in ((0, []), (-2_299, [(2_299, "paid", "paid")]))

        return [two.one.payments.run_payouts(False, scene.seller), follows()], check

    await two.race(scenes)
