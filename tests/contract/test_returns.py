"""What returns promise, whether they live in this process or behind HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from both_ways import WAYS, reached

from mercat import events, ids
from mercat.kit.refusals import Invalid, NotFound
from mercat.returns import (
    API,
    NewReturn,
    ReceivedGoods,
    ReceivedUnits,
    ReturnedLine,
    ReturnMovedOn,
    Returns,
    Sent,
    Withheld,
    in_time,
)

ORDER, ANN, BOB, CAL = ids.OrderId(1), ids.UserId(11), ids.SellerId(21), ids.SellerId(22)
TEA, CUP = ids.LineId(31), ids.LineId(32)
POST = Sent("Post", "R-1")
DELIVERED = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line(line_id=TEA, quantity=2, **more):
    return ReturnedLine(
        order_line_id=line_id,
        product_id=ids.ProductId(41),
        offer_id=ids.OfferId(51),
        title="A tin of tea",
        unit_price=1_000,
        quantity=quantity,
        **more,
    )


def new(*lines, approved=False, seller_id=BOB):
    return NewReturn(
        return_id=ids.new(ids.ReturnId, ORDER.bucket),
        order_id=ORDER,
        user_id=ANN,
        seller_id=seller_id,
        seller_name="Bob's",
        reason="damaged",
        comment="It is cracked.",
        currency="USD",
        lines=list(lines) or [line()],
        approved=approved,
        seller_email="bob@example.com",
    )


def parcel(*units, withheld=None):
    return ReceivedGoods([ReceivedUnits(*each) for each in units], withheld)


ALL_WELL = parcel((TEA, 2, "sellable"))


@pytest.fixture(params=WAYS)
async def returns(request, pool, settings):
    local = Returns(await pool("returns"), settings)
    async with reached(request.param, Returns, API, local) as returns:
        yield returns


async def on_its_way(returns, *lines):
    back = await returns.open(new(*lines))
    await returns.approve(back.return_id, BOB)
    return await returns.sent(back.return_id, ORDER, POST)


async def test_a_return_goes_from_the_wish_to_the_money(returns, told):
    asked = new()
    for _ in range(2):
        back = await returns.open(asked)
        assert (back.status, back.reason, back.comment) == ("requested", "damaged", "It is cracked.")
    return_id = asked.return_id
    for _ in range(2):
        assert (await returns.approve(return_id, BOB)).status == "approved"
    for _ in range(2):
        assert (await returns.sent(return_id, ORDER, POST)).status == "in_transit"
    withheld = Withheld(250, "It was used.")
    came = parcel((TEA, 1, "sellable"), (TEA, 1, "damaged"), withheld=withheld)
    for _ in range(2):
        back = await returns.receive(return_id, came, BOB)
        assert (back.status, back.decided_by, back.withheld) == ("received", "seller", 250)
    assert [(each.sellable, each.damaged, each.missing) for each in back.lines] == [(1, 1, 0)]
    for _ in range(2):
        assert (await returns.settle(return_id, 1_750)).status == "refunded"
    assert (await returns.receive(return_id, came, BOB)).refunded == 1_750
    assert [type(event) for event in await told()] == [
        events.ReturnRequested,
        events.ReturnApproved,
        events.ReturnSent,
        events.ReturnReceived,
        events.ReturnRefunded,
    ]


async def test_what_the_shop_approves_by_itself_is_approved_and_told_so(returns, told):
    back = await returns.open(new(approved=True))
    assert (back.status, back.decided_by, back.approved_at) == ("approved", "shop", back.asked_at)
    asked, approved = await told()
    assert (asked.approved, approved.by) == (True, "shop")


async def test_a_return_is_of_its_seller_and_its_order(returns):
    back = await returns.open(new())
    for ask in (
        returns.one(back.return_id, ids.OrderId(2)),
        returns.one(back.return_id, None, CAL),
        returns.approve(back.return_id, CAL),
        returns.refuse(back.return_id, "No.", CAL),
        returns.receive(back.return_id, ALL_WELL, CAL),
        returns.withdraw(back.return_id, ids.OrderId(2)),
        returns.sent(back.return_id, ids.OrderId(2), POST),
    ):
        with pytest.raises(NotFound):
            await ask
    assert (await returns.one(back.return_id, ORDER, BOB)).status == "requested"


async def test_a_refusal_stands_and_says_why(returns):
    back = await returns.open(new())
    for _ in range(2):
        said = await returns.refuse(back.return_id, "It was worn.", BOB)
        assert (said.status, said.refused_because) == ("refused", "It was worn.")
    for ask in (
        returns.refuse(back.return_id, "Another reason.", BOB),
        returns.approve(back.return_id, BOB),
        returns.withdraw(back.return_id, ORDER),
        returns.sent(back.return_id, ORDER, POST),
        returns.receive(back.return_id, ALL_WELL, BOB),
    ):
        with pytest.raises(ReturnMovedOn):
            await ask


async def test_a_shopper_withdraws_until_it_is_sent(returns):
    for approved in (False, True):
        back = await returns.open(new(approved=approved))
        for _ in range(2):
            assert (await returns.withdraw(back.return_id, ORDER)).status == "closed"
        with pytest.raises(ReturnMovedOn):
            await returns.approve(back.return_id, BOB)
        with pytest.raises(ReturnMovedOn):
            await returns.receive(back.return_id, ALL_WELL, BOB)
    sent = await on_its_way(returns)
    with pytest.raises(ReturnMovedOn):
        await returns.withdraw(sent.return_id, ORDER)


async def test_only_what_is_approved_is_sent_and_its_number_can_be_put_right(returns, told):
    back = await returns.open(new())
    with pytest.raises(ReturnMovedOn):
        await returns.sent(back.return_id, ORDER, POST)
    await returns.approve(back.return_id, BOB)
    first = await returns.sent(back.return_id, ORDER, POST)
    again = await returns.sent(back.return_id, ORDER, Sent("Post", "R-2"))
    assert (again.tracking_number, again.sent_at) == ("R-2", first.sent_at)
    await returns.receive(back.return_id, ALL_WELL, BOB)
    with pytest.raises(ReturnMovedOn):
        await returns.sent(back.return_id, ORDER, Sent("Post", "R-3"))
    assert [type(event).__name__ for event in await told()].count("ReturnSent") == 1


@pytest.mark.parametrize(
    "came",
    [
        parcel((TEA, 1, "sellable")),
        parcel((TEA, 3, "sellable")),
        parcel((TEA, 2, "sellable"), (TEA, 1, "missing")),
        parcel((TEA, 2, "sellable"), (CUP, 1, "sellable")),
    ],
    ids=["one forgotten", "one too many", "one twice", "another's line"],
)
async def test_every_unit_of_a_return_is_named_once(returns, came):
    back = await on_its_way(returns)
    with pytest.raises(Invalid):
        await returns.receive(back.return_id, came, BOB)
    assert (await returns.one(back.return_id)).status == "in_transit"


async def test_nothing_that_came_is_nothing_to_pay(returns, told):
    back = await on_its_way(returns)
    await returns.receive(back.return_id, parcel((TEA, 2, "missing")), BOB)
    assert (await returns.settle(back.return_id, 0)).status == "closed"
    assert (await told())[-1].withdrawn is False


async def test_what_was_received_is_not_received_otherwise(returns):
    back = await on_its_way(returns)
    await returns.receive(back.return_id, ALL_WELL, BOB)
    for other in (parcel((TEA, 2, "damaged")), parcel((TEA, 2, "sellable"), withheld=Withheld(1, "Used."))):
        with pytest.raises(ReturnMovedOn):
            await returns.receive(back.return_id, other)


async def test_of_a_seller_and_an_operator_one_receives(returns):
    for _ in range(5):
        back = await on_its_way(returns)
        answers = await asyncio.gather(
            returns.receive(back.return_id, ALL_WELL, BOB),
            returns.receive(back.return_id, parcel((TEA, 2, "damaged"))),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, ReturnMovedOn) for answer in answers) == 1
        now = await returns.one(back.return_id)
        assert now.decided_by == ("seller" if now.lines[0].sellable else "operator")


async def test_of_a_withdrawal_and_a_parcel_one_happens(returns):
    for _ in range(5):
        back = await returns.open(new(approved=True))
        answers = await asyncio.gather(
            returns.withdraw(back.return_id, ORDER),
            returns.sent(back.return_id, ORDER, POST),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, ReturnMovedOn) for answer in answers) == 1


async def test_lists_go_on_by_key_and_count_by_status(returns):
    made = [(await returns.open(new(approved=n % 2 == 0))).return_id for n in range(5)]
    await returns.open(new(seller_id=CAL))
    seen, before = [], None
    while True:
        page = await returns.newest(BOB, None, before, 2)
        seen += [each.return_id for each in page.returns]
        before = page.next_cursor
        if before is None:
            break
    assert seen == made[::-1]
    assert [each.return_id for each in (await returns.newest(BOB, "approved")).returns] == made[4::-2]
    assert await returns.counts(BOB) == {"approved": 3, "requested": 2}
    assert await returns.counts() == {"approved": 3, "requested": 3, "left_lying": 0}
    assert len(await returns.of_order(ORDER)) == 6


async def test_what_a_seller_leaves_lying_is_an_operators(returns, clock_ahead, settings):
    asked, sent, approved = (
        await returns.open(new()),
        await on_its_way(returns),
        await returns.open(new(approved=True)),
    )
    assert (await returns.left_lying()).returns == []
    clock_ahead(settings.return_decide_days * 86_400 + 1)
    found = [each.return_id for each in (await returns.left_lying()).returns]
    assert found == [sent.return_id, asked.return_id]
    assert approved.return_id not in found
    assert (await returns.counts())["left_lying"] == 2
    assert (await returns.approve(asked.return_id)).decided_by == "operator"
    assert (await returns.receive(sent.return_id, ALL_WELL)).decided_by == "operator"
    assert (await returns.left_lying()).returns == []


@pytest.mark.parametrize(
    "damage",
    [
        "update returns.line set sellable = 1",
        "update returns.return set refunded = 5",
        "update returns.return set status = 'received'",
        "update returns.return set status = 'refused'",
    ],
)
async def test_the_database_refuses_what_can_never_be(pool, settings, db, damage):
    await Returns(await pool("returns"), settings).open(new())
    with pytest.raises(asyncpg.CheckViolationError):
        await db.execute(damage)


def test_what_was_delivered_may_come_back_for_so_many_days():
    parcels = [(DELIVERED, {TEA: 2}), (DELIVERED + timedelta(days=10), {TEA: 1, CUP: 1})]
    day = timedelta(days=1)
    assert in_time(parcels, DELIVERED + 30 * day, 30) == {TEA: 3, CUP: 1}
    assert in_time(parcels, DELIVERED + 31 * day, 30) == {TEA: 1, CUP: 1}
    assert in_time(parcels, DELIVERED + 41 * day, 30) == {}
