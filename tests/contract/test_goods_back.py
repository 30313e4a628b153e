"""What becomes of a return whose process dies at any step: it is carried on, and nothing happens twice."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any, cast

import msgspec
import pytest
from scene import LAPSED, Scene

from mercat import ids
from mercat.app import build_shop
from mercat.checkout import AskReturn, KeyReused, Ship, Track
from mercat.kit import clock
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.rpc import Caller
from mercat.orders import LineQuantity, NotReturnable, UnitMove
from mercat.payments import RefundRequest
from mercat.returns import ReceivedGoods, ReceivedUnits, ReturnMovedOn, Sent, Withheld


class Crash(BaseException):
    """The process is gone: nothing that it would have done after this happens."""


class Breaks:
    """Stands before a neighbour and breaks once at a verb: before it, or after it was done."""

    def __init__(self, inside, verb, moment):
        self._inside, self._verb, self._moment, self._broke = inside, verb, moment, False

    def __getattr__(self, name):
        work = getattr(self._inside, name)
        if name != self._verb or self._broke:
            return work

        async def breaks(*args, **more):
            self._broke = True
            if self._moment == "after":
                await work(*args, **more)
            raise Crash

        return breaks


class BackScene(Scene):
    """Two tins of tea that were delivered, and may come back."""

    async def delivered(self, units=2, parcels=1, at=None):
        await self.checkout.buy(self.ann, "bought", await self.ask())
        [order] = await self.orders()
        self.order = await self.shop.orders.order(order.order_id, [self.ann.user_id])
        self.order_id, self.line_id = order.order_id, self.order.lines[0].order_line_id
        self.bob = Caller(ids.new(ids.UserId), frozenset({"seller"}), self.seller)
        lines = [LineQuantity(self.line_id, units)]
        for _ in range(parcels):
            parcel = await self.checkout.ship(self.bob, Ship(self.order_id, lines, "Post", "T-1"))
            await self.checkout.track(self.bob, parcel.shipment_id, Track("delivered", at=at))
        return self

    async def another(self):
        scene = await BackScene(self.shop, self.db).open()
        return await scene.delivered()

    def asks(self, units=2, reason: Any = "damaged", once=""):
        ask = AskReturn([LineQuantity(self.line_id, units)], reason)
        return self.checkout.ask_return(self.order_id, self.ann.user_id, ask, once)

    async def approved(self, units=2, reason="damaged"):
        back = await self.asks(units, reason)
        return await self.shop.returns.approve(back.return_id, self.seller)

    def came(self, withheld=None, **units):
        lines = [
            ReceivedUnits(self.line_id, quantity, cast(Any, condition))
            for condition, quantity in units.items()
        ]
        return ReceivedGoods(lines, withheld)

    async def refunds(self):
        [payment] = await self.shop.payments.of_order(self.order_id)
        return [refund.amount for refund in payment.refunds]

    async def line(self):
        return (await self.shop.orders.order(self.order_id, [self.ann.user_id])).lines[0]

    async def returns(self):
        return await self.shop.returns.of_order(self.order_id)

    async def nothing_begun(self):
        assert await self.db.fetchval("select count(*) from checkout.undoing where done_at is null") == 0
        await self.settled()


@pytest.fixture
async def scene(settings, db):
    async with AsyncExitStack() as stack:
        scene = await BackScene(await build_shop(settings, stack), db).open()
        yield await scene.delivered()


async def breaks_off(scene, part, verb, moment, work):
    """Let one verb of a neighbour end the process, then let recovery carry it on."""
    goods_back = scene.checkout.goods_back
    real = getattr(goods_back, part)
    setattr(goods_back, part, Breaks(real, verb, moment))
    with pytest.raises(Crash):
        await work()
    setattr(goods_back, part, real)
    while await scene.checkout.aftercare.recover():
        pass


MOMENTS = ("before", "after")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("part", "verb"), [("_orders", "move_units"), ("_returns", "open")])
async def test_an_ask_that_broke_off_is_carried_on(scene, clock_ahead, part, verb, moment):
    async def asks():
        try:
            await scene.asks(2, once="k")
        finally:
            clock_ahead(LAPSED)

    await breaks_off(scene, part, verb, moment, asks)
    [back] = await scene.returns()
    assert back.status == "requested"
    assert (await scene.line()).coming_back == 2
    assert (await scene.asks(2, once="k")).return_id == back.return_id
    assert len(await scene.returns()) == 1
    await scene.nothing_begun()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    ("part", "verb"),
    [
        ("_returns", "receive"),
        ("_orders", "move_units"),
        ("_payments", "refund"),
        ("_inventory", "put_back"),
        ("_returns", "settle"),
    ],
)
async def test_a_receipt_that_broke_off_is_carried_on_once(scene, clock_ahead, part, verb, moment):
    back = await scene.approved()
    came = scene.came(sellable=1, damaged=1, withheld=Withheld(125, "Used."))

    async def receives():
        try:
            await scene.checkout.receive_return(back.return_id, came, scene.seller)
        finally:
            clock_ahead(LAPSED)

    await breaks_off(scene, part, verb, moment, receives)
    owed = scene.order.total - 125
    assert await scene.refunds() == [owed]
    assert await scene.left() == (9, 0)
    for _ in range(2):
        done = await scene.checkout.receive_return(back.return_id, came, scene.seller)
        assert (done.status, done.refunded) == ("refunded", owed)
    line = await scene.line()
    assert (line.coming_back, line.returned, line.refunded) == (0, 2, 2)
    assert await scene.refunds() == [owed]
    assert await scene.left() == (9, 0)
    await scene.nothing_begun()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("act", ["withdraw", "refuse"])
@pytest.mark.parametrize("part", ["_returns", "_orders"])
async def test_a_no_that_broke_off_frees_the_units(scene, clock_ahead, part, act, moment):
    back = await scene.asks()

    async def says_no():
        try:
            if act == "withdraw":
                await scene.checkout.withdraw_return(scene.order_id, back.return_id)
            else:
                await scene.checkout.refuse_return(back.return_id, "Worn.", scene.seller)
        finally:
            clock_ahead(LAPSED)

    await breaks_off(scene, part, act if part == "_returns" else "move_units", moment, says_no)
    [now] = await scene.returns()
    assert now.status == ("closed" if act == "withdraw" else "refused")
    assert (await scene.line()).coming_back == 0
    assert (await scene.asks()).status == "requested"
    await scene.nothing_begun()


async def test_a_key_asks_once_for_one_thing(scene):
    answers = await asyncio.gather(*(scene.asks(1, once="k") for _ in range(5)))
    assert len({back.return_id for back in answers}) == 1
    assert (await scene.line()).coming_back == 1
    with pytest.raises(KeyReused):
        await scene.asks(2, once="k")
    await scene.asks(1, once="another")
    await scene.nothing_begun()


async def test_units_that_were_paid_back_where_they_are_are_not_paid_again(scene):
    back = await scene.approved(2, "not_needed")
    refund = UnitMove(
        kind="refund", reference="refund/1", who="seller", lines=[LineQuantity(scene.line_id, 1)]
    )
    owed = await scene.shop.orders.move_units(scene.order_id, refund)
    await scene.shop.payments.refund(scene.order_id, RefundRequest("refund/1", owed.amount))
    done = await scene.checkout.receive_return(back.return_id, scene.came(sellable=2), scene.seller)
    assert owed.amount + done.refunded == 2_125
    assert await scene.left() == (10, 0)
    await scene.nothing_begun()


async def test_what_was_paid_back_meanwhile_cannot_be_withheld(scene):
    back = await scene.approved(2, "not_needed")
    real = scene.checkout.goods_back._returns

    class Refunds:
        """Another pays back while this one receives."""

        def __getattr__(self, name):
            return getattr(real, name)

        async def receive(self, *args):
            refund = UnitMove(
                kind="refund", reference="refund/1", who="operator", lines=[LineQuantity(scene.line_id, 2)]
            )
            owed = await scene.shop.orders.move_units(scene.order_id, refund)
            await scene.shop.payments.refund(scene.order_id, RefundRequest("refund/1", owed.amount))
            return await real.receive(*args)

    scene.checkout.goods_back._returns = Refunds()
    came = scene.came(sellable=2, withheld=Withheld(1_000, "Used."))
    done = await scene.checkout.receive_return(back.return_id, came, scene.seller)
    assert (done.status, done.refunded) == ("closed", 0)
    assert await scene.refunds() == [2_125]
    assert await scene.left() == (10, 0)
    await scene.nothing_begun()


async def test_more_is_not_withheld_than_what_came_is_worth(scene):
    back = await scene.approved(2, "not_needed")
    too_much = scene.came(sellable=1, missing=1, withheld=Withheld(1_063, "Used."))
    with pytest.raises(Invalid):
        await scene.checkout.receive_return(back.return_id, too_much, scene.seller)
    assert (await scene.shop.returns.one(back.return_id)).status == "approved"
    just = msgspec.structs.replace(too_much, withheld=Withheld(1_062, "Used."))
    assert (await scene.checkout.receive_return(back.return_id, just, scene.seller)).status == "closed"
    await scene.nothing_begun()


async def test_the_loser_of_two_decisions_finishes_what_was_decided(scene):
    back = await scene.approved(2, "not_needed")
    await scene.shop.returns.receive(back.return_id, scene.came(sellable=2), scene.seller)  # then it died
    with pytest.raises(ReturnMovedOn):
        await scene.checkout.withdraw_return(scene.order_id, back.return_id)
    assert await scene.refunds() == [2_125]
    assert await scene.left() == (10, 0)
    await scene.nothing_begun()


async def test_a_return_of_another_order_or_seller_is_not_there(scene):
    back, other = await scene.approved(), await scene.another()
    for ask in (
        scene.checkout.withdraw_return(other.order_id, back.return_id),
        scene.checkout.refuse_return(back.return_id, "No.", other.seller),
        scene.checkout.receive_return(back.return_id, scene.came(sellable=2), other.seller),
        scene.shop.returns.sent(back.return_id, other.order_id, Sent("Post", "R-1")),
        scene.checkout.ask_return(
            scene.order_id, other.ann.user_id, AskReturn([LineQuantity(scene.line_id, 1)], "other")
        ),
    ):
        with pytest.raises(NotFound):
            await ask
    with pytest.raises(NotReturnable):
        await scene.asks(1)


async def test_parcels_that_arrive_at_the_same_moment_are_counted_together(scene):
    """Found by the simulator: two parcels of one order, delivered by one clock."""
    other = await BackScene(scene.shop, scene.db).open()
    await other.delivered(1, parcels=2, at=clock.now())
    [line] = await other.checkout.returnable(other.order_id, other.ann.user_id)
    assert line.quantity == 2


async def test_the_shop_approves_by_itself_where_it_is_set_so(settings, db):
    async with AsyncExitStack() as stack:
        auto = msgspec.structs.replace(settings, return_approval="auto")
        scene = await BackScene(await build_shop(auto, stack), db).open()
        await scene.delivered()
        back = await scene.asks()
        assert (back.status, back.decided_by) == ("approved", "shop")


async def test_the_time_for_returns_is_a_setting(settings, db):
    async with AsyncExitStack() as stack:
        never = msgspec.structs.replace(settings, return_days=0)
        scene = await BackScene(await build_shop(never, stack), db).open()
        await scene.delivered()
        with pytest.raises(NotReturnable):
            await scene.asks()


class Meanwhile:
    """Stands before a neighbour and lets another get on at a verb: before it, or after it was done."""

    def __init__(self, inside, verb, moment, another):
        self._inside, self._verb, self._moment, self._another = inside, verb, moment, another

    def __getattr__(self, name):
        work = getattr(self._inside, name)
        if name != self._verb:
            return work

        async def waits(*args, **more):
            if self._moment == "before":
                await self._another()
            done = await work(*args, **more)
            if self._moment == "after":
                await self._another()
            return done

        return waits


@pytest.mark.parametrize("first", ["decides", "is refused"])
async def test_who_is_refused_does_not_close_what_another_is_about_to_decide(scene, clock_ahead, first):
    back = await scene.approved(2, "not_needed")
    goods_back, undoing = scene.checkout.goods_back, scene.checkout.goods_back._undoing

    async def decides():
        with pytest.raises(Crash):
            await scene.checkout.receive_return(back.return_id, scene.came(sellable=2), scene.seller)

    async def is_refused():
        with pytest.raises(Invalid):
            await scene.checkout.receive_return(back.return_id, scene.came(sellable=5), scene.seller)

    def another(work):
        async def alone():
            goods_back._undoing = undoing
            await work()

        return alone

    goods_back._orders = Breaks(
        scene.shop.orders, "move_units", "before"
    )  # it dies between decision and money
    if first == "decides":
        goods_back._undoing = Meanwhile(undoing, "begin", "after", another(is_refused))
        await decides()
    else:
        goods_back._undoing = Meanwhile(undoing, "refused", "before", another(decides))
        await is_refused()
    assert await scene.refunds() == []
    goods_back._orders = scene.shop.orders
    clock_ahead(LAPSED)
    while await scene.checkout.aftercare.recover():
        pass
    assert await scene.refunds() == [2_125]
    await scene.nothing_begun()


async def test_what_was_parked_once_is_recovered_when_it_is_begun_anew(scene, clock_ahead):
    back = await scene.approved(2, "not_needed")
    undoing = scene.checkout.goods_back._undoing
    reference = f"receive-return/{int(back.return_id)}"
    begun = await undoing.begin(reference, scene.order_id, {})
    await scene.db.execute("update checkout.undoing set parked = 'broken', tries = 20")
    await undoing.done(begun)
    goods_back = scene.checkout.goods_back
    goods_back._orders = Breaks(scene.shop.orders, "move_units", "before")
    with pytest.raises(Crash):
        await scene.checkout.receive_return(back.return_id, scene.came(sellable=2), scene.seller)
    goods_back._orders = scene.shop.orders
    clock_ahead(LAPSED)
    while await scene.checkout.aftercare.recover():
        pass
    assert await scene.refunds() == [2_125]
    await scene.nothing_begun()
