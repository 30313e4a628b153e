"""Experiments: who sees what, what is counted of it, and how they end."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contract.test_analytics_engine import noted
from contract.test_reports import BOB, OLGA
from fact_engines import engine as engine
from fact_engines import facts as facts
from house import House
from house import house as house
from house import opened as opened
from journeys.people import until
from msgspec.structs import replace
from one_scene import one_scene

from mercat import ids
from mercat.analytics import NewExperiment, arm_of, mark
from mercat.analytics.engine import Batch
from mercat.analytics.service import ExperimentRunning

PAGE = "/operator/experiments"


def test_an_order_counts_for_the_way_that_was_shown_before_it(engine):
    one, two = "7/A", "7/B"
    told = [
        noted(1, 0, 0, "exposed", visitor=1, words=one, found=20_000),
        noted(1, 1, 1, "order", visitor=1, product=5),
        noted(1, 2, 2, "order", visitor=1, product=6),
        noted(1, 3, 0, "order", visitor=2, product=5),
        noted(1, 4, 1, "exposed", visitor=2, words=two, found=30_000),
        noted(1, 5, 2, "exposed", visitor=2, words=two, found=30_000),
        noted(1, 6, 0, "exposed", visitor=3, words=two, found=30_000),
        noted(1, 7, 5, "order", visitor=3, product=5),
        noted(1, 8, 0, "exposed", visitor=4, words="8/A", found=1),
    ]
    engine.append(Batch(looks=told), 1)
    engine.append(Batch(looks=told), 2)
    asked = {"arms": [one, two], "since": datetime(2026, 11, 1)}
    found = {row["arm"]: row for row in engine.ask("arms", asked)}
    assert found.keys() == {one, two}
    assert [found[one][each] for each in ("visitors", "bought", "answers", "latency_ms")] == [1, 1, 1, 20]
    assert [found[two][each] for each in ("visitors", "bought", "answers", "latency_ms")] == [2, 1, 3, 30]
    since = {"since": datetime(2026, 11, 1), "until": datetime(2026, 12, 5)}
    funnel = engine.ask("funnel", since | {"visitors": "visitors_everybody", "funnel_key": "funnel_device"})
    assert sum(row["visits"] for row in funnel) == 3, "who was only shown a way is no visit of its own"


@pytest.fixture
async def olga(house: House) -> Any:
    member = await house.member(OLGA)
    await house.shop.accounts.set_operator(OLGA["email"], given=True)
    return member


async def begun(olga: Any, subject: str = "search_ranking") -> Any:
    return await olga.api("POST", PAGE, 201, {"name": "Two rankers", "subject": subject})


async def test_a_visitor_sees_one_way_it_is_counted_and_no_cache_keeps_it(house, olga):
    ann = await house.visitor(address="203.0.113.5")
    before = await ann.http.get("/search?q=cup")
    assert before.headers["cache-control"].startswith("public")
    experiment = await begun(olga)

    async def taking_part() -> bool:
        answer = await ann.http.get("/search?q=cup")
        return answer.headers["cache-control"] == "private, no-store"

    await until(taking_part)
    shy = await house.visitor(address="203.0.113.9")
    shy.http.headers["dnt"] = "1"
    for _ in range(3):
        answer = await shy.http.get("/search?q=cup")
        assert "surrogate-key" not in answer.headers
    await ann.http.get("/search?q=cup")

    async def counted() -> bool:
        [shown] = (await olga.api("GET", PAGE, 200))["experiments"]
        return sum(arm["visitors"] for arm in shown["arms"]) == 1

    await until(counted, 20)
    [shown] = (await olga.api("GET", PAGE, 200))["experiments"]
    assert shown["verdict"]["outcome"] == "open"
    assert sorted(arm["visitors"] for arm in shown["arms"]) == [0, 1]
    assert "No difference can be seen yet" in await olga.page(PAGE)

    stopped = await olga.api("POST", f"{PAGE}/{experiment['experiment_id']}/stop", 200)
    again = await olga.api("POST", f"{PAGE}/{experiment['experiment_id']}/stop", 200)
    assert again["stopped_at"] == stopped["stopped_at"]

    async def as_before() -> bool:
        return (await ann.http.get("/search?q=cup")).headers["cache-control"].startswith("public")

    await until(as_before)


async def test_a_shelf_can_be_compared_too(house, olga):
    await begun(olga, "for_you_shelf")
    ann = await house.visitor()

    async def counted() -> bool:
        await ann.page("/fragments/shelves")
        [shown] = (await olga.api("GET", PAGE, 200))["experiments"]
        return sum(arm["visitors"] for arm in shown["arms"]) == 1

    await until(counted, 20)


async def test_layouts_of_a_page_are_compared_beside_rankers(house, olga):
    bob = await house.member(BOB)
    await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
    cup = {"title": "A cup", "description": "", "category": "cups", "price": 5, "quantity": 9}
    await bob.api("POST", "/seller/products", 201, cup | {"currency": "USD"})
    await begun(olga)
    await begun(olga, "results_layout")

    async def layouts() -> list[str]:
        seen: list[str] = []
        for number in range(1, 17):
            ann = await house.visitor(address=f"203.0.113.{number}")
            answer = await ann.http.get("/search?q=cup")
            seen += re.findall(r'class="(grid(?: large)?)"', answer.text)
        return seen

    async def both_seen() -> bool:
        return set(await layouts()) == {"grid", "grid large"}

    async def counted() -> bool:
        shown = (await olga.api("GET", PAGE, 200))["experiments"]
        return all(sum(arm["visitors"] for arm in each["arms"]) >= 16 for each in shown)

    await until(both_seen, 20)
    await until(counted, 20)
    assert await layouts() == await layouts(), "a visitor sees one way"


async def test_a_subject_has_one_experiment_and_asking_twice_begins_one(house, olga):
    analytics = house.shop.analytics
    new = NewExperiment(name="Once", subject="search_ranking")
    key = ids.new(ids.ExperimentId)
    assert await analytics.start_experiment(new, key) == await analytics.start_experiment(new, key)
    with pytest.raises(ExperimentRunning):
        await analytics.start_experiment(new)
    no = await olga.api("POST", PAGE, 409, {"name": "Two", "subject": "search_ranking"})
    assert (no["code"], no["pointer"]) == ("experiment_running", "/subject")
    assert len((await olga.api("GET", PAGE, 200))["experiments"]) == 1


@one_scene(
    ("body", "pointer"),
    [
        ({"name": "", "subject": "search_ranking"}, "/name"),
        ({"name": "x", "subject": "search"}, "/subject"),
        ({"name": "x", "subject": "search_ranking", "least_effect": 0}, "/least_effect"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_begins(olga, body, pointer):
    assert (await olga.api("POST", PAGE, 422, body))["pointer"] == pointer
    assert (await olga.api("GET", PAGE, 200))["experiments"] == []


async def test_experiments_are_for_operators_and_unknown_ones_are_not_found(house, olga):
    await (await house.member()).api("GET", PAGE, 403)
    await olga.api("POST", f"{PAGE}/{ids.new(ids.ExperimentId)}/stop", 404)


async def test_one_is_begun_and_stopped_on_the_page(olga):
    form = {"name": "By hand", "subject": "for_you_shelf", "least_effect": "20"}
    assert "By hand" in await olga.send(PAGE, PAGE, **form)
    assert "is running" in await olga.send(PAGE, PAGE, 409, **form)
    [shown] = (await olga.api("GET", PAGE, 200))["experiments"]
    stop = f"{PAGE}/{shown['experiment_id']}/stop"
    assert "An operator stopped it." in await olga.send(PAGE, stop)


async def test_one_that_does_harm_is_stopped_by_itself_however_often_it_is_looked_at(house, olga):
    experiment = await begun(olga)
    experiment_id = ids.parse(ids.ExperimentId, experiment["experiment_id"])
    keeper: Any = house.shop.analytics.keeper
    await until(lambda: _open(keeper))
    at = datetime.now(UTC)
    told = []
    for visitor in range(1, 1_001):
        arm = arm_of(experiment_id, visitor)
        way = mark(experiment_id, arm)
        told.append(noted(1, 2 * visitor, 0, "exposed", visitor=visitor, words=way, found=20_000))
        if arm == "A" and visitor % 4 == 0:
            told.append(noted(1, 2 * visitor + 1, 0, "order", visitor=visitor, product=5))
    engine = keeper._engine
    late = [replace(look, happened=at + timedelta(seconds=look.number)) for look in told]
    async with keeper._writing:
        position = 1 + (await keeper._in(keeper._write, engine.position) or 0)
        await keeper._in(keeper._write, lambda: engine.append(Batch(looks=late), position))
    keeper._guard_s = 0
    for _ in range(2):
        await keeper.guard()
        [shown] = (await olga.api("GET", PAGE, 200))["experiments"]
        assert shown["stopped_because"].startswith("B sold less: 0.0% of visitors ordered")
    await begun(olga)


async def _open(keeper: Any) -> bool:
    return keeper.is_open
