"""Who comes too late is told at once, and no lane waits for another."""

import asyncio

import pytest

from mercat.kit.refusals import Overloaded
from mercat.web import routes
from mercat.web.lanes import RULES, Lane, LaneRules, Lanes, lane_of


class Now:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def lane(now: Now) -> Lane:
    return Lane("search", LaneRules(at_once=2, wait_s=0.5, answer_s=0.2), now)


async def come(lane: Lane) -> None:
    if not lane.begin():
        await lane.wait()


async def comers(lane: Lane, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.ensure_future(come(lane)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_a_few_run_and_the_others_wait_in_order(lane: Lane, now: Now) -> None:
    tasks = await comers(lane, 5)
    await asyncio.sleep(0)
    assert (lane.running, lane.waiting) == (2, 3)
    assert [task.done() for task in tasks] == [True, True, False, False, False]
    lane.end(now.s)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [task.done() for task in tasks] == [True, True, True, False, False]
    for _ in range(4):
        lane.end(now.s)
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert (lane.running, lane.waiting) == (0, 0)


async def test_who_would_wait_too_long_is_refused_at_once(lane: Lane, now: Now) -> None:
    tasks = await comers(lane, 40)
    assert not lane.refuses()
    for _ in range(2):  # a turn each 0.1 s: five of them are all the patience there is
        now.s += 0.1
        lane.end(now.s)
        await asyncio.sleep(0)
    assert lane.refuses()
    with pytest.raises(Overloaded):
        await come(lane)
    now.s += 0.4
    lane.end(now.s)
    await asyncio.sleep(0)
    served = [task for task in tasks if task.done() and not task.exception()]
    late = [task for task in tasks if task.done() and task.exception()]
    assert (len(served), len(late)) == (4, 36), "who has waited too long is told, not served"
    assert lane.begin(), "the next comes in at once"
    for task in tasks:
        task.cancel()


async def test_a_standing_line_has_less_patience_than_a_burst(lane: Lane, now: Now) -> None:
    burst = await comers(lane, 3)
    now.s += 0.3
    assert not lane.refuses(), "a burst may wait"
    lane.end(now.s)
    await comers(lane, 1)
    now.s += 1.0
    more = await comers(lane, 1)
    assert lane.refuses(), "a line that has stood for a second may not"
    for task in burst + more:
        task.cancel()


async def test_where_no_turn_ends_nobody_waits_for_ever() -> None:
    lane = Lane("pages", LaneRules(at_once=1, wait_s=0.05, answer_s=1))
    assert lane.begin()
    async with asyncio.timeout(2):
        with pytest.raises(Overloaded):
            await lane.wait()
    assert lane.waiting == 0
    lane.end(0)
    assert lane.begin()


async def test_who_goes_away_keeps_no_turn(lane: Lane, now: Now) -> None:
    tasks = await comers(lane, 4)
    await asyncio.sleep(0)
    tasks[2].cancel()
    lane.end(now.s)  # the turn is the fourth's, for the third has gone
    tasks[3].cancel()  # who goes away too, just as the turn comes
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (lane.running, lane.waiting) == (1, 0)


async def test_slow_answers_let_fewer_begin_and_quick_ones_more(now: Now) -> None:
    lane = Lane("buying", LaneRules(at_once=100, wait_s=1, answer_s=0.2), now)

    async def rounds(took_s: float, times: int) -> None:
        for _ in range(times):
            began = 0
            while lane.begin():
                began += 1
            now.s += 0.2
            for _ in range(began):
                lane.end(now.s - took_s)

    await rounds(0.5, 20)
    slow = lane.limit
    assert slow < 20
    await rounds(0.05, 100)
    assert lane.limit == 100


async def test_one_lane_that_is_full_keeps_no_other_out() -> None:
    lanes = Lanes()
    search = lanes.of("/api/v1/search", reading=True)
    while search.begin():
        pass
    assert not search.begin()
    assert lanes.of("/api/v1/orders/checkout", reading=False).begin()
    assert lanes.of("/", reading=True).begin()


def test_every_route_is_in_a_lane_that_there_is() -> None:
    for route in routes.TABLE:
        assert lane_of(routes.PREFIX + route.path, reading=route.verb == "GET") in RULES


@pytest.mark.parametrize(
    ("path", "reading", "lane"),
    [
        ("/", True, "pages"),
        ("/p/prod_1/cup", True, "pages"),
        ("/search", True, "search"),
        ("/api/v1/search", True, "search"),
        ("/api/v1/products", True, "reads"),
        ("/api/v1/orders/checkout", False, "buying"),
        ("/checkout", False, "buying pages"),
        ("/api/v1/sessions", False, "people"),
        ("/api/v1/seller/stock/off_1", False, "desk"),
        ("/api/v1/sessions/guest", False, "buying"),
        ("/api/v1/sessions/current", True, "reads"),
        ("/api/v1/accounts/password-reset", False, "people"),
        ("/api/v1/reviews/rev_1/helpful", False, "buying"),
        ("/api/v1/orders/ord_1/invoice", True, "papers"),
        ("/orders/ord_1/invoice", True, "papers"),
        ("/desk/orders/ord_1/packing-slip", True, "papers"),
        ("/api/v1/", True, "reads"),
        ("/static/shop.css", True, "files"),
    ],
)
def test_lanes_are_told_by_the_noun(path: str, reading: bool, lane: str) -> None:
    assert lane_of(path, reading=reading) == lane
