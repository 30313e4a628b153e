"""What operators want of searches: pins, boosts, synonyms; everywhere within five seconds, and on record."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import asyncpg
import httpx
import pytest
from both_ways import posts_to
from search_products import product, put
from starlette.applications import Starlette

from mercat import ids
from mercat.events import CategoriesRenamed
from mercat.ids import CategoryId, ProductId, RuleChangeId, RuleId, UserId
from mercat.kit.event_log import deliver
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.rpc import Caller
from mercat.kit.stand_ins import remote, serve_asks
from mercat.search import API, Rule, Search, SearchQuery, TooManyRules

OPS = Caller(UserId(7), frozenset({"operator"}), name="Olga")
TEAS = [
    product(n, f"Tea {n:02}", brand="Acme" if n % 2 else "Brit", category="tea", categories=["drinks", "tea"])
    for n in range(1, 31)
]
SHELF = [
    *TEAS,
    product(50, "Kettle", brand="Brit"),
    product(51, "Mug", in_stock=False),
    product(52, "Infusion"),
]


@pytest.fixture
async def workers(where, tmp_path, pool):
    """Two processes of a shop: one index, one database."""
    put(where, SHELF)
    both = [Search(tmp_path, db=await pool("search"), store=where) for _ in range(2)]
    yield both
    for each in both:
        await each.close()


@pytest.fixture
def search(workers):
    return workers[0]


@pytest.fixture
async def elsewhere(workers):
    app = httpx.ASGITransport(Starlette(routes=serve_asks(API, workers[1])))
    async with httpx.AsyncClient(transport=app, base_url="http://search") as http:
        yield remote(Search, API, posts_to(http))


async def numbers(search, q="tea", **more):
    found = await search.find(SearchQuery(q=q, limit=100, **more))
    return [int(card.product_id) for card in found.cards()]


async def until(ask, condition, within=5.0):
    async with asyncio.timeout(within):
        while not condition(answer := await ask()):
            await asyncio.sleep(0.05)
    return answer


def pin(number, place, words="tea", **more):
    return Rule(kind="pin", words=words, product_id=ProductId(number), place=place, **more)


async def test_a_pinned_product_is_at_its_place_in_every_process(workers):
    first, other = workers
    before = await numbers(first)
    await numbers(other)
    await first.add_rule(OPS, pin(before[20], 3))
    expected = [*before[:2], before[20], *before[2:20], *before[21:]]
    for search in workers:
        assert await until(lambda: numbers(search), lambda now: now != before) == expected  # noqa: B023
    assert (await numbers(other, "teas"))[2] == before[20], "plural does not matter"
    assert await numbers(other, sort="price_asc") == await numbers(first, sort="price_asc")


async def test_a_pinned_product_need_not_have_the_words(search):
    await search.add_rule(OPS, pin(50, 1))
    await search.add_rule(OPS, pin(51, 2))
    found = await until(lambda: search.find(SearchQuery(q="tea")), lambda found: found.total == 32)
    assert [int(card.product_id) for card in found.cards()][:2] == [50, 51]
    assert {count.value: count.count for count in found.facets.brands} == {"Acme": 15, "Brit": 16}
    assert 50 not in await numbers(search, brand=["Acme"]), "filters hold for pins too"
    assert (await numbers(search, in_stock=True))[0] == 50
    assert 51 not in await numbers(search, in_stock=True)
    assert 50 not in await numbers(search, "tea 01")


async def test_what_nothing_has_may_have_a_pin(search):
    assert (await search.find(SearchQuery(q="qwertz"))).total == 0
    await search.add_rule(OPS, pin(50, 5, "qwertz"))
    assert await until(lambda: numbers(search, "qwertz"), bool) == [50]


async def test_pages_have_every_product_once(search):
    for number, place in ((50, 1), (7, 4), (9, 4), (51, 20), (11, 20)):
        await search.add_rule(OPS, pin(number, place))
    whole = await until(lambda: numbers(search), lambda now: len(now) == 32)
    assert (whole[0], whole[3], whole[4], whole[19], whole[20]) == (50, 7, 9, 51, 11)
    walked = []
    query = SearchQuery(q="tea", limit=7)
    while True:
        found = await search.find(query)
        walked += [int(card.product_id) for card in found.cards()]
        if found.next_cursor is None:
            break
        query = SearchQuery(q="tea", limit=7, cursor=found.next_cursor)
    assert walked == whole
    assert sorted(walked) == [*range(1, 31), 50, 51]


async def test_boosts_lift_and_sink(search):
    plain = await numbers(search)
    up = await search.add_rule(OPS, Rule(kind="boost", words="tea", brand="Brit", factor=10))
    lifted = await until(lambda: numbers(search), lambda now: now != plain)
    assert all(number % 2 == 0 for number in lifted[:15])
    await search.change_rule(OPS, up.rule_id, Rule(kind="boost", words="tea", brand="Brit", factor=0.1))
    sunk = await until(lambda: numbers(search), lambda now: now != lifted)
    places = [sum(order.index(n) for n in order if n % 2 == 0) for order in (lifted, plain, sunk)]
    assert places == sorted(places)
    assert places[0] < places[1] < places[2]
    one = Rule(kind="boost", product_id=ProductId(plain[-1]), factor=10)
    await search.change_rule(OPS, up.rule_id, one)
    alone = await until(lambda: numbers(search), lambda now: now != sunk)
    assert alone.index(plain[-1]) < 20
    assert [number for number in alone if number != plain[-1]] == plain[:-1], "and nothing else"
    await search.remove_rule(OPS, up.rule_id)
    assert await until(lambda: numbers(search), lambda now: now != alone) == plain


async def test_a_boost_of_a_department_has_all_below_it(search):
    await search.add_rule(OPS, Rule(kind="boost", category="drinks", factor=3))

    async def why():
        return (await search.explain("tea")).why

    reasons = await until(why, lambda why: why[0].boosted)
    assert [round(each.boosted, 3) for each in reasons] == [1.099] * 10  # ln 3


async def test_a_boost_of_a_category_follows_it(search, db):
    rule = await search.add_rule(OPS, Rule(kind="boost", category="potables", factor=3))
    plain = await search.add_rule(OPS, Rule(kind="synonym", words="tisane", other="infusion"))
    renamed = CategoriesRenamed(category_id=CategoryId(0), slugs={"potables": "drinks", "mugs": "cups"})
    await deliver(db, [renamed], [search])
    now = {each.rule_id: each for each in (await search.rules()).rules}
    assert (now[rule.rule_id].category, now[plain.rule_id]) == ("drinks", plain)

    async def why():
        return (await search.explain("tea")).why

    await until(why, lambda why: why[0].boosted)


async def test_synonyms_of_the_desk_add_to_those_of_the_file(search, tmp_path):
    (tmp_path / "synonyms.txt").write_text("chai = tea\n")
    assert sorted(await until(lambda: numbers(search, "chai"), bool, within=8)) == [*range(1, 31)]
    await search.add_rule(OPS, Rule(kind="synonym", words="tisane", other="infusion"))
    assert await until(lambda: numbers(search, "tisane"), bool) == [52]
    assert sorted(await numbers(search, "chai")) == [*range(1, 31)]
    await search.add_rule(OPS, Rule(kind="synonym", words="steeper", other="kettle", same=True))
    assert await until(lambda: numbers(search, "steeper"), bool) == [50]


async def test_days(search, clock_ahead):
    today = datetime.now(UTC).date()
    day = timedelta(days=1)
    plain = await numbers(search)
    await search.add_rule(OPS, pin(plain[-1], 1, starts_on=today + day, ends_on=today + 2 * day))
    await asyncio.wait_for(search.explain("tea"), 5)
    assert await numbers(search) == plain
    for days, on in ((1, True), (2, True), (3, False)):
        clock_ahead(days * 86_400)
        expected = [plain[-1], *plain[:-1]] if on else plain
        assert await until(lambda: numbers(search), lambda now: now == expected)  # noqa: B023


async def test_explain_says_which_rule(search):
    boost = await search.add_rule(OPS, Rule(kind="boost", brand="Brit", factor=2))
    put_first = await search.add_rule(OPS, pin(52, 1))

    async def why():
        return (await search.explain("tea", 3)).why

    first, second, _ = await until(why, lambda why: why[0].pinned == 1)
    assert (first.title, first.rules) == ("Infusion", [put_first.rule_id])
    assert (second.rules, round(second.boosted, 3)) == ([boost.rule_id], 0.693)


async def test_who_changed_what_and_how_it_is_put_back(search, elsewhere):
    kept = await elsewhere.add_rule(OPS, pin(1, 1))
    again = await elsewhere.add_rule(OPS, pin(1, 1), kept.rule_id)
    assert again == kept, "asked twice it is there once"
    await elsewhere.change_rule(OPS, kept.rule_id, pin(1, 2))
    await elsewhere.remove_rule(OPS, kept.rule_id)
    await elsewhere.remove_rule(OPS, kept.rule_id)
    assert (await elsewhere.rules()).rules == []
    removed, changed, added = (await elsewhere.rule_changes()).changes
    assert [each.what for each in (removed, changed, added)] == ["removed", "changed", "added"]
    assert {each.by for each in (removed, changed, added)} == {"Olga"}
    assert (changed.was.place, changed.now.place, removed.now) == (1, 2, None)
    assert (await elsewhere.rule_changes(10, removed.change_id)).changes == [changed, added]
    back = await elsewhere.put_back_rule(OPS, removed.change_id)
    assert (back.rule_id, back.place) == (kept.rule_id, 2)
    older = await elsewhere.put_back_rule(OPS, changed.change_id)
    assert (older.place, len((await search.rules()).rules)) == (1, 1)
    for nothing in (added.change_id, ids.new(RuleChangeId)):
        with pytest.raises(NotFound):
            await search.put_back_rule(OPS, nothing)
    with pytest.raises(NotFound):
        await elsewhere.change_rule(OPS, ids.new(RuleId), pin(1, 1))
    with pytest.raises(NotFound):
        await elsewhere.remove_rule(OPS, ids.new(RuleId))


@pytest.mark.parametrize(
    ("rule", "pointer"),
    [
        (Rule(kind="pin", words="tea", place=1), "/product_id"),
        (Rule(kind="pin", product_id=ProductId(1), place=1), "/words"),
        (Rule(kind="pin", words="tea", product_id=ProductId(1)), "/place"),
        (pin(1, 1, "?!"), "/words"),
        (Rule(kind="pin", words="tea", product_id=ProductId(1), place=1, factor=2), "/factor"),
        (Rule(kind="boost", factor=2), "/product_id"),
        (Rule(kind="boost", brand="A", category="b", factor=2), "/product_id"),
        (Rule(kind="boost", brand="A"), "/factor"),
        (Rule(kind="synonym", words="tea"), "/other"),
        (Rule(kind="synonym", words="teas", other="tea"), "/other"),
        (pin(1, 1, starts_on=date(2026, 2, 2), ends_on=date(2026, 2, 1)), "/ends_on"),
    ],
)
async def test_half_a_rule_is_none(search, rule, pointer):
    with pytest.raises(Invalid) as refused:
        await search.add_rule(OPS, rule)
    assert refused.value.facts["pointer"] == pointer
    assert (await search.rules()).rules == []


async def test_the_database_takes_no_half_rule_either(db):
    columns = "rule_id, changed_at, changed_by_id, changed_by"
    for more, values in (
        ("kind, words", "'pin', 'tea'"),
        ("kind, words, product_id, place", "'pin', '', 1, 1"),
        ("kind, words, product_id, place", "'pin', 'tea', 1, 21"),
        ("kind, words, factor", "'boost', '', 2"),
        ("kind, words, brand, factor", "'boost', '', 'A', 11"),
        ("kind, words, other", "'synonym', 'tea', 'chai'"),
        ("kind, words, other, same, place", "'synonym', 'tea', 'chai', true, 1"),
        ("kind, words", "'other', 'tea'"),
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await db.execute(
                f"insert into search.rule ({columns}, {more}) values (1, now(), 7, 'Olga', {values})"
            )


async def test_there_are_so_many_rules_and_no_more(search, db):
    await db.execute(
        "insert into search.rule (rule_id, kind, words, other, same, changed_at, changed_by_id, changed_by) "
        "select n, 'synonym', 'a' || n, 'b' || n, true, now(), 7, 'Olga' from generate_series(1, 1000) n"
    )
    with pytest.raises(TooManyRules):
        await search.add_rule(OPS, pin(1, 1))
    await search.change_rule(OPS, RuleId(5), pin(1, 1))
    await search.remove_rule(OPS, RuleId(6))
    await search.add_rule(OPS, pin(2, 2))


async def test_searches_go_on_without_the_database(search, pool):
    await search.add_rule(OPS, pin(30, 1))
    ruled = await until(lambda: numbers(search), lambda now: now[0] == 30)
    (await pool("search")).terminate()
    for _ in range(3):
        assert await numbers(search) == ruled
        await asyncio.sleep(0.4)
