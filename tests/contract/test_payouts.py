"""What payouts promise: each once whoever runs them or dies, and statements that add up to the journal."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import msgspec
import pytest
from scene import Scene

from mercat import ids
from mercat.app import build_shop
from mercat.checkout import CancelAsk, RefundAsk
from mercat.events import (
    OrderPlaced,
    PartChanged,
    PayoutFailed,
    PayoutPaid,
    RefundPaid,
    ReturnClosed,
    ReturnRequested,
    SellerStatusChanged,
)
from mercat.inventory import Line
from mercat.kit import clock
from mercat.kit.event_log import deliver
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.rpc import Caller
from mercat.payments import (
    CommissionRule,
    NewCommissionRules,
    NewPayoutAccount,
    PayoutsNotSetUp,
    RulesChanged,
)
from mercat.payments.payout_accounts import checked_account, masked
from mercat.payments.payouts import Payouts, due_run
from mercat.payments.payouts import queries as payout_queries
from mercat.payments.provider import ProviderUnreachable

OPS = Caller(ids.UserId(1), frozenset({"operator"}))
CLOSED = NewPayoutAccount("Bob Ltd", "000111110002", "BANKUS33")


class MoneyScene(Scene):
    """Two tins of tea at 10.00 that are bought, of which the shop keeps a tenth, and a delivery of 4.99."""

    async def bought(self, key="bought"):
        await self.checkout.buy(self.ann, key, await self.ask())
        [order] = await self.orders()
        self.order_id = order.order_id
        await self.follow()
        return self

    async def again(self):
        """Another order of the same seller's, by another shopper."""
        scene = MoneyScene(self.shop, self.db)
        scene.tea, scene.seller = self.tea, self.seller
        scene.ann = Caller(ids.new(ids.UserId), email="eve@example.org")
        await self.shop.inventory.receive(f"for/{scene.ann.user_id}", [Line(self.tea, 1)], self.seller)
        await self.shop.cart.add(scene.ann.user_id, scene.tea, 1)
        return await scene.bought()

    async def follow(self):
        """Let payments learn of the order, as they do from the log."""
        checkout_id = await self.db.fetchval(
            "select checkout_id from orders.orders where order_id = $1", self.order_id
        )
        event = OrderPlaced(
            order_id=self.order_id,
            checkout_id=ids.CheckoutId(checkout_id),
            cart_id=ids.CartId(1),
            user_id=self.ann.user_id,
            email="",
            total=0,
            currency="USD",
            lines=[],
            placed_at=clock.now(),
        )
        await self.hear(event)

    async def hear(self, *events):
        async with self.shop.payments._db.acquire() as db, db.transaction():
            await deliver(db, events, [self.shop.payments])

    def part(self, status):
        return PartChanged(
            order_id=self.order_id,
            user_id=self.ann.user_id,
            seller_id=self.seller,
            status=status,
            product_ids=[],
        )

    async def delivered(self):
        await self.hear(self.part("delivered"))
        return self

    def asks_back(self, return_id):
        return ReturnRequested(
            return_id=return_id,
            order_id=self.order_id,
            user_id=self.ann.user_id,
            seller_id=self.seller,
            seller_name="Bob's",
            reason="other",
            comment="",
            lines=[],
            approved=False,
        )

    def withdrawn(self, return_id):
        return ReturnClosed(
            return_id=return_id,
            order_id=self.order_id,
            user_id=self.ann.user_id,
            seller_id=self.seller,
            seller_name="Bob's",
            withdrawn=True,
        )

    async def balance(self):
        found = (await self.shop.payments.seller_balances([self.seller]))[self.seller]
        return found.pending, found.available, found.reserved

    async def gives_back(self, amount):
        ask = RefundAsk(amount=amount, reason="Sorry.", once=str(ids.new(ids.LinkId)))
        await self.checkout.refund(OPS, self.order_id, ask, "operator")

    async def runs(self, **how):
        return await self.shop.payments.run_payouts(**how)

    async def lines(self, payout):
        return [
            (line.kind, line.amount) for line in await self.shop.payments.statement_lines(payout.payout_id)
        ]

    async def account(self):
        """What the journal owes the seller."""
        own = [f"seller:{int(self.seller)}", f"delivery:{int(self.seller)}"]
        return -await self.db.fetchval(
            "select coalesce(sum(u.amount), 0)::bigint from payments.entry,"
            " unnest(accounts, amounts) as u (account, amount) where u.account = any($1)",
            own,
        )


@asynccontextmanager
async def opened(settings, db):
    async with AsyncExitStack() as stack:
        scene = await MoneyScene(await build_shop(settings, stack), db).open()
        yield await scene.bought()


@pytest.fixture
async def scene(settings, db):
    async with opened(settings, db) as scene:
        yield scene


@pytest.fixture
async def at_once(settings, db):
    """A shop that pays as soon as a part is delivered."""
    async with opened(msgspec.structs.replace(settings, payout_hold_days=0), db) as scene:
        yield scene


async def test_money_is_pending_until_so_long_after_delivery_and_then_available(scene, clock_ahead):
    assert await scene.balance() == (2_299, 0, 0)
    await scene.delivered()
    assert await scene.balance() == (2_299, 0, 0)
    assert (await scene.runs()).payouts == []
    clock_ahead(7 * 86_400 + 60)
    assert await scene.balance() == (0, 2_299, 0)
    [payout] = (await scene.runs()).payouts
    assert (payout.status, payout.amount, payout.seller_id) == ("paid", 2_299, scene.seller)
    assert await scene.balance() == (0, 0, 0)
    assert await scene.lines(payout) == [("sale", 2_000), ("commission", -200), ("delivery", 499)]
    statement = await scene.shop.payments.statement(payout.payout_id, scene.seller)
    assert (statement.totals, statement.count) == (
        {"sale": 2_000, "commission": -200, "delivery": 499},
        3,
    )
    with pytest.raises(NotFound):
        await scene.shop.payments.statement(payout.payout_id, ids.SellerId(1))
    assert await scene.account() == 0
    await scene.settled()


async def test_events_that_come_again_change_nothing(at_once):
    await at_once.delivered()
    [payout] = (await at_once.runs()).payouts
    await at_once.follow()
    await at_once.delivered()
    assert (await at_once.runs()).payouts == []
    assert await at_once.balance() == (0, 0, 0)
    assert payout.amount == 2_299
    await at_once.settled()


async def test_what_is_told_of_a_payout_is_told_once(at_once, told):
    await at_once.delivered()
    [payout] = (await at_once.runs()).payouts
    await at_once.shop.payments.paying_out.settle()
    heard = [event for event in await told() if isinstance(event, PayoutPaid | PayoutFailed)]
    assert heard == [
        PayoutPaid(
            payout_id=payout.payout_id,
            seller_id=at_once.seller,
            amount=2_299,
            currency="USD",
            account="sandbox",
        )
    ]


async def test_a_part_that_was_cancelled_comes_to_what_is_left_of_it_at_once(scene):
    await scene.checkout.cancel(scene.ann, scene.order_id, CancelAsk(once="x"))
    assert await scene.balance() == (0, 0, 0)
    assert await scene.account() == 0
    await scene.hear(scene.part("cancelled"))
    assert (await scene.runs()).payouts == []
    await scene.settled()


async def test_a_refund_gives_back_its_share_of_the_commission_even_by_other_rules(scene):
    everything = NewCommissionRules([CommissionRule(500_000)])
    await scene.shop.payments.set_commission_rules(everything)
    await scene.gives_back(500)
    [payment] = await scene.shop.payments.of_order(scene.order_id)
    pending, available, reserved = await scene.balance()
    assert (available, reserved) == (0, 0)
    assert pending == await scene.account()
    await scene.gives_back(payment.amount - 500)
    assert await scene.account() == 0
    assert await scene.balance() == (0, 0, 0)
    await scene.settled()


async def test_a_refund_after_the_payout_is_owed_and_carried_over(at_once):
    await at_once.delivered()
    await at_once.runs()
    [payment] = await at_once.shop.payments.of_order(at_once.order_id)
    await at_once.gives_back(payment.amount)
    assert await at_once.balance() == (0, -2_299, 0)
    run = await at_once.runs()
    assert run.payouts == []
    assert [(each.seller_id, each.amount, each.why) for each in run.not_paid] == [
        (at_once.seller, -2_299, "below_minimum")
    ]
    others = [await at_once.again() for _ in range(3)]
    for other in others:
        await other.delivered()
    [payout] = (await at_once.runs()).payouts
    assert payout.amount == 3 * 1_399 - 2_299
    assert sorted(await at_once.lines(payout)) == sorted(
        [("sale", 1_000), ("commission", -100), ("delivery", 499)] * 3
        + [("refund", -2_000), ("commission", 200), ("delivery", -499)]
    )
    await at_once.settled()


async def test_an_open_return_holds_its_part_and_lets_go_of_it(at_once):
    await at_once.delivered()
    await at_once.hear(at_once.asks_back(ids.ReturnId(1)), at_once.asks_back(ids.ReturnId(2)))
    assert await at_once.balance() == (0, 0, 2_299)
    assert (await at_once.runs()).payouts == []
    await at_once.hear(at_once.withdrawn(ids.ReturnId(1)))
    assert await at_once.balance() == (0, 0, 2_299)
    await at_once.hear(at_once.withdrawn(ids.ReturnId(2)), at_once.withdrawn(ids.ReturnId(2)))
    assert await at_once.balance() == (0, 2_299, 0)
    await at_once.settled()


async def test_a_return_of_what_was_paid_out_holds_back_as_much_of_what_comes_next(at_once):
    await at_once.delivered()
    await at_once.runs()
    await at_once.hear(at_once.asks_back(ids.ReturnId(1)), at_once.asks_back(ids.ReturnId(1)))
    await at_once.hear(at_once.asks_back(ids.ReturnId(2)))
    assert await at_once.balance() == (0, -2_299, 2_299)
    for _ in range(3):
        await (await at_once.again()).delivered()
    [payout] = (await at_once.runs()).payouts
    assert payout.amount == 3 * 1_399 - 2_299
    assert ("reserve", -2_299) in await at_once.lines(payout)
    await at_once.gives_back(1_000)
    held = await at_once.balance()
    assert (held[0], held[1], sum(held)) == (0, 0, await at_once.account())
    await at_once.hear(at_once.withdrawn(ids.ReturnId(1)), at_once.withdrawn(ids.ReturnId(2)))
    [payout] = (await at_once.runs()).payouts
    assert ("release", 2_299) in await at_once.lines(payout)
    assert await at_once.account() == 0
    await at_once.settled()


async def test_a_payout_that_is_refused_is_available_again_and_waits_for_another_account(at_once, told):
    payments = at_once.shop.payments
    account = await payments.set_payout_account(at_once.seller, CLOSED)
    assert (account.account, account.ready, account.refused) == ("•••• 0002", True, False)
    await at_once.delivered()
    [failed] = (await at_once.runs()).payouts
    assert (failed.status, failed.reason, failed.account) == ("failed", "The account is closed.", "•••• 0002")
    assert await at_once.balance() == (0, 2_299, 0)
    assert (await payments.payout_account(at_once.seller)).refused
    assert [each.why for each in (await at_once.runs()).not_paid] == ["account_refused"]
    assert sum(amount for _, amount in await at_once.lines(failed)) == failed.amount
    [event] = [event for event in await told() if isinstance(event, PayoutFailed)]
    assert (event.payout_id, event.amount, event.reason) == (
        failed.payout_id,
        2_299,
        "The account is closed.",
    )
    await payments.set_payout_account(at_once.seller, NewPayoutAccount("Bob", "DE89 3704 0044 0532 0130 00"))
    [paid] = (await at_once.runs()).payouts
    assert (paid.status, paid.account) == ("paid", "•••• 3000")
    assert await at_once.lines(paid) == [("payout_failed", 2_299)]
    assert [each.status for each in await payments.payouts(at_once.seller)] == ["paid", "failed"]
    assert await payments.payout_counts() == {"failed": 1, "paid": 1}
    await at_once.settled()


async def test_an_operator_can_try_a_refused_account_again(at_once):
    payments = at_once.shop.payments
    await payments.set_payout_account(at_once.seller, CLOSED)
    await at_once.delivered()
    await at_once.runs()
    [again] = (await at_once.runs(seller_id=at_once.seller)).payouts
    assert again.status == "failed"
    await at_once.settled()


async def test_a_dry_run_says_whom_and_changes_nothing(at_once):
    await at_once.delivered()
    run = await at_once.runs(dry_run=True)
    assert [(each.seller_id, each.amount) for each in run.payouts] == [(at_once.seller, 2_299)]
    assert await at_once.balance() == (0, 2_299, 0)
    assert await at_once.shop.payments.payouts() == []


async def test_who_is_suspended_waits_until_they_are_let_in_again(at_once):
    await at_once.delivered()

    def became(status, version):
        return SellerStatusChanged(seller_id=at_once.seller, status=status, version=version)

    await at_once.hear(became("suspended", 2), became("active", 1))
    assert [each.why for each in (await at_once.runs()).not_paid] == ["seller_suspended"]
    assert (await at_once.runs(seller_id=at_once.seller)).payouts == []
    await at_once.hear(became("active", 3), became("suspended", 2))
    assert [each.amount for each in (await at_once.runs()).payouts] == [2_299]
    await at_once.settled()


async def test_less_than_the_minimum_waits_for_more(settings, db):
    choosy = msgspec.structs.replace(settings, payout_hold_days=0, payout_minimum=3_000)
    async with opened(choosy, db) as scene:
        await scene.delivered()
        assert [each.why for each in (await scene.runs()).not_paid] == ["below_minimum"]
        await (await scene.again()).delivered()
        [payout] = (await scene.runs()).payouts
        assert payout.amount == 3_698
        await scene.settled()


async def test_the_sandbox_passes_on_no_real_money(at_once, settings):
    payments = at_once.shop.payments
    payouts = Payouts(payments._db, payments.paying_out._provider, settings, real_money=True)
    with pytest.raises(PayoutsNotSetUp):
        await payouts.run_payouts()
    assert await payouts.run_if_due() is None


async def test_many_runs_at_once_pay_once(at_once):
    await at_once.delivered()
    runs = await asyncio.gather(*(at_once.runs() for _ in range(8)))
    assert [payout.amount for run in runs for payout in run.payouts] == [2_299]
    assert await at_once.db.fetchval("select count(*) from payments.sandbox_transfer") == 1
    await at_once.settled()


async def test_a_run_by_the_clock_is_carried_out_once_a_day(at_once, clock_ahead):
    await at_once.delivered()
    payouts = at_once.shop.payments.paying_out
    runs = await asyncio.gather(*(payouts.run_if_due() for _ in range(4)))
    assert [len(run.payouts) for run in runs if run] == [1]
    await (await at_once.again()).delivered()
    assert await payouts.run_if_due() is None
    clock_ahead(86_400)
    run = await payouts.run_if_due()
    assert [payout.amount for payout in run.payouts] == [1_399]
    await at_once.settled()


def test_days_and_weeks_are_those_of_utc():
    at = clock.now().replace(year=2027, month=1, day=1)
    assert due_run("daily", at) == "daily/2027-01-01"
    assert due_run("weekly", at) == "weekly/2026-W53"
    assert due_run("off", at) is None


class Dies:
    """A pool that breaks after a statement was carried out, and before its transaction ends."""

    def __init__(self, inside, statement):
        self._inside, self._statement = inside, statement

    @asynccontextmanager
    async def acquire(self):
        async with self._inside.acquire() as db:
            yield Dies(db, self._statement)

    def transaction(self):
        return self._inside.transaction()

    def __getattr__(self, name):
        work = getattr(self._inside, name)

        async def carried_out(query, *args):
            answer = await work(query, *args)
            if query == getattr(payout_queries, self._statement):
                raise asyncpg.ConnectionDoesNotExistError
            return answer

        return carried_out


_STATEMENTS = [
    "claim_payout_run",
    "due_payouts",
    "begin_payees",
    "lock_payees",
    "payout_destination",
    "has_payout",
    "pay_out",
    "keep_payout_run",
    "pending_payouts",
    "finish_payout",
    "payouts_of_run",
    "finish_payout_run",
]


@pytest.mark.parametrize("statement", _STATEMENTS)
async def test_who_dies_at_any_statement_is_followed_and_nobody_is_paid_twice(
    at_once, settings, statement, clock_ahead
):
    await at_once.delivered()
    payouts = at_once.shop.payments.paying_out
    pool: Any = Dies(payouts._db, statement)
    dies = Payouts(pool, payouts._provider, payouts._settings, real_money=False)
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await dies.run_if_due()
    assert await payouts.run_if_due() is None, "its lease stands" if statement != "finish_payout_run" else ""
    clock_ahead(301)
    await asyncio.gather(payouts.run_if_due(), payouts.settle(), at_once.runs())
    [payout] = await at_once.shop.payments.payouts(at_once.seller)
    assert (payout.status, payout.amount) == ("paid", 2_299)
    assert await at_once.db.fetchval("select count(*) from payments.sandbox_transfer") == 1
    assert await at_once.balance() == (0, 0, 0)
    await at_once.settled()


class Away:
    """A provider that carries out what it is asked, and does not answer."""

    def __init__(self, inside):
        self._inside = inside

    def __getattr__(self, name):
        return getattr(self._inside, name)

    async def pay(self, transfer):
        await self._inside.pay(transfer)
        raise ProviderUnreachable


async def test_a_transfer_without_an_answer_is_asked_for_again_under_the_same_key(at_once):
    await at_once.delivered()
    payouts = at_once.shop.payments.paying_out
    away: Any = Away(payouts._provider)
    away = Payouts(payouts._db, away, payouts._settings, real_money=False)
    [payout] = (await away.run_payouts()).payouts
    assert payout.status == "pending"
    await at_once.settled()
    assert await payouts.settle() == 1
    assert await at_once.db.fetchval("select count(*) from payments.sandbox_transfer") == 1
    await at_once.settled()


async def test_a_refund_that_races_a_payout_is_in_it_or_owed(at_once):
    await at_once.delivered()
    _, run = await asyncio.gather(at_once.gives_back(1_000), at_once.runs())
    paid = sum(payout.amount for payout in run.payouts)
    assert paid + sum(await at_once.balance()) == await at_once.account() + paid
    await at_once.settled()


# -- commission


async def test_the_first_rule_that_matches_is_what_a_purchase_begins_with(scene):
    payments, other = scene.shop.payments, ids.SellerId(5)
    tree = await scene.shop.catalog.add_category("Drinks")
    below = await scene.shop.catalog.add_category("Teas", tree.category_id)
    await scene.db.execute("update catalog.product set category_id = $1", below.category_id)
    rules = [
        CommissionRule(900_000, seller_id=other),
        CommissionRule(50_000, fee=30, category_id=tree.category_id),
        CommissionRule(0),
    ]
    stood = await payments.set_commission_rules(NewCommissionRules(rules, version=0))
    assert (stood.rules, stood.version) == (rules, 1)
    with pytest.raises(RulesChanged):
        await payments.set_commission_rules(NewCommissionRules([], version=0))
    assert await payments.commission_rules() == stood

    async def applied():
        eve = await scene.again()
        lines = await payments.unpaid_lines(scene.seller)
        return {line.kind: line.amount for line in lines if line.order_id == eve.order_id}

    async with asyncio.timeout(10):  # who buys looks the rules up four times a second
        while (found := await applied())["commission"] == -100:
            pass
    assert found == {"sale": 1_000, "commission": -50, "fee": -30, "delivery": 499}
    await scene.settled()


async def test_all_refunds_together_give_back_commission_and_fees_to_the_cent(scene):
    await scene.shop.payments.set_commission_rules(NewCommissionRules([CommissionRule(33_333, fee=7)]))
    eve = scene
    async with asyncio.timeout(10):
        while True:
            eve = await scene.again()
            kinds = {line.kind for line in await scene.shop.payments.unpaid_lines(scene.seller)}
            if "fee" in kinds:
                break
    [payment] = await scene.shop.payments.of_order(eve.order_id)
    for amount in (1, 333, 7, payment.amount - 341):
        await eve.gives_back(amount)
    rest = await scene.db.fetchval(
        "select sum(amount) from payments.seller_line where order_id = $1", eve.order_id
    )
    assert rest == 0
    await scene.settled()


# -- accounts


@pytest.mark.parametrize(
    ("given", "kept"), [("000123456789", "•••• 6789"), ("gb82 west 1234 5698 7654 32", "•••• 5432")]
)
def test_an_account_is_kept_by_its_last_digits(given, kept):
    assert masked(checked_account(given)) == kept


@pytest.mark.parametrize("given", ["GB82WEST12345698765433", "abc", "12", "1" * 20, "DE89"])
def test_an_account_with_a_slip_is_refused(given):
    with pytest.raises(Invalid):
        checked_account(given)


# -- a shop of an earlier release


async def test_what_an_earlier_release_captured_and_paid_back_gets_its_lines(scene):
    eve = await scene.again()
    await eve.gives_back(300)
    await eve.gives_back(200)
    others = [await scene.again() for _ in range(2)]
    await others[0].checkout.cancel(others[0].ann, others[0].order_id, CancelAsk(once="x"))
    wanted = "select order_id, seller_id, kind, amount from payments.seller_line order by 1, 2, reference, 3"
    before = await scene.db.fetch(wanted)
    await scene.db.execute("delete from payments.earning; delete from payments.seller_part")
    await scene.db.execute("update payments.payment set kept = null; update payments.filled set done = false")
    parts = [(scene.order_id, scene.seller, "delivered"), (others[0].order_id, scene.seller, "cancelled")]

    async def ended(order_ids):
        return [part for part in parts if part[0] in order_ids]

    filling = scene.shop.payments.filling
    assert await asyncio.gather(filling.fill(ended), filling.fill(ended)) == [False, False]
    assert await filling.fill(ended) is False
    assert await scene.db.fetch(wanted) == before
    assert await scene.db.fetchval("select done from payments.filled")
    held = await scene.db.fetch(
        "select order_id from payments.seller_part where available_at is not null order by 1"
    )
    assert [row["order_id"] for row in held] == sorted([scene.order_id, others[0].order_id])
    await scene.settled()


async def test_orders_say_which_parts_are_at_their_end(scene):
    assert await scene.shop.orders.ended_parts([scene.order_id]) == []
    await scene.checkout.cancel(scene.ann, scene.order_id, CancelAsk(once="x"))
    [part] = await scene.shop.orders.ended_parts([scene.order_id])
    assert (part.order_id, part.seller_id, part.status) == (scene.order_id, scene.seller, "cancelled")


async def test_a_refund_that_a_worker_of_an_earlier_release_booked_gets_its_lines(scene):
    await scene.gives_back(300)
    row = await scene.db.fetchrow("select refund_id, amount from payments.refund")
    await scene.db.execute("delete from payments.earning where reference = $1", row["refund_id"])
    paid = RefundPaid(
        refund_id=ids.RefundId(row["refund_id"]),
        order_id=scene.order_id,
        amount=row["amount"],
        currency="USD",
        reference="refund/x",
        seller_ids=[scene.seller],
    )
    await scene.hear(paid, paid)
    await scene.hear(paid)
    assert sum(await scene.balance()) == await scene.account()
    await scene.settled()
