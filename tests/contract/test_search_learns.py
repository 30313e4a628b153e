"""Searches learn from clicks and orders: what pleases rises, what merely stands first does not, and what
would make searches worse is not served."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

import pytest
from contract.test_analytics_engine import noted
from contract.test_reports import BOB, OLGA, engine_opened
from fact_engines import engine as engine
from house import house as house
from house import opened as opened
from journeys.people import until
from search_products import product, put

from mercat import ids
from mercat.analytics.engine import Batch
from mercat.ids import ProductId
from mercat.search import Choice, Search, SearchQuery

COLOURS = [
    "amber",
    "blue",
    "coral",
    "green",
    "ivory",
    "lilac",
    "mint",
    "ochre",
    "pink",
    "plum",
    "rose",
    "teal",
]
CUPS = [
    product(number, f"Cup {name}", category="cups", categories=["cups"])
    for number, name in enumerate(COLOURS, 1)
]


@pytest.fixture
async def search(where, tmp_path, pool):
    put(where, CUPS)
    made = Search(tmp_path, db=await pool("search"), store=where)
    yield made
    await made.close()


async def order_of(search: Search) -> list[int]:
    found = await search.find(SearchQuery(q="cup", limit=100))
    return [int(card.product_id) for card in found.cards()]


def shoppers(order: list[int], pleases: Callable[[int], float], seed: int = 1) -> list[Choice]:
    """Simulate people who see a place less often the lower it is, and click what they see and like; some sort
    the list by price."""
    chance = Random(seed)
    counts: dict[tuple[int, int], Counter[str]] = {}
    for _ in range(3_000):
        shown = chance.sample(order, len(order)) if chance.random() < 0.25 else order
        for place, one in enumerate(shown, 1):
            count = counts.setdefault((one, place), Counter())
            clicked = chance.random() < place**-0.8 * pleases(one)
            count.update(shown=1, clicked=clicked, bought=clicked and chance.random() < 0.1)
    return [
        Choice("cup", one, place, count["shown"], count["clicked"], count["bought"])
        for (one, place), count in counts.items()
    ]


async def seen(search: Search, what: Callable[[list[int]], bool]) -> list[int]:
    """Wait until searches answer so: they follow within a second."""
    async with asyncio.timeout(5):
        while not what(order := await order_of(search)):
            await asyncio.sleep(0.05)
    return order


async def test_what_pleases_rises_and_what_merely_stands_first_does_not(search):
    before = await order_of(search)
    better, first = before[7], before[0]

    def pleases(one: int) -> float:
        return 0.7 if one == better else 0.3

    clicks = Counter[int]()
    for each in (taught := shoppers(before, pleases)):
        clicks[each.product] += each.clicked
    assert clicks[first] > clicks[better]  # as clicks alone would have it

    learnt = await search.learn(taught, shoppers(before, pleases, seed=2))
    assert (learnt.state, learnt.why) == ("served", "")
    assert learnt.chosen_before < learnt.chosen_after
    after = await seen(search, lambda order: order != before)
    assert after.index(better) <= 2
    explained = {int(each.product_id): each.chosen for each in (await search.explain("cup", 20)).why}
    assert explained[better] > 0.5
    assert all(abs(explained[one]) < 0.25 for one in before if one != better)

    await search.take_back(learnt.learnt_id)
    await search.take_back(learnt.learnt_id)
    await seen(search, lambda order: order == before)
    [taken] = await search.learnt()
    assert (taken.state, taken.why) == ("kept_out", "An operator took it back.")


async def test_the_former_order_is_served_again_when_a_newer_one_is_taken_back(search):
    before = await order_of(search)
    orders = []
    for liked in before[5], before[9]:
        choices = shoppers(before, lambda one, liked=liked: 0.8 if one == liked else 0.2)
        learnt = await search.learn(choices, choices)
        orders.append(learnt)
        await seen(search, lambda order, liked=liked: order.index(liked) < before.index(liked))
    assert [each.state for each in await search.learnt()] == ["served", "former"]
    await search.take_back(orders[1].learnt_id)
    await seen(search, lambda order: order.index(before[5]) < 5)


async def test_what_people_judged_to_be_worse_is_kept_out_and_why_is_said(search, tmp_path):
    before = await order_of(search)
    choices = shoppers(before, lambda one: 0.8 if one == before[8] else 0.2)
    judged = tmp_path / "judged"
    judged.mkdir()
    grades = [
        {"query_id": "q", "product_id": str(ProductId(one)), "grade": 3 if one == before[2] else 0}
        for one in before
    ]
    (judged / "queries.jsonl").write_text(json.dumps({"query_id": "q", "query": "cups"}))
    (judged / "judgements.jsonl").write_text("\n".join(map(json.dumps, grades)))
    learnt = await search.learn(choices, choices)
    assert learnt.state == "kept_out"
    assert learnt.why.startswith("What people judged would be ordered worse: ndcg@10 ")
    assert learnt.judged_after < learnt.judged_before
    assert await order_of(search) == before


async def test_what_pleases_only_those_who_taught_is_kept_out(search):
    before = await order_of(search)
    taught = shoppers(before, lambda one: 0.8 if one == before[8] else 0.2)
    learnt = await search.learn(taught, shoppers(before, lambda one: 0.8 if one == before[0] else 0.2))
    assert learnt.why.startswith("It would not please more: ")
    few = await search.learn(taught, taught[:1])
    assert few.why.startswith("There are too few clicks so far: ")
    assert {each.state for each in await search.learnt()} == {"kept_out"}


def test_facts_tell_what_was_shown_where_and_what_was_chosen(engine):
    looks = []
    for day in range(4):
        for number in range(6):
            minutes, visitor = 1_440 * day + 10 * number, day * 100 + number
            told = {"visitor": visitor, "words": "cup", "found": 3, "shown": [5, 6, 7]}
            looks.append(noted(visitor, 0, minutes, "search", **told))
            looks.append(noted(visitor, 1, minutes + 1, "view", visitor=visitor, product=6 + number % 2))
            looks.append(noted(visitor, 2, minutes + 2, "view", visitor=visitor, product=6 + number % 2))
        looks.append(noted(day, 9, 1_440 * day + 3, "order", visitor=day * 100, product=6))
        looks.append(noted(day, 10, 1_440 * day + 3, "search", visitor=999 + day, words="rare", shown=[5]))
    engine.append(Batch(looks=looks), 1)
    engine.settle(date(2026, 12, 9))
    asked = {"since": date(2026, 11, 29), "until": date(2026, 12, 3), "clicks": 20, "most": 10, "places": 2}
    assert engine.ask("asked_most", asked) == [{"words": "cup"}]
    asked |= {"words": ["cup"], "looked": "learnt_days", "looked_after": "learnt_days"}
    rows = {held_out: engine.ask("choices", asked | {"held_out": held_out}) for held_out in (False, True)}
    assert [tuple(row.values()) for row in rows[True]] == [("cup", 5, 1, 6, 0, 0), ("cup", 6, 2, 6, 3, 1)]
    assert [tuple(row.values()) for row in rows[False]] == [("cup", 5, 1, 18, 0, 0), ("cup", 6, 2, 18, 9, 3)]


async def test_clicks_reach_searches_and_an_operator_sees_it_and_takes_it_back(house):
    bob, olga = await house.member(BOB), await house.member(OLGA)
    await house.shop.accounts.set_operator(OLGA["email"], given=True)
    await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
    for name in COLOURS[:6]:
        mug = {"title": f"Mug {name}", "description": "", "category": "cups", "price": 5, "quantity": 9}
        await bob.api("POST", "/seller/products", 201, mug | {"currency": "USD"})

    async def found() -> list[int]:
        return [int(each.product_id) for each in (await house.shop.search.find(SearchQuery(q="mug"))).cards()]

    async def all_found() -> bool:
        return len(await found()) == 6

    await until(all_found, 20)
    await engine_opened(house)
    assert await house.shop.analytics.learn() is None

    shown = await found()
    midnight = datetime.combine(datetime.now(UTC) - timedelta(days=12), time(), UTC)
    looks = []
    for number in range(800):
        one = shown[0 if number % 20 == 0 else 4]
        searched = midnight + timedelta(days=number // 4 % 8, minutes=number)
        told = {"words": "mugs", "found": 6, "shown": shown, "visitor": number}
        looks.append(noted(9, 2 * number, 0, "search", happened=searched, **told))
        if number % 2 == 0:
            viewed = searched + timedelta(seconds=9)
            looks.append(noted(9, 2 * number + 1, 0, "view", visitor=number, product=one, happened=viewed))
    keeper: Any = house.shop.analytics.keeper
    async with keeper._writing:
        position = 1 + (await keeper._in(keeper._write, keeper._engine.position) or 0)
        await keeper._in(keeper._write, lambda: keeper._engine.append(Batch(looks=looks), position))
    await keeper._settle(datetime.now(UTC).date())
    learnt = await house.shop.analytics.learn()
    assert (learnt.state, learnt.searches) == ("served", 1)

    [seen] = (await olga.api("GET", "/search/learnt", 200))["learnt"]
    assert seen["learnt_id"] == str(learnt.learnt_id)
    assert "It is served." in await olga.page("/operator/search")
    said = await olga.send("/operator/search", f"/operator/search/learnt/{learnt.learnt_id}/take-back")
    assert "An operator took it back." in said
    again = await olga.api("POST", f"/search/learnt/{learnt.learnt_id}/take-back", 201)
    assert again["learnt"][0]["state"] == "kept_out"
    await olga.api("POST", f"/search/learnt/{ids.new(ids.LearntId, 0)}/take-back", 404)
